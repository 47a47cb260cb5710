"""Finds out whether an episode that replays differently is one whose observations or actions are off by one step.

Observations are made anew from the recorded actions and compared with those of the steps beside. Actions are judged
by what they lead to: from a recorded state one control step is taken with the action of that step, of the one before
and of the one after, and the one that comes nearest to the next recorded state is the right one.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.engine import Engine, scenario
from sim.model import CONTROL, INTEGRATION
from sim.replay import Recorded
from sim.task import Task

Array = NDArray[Any]

_LAGS = (0, -1, 1)
_LOOKED_AT = 12  # states from which a step is taken
_SURE = 0.1  # of the error with the recorded action, which is at most left with the right one


def shifted(task: Task, episode: Recorded) -> tuple[str, int]:
    """Return which column of an episode is shifted and by how many rows; ("", 0) where none is.

    Args:
        task: the task that was recorded.
        episode: one of at least 10 control steps.
    """
    if len(episode.actions) < 10:
        return "", 0
    found = scenario(task, parameters.unflatten(task.Params, episode.parameters), episode.seed)
    with np.errstate(all="ignore"), Engine(task, [found], telemetry=False) as engine:
        if lag := _shifted_actions(engine, episode):
            return "steps/action", lag
        for name, seen in _observed(engine, episode).items():
            inner = np.arange(1, len(seen) - 1)
            agree = {lag: np.array_equal(seen[inner], episode.observations[name][inner + lag]) for lag in _LAGS}
            if not agree[0] and agree[-1] != agree[1]:
                return f"obs/{name}", -1 if agree[-1] else 1
    return "", 0


def _observed(engine: Engine, episode: Recorded) -> dict[str, Array]:
    """Return what is seen (T + 1, dim) when the recorded actions are applied from the start."""
    engine.restore(episode.keyframes[:1], 0)
    rows = [engine.observe()[0]]
    for t in range(len(episode.actions)):
        engine.advance(episode.actions[t : t + 1], np.arange(1))
        rows.append(engine.observe()[0])
    return engine.columns.split(np.array(rows))


def _shifted_actions(engine: Engine, episode: Recorded) -> int:
    """Return the lag of the action that leads from each state to the next; 0 where that is the recorded one."""
    changes = np.flatnonzero((episode.actions[1:] != episode.actions[:-1]).any(axis=-1)) + 1
    steps = [t for t in np.union1d(changes - 1, changes).tolist() if 1 <= t < len(episode.actions) - 1]
    if episode.control_stride > 1 or not steps:
        return 0
    some = [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, _LOOKED_AT).astype(int))]
    errors = np.array([[_error(engine, episode, t, lag) for lag in _LAGS] for t in some]).sum(axis=0)
    best = int(errors.argmin())
    return _LAGS[best] if errors[best] < _SURE * errors[0] else 0


def _error(engine: Engine, episode: Recorded, t: int, lag: int) -> float:
    """Return how far the state after one step, with the action of row t + lag, is from the recorded one."""
    model = engine.world.scenarios[0].model
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, episode.keyframes[0], INTEGRATION)
    mujoco.mj_setState(model, data, episode.control[t], CONTROL)
    whole = np.empty(mujoco.mj_stateSize(model, INTEGRATION))
    mujoco.mj_getState(model, data, whole, INTEGRATION)
    engine.restore(whole[None], t)
    engine.advance(episode.actions[t + lag : t + lag + 1], np.arange(1))
    return float(np.abs(engine.world.control()[0] - episode.control[t + 1]).sum())
