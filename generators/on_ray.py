"""Shards made on Ray: on one of our own, or on the cluster at an address."""

import dataclasses
import functools
import logging
import math
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from generators.config import Resources
from generators.jobs import ATTEMPTS, ExecutorError, Lost, never, too_long
from generators.watchdog import Limit, trace_of, watched

J = TypeVar("J")
R = TypeVar("R")
_EXCLUDES = [".git", ".venv", "datasets", "__pycache__", "*.h5", "*.parquet"]  # of a folder that Ray sends along
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}
_LOOK_S = 2.0  # without a result, before it is asked whether the head lives
_RECONNECTS_S = "RAY_gcs_rpc_server_reconnect_timeout_s"  # after which Ray ends a driver without its head


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


def run_ray(
    work: Callable[[J], R],
    jobs: Sequence[J],
    *,
    workers: int,
    cluster: Cluster | None = None,
    stop: Callable[[], bool] = never,
    limit: Limit | None = None,
) -> Iterator[R | Lost]:
    """Run the jobs as Ray tasks, on a Ray of our own or on the one at an address.

    Raises:
        ExecutorError: Ray cannot be started or reached, or loses its head, or an address is not this machine's and no
            token is set.
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
            done = _next(ray, list(running))
            yield _taken(ray, done, running.pop(done), limit)
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


def _next(ray: Any, running: Sequence[Any]) -> Any:  # noqa: ANN401 - a module without types
    """Wait for the next job that is done.

    Raises:
        ExecutorError: the head does not answer for half as long as Ray itself would wait for it before it ends us.
    """
    patience = 0.5 * float(os.environ.get(_RECONNECTS_S, "60"))
    heard = time.monotonic()
    while True:
        done, _ = ray.wait(running, num_returns=1, timeout=_LOOK_S)
        if done:
            return done[0]
        head = str(ray.get_runtime_context().gcs_address)
        if _answers(head):
            heard = time.monotonic()
        elif time.monotonic() - heard > patience:
            raise ExecutorError(
                f"Ray's head at {head} has not answered for {patience:g} s: it is lost with what it ran"
            )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_LOOK_S):
            return True
    except OSError:
        return False


def _taken(ray: Any, done: Any, job: object, limit: Limit | None) -> Any:  # noqa: ANN401 - a module without types
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        why = f"Ray gave it up after {ATTEMPTS} attempts: {' '.join(str(error).split())[:300]}"
        if limit is not None and trace_of(job) is None:  # the worker was on another machine
            why += f"; or it took longer than {limit.seconds:g} s"
        return Lost(job, too_long(job, limit) or why)


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
