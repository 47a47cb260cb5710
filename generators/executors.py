"""Where shards are made: in this process, in several, or on Ray. One signature, the same bytes.

An executor maps a function over jobs and yields results as they finish, in any order. A worker process that dies is
replaced and its job run again; a job that takes its worker down every time comes back as `Lost`, and the others go on.
"""

import ctypes
import dataclasses
import functools
import logging
import math
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar

from generators.config import Resources
from generators.watchdog import Limit, trace_of, watched, watched_here
from generators.worker import prepare_worker
from sim.errors import GenbaError

J = TypeVar("J")
R = TypeVar("R")
ATTEMPTS = 3  # times that a job may take its worker process down with it
_EXCLUDES = [".git", ".venv", "datasets", "__pycache__", "*.h5", "*.parquet"]  # of a folder that Ray sends along
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}


class ExecutorError(GenbaError, RuntimeError):
    """Workers that cannot be started or kept alive."""

    exit_code = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """A job that was set aside.

    Attributes:
        job: it.
        error: why, in one sentence.
    """

    job: Any
    error: str


class Executor(Protocol):
    """Maps a function over jobs, yielding results as they finish; `Lost` for a job that ended its worker each time."""

    def __call__(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R | Lost]:
        """Run work(job) for every job."""
        ...


def _never() -> bool:
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """What Ray is to do.

    Attributes:
        address: of a running cluster; None for a Ray of our own.
        resources: of each job.
        folder: that the jobs' own modules are in, sent to the cluster's machines; None where they need none.
    """

    address: str | None = None
    resources: Resources = dataclasses.field(default_factory=Resources)
    folder: Path | None = None


def choose(
    executor: str,
    workers: int,
    cluster: Cluster | None = None,
    *,
    stop: Callable[[], bool] = _never,
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
    work: Callable[[J], R], jobs: Sequence[J], *, stop: Callable[[], bool] = _never, limit: Limit | None = None
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
    stop: Callable[[], bool] = _never,
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
    yield Lost(job, _too_long(job, limit) or died)


def run_ray(
    work: Callable[[J], R],
    jobs: Sequence[J],
    *,
    workers: int,
    cluster: Cluster | None = None,
    stop: Callable[[], bool] = _never,
    limit: Limit | None = None,
) -> Iterator[R | Lost]:
    """Run the jobs as Ray tasks, on a Ray of our own or on the one at an address.

    Raises:
        ExecutorError: Ray cannot be started or reached, or an address is not this machine's and no token is set.
    """
    cluster = cluster or Cluster()
    ours = cluster.address is None and "RAY_AUTH_TOKEN" not in os.environ
    ray = _start_ray(workers, cluster)
    wanted = cluster.resources
    memory = None if wanted.memory_gb is None else int(wanted.memory_gb * 2**30)
    options = {"num_cpus": wanted.cpus, "num_gpus": wanted.gpus, "memory": memory, "max_retries": ATTEMPTS - 1}
    try:
        remote = ray.remote(**options)(_timed(work, limit))
        waiting = list(reversed(jobs))
        running: dict[Any, J] = {}
        while waiting or running:
            while waiting and len(running) < 2 * workers and not stop():
                job = waiting.pop()
                running[remote.remote(job)] = job
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            yield _taken(ray, done[0], running.pop(done[0]), limit)
    finally:
        ray.shutdown()
        if ours:
            os.environ.pop("RAY_AUTH_TOKEN", None)  # it opens no other Ray


def _timed(work: Callable[[J], R], limit: Limit | None) -> Callable[[J], R]:
    """Return what Ray is to run, a function: it takes nothing else."""
    if limit is None:
        return work
    seconds = limit.seconds

    def timed(job: J) -> R:
        return watched(work, job, seconds)

    return timed


def _taken(ray: Any, done: Any, job: object, limit: Limit | None) -> Any:  # noqa: ANN401 - a module without types
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        why = f"Ray gave it up after {ATTEMPTS} attempts: {' '.join(str(error).split())[:300]}"
        if limit is not None and trace_of(job) is None:  # the worker was on another machine
            why += f"; or it took longer than {limit.seconds:g} s"
        return Lost(job, _too_long(job, limit) or why)


def _start_ray(workers: int, cluster: Cluster) -> Any:  # noqa: ANN401 - a module without types
    """Start or join a Ray; return the module."""
    address = cluster.address
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    local = address is None or address.split(":")[0] in ("127.0.0.1", "localhost", "auto", "local")
    if not local and "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        raise ExecutorError(f"Ray at {address} is on another machine: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH first")
    if address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", _own_token())
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ExecutorError(f"Ray cannot be imported: {error}") from None
    own: dict[str, Any] = {}
    asked = signal.getsignal(signal.SIGTERM)
    if address is None:
        cpus, gpus = math.ceil(workers * cluster.resources.cpus), math.ceil(workers * cluster.resources.gpus)
        own = {"num_cpus": cpus, "num_gpus": gpus or None, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_environment(cluster),
            **own,
        )
    except Exception as error:
        raise ExecutorError(f"Ray does not start: {' '.join(str(error).split())[:300]}") from None
    finally:
        if asked is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, asked)  # Ray would end this process at once
    return ray


@functools.cache
def _own_token() -> str:
    """Return the token of this process's own Rays: Ray remembers the first one that it was given."""
    return secrets.token_hex(32)


def _environment(cluster: Cluster) -> Mapping[str, Any]:
    """Return what the workers' processes are given; modules of the user's own where other machines work, too."""
    if cluster.address is None or cluster.folder is None:
        return {"env_vars": _QUIET}
    return {"env_vars": _QUIET, "working_dir": str(cluster.folder), "excludes": _EXCLUDES}


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


def _too_long(job: object, limit: Limit | None) -> str:
    """Say that a job took longer than it may, if that was why its last worker died, else nothing."""
    where = None if limit is None else trace_of(job)
    if limit is None or not where:
        return ""
    times = f"{ATTEMPTS} times it took longer than {limit.seconds:g} s"
    return f"{times}, the last time {where}; give --time-limit-s more if it is only slow"


def _name(job: object) -> str:
    shard = getattr(job, "shard", None)
    return shard.name if shard is not None else repr(job)
