"""A split: its parts are whole datasets as split.json says, and no group, episode or twin of one is in two of them."""

from collections.abc import Mapping
from typing import Any

from generators.capped import read_json
from generators.curation.leaks import leaks
from generators.lints.manifests import chosen
from generators.lints.runs import Run
from generators.schema import MANIFEST, SPLIT, DatasetError
from sim.errors import describe_error


def split_parts(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a split that are there, by name, with what split.json says of each."""
    there = sorted(p.name for p in run.folder.iterdir() if (p / MANIFEST).is_file())
    try:
        data = read_json(run.folder / SPLIT, within=run.folder)
        listed = {str(p["name"]): dict(p) for p in data["parts"]}
        of, total = int(data["of"]["episodes"]), sum(int(p["episodes"]) for p in data["parts"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        run.add("split", SPLIT, "", f"it is damaged: {describe_error(error)}")
        return {name: {} for name in there}
    if of != total:
        run.add("split", SPLIT, "", f"{of} episodes were split, its parts have {total}")
    for name in sorted(set(listed) - set(there)):
        run.add("split", SPLIT, "", f"part {name!r} is missing")
    for name in sorted(set(there) - set(listed)):
        run.add("split", SPLIT, "", f"it does not list the part {name!r}")
    return {name: listed.get(name, {}) for name in there}


def check_split(run: Run, said: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Run]) -> int:
    """Compare the parts with split.json, and with each other where every shard of them was read; return the leaks."""
    for name, part in parts.items():
        for key in ("dataset_id", "episodes", "steps", "outcomes"):
            if said[name].get(key, part.manifest.get(key)) != part.manifest.get(key):
                message = f"{key} of {name!r} is {said[name][key]}, its dataset.json says {part.manifest.get(key)}"
                run.add("split", SPLIT, "", message)
    if any(not part.facts or len(part.facts) != len(part.manifest["shards"]) for part in parts.values()):
        return 0
    try:
        found = [
            (leak.parts[1], str(leak), leak.count) for leak in leaks([run.folder / n for n in parts], contents=False)
        ]
    except (DatasetError, LookupError, ValueError, TypeError) as error:
        run.add("split", SPLIT, "", f"its parts cannot be compared: {describe_error(error)}")
        found = []
    found += _twins(parts)
    for name, message, _ in found:
        run.add("split-leak", name, "", message)
    return sum(count for *_, count in found)


def _twins(parts: Mapping[str, Run]) -> list[tuple[str, str, int]]:
    """Find episodes of two parts with the same actions and observations: (part, message, how many)."""
    first: dict[str, str] = {}
    shared: dict[tuple[str, str], list[int]] = {}
    for name, part in parts.items():
        for _, known, row in chosen(part):
            digest = known["twins"][row]
            if digest and first.setdefault(digest, name) != name:
                shared.setdefault((first[digest], name), []).append(known["ids"][row])
    return [
        (b, f"{a} and {b} share {len(n)} episodes with the same actions and observations, the first is {n[0]}", len(n))
        for (a, b), n in sorted(shared.items())
    ]
