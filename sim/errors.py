"""What can go wrong, one tree; each error says what was given, what was expected and the nearest right name."""

import difflib
import re
from collections.abc import Iterable


class GenbaError(Exception):
    """The root of every error that genba raises on purpose."""


class UnknownNameError(GenbaError, LookupError):
    """A name that does not exist, with the nearest one that does."""


class ParameterError(GenbaError, ValueError):
    """A distribution or parameter value that cannot be used."""


class TaskError(GenbaError, ValueError):
    """A task class that breaks the contract of `sim.task.Task`."""


class ActionError(GenbaError, ValueError):
    """An action of the wrong shape, or one that is not finite."""


class RenderError(GenbaError, TypeError):
    """A picture that cannot be had. A TypeError, by which clients that ask for pictures first go on without."""


class MissingExtraError(GenbaError, ImportError):
    """A package that genba does without until it is asked for, and that is not installed."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name comes closest: "; did you mean 'x'?", else "; known: a, b"."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}" if names else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error for a name of some kind that is not among the known ones."""
    return UnknownNameError(f"no {kind} {name!r}{nearest(name, known)}")


def describe_error(error: Exception) -> str:
    """Say what was raised in one line that is the same in every run: no addresses, no line breaks."""
    text = " ".join(str(error).split())
    return re.sub(r"0x[0-9a-fA-F]+", "0x...", f"{type(error).__name__}: {text}" if text else type(error).__name__)
