"""From a pilot to the whole job: what each shard costs, and what all of them cost on this machine."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from generators.forecast.pilot import Pilot
from generators.intervals import wilson
from generators.plan import Plan

RAY_ADDS = 0.01  # s to a shard, from handing it out to its result: `genba bench --ray` measures 5 to 9 ms
RAY_SHARE = 0.02  # of a shard's time that this may be


def shard_costs(plan: Plan, pilots: Sequence[Pilot]) -> tuple[list[float], list[float]]:
    """Return for each shard the seconds that it takes, its episodes drawn from the pilot's, and its bytes."""
    rng = np.random.default_rng(plan.seed)
    by_task = {pilot.task: pilot for pilot in pilots}
    seconds: list[float] = []
    sizes: list[float] = []
    for shard in plan.shards:
        pilot = by_task[shard.task]
        cost = float(rng.choice(pilot.sizes(), shard.count).sum())
        seconds.append(cost * pilot.seconds_each)
        sizes.append(cost * pilot.bytes_each)
    return seconds, sizes


def estimate(plan: Plan, pilots: Sequence[Pilot], workers: int, seconds: Sequence[float]) -> dict[str, Any]:
    """Return what the whole job costs on this machine; intervals are [low, high].

    "ray_share" is what Ray adds to the shards over their own time, and "ray_episodes_per_shard" the least number of
    episodes with which that is `RAY_SHARE` at most.
    """
    core_s = sum(p.episodes * p.seconds_each for p in pilots)
    error = math.sqrt(sum((p.episodes * p.seconds_each * p.error) ** 2 for p in pilots))
    size = sum(p.episodes * p.bytes_each for p in pilots)
    size_error = math.sqrt(sum((p.episodes * p.bytes_each * p.error) ** 2 for p in pilots))
    bounds = [wilson(p.successes, len(p.lengths)) for p in pilots]
    total = sum(p.episodes for p in pilots)
    shares = [sum(p.episodes * b[i] for p, b in zip(pilots, bounds, strict=True)) / total for i in (0, 1)]
    good = sum(p.episodes * p.successes / len(p.lengths) for p in pilots) / total
    at_a_time = max(1, min(workers, len(seconds)))
    longest = max(sum(seconds) / at_a_time, max(seconds)) / sum(seconds)  # of the work, on the busiest worker
    return {
        "episodes": total,
        "workers": workers,
        "hours": core_s * longest / 3600,
        "hours_95": [(core_s - error) * longest / 3600, (core_s + error) * longest / 3600],
        "core_hours": core_s / 3600,
        "core_hours_95": [(core_s - error) / 3600, (core_s + error) / 3600],
        "bytes": size,
        "bytes_95": [size - size_error, size + size_error],
        "files": sum(next(p.files for p in pilots if p.task == s.task) for s in plan.shards) + 5,
        "shards": len(plan.shards),
        "shard_s": float(np.median(seconds)),
        "ray_share": RAY_ADDS * len(seconds) / max(sum(seconds), 1e-9),
        "ray_episodes_per_shard": math.ceil(RAY_ADDS / RAY_SHARE / max(core_s / total, 1e-9)),
        "yield": good,
        "yield_95": shares,
    }
