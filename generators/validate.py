"""Validates datasets: hashes first, then what every shard says, then exact replay.

A file whose hash is wrong, and every file that is read through, is opened in a child process with limits on memory and
time: what it does to HDF5 is a finding here. Nothing is repaired, nothing is printed. `generators.lints.catalogue`
lists what is checked.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.dataset import read_manifest
from generators.lints import manifests
from generators.lints.catalogue import Finding, known_lints
from generators.lints.hashes import compare_hashes
from generators.lints.manifests import known_of
from generators.lints.quality import measure
from generators.lints.replays import check_replays
from generators.lints.runs import Progress, Report, Run
from generators.lints.splits import check_split, split_parts
from generators.media.writer import MEDIA
from generators.media_manifest import listed_shots
from generators.replaying import LoadTask
from generators.sandbox import run_jobs
from generators.schema import MANIFEST, SHARDS, SPLIT, TABLE, DatasetError, VersionError

__all__ = ["Finding", "Report", "validate"]


def validate(  # noqa: PLR0913 - each by name
    dataset: Path,
    *,
    deep: bool = False,
    replay: int | None = None,
    load_task: LoadTask | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    ignore: Collection[str] = (),
) -> Report:
    """Validate a dataset, or a split: every part of it, and the parts against each other.

    Args:
        dataset: its folder; of a split, the one that holds split.json.
        deep: whether to read every shard through and check what must hold.
        replay: how many episodes to replay, some pictures included: a random sample that is the same every time; -1
            for all, None for none.
        load_task: finds a task by the name that dataset.json gives it; needed for replay, but of what was imported.
        workers: threads that hash, and processes that replay.
        progress: called with a stage's name, how much is done and how much there is.
        ignore: lints whose findings are left out.

    Raises:
        ValueError: replay without load_task.
        UnknownNameError: a lint to ignore that does not exist.
    """
    rest = _Asked(deep, replay, load_task, workers, progress or (lambda stage, done, total: None), known_lints(ignore))
    if (dataset / SPLIT).is_file() and not (dataset / MANIFEST).exists():
        return _validate_split(dataset, rest)
    run = _validate_one(dataset, rest)
    return _measured(run.report(), {"": run})


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for; as the arguments of `validate`."""

    deep: bool
    replay: int | None
    load_task: LoadTask | None
    workers: int
    progress: Progress
    ignore: frozenset[str]


def _validate_split(folder: Path, asked: _Asked) -> Report:
    """Validate each part, and compare them; findings and files carry the part's name."""
    whole = Run(folder, {}, asked.progress, asked.ignore)
    runs: dict[str, Run] = {}
    said = split_parts(whole)
    for name in said:
        part = runs[name] = _validate_one(folder / name, asked)
        whole.findings += [dataclasses.replace(f, shard=f"{name}/{f.shard}".rstrip("/")) for f in part.findings]
        for figure in ("files", "bytes", "shards_read", "replayed", "redrawn"):
            setattr(whole, figure, getattr(whole, figure) + getattr(part, figure))
        whole.notes |= part.notes
        whole.levels = part.levels
    if said:
        leaks = check_split(whole, said, runs)
        for part in runs.values():
            part.leaks = leaks if asked.deep else None
    return _measured(whole.report(), runs)


def _measured(report: Report, runs: Mapping[str, Run]) -> Report:
    """Add what was measured."""
    found = {name: measure(run) for name, run in runs.items()}
    return dataclasses.replace(report, quality={name: quality for name, quality in found.items() if quality})


def _validate_one(dataset: Path, asked: _Asked) -> Run:
    run = Run(dataset, {}, asked.progress, asked.ignore)
    try:
        run.manifest = read_manifest(dataset)
        listed_shots(run.manifest.get("media", {}))
    except DatasetError as error:
        run.add("version" if isinstance(error, VersionError) else "manifest", MANIFEST, "", str(error))
        return run
    imported = "imported" in run.manifest
    if asked.replay is not None and asked.load_task is None and not imported:
        raise ValueError("replay needs load_task, as in scenes.catalog.load_task")
    run.levels += ["deep"] if asked.deep else []
    manifests.check_manifest(run)
    good, damaged = compare_hashes(run, asked.workers)
    _look_inside(run, _shards(good), _shards(damaged), deep=asked.deep)
    _look_at_pictures(run, _media(good) if asked.deep else [], _media(damaged))
    if asked.replay is not None and imported:
        run.notes.add("it was imported: there is no task to replay its episodes with")
    elif asked.replay is not None and asked.load_task is not None:
        named = {f.shard for f in run.findings if f.severity == "error"}
        some = [n for n in _shards(good) if n not in named]
        run.levels.append("replay")
        check_replays(run, asked.replay, asked.load_task, asked.workers, some)
    return run


def _shards(names: Sequence[str]) -> list[str]:
    return [n for n in names if not n.startswith(f"{MEDIA}/")]


def _media(names: Sequence[str]) -> list[str]:
    return [n.removeprefix(f"{MEDIA}/") for n in names if n.startswith(f"{MEDIA}/")]


def _look_inside(run: Run, good: Sequence[str], damaged: Sequence[str], *, deep: bool) -> None:
    """Have children find the damage in damaged shards, and check the good ones and the tables."""
    root, attempts = manifests.read_plan_facts(run)
    entries = {s["name"]: s for s in run.manifest["shards"]}
    jobs: list[dict[str, Any]] = [{"name": n, "damaged": True} for n in damaged]
    jobs += [{"name": n, "known": known_of(run, entries[n], root)} for n in (good if deep else ())]
    for done, (job, result) in enumerate(run_jobs(run.folder / SHARDS, jobs), 1):
        run.progress("columns", done, len(jobs))
        for lint, column, message in result["findings"]:
            run.add(lint, job["name"], column, message)
        if "damaged" not in job:
            run.shards_read += 1
            if "ids" in result:
                run.facts[job["name"]] = result
    manifests.check_counts(run)
    if deep and len(run.facts) == len(entries):
        manifests.check_ids(run, attempts)
        manifests.check_selection(run)
        manifests.check_twins(run)
        manifests.check_cameras(run)
        _look_at_tables(run)


def _look_at_tables(run: Run) -> None:
    size = sum(int(s.get("bytes", 0)) for s in run.manifest["shards"])
    for _, result in run_jobs(run.folder, [{"name": ".", "tables": True, "bytes": size}]):
        for lint, *place, message in result["findings"]:
            name, column = place if len(place) == 2 else (TABLE, place[0])  # a child that ended names no file
            run.add(lint, name, column, message)


def _look_at_pictures(run: Run, good: Sequence[str], damaged: Sequence[str]) -> None:
    """Have children find the damage in damaged media shards, and open every picture of the good ones."""
    known = dict(_pictures(run.manifest))
    jobs: list[dict[str, Any]] = []
    for name in [*damaged, *good]:
        shard = f"{SHARDS}/shard-{int(known[name]['index']):05d}.h5"
        settings = known[name]["settings"]
        pixels = int(known[name].get("frames", 0)) * int(settings.get("width", 0)) * int(settings.get("height", 0))
        job = {"name": name, "shard": str(run.folder / shard), "settings": settings, "pixels": pixels}
        jobs.append(job | ({"damaged": True} if name in damaged else {}))
    for done, (job, result) in enumerate(run_jobs(run.folder / MEDIA, jobs), 1):
        run.progress("pictures", done, len(jobs))
        place = f"{MEDIA}/{job['name']}"
        for lint, column, message in result["findings"]:
            run.add(lint, place, column, message)
        if "damaged" not in job:
            run.shards_read += 1
            said = known[job["name"]].get("frames")
            if result.get("frames", said) != said:
                run.add("counts", place, "", f"frames is {result['frames']}, dataset.json says {said}")


def _pictures(manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each media shard with what dataset.json says of it, and how its task says that it was recorded."""
    for camera, entry in manifest.get("media", {}).items():
        for shard in entry["shards"]:
            settings = dict(entry["settings"].get(shard.get("task", ""), {}))
            yield shard["name"], {"camera": camera, "settings": settings} | shard
