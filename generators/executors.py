"""Where shards are made: in this process, in several, or on Ray. One signature, the same bytes.

An executor maps a function over jobs and yields results as they finish, in any order. A worker process that dies is
replaced and its job run again; a job that kills its process every time is named.
"""

import ctypes
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from generators.worker import prepare_worker
from sim.errors import GenbaError

J = TypeVar("J")
R = TypeVar("R")
ATTEMPTS = 3  # times that a job may take its worker process down with it


class ExecutorError(GenbaError, RuntimeError):
    """Workers that cannot be started or kept alive."""

    exit_code = 3


class Executor(Protocol):
    """Maps a function over jobs, yielding results as they finish."""

    def __call__(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
        """Run work(job) for every job."""
        ...


def choose(executor: str, workers: int, ray_address: str | None) -> Executor:
    """Return the executor for a configuration; "auto" takes the simplest that serves."""
    if executor == "auto":
        executor = "ray" if ray_address else ("inline" if workers == 1 else "processes")
    if executor == "inline":
        return run_inline

    def bound(work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
        if executor == "ray":
            return run_ray(work, jobs, workers=workers, address=ray_address)
        return run_processes(work, jobs, workers=workers)

    return bound


def run_inline(work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
    """Run the jobs in this process, one after the other."""
    for job in jobs:
        yield work(job)


def run_processes(work: Callable[[J], R], jobs: Sequence[J], *, workers: int) -> Iterator[R]:
    """Run the jobs in worker processes of this machine."""
    waiting = list(reversed(range(len(jobs))))
    deaths = [0] * len(jobs)
    while waiting:
        pool = ProcessPoolExecutor(
            min(workers, len(waiting)), get_context("spawn"), initializer=_start_worker, initargs=(os.getpid(),)
        )
        running: dict[Future[Any], int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    index = waiting.pop()
                    running[pool.submit(work, jobs[index])] = index
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    del running[future]
                    yield result
        except BrokenProcessPool:
            for index in sorted(running.values(), reverse=True):
                deaths[index] += 1
                if deaths[index] >= ATTEMPTS:
                    raise ExecutorError(
                        f"a worker process died {ATTEMPTS} times on job {index} ({_name(jobs[index])}): out of memory,"
                        " or a crash; try fewer workers"
                    ) from None
                waiting.append(index)
        finally:
            _stop(pool)


def run_ray(work: Callable[[J], R], jobs: Sequence[J], *, workers: int, address: str | None = None) -> Iterator[R]:
    """Run the jobs as Ray tasks, on a Ray of our own or on the one at an address.

    Raises:
        ExecutorError: Ray cannot be started or reached, or an address is not this machine's and no token is set.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    local = address is None or address.split(":")[0] in ("127.0.0.1", "localhost", "auto", "local")
    if not local and "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        raise ExecutorError(f"Ray at {address} is on another machine: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH first")
    if address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ExecutorError(f"Ray cannot be imported: {error}") from None
    try:
        ray.init(
            address=address,
            num_cpus=workers if address is None else None,
            include_dashboard=False if address is None else None,
            _node_ip_address="127.0.0.1" if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}},
        )
    except Exception as error:
        raise ExecutorError(f"Ray does not start: {' '.join(str(error).split())[:300]}") from None
    try:
        remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS)(work)
        waiting = list(reversed(jobs))
        running: dict[Any, J] = {}
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                job = waiting.pop()
                running[remote.remote(job)] = job
            done, _ = ray.wait(list(running), num_returns=1)
            try:
                result = ray.get(done[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayError as error:
                raise ExecutorError(
                    f"Ray lost {_name(running[done[0]])}: {' '.join(str(error).split())[:300]}"
                ) from None
            del running[done[0]]
            yield result
    finally:
        ray.shutdown()


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
