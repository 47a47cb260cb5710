"""Statistics of columns that merge: each shard keeps its own in /stats, and the dataset's are the sum of them.

Means and variances are float64 and exact to rounding: pairwise sums inside a block, Chan's formula between blocks and
shards. Quantiles are approximate: of at most 65,536 evenly spaced rows of a shard, averaged over shards by count.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUANTILES = np.linspace(0.0, 1.0, 33)
ROWS = ("count", "not_finite", "mean", "m2", "min", "max", *(f"q{i:02d}" for i in range(len(QUANTILES))))
_BLOCK = 1 << 15  # rows summed pairwise at a time; bounds memory
_QUANTILE_ROWS = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class Stats:
    """Statistics of each of a column's numbers, over its finite values.

    Attributes:
        count: (dim,) finite values.
        not_finite: (dim,) values left out.
        mean: (dim,).
        m2: (dim,) sum of squared deviations from the mean.
        minimum: (dim,) NaN where there is no value.
        maximum: (dim,) NaN where there is no value.
        quantiles: (33, dim) at `QUANTILES`, approximate; NaN where there is no value.
    """

    count: Floats
    not_finite: Floats
    mean: Floats
    m2: Floats
    minimum: Floats
    maximum: Floats
    quantiles: Floats

    @property
    def std(self) -> Floats:
        """Standard deviation (dim,) of the population; 0 where there is no value."""
        return np.sqrt(self.m2 / np.maximum(self.count, 1))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Where all values are the same (dim,): dividing by the deviation there would be wrong."""
        return (self.m2 == 0) | (self.minimum == self.maximum)

    def rows(self) -> Floats:
        """Return everything as one array (len(ROWS), dim), as stored."""
        first = (self.count, self.not_finite, self.mean, self.m2, self.minimum, self.maximum)
        return np.concatenate([np.array(first).reshape(6, -1), self.quantiles])

    @classmethod
    def from_rows(cls, rows: Floats) -> Self:
        """Make statistics from `rows`."""
        count, not_finite, mean, m2, low, high = rows[:6]
        return cls(count, not_finite, mean, m2, low, high, rows[6:])


def summarize(values: NDArray[Any]) -> Stats:
    """Compute the statistics of a column (n, ...)."""
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    blocks = [_moments(flat[i : i + _BLOCK]) for i in range(0, len(flat), _BLOCK)] or [_moments(flat)]
    total = functools.reduce(merge, blocks)
    step = -(-len(flat) // _QUANTILE_ROWS) or 1
    return dataclasses.replace(total, quantiles=_quantiles(flat[::step], complete=not total.not_finite.any()))


def merge(a: Stats, b: Stats) -> Stats:
    """Return the statistics of two disjoint sets of rows together."""
    count = a.count + b.count
    share = b.count / np.maximum(count, 1)
    delta = b.mean - a.mean
    with np.errstate(invalid="ignore"):
        quantiles = np.where(a.count == 0, b.quantiles, a.quantiles * (1 - share) + b.quantiles * share)
    return Stats(
        count=count,
        not_finite=a.not_finite + b.not_finite,
        mean=a.mean + delta * share,
        m2=a.m2 + b.m2 + delta**2 * a.count * share,
        minimum=np.fmin(a.minimum, b.minimum),
        maximum=np.fmax(a.maximum, b.maximum),
        quantiles=np.where(b.count == 0, a.quantiles, quantiles),
    )


def merge_all(parts: Iterable[Stats]) -> Stats:
    """Merge the statistics of any number of shards, in the order given; there must be at least one."""
    return functools.reduce(merge, parts)


def to_json(stats: Stats) -> dict[str, Any]:
    """Return statistics as plain data; null stands for "no value"."""
    named = {"count": stats.count.astype(int), "not_finite": stats.not_finite.astype(int)}
    named |= {"mean": stats.mean, "std": stats.std, "min": stats.minimum, "max": stats.maximum}
    out: dict[str, Any] = {name: _plain(value) for name, value in named.items()}
    at = [f"{q:g}" for q in QUANTILES]
    quantiles = {q: _plain(row) for q, row in zip(at, stats.quantiles, strict=True)}
    return out | {"m2": _plain(stats.m2), "constant": stats.constant.tolist(), "quantiles_approximate": quantiles}


def from_json(data: Mapping[str, Any]) -> Stats:
    """Make statistics from `to_json`'s plain data.

    Raises:
        KeyError: something is missing.
        TypeError: something is no list of numbers.
        ValueError: the lists are not of one length.
    """
    named = (data[name] for name in ("count", "not_finite", "mean", "m2", "min", "max"))
    quantiles = (data["quantiles_approximate"][f"{q:g}"] for q in QUANTILES)
    rows = [[np.nan if value is None else float(value) for value in row] for row in (*named, *quantiles)]
    return Stats.from_rows(np.array(rows, np.float64))


def _plain(values: NDArray[Any]) -> list[Any]:
    return [v if np.isfinite(v) else None for v in values.tolist()]


def _moments(block: NDArray[Any]) -> Stats:
    """Compute all but the quantiles of some rows, each number's values side by side so that sums are pairwise."""
    values = np.ascontiguousarray(block.T, np.float64)
    dim, n = values.shape
    none = np.full((len(QUANTILES), dim), np.nan)
    zero, nan = np.zeros(dim), np.full(dim, np.nan)
    if not n:
        return Stats(zero, zero, zero, zero, nan, nan, none)
    with np.errstate(invalid="ignore"):
        mean = values.mean(axis=-1)
    if np.isfinite(mean).all():
        deviation = values - mean[:, None]
        deviation *= deviation
        low, high = values.min(axis=-1), values.max(axis=-1)
        return Stats(zero + n, zero, mean, deviation.sum(axis=-1), low, high, none)
    good = np.isfinite(values)
    count = good.sum(axis=-1).astype(float)
    mean = np.where(good, values, 0.0).sum(axis=-1) / np.maximum(count, 1)
    m2 = (np.where(good, values, mean[:, None]) - mean[:, None]) ** 2
    low = np.where(count > 0, np.where(good, values, np.inf).min(axis=-1), np.nan)
    high = np.where(count > 0, np.where(good, values, -np.inf).max(axis=-1), np.nan)
    return Stats(count, n - count, mean, m2.sum(axis=-1), low, high, none)


def _quantiles(rows: NDArray[Any], *, complete: bool) -> Floats:
    """Return (33, dim) quantiles by linear interpolation between order statistics."""
    if complete:
        if not len(rows):
            return np.full((len(QUANTILES), rows.shape[1]), np.nan)
        return _interpolate(np.sort(np.ascontiguousarray(rows.T), axis=-1))
    found = [_quantiles(c[np.isfinite(c)][:, None], complete=True) for c in rows.T]
    return np.concatenate(found, axis=1)


def _interpolate(ordered: NDArray[Any]) -> Floats:
    last = ordered.shape[-1] - 1
    place = QUANTILES * last
    below = np.floor(place).astype(int)
    low = ordered[:, below].astype(np.float64)
    high = ordered[:, np.minimum(below + 1, last)].astype(np.float64)
    return (low + (high - low) * (place - below)).T
