"""What the protocols of stores differ in, of all those that fsspec knows.

Credentials and addresses come from the environment, as each protocol's own tools have it, and never from the URL.
"""

import asyncio
import contextlib
import datetime
import functools
import inspect
from collections.abc import Generator, Mapping
from typing import Any

from generators.stores.patience import StoreError
from sim.errors import MissingExtraError

S3: dict[str, Any] = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 1}}
_MARKS = ("ETag", "md5Hash", "etag", "content_md5", "mtime", "created")  # what changes where an object does
_SILENCES = 10  # that are waited for while something is sent, with the protocol's own attempts
_SLOWEST = 1e5  # bytes/s; who sends more slowly is taken for silent


def is_url(out: object) -> bool:
    """Return whether a dataset's place is a URL rather than a folder."""
    return isinstance(out, str) and "://" in out


@functools.lru_cache(maxsize=8)
def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the URL's path in it.

    Raises:
        StoreError: it has credentials in it, or a protocol that nobody knows.
        MissingExtraError: the package for its protocol is not installed.
    """
    import fsspec
    from fsspec.config import conf

    protocol, _, rest = url.partition("://")
    if "@" in rest.partition("/")[0]:
        raise StoreError(f"a URL with credentials was given ({protocol}://...@...): put them into the environment")
    if not rest.strip("/") and protocol != "memory":
        raise StoreError(f"{url} names no folder: give {protocol}://bucket/name")
    own: dict[str, Any] = {"use_listings_cache": False}
    if protocol in ("s3", "s3a") and "config_kwargs" not in conf.get(protocol, {}):
        own["config_kwargs"] = S3
    try:
        fs, path = fsspec.core.url_to_fs(url, **own)
    except ImportError as error:
        extra = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}.get(protocol)
        how = f'pip install "genba[{extra}]"' if extra else str(error)
        raise MissingExtraError(f"{protocol}:// needs a package that is not installed: {how}") from None
    except ValueError as error:
        raise StoreError(f"{url}: {' '.join(str(error).split())[:300]}") from None
    if getattr(fs, "async_impl", False):
        fs.loop.set_exception_handler(_report)
    return fs, str(path).rstrip("/")


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Print what nobody has waited for, but no broken connection: who asked for something over it has been told."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


def mark_of(info: Mapping[str, Any]) -> str:
    """Return what tells an object from another, by what a file system says of it."""
    found = next((info[key] for key in _MARKS if info.get(key) is not None), "")
    return f"{info['size']} {found.timestamp() if isinstance(found, datetime.datetime) else found}"


def size_of(mark: str | None) -> int:
    """Return how many bytes an object has, by its mark; 0 where there is none."""
    return int(mark.partition(" ")[0]) if mark else 0


def in_folders(fs: Any) -> bool:  # noqa: ANN401 - a file system without types
    """Return whether objects are files, which grow under their names unless they are written aside."""
    names = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return not {"s3", "gs", "memory", "abfs", "az"} & set(names)


def finds_starts(fs: Any) -> bool:  # noqa: ANN401 - a file system without types
    """Return whether objects can be looked for by the beginnings of their names."""
    return "prefix" in inspect.signature(fs.find).parameters


@contextlib.contextmanager
def in_time(fs: Any, size: int) -> Generator[Mapping[str, float]]:  # noqa: ANN401 - a file system without types
    """Give what ends the sending of so many bytes: to a store that falls silent some protocols send for ever."""
    if not getattr(fs, "async_impl", False):
        yield {}
        return
    seconds = _SILENCES * getattr(fs, "config_kwargs", {}).get("read_timeout", S3["read_timeout"]) + size / _SLOWEST
    try:
        yield {"timeout": seconds}
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"it took longer than {seconds:.0f} s") from None
