"""Measures each episode of a shard: how many numbers are not finite or clipped, where its parameters lie.

Runs in the child process that reads the shard; `generators.lints.quality` adds it up.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from generators.lints.values import clipped
from generators.reader import Shard
from sim.distributions import Choice, Distribution, Fixed, LogUniform, from_json
from sim.errors import GenbaError

BINS = 10  # of a parameter's range, equally likely ones of a uniform distribution
_MEASURED = ("obs/", "steps/action", "streams/")


def measured(shard: Shard) -> dict[str, Any]:
    """Measure each episode of a shard; the shard's index has been found to be right.

    Returns:
        numbers: (E, 4) values, those not finite, those of measurements that have bounds, and those clipped; bins:
        parameter -> number of bins, and which each episode is in, -1 for none.
    """
    counts = np.zeros((len(shard), 4), np.int64)
    features: Mapping[str, Any] = shard.attributes["features"]
    for column in shard.paths:
        if not column.startswith(_MEASURED) or column.endswith("/t_ns") or column not in features:
            continue
        values = shard.read(column)
        flat = values.reshape(len(values), -1)
        bounded = "low" in features[column] and column != "steps/action"
        width = flat.shape[1]
        per_row = np.zeros((len(flat) + 1, 4), np.int64)
        per_row[1:, 0], per_row[1:, 1] = width, (~np.isfinite(flat)).sum(axis=1)
        if bounded:
            per_row[1:, 2], per_row[1:, 3] = width, clipped(flat, features[column]).sum(axis=1)
        total = per_row.cumsum(axis=0)
        spans = np.array([shard.span(column, row) for row in range(len(shard))], np.int64).reshape(-1, 2)
        counts += total[spans[:, 1]] - total[spans[:, 0]]
    return {"numbers": counts.tolist(), "bins": dict(_bins(shard, name, p) for name, p in _parameters(shard))}


def _parameters(shard: Shard) -> list[tuple[str, Distribution]]:
    out: list[tuple[str, Distribution]] = []
    for name, path in shard.under("episodes/params/").items():
        try:
            out.append((name, from_json(json.loads(shard.facts(path)["distribution"]))))
        except (KeyError, ValueError, TypeError, GenbaError):
            continue  # which is a finding
    return out


def _bins(shard: Shard, name: str, distribution: Distribution) -> tuple[str, dict[str, Any]]:
    values = shard.index(f"params/{name}").tolist()
    if isinstance(distribution, Fixed | Choice):
        kinds = list(distribution.values) if isinstance(distribution, Choice) else [distribution.value]
        return name, {"of": len(kinds), "at": [kinds.index(v) if v in kinds else -1 for v in values]}
    low, high = distribution.support
    if low == high:
        return name, {"of": 1, "at": [0 if v == low else -1 for v in values]}
    scale = np.log if isinstance(distribution, LogUniform) else np.asarray
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (scale(np.array(values)) - scale(low)) / (scale(high) - scale(low))
    at = np.where((share >= 0) & (share <= 1), np.minimum(share * BINS, BINS - 1), -1)
    return name, {"of": BINS, "at": np.nan_to_num(at, nan=-1).astype(int).tolist()}
