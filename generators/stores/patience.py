"""How long a store is waited for that does not answer, and what is said when it was waited for in vain."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from generators.config import ConfigError
from sim.errors import GenbaError

R = TypeVar("R")
PATIENCE_S = 20.0  # waited in all between attempts; each protocol has attempts of its own inside of one
PATIENCE = "GENBA_STORE_PATIENCE_S"  # the variable for another
_WAITS_S = (1.0, 4.0, 15.0, 60.0)  # the last again and again


class StoreError(GenbaError, OSError):
    """A URL that cannot be used, or a store that cannot be reached, read or written."""

    exit_code = 3


def waits() -> Iterator[float]:
    """Yield how long to wait after each attempt that failed, s.

    Raises:
        ConfigError: the environment says something else than seconds.
    """
    text = os.environ.get(PATIENCE, f"{PATIENCE_S}")
    try:
        left = float(text)
    except ValueError:
        left = -1.0
    if not 0.0 <= left < float("inf"):
        raise ConfigError(f"{PATIENCE} takes seconds, 0 or more, got {text!r:.40}")
    for number in itertools.count():
        wait = min(left, _WAITS_S[min(number, len(_WAITS_S) - 1)])
        if wait <= 0.0:
            return
        yield wait
        left -= wait


def patiently(work: Callable[[], R]) -> R:
    """Run something that a network may disturb, and again after a while."""
    for wait in waits():
        try:
            return work()
        except (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, GenbaError):
            raise
        except Exception as error:
            if "condition" in str(error).lower():
                raise
            time.sleep(wait)
    return work()


@contextlib.contextmanager
def reaching(url: str, done: str) -> Generator[None]:
    """Say in one sentence that a store failed; an object that is not there is no failure."""
    try:
        yield
    except (GenbaError, FileNotFoundError):
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise StoreError(f"{url} cannot be {done}: {why}") from None
