"""The physics of recorded episodes and nothing else, to time against all that genba does beside it."""

from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.driven import DrivenFields
from sim.engine import Engine, scenario
from sim.episode import Episode
from sim.model import INTEGRATION
from sim.scenario import Scenario
from sim.task import Task

Array = NDArray[np.float64]


class _Run(NamedTuple):
    """One episode, ready to be stepped.

    Attributes:
        model: its own copy where laws drive numbers of it.
        data: its simulation.
        start: integration state.
        ctrl: (steps, nu) controls of all actuators.
        driven: the numbers that laws drive; none for most tasks.
        values: (steps, ...) of each.
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    start: Array
    ctrl: Array
    driven: DrivenFields
    values: dict[str, Array]


class BarePhysics:
    """The same models, controls, driven numbers and substeps as of some recorded episodes.

    Args:
        task: the task.
        episodes: of it, recorded.

    Attributes:
        steps: how many control steps `run` takes.
        substeps: how many physics steps these are.
    """

    def __init__(self, task: Task, episodes: Sequence[Episode]) -> None:
        played = [e for e in episodes if len(e)]
        starts = [scenario(task, parameters.unflatten(task.Params, e.parameters), e.seed) for e in played]
        actions = np.zeros((max(map(len, played)), len(played), played[0].actions.shape[1]), np.float32)
        for row, e in enumerate(played):
            actions[: len(e), row] = e.actions
        lengths = np.array([len(e) for e in played])
        ctrl: list[Array] = []
        values: dict[str, list[Array]] = {name: [] for name in task.driven}
        with np.errstate(all="ignore"), Engine(task, starts, telemetry=False) as engine:
            engine.reset()
            for t, applied in enumerate(actions):
                ids = np.flatnonzero(lengths > t)
                engine.command(applied, ids)
                if values:
                    task.laws(engine.state)  # they may write controls, too
                ctrl.append(engine.world.ctrl.copy())
                for name, kept in values.items():
                    kept.append(engine.world.driven.values[name].copy())
                engine.advance(applied, ids)
            self._nstep = engine.nstep
        self.steps = int(lengths.sum())
        self.substeps = self._nstep * self.steps
        self._runs = [
            _run(
                task,
                starts[row],
                np.array([c[row] for c in ctrl[:n]]),
                {k: [v[row] for v in vs[:n]] for k, vs in values.items()},
            )
            for row, n in enumerate(lengths.tolist())
        ]

    def run(self) -> None:
        """Step through all episodes."""
        row = np.arange(1)
        for run in self._runs:
            mujoco.mj_setState(run.model, run.data, run.start, INTEGRATION)
            for t, ctrl in enumerate(run.ctrl):
                for name, value in run.values.items():
                    run.driven.values[name][0] = value[t]
                if run.values:
                    run.driven.write(row)
                run.data.ctrl[:] = ctrl
                mujoco.mj_step(run.model, run.data, nstep=self._nstep)


def _run(task: Task, start: Scenario, ctrl: Array, values: dict[str, list[Array]]) -> _Run:
    driven = DrivenFields(task.driven, [start.model])
    model = driven.models[0]
    return _Run(model, mujoco.MjData(model), start.start, ctrl, driven, {n: np.array(v) for n, v in values.items()})
