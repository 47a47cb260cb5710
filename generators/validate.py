"""Validates datasets: hashes first, then what every shard says, then exact replay.

A file whose hash is wrong, and every file that is read through, is opened in a child process with limits on memory and
time: what it does to HDF5 is a finding here. Nothing is repaired, nothing is printed.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.dataset import Dataset, read_manifest
from generators.executors import choose
from generators.reader import file_sha256
from generators.sandbox import run_jobs
from generators.schema import CHECKSUMS, SHARDS, DatasetError
from sim.errors import describe_error
from sim.replay import replays
from sim.rollout import LANES
from sim.task import Task

LoadTask = Callable[[str], Task]
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        shard: the shard's name; another file's path in the dataset; "" for the dataset as a whole.
        column: the column's path, or "".
        message: what is wrong.
    """

    shard: str
    column: str
    message: str

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.shard, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found.

    Attributes:
        findings: what is wrong, in the order of the shards.
        files: files whose hash was compared.
        bytes: how much that was.
        shards_read: shards that were read through.
        replayed: episodes that were replayed.
    """

    findings: tuple[Finding, ...]
    files: int = 0
    bytes: int = 0
    shards_read: int = 0
    replayed: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"ok": self.ok} | dataclasses.asdict(self)


@dataclasses.dataclass(slots=True)
class _Run:
    """A validation on its way."""

    folder: Path
    manifest: Mapping[str, Any]
    progress: Progress
    findings: list[Finding] = dataclasses.field(default_factory=list)
    files: int = 0
    bytes: int = 0
    shards_read: int = 0
    replayed: int = 0

    def add(self, shard: str, column: str, message: str) -> None:
        self.findings.append(Finding(shard, column, message))

    def report(self) -> Report:
        ordered = sorted(self.findings, key=lambda f: f.shard)
        return Report(tuple(ordered), self.files, self.bytes, self.shards_read, self.replayed)


def validate(
    dataset: Path,
    *,
    deep: bool = False,
    replay: int | None = None,
    load_task: LoadTask | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Validate a dataset.

    Args:
        dataset: its folder.
        deep: whether to read every shard through and check what must hold.
        replay: how many episodes to replay, a random sample that is the same every time; -1 for all, None for none.
        load_task: finds a task by the name that dataset.json gives it; needed for replay.
        workers: threads that hash, and processes that replay.
        progress: called with a stage's name, how much is done and how much there is.

    Raises:
        ValueError: replay without load_task.
    """
    if replay is not None and load_task is None:
        raise ValueError("replay needs load_task, as in scenes.catalog.load_task")
    try:
        manifest = read_manifest(dataset)
    except DatasetError as error:
        return Report((Finding("dataset.json", "", str(error)),))
    run = _Run(dataset, manifest, progress or (lambda stage, done, total: None))
    if not manifest.get("complete", True):
        run.add("", "", "it is incomplete: its generation was interrupted and can be resumed")
    good, damaged = _compare_hashes(run, workers)
    _look_inside(run, good if deep else [], damaged)
    if replay is not None and load_task is not None:
        named = {f.shard for f in run.findings}
        _replay(run, replay, load_task, workers, [n for n in good if n not in named])
    return run.report()


def _compare_hashes(run: _Run, workers: int) -> tuple[list[str], list[str]]:
    """Compare every file's hash; return the names of the shards that are right and of those that are not."""
    listed = {f"{SHARDS}/{s['name']}": str(s.get("file_sha256", "")) for s in run.manifest["shards"]}
    expected = _checksums(run) | listed
    present = {n for n in expected if _is_file(run, n)}
    _strays(run, set(expected))
    good: list[str] = []
    damaged: list[str] = []
    with concurrent.futures.ThreadPoolExecutor(max(1, workers)) as pool:
        names = sorted(present)
        for name, found in zip(names, pool.map(file_sha256, [run.folder / n for n in names]), strict=True):
            run.files += 1
            run.bytes += (run.folder / name).stat().st_size
            run.progress("hashes", run.files, len(names))
            shard = name.removeprefix(f"{SHARDS}/")
            if found == expected[name]:
                if name in listed:
                    good.append(shard)
            elif name in listed:
                damaged.append(shard)
            else:
                run.add(name, "", f"its hash is {found}, expected {expected[name]}")
    return good, damaged


def _checksums(run: _Run) -> dict[str, str]:
    """Read SHA256SUMS; where it and dataset.json disagree, dataset.json holds."""
    out: dict[str, str] = {}
    shards = {f"{SHARDS}/{s['name']}": s.get("file_sha256") for s in run.manifest["shards"]}
    try:
        text = (run.folder / CHECKSUMS).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        run.add(CHECKSUMS, "", f"it cannot be read: {describe_error(error)}")
        return out
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            run.add(CHECKSUMS, "", f"a line is no hash and name of a file in the dataset: {line[:80]!r}")
        else:
            out[match[2]] = match[1]
    for name, digest in shards.items():
        if out.get(name, digest) != digest:
            run.add(name.removeprefix(f"{SHARDS}/"), "", f"{CHECKSUMS} and dataset.json give it different hashes")
        elif name not in out:
            run.add(name.removeprefix(f"{SHARDS}/"), "", f"{CHECKSUMS} does not list it")
    return out


def _is_file(run: _Run, name: str) -> bool:
    path = run.folder / name
    inside = path.resolve().is_relative_to(run.folder.resolve())
    if path.is_file() and inside:
        return True
    run.add(name.removeprefix(f"{SHARDS}/"), "", "it is a link out of the dataset" if not inside else "it is missing")
    return False


def _strays(run: _Run, expected: set[str]) -> None:
    """Report what nobody listed beside the data, and temporary names that a killed writer left."""
    for path in sorted(run.folder.rglob("*")):
        name = path.relative_to(run.folder).as_posix()
        if path.name.startswith(".") and path.suffix == ".tmp":
            run.add(name, "", "a writer that was killed left it; it can be deleted")
        elif name.startswith((f"{SHARDS}/", "media/")) and not path.is_dir() and name not in expected:
            run.add(name.removeprefix(f"{SHARDS}/"), "", "it belongs to no shard that dataset.json lists")


def _look_inside(run: _Run, good: Sequence[str], damaged: Sequence[str]) -> None:
    """Have children find the damage in damaged shards, and check the good ones."""
    root, attempts = _plan(run)
    jobs = [{"name": n, "damaged": True} for n in damaged] + [{"name": n, "seed": root} for n in good]
    entries = {s["name"]: s for s in run.manifest["shards"]}
    ids: list[list[int]] = []
    for done, (job, result) in enumerate(run_jobs(run.folder / SHARDS, jobs), 1):
        run.progress("columns", done, len(jobs))
        run.findings += [Finding(job["name"], column, message) for column, message in result["findings"]]
        if "damaged" not in job:
            run.shards_read += 1
            ids += [result["ids"]] if "ids" in result else []
            for key in ("episodes", "steps", "content_sha256"):
                if key in result and result[key] != entries[job["name"]].get(key, result[key]):
                    run.add(job["name"], "", f"{key} is {result[key]}, dataset.json says {entries[job['name']][key]}")
    if attempts is not None and len(ids) == len(entries):
        _compare_ids(run, [i for part in ids for i in part], attempts)


def _compare_ids(run: _Run, ids: Sequence[int], attempts: int) -> None:
    twice = sorted(i for i, n in collections.Counter(ids).items() if n > 1)
    missing = sorted(set(range(attempts)) - set(ids))
    for what, found in (("twice", twice), ("missing", missing)):
        if found:
            run.add("", "episodes/episode_id", f"{len(found)} episodes are {what}, the first is {found[0]}")


def _plan(run: _Run) -> tuple[int | None, int | None]:
    """Return the root seed and the number of episodes that were planned, where there is a plan."""
    try:
        plan = json.loads((run.folder / "plan.json").read_bytes())
        return int(plan["seed"]), int(plan["attempts"])
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, TypeError) as error:
        run.add("plan.json", "", f"it is damaged: {describe_error(error)}")
        return None, None


def _replay(run: _Run, count: int, load_task: LoadTask, workers: int, good: Sequence[str]) -> None:
    """Replay some or all episodes of the good shards, and report those that differ."""
    groups = _groups(run, count, set(good))
    names = {t.get("task", t["name"]): t["name"] for t in run.manifest.get("tasks", ())}
    work = functools.partial(_replay_group, run.folder, load_task, names)
    executor = choose("processes" if workers > 1 and len(groups) > 1 else "inline", workers, None)
    found: dict[int, list[tuple[str, str]]] = {}
    for first, messages in executor(work, groups):
        found[first] = messages
        run.progress("replay", len(found), len(groups))
    run.replayed += sum(len(group) for group in groups)
    for first in sorted(found):
        for shard, message in found[first]:
            run.add(shard, "", message)


def _groups(run: _Run, count: int, good: set[str]) -> list[list[int]]:
    """Choose episodes; return their places in groups of one shard that can advance in step."""
    with Dataset(run.folder) as data:
        places = [i for i, e in enumerate(data) if e.shard in good and len(e)]
        if 0 <= count < len(places):
            places = sorted(np.random.default_rng(0).choice(places, count, replace=False).tolist())
        by_shard: dict[str, list[int]] = {}
        for i in places:
            by_shard.setdefault(data[i].shard, []).append(i)
    return [g[i : i + LANES] for g in by_shard.values() for i in range(0, len(g), LANES)]


def _replay_group(
    folder: Path, load_task: LoadTask, names: Mapping[str, str], group: Sequence[int]
) -> tuple[int, list[tuple[str, str]]]:
    """Replay episodes of one shard side by side; return the first place, and (shard, message) of those that differ."""
    return group[0], _differences(folder, load_task, names, group)


def _differences(
    folder: Path, load_task: LoadTask, names: Mapping[str, str], group: Sequence[int]
) -> list[tuple[str, str]]:
    with Dataset(folder) as data:
        episodes = [data[i] for i in group]
        header = episodes[0].header
        shard = episodes[0].shard
        try:
            task = load_task(names.get(header.task, header.task))
            if task.version != header.task_version:
                versions = f"version {header.task_version} was recorded, this is version {task.version}"
                return [(shard, f"task {header.task!r} cannot be replayed: {versions}")]
            found = replays(task, [e.recorded() for e in episodes])
        except Exception as error:  # a task's own code runs here
            return [
                (shard, f"episodes {episodes[0].id} to {episodes[-1].id} cannot be replayed: {describe_error(error)}")
            ]
        return [(shard, f"episode {e.id} replays differently: {m}") for e, m in zip(episodes, found, strict=True) if m]
