"""Has another process go through an HDF5 file that nobody has vouched for, before this one opens it.

A forged file can make HDF5 itself crash, turn for ever or take all memory. So a child, one for each process that reads
such files, does first what this one will do: it checks the structure, reads every attribute, looks up every chunk, and
unpacks those that may become large, with little memory and time. What ends the child is one sentence here, and the next
file gets another child.

Each file is examined when it is first opened, and then believed for as long as nobody touches it. What is not promised:
a file that is changed while it is read, or one that takes over HDF5 rather than breaking it, for the child may do what
its user may.
"""

import atexit
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any

from generators.schema import DatasetError
from generators.structure import check_file

MEMORY_BYTES = 512 << 20  # that a child may take for a file
ADDRESS_SPACE = 8 << 30  # of a child, where the system does not say what it has already
CPU_S = 0.5  # for a child to go through a file, plus a second for every SLOWEST bytes
WALL_S = 60  # the same where a disk is slow
SLOWEST = 4 << 20
DAY = 86400

_Pipe = int | IO[bytes]
_SERVE = "from generators.examination import serve; serve()"
_examined: set[tuple[Any, ...]] = set()
_lock = threading.Lock()
_child: subprocess.Popen[bytes] | None = None
_here = False


class EndedError(DatasetError):
    """A file that the process which examined it did not outlive."""


def examine(path: Path, limits: Mapping[str, Any]) -> None:
    """Have a file gone through, once.

    Args:
        path: a plain file of HDF5.
        limits: arguments of `check_structure`; what JSON can hold.

    Raises:
        DatasetError: it is refused, or cannot be read; an EndedError where the child did not outlive it.
        OSError: no child can be started.
    """
    if _here:
        with little_memory():
            check_file(path, limits, reach=False)  # chunks are a matter of this process's limits
        return
    found = path.stat()
    kept = json.dumps(limits, sort_keys=True)
    key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, kept)
    if key in _examined:
        return
    with _lock:
        answer = _ask(json.dumps({"path": str(path.absolute()), "limits": dict(limits)}))
        if answer is None:
            raise EndedError(f"{path.name}: file structure: reading it {say_ending(_end())}")
    if answer:
        raise DatasetError(answer)
    _examined.add(key)


def examine_here() -> None:
    """Let this process examine files itself, for it is a child with limits of its own."""
    global _here
    _here = True


def start_python(code: str, stdin: _Pipe, stderr: _Pipe) -> subprocess.Popen[bytes]:
    """Start a process of Python that finds what this one finds, and nothing in the folder where it happens to be."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or "." for p in sys.path), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=environment)


@contextlib.contextmanager
def little_memory() -> Generator[None]:
    """Let this process take no more than MEMORY_BYTES beside what it has: text of an attribute may claim 4 GB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def say_ending(code: int, last_words: str = "") -> str:
    """Say how a child ended, as what its file did: "takes too long"."""
    if code in (-signal.SIGALRM, -signal.SIGPROF):
        return "takes too long"
    if code < 0:
        return f"ended the process with {signal.Signals(-code).name}"
    return f"ended the process: {(last_words.strip().splitlines() or ['exit code ' + str(code)])[-1]}"


def serve() -> None:
    """Be a child: read a file to examine from each line of standard input, answer each with a line, what is wrong."""
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, signal.SIG_IGN)  # they are its parent's; it ends with its questions
    with little_memory():
        for line in sys.stdin:
            asked = json.loads(line)
            answer = _answer(Path(asked["path"]), asked["limits"])
            sys.stdout.write(json.dumps(answer[:1000]) + "\n")
            sys.stdout.flush()


def _answer(path: Path, limits: Mapping[str, Any]) -> str:
    try:
        size = path.stat().st_size
        signal.setitimer(signal.ITIMER_PROF, CPU_S + size / SLOWEST)  # unhandled: it ends the process wherever it hangs
        signal.alarm(min(DAY, WALL_S + size // SLOWEST))
        check_file(path, limits)
    except DatasetError as error:
        return str(error)
    except Exception as error:
        return f"{path.name} cannot be read: {str(error) or type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return ""


def _address_space() -> int:
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return ADDRESS_SPACE


def _ask(question: str) -> str | None:
    """Return what is wrong, "" for nothing, None where the child has ended."""
    global _child
    child = _child = _child or start_python(_SERVE, subprocess.PIPE, subprocess.DEVNULL)
    assert child.stdin is not None
    assert child.stdout is not None
    line = b""
    try:
        child.stdin.write(question.encode() + b"\n")
        child.stdin.flush()
        line = child.stdout.readline()
    except BrokenPipeError:
        pass
    except BaseException:  # its answer would be taken for that to the next question
        child.kill()
        _end()
        raise
    return json.loads(line) if line.endswith(b"\n") else None


def _end() -> int:
    """Let the child end, for lack of questions; return its exit code."""
    global _child
    ended, _child = _child, None
    if ended is None:
        return 0
    with contextlib.suppress(BrokenPipeError):
        ended.__exit__(None, None, None)
    return ended.wait()


def _forget() -> None:
    """Leave the child to the process that this one was forked from."""
    global _child
    _lock.release()
    forgotten, _child = _child, None
    if forgotten is not None:
        for pipe in (forgotten.stdin, forgotten.stdout):
            if pipe is not None:
                pipe.close()
        forgotten.returncode = 0  # nobody here waits for it


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget)
atexit.register(_end)
