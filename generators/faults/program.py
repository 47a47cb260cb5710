"""One run of the real program: its words as they come, its workers, and what is left of it when it is gone."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LINE = re.compile(r"shard (\d+)/(\d+) \S+ \((kept|[\d.]+ s)\)")
_STEP_S = 0.01
_WORKER = {"processes": b"spawn_main", "ray": b"ray::timed", "ray2": b"ray::timed"}


class Program:
    """A running `genba ...`.

    Args:
        args: after the word genba.
        cwd: where it runs.
        env: its environment.
    """

    def __init__(self, args: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "generators.cli", *args],
            cwd=cwd,
            env=dict(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self._process.stderr is not None:
            with self._process.stderr as stderr:
                self._lines.extend(stderr)

    @property
    def pid(self) -> int:
        """The driver's."""
        return self._process.pid

    @property
    def words(self) -> str:
        """What it has said so far."""
        return "".join(self._lines)

    def made(self) -> int:
        """Return how many shards this run has made."""
        return sum(found[3] != "kept" for found in _LINE.finditer(self.words))

    def working(self) -> bool:
        """Return whether it lives, has made a shard, and has more to make."""
        found = list(_LINE.finditer(self.words))
        return self.alive() and self.made() > 0 and int(found[-1][1]) < int(found[-1][2])

    def alive(self) -> bool:
        """Return whether the driver lives."""
        return self._process.poll() is None

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, at most so long and while the driver lives; return whether it does."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or not self.alive():
                return holds()
            time.sleep(_STEP_S)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send the driver a signal."""
        self._process.send_signal(number)

    def ends(self, seconds: float) -> int | None:
        """Wait for its end; return the exit code, negative for a signal; None where it had to be killed."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        self._reader.join(5.0)
        return code

    def workers(self, executor: str, mark: str) -> list[int]:
        """Return the worker processes that have something to do."""
        return [p for p in marked(mark) if p != self.pid and _WORKER[executor] in _read(p, "cmdline")]


def marked(mark: str) -> list[int]:
    """Return the living processes in whose environment a text is."""
    here = os.getpid()
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in found if pid != here and mark.encode() in _read(pid, "environ") and not _dead(pid)]


def reap(mark: str, seconds: float) -> int:
    """Wait for all processes with a mark to end, then kill what is left; return how many those were."""
    deadline = time.monotonic() + seconds
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while marked(mark) and time.monotonic() < deadline + 10:
        time.sleep(0.05)
    return len(left)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _dead(pid: int) -> bool:
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"], [])
