"""Yield: the share of successes, by parameter, with what chance alone would do to it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generators.intervals import CONFIDENCE, wilson

Array = NDArray[Any]

MAX_WORDS = 12  # values of a parameter that are told apart
_MOST_BINS, _PER_BIN = 8, 6


class Bin(NamedTuple):
    """The episodes whose parameter lies in a range.

    Attributes:
        label: the range, or the word.
        low: where it begins; NaN of a word.
        high: where it ends.
        total: number of episodes.
        counts: ending -> number of episodes; "success" is one of them.
    """

    label: str
    low: float
    high: float
    total: int
    counts: Mapping[str, int]

    @property
    def share(self) -> float:
        """The yield."""
        return self.counts.get("success", 0) / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the yield of endless episodes lies."""
        return wilson(self.counts.get("success", 0), self.total)


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """What a parameter does to the yield.

    Attributes:
        name: the parameter's.
        bins: of about as many episodes each.
        strength: Cramer's V between bin and success, less what chance gives on average: 0 for none, 1 for all.
        clear: whether chance would do as much in fewer than one dataset in twenty, for any of the parameters.
    """

    name: str
    bins: tuple[Bin, ...]
    strength: float
    clear: bool

    @property
    def best(self) -> Bin:
        """Where the yield is highest."""
        return max(self.bins, key=lambda b: b.share)

    @property
    def worst(self) -> Bin:
        """Where it is lowest."""
        return min(self.bins, key=lambda b: b.share)


def effects(parameters: Mapping[str, Array], endings: Array) -> list[Effect]:
    """Measure what each parameter does to the yield.

    Args:
        parameters: name -> (n,) numbers or words; those that never change tell nothing and are left out.
        endings: (n,) how each episode ended, "success" or another word.

    Returns:
        The strongest effect first.
    """
    binned = {name: bins_of(values, endings) for name, values in parameters.items()}
    several = {name: bins for name, bins in binned.items() if len(bins) > 1}
    out: list[Effect] = []
    for name, bins in several.items():
        measured, chance = _chi_square(bins), len(bins) - 1
        strength = math.sqrt(max(0.0, measured - chance) / len(endings))
        out.append(Effect(name, bins, strength, measured > _quantile(1 - (1 - CONFIDENCE) / len(several), chance)))
    return sorted(out, key=lambda e: (not e.clear, -e.strength, e.name))


def bins_of(values: Array, endings: Array) -> tuple[Bin, ...]:
    """Sort episodes by a parameter; () where it never changes or has too many words."""
    if values.dtype.kind not in "fiu":
        words = values.astype(str)
        known = sorted(set(words.tolist()))
        if not 1 < len(known) <= MAX_WORDS:
            return ()
        return tuple(_bin(w, math.nan, math.nan, endings[words == w]) for w in known)
    good = np.isfinite(values.astype(float))
    values, endings = values[good].astype(float), endings[good]
    distinct = np.unique(values)
    if len(distinct) < 2:
        return ()
    if len(distinct) <= _MOST_BINS // 2:
        return tuple(_bin(f"{v:g}", v, v, endings[values == v]) for v in distinct.tolist())
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bin_count(len(values)) + 1)))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    found = [
        _bin(f"{low:.3g} … {high:.3g}", low, high, endings[place == k])
        for k, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    ]
    return tuple(b for b in found if b.total)


def bin_count(total: int) -> int:
    """Return how many bins so many episodes are worth."""
    return max(2, min(_MOST_BINS, round(math.sqrt(total) / 1.6), total // _PER_BIN))


def count(endings: Array) -> dict[str, int]:
    """Return how often each word occurs, "success" first, then the most frequent."""
    words, numbers = np.unique(endings.astype(str), return_counts=True)
    pairs = zip(words.tolist(), numbers.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda p: (p[0] != "success", -p[1], p[0])))


def _bin(label: str, low: float, high: float, endings: Array) -> Bin:
    return Bin(label, low, high, len(endings), count(endings))


def _chi_square(bins: Sequence[Bin]) -> float:
    total = sum(b.total for b in bins)
    share = sum(b.counts.get("success", 0) for b in bins) / total
    if share in (0.0, 1.0):
        return 0.0
    return sum(b.total * (b.share - share) ** 2 for b in bins) / (share * (1 - share))


def _quantile(level: float, freedom: int) -> float:
    """Return a quantile of chi square (Wilson and Hilferty 1931, Proc. Natl. Acad. Sci. 17:684)."""
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(level) * math.sqrt(spread)) ** 3
