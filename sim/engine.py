"""n simulations of one task, advanced by control steps: actions in, judged states out.

Rollouts, replay and environments all advance through here, which is why they agree bit for bit. One control step is:
write the action, let the task's `laws` set what they drive, take the physics steps, read the instruments, scan the
task's `logic`, count how long success holds.
"""

import functools
from collections.abc import Sequence
from typing import Any, Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.columns import Columns
from sim.episode import Recorder
from sim.errors import ActionError, TaskError, unknown
from sim.instruments import Samples
from sim.model import compile_model
from sim.scenario import Scenario
from sim.task import Task
from sim.world import World

Array = NDArray[Any]


def substeps(task: Task, model: mujoco.MjModel) -> int:
    """Return the physics steps per control step.

    Raises:
        TaskError: the control period is no whole number of physics steps.
    """
    ratio = 1.0 / (task.control_hz * model.opt.timestep)
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
        raise TaskError(
            f"task {task.name!r}: control_hz {task.control_hz:g} gives {ratio:g} physics steps of"
            f" {model.opt.timestep:g} s per control step; it must be a whole number"
        )
    return round(ratio)


def scenario(task: Task, p: Any, seed: int) -> Scenario:  # noqa: ANN401 - p is an instance of task.Params
    """Build and compile a task's scene with parameters p, for the episode of a seed."""
    return Scenario(compile_model(task.build(p), task.memory), seed)


def horizon_steps(task: Task) -> int:
    """Return the longest episode in control steps."""
    return round(task.horizon_s * task.control_hz)


class Engine:
    """A task's simulations, on one World.

    Args:
        task: the task.
        scenarios: one per simulation, from `scenario`.
        telemetry: False where nobody records it: `advance` then returns only each channel's latest sample.
        nthread: threads that share the simulations.

    Attributes:
        steps: (nsim,) control steps that each simulation has taken.
        success: (nsim,) as the task judged the last control step.
    """

    def __init__(self, task: Task, scenarios: Sequence[Scenario], *, telemetry: bool = True, nthread: int = 1) -> None:
        self.task = task
        model, nsim = scenarios[0].model, len(scenarios)
        self.world = World(scenarios, memory=task.memory, driven=task.driven, telemetry=telemetry, nthread=nthread)
        self.state = self.world.state
        self.nstep = substeps(task, model)
        self.actuators = policy_actuators(task, model)
        self._columns = np.array([model.actuator(a).id for a in self.actuators], np.intp)
        self.low, self.high = np.zeros((2, nsim, len(self.actuators)))
        self.steps = np.zeros(nsim, np.int64)
        self.success: Array = np.zeros(nsim, bool)
        self._hold = max(1, round(task.success_hold_s * task.control_hz))
        self._all = np.arange(nsim)
        self._limit(self._all)

    @functools.cached_property
    def columns(self) -> Columns:
        """Where each observation is in the rows of `observe`, and its bounds."""
        bounds = {n: (f.low, f.high) for n, f in self.task.features.items()}
        return Columns(self.task.observe(self.state), bounds)

    @functools.cached_property
    def signal_columns(self) -> Columns:
        """Where each signal is in the rows of `signals`."""
        return Columns(self.task.signals(self.state), {})

    def signals(self) -> NDArray[np.float32]:
        """Return what the controller reports, rows (nsim, width); see `signal_columns`."""
        return self.signal_columns.pack(self.task.signals(self.state))

    def observe(self) -> NDArray[np.float32]:
        """Return what policies see, and what is recorded: rows (nsim, width) of their own; see `columns`."""
        return self.columns.pack(self.task.observe(self.state))

    def replace(self, ids: NDArray[np.intp], scenarios: Sequence[Scenario]) -> None:
        """Give some simulations other scenarios; `reset` them next."""
        self.world.replace(ids, scenarios)
        self._limit(ids)

    def reset(self, ids: NDArray[np.intp] | None = None) -> list[Samples]:
        """Put some simulations, or all, at their start; return sample 0 of every channel."""
        ids = self._all if ids is None else ids
        samples = self.world.reset(ids)
        self.steps[ids] = 0
        others = np.delete(self._all, ids)
        world = self.world
        kept, own = world.batch.state[others], world.own[others]
        self.task.logic(self.state)
        world.batch.state[others], world.own[others] = kept, own  # theirs was scanned already
        return samples

    def restore(self, integration: NDArray[np.float64], steps: int | NDArray[np.int64]) -> None:
        """Continue from recorded integration states (nsim, size), taken after some control steps."""
        self.world.restore(integration)
        self.steps[:] = steps

    def applied(self, actions: Array) -> NDArray[np.float32]:
        """Return the actions (nsim, nu) as they will be applied and recorded: inside their range, float32.

        Raises:
            ActionError: the shape is wrong.
        """
        if actions.shape != self.low.shape:
            raise ActionError(f"actions need shape {self.low.shape}, got {actions.shape}")
        return np.clip(actions, self.low, self.high).astype(np.float32)

    def command(self, actions: NDArray[np.float32], ids: NDArray[np.intp]) -> None:
        """Write actions (nsim, nu) to the policy's actuators of some simulations."""
        self.world.ctrl[ids[:, None], self._columns] = actions[ids]

    def advance(self, actions: NDArray[np.float32], ids: NDArray[np.intp]) -> list[Samples]:
        """Take one control step of some simulations; return the telemetry that came in.

        Args:
            actions: (nsim, nu) from `applied`.
            ids: the simulations, ascending.
        """
        self.command(actions, ids)
        if self.world.driven:
            self.task.laws(self.state)
        samples = self.world.step(self.nstep, self.steps[ids] * self.nstep, ids)
        self.steps[ids] += 1
        if self.world.sleeps and len(recorded := ids[self.steps[ids] % Recorder.KEYFRAME_EVERY == 0]):
            self.world.wake(recorded)  # replay that starts from this state finds all awake
        self.task.logic(self.state)
        self.success = self.task.success(self.state)
        held = self.world.held
        held[ids] = np.where(self.success[ids], held[ids] + 1, 0.0)
        return samples

    def succeeded(self) -> NDArray[np.bool_]:
        """Return where success has held for as long as the task asks (nsim,)."""
        return self.world.held >= self._hold

    def _limit(self, ids: NDArray[np.intp]) -> None:
        """Read off the actuators' ranges."""
        for row in ids.tolist():
            self.low[row], self.high[row] = self.world.scenarios[row].limits[:, self._columns]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.world.close()


def policy_actuators(task: Task, model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the names of the actuators that the policy commands.

    Raises:
        UnknownNameError: the task names one that the model lacks.
    """
    names = [model.actuator(i).name for i in range(model.nu)]
    for name in task.actuators or ():
        if name not in names:
            raise unknown("actuator", name, names)
    return task.actuators if task.actuators is not None else tuple(names)
