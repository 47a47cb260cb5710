"""What a task's episodes contain: the names, shapes and units of everything, read off its nominal scene."""

import dataclasses
import functools

import mujoco
import numpy as np

from sim import parameters
from sim.cameras import Lens, Segment, camera_id, camera_names, depth_range, segments
from sim.channels import Channel
from sim.engine import Engine, scenario
from sim.errors import TaskError, describe_error
from sim.model import CONTROL, INTEGRATION
from sim.task import Feature, Task


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One actuator that the policy commands.

    Attributes:
        name: the actuator.
        unit: unit of the command.
        low: least command that is applied; -inf for none.
        high: greatest command that is applied.
        doc: one sentence.
    """

    name: str
    unit: str
    low: float
    high: float
    doc: str


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The contents of every episode of a task.

    Attributes:
        task: the task's name.
        version: the task's version.
        timestep: one physics step, s.
        nstep: physics steps per control step.
        actions: what the policy commands, in order.
        observations: name -> dimension and meaning.
        signals: control-rate telemetry, name -> dimension and meaning.
        channels: physics-rate telemetry, name -> dimension and instrument.
        cameras: name -> its numbers.
        segments: what the numbers in a segmentation mean.
        control_size: numbers in a row of /state/control (`sim.model.CONTROL`).
        integration_size: numbers in a keyframe (`sim.model.INTEGRATION`).
    """

    task: str
    version: int
    timestep: float
    nstep: int
    actions: tuple[Action, ...]
    observations: dict[str, tuple[int, Feature]]
    signals: dict[str, tuple[int, Feature]]
    channels: dict[str, tuple[int, Channel]]
    cameras: dict[str, Lens]
    segments: tuple[Segment, ...]
    control_size: int
    integration_size: int


@functools.lru_cache(maxsize=8)
def layout(task: Task) -> Layout:
    """Read a task's layout off its scene at nominal parameters.

    Raises:
        TaskError: the task cannot build, start or observe even that.
    """
    fields = parameters.describe(task.Params)
    p = parameters.unflatten(task.Params, {n: f.distribution.nominal for n, f in fields.items()})
    try:
        with np.errstate(all="ignore"), Engine(task, [scenario(task, p, 0)]) as engine:
            engine.reset()
            return _layout(engine)
    except Exception as error:
        raise TaskError(f"task {task.name!r} does not work at nominal parameters: {describe_error(error)}") from error


def _layout(engine: Engine) -> Layout:
    task, model = engine.task, engine.world.scenarios[0].model
    seen, signals = task.observe(engine.state), task.signals(engine.state)
    return Layout(
        task=task.name,
        version=task.version,
        timestep=float(model.opt.timestep),
        nstep=engine.nstep,
        actions=tuple(
            Action(name, _meaning(task, name).unit, float(low), float(high), _meaning(task, name).doc)
            for name, low, high in zip(engine.actuators, engine.low[0], engine.high[0], strict=True)
        ),
        observations={n: (v[0].size, _meaning(task, n)) for n, v in seen.items()},
        signals={n: (v[0].size, _meaning(task, n)) for n, v in signals.items()},
        channels={c.name: (int(model.sensor(c.name).dim[0]), c) for c in engine.world.instruments.channels},
        cameras={name: _lens(model, name) for name in camera_names(model)},
        segments=segments(model),
        control_size=mujoco.mj_stateSize(model, CONTROL),
        integration_size=mujoco.mj_stateSize(model, INTEGRATION),
    )


def _lens(model: mujoco.MjModel, name: str) -> Lens:
    i = camera_id(model, name)
    across, down = (int(n) for n in model.cam_resolution[i])
    width, height = model.cam_sensorsize[i].tolist()
    return Lens(float(model.cam_intrinsic[i, 0]), (width, height), (across, down), *depth_range(model, name))


def _meaning(task: Task, name: str) -> Feature:
    return task.features.get(name, Feature(""))
