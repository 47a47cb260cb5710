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

from generators.dataset import read_manifest
from generators.executors import choose
from generators.media.writer import MEDIA
from generators.media_manifest import listed_shots
from generators.reader import file_sha256
from generators.replaying import LoadTask, Replayed, choose_groups, replay_group
from generators.sandbox import run_jobs
from generators.schema import CHECKSUMS, SHARDS, DatasetError
from sim.errors import describe_error

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
        redrawn: pictures of them that were drawn again.
        notes: what could not be compared, and why.
    """

    findings: tuple[Finding, ...]
    files: int = 0
    bytes: int = 0
    shards_read: int = 0
    replayed: int = 0
    redrawn: int = 0
    notes: tuple[str, ...] = ()

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
    redrawn: int = 0
    notes: set[str] = dataclasses.field(default_factory=set)

    def add(self, shard: str, column: str, message: str) -> None:
        self.findings.append(Finding(shard, column, message))

    def report(self) -> Report:
        ordered = sorted(self.findings, key=lambda f: f.shard)
        figures = self.files, self.bytes, self.shards_read, self.replayed, self.redrawn
        return Report(tuple(ordered), *figures, tuple(sorted(self.notes)))


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
        replay: how many episodes to replay, some pictures included: a random sample that is the same every time; -1
            for all, None for none.
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
        listed_shots(manifest.get("media", {}))
    except DatasetError as error:
        return Report((Finding("dataset.json", "", str(error)),))
    run = _Run(dataset, manifest, progress or (lambda stage, done, total: None))
    if not manifest.get("complete", True):
        run.add("", "", "it is incomplete: its generation was interrupted and can be resumed")
    for camera, entry in manifest.get("media", {}).items():
        if not entry.get("complete", False):
            run.add("", "", f"camera {camera!r} is incomplete: drawing it was interrupted and can be continued")
    good, damaged = _compare_hashes(run, workers)
    _look_inside(run, _shards(good) if deep else [], _shards(damaged))
    _look_at_pictures(run, _media(good) if deep else [], _media(damaged))
    if replay is not None and load_task is not None:
        named = {f.shard for f in run.findings}
        _replay(run, replay, load_task, workers, [n for n in _shards(good) if n not in named])
    return run.report()


def _shards(names: Sequence[str]) -> list[str]:
    return [n for n in names if not n.startswith(f"{MEDIA}/")]


def _media(names: Sequence[str]) -> list[str]:
    return [n.removeprefix(f"{MEDIA}/") for n in names if n.startswith(f"{MEDIA}/")]


def _compare_hashes(run: _Run, workers: int) -> tuple[list[str], list[str]]:
    """Compare every file's hash; return the shards that are right and those that are not, media/ before pictures."""
    listed = {f"{SHARDS}/{s['name']}": str(s.get("file_sha256", "")) for s in run.manifest["shards"]}
    expected = _checksums(run, "", listed) | listed
    pictures = [s for entry in run.manifest.get("media", {}).values() for s in entry["shards"]]
    if pictures:
        drawn = {f"{MEDIA}/{s['name']}": str(s.get("file_sha256", "")) for s in pictures}
        expected |= _checksums(run, f"{MEDIA}/", drawn) | drawn
        listed |= drawn
    present = {n for n in expected if _is_file(run, n)}
    _strays(run, {*expected, f"{MEDIA}/{CHECKSUMS}"})
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


def _checksums(run: _Run, folder: str, listed: Mapping[str, str]) -> dict[str, str]:
    """Read a SHA256SUMS; where it and dataset.json disagree, dataset.json holds.

    Args:
        run: the validation.
        folder: where it is, "" or "media/".
        listed: what dataset.json lists of it.
    """
    out: dict[str, str] = {}
    sums = f"{folder}{CHECKSUMS}"
    try:
        text = (run.folder / sums).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        run.add(sums, "", f"it cannot be read: {describe_error(error)}")
        return out
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            run.add(sums, "", f"a line is no hash and name of a file in the dataset: {line[:80]!r}")
        else:
            out[folder + match[2]] = match[1]
    for name, digest in listed.items():
        if out.get(name, digest) != digest:
            run.add(name.removeprefix(f"{SHARDS}/"), "", f"{sums} and dataset.json give it different hashes")
        elif name not in out:
            run.add(name.removeprefix(f"{SHARDS}/"), "", f"{sums} does not list it")
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


def _look_at_pictures(run: _Run, good: Sequence[str], damaged: Sequence[str]) -> None:
    """Have children find the damage in damaged media shards, and open every picture of the good ones."""
    known: dict[str, dict[str, Any]] = {}
    for camera, entry in run.manifest.get("media", {}).items():
        for shard in entry["shards"]:
            known[shard["name"]] = {"camera": camera, "settings": _settings(entry, shard)} | shard
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
        run.findings += [Finding(place, column, message) for column, message in result["findings"]]
        if "damaged" not in job:
            run.shards_read += 1
            said = known[job["name"]].get("frames")
            if result.get("frames", said) != said:
                run.add(place, "", f"frames is {result['frames']}, dataset.json says {said}")


def _settings(entry: Mapping[str, Any], shard: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a media shard was recorded; its task says so where the tasks of a dataset differ."""
    return dict(entry["settings"].get(shard.get("task", ""), {}))


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
    groups = choose_groups(run.folder, count, set(good))
    names = {t.get("task", t["name"]): t["name"] for t in run.manifest.get("tasks", ())}
    work = functools.partial(replay_group, run.folder, load_task, names)
    executor = choose("processes" if workers > 1 and len(groups) > 1 else "inline", workers, None)
    found: dict[int, Replayed] = {}
    for done in executor(work, groups):
        found[done.first] = done
        run.progress("replay", len(found), len(groups))
    run.replayed += sum(len(group) for group in groups)
    for first in sorted(found):
        run.redrawn += found[first].redrawn
        run.notes |= found[first].notes
        for shard, message in found[first].findings:
            run.add(shard, "", message)
