"""How a crane with a C-hook picks up a coil, carries it and sets it down; by what is measured.

The scene's sensors are Hook.ActualPosition, Coil.ActualPosition and Target.Position, all in the trolley's frame.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines import c_hook
from scenes.machines.crane import GRAVITY
from scenes.machines.crane_pilot import Pilot
from scenes.stock import Coil
from sim.task import Command

Array = NDArray[Any]

PHASES = ("approach", "lower", "align", "insert", "lift", "travel", "set_down", "release", "retract")
STANDOFF = 0.4  # m, arm's tip to coil before it goes in and after it came out
CLEARANCE = 0.35  # m, carried coil above stacked coils
_HOVER = 0.12  # m above the saddle where the coil is aligned
_CREEP = 0.03  # m/s, hoisting while load comes on or off
_INCHING = 0.3  # m/s, travel beside coils


@dataclasses.dataclass(slots=True)
class CoilHandler:
    """A pilot with a coil to move.

    Attributes:
        pilot: at the controls.
        coil: as the work order says.
        rise: by how much the coil is raised before it travels, m.
        haste: how much faster the hook creeps than it should.
        off_centre: how far short of the coil's middle the arm stops, m.
        trims_load: whether sway is damped by camera when the hook is loaded, too.
        mistaken: way from the coil to another that is taken for it (3,), m.
        tare: load on the load cells when the hook is empty, N; measured on the way.
    """

    pilot: Pilot
    coil: Coil
    rise: float
    haste: float = 1.0
    off_centre: float = 0.0
    trims_load: bool = True
    mistaken: Array = dataclasses.field(default_factory=lambda: np.zeros(3))
    tare: float = c_hook.TARE

    def fetch(self) -> Iterator[Command]:
        """Bring the arm into the bore."""
        pilot = self.pilot
        before = np.array([0.0, self.coil.width / 2 + c_hook.ARM_REACH + STANDOFF, 0.0])
        yield from pilot.damp("approach", tolerance=0.03)
        self.tare += float((yield from pilot.look(lambda: np.array(self.payload()), 0.5, "approach")))
        way = (yield from pilot.look(self.to_coil, 0.5, "approach")) - before
        yield from pilot.travel(way[:2], "approach")
        way = yield from pilot.look(self.to_coil, 0.5, "lower")
        yield from pilot.hoist(way[2], "lower")
        rest = yield from self.settle(self.to_coil, before, "align", tolerance=0.04)
        yield from pilot.hoist(rest[2], "align", speed=0.05)
        into = np.array([0.0, self.off_centre, 0.0])
        yield from pilot.travel((rest + before - into)[:2], "insert", speed=_INCHING)
        yield from self.settle(self.to_coil, into, "insert", tolerance=0.02)

    def work(self) -> Iterator[Command]:
        """Do all of it."""
        yield from self.fetch()
        yield from self.lift()
        yield from self.carry()
        yield from self.set_down()

    def lift(self) -> Iterator[Command]:
        """Take the weight, then raise the coil above its neighbours."""
        pilot, creep = self.pilot, _CREEP * self.haste
        yield from pilot.creep(creep, lambda: self.payload() > 0.1 * self.weight, "lift")
        yield from pilot.creep(creep, lambda: self.payload() > 0.97 * self.weight, "lift", patience=4.0)
        mass = float((yield from pilot.look(lambda: np.array(self.payload()), 0.5, "lift"))) / GRAVITY
        drop = c_hook.ARM_DROP - c_hook.ARM_HALF[2] + self.coil.bore / 2
        inertia = [i / self.coil.mass for i in self.coil.inertia]
        pilot.swing = lambda axis: c_hook.swing(axis, (mass, drop, mass * inertia[axis]))
        yield from pilot.hoist(self.rise, "lift")
        pilot.trimmed = self.trims_load
        yield from pilot.level("lift")
        yield from pilot.damp("lift", tolerance=0.03)

    def carry(self) -> Iterator[Command]:
        """Bring the coil over the target saddle."""
        way = yield from self.pilot.look(self.to_target, 0.5, "travel")
        yield from self.pilot.travel(way[:2], "travel")
        yield from self.pilot.damp("travel", tolerance=0.03)

    def set_down(self) -> Iterator[Command]:
        """Lower the coil onto the saddle, and leave it."""
        pilot, creep = self.pilot, _CREEP * self.haste
        way = yield from pilot.look(self.to_target, 1.0, "set_down")
        yield from pilot.hoist(way[2] + _HOVER, "set_down", beside=pilot.plan(way[:2], speed=_INCHING))
        yield from self.settle(self.to_target, np.zeros(3), "set_down", tolerance=0.01)
        yield from pilot.creep(-creep, lambda: self.payload() < 0.05 * self.weight, "set_down")
        yield from pilot.creep(-2 * creep, lambda: self.to_coil()[2] > -0.01, "release", patience=15.0)
        pilot.swing = c_hook.swing
        yield from pilot.wait(0.6, "release")
        back = np.array([0.0, -(self.coil.width / 2 + c_hook.ARM_REACH + STANDOFF)])
        yield from pilot.travel(back, "retract", speed=_INCHING)
        yield from pilot.wait(5.0, "retract")

    def settle(
        self, read: Callable[[], Array], goal: Array, phase: str, *, tolerance: float
    ) -> Generator[Command, None, Array]:
        """Correct until what is read, m, is calm and at its goal in the plan; return what is missing then (3,)."""
        missing = np.zeros(3)
        for _ in range(4):
            yield from self.pilot.damp(phase, tolerance=tolerance)
            missing = (yield from self.pilot.look_long(read, phase)) - goal
            if float(np.hypot(missing[0], missing[1])) < tolerance:
                break
            yield from self.pilot.travel(missing[:2], phase, speed=_INCHING)
        return missing

    @property
    def weight(self) -> float:
        """The coil's weight by the work order, N."""
        return self.coil.mass * GRAVITY

    def to_coil(self) -> Array:
        """Return the measured way from the arm to what is taken for the coil (3,), m."""
        s = self.pilot.s
        return s.sensor("Coil.ActualPosition") - s.sensor("Hook.ActualPosition") + self.mistaken

    def to_target(self) -> Array:
        """Return the measured way from the coil to the target (3,), m."""
        s = self.pilot.s
        return s.sensor("Target.Position") - s.sensor("Coil.ActualPosition")

    def payload(self) -> float:
        """Return the measured load beyond the empty hook's, N."""
        s = self.pilot.s
        return sum(float(s.sensor(f"Hoist.LoadCell{i}")[0]) for i in range(1, 5)) - self.tare
