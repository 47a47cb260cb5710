"""Where a dataset lies that is no folder of this machine: objects under a URL, each of them whole or not there."""

import contextlib
import dataclasses
import datetime
import functools
import itertools
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from generators.stores.patience import StoreError, patiently, reaching
from generators.stores.protocols import file_system, finds_starts, in_folders, in_time, mark_of

STALE_S = 3600.0  # longer than anything is under way
_AT_ONCE = 256  # objects read at a time
_REQUESTS = 8  # at a time, for an object's mark or a thousand names
_MOST = 256 << 20  # bytes of an object that is compared


@dataclasses.dataclass(frozen=True, slots=True)
class Store:
    """The objects under a URL; names are relative to it, "shards/shard-00000.h5".

    Attributes:
        url: "s3://bucket/name", "gs://...", "file:///...", "memory://...": any that fsspec knows.
    """

    url: str

    def listing(self, folder: str = "", starts: Sequence[str] = ()) -> dict[str, str]:
        """Return the objects in one folder: name -> mark, which is another where the object is.

        Args:
            folder: its name; "" for the URL's own.
            starts: beginnings of names; objects with none of them may be left out. A store tells a thousand names at
                a time; one that can look for beginnings is asked for all of them at once.
        """
        path = self._path(folder)
        with reaching(self.url, "listed"):
            try:
                found = self._found(path, starts) if starts and finds_starts(self._fs) else self._listed(path)
            except FileNotFoundError:
                return {}
        start = f"{folder}/" if folder else ""
        return {start + f["name"].rstrip("/").rpartition("/")[2]: mark_of(f) for f in found if f["type"] == "file"}

    def marks(self, names: Sequence[str]) -> dict[str, str]:
        """Return the marks of those objects that are there."""

        def mark(name: str) -> str:
            try:
                return mark_of(self._info(name))
            except FileNotFoundError:
                return ""

        with reaching(self.url, "listed"), ThreadPoolExecutor(_REQUESTS) as pool:
            return {name: found for name, found in zip(names, pool.map(mark, names), strict=True) if found}

    def exists(self) -> bool:
        """Return whether there is anything."""
        with reaching(self.url, "listed"):
            try:
                return bool(patiently(lambda: self._fs.ls(self._path(""), detail=False, refresh=True)))
            except FileNotFoundError:
                return False

    def put(self, name: str, path: Path) -> str:
        """Send a file; it gets its name when all of it is there. Return its mark.

        Raises:
            StoreError: it cannot be written, or what is there then is not as long as it should be.
        """
        with reaching(self.url, "written"):
            patiently(lambda: self._put(name, path))
            return self._arrived(name, path.stat().st_size)

    def write(self, name: str, data: bytes) -> str:
        """Write an object whole; return its mark.

        Raises:
            StoreError: it cannot be written, or what is there then is not as long as it should be.
        """
        with reaching(self.url, "written"):
            patiently(lambda: self._write(name, data))
            return self._arrived(name, len(data))

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless it is there; return whether it was written.

        Two who create at a time are told apart by S3 and by folders; other stores may let both.
        """
        with reaching(self.url, "written"):
            self._make_folder(name)
            tries = itertools.count()
            try:
                patiently(lambda: self._create(name, data, next(tries)))
            except FileExistsError:
                return False
            except OSError as error:
                if "condition" not in str(error).lower():  # S3's 412: At least one of the pre-conditions did not hold
                    raise
                return next(tries) > 1 and self.read(name, _MOST) == data  # or ours arrived, and the answer did not
        return True

    def read(self, name: str, most: int) -> bytes:
        """Read an object.

        Args:
            name: its name.
            most: bytes.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it is larger, or cannot be read.
        """
        path = self._path(name)
        with reaching(self.url, "read"):
            size = self._info(name)["size"]
            if size > most:
                raise StoreError(f"{self.url}/{name} has {size} bytes, at most {most} were expected")
            return patiently(lambda: self._fs.cat_file(path, start=0, end=size))

    def read_all(self, names: Sequence[str]) -> Iterator[bytes]:
        """Read small objects, many at a time where the protocol can; b"" for one that is not there."""
        for i in range(0, len(names), _AT_ONCE):
            paths = [self._path(name) for name in names[i : i + _AT_ONCE]]
            with reaching(self.url, "read"):
                found = patiently(functools.partial(self._cat, paths))
            yield from (found.get(path, b"") for path in paths)

    def get(self, name: str, path: Path) -> None:
        """Bring an object into a file.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be read.
        """
        with reaching(self.url, "read"):
            patiently(lambda: self._fs.get_file(self._path(name), str(path)))

    def remove(self, name: str) -> None:
        """Remove an object, or a folder with all that is in it."""
        with reaching(self.url, "written"), contextlib.suppress(FileNotFoundError):
            patiently(lambda: self._fs.rm(self._path(name), recursive=True))

    def sweep(self, folder: str) -> None:
        """Remove what killed senders left beside the objects in a folder, once it is too old to be under way."""
        if not in_folders(self._fs):  # their objects are sent under their names, and seen when they are whole
            return
        with contextlib.suppress(FileNotFoundError, NotImplementedError), reaching(self.url, "swept"):
            for path in self._fs.ls(self._path(folder), detail=False, refresh=True):
                name = path.rpartition("/")[2]
                if name.startswith(".") and name.endswith(".tmp") and self._age_s(path) > STALE_S:
                    self._fs.rm(path)

    def _age_s(self, path: str) -> float:
        when: datetime.datetime = self._fs.modified(path)
        return time.time() - (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()

    @property
    def _fs(self) -> Any:  # noqa: ANN401 - a file system without types
        return file_system(self.url)[0]

    def _path(self, name: str) -> str:
        root = file_system(self.url)[1]
        return f"{root}/{name}" if name else root

    def _listed(self, path: str) -> list[dict[str, Any]]:
        return patiently(lambda: self._fs.ls(path, detail=True, refresh=True))

    def _found(self, path: str, starts: Sequence[str]) -> list[dict[str, Any]]:
        """Return the objects in a folder whose names begin so, and none that is in a folder of it."""

        def find(start: str) -> list[dict[str, Any]]:
            found = patiently(lambda: self._fs.find(path, prefix=start, detail=True))
            return [f for f in found.values() if f["name"].rpartition("/")[0] == path]

        with ThreadPoolExecutor(min(len(starts), _REQUESTS)) as pool:
            return list(itertools.chain.from_iterable(pool.map(find, starts)))

    def _info(self, name: str) -> Mapping[str, Any]:
        return patiently(lambda: self._fs.info(self._path(name), refresh=True))

    def _arrived(self, name: str, size: int) -> str:
        info = self._info(name)
        if info["size"] != size:
            raise StoreError(f"{self.url}/{name} has {info['size']} bytes after {size} were sent")
        return mark_of(info)

    def _cat(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        found = self._fs.cat(paths, on_error="return") if len(paths) > 1 else {paths[0]: self._one(paths[0])}
        wrong = (e for e in found.values() if isinstance(e, Exception) and not isinstance(e, FileNotFoundError))
        if error := next(wrong, None):
            raise error
        return {path: data for path, data in found.items() if isinstance(data, bytes)}

    def _one(self, path: str) -> bytes | Exception:
        try:
            return self._fs.cat_file(path)
        except FileNotFoundError as error:
            return error

    def _put(self, name: str, path: Path) -> None:
        if not in_folders(self._fs):
            with in_time(self._fs, path.stat().st_size) as more:
                self._fs.put_file(str(path), self._path(name), **more)
            return
        with self._aside(name) as aside:
            self._fs.put_file(str(path), aside)

    def _write(self, name: str, data: bytes) -> None:
        if not in_folders(self._fs):
            with in_time(self._fs, len(data)) as more:
                self._fs.pipe_file(self._path(name), data, **more)
            return
        with self._aside(name) as aside:
            self._fs.pipe_file(aside, data)

    def _create(self, name: str, data: bytes, _attempt: int) -> None:
        with in_time(self._fs, len(data)) as more:
            self._fs.pipe_file(self._path(name), data, mode="create", **more)

    @contextlib.contextmanager
    def _aside(self, name: str) -> Generator[str]:
        """Give the path of another name beside an object's own, which it gets in the end."""
        self._make_folder(name)
        folder, _, last = name.rpartition("/")
        aside = self._path(f"{folder}/.{last}.{uuid.uuid4().hex}.tmp".removeprefix("/"))
        try:
            yield aside
            self._fs.mv(aside, self._path(name))
        except BaseException:
            with contextlib.suppress(OSError):
                self._fs.rm(aside)
            raise

    def _make_folder(self, name: str) -> None:
        if in_folders(self._fs):
            self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
