"""Closed-form laws that the scenes' physics must meet, measured on the machines' own models.

One module a piece of physics. Each names the tasks it vouches for in `TASKS` and yields `Anchor`s from `measure()`:
what a formula says, what the model does, and how far they may be apart. Inputs of a formula are masses, lengths and
rates of the model, never its results. Tests assert every anchor; a task's page shows them.
"""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import NamedTuple


class Anchor(NamedTuple):
    """One figure that has a formula.

    Attributes:
        name: what is measured, in a few words.
        law: the formula, in plain text.
        source: where the formula, or the tolerance, is from.
        unit: SI unit, "1" for a ratio.
        expected: by the formula.
        measured: by the model.
        low: least that is accepted; -inf for no bound.
        high: greatest that is accepted; inf for no bound.
    """

    name: str
    law: str
    source: str
    unit: str
    expected: float
    measured: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the measured figure is accepted."""
        return self.low <= self.measured <= self.high

    @property
    def used(self) -> float:
        """How much of what is accepted is used up: 0 at the expected figure, 1 at a bound, more beyond it."""
        off = self.measured - self.expected
        room = self.high - self.expected if off > 0 else self.expected - self.low
        if not math.isfinite(off):
            return math.inf
        if not off or not math.isfinite(room):
            return 0.0
        return abs(off) / room if room > 0 else math.inf


class Law(NamedTuple):
    """What several anchors have in common."""

    name: str
    law: str
    source: str
    unit: str

    def near(self, expected: float, measured: float, *, case: str = "", rel: float = 0.0, tol: float = 0.0) -> Anchor:
        """Return the anchor of one case, accepted within rel of the expected figure, or within tol, whichever is wider.

        Args:
            expected: by the formula.
            measured: by the model.
            case: what is special, added to the name.
            rel: share of the expected figure.
            tol: in the unit.
        """
        slack = max(rel * abs(expected), tol)
        return self.within(expected, measured, expected - slack, expected + slack, case=case)

    def within(self, expected: float, measured: float, low: float, high: float, *, case: str = "") -> Anchor:
        """Return the anchor of one case, accepted from low to high."""
        name = f"{self.name}, {case}" if case else self.name
        return Anchor(name, self.law, self.source, self.unit, float(expected), float(measured), float(low), float(high))


def farthest(cases: Iterable[Anchor]) -> Anchor:
    """Return the case that uses up most of what is accepted: if it holds, all do."""
    return max(cases, key=lambda a: (not a.holds, a.used))


def modules() -> tuple[str, ...]:
    """Return the names of the modules that measure, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """Import one of `modules`."""
    return importlib.import_module(f"{__name__}.{name}")


def vouching(task_name: str) -> dict[str, str]:
    """Say what vouches for a task, without measuring it.

    Args:
        task_name: as "steel/crane_coil".

    Returns:
        module -> its docstring's first sentence; empty for a task that nothing vouches for.
    """
    found = {name: load(name) for name in modules()}
    return {n: (inspect.getdoc(m) or "").partition("\n\n")[0] for n, m in found.items() if task_name in m.TASKS}


def measure(task_name: str) -> Iterator[Anchor]:
    """Measure all that vouches for a task, which takes seconds to a minute.

    Args:
        task_name: as "steel/crane_coil"; of a task that nothing vouches for, nothing comes.
    """
    for name in vouching(task_name):
        yield from load(name).measure()
