"""Folders for work that is sent elsewhere; what a killed process left is removed by the next that wants one."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

_PREFIX = "genba-staging-"
_LOCK = ".lock"


@contextlib.contextmanager
def staging() -> Generator[Path]:
    """Give a folder where temporary files go (TMPDIR), for as long as the context lasts.

    Raises:
        OSError: as the system says.
    """
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    handle = os.open(folder / ".new", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        (folder / ".new").rename(folder / _LOCK)  # nobody sees it under that name before it is held
        inside = folder / "work"
        inside.mkdir()
        yield inside
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _sweep(parent: Path) -> None:
    """Remove folders of this user's whose lock went with the process that held it."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, held, or gone meanwhile
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
