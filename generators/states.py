"""The physics states at the control steps that somebody wants to see: as recorded, or simulated again between."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.schema import DatasetError
from generators.stored import StoredEpisode
from sim import parameters
from sim.engine import Engine, scenario
from sim.errors import describe_error
from sim.model import model_sha256
from sim.scenario import Scenario
from sim.task import Task

Array = NDArray[Any]


def rebuild(task: Task, episode: StoredEpisode) -> Scenario:
    """Build an episode's scene anew from its parameters, and prove that it is the same.

    Raises:
        DatasetError: it is another model, or cannot be built.
    """
    where = f"{episode.shard}, episode {episode.id}"
    try:
        found = scenario(task, parameters.unflatten(task.Params, episode.parameters), episode.seed)
    except Exception as error:  # a task's own code runs here
        raise DatasetError(f"{where}: its scene cannot be built: {describe_error(error)}") from None
    if model_sha256(found.model) != episode.fact("model_sha256"):
        made = episode.header
        raise DatasetError(
            f"{where}: different model: task {made.task!r} builds another scene now than when this was recorded"
            f" (version {made.task_version}, genba {made.genba_version}, mujoco {made.mujoco_version})"
        )
    return found


def states_at(task: Task, found: Scenario, episode: StoredEpisode, steps: Array) -> NDArray[np.float64]:
    """Return an episode's states (n, size) of `sim.model.CONTROL` at some control steps.

    Args:
        task: the task.
        found: the episode's scene, from `rebuild`.
        episode: the episode.
        steps: (n,) control steps, ascending.
    """
    stride = episode.control_stride
    if not len(steps) or not (steps % stride).any():
        recorded = episode.array("state/control")
        return recorded[steps // stride]
    keyframe = int(np.flatnonzero(episode.array("state/keyframe_step") <= steps[0])[-1])
    return _simulated(task, found, episode, steps, keyframe)


def _simulated(task: Task, found: Scenario, episode: StoredEpisode, steps: Array, keyframe: int) -> NDArray[np.float64]:
    """Advance from a keyframe by the recorded actions."""
    first = int(episode.array("state/keyframe_step")[keyframe])
    actions, wanted, out = episode.actions, set(steps.tolist()), []
    with np.errstate(all="ignore"), Engine(task, [found], telemetry=False) as engine:
        engine.restore(episode.array("state/integration")[keyframe : keyframe + 1], first)
        ids = np.arange(1)
        for t in range(first, int(steps[-1]) + 1):
            if t > first:
                engine.advance(actions[t - 1 : t], ids)
            if t in wanted:
                out.append(engine.world.control()[0])
    return np.array(out)
