"""Does recorded episodes again, for validation: the physics bit for bit, and some of the pictures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.filming import filming, picture_steps
from generators.media.codecs import LOSSLESS, VIDEO, decode_picture, encode_picture
from generators.media.reader import Shots
from generators.media.shots import DrawError, Shot
from generators.media_manifest import listed_shots
from generators.shifts import shifted
from generators.states import rebuild, states_at
from generators.stored import StoredEpisode
from sim.engine import Engine
from sim.episode import Outcome
from sim.errors import GenbaError, RenderError, describe_error
from sim.replay import replays
from sim.rollout import LANES
from sim.task import Task

LoadTask = Callable[[str], Task]

_REWARD = 1e-5  # relative, of float32


@dataclasses.dataclass(slots=True)
class Replayed:
    """What became of some episodes of one shard.

    Attributes:
        first: the first one's place in the dataset.
        findings: (lint, file, column, message) of what differs.
        verified: episodes that are the same, and are judged the same.
        redrawn: pictures that were drawn again and compared.
        notes: why others were not.
    """

    first: int
    findings: list[tuple[str, str, str, str]] = dataclasses.field(default_factory=list)
    verified: int = 0
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
                out.findings.append(("replay", shard, "", f"task {header.task!r} cannot be replayed: {versions}"))
                return out
            judge = _Judge(task, episodes)
            found = replays(task, [e.recorded() for e in episodes], watch=judge.watch)
            for episode, message in zip(episodes, found, strict=True):
                if message:
                    out.findings.append(_explained(task, episode, message))
        except Exception as error:  # a task's own code runs here
            which = f"episodes {episodes[0].id} to {episodes[-1].id} cannot be replayed"
            out.findings.append(("replay", shard, "", f"{which}: {describe_error(error)}"))
            return out
        same = [e for e, message in zip(episodes, found, strict=True) if not message]
        judged = [f for f, message in zip(judge.findings(), found, strict=True) if not message]
        out.findings += [finding for part in judged for finding in part]
        out.verified = sum(not part for part in judged)
        shots = {s.camera: s for s in listed_shots(data.manifest.get("media", {})).get(name, ())}
        for camera in episodes[0].cameras:
            for episode in same:
                _redraw(task, episode, shots[camera], out)
    return out


def _explained(task: Task, episode: StoredEpisode, message: str) -> tuple[str, str, str, str]:
    """Say why an episode replays differently: another model, columns off by one, or just that."""
    told = f"episode {episode.id} replays differently: {message}"
    if message == "different model":
        return "model", episode.shard, "", told
    where = message.partition(": /")[2].removesuffix(" differs")
    shift, lag = shifted(task, episode.recorded())
    if lag:
        side = "after" if lag < 0 else "before"
        return "off-by-one", episode.shard, shift, f"{told}; its rows are those of the control step {side}"
    return "replay", episode.shard, where, told


class _Judge:
    """Judges every replayed state again, and compares with what was recorded of it.

    Args:
        task: the task.
        episodes: what is replayed.
    """

    def __init__(self, task: Task, episodes: Sequence[StoredEpisode]) -> None:
        self._task, self._episodes = task, episodes
        shapes = [len(e) for e in episodes]
        self._success = [np.zeros(n, bool) for n in shapes]
        self._held = [np.zeros(n, bool) for n in shapes]
        self._failure = [np.zeros(n, np.int64) for n in shapes]
        self._reward = [np.zeros(n, np.float32) for n in shapes]

    def watch(self, t: int, engine: Engine, ids: NDArray[np.intp], which: NDArray[np.intp]) -> None:
        """Keep what the task says of the states after control step t (see `sim.replay.replays`)."""
        state, held = engine.state, engine.succeeded()
        failure, reward = self._task.failure(state), self._task.reward(state)
        for row, i in zip(ids.tolist(), which.tolist(), strict=True):
            self._success[i][t], self._held[i][t] = engine.success[row], held[row]
            self._failure[i][t], self._reward[i][t] = failure[row], reward[row]

    def findings(self) -> list[list[tuple[str, str, str, str]]]:
        """Return, of each episode, what was recorded and is judged otherwise now."""
        return [
            [("success-on-replay", e.shard, column, f"episode {e.id}, judged again: {what}") for column, what in found]
            for e, found in zip(self._episodes, map(self._differences, range(len(self._episodes))), strict=True)
        ]

    def _differences(self, i: int) -> list[tuple[str, str]]:
        episode, out = self._episodes[i], list[tuple[str, str]]()
        wrong = np.flatnonzero(episode.array("steps/success") != self._success[i])
        if len(wrong):
            t = int(wrong[0])
            out.append(("steps/success", f"success after step {t} is {bool(self._success[i][t])}"))
        if not np.allclose(episode.rewards, self._reward[i], rtol=_REWARD, atol=_REWARD):
            out.append(("steps/reward", "the rewards are others"))
        ended = np.flatnonzero((self._failure[i] > 0) | self._held[i])
        if len(ended) and ended[0] < len(episode) - 1:
            out.append(("episodes/length", f"it ends after step {int(ended[0])}, {len(episode)} are recorded"))
            return out
        code = int(self._failure[i][-1])
        outcome = Outcome.FAILURE if code else Outcome.SUCCESS if self._held[i][-1] else None
        recorded, said = episode.outcome, int(episode.fact("fail_code"))
        if (outcome or recorded) != recorded or (outcome is None and recorded is Outcome.SUCCESS):
            now = "no success" if outcome is None else outcome.name.lower()
            out.append(("episodes/outcome", f"it is {now}, recorded is {recorded.name.lower()}"))
        elif said != code:
            out.append(("episodes/fail_code", f"its fail code is {code}, recorded is {said}"))
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
            message = f"{where}: drawn again, {', '.join(differ)} differ"
            out.findings.append(("media-replay", episode.shard, "", message))
    except (DrawError, RenderError) as error:
        out.notes.add(f"pictures were not drawn again: {error}")
    except GenbaError as error:
        out.findings.append(("media-replay", episode.shard, "", f"{where}: {error}"))


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
