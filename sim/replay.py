"""Replay recorded episodes exactly: the same model, the recorded start, the recorded actions, the same bits."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.distributions import Value
from sim.engine import Engine, scenario
from sim.episode import Episode
from sim.model import model_sha256
from sim.scenario import Scenario
from sim.task import Task

Array = NDArray[Any]
Watch = Callable[[int, Engine, NDArray[np.intp], NDArray[np.intp]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """What replay needs of an episode; names and shapes as in `sim.episode.Episode`."""

    seed: int
    parameters: Mapping[str, Value]
    model_sha256: str
    actions: Array
    observations: Mapping[str, Array]
    control: Array
    control_stride: int
    keyframe_steps: Array
    keyframes: Array


def recorded(episode: Episode) -> Recorded:
    """Take from a fresh episode what replay needs."""
    names = [f.name for f in dataclasses.fields(Recorded) if f.name != "control_stride"]
    return Recorded(control_stride=1, **{n: getattr(episode, n) for n in names})


def replays(
    task: Task,
    episodes: Sequence[Recorded],
    *,
    keyframe: int = 0,
    steps: int | None = None,
    watch: Watch | None = None,
) -> list[str]:
    """Replay episodes side by side and compare every state and observation bit by bit.

    Args:
        task: the task that was recorded.
        episodes: what was recorded; those of length 0 are trivially right.
        keyframe: which keyframe to start from; an episode without it is not replayed.
        steps: how many control steps to replay; None: to the end.
        watch: called after each control step with its number, the engine, its simulations that took the step, and
            which of the episodes they are; those that differ already take none.

    Returns:
        For each episode "" where it is bitwise the same, else the first difference: "different model", or the step and
        the column.
    """
    findings = [""] * len(episodes)
    rows: list[int] = []
    scenarios: list[Scenario] = []
    for i, episode in enumerate(episodes):
        if len(episode.keyframe_steps) <= keyframe or not len(episode.actions):
            continue
        found = scenario(task, parameters.unflatten(task.Params, episode.parameters), episode.seed)
        if model_sha256(found.model) != episode.model_sha256:
            findings[i] = "different model"
            continue
        rows.append(i)
        scenarios.append(found)
    if rows:
        with np.errstate(all="ignore"), Engine(task, scenarios, telemetry=False) as engine:
            which = np.array(rows)
            told = None if watch is None else lambda t, ids: watch(t, engine, ids, which[ids])
            for row, finding in enumerate(_compare(engine, [episodes[i] for i in rows], keyframe, steps, told)):
                findings[rows[row]] = finding
    return findings


def _compare(
    engine: Engine,
    episodes: Sequence[Recorded],
    keyframe: int,
    steps: int | None,
    watch: Callable[[int, NDArray[np.intp]], None] | None,
) -> list[str]:
    findings = [""] * len(episodes)
    first = int(episodes[0].keyframe_steps[keyframe])
    engine.restore(np.array([e.keyframes[keyframe] for e in episodes]), first)
    lengths = np.array([len(e.actions) for e in episodes])
    if steps is not None:
        lengths = np.minimum(lengths, first + steps)
    actions = np.zeros(engine.low.shape, np.float32)
    for t in range(first, int(lengths.max()) + 1):
        state, seen = engine.world.control(), engine.columns.split(engine.observe())
        if t == first > 0:  # what was seen there may describe the step before, which is not replayed: peaks, forces
            seen = {}
        for row in np.flatnonzero(lengths >= t).tolist():
            if not findings[row]:
                findings[row] = _difference(episodes[row], t, state[row], {k: v[row] for k, v in seen.items()})
            if not findings[row] and t in episodes[row].keyframe_steps:
                findings[row] = _keyframe_difference(episodes[row], t, engine.world.integration()[row])
        ids = np.flatnonzero((lengths > t) & [not f for f in findings])
        if not len(ids):
            break
        for row in ids.tolist():
            actions[row] = episodes[row].actions[t]
        engine.advance(actions, ids)
        if watch is not None:
            watch(t, ids)
    return findings


def _keyframe_difference(episode: Recorded, t: int, state: Array) -> str:
    expected = episode.keyframes[np.flatnonzero(episode.keyframe_steps == t)[0]]
    return "" if state.tobytes() == expected.tobytes() else f"step {t}: /state/integration differs"


def _difference(episode: Recorded, t: int, state: Array, seen: Mapping[str, Array]) -> str:
    stride = episode.control_stride
    if t % stride == 0 and state.tobytes() != episode.control[t // stride].tobytes():
        return f"step {t}: /state/control differs"
    for name, value in seen.items():
        if value.tobytes() != episode.observations[name][t].tobytes():
            return f"step {t}: /obs/{name} differs"
    return ""
