"""Validates datasets: hashes first, then what every shard says, then exact replay.

A file whose hash is wrong, and every file that is read through, is opened in a child process with limits on memory and
time: what it does to HDF5 is a finding here. Nothing is repaired, nothing is printed.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import ColumnError, Dataset, Shard, file_sha256, find_damage, open_untrusted, read_manifest
from generators.schema import CHECKSUMS, DERIVED, SHARDS, DatasetError, column_digest, content_digest
from sim.episode import Outcome
from sim.replay import replays
from sim.rollout import LANES, describe_error
from sim.seeds import episode_seed
from sim.task import Task

Array = NDArray[Any]
LoadTask = Callable[[str], Task]
Progress = Callable[[str, int, int], None]

MEMORY_BYTES = 8 << 30  # address space of a child
SECONDS = 60  # for a child to read a shard, plus one for every SLOWEST bytes
SLOWEST = 10 << 20
STRUCTURE = "file structure"
_SERVE = "from generators.validate import serve; serve()"


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
    for done, (job, result) in enumerate(_children(run.folder / SHARDS, jobs), 1):
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


def _children(folder: Path, jobs: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Do jobs in child processes, one after the other; a child that ends early has found its job's shard to be bad."""
    left = list(jobs)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or "." for p in sys.path), "OPENBLAS_NUM_THREADS": "1"}
    while left:
        with tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as errors:
            limits = {"memory": MEMORY_BYTES, "seconds": SECONDS}
            task.write(json.dumps({"folder": str(folder), "jobs": left} | limits).encode())
            task.seek(0)
            command = [sys.executable, "-c", _SERVE]
            with subprocess.Popen(command, stdin=task, stdout=subprocess.PIPE, stderr=errors, env=environment) as child:
                assert child.stdout is not None
                for line in child.stdout:
                    with contextlib.suppress(ValueError):
                        result = json.loads(line)
                        yield left.pop(0), result
            if left:
                errors.seek(0)
                why = _ending(child.returncode, errors.read().decode(errors="replace"))
                yield left.pop(0), {"findings": [("", f"{STRUCTURE}: reading it {why}")]}


def _ending(code: int, errors: str) -> str:
    if code == -signal.SIGALRM:
        return "takes too long"
    if code < 0:
        return f"ended the process with {signal.Signals(-code).name}"
    return f"ended the process: {(errors.strip().splitlines() or ['exit code ' + str(code)])[-1]}"


def serve() -> None:
    """Be a child: read jobs from standard input, write one line of JSON for each."""
    import resource

    asked = json.load(sys.stdin)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], hard))
    for job in asked["jobs"]:
        path = Path(asked["folder"]) / job["name"]
        signal.alarm(asked["seconds"] + path.stat().st_size // SLOWEST)  # unhandled: ends the process wherever it hangs
        result = {"findings": _locate(path)} if job.get("damaged") else check_shard(path, job["seed"])
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


def _locate(path: Path) -> list[tuple[str, str]]:
    found = find_damage(path)
    named = [(column, "its checksum is wrong: the file is damaged here") for column, _ in found if column]
    if named:
        return named
    why = found[0][1] if found else "every column can be read"
    return [("", f"{STRUCTURE}: the file's hash is wrong; {why}")]


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


def _replay(run: _Run, count: int, load_task: LoadTask, workers: int, good: Sequence[str]) -> None:
    """Replay some or all episodes of the good shards, and report those that differ."""
    groups = _groups(run, count, set(good))
    names = {t.get("task", t["name"]): t["name"] for t in run.manifest.get("tasks", ())}
    jobs = [(run.folder, group, load_task, names) for group in groups]
    if workers > 1 and len(jobs) > 1:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
            results = list(pool.map(_replay_group, *zip(*jobs, strict=True)))
    else:
        results = [_replay_group(*job) for job in jobs]
    for done, (group, messages) in enumerate(zip(groups, results, strict=True), 1):
        run.replayed += len(group)
        run.progress("replay", done, len(jobs))
        for shard, message in messages:
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
    folder: Path, group: Sequence[int], load_task: LoadTask, names: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Replay episodes of one shard side by side; return (shard, message) of those that differ."""
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
