"""What a page says of how a task is done: by the expert, by chance, by worse experts; and how fast it is computed."""

import collections
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from generators.plays import Expert, Play, Random, phase_means, play, rises
from generators.speed.physics import Speed, measure_speed
from scenes import anchors
from scenes.anchors import Anchor
from sim.distributions import Value
from sim.episode import Episode, Outcome
from sim.rollout import rollouts
from sim.task import Task

AT_ONCE = 10  # episodes
SPEED_SEEDS = 2

Done = Callable[[float], None]  # told the share that is done


class Ending(NamedTuple):
    """How a failed episode ended.

    Attributes:
        failure: the name.
        mode: how the expert was made worse.
        seed: the episode's.
        seconds: into the episode.
        parameters: of the scene.
        state: the last, a row of `sim.model.CONTROL`.
    """

    failure: str
    mode: str
    seed: int
    seconds: float
    parameters: Mapping[str, Value]
    state: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a task.

    Attributes:
        task: the task.
        expert: the expert's episodes on seeds 0 to n - 1, over the horizon.
        chance: the random policy's on the same.
        degraded: (mode, failure or other outcome) -> how many of the episodes of worse experts ended so.
        endings: one for each way to fail that was seen.
        speed: of the physics.
        anchors: module -> what was measured; None where nothing was.
    """

    task: Task
    expert: tuple[Play, ...]
    chance: tuple[Play, ...]
    degraded: Mapping[tuple[str, str], int]
    endings: tuple[Ending, ...]
    speed: Speed
    anchors: Mapping[str, tuple[Anchor, ...]] | None

    @property
    def done(self) -> tuple[Play, ...]:
        """The expert's episodes that succeed."""
        return tuple(p for p in self.expert if p.first >= 0)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """How long the expert takes (successes,), s."""
        return np.array([(p.first + 1) / self.task.control_hz for p in self.done])

    @property
    def phase_means(self) -> NDArray[np.float64]:
        """Mean reward of each phase (successes, phases)."""
        count = len(self.task.phases)
        return np.array([phase_means(p.rewards, p.phases, count) for p in self.done]).reshape(-1, count)

    @property
    def rising(self) -> int:
        """In how many of the expert's successes no phase is paid less than the one before it."""
        return sum(rises(means) for means in self.phase_means)


def measure(task: Task, *, seeds: int, degraded: int, anchored: bool, done: Done) -> Measured:
    """Measure a task.

    Args:
        task: the task.
        seeds: how many episodes of the expert, and of chance.
        degraded: how many episodes of worse experts.
        anchored: whether anchors are measured.
        done: told how far it is, 0 to 1.
    """
    numbers = range(seeds)
    experts, chances = [], []
    for part in _parts(numbers):
        experts += play(task, [(seed, Expert) for seed in part])
        done(0.35 * len(experts) / seeds)
    for part in _parts(numbers):
        chances += play(task, [(seed, Random) for seed in part])
        done(0.35 + 0.2 * len(chances) / seeds)
    counts, endings = _degraded(task, degraded, lambda share: done(0.55 + 0.2 * share))
    speed = measure_speed(task, range(SPEED_SEEDS), rounds=3)
    done(0.9)
    found = {name: measured(name) for name in anchors.vouching(task.name)} if anchored else None
    done(1.0)
    return Measured(task, tuple(experts), tuple(chances), counts, endings, speed, found)


@functools.cache
def measured(module: str) -> tuple[Anchor, ...]:
    """Measure a module of anchors, once for all the tasks it vouches for."""
    return tuple(anchors.load(module).measure())


def _parts(numbers: range) -> list[range]:
    return [numbers[i : i + AT_ONCE] for i in range(0, len(numbers), AT_ONCE)]


def _degraded(task: Task, count: int, done: Done) -> tuple[dict[tuple[str, str], int], tuple[Ending, ...]]:
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    endings: dict[str, Ending] = {}
    for part in _parts(range(count if task.degradations else 0)):
        for episode in rollouts(task, part, degraded=1.0):
            mode = task.degradations[episode.expert_mode - 1]
            counts[mode, _name(task, episode)] += 1
            if episode.fail_code and len(episode):
                ending = _ending(task, episode, mode)
                endings.setdefault(ending.failure, ending)
        done((part[-1] + 1) / count)
    return dict(counts), tuple(endings[name] for name in task.failures if name in endings)


def _name(task: Task, episode: Episode) -> str:
    """Return how an episode ended: the failure, or the outcome where it is none of the task's own."""
    if episode.outcome == Outcome.FAILURE and episode.fail_code:
        return task.failures[episode.fail_code - 1]
    if episode.outcome == Outcome.FAILURE:
        return "no success"  # the expert was done
    return Outcome(episode.outcome).name.lower().replace("_", " ")


def _ending(task: Task, episode: Episode, mode: str) -> Ending:
    seconds = len(episode) / task.control_hz
    return Ending(
        _name(task, episode), mode, episode.seed, seconds, dict(episode.parameters), episode.control[-1].copy()
    )


def outcomes(task: Task, counts: Mapping[tuple[str, str], int]) -> Sequence[str]:
    """Return the ways to end that were seen or are named, success first."""
    seen = {name for _, name in counts}
    return [*(["success"] if "success" in seen else []), *task.failures, *sorted(seen - {"success", *task.failures})]
