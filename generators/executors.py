"""Where shards are made: in this process, in several, or on Ray. One signature, the same bytes.

An executor maps a function over jobs and yields results as they finish, in any order. A worker process that dies is
replaced and its job run again; a job that takes its worker down every time comes back as `Lost`, and the others go on.
"""

import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from generators.jobs import ATTEMPTS, ExecutorError, Lost, never, too_long
from generators.on_ray import Cluster, run_ray
from generators.watchdog import Limit, watched, watched_here
from generators.worker import prepare_worker

J = TypeVar("J")
R = TypeVar("R")


class Executor(Protocol):
    """Maps a function over jobs, yielding results as they finish; `Lost` for a job that ended its worker each time."""

    def __call__(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R | Lost]:
        """Run work(job) for every job."""
        ...


def choose(
    executor: str,
    workers: int,
    cluster: Cluster | None = None,
    *,
    stop: Callable[[], bool] = never,
    limit: Limit | None = None,
) -> Executor:
    """Return the executor for a configuration; "auto" takes the simplest that serves.

    Args:
        executor: inline, processes, ray or auto.
        workers: how many jobs run at a time.
        cluster: for Ray.
        stop: once it says so no further job is begun, and those that run are finished.
        limit: how long a job may take; None for as long as it likes.
    """
    cluster = cluster or Cluster()
    if executor == "auto":
        executor = "ray" if cluster.address else ("inline" if workers == 1 else "processes")
    if executor == "inline":
        return functools.partial(run_inline, stop=stop, limit=limit)
    if executor == "ray":
        return functools.partial(run_ray, workers=workers, cluster=cluster, stop=stop, limit=limit)
    return functools.partial(run_processes, workers=workers, stop=stop, limit=limit)


def results(found: Iterator[R | Lost]) -> Iterator[R]:
    """Pass results on.

    Raises:
        ExecutorError: a job was lost.
    """
    for result in found:
        if isinstance(result, Lost):
            raise ExecutorError(f"{_name(result.job)}: {result.error}")
        yield result


def run_inline(
    work: Callable[[J], R], jobs: Sequence[J], *, stop: Callable[[], bool] = never, limit: Limit | None = None
) -> Iterator[R]:
    """Run the jobs in this process, one after the other."""
    for job in jobs:
        if stop():
            return
        yield work(job) if limit is None else watched_here(work, job, limit)


def run_processes(
    work: Callable[[J], R],
    jobs: Sequence[J],
    *,
    workers: int,
    stop: Callable[[], bool] = never,
    limit: Limit | None = None,
) -> Iterator[R | Lost]:
    """Run the jobs in worker processes of this machine.

    Where a worker dies, those that ran then are run again at the end, one at a time, so that none is blamed for another
    and none holds up the others.
    """
    timed = work if limit is None else functools.partial(watched, work, seconds=limit.seconds)
    waiting = list(reversed(jobs))
    suspects: list[J] = []
    while (waiting or suspects) and not stop():
        if waiting:
            suspects += yield from _together(timed, waiting, workers, stop)
        else:
            yield from _alone(timed, suspects.pop(), limit)


def _together(
    work: Callable[[J], R], waiting: list[J], workers: int, stop: Callable[[], bool]
) -> Generator[R, None, list[J]]:
    """Run what waits, several at a time, until all is done or a worker dies; return the jobs that ran then."""
    pool = _pool(min(workers, len(waiting)))
    running: dict[Future[Any], J] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers and not stop():
                job = waiting.pop()
                running[pool.submit(work, job)] = job
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        return list(running.values())
    finally:
        _stop(pool)
    return []


def _alone(work: Callable[[J], R], job: J, limit: Limit | None) -> Iterator[R | Lost]:
    """Run a job by itself; the time that it was suspected counts as one that its worker died."""
    for _ in range(ATTEMPTS - 1):
        pool = _pool(1)
        try:
            yield pool.submit(work, job).result()
            return
        except BrokenProcessPool:
            continue
        finally:
            _stop(pool)
    died = f"its worker process died {ATTEMPTS} times: out of memory, or a crash; try fewer workers"
    yield Lost(job, too_long(job, limit) or died)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(os.getpid(),))


def _start_worker(driver: int) -> None:
    """Set a worker process up: it ends with its driver, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != driver:
        os._exit(1)
    prepare_worker()


def _stop(pool: ProcessPoolExecutor) -> None:
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _name(job: object) -> str:
    shard = getattr(job, "shard", None)
    return shard.name if shard is not None else repr(job)
