"""Finds observations that are shifted by a control step against the states and telemetry of the same episode.

An observation is often a number that is also recorded elsewhere, to the bit: a channel's latest sample, a signal, a
number of the state, the last action. Where such a twin is found, row t of both must agree. Where no twin agrees at t,
but one does at t - 1 or t + 1, the observations are off by one. A channel with latency has a twin too: its own
samples. What has no twin is left to replay, as are actions that nothing reports.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import Shard

Array = NDArray[Any]
Found = Iterator[tuple[str, str, str]]

_SEARCHED = 4  # episodes in which twins are looked for
_CHANGES = 5  # of a number in an episode: fewer tell nothing
_LAGS = (0, -1, 1)  # observation row t + lag goes with row t of the twin


def findings(shard: Shard) -> Found:
    """Compare every observation with its twins in every episode."""
    names = list(shard.under("obs/").values())
    rows = [row for row, n in enumerate(shard.index("length").tolist()) if n > 2 * _CHANGES]
    if not names or not rows:
        return
    votes: dict[tuple[str, int], dict[tuple[int, int], int]] = {}  # number -> (twin, lag) -> episodes that agree
    for row in rows[:_SEARCHED]:
        sources = _sources(shard, row)
        for name in names:
            for i, found in _twins(shard, row, name, sources):
                tally = votes.setdefault((name, i), {})
                for match in found:
                    tally[match] = tally.get(match, 0) + 1
    at_zero = {key: [s for s, lag in v if lag == 0] for key, v in votes.items()}
    shifted: dict[str, list[tuple[int, int]]] = {}
    twins = {key: at_zero[key] or sorted({s for s, _ in votes[key]}) for key in votes}
    for row in rows:
        sources = _sources(shard, row)
        for name in names:
            wanted = {i: t for (n, i), t in twins.items() if n == name}
            if wanted and (lag := _lag(shard, row, name, sources, wanted)):
                shifted.setdefault(name, []).append((int(shard.index("episode_id")[row]), lag))
    for name, found in shifted.items():
        first, lag = found[0]
        side = "after" if lag < 0 else "before"
        message = f"{len(found)} episodes show what belongs to the control step {side}, the first is {first}"
        yield "off-by-one", name, message


def _sources(shard: Shard, row: int) -> Array:
    """Return everything else that is recorded of an episode at each control step (T + 1, n) float32.

    Rows between those of a state that is kept at a stride are NaN.
    """
    length = int(shard.index("length")[row])
    control_ns = int(shard.attributes["substeps"]) * round(float(shard.attributes["timestep_s"]) * 1e9)
    now = np.arange(length + 1) * control_ns
    state = shard.rows("state/control", row)
    spread = np.full((length + 1, state.shape[1]), np.nan, np.float32)
    with np.errstate(over="ignore"):
        spread[:: shard.control_stride] = state
    acted = shard.rows("steps/action", row)
    parts = [spread, np.concatenate([np.full((1, acted.shape[1]), np.nan, np.float32), acted])]
    for name in sorted({n.rpartition("/")[0] for n in shard.under("streams/")}):
        value, t_ns = (shard.rows(f"streams/{name}/{part}", row) for part in ("value", "t_ns"))
        if len(t_ns) == length + 1 and np.array_equal(t_ns, now):
            at = np.arange(length + 1)  # a signal: told at the same time
        else:  # a channel: the latest sample of the control step that ended
            at = np.clip(np.searchsorted(t_ns, now, "left") - 1, 0, len(t_ns) - 1)
        parts.append(value.reshape(len(value), -1)[at])
    return np.concatenate(parts, axis=1)


def _observed(shard: Shard, row: int, name: str) -> tuple[Array, Array, Array]:
    """Return an episode's rows (T + 1, dim) of an observation, and the bounds of each number."""
    seen = shard.rows(name, row)
    seen = seen.reshape(len(seen), -1)
    feature = shard.attributes["features"][name]
    low = np.array(feature.get("low", [-np.inf] * seen.shape[1]), np.float32)
    high = np.array(feature.get("high", [np.inf] * seen.shape[1]), np.float32)
    return seen, low, high


def _twins(shard: Shard, row: int, name: str, sources: Array) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield each changing number of an observation with the (source, lag) that it agrees with throughout."""
    seen, low, high = _observed(shard, row, name)
    for i in range(seen.shape[1]):
        if np.count_nonzero(np.diff(seen[:, i])) < _CHANGES:
            continue
        found = [
            (int(s), lag) for lag in _LAGS for s in np.flatnonzero(_agrees(seen[:, i], sources, lag, low[i], high[i]))
        ]
        if found:
            yield i, found


def _agrees(seen: Array, sources: Array, lag: int, low: np.float32, high: np.float32) -> NDArray[np.bool_]:
    """Return which sources (T + 1, n) a number (T + 1,) agrees with, the first and last rows aside."""
    inner = np.arange(2, len(seen) - 2)
    there = sources[inner]
    known = ~np.isnan(there)
    with np.errstate(invalid="ignore"):
        equal = np.clip(there, low, high) == seen[inner + lag][:, None]
    return (equal | ~known).all(axis=0) & (known.sum(axis=0) >= _CHANGES)


def _lag(shard: Shard, row: int, name: str, sources: Array, wanted: dict[int, list[int]]) -> int:
    """Return by how many rows an episode's observation is shifted; 0 where it is not, or nobody can say."""
    seen, low, high = _observed(shard, row, name)
    for i, twins in wanted.items():
        if np.count_nonzero(np.diff(seen[:, i])) < _CHANGES:
            continue
        agree = {lag: _agrees(seen[:, i], sources[:, twins], lag, low[i], high[i]).any() for lag in _LAGS}
        if not agree[0] and agree[-1] != agree[1]:
            return -1 if agree[-1] else 1
    return 0
