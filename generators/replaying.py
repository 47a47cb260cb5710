"""Does recorded episodes again, for validation: the physics bit for bit, and some of the pictures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from generators.dataset import Dataset
from generators.filming import filming, picture_steps
from generators.media.codecs import LOSSLESS, VIDEO, decode_picture, encode_picture
from generators.media.reader import Shots
from generators.media.shots import DrawError, Shot
from generators.media_manifest import listed_shots
from generators.states import rebuild, states_at
from generators.stored import StoredEpisode
from sim.errors import GenbaError, RenderError, describe_error
from sim.replay import replays
from sim.rollout import LANES
from sim.task import Task

LoadTask = Callable[[str], Task]


@dataclasses.dataclass(slots=True)
class Replayed:
    """What became of some episodes of one shard.

    Attributes:
        first: the first one's place in the dataset.
        findings: (file, message) of what differs.
        redrawn: pictures that were drawn again and compared.
        notes: why others were not.
    """

    first: int
    findings: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    redrawn: int = 0
    notes: set[str] = dataclasses.field(default_factory=set)


def choose_groups(folder: Path, count: int, good: set[str]) -> list[list[int]]:
    """Choose episodes of the good shards; return their places in groups of one shard that can advance in step."""
    with Dataset(folder) as data:
        places = [i for i, e in enumerate(data) if e.shard in good and len(e)]
        if 0 <= count < len(places):
            places = sorted(np.random.default_rng(0).choice(places, count, replace=False).tolist())
        by_shard: dict[str, list[int]] = {}
        for i in places:
            by_shard.setdefault(data[i].shard, []).append(i)
    return [g[i : i + LANES] for g in by_shard.values() for i in range(0, len(g), LANES)]


def replay_group(folder: Path, load_task: LoadTask, names: Mapping[str, str], group: Sequence[int]) -> Replayed:
    """Replay episodes of one shard side by side, then draw some of their pictures again.

    Args:
        folder: the dataset's.
        load_task: finds a task by the name that dataset.json gives it.
        names: a task's own name -> that name.
        group: the episodes' places in the dataset.
    """
    out = Replayed(group[0])
    with Dataset(folder) as data:
        episodes = [data[i] for i in group]
        header, shard = episodes[0].header, episodes[0].shard
        name = names.get(header.task, header.task)
        try:
            task = load_task(name)
            if task.version != header.task_version:
                versions = f"version {header.task_version} was recorded, this is version {task.version}"
                out.findings.append((shard, f"task {header.task!r} cannot be replayed: {versions}"))
                return out
            found = replays(task, [e.recorded() for e in episodes])
        except Exception as error:  # a task's own code runs here
            which = f"episodes {episodes[0].id} to {episodes[-1].id} cannot be replayed"
            out.findings.append((shard, f"{which}: {describe_error(error)}"))
            return out
        for episode, message in zip(episodes, found, strict=True):
            if message:
                out.findings.append((shard, f"episode {episode.id} replays differently: {message}"))
        same = [e for e, message in zip(episodes, found, strict=True) if not message]
        shots = {s.camera: s for s in listed_shots(data.manifest.get("media", {})).get(name, ())}
        for camera in episodes[0].cameras:
            for episode in same:
                _redraw(task, episode, shots[camera], out)
    return out


def _redraw(task: Task, episode: StoredEpisode, shot: Shot, out: Replayed) -> None:
    """Draw an episode's first, middle and last picture of a camera again, and compare."""
    camera, where = shot.camera, f"episode {episode.id}, camera {shot.camera}"
    try:
        facts, stored = episode.camera_facts(camera), episode.shots(camera)
        here = _drawer()
        if here != (facts["backend"], facts["device"]):
            recorded = f"{facts['backend']} on {facts['device']}"
            out.notes.add(f"pictures of camera {camera!r} were drawn by {recorded}, here draws {' on '.join(here)}")
            return
        steps = picture_steps(episode, shot.stride)
        some = np.unique([0, len(steps) // 2, len(steps) - 1])
        found = rebuild(task, episode)
        with filming(found.model, [shot], shot.preset) as film:
            frames = film.shoot(np.concatenate([states_at(task, found, episode, steps[i : i + 1]) for i in some]))[
                camera
            ]
        out.redrawn += len(some)
        differ = [] if _same_pose(frames.t_world_cam, stored, some) else ["T_world_cam"]
        differ += [k for k in shot.kinds if not _same(episode, shot, k, some, frames.images[k], out)]
        if differ:
            out.findings.append((episode.shard, f"{where}: drawn again, {', '.join(differ)} differ"))
    except (DrawError, RenderError) as error:
        out.notes.add(f"pictures were not drawn again: {error}")
    except GenbaError as error:
        out.findings.append((episode.shard, f"{where}: {error}"))


def _drawer() -> tuple[str, str]:
    from sim.render import renderer

    return renderer().backend, renderer().device


def _same_pose(poses: np.ndarray, stored: Shots, some: np.ndarray) -> bool:
    return poses.tobytes() == stored.t_world_cam[some].tobytes()


def _same(episode: StoredEpisode, shot: Shot, kind: str, some: np.ndarray, drawn: np.ndarray, out: Replayed) -> bool:
    if kind == "rgb" and shot.encoding == VIDEO:
        out.notes.add(f"pictures of camera {shot.camera!r} are a video, which is not compared")
        return True
    for i, frame in zip(some.tolist(), drawn, strict=True):
        if kind == "rgb" and shot.encoding not in LOSSLESS:
            frame = decode_picture(encode_picture(frame, shot.encoding), shot.encoding, frame.shape)
        if frame.tobytes() != episode.images(shot.camera, kind, i, i + 1)[0].tobytes():
            return False
    return True
