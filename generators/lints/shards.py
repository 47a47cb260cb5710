"""Reads a shard through and lets every lint look at it; runs in a child process (see `generators.sandbox`).

Findings are (lint, column, message), returned, never raised: what cannot be read is one of them.
"""

import collections
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.lints import alignment, columns, endings, facts, measures, values
from generators.reader import ColumnError, Shard, open_untrusted
from generators.schema import DERIVED, DatasetError, VersionError, column_digest, content_digest
from sim.episode import Outcome
from sim.errors import describe_error

Array = NDArray[Any]
Found = Iterator[tuple[str, str, str]]


def check_shard(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read a shard through and check what must hold of it.

    Args:
        path: the shard.
        known: what dataset.json and the plan say that concerns it: seed (the root's, or None), tasks, dataset_id,
            physics_sha256; what is missing is not compared.

    Returns:
        findings, (lint, column, message) each; and where it can be read content_sha256 and what `_told` returns.
    """
    try:
        with open_untrusted(path) as shard:
            found = [*columns.findings(shard), *_index_findings(shard)]
            if any(lint in ("schema", "rows", "counts") for lint, *_ in found):  # what follows would stumble over it
                return {"findings": found}
            digests: dict[str, str] = {}
            for column in shard.paths:
                read = shard.read(column)
                digests[column] = column_digest(column, read)
                found += [(lint, column, message) for lint, message in _column_findings(shard, column, read)]
                found += [(lint, column, message) for lint, message in values.findings(shard, column, read)]
            found += facts.findings(shard, known)
            if known.get("imported"):  # no horizon is known, and when streams were sampled is not, either
                found += endings.findings(shard, {})
            else:
                found += endings.findings(shard, facts.task_of(shard, known))
                found += alignment.findings(shard)
            return {"findings": found, "content_sha256": content_digest(digests)} | _told(shard)
    except ColumnError as error:
        return {"findings": [("structure", error.column, str(error))]}
    except (DatasetError, LookupError, TypeError, ValueError, MemoryError) as error:
        lint = "version" if isinstance(error, VersionError) else "structure"
        message = str(error) if isinstance(error, VersionError) else describe_error(error)
        return {"findings": [(lint, "", message)]}


def _told(shard: Shard) -> dict[str, Any]:
    """Return what the dataset as a whole is judged by: counts, and of each episode its id, length and ending."""
    words = [o.name.lower() for o in Outcome]
    ended = [words[code] if code < len(words) else "" for code in shard.index("outcome").tolist()]
    return {
        "task": shard.header.task,
        "episodes": len(shard),
        "steps": shard.shape("steps/reward")[0],
        "outcomes": dict(sorted(collections.Counter(ended).items())),
        "ids": shard.index("episode_id").tolist(),
        "lengths": shard.index("length").tolist(),
        "endings": ended,
        "twins": values.twins(shard),
        "quality": measures.measured(shard),
    }


def _index_findings(shard: Shard) -> Found:
    """Check that the index says where every row belongs."""
    features = {c: f for c, f in shard.attributes["features"].items() if c in shard.paths}
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
            yield "rows", f"episodes/{name}", "the episodes' rows do not follow each other"
    totals = {"step": int(length.sum()), "observation": int(counts["obs_start"].sum())}
    totals |= {"control": int(counts["control_start"].sum()), "keyframe": int(counts["keyframe_start"].sum())}
    for column, feature in features.items():
        stream = f"streams/{column.split('/')[1]}/start"
        expected = totals[feature["row"]] if feature["row"] in totals else int(counts[stream].sum())
        if shard.shape(column)[0] != expected:
            yield "rows", column, f"it has {shard.shape(column)[0]} rows, the episodes have {expected}"
    for column in shard.under("episodes/").values():
        if column != "episodes/model_xml/value" and shard.shape(column) != (len(shard),):
            yield "rows", column, f"its shape is {shard.shape(column)}, there are {len(shard)} episodes"
    said = (int(shard.attributes["n_episodes"]), int(shard.attributes["n_steps"]))
    if said != (len(shard), totals["step"]):
        yield "counts", "", f"the root says {said} episodes and steps, there are {(len(shard), totals['step'])}"


def _column_findings(shard: Shard, column: str, read: Array) -> Iterator[tuple[str, str]]:
    """Check one column's values: finite, inside their codes, increasing in time at their rate."""
    if read.dtype.kind == "f" and not column.startswith(DERIVED) and not np.isfinite(read).all():
        first = int(np.flatnonzero(~np.isfinite(read.reshape(len(read), -1)).all(axis=1))[0])
        yield "not-finite", f"row {first} is not finite"
    names = shard.attributes
    ranges = {
        "episodes/outcome": (0, len(Outcome) - 1),
        "episodes/fail_code": (0, len(names["failures"])),
        "episodes/expert_mode": (0, len(names["degradations"])),
        "episodes/task_index": (shard.header.task_index, shard.header.task_index),
        "steps/phase": (-1, len(names["phases"]) - 1),
    }
    if column in ranges and read.size:
        low, high = ranges[column]
        if read.min() < low or read.max() > high:
            yield "codes", f"values are {read.min()} to {read.max()}, expected {low} to {high}"
    if column.endswith("/t_ns") and len(read):
        start = "step_start" if column == "steps/t_ns" else f"{column.removesuffix('/t_ns')}/start"
        yield from _time_findings(read, shard.index(start), float(names["features"][column]["rate_hz"]))


def _time_findings(t_ns: Array, starts: Array, rate_hz: float) -> Iterator[tuple[str, str]]:
    inside = np.ones(len(t_ns), bool)
    inside[starts[starts < len(t_ns)]] = False  # the first of an episode comes after nothing
    if (t_ns[~inside] < 0).any():
        yield "time-order", "an episode's first time is negative"
    apart = np.diff(t_ns)[inside[1:]]
    period = 1e9 / rate_hz
    if (apart <= 0).any():
        yield "time-order", "time does not increase"
    elif (np.abs(apart - period) > 1 + 1e-6 * period).any():
        yield "time-jitter", f"samples are {apart.min()} to {apart.max()} ns apart, {rate_hz:g} Hz makes {period:g} ns"
