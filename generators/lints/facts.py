"""What a shard says of itself and of each episode: origin, seeds, parameters, work orders."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from generators.reader import Shard
from sim.distributions import Choice, Distribution, Fixed, from_json
from sim.errors import GenbaError, nearest
from sim.seeds import episode_seed

Found = Iterator[tuple[str, str, str]]

JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")  # kana and kanji
_HEADER = ("dataset_id", "physics_sha256")
_LISTS = ("phases", "failures", "degradations")


def task_of(shard: Shard, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what dataset.json says of a shard's task; nothing where it does not name it."""
    name = shard.header.task
    return next((t for t in known.get("tasks", ()) if name in (t.get("task"), t.get("name"))), {})


def findings(shard: Shard, known: Mapping[str, Any]) -> Found:
    """Check a shard's header, its episodes' seeds, parameters and work orders.

    Args:
        shard: it.
        known: as for `generators.lints.shards.check_shard`.
    """
    yield from _origin(shard, known)
    if known.get("seed") is not None:
        yield from _seeds(shard, int(known["seed"]))
    yield from _parameters(shard, drawn=not known.get("imported"))
    if not known.get("imported"):
        yield from _instructions(shard)


def _origin(shard: Shard, known: Mapping[str, Any]) -> Found:
    header, task = shard.header, task_of(shard, known)
    for name in _HEADER:
        if known.get(name) and getattr(header, name) != known[name]:
            yield "origin", "", f"{name} is {getattr(header, name)!r}, dataset.json says {known[name]!r}"
    if not task:
        names = [t.get("task", t["name"]) for t in known.get("tasks", ())]
        yield (
            "origin",
            "",
            f"its task is {header.task!r}, which dataset.json does not list{nearest(header.task, names)}",
        )
    if task.get("version", header.task_version) != header.task_version:
        yield (
            "origin",
            "",
            f"it was made by version {header.task_version} of its task, dataset.json says {task['version']}",
        )
    if float(task.get("control_hz", 0)) not in (0.0, float(shard.attributes["control_hz"])):
        yield "origin", "", f"control_hz is {shard.attributes['control_hz']}, dataset.json says {task['control_hz']}"
    for name in _LISTS:
        if list(task.get(name, shard.attributes[name])) != list(shard.attributes[name]):
            yield "origin", "", f"{name} are {shard.attributes[name]}, dataset.json says {list(task[name])}"
    made = known.get("generator", {})
    for name, found in (("genba", header.genba_version), ("mujoco", header.mujoco_version)):
        if made.get(name, found) != found:
            yield "origin", "", f"it was made by {name} {found}, dataset.json says {made[name]}"


def _seeds(shard: Shard, root_seed: int) -> Found:
    pairs = zip(shard.index("episode_id").tolist(), shard.index("episode_seed").tolist(), strict=True)
    wrong = [number for number, seed in pairs if episode_seed(root_seed, number) != seed]
    if wrong:
        message = f"{len(wrong)} seeds are not what their numbers give, the first is {wrong[0]}'s"
        yield "seed", "episodes/episode_seed", message


def _parameters(shard: Shard, *, drawn: bool) -> Found:
    for name, path in shard.under("episodes/params/").items():
        declared = shard.facts(path).get("distribution")
        try:
            distribution = from_json(json.loads(declared)) if declared is not None else None
        except (GenbaError, ValueError, TypeError) as error:
            yield "unknown-parameter", path, f"its distribution is none: {error}"
            continue
        if distribution is None:
            if drawn:
                yield "unknown-parameter", path, "it does not say which distribution it was drawn from"
            continue
        values = shard.index(f"params/{name}")
        built = np.char.str_len(shard.index("model_sha256")) > 0
        wrong = [v for v, b in zip(values.tolist(), built.tolist(), strict=True) if b and not _inside(v, distribution)]
        if wrong:
            message = f"{len(wrong)} values are outside of its distribution, the first is {wrong[0]!r}"
            yield "parameter-out-of-range", path, f"{message}, expected {_told(distribution)}"


def _inside(value: float | str, distribution: Distribution) -> bool:
    if isinstance(distribution, Choice | Fixed):
        return value in (distribution.values if isinstance(distribution, Choice) else (distribution.value,))
    low, high = distribution.support
    return not isinstance(value, str) and low <= value <= high


def _told(distribution: Distribution) -> str:
    if isinstance(distribution, Choice):
        return f"one of {', '.join(map(repr, distribution.values[:8]))}"
    low, high = distribution.support
    return repr(low) if low == high else f"{low:g} to {high:g}"


def _instructions(shard: Shard) -> Found:
    some = shard.index("length") > 0
    ids = shard.index("episode_id")
    for language in ("en", "ja"):
        column = f"episodes/instruction/{language}"
        texts = shard.index(f"instruction/{language}").tolist()
        missing = [i for i, t in enumerate(texts) if some[i] and not t.strip()]
        other = [i for i, t in enumerate(texts) if t.strip() and bool(JAPANESE.search(t)) != (language == "ja")]
        if missing:
            yield "instruction-missing", column, f"{len(missing)} episodes have none, the first is {ids[missing[0]]}"
        if other:
            what = "hold no Japanese" if language == "ja" else "hold Japanese"
            yield "instruction-language", column, f"{len(other)} work orders {what}, the first is {ids[other[0]]}'s"
