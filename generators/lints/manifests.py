"""dataset.json and plan.json: totals that are the sums of their parts, and episodes that are there once."""

import collections
from collections.abc import Iterator, Mapping
from typing import Any

from generators.capped import read_json
from generators.governance.write import stale
from generators.lints.runs import Run
from generators.schema import MANIFEST
from sim.errors import describe_error

_TASK = ("name", "task", "version", "control_hz", "horizon_s", "phases", "failures", "degradations")
_HEADER = ("dataset_id", "physics_sha256", "generator")


def check_manifest(run: Run) -> None:
    """Check what can be seen without opening a shard: completeness, and totals."""
    if not run.manifest.get("complete", True):
        run.add("incomplete", "", "", "it is incomplete: its generation was interrupted and can be resumed")
    for camera, entry in run.manifest.get("media", {}).items():
        if not entry.get("complete", False):
            message = f"camera {camera!r} is incomplete: drawing it was interrupted and can be continued"
            run.add("incomplete", "", "", message)
    names = collections.Counter(s["name"] for s in run.manifest["shards"])
    for name in sorted(n for n, times in names.items() if times > 1):
        run.add("manifest", MANIFEST, "", f"it lists the shard {name!r} twice")
    shards = run.manifest["shards"]
    rows = [sum(b - a for a, b in s.get("rows") or [(0, int(s["episodes"]))]) for s in shards]
    sums: dict[str, Any] = {"episodes": sum(rows)}
    if not any("rows" in s for s in shards):  # of a choice of rows, the steps and outcomes are known to shards only
        sums["steps"] = sum(int(s["steps"]) for s in shards)
        outcomes: collections.Counter[str] = collections.Counter()
        for shard in shards:
            outcomes.update(shard.get("outcomes", {}))
        if any("outcomes" in s for s in shards):
            sums["outcomes"] = dict(sorted(outcomes.items()))
    for name, total in sums.items():
        if run.manifest.get(name, total) != total:
            run.add("manifest", MANIFEST, "", f"{name} is {run.manifest[name]}, its shards have {total}")
    _check_cards(run)


def _check_cards(run: Run) -> None:
    for text in stale(run.folder):
        name, _, what = text.partition(": ")
        run.add("cards", name, "", what)


def read_plan_facts(run: Run) -> tuple[int | None, int | None]:
    """Return the root seed and the number of episodes that were planned, where there is a plan."""
    try:
        plan = read_json(run.folder / "plan.json", within=run.folder)
        seed, attempts = int(plan["seed"]), int(plan["attempts"])
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        run.add("plan", "plan.json", "", f"it is damaged: {describe_error(error)}")
        return None, None
    for name in ("seed", "physics_sha256"):
        said, known = plan.get(name), run.manifest.get(name, plan.get(name))
        if said != known:
            run.add("plan", "plan.json", "", f"{name} is {said!r:.80}, dataset.json says {known!r:.80}")
    return seed, attempts


def known_of(run: Run, shard: Mapping[str, Any], root_seed: int | None) -> dict[str, Any]:
    """Return what is known of a shard before it is opened: from its source where the dataset is derived."""
    manifest = run.manifest
    source = manifest["sources"][int(shard["source"])] if "source" in shard and "sources" in manifest else manifest
    seed = root_seed if source is manifest else source.get("seed")
    known = {name: source[name] for name in _HEADER if name in source}
    tasks = [{k: t[k] for k in _TASK if k in t} for t in manifest.get("tasks", ())]
    return known | {"seed": seed, "tasks": tasks, "imported": "imported" in manifest}


def check_ids(run: Run, attempts: int | None) -> None:
    """Check that every episode is there once, and every one that was planned; all shards have been read.

    A derived dataset has a choice of the episodes of its sources, and by its maker's wish some of them twice.
    """
    found = collections.Counter((int(e.get("source", 0)), known["ids"][row]) for e, known, row in chosen(run))
    sources = run.manifest.get("sources")
    twice = sorted(i for (_, i), n in found.items() if n > 1)
    missing = [] if sources or attempts is None else sorted(set(range(attempts)) - {i for _, i in found})
    strange = [i for s, i in found if sources and i >= int(sources[s].get("attempts", i + 1))]
    for what, which in (("twice", twice), ("missing", missing), ("none of their source's", strange)):
        if which:
            run.add("ids", "", "episodes/episode_id", f"{len(which)} episodes are {what}, the first is {which[0]}")


def check_twins(run: Run) -> None:
    """Check that no two episodes have the same actions and observations, in whatever shard."""
    first: dict[str, tuple[str, int]] = {}
    for entry, known, row in chosen(run):
        digest, number = known["twins"][row], known["ids"][row]
        if digest and digest in first:
            shard, other = first[digest]
            message = f"episode {number} has the actions and observations of episode {other} in {shard}"
            run.add("duplicate-episode", entry["name"], "steps/action", message)
        elif digest:
            first[digest] = entry["name"], number


def check_counts(run: Run) -> None:
    """Compare what each shard that was read has with what dataset.json says of the file."""
    for entry in run.manifest["shards"]:
        known = run.facts.get(entry["name"], {})
        for lint, key in (
            ("counts", "episodes"),
            ("counts", "steps"),
            ("counts", "outcomes"),
            ("content-hash", "content_sha256"),
        ):
            if key in known and entry.get(key, known[key]) != known[key]:
                run.add(lint, entry["name"], "", f"{key} is {known[key]}, dataset.json says {entry[key]}")


def check_selection(run: Run) -> None:
    """Compare dataset.json's totals with the episodes that are chosen; all shards have been read."""
    steps = 0
    outcomes: collections.Counter[str] = collections.Counter()
    for _, known, row in chosen(run):
        steps += known["lengths"][row]
        outcomes[known["endings"][row]] += 1
    for name, total in (("steps", steps), ("outcomes", dict(sorted(outcomes.items())))):
        if run.manifest.get(name, total) != total:
            run.add("counts", MANIFEST, "", f"{name} is {run.manifest[name]}, its episodes have {total}")


def check_cameras(run: Run) -> None:
    """Check that a camera of a task has a file for each of the task's shards; all have been read."""
    for camera, entry in run.manifest.get("media", {}).items():
        there = {f"shard-{int(s['index']):05d}.h5" for s in entry["shards"]}
        names = {t.get("task", t["name"]): t["name"] for t in run.manifest.get("tasks", ())}
        for name, known in run.facts.items():
            if names.get(known["task"], known["task"]) in entry["settings"] and name not in there:
                run.add(
                    "missing-media", name, camera, f"camera {camera!r} recorded its task, it has no pictures from it"
                )


def chosen(run: Run) -> Iterator[tuple[Mapping[str, Any], dict[str, Any], int]]:
    """Yield every episode of the dataset: its shard's entry, what is known of the shard, and its row there."""
    for entry in run.manifest["shards"]:
        known = run.facts[entry["name"]]
        for start, stop in entry.get("rows") or [(0, len(known["ids"]))]:
            for row in range(start, stop):
                yield entry, known, row
