"""What all executors share: how often a job may be tried, and how one is given up."""

import dataclasses
from typing import Any

from generators.watchdog import Limit, trace_of
from sim.errors import GenbaError

ATTEMPTS = 3  # times that a job may take its worker process down with it


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


def never() -> bool:
    """Return no, for ever."""
    return False


def too_long(job: object, limit: Limit | None) -> str:
    """Say that a job took longer than it may, if that was why its last worker died, else nothing."""
    where = None if limit is None else trace_of(job)
    if limit is None or not where:
        return ""
    times = f"{ATTEMPTS} times it took longer than {limit.seconds:g} s"
    return f"{times}, the last time {where}; give --time-limit-s more if it is only slow"
