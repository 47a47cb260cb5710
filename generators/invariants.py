"""What must hold of a shard besides its hash: its index, its values, its times and how its episodes end.

Findings are returned, never raised: what cannot be read is one of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import ColumnError, Shard, open_untrusted
from generators.schema import DERIVED, DatasetError, column_digest, content_digest
from sim.episode import Outcome
from sim.errors import describe_error
from sim.seeds import episode_seed

Array = NDArray[Any]


def check_shard(path: Path, root_seed: int | None) -> dict[str, Any]:
    """Read a shard through and check what must hold of it.

    Args:
        path: the shard.
        root_seed: what its episodes' seeds derive from; None where that is not known.

    Returns:
        findings, (column, message) each; and where it can be read its ids, episodes, steps and content_sha256.
    """
    try:
        with open_untrusted(path) as shard:
            found = list(_index_findings(shard))
            if found:  # what follows would stumble over it
                return {"findings": found}
            digests: dict[str, str] = {}
            for column in shard.paths:
                values = shard.read(column)
                digests[column] = column_digest(column, values)
                found += [(column, message) for message in _column_findings(shard, column, values)]
            found += _step_findings(shard)
            ids = shard.index("episode_id").tolist()
            if root_seed is not None:
                found += _seed_findings(shard, root_seed)
            counts = {"episodes": len(shard), "steps": shard.shape("steps/reward")[0]}
            return {"findings": found, "ids": ids, "content_sha256": content_digest(digests)} | counts
    except ColumnError as error:
        return {"findings": [(error.column, str(error))]}
    except (DatasetError, LookupError, TypeError, ValueError, MemoryError) as error:
        return {"findings": [("", describe_error(error))]}


def _seed_findings(shard: Shard, root_seed: int) -> Iterator[tuple[str, str]]:
    pairs = zip(shard.index("episode_id").tolist(), shard.index("episode_seed").tolist(), strict=True)
    wrong = [number for number, seed in pairs if episode_seed(root_seed, number) != seed]
    if wrong:
        yield "episodes/episode_seed", f"{len(wrong)} seeds are not what their numbers give, the first is {wrong[0]}'s"


def _index_findings(shard: Shard) -> Iterator[tuple[str, str]]:
    """Check that the columns are there, and that the index says where every row belongs."""
    missing = set(shard.attributes["features"]) - set(shard.paths)
    yield from ((column, "it is missing") for column in sorted(missing))
    length = shard.index("length").astype(np.int64)
    rows = np.where(length > 0, 1, 0)
    counts = {
        "step_start": length,
        "obs_start": (length + 1) * rows,
        "control_start": (length // shard.control_stride + 1) * rows,
        "keyframe_start": shard.index("keyframe_count"),
        "model_xml/start": shard.index("model_xml/count"),
    }
    streams = shard.under("episodes/streams/")
    counts |= {f"streams/{n}": shard.index(f"streams/{n[:-5]}count") for n in streams if n.endswith("/start")}
    for name, count in counts.items():
        starts = np.concatenate([[0], np.cumsum(count)])
        if (count < 0).any() or not np.array_equal(shard.index(name), starts[:-1]):
            yield f"episodes/{name}", "the episodes' rows do not follow each other"
    totals = {"step": int(length.sum()), "observation": int(counts["obs_start"].sum())}
    totals |= {"control": int(counts["control_start"].sum()), "keyframe": int(counts["keyframe_start"].sum())}
    for column, feature in shard.attributes["features"].items():
        if column in missing:
            continue
        stream = f"streams/{column.split('/')[1]}/start"
        expected = totals[feature["row"]] if feature["row"] in totals else int(counts[stream].sum())
        if shard.shape(column)[0] != expected:
            yield column, f"it has {shard.shape(column)[0]} rows, the episodes have {expected}"
    for column in shard.under("episodes/").values():
        if column != "episodes/model_xml/value" and shard.shape(column) != (len(shard),):
            yield column, f"its shape is {shard.shape(column)}, there are {len(shard)} episodes"
    said = (int(shard.attributes["n_episodes"]), int(shard.attributes["n_steps"]))
    if said != (len(shard), totals["step"]):
        yield "", f"the root says {said} episodes and steps, there are {(len(shard), totals['step'])}"


def _column_findings(shard: Shard, column: str, values: Array) -> Iterator[str]:
    """Check one column's values: finite, inside their codes, increasing in time at their rate."""
    if values.dtype.kind == "f" and not column.startswith(DERIVED) and not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0])
        yield f"row {first} is not finite"
    names = shard.attributes
    ranges = {
        "episodes/outcome": (0, len(Outcome) - 1),
        "episodes/fail_code": (0, len(names["failures"])),
        "episodes/expert_mode": (0, len(names["degradations"])),
        "steps/phase": (-1, len(names["phases"]) - 1),
    }
    if column in ranges and values.size:
        low, high = ranges[column]
        if values.min() < low or values.max() > high:
            yield f"values are {values.min()} to {values.max()}, expected {low} to {high}"
    if column.endswith("/t_ns") and len(values):
        start = "step_start" if column == "steps/t_ns" else f"{column.removesuffix('/t_ns')}/start"
        yield from _time_findings(values, shard.index(start), names["features"][column]["rate_hz"])


def _time_findings(t_ns: Array, starts: Array, rate_hz: float) -> Iterator[str]:
    inside = np.ones(len(t_ns), bool)
    inside[starts[starts < len(t_ns)]] = False  # the first of an episode comes after nothing
    if (t_ns[~inside] < 0).any():
        yield "an episode's first time is negative"
    apart = np.diff(t_ns)[inside[1:]]
    period = 1e9 / rate_hz
    if (apart <= 0).any():
        yield "time does not increase"
    elif (np.abs(apart - period) > 1 + 1e-6 * period).any():
        yield f"samples are {apart.min()} to {apart.max()} ns apart, {rate_hz:g} Hz makes {period:g} ns"


def _step_findings(shard: Shard) -> Iterator[tuple[str, str]]:
    """Check how episodes end: flags on their last rows only, as the outcome says, and the sum of the rewards."""
    length, starts = shard.index("length").astype(np.int64), shard.index("step_start")
    some = length > 0
    last = (starts + length - 1)[some]
    failed = ((shard.index("outcome") == Outcome.FAILURE) & (shard.index("fail_code") > 0))[some]
    for name, expected in (("terminated", failed), ("truncated", ~failed)):
        flags = shard.read(f"steps/{name}")
        if not np.array_equal(flags[last], expected) or np.count_nonzero(flags) != np.count_nonzero(expected):
            yield f"steps/{name}", "flags are not on the last rows, as the outcomes say"
    succeeded = (shard.index("outcome") == Outcome.SUCCESS)[some]
    if not shard.read("steps/success")[last][succeeded].all():
        yield "steps/success", "an episode's outcome is success, its last step is none"
    rewards = shard.read("steps/reward").astype(np.float64)
    sums = np.zeros(len(length))
    sums[some] = np.add.reduceat(rewards, starts[some]) if some.any() else 0.0
    if not np.allclose(sums, shard.index("return"), rtol=1e-9, atol=1e-9):  # float64 sums in another order
        yield "episodes/return", "it is not the sum of the rewards"
