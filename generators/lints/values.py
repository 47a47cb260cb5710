"""The numbers of a shard's columns: their bounds, sensors that hang or clip, actions that do nothing, twins.

Limits that are matters of taste are warnings. A value of 0 at a bound of 0 is rest, not clipping.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import Shard
from generators.schema import DERIVED
from generators.stats import Stats, summarize

Array = NDArray[Any]
Found = Iterator[tuple[str, str]]

CLIPPED = 0.05  # share of values at a bound
SATURATED = 0.5
DROPPED = 0.2  # share of samples that repeat the one before
_REST = 20  # samples: what repeats for longer is at rest
LONG = 10  # control steps
FEW = 16  # distinct values of a bit, a mode or a counter, rather than a measurement
MOVING = 0.9  # share of the long episodes in which a value moves
_WITHIN = 1e-9  # of float64 sums in the same order; statistics are recomputed by the code that made them


def findings(shard: Shard, column: str, values: Array) -> Found:
    """Check one column's numbers; return (lint, message) of what is wrong."""
    if column.startswith(DERIVED):
        yield from _statistics(shard, column, values)
        return
    if not values.size or values.dtype.kind != "f" or not column.startswith(("obs/", "steps/action", "streams/")):
        return
    flat = values.reshape(len(values), -1)
    feature = shard.attributes["features"][column]
    yield from _bounds(column, flat, feature)
    if column == "steps/action":
        yield from _idle(shard, flat)
    else:
        yield from _frozen(shard, column, flat)
    if column.endswith("/value"):
        yield from _dropped(shard, column, flat)


def twins(shard: Shard) -> list[str]:
    """Return a hash of each episode's actions and observations, "" where it has no steps."""
    columns = ["steps/action", *shard.under("obs/").values()]
    read = {c: shard.read(c) for c in columns}
    out: list[str] = []
    for row, length in enumerate(shard.index("length").tolist()):
        digest = hashlib.sha256()
        for column in columns:
            start, stop = shard.span(column, row)
            digest.update(np.ascontiguousarray(read[column][start:stop]).tobytes())
        out.append(digest.hexdigest()[:32] if length else "")
    return out


def clipped(values: Array, feature: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return which values (n, dim) of a measurement are at its bounds; bits and rest at 0 are not counted."""
    out = np.zeros(values.shape, bool)
    for i, (low, high) in enumerate(_pairs(feature, values.shape[1])):
        column = values[:, i]
        if low == high or (len(np.unique(column[:4096])) <= FEW and len(np.unique(column)) <= FEW):
            continue
        for bound in (low, high):
            out[:, i] |= (column == bound) & (bound != 0)
    return out


def _pairs(feature: Mapping[str, Any], dim: int) -> list[tuple[np.float32, np.float32]]:
    """Return the bounds of each of a column's numbers, infinite where there are none."""
    ends = [
        [np.float32(sign * np.inf if b is None else b) for b in feature.get(name, [None] * dim)]
        for name, sign in (("low", -1), ("high", 1))
    ]
    return list(zip(*ends, strict=True))


def _bounds(column: str, values: Array, feature: Mapping[str, Any]) -> Found:
    low, high = np.array(_pairs(feature, values.shape[1])).T
    outside = (values < low) | (values > high)
    if outside.any():
        row, i = np.argwhere(outside)[0].tolist()
        lint = "action-out-of-bounds" if column == "steps/action" else "observation-out-of-bounds"
        yield lint, f"row {row} is {values[row, i]:g}, expected {low[i]:g} to {high[i]:g}"
    share = clipped(values, feature).mean(axis=0)
    limit, lint = (SATURATED, "saturated-action") if column == "steps/action" else (CLIPPED, "clipped-channel")
    if (share > limit).any():
        i = int(share.argmax())
        yield (
            lint,
            f"{share[i]:.0%} of number {i} is at its bounds {low[i]:g} and {high[i]:g}, at most {limit:.0%} is usual",
        )


def _idle(shard: Shard, actions: Array) -> Found:
    idle = [row for row, part in _episodes(shard, "steps/action", actions) if len(part) > LONG and not part.any()]
    if idle:
        first = int(shard.index("episode_id")[idle[0]])
        yield "all-zero-actions", f"{len(idle)} episodes have nothing but zeros, the first is {first}"


def _frozen(shard: Shard, column: str, values: Array) -> Found:
    """Find measurements that move in most long episodes and stand still in another."""
    measured = np.array([len(np.unique(values[:, i])) > FEW for i in range(values.shape[1])])
    long = [(row, part) for row, part in _episodes(shard, column, values) if shard.index("length")[row] > LONG]
    if not measured.any() or len(long) < 4:  # of fewer nobody can say what is usual
        return
    moves = np.array([(part != part[:1]).any(axis=0) for _, part in long])
    usual = measured & (moves.mean(axis=0) >= min(MOVING, 1 - 1 / len(long)))
    still = np.flatnonzero((~moves & usual).any(axis=1))
    if len(still):
        first = int(shard.index("episode_id")[long[still[0]][0]])
        yield (
            "frozen-observation",
            f"it stands still in {len(still)} of {len(long)} long episodes, the first is {first}",
        )


def _dropped(shard: Shard, column: str, values: Array) -> Found:
    """Find noisy streams in which many samples repeat the one before; long rests and coarse steps are left alone."""
    start = shard.index(f"{column.removesuffix('/value')}/start")
    inside = np.ones(len(values), bool)
    inside[start[start < len(values)]] = False
    for i in range(values.shape[1]):
        change = np.diff(values[:, i])[inside[1:]]
        moved = np.flatnonzero(change)
        if len(moved) < LONG or not _noisy(change[moved]):
            continue
        waits = np.diff(moved) - 1
        if (share := float(waits[waits <= _REST].sum()) / len(change)) > DROPPED:
            yield "dropout-rate", f"{share:.0%} of its samples repeat the one before, at most {DROPPED:.0%} is usual"
            return


def _noisy(change: Array) -> bool:
    """Return whether changes go up and down like noise, in no visible steps."""
    size = np.abs(change)
    stepped = np.median(size) < 50 * size.min() and np.mean(np.abs(size / size.min() % 1 - 0.5) > 0.45) > MOVING
    return not stepped and float(np.mean(np.sign(change[1:]) != np.sign(change[:-1]))) > 0.4


def _episodes(shard: Shard, column: str, values: Array) -> Iterator[tuple[int, Array]]:
    for row in range(len(shard)):
        start, stop = shard.span(column, row)
        if stop > start:
            yield row, values[start:stop]


def _statistics(shard: Shard, column: str, values: Array) -> Found:
    """Compare a shard's own statistics of a column with its values."""
    found = summarize(shard.read(column.removeprefix(DERIVED))).rows()
    if values.shape != found.shape:
        yield "stats-differ", f"its shape is {values.shape}, expected {found.shape}"
    elif not same(values, found, Stats.from_rows(found)):
        yield "stats-differ", "the statistics are not those of the column's values"


def same(values: Array, expected: Array, scale: Stats) -> bool:
    """Return whether rows of statistics (rows, dim) are the same within 1e-9 of the values' own size."""
    size = np.maximum(np.nan_to_num(np.fmax(np.abs(scale.minimum), np.abs(scale.maximum))), 1e-30)
    within = np.broadcast_to(_WITHIN * size, expected.shape).copy()
    within[:2] = 0  # counts
    rounding = 1e-14 * size * np.sqrt(scale.count * np.maximum(scale.m2, 0)) + scale.count * (1e-15 * size) ** 2
    within[3] = _WITHIN * scale.m2 + rounding
    with np.errstate(invalid="ignore"):
        close = np.abs(values - expected) <= within
    return bool((close | (np.isnan(values) & np.isnan(expected))).all())
