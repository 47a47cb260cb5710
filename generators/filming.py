"""Draws the pictures of one shard from its recorded states: the same in `genba generate` and in `genba render`.

One call makes one file for each camera, whole or not at all. Drawing happens in the calling thread, compression and
writing in one other. The physics shard is only read.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from generators.capped import MAX_LOG_BYTES, read_json
from generators.files import stamp, write_whole
from generators.media.background import Background
from generators.media.shots import DrawError, Shot, by_film
from generators.media.writer import MEDIA, MediaHeader, MediaWriter, Optics, media_name
from generators.plan import Plan, Shard
from generators.reader import file_sha256
from generators.schema import SHARDS, DatasetError
from generators.seals import sealed, unsealed
from generators.states import rebuild, states_at
from generators.stored import StoredEpisode, shard_episodes
from generators.watchdog import trace_path
from scenes.catalog import load_task
from sim.cameras import segments
from sim.errors import RenderError
from sim.task import Task

if TYPE_CHECKING:
    from sim.render import Film

Array = NDArray[Any]

_BLOCK_BYTES = 8 << 20  # pictures drawn at a time
_BLOCK_FRAMES = 256


@dataclasses.dataclass(frozen=True, slots=True)
class MediaJob:
    """The pictures of one shard, with all that a worker needs to know.

    Attributes:
        shard: the shard.
        plan: of the dataset; its shards are not needed.
        out: the dataset's folder.
        shots: what to draw.
        file_sha256: of the physics shard.
        again: whether to draw also what is there already.
        trusted: whether this program has just written the physics shard.
    """

    shard: Shard
    plan: Plan
    out: str
    shots: tuple[Shot, ...]
    file_sha256: str
    again: bool = False
    trusted: bool = False

    @property
    def trace_path(self) -> Path:
        """Where a worker that takes too long leaves where it was."""
        return trace_path(self.out, self.shard.name)


@dataclasses.dataclass(frozen=True, slots=True)
class MediaReport:
    """What became of one camera's pictures of one shard.

    Attributes:
        name: the file's name.
        index: the shard's number.
        camera: the camera.
        task: the shard's task, as the plan names it.
        settings: how it was recorded, `Shot.to_json`.
        backend: what drew.
        device: on what.
        episodes: number of episodes.
        frames: number of pictures, of each kind.
        bytes: the file's size.
        file_sha256: of the file.
        wall_s: how long it took, all cameras of the shard together.
        host: where.
        resumed: whether the file was there already.
    """

    name: str
    index: int
    camera: str
    task: str
    settings: dict[str, Any]
    backend: str
    device: str
    episodes: int
    frames: int
    bytes: int
    file_sha256: str
    wall_s: float = 0.0
    host: str = ""
    resumed: bool = False


def film_shard(job: MediaJob) -> tuple[MediaReport, ...]:
    """Draw a shard's pictures, but for those that are there already.

    Raises:
        DatasetError: the physics shard is damaged, or its task builds other models now.
        DrawError: what is asked for cannot be drawn here.
        OSError: the disk is full, or cannot be written; what was whole stays.
    """
    done = {shot: None if job.again else finished(job, shot) for shot in job.shots}
    missing = [shot for shot, report in done.items() if report is None]
    if missing:
        done |= {shot: _keep(job, report) for shot, report in zip(missing, _film(job, missing), strict=True)}
    return tuple(report for report in done.values() if report is not None)


def finished(job: MediaJob, shot: Shot) -> MediaReport | None:
    """Return the report of a file that is there, unchanged, and recorded in the same way, else None."""
    path, name = Path(job.out) / MEDIA / media_name(job.shard.index, shot.camera), ""
    try:
        data = unsealed(read_json(_report_path(job, shot.camera), MAX_LOG_BYTES))
        kept = data.pop("stamp", None)
        if data.pop("made_from") != _made_from(job):
            return None
        report = dataclasses.replace(MediaReport(**data), resumed=True)
        if report.settings != shot.to_json():
            return None
        name = report.file_sha256 if kept == stamp(path) else file_sha256(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report if name == report.file_sha256 else None


def _made_from(job: MediaJob) -> dict[str, str]:
    """Return what determines pictures besides settings and the machine."""
    versions = {"genba": importlib.metadata.version("genba"), "mujoco": mujoco.__version__}
    return {"physics_sha256": job.plan.physics_sha256, "shard_sha256": job.file_sha256} | versions


def _report_path(job: MediaJob, camera: str) -> Path:
    return Path(job.out) / "logs" / f"{media_name(job.shard.index, camera).removesuffix('.h5')}.json"


def _keep(job: MediaJob, report: MediaReport) -> MediaReport:
    data = {"made_from": _made_from(job), "stamp": stamp(Path(job.out) / MEDIA / report.name)}
    data |= dataclasses.asdict(report)
    write_whole(_report_path(job, report.camera), json.dumps(sealed(data), indent=1).encode())
    return report


def _film(job: MediaJob, shots: Sequence[Shot]) -> list[MediaReport]:
    from sim.render import renderer

    start = time.perf_counter()
    physics = Path(job.out) / SHARDS / job.shard.name
    if not job.trusted and file_sha256(physics) != job.file_sha256:
        raise DatasetError(f"{job.shard.name} is damaged: see genba validate {job.out}")
    task = load_task(job.shard.task, job.plan.home)
    drawer = renderer()
    drawn_by = drawer.backend, drawer.device
    folder = Path(job.out) / MEDIA
    folder.mkdir(exist_ok=True)
    frames: dict[Shot, int] = {}
    writers: dict[Shot, MediaWriter] = {}
    # from right to left: what is in the background is done before the files are closed
    with shard_episodes(physics, trusted=job.trusted) as episodes, ExitStack() as files, Background() as background:
        for shot in shots:
            header = _header(job, task, shot.camera)
            frames[shot] = sum(len(picture_steps(e, shot.stride)) for e in episodes)
            writer = MediaWriter(
                folder / header.name, header, shot, frames=frames[shot], background=background, drawn_by=drawn_by
            )
            writers[shot] = files.enter_context(writer)
        for episode in episodes:
            _film_episode(task, episode, writers)
        for writer in writers.values():
            writer.finish()
    wall = round(time.perf_counter() - start, 3)
    return [_report(job, shot, drawn_by, frames[shot], wall) for shot in shots]


def _report(job: MediaJob, shot: Shot, drawn_by: tuple[str, str], frames: int, wall_s: float) -> MediaReport:
    path = Path(job.out) / MEDIA / media_name(job.shard.index, shot.camera)
    return MediaReport(
        name=path.name,
        index=job.shard.index,
        camera=shot.camera,
        task=job.shard.task,
        settings=shot.to_json(),
        backend=drawn_by[0],
        device=drawn_by[1],
        episodes=job.shard.count,
        frames=frames,
        bytes=path.stat().st_size,
        file_sha256=file_sha256(path),
        wall_s=wall_s,
        host=socket.gethostname(),
    )


def _header(job: MediaJob, task: Task, camera: str) -> MediaHeader:
    return MediaHeader(
        dataset_id=job.plan.dataset_id,
        physics_sha256=job.plan.physics_sha256,
        shard=job.shard.index,
        task=task.name,
        camera=camera,
        genba_version=importlib.metadata.version("genba"),
        mujoco_version=mujoco.__version__,
    )


def picture_steps(episode: StoredEpisode, stride: int) -> NDArray[np.int64]:
    """Return the control steps at which an episode has pictures: the first, and every stride after it."""
    return np.arange(0, len(episode) + 1, stride) if len(episode) else np.zeros(0, np.int64)


def _film_episode(task: Task, episode: StoredEpisode, writers: Mapping[Shot, MediaWriter]) -> None:
    if not len(episode):
        for writer in writers.values():
            writer.begin(episode.id, None)
            writer.end()
        return
    found = rebuild(task, episode)
    known = tuple((s.name, s.label) for s in segments(found.model))
    for (preset, stride), shots in by_film(list(writers)).items():
        steps = picture_steps(episode, stride)
        states = states_at(task, found, episode, steps)
        times = steps * episode.control_ns
        with filming(found.model, shots, preset) as film:
            for shot in shots:
                near, far = film.ranges[shot.camera]
                writers[shot].begin(episode.id, Optics(film.k[shot.camera], near, far, known))
            for part in _blocks(len(steps), shots):
                taken = film.shoot(states[part])
                for shot in shots:
                    frames = taken[shot.camera]
                    writers[shot].append(frames.images, frames.t_world_cam, steps[part], times[part])
        for shot in shots:
            writers[shot].end()


@contextlib.contextmanager
def filming(model: mujoco.MjModel, shots: Sequence[Shot], preset: str) -> "Generator[Film]":
    """Put a scene before the cameras of some shots.

    Raises:
        DrawError: what is asked for cannot be drawn here.
    """
    from sim.render import renderer

    try:
        film = renderer().film(model, [shot.view for shot in shots], preset)
    except RenderError as error:
        raise DrawError(str(error)) from None
    try:
        yield film
    finally:
        film.close()


def _blocks(count: int, shots: Sequence[Shot]) -> list[slice]:
    """Cut an episode's pictures into parts of bounded size."""
    one = sum(s.width * s.height * (3 * ("rgb" in s.kinds) + 2 * len(s.kinds)) for s in shots)
    size = max(1, min(_BLOCK_FRAMES, _BLOCK_BYTES // one))
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]
