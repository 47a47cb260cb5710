"""What was drawn of a parameter against the distribution that was asked for."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.report.yields import MAX_WORDS
from sim.distributions import Choice, Distribution, Fixed, LogUniform, Normal, Uniform

Array = NDArray[Any]

_BINS = 16
_CHANCE = 0.01  # of any parameter of a dataset to be called off where all are right


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """A parameter as its shards declare it.

    Attributes:
        unit: SI unit.
        doc: what it is and where its range is from.
        mixture: (share of the episodes, the distribution that they were drawn from); none where nothing was declared.
    """

    unit: str
    doc: str
    mixture: tuple[tuple[float, Distribution], ...]

    @property
    def log(self) -> bool:
        """Whether it is best shown on a logarithmic scale."""
        return bool(self.mixture) and all(isinstance(d, LogUniform) and d.high > 3 * d.low for _, d in self.mixture)

    @property
    def fixed(self) -> bool:
        """Whether nothing was to be drawn."""
        return len({d for _, d in self.mixture}) == 1 and isinstance(self.mixture[0][1], Fixed)


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """A histogram of what was drawn and of what was to be expected.

    Attributes:
        name: the parameter's.
        declared: how it was asked for.
        edges: (bins + 1,) of numbers; empty of words.
        labels: of words; empty of numbers.
        counts: (bins,) episodes.
        expected: (bins,) episodes; empty where nothing was declared.
        off: whether the two differ by more than chance does to any parameter in one dataset of a hundred.
    """

    name: str
    declared: Declared
    edges: Array
    labels: tuple[str, ...]
    counts: Array
    expected: Array
    off: bool


def compare(name: str, values: Array, declared: Declared, among: int = 1) -> Drawn | None:
    """Compare what was drawn with what was asked; None where nothing was drawn at all.

    Args:
        name: the parameter's.
        values: (n,) numbers or words.
        declared: how it was asked for.
        among: how many parameters are compared.
    """
    # of Kolmogorov and Smirnov, times sqrt(n) (Smirnov 1948, Ann. Math. Stat. 19:279)
    limit = math.sqrt(-0.5 * math.log(_CHANCE / among / 2))
    if values.dtype.kind not in "fiu":
        return _words(name, values.astype(str), declared, limit)
    values = values.astype(float)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    edges = _edges(values, declared)
    counts, _ = np.histogram(values, edges)
    expected = len(values) * np.diff(cumulative(declared.mixture, edges)) if declared.mixture else np.zeros(0)
    return Drawn(
        name, declared, edges, (), counts, expected, bool(declared.mixture) and _distance(values, declared) > limit
    )


def cumulative(mixture: Sequence[tuple[float, Distribution]], at: Array) -> Array:
    """Return the share that lies at or below some numbers (n,)."""
    return np.sum([share * _cumulative(d, at) for share, d in mixture], axis=0)


def _cumulative(d: Distribution, at: Array) -> Array:
    if isinstance(d, Choice | Fixed):
        values = np.array(d.values if isinstance(d, Choice) else (d.value,))
        if values.dtype.kind not in "fiu":
            return np.zeros(len(at))
        return (values[None] <= at[:, None]).mean(axis=1)
    if d.high <= d.low:
        return (at >= d.low).astype(float)
    inside = np.clip(at, d.low, d.high)
    if isinstance(d, Normal):
        return _cut_bell(d, inside)
    if isinstance(d, Uniform):
        return (inside - d.low) / (d.high - d.low)
    return np.log(inside / d.low) / math.log(d.high / d.low)


def _cut_bell(d: Normal, at: Array) -> Array:
    if d.std == 0:
        return (at >= d.mean).astype(float)
    below, low, high = (
        np.array([0.5 * math.erfc((d.mean - x) / (d.std * math.sqrt(2))) for x in several])
        for several in (at.tolist(), [d.low], [d.high])
    )
    return np.clip((below - low) / max(1e-300, float((high - low)[0])), 0.0, 1.0)


def _edges(values: Array, declared: Declared) -> Array:
    supports = [d.support for _, d in declared.mixture if not isinstance(d.nominal, str)]
    ends = [*values[[values.argmin(), values.argmax()]].tolist(), *(float(end) for pair in supports for end in pair)]
    low, high = min(ends), max(ends)
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    choices = sorted({float(v) for _, d in declared.mixture if isinstance(d, Choice) for v in d.values})
    if choices and len(choices) <= MAX_WORDS and set(values.tolist()) <= set(choices):
        middles = (np.array(choices[1:]) + np.array(choices[:-1])) / 2
        reach = float(np.diff(choices).min()) / 2 if len(choices) > 1 else 0.5
        return np.array([choices[0] - reach, *middles.tolist(), choices[-1] + reach])
    bins = max(4, min(_BINS, round(1.3 * math.sqrt(len(values)))))
    return np.geomspace(low, high, bins + 1) if declared.log and low > 0 else np.linspace(low, high, bins + 1)


def _words(name: str, values: Array, declared: Declared, limit: float) -> Drawn:
    shares: dict[str, float] = {}
    for share, d in declared.mixture:
        words = d.values if isinstance(d, Choice) else (d.nominal,)
        for word in words:
            shares[str(word)] = shares.get(str(word), 0.0) + share / len(words)
    found: Mapping[str, int] = dict(zip(*(a.tolist() for a in np.unique(values, return_counts=True)), strict=True))
    labels = tuple(sorted({*found, *shares}))[:MAX_WORDS]
    counts = np.array([found.get(w, 0) for w in labels])
    expected = len(values) * np.array([shares.get(w, 0.0) for w in labels]) if shares else np.zeros(0)
    strange = bool(shares) and any(w not in shares for w in found)
    gap = np.abs(np.cumsum(counts - expected)).max() / max(1, len(values)) if shares and len(labels) else 0.0
    return Drawn(name, declared, np.zeros(0), labels, counts, expected, strange or gap * math.sqrt(len(values)) > limit)


def _distance(values: Array, declared: Declared) -> float:
    """Return the greatest gap between both cumulative distributions, times sqrt(n)."""
    ordered = np.sort(values)
    n = len(ordered)
    asked = cumulative(declared.mixture, ordered + 1e-9 * np.abs(ordered))
    above = np.searchsorted(ordered, ordered, side="right") / n - asked
    before = asked - np.searchsorted(ordered, ordered, side="left") / n
    jumps = any(d.support[0] == d.support[1] or isinstance(d, Choice) for _, d in declared.mixture)
    gap = float(np.abs(above).max()) if jumps else float(max(above.max(), before.max()))
    return gap * math.sqrt(n)
