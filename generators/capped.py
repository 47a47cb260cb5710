"""Reads small files that nobody has vouched for: plain files, none larger than it may be, JSON that means one thing.

What is wrong is a `FileError` that does not name the file: who asked for it says which it is and what follows.
"""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from sim.errors import GenbaError

MAX_BYTES = 64 << 20  # of a file that describes a dataset; dataset.json of 10,000 shards has about 10 MB
MAX_LOG_BYTES = 1 << 20  # of what a worker says of one file
_LONE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a pair, perhaps: text that UTF-8 cannot hold


class FileError(GenbaError, ValueError):
    """A file that is not read, for what it is, for where it lies, or for what is in it."""


def check_plain(path: Path, within: Path | None = None) -> None:
    """Refuse what is no plain file: opening a pipe may never end, and reading a device may not.

    Args:
        path: the file.
        within: the folder that it must lie in, wherever links lead to; None for anywhere.

    Raises:
        FileError: it is something else, or elsewhere.
        OSError: as the system says.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileError("it is no plain file")
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise FileError("it is a link out of the dataset")


def read_capped(path: Path, most: int = MAX_BYTES, *, within: Path | None = None) -> bytes:
    """Read a plain file that is not larger than it may be.

    Args:
        path: the file.
        most: bytes.
        within: as in `check_plain`.

    Raises:
        FileError: it is larger, or no plain file, or elsewhere.
        OSError: as the system says.
    """
    check_plain(path, within)
    with open(path, "rb", opener=_at_once) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise FileError(f"it is larger than {_size(most)}")
        return file.read(size)


def read_json(path: Path, most: int = MAX_BYTES, *, within: Path | None = None) -> Any:  # noqa: ANN401 - JSON
    """Read a file of JSON in UTF-8: no key twice in an object, not nested without end, text that UTF-8 can hold.

    Args:
        path: the file.
        most: bytes.
        within: as in `check_plain`.

    Raises:
        OSError: as the system says.
        ValueError: it is no such file; a FileError where that is not what is wrong with its syntax.
    """
    return parse_json(read_capped(path, most, within=within).decode("utf-8"))


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON as `read_json` does.

    Raises:
        ValueError: it is none, or means two things.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once)
        if _LONE.search(text):
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise FileError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise FileError("it holds half of a character") from None
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise FileError(f"it gives {twice[:80]!r} twice")
    return found


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for who writes into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _size(most: int) -> str:
    return f"{most >> 20} MB" if most >= 1 << 20 else f"{most >> 10} kB"
