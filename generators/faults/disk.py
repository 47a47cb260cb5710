"""A small disk of its own for the datasets, which can be filled to the last byte without harm to anything else."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

SIZE_MB = 256
_INSIDE = "GENBA_FAULTS_INSIDE"
_CHUNK = 1 << 20


def run_inside(argv: Sequence[str]) -> int | None:
    """Run this command again where it may mount a disk that nobody else sees.

    Args:
        argv: the command's flags.

    Returns:
        Its exit code; None where this is such a place already, or none can be had.
    """
    if sys.platform != "linux" or _INSIDE in os.environ or shutil.which("unshare") is None:
        return None
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        return None
    command = [*unshare, sys.executable, "-m", "generators.cli", "faults", *argv]
    return subprocess.run(command, env=os.environ | {_INSIDE: "1"}, check=False).returncode


@contextlib.contextmanager
def small_disk(folder: Path) -> Generator[bool]:
    """Mount a disk of 256 MB on a folder; yield whether that could be done."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "genba-faults", str(folder)]
    inside = _INSIDE in os.environ  # elsewhere it would be seen by all
    mounted = inside and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def fill(ballast: Path) -> int:
    """Write a file until not a byte more fits; return its size."""
    with ballast.open("wb", buffering=0) as file:
        for size in (_CHUNK, 4096, 1):
            with contextlib.suppress(_Full):
                while True:
                    _write(file.fileno(), size)
    return ballast.stat().st_size


class _Full(Exception):
    """No space left on the disk."""


def _write(file: int, size: int) -> None:
    try:
        os.write(file, bytes(size))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _Full from None
        raise
