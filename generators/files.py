"""Files and folders that appear under their names only when all of them is on the disk."""

import contextlib
import io
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

from generators.schema import DatasetError


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Generator["PatientFile"]:
    """Open a file to write and read; where the block ends well, it gets its name, else nothing is left behind.

    What goes wrong while it is written is raised when the block ends, or by its `check`.

    Args:
        path: its name; a file that has it is replaced.
        durable: whether it shall outlast a power cut at once; what can be made again need not.

    Raises:
        OSError: as the system says.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with PatientFile(temporary, "w+") as file:
            yield file
            file.check()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(path: Path, data: memoryview | bytes, *, durable: bool = True) -> None:
    """Write a file so that its name appears only when all of it is on the disk.

    Args:
        path: its name.
        data: what it holds.
        durable: as in `whole_file`.

    Raises:
        OSError: as the system says; nothing is left behind.
    """
    with whole_file(path, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Make a folder under a temporary name beside its own; where the block ends well, it gets its name.

    Args:
        path: its name; only an empty folder may have it already.

    Raises:
        DatasetError: something else has its name.
        OSError: as the system says; nothing is left behind but parents that were missing.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise DatasetError(f"{path} is there already and is no empty folder: give another name, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def stamp(path: Path) -> list[int]:
    """Return a file's size and time of change, ns: what is the same where nobody has touched it since."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


class PatientFile(io.FileIO):
    """A file that HDF5 writes through: the first OSError is remembered, not raised, and what follows is lost.

    An error inside HDF5, of a full disk for example, would end the process. Who writes calls `check` now and then, and
    once it is closed.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write bytes; return how many there were, whatever became of them."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while len(left) and self.error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or lengthen the file."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise what went wrong.

        Raises:
            OSError: the first one.
        """
        if self.error is not None:
            raise self.error
