"""What a scene author writes: a `Task`, one class that builds a scene, judges it and can do it.

A task holds no state. Everything an episode must remember is in the simulation (`State.memory`), so that one task
object serves any number of simulations, and functions of `State` index trailing axes with `...` and serve one
simulation, a batch and the recorder alike.
"""

from __future__ import annotations

import abc
import functools
import math
import pkgutil
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.driven import Driven
from sim.errors import TaskError, describe_error
from sim.state import State

Array = NDArray[Any]


class Command(NamedTuple):
    """What an expert does for one control step.

    Attributes:
        ctrl: (number of the task's actuators,) in the actuators' units.
        phase: one of the task's phases.
    """

    ctrl: Array
    phase: str


class Feature(NamedTuple):
    """What a recorded observation or signal means.

    Attributes:
        unit: SI unit, "1" for a ratio or a bit.
        frame: the frame a vector is given in, else "".
        names: of the components.
        doc: one sentence.
        low: least value that can be observed, for all components or each; what is beyond is clipped.
        high: greatest value that can be observed.
    """

    unit: str
    frame: str = ""
    names: tuple[str, ...] = ()
    doc: str = ""
    low: float | tuple[float, ...] = -math.inf
    high: float | tuple[float, ...] = math.inf


class Task(abc.ABC):
    """A scene with a goal. Concrete tasks are final: a variant is another small task that shares functions.

    Class attributes:
        name: "family/task", lower case.
        version: raised whenever the data changes meaning.
        control_hz: control steps per second.
        horizon_s: longest episode, s.
        success_hold_s: how long success must last to count; the engine keeps the time.
        phases: what the expert goes through.
        Params: frozen dataclass of `sim.parameters.param` fields.
        actuators: those the policy commands, in this order; None for all.
        failures: names of the ways to fail; `failure` returns 1 for the first.
        degradations: ways the expert can be made worse.
        memory: named slots of one number each, zero at the start, for what `logic` must remember.
        driven: fields of the model that `laws` write, by names of the task's own.
        features: unit, frame and names of every observation and signal.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    control_hz: ClassVar[float]
    horizon_s: ClassVar[float]
    phases: ClassVar[tuple[str, ...]]
    Params: ClassVar[type]
    success_hold_s: ClassVar[float] = 0.0
    actuators: ClassVar[tuple[str, ...] | None] = None
    failures: ClassVar[tuple[str, ...]] = ()
    degradations: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[tuple[str, ...]] = ()
    driven: ClassVar[Mapping[str, Driven]] = {}
    features: ClassVar[Mapping[str, Feature]] = {}

    def __init_subclass__(cls) -> None:
        """Check the class attributes, once, where the class is defined."""
        for base in cls.__mro__[1:]:
            if base is not Task and issubclass(base, Task):
                raise TaskError(f"{cls.__name__}: a concrete task is final; share functions, not {base.__name__}")
        needed = ("name", "version", "control_hz", "horizon_s", "phases", "Params")
        missing = [a for a in needed if not hasattr(cls, a)]
        if missing:
            raise TaskError(f"task {cls.__name__} lacks {', '.join(missing)}")
        if not re.fullmatch(r"[a-z0-9_]+/[a-z0-9_]+", cls.name):
            raise TaskError(f"task {cls.__name__}: name {cls.name!r} is not of the form 'family/task'")

    @abc.abstractmethod
    def build(self, p: Any) -> mujoco.MjSpec:  # noqa: ANN401 - p is an instance of cls.Params
        """Make the scene. All variation enters here; goals are sites, the start is keyframe 0."""

    @abc.abstractmethod
    def observe(self, s: State) -> dict[str, Array]:
        """Return what a policy sees, each (..., dim)."""

    @abc.abstractmethod
    def success(self, s: State) -> Array:
        """Return whether the goal is met now, bool (...)."""

    @abc.abstractmethod
    def expert(self, s: State, p: Any, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:  # noqa: ANN401
        """Do the task: one command per control step, until done.

        Args:
            s: one simulation, live.
            p: its parameters, which only experts may read.
            mode: "nominal" or one of the degradations.
            rng: the episode's policy stream.
        """

    def failure(self, s: State) -> Array:
        """Return 0, or k where failures[k - 1] happened, int (...)."""
        return np.zeros(np.shape(s.time), int)

    def reward(self, s: State) -> Array:
        """Return the reward of the control step that led here, (...)."""
        return self.success(s).astype(float)

    def logic(self, s: State) -> None:
        """Scan the machine's controller once, after the physics of each control step: interlocks, brakes, memory."""

    def laws(self, s: State) -> None:
        """Write `s.driven(name)` before the physics of each control step: laws that MuJoCo's own elements lack.

        What is written must follow from positions, speeds, activations, controls and memory alone: it is not recorded,
        replay works it out again. Forces and accelerations are not to be read here.
        """

    def signals(self, s: State) -> dict[str, Array]:
        """Return what the controller reports at control rate, each (..., dim): bits, modes, slow values."""
        return {}

    def instructions(self, p: Any) -> dict[str, str]:  # noqa: ANN401 - p is an instance of cls.Params
        """Return the work order in words, by language ("en", "ja"), true of this episode's parameters."""
        return {"en": self.name, "ja": self.name}


@functools.cache
def resolve(address: str) -> Task:
    """Import "module:Class" and make an instance of it, one for all who ask.

    Raises:
        TaskError: no such class, or it is no task.
    """
    try:
        found = pkgutil.resolve_name(address)
    except (ImportError, AttributeError, ValueError) as error:
        raise TaskError(f"task {address!r} cannot be imported as 'module:Class': {describe_error(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise TaskError(f"{address!r} is no subclass of sim.task.Task")
    return found()
