"""What one worker does with one shard: roll out its episodes, write the file, report. The same in every executor."""

import collections
import ctypes
import dataclasses
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import mujoco

from generators.capped import MAX_LOG_BYTES, read_json
from generators.files import stamp, write_whole
from generators.filming import MediaJob, MediaReport, film_shard
from generators.filming import finished as film_finished
from generators.media.shots import Shot
from generators.plan import Plan, Shard
from generators.reader import file_sha256
from generators.schema import Header
from generators.seals import sealed, unsealed
from generators.watchdog import trace_path
from generators.writer import ShardWriter
from scenes.catalog import load_task
from sim import parameters
from sim.episode import Outcome
from sim.errors import GenbaError
from sim.rollout import LANES, rollouts
from sim.seeds import episode_seed


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One shard to make, with all that a worker needs to know."""

    shard: Shard
    plan: Plan
    out: str
    shots: tuple[Shot, ...] = ()

    @property
    def path(self) -> Path:
        """The shard's file."""
        return Path(self.out) / "shards" / self.shard.name

    @property
    def report_path(self) -> Path:
        """Where the report is kept: it lets a later run trust the file without reading it twice."""
        return Path(self.out) / "logs" / f"{self.shard.name.removesuffix('.h5')}.json"

    @property
    def trace_path(self) -> Path:
        """Where a worker that takes too long leaves where it was."""
        return trace_path(self.out, self.shard.name)


@dataclasses.dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard: hashes and counts, never trajectories.

    Attributes:
        index: the shard's number.
        name: the file's name.
        episodes: number of episodes.
        steps: number of control steps.
        bytes: the file's size.
        file_sha256: of the file.
        content_sha256: of the decoded columns.
        outcomes: outcome's name -> number of episodes.
        error: the first error of an episode, else "".
        wall_s: how long it took.
        host: where.
        resumed: whether the file was there already.
        media: what became of its pictures.
        marks: in a store: object's name -> what tells it from another.
    """

    index: int
    name: str
    episodes: int
    steps: int
    bytes: int
    file_sha256: str
    content_sha256: str
    outcomes: dict[str, int]
    error: str
    wall_s: float
    host: str
    resumed: bool = False
    media: tuple[MediaReport, ...] = ()
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def raised(self) -> int:
        """Return the number of episodes in which the task or the expert raised."""
        return self.outcomes.get("expert_error", 0) + self.outcomes.get("task_error", 0)


def run_shard(job: Job) -> ShardReport:
    """Make a shard, or find that it is already whole; then the pictures of it that are missing."""
    report = finished(job) or _make(job)
    _give_back()
    if not job.shots:
        return report
    return dataclasses.replace(report, media=film_shard(_media_job(job, report)))


def _give_back() -> None:
    """Give freed memory back to the system: glibc keeps it in pieces, and more of them after every shard."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


def _make(job: Job) -> ShardReport:
    start = time.perf_counter()
    planned = job.plan.task(job.shard.task)
    task = load_task(planned.name, job.plan.home)
    header = Header(
        dataset_id=job.plan.dataset_id,
        physics_sha256=job.plan.physics_sha256,
        shard_index=job.shard.index,
        task_index=[t.name for t in job.plan.tasks].index(planned.name),
        task=task.name,
        task_version=task.version,
        mujoco_version=mujoco.__version__,
        genba_version=job.plan.genba_version,
    )
    ids = range(job.shard.first, job.shard.first + job.shard.count)
    outcomes: collections.Counter[str] = collections.Counter()
    error = ""
    with ShardWriter(job.path, header, task, parameters.describe(task.Params, planned.parameters)) as writer:
        for i in range(0, len(ids), LANES):
            part = ids[i : i + LANES]
            seeds = [episode_seed(job.plan.seed, n) for n in part]
            episodes = rollouts(task, seeds, overrides=planned.parameters, degraded=planned.degraded)
            for number, episode in zip(part, episodes, strict=True):
                writer.append(number, episode)
                outcomes[episode.outcome.name.lower()] += 1
                if not error and episode.outcome in (Outcome.EXPERT_ERROR, Outcome.TASK_ERROR):
                    error = f"task {task.name!r}, episode {number}, seed {episode.seed}: {episode.error}"
        file = writer.close()
    report = ShardReport(
        index=job.shard.index,
        name=job.shard.name,
        episodes=file.n_episodes,
        steps=file.n_steps,
        bytes=file.bytes,
        file_sha256=file.file_sha256,
        content_sha256=file.content_sha256,
        outcomes=dict(sorted(outcomes.items())),
        error=error,
        wall_s=round(time.perf_counter() - start, 3),
        host=socket.gethostname(),
    )
    data = {"physics_sha256": job.plan.physics_sha256, "stamp": stamp(job.path)} | dataclasses.asdict(report)
    del data["media"], data["marks"]  # pictures have reports of their own, files no marks
    write_whole(job.report_path, json.dumps(sealed(data), indent=1).encode())
    return report


def finished(job: Job) -> ShardReport | None:
    """Return the report of a shard whose file is there and unchanged, else None; one touched since is hashed."""
    try:
        data = unsealed(read_json(job.report_path, MAX_LOG_BYTES))
        untouched = data.pop("stamp", None) == stamp(job.path)
        if data.pop("physics_sha256") != job.plan.physics_sha256 or data["episodes"] != job.shard.count:
            return None
        report = dataclasses.replace(ShardReport(**data), resumed=True)
        if not untouched and file_sha256(job.path) != report.file_sha256:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report


def settled(job: Job) -> ShardReport | None:
    """Return the report of a shard that is there with all its pictures, else None."""
    report = finished(job)
    if report is None or not job.shots:
        return report
    pictures = [film_finished(_media_job(job, report), shot) for shot in job.shots]
    there = tuple(found for found in pictures if found is not None)
    return dataclasses.replace(report, media=there) if len(there) == len(pictures) else None


def _media_job(job: Job, report: ShardReport) -> MediaJob:
    return MediaJob(job.shard, job.plan, job.out, job.shots, report.file_sha256, trusted=True)


def prepare_worker() -> None:
    """Make this process one of many: one thread a library, so that workers do not crowd each other."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("LP_NUM_THREADS", "0")


class AllRaisedError(GenbaError, RuntimeError):
    """Every episode of the first shard raised: the rest would too."""

    exit_code = 1
