"""Ends a process whose job takes longer than it may: in workers a thread of C keeps watch, which no hang holds up.

A worker that is ended leaves where it was in a file under a temporary name, which `trace_of` reads.
"""

import contextlib
import dataclasses
import faulthandler
import os
import re
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")
TIME_LIMIT_S = 3600.0
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')
_OURS = tuple(str(Path(__file__).resolve().parents[1] / name) + os.sep for name in ("generators", "sim"))
_OTHERS = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """How long one job may take.

    Attributes:
        seconds: so long.
        hung: for jobs of this very process: it is called from another thread with the job and where it hangs, and
            should end the process, which nothing else could do; None lets them take their time.
    """

    seconds: float
    hung: Callable[[Any, str], None] | None = None


def watched(work: Callable[[J], R], job: J, seconds: float) -> R:
    """Run work(job) in a worker process, which dies where it takes longer."""
    with _trace_file(job) as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            return work(job)
        finally:
            faulthandler.cancel_dump_traceback_later()


def watched_here(work: Callable[[J], R], job: J, limit: Limit) -> R:
    """Run work(job) in this process; where it takes longer, `limit.hung` is told."""
    timer = threading.Timer(limit.seconds, _tell, (job, limit))
    timer.daemon = True
    timer.start()
    try:
        return work(job)
    finally:
        timer.cancel()


def trace_path(out: str, name: str) -> Path:
    """Return the file for the trace of a shard of a dataset, by a name that the next run sweeps away."""
    return Path(out) / "logs" / f".{name}.hang.tmp"


def trace_of(job: object) -> str | None:
    """Return where a job's latest worker process was when its time was over.

    Returns:
        For example "in scene.py, line 12, expert"; "" where it ended otherwise, None where this machine cannot know.
    """
    path: Path | None = getattr(job, "trace_path", None)
    try:
        return None if path is None else _innermost(path.read_text(errors="replace"))
    except OSError:
        return None


def _tell(job: object, limit: Limit) -> None:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        where = _innermost(file.read())
    if limit.hung is not None:
        limit.hung(job, where)


@contextlib.contextmanager
def _trace_file(job: object) -> Generator[Any]:
    """Open the file for a job's trace; it stays only if the process ends."""
    wanted: Path | None = getattr(job, "trace_path", None)
    with contextlib.ExitStack() as opened:
        try:
            path = Path(os.devnull) if wanted is None else wanted
            file = opened.enter_context(path.open("w"))
        except OSError:  # no such folder on this machine, or a full disk
            path = Path(os.devnull)
            file = opened.enter_context(path.open("w"))
        yield file
    if path == wanted:
        with contextlib.suppress(OSError):
            path.unlink()


def _innermost(dump: str) -> str:
    """Return the task's line in a dump of all threads, else the innermost of the thread that did the work."""
    threads = (part for part in re.split(r"^(?=\S)", dump, flags=re.MULTILINE) if " in watched" in part)
    frames = [frame for part in threads for frame in _FRAME.finditer(part)]
    theirs = (f for f in frames if not f["file"].startswith((*_OURS, *_OTHERS, "<")))
    found = next(theirs, frames[0] if frames else None)
    return "" if found is None else f"in {Path(found['file']).name}, line {found['line']}, {found['function']}"
