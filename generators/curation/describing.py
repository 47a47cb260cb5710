"""What the dataset.json of a derived dataset says: its selection, of each shard the whole file, and its sources."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from generators.curation.choice import ChosenShard, dataset_id
from generators.curation.episodes import shard_name
from generators.curation.pictures import task_of
from generators.curation.sources import Source
from generators.governance.facts import merged_facts
from generators.schema import FORMAT, MANIFEST_VERSION

_OF_FILE = ("episodes", "steps", "bytes", "file_sha256", "content_sha256", "outcomes")


def describe(
    sources: Sequence[Source],
    shards: Sequence[ChosenShard],
    table: pa.Table,
    names: Mapping[str, str],
    derived: Mapping[str, Any],
) -> dict[str, Any]:
    """Return dataset.json, but for `media` and `files`.

    Args:
        sources: the datasets.
        shards: what is chosen of them.
        table: one row per chosen episode.
        names: task's own name -> name in dataset.json.
        derived: the activity and its facts.
    """
    origins = _origins(sources, shards)
    numbers = {origin["dataset_id"]: i for i, origin in enumerate(origins)}
    entries = [_shard(sources[c.source], c, i, numbers) for i, c in enumerate(shards)]
    outcomes = collections.Counter(table.column("outcome").to_pylist())
    manifests: list[Mapping[str, Any]] = [s.manifest for s in sources]
    one: Mapping[str, Any] = origins[0] if len(origins) == 1 else {}
    out: dict[str, Any] = {
        "format": FORMAT,
        "format_version": MANIFEST_VERSION,
        "dataset_id": dataset_id(sources, shards),
        "physics_sha256": one.get("physics_sha256"),  # of several, see sources
        "complete": True,
        "synthetic": next((s for m in manifests if (s := m.get("synthetic", True)) is not True), True),
        "generator": _generator(origins),
        "seed": one.get("seed"),
        "episodes": len(table),
        "steps": sum(table.column("length").to_pylist()),
        "bytes": sum(int(entry["bytes"]) for entry in entries),
        "outcomes": dict(sorted(outcomes.items())),
        "languages": sorted({language for s in sources for language in s.manifest.get("languages", ())}),
        "tasks": [_task(own, name, sources, table) for own, name in names.items()],
        "shards": entries,
        "derived": dict(derived) | {"of": [_parent(s, i, shards) for i, s in enumerate(sources)]},
        "sources": origins,
    }
    if all("imported" in origin for origin in origins):
        out["imported"] = origins[0]["imported"]
    facts = merged_facts(manifests)
    del facts["created"]  # the same inputs give the same bytes at any time: the data's own date holds
    dates = [str(m["created"]) for m in manifests if m.get("created")]
    return out | facts | ({"created": max(dates)} if dates else {})


def names_of(sources: Sequence[Source], shards: Sequence[ChosenShard]) -> dict[str, str]:
    """Return the tasks that have episodes: own name -> name in dataset.json, in the order of the shards."""
    found: dict[str, str] = {}
    for chosen in shards:
        own = task_of(sources[chosen.source], chosen)
        found.setdefault(own, str(sources[chosen.source].tasks[own]["name"]))
    return found


def _origins(sources: Sequence[Source], shards: Sequence[ChosenShard]) -> list[dict[str, Any]]:
    """Return what the shards came from, each once; of two runs of one plan the longer one's attempts hold."""
    out: dict[str, dict[str, Any]] = {}
    for chosen in shards:
        facts = dict(sources[chosen.source].origin(chosen.shard))
        known = out.setdefault(facts["dataset_id"], facts)
        known["attempts"] = max(int(known["attempts"]), int(facts["attempts"]))
    return list(out.values())


def _shard(source: Source, chosen: ChosenShard, number: int, origins: Mapping[str, int]) -> dict[str, Any]:
    theirs = source.manifest["shards"][chosen.shard]
    out: dict[str, Any] = {"name": shard_name(number)} | {k: theirs[k] for k in _OF_FILE if k in theirs}
    if not chosen.whole:
        out["rows"] = chosen.runs
    return out | {"source": origins[source.origin(chosen.shard)["dataset_id"]]}


def _task(own: str, name: str, sources: Sequence[Source], table: pa.Table) -> dict[str, Any]:
    """Describe a task; of what differs between the sources, `sources` tells."""
    known = [s.tasks[own] for s in sources if own in s.tasks]
    changed = [t.get("parameters", {}) for t in known]
    mine = table.filter(pc.equal(table.column("task"), own))
    outcomes = collections.Counter(mine.column("outcome").to_pylist())
    degraded = sum(mode != 0 for mode in mine.column("expert_mode").to_pylist())
    return dict(known[0]) | {
        "name": name,
        "task": own,
        "episodes": len(mine),
        "parameters": {k: v for k, v in changed[0].items() if all(c.get(k) == v for c in changed)},
        "degraded": round(degraded / len(mine), 6),
        "outcomes": dict(sorted(outcomes.items())),
    }


def _parent(source: Source, number: int, shards: Sequence[ChosenShard]) -> dict[str, Any]:
    """Say what was derived from: its name, how many of its episodes, and what it was derived from itself."""
    episodes = sum(int((chosen.places[:, 0] == number).sum()) for chosen in shards)
    out: dict[str, Any] = {"dataset_id": source.manifest["dataset_id"], "episodes": episodes}
    return out | {k: source.manifest[k] for k in ("derived",) if k in source.manifest}


def _generator(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the versions that made the data; where they differ, all of them."""
    made = [origin["generator"] for origin in origins]
    return {name: ", ".join(sorted({str(m[name]) for m in made if name in m})) for name in made[0]}
