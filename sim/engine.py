"""n simulations of one task, advanced by control steps: actions in, judged states out.

Rollouts, replay and environments all advance through here, which is why they agree bit for bit. One control step is:
write the action, take the physics steps, read the instruments, scan the task's `logic`, count how long success holds.
"""

from collections.abc import Sequence
from typing import Any, Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import Samples
from sim.errors import ActionError, TaskError, unknown
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


def horizon_steps(task: Task) -> int:
    """Return the longest episode in control steps."""
    return round(task.horizon_s * task.control_hz)


class Engine:
    """A task's simulations, on one World.

    Args:
        task: the task.
        models: one compiled model per simulation.
        seeds: each simulation's episode seed.
        nthread: threads that share the simulations.
    """

    def __init__(self, task: Task, models: Sequence[mujoco.MjModel], seeds: Sequence[int], *, nthread: int = 1) -> None:
        self.task = task
        self.world = World(models, seeds, memory=task.memory, nthread=nthread)
        self.state = self.world.state
        self.nstep = substeps(task, models[0])
        self.actuators = policy_actuators(task, models[0])
        self._columns = np.array([models[0].actuator(a).id for a in self.actuators], np.intp)
        limits = np.array([[m.actuator(a).ctrlrange for a in self.actuators] for m in models])
        limited = np.array([[bool(m.actuator(a).ctrllimited[0]) for a in self.actuators] for m in models])
        self.low = np.where(limited, limits[..., 0], -np.inf)
        self.high = np.where(limited, limits[..., 1], np.inf)
        self.success: Array = np.zeros(len(models), bool)  # as the task judged the last control step
        self._hold = max(1, round(task.success_hold_s * task.control_hz))

    def reset(self) -> list[Samples]:
        """Put every simulation at its start; return sample 0 of every channel."""
        samples = self.world.reset()
        self.task.logic(self.state)
        return samples

    def restore(self, integration: NDArray[np.float64]) -> None:
        """Continue from recorded integration states (nsim, size)."""
        self.world.restore(integration)

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

    def advance(self, actions: NDArray[np.float32], t: int, ids: NDArray[np.intp]) -> list[Samples]:
        """Take control step t of some simulations; return the telemetry that came in.

        Args:
            actions: (nsim, nu) from `applied`.
            t: control steps taken before.
            ids: the simulations, ascending.
        """
        self.command(actions, ids)
        samples = self.world.step(self.nstep, t * self.nstep, ids)
        self.task.logic(self.state)
        self.success = self.task.success(self.state)
        held = self.world.held
        held[ids] = np.where(self.success[ids], held[ids] + 1, 0.0)
        return samples

    def succeeded(self) -> NDArray[np.bool_]:
        """Return where success has held for as long as the task asks (nsim,)."""
        return self.world.held >= self._hold

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
