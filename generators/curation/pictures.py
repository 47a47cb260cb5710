"""What a derived dataset says of its pictures: the files of its shards' cameras, under the new shards' numbers.

A camera is complete in a derived dataset, or not in it at all: what is missing cannot be drawn there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.curation.choice import ChosenShard
from generators.curation.sources import Source
from generators.media.writer import MEDIA
from generators.schema import DatasetError

Entries = dict[str, dict[str, Any]]
_WAY_OUT = "or leave the pictures out: --no-pictures"


def describe_pictures(
    sources: Sequence[Source], shards: Sequence[ChosenShard], names: Mapping[str, str]
) -> tuple[Entries, dict[str, Path]]:
    """Return dataset.json's entries by camera, and for each file's new name the file that it is.

    Args:
        sources: the datasets.
        shards: what is chosen of them.
        names: task's own name -> name in dataset.json.

    Raises:
        DatasetError: a camera recorded only some shards of a task, or in two ways.
    """
    entries: Entries = {}
    files: dict[str, Path] = {}
    for number, chosen in enumerate(shards):
        source = sources[chosen.source]
        for camera, file in source.pictures.get(chosen.shard, {}).items():
            theirs = source.manifest["media"][camera]
            entry = entries.setdefault(camera, {"complete": True, "settings": {}, "drawn_by": [], "shards": []})
            task = names[task_of(source, chosen)]
            settings = theirs["settings"].get(file["task"], {})
            if entry["settings"].setdefault(task, settings) != settings:
                raise DatasetError(
                    f"camera {camera!r} recorded task {task!r} otherwise in {source.folder} than in another dataset:"
                    f" draw them alike with genba render --again, {_WAY_OUT}"
                )
            entry["drawn_by"] += [d for d in theirs.get("drawn_by", ()) if d not in entry["drawn_by"]]
            name = f"shard-{number:05d}.{camera}.h5"
            entry["shards"].append(dict(file) | {"name": name, "index": number, "task": task})
            files[name] = source.folder / MEDIA / file["name"]
    _check_all_there(entries, sources, shards, names)
    return {camera: _summed(entries[camera]) for camera in sorted(entries)}, files


def task_of(source: Source, chosen: ChosenShard) -> str:
    """Return the own name of the task whose episodes a shard holds."""
    own = str(source.table.column("task")[int(chosen.places[0, 1])].as_py())
    if own not in source.tasks:
        raise DatasetError(f"{source.folder}: task {own!r} of the table of episodes is not in dataset.json")
    return own


def _check_all_there(
    entries: Entries, sources: Sequence[Source], shards: Sequence[ChosenShard], names: Mapping[str, str]
) -> None:
    for camera, entry in entries.items():
        there = {s["index"] for s in entry["shards"]}
        for number, chosen in enumerate(shards):
            source = sources[chosen.source]
            task = names[task_of(source, chosen)]
            if task in entry["settings"] and number not in there:
                raise DatasetError(
                    f"camera {camera!r} recorded task {task!r} in one of the datasets and not in {source.folder}:"
                    f" draw it there with genba render {source.folder} --camera {camera}, {_WAY_OUT}"
                )


def _summed(entry: dict[str, Any]) -> dict[str, Any]:
    drawn_by = sorted(entry["drawn_by"], key=lambda d: (str(d.get("backend")), str(d.get("device"))))
    totals = {name: sum(int(s[name]) for s in entry["shards"]) for name in ("frames", "bytes")}
    return {
        "complete": entry["complete"],
        "settings": entry["settings"],
        "drawn_by": drawn_by,
        **totals,
        "shards": entry["shards"],
    }
