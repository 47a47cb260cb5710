"""How a crane with a magnet beam picks plates off a stack, carries them and sets them down; by what is measured.

The scene's sensors are Beam.ActualPosition, Plate.ActualPosition (the topmost) and Target.Position, all in the
trolley's frame, and those of `magnet_telemetry`.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines import magnet, magnet_telemetry
from scenes.machines.crane import GRAVITY
from scenes.machines.crane_pilot import Pilot
from scenes.machines.magnet import BACK, CURRENT, FLUX, FULL, GROUPS, TEAR_OFF
from scenes.stock_plates import Plate
from sim.task import Command

Array = NDArray[Any]

PHASES = ("approach", "lower", "energize", "test_lift", "lift", "travel", "set_down", "demagnetize", "retract")
HEIGHT = 0.1  # m, of the test lift
CLEARANCE = 0.45  # m, of the lowest plate above the higher pile
_SEATED = 0.02  # m up in the beam that magnets are left when they sit
_CREEP = 0.03  # m/s, hoisting while load comes on or off
_INCHING = 0.3  # m/s
_LEAST, _MOST = 0.75, 1.2  # of nominal force: the weakest and strongest magnets that are reckoned with
_HOLDS, _SHEDS = 1.3, 0.5  # pull over weight: what holds a plate, and what lets the next one lie
_AIR = 0.35e-3  # m between plates


@dataclasses.dataclass(slots=True)
class PlateHandler:
    """A pilot with plates to move.

    Attributes:
        pilot: at the controls.
        plate: as the work order says.
        count: how many.
        rise: from the stack's top to the higher pile's, m, at least 0.
        off_centre: how far from the plate's middle the beam is set down (2,), m.
        tests: whether it is weighed what hangs, in a test lift.
        strength: of the currents over what they should be; inf for full current from the start.
        boosts: whether current is full once the plates hang.
        share: where the pull first aimed at is between the least that lifts and the most that leaves the next plate.
        haste: speed at which the hoist is jolted once the plates hang, m/s; 0 to do as it should.
        keeps: share of the currents that is left on the way.
        loses: circuit that goes off on the way, "" for none.
        tare: load on the load cells when nothing is lifted, N; measured on the way.
        currents: commanded (3,), A.
    """

    pilot: Pilot
    plate: Plate
    count: int
    rise: float
    off_centre: Array = dataclasses.field(default_factory=lambda: np.zeros(2))
    tests: bool = True
    strength: float = 1.0
    boosts: bool = True
    share: float = 0.5
    haste: float = 0.0
    keeps: float = 1.0
    loses: str = ""
    tare: float = magnet.TARE
    currents: Array = dataclasses.field(default_factory=lambda: np.zeros(len(GROUPS)))

    def work(self) -> Iterator[Command]:
        """Do the job."""
        yield from self.fetch()
        yield from self.grip()
        yield from self.lift()
        yield from self.carry()
        yield from self.set_down()

    def fetch(self) -> Iterator[Command]:
        """Set the magnets on the plate, over its centre of gravity."""
        pilot = self.pilot
        yield from self.steer(pilot.damp("approach", tolerance=0.03))
        self.tare += float((yield from self.steer(pilot.look(self.weigh, 0.5, "approach"))))
        way = yield from self.steer(pilot.look(self.to_plate, 0.5, "approach"))
        yield from self.steer(pilot.travel(way[:2] + self.off_centre, "approach"))
        goal = np.array([*-self.off_centre, 0.0])
        rest = yield from self.settle(self.to_plate, goal, "approach", tolerance=0.03, seconds=3.0)
        yield from self.steer(pilot.hoist(rest[2] + 0.06, "lower"))
        yield from self.sit()

    def sit(self) -> Iterator[Command]:
        """Lower until all touch switches are closed, and a little on."""
        seen = self.pilot.s

        def seated() -> bool:
            floats = magnet_telemetry.readings(seen, "Float")
            return bool(magnet_telemetry.touching(seen).all()) and float(floats.min()) > _SEATED

        yield from self.steer(self.pilot.creep(-_CREEP, seated, "lower", patience=15.0))
        yield from self.steer(self.pilot.wait(0.6, "lower"))

    def grip(self) -> Iterator[Command]:
        """Take the ordered number of plates up by a little: by flux, then by weight, with another try if need be."""
        share = self.share
        for _ in range(5):
            yield from self.energize(share)
            if not self.tests:
                return
            up = float(magnet_telemetry.readings(self.pilot.s, "Float").max()) + HEIGHT
            yield from self.steer(self.pilot.hoist(up, "test_lift", speed=0.06))
            hangs = float((yield from self.steer(self.pilot.look(self.weigh, 1.0, "test_lift"))))
            found = hangs / (self.plate.mass * GRAVITY) - self.count
            if abs(found) < 0.25:
                return
            yield from self.steer(self.pilot.hoist(-HEIGHT, "test_lift", speed=0.05))
            yield from self.sit()
            self.currents = np.full(len(GROUPS), -0.05 * CURRENT)
            yield from self.steer(self.pilot.wait(1.5, "energize"))
            share += 0.4 if found < 0 else -0.4

    def energize(self, share: float) -> Iterator[Command]:
        """Switch on what lifts the ordered plates and no more, by the flux that half the current gives.

        Args:
            share: where between the least that lifts them (0) and the most that leaves the next one (1).
        """
        self.currents = np.full(len(GROUPS), CURRENT / 2)
        yield from self.steer(self.pilot.wait(2.0, "energize"))
        rate = np.maximum(magnet_telemetry.fluxes(self.pilot.s) / FLUX, 0.01) / (CURRENT / 2)
        mean = np.array([rate[list(members)].mean() for members in GROUPS.values()])
        low = self.level(rate, mean, self.count, _HOLDS / _LEAST)
        high = self.level(rate, mean, self.count + 1, _SHEDS / _MOST)
        level = max(low + share * (high - low), 0.0)
        self.currents = np.minimum(level / mean, CURRENT) * min(self.strength, 100.0)
        self.currents = np.minimum(self.currents, CURRENT)
        yield from self.steer(self.pilot.wait(2.0, "energize"))

    def level(self, rate: Array, mean: Array, number: int, times: float) -> float:
        """Return the mean flux in each circuit at which a plate of the stack is pulled by a multiple of its weight.

        Args:
            rate: flux of each magnet a current (COUNT,), 1/A.
            mean: of each circuit's magnets (3,).
            number: of the plate.
            times: its weight.
        """
        levels = np.linspace(0.02, 2.0, 199)
        currents = np.minimum(levels[:, None] / mean, CURRENT)
        flux = np.empty((len(levels), magnet.COUNT))
        for i, members in enumerate(GROUPS.values()):
            flux[:, members] = currents[:, i : i + 1] * rate[list(members)]
        for _ in range(number - 1):
            flux = np.maximum(flux - self.plate.thickness / FULL, 0.0) / (1.0 + _AIR / magnet.GAP)
        pull = TEAR_OFF * np.sum(flux**2, axis=-1)
        enough = pull >= times * self.plate.mass * GRAVITY
        return float(levels[np.argmax(enough)] if enough[-1] else levels[-1])

    def lift(self) -> Iterator[Command]:
        """Switch to full current, then raise the plates above the piles."""
        pilot = self.pilot
        if self.boosts:
            self.currents = np.full(len(GROUPS), CURRENT)
            yield from self.steer(pilot.wait(1.0, "lift"))
        carried = self.count * self.plate.mass
        pilot.swing = lambda axis: magnet.swing(axis, self.plate, carried)
        up = self.rise + CLEARANCE - HEIGHT + self.count * self.plate.thickness
        yield from self.steer(pilot.hoist(up, "lift"))
        if self.haste:
            yield from self.jolt()
        yield from self.steer(pilot.level("lift"))
        yield from self.steer(pilot.damp("lift", tolerance=0.03))

    def jolt(self) -> Iterator[Command]:
        """Hoist down and up at full speed, and let go of the lever each time: the brake closes on a moving drum."""
        for speed in (-self.haste, 0.0, self.haste, 0.0) * 2:
            for _ in range(round(1.8 / self.pilot.period)):
                yield Command(np.append([0.0, 0.0, speed], self.currents), "lift")

    def carry(self) -> Iterator[Command]:
        """Bring the plates over the target pile."""
        way = yield from self.steer(self.pilot.look(self.to_target, 0.5, "travel"))
        self.currents = self.keeps * self.currents
        if self.loses:
            self.currents[list(GROUPS).index(self.loses)] = 0.0
        yield from self.steer(self.pilot.travel(way[:2], "travel"))
        yield from self.steer(self.pilot.damp("travel", tolerance=0.03))

    def set_down(self) -> Iterator[Command]:
        """Lower the plates onto the pile, let go of them, and leave."""
        pilot, weight = self.pilot, self.count * self.plate.mass * GRAVITY
        way = yield from self.steer(pilot.look_long(self.to_target, "set_down"))
        beside = pilot.plan(way[:2], speed=_INCHING)
        depth = (self.count - 0.5) * self.plate.thickness  # of the lowest plate's underside below the middle of the top
        yield from self.steer(pilot.hoist(way[2] + depth + 0.10, "set_down", beside=beside))
        yield from self.settle(self.to_target, np.zeros(3), "set_down", tolerance=0.016)
        landed: Callable[[], bool] = lambda: float(self.weigh()) < 0.05 * weight  # noqa: E731
        yield from self.steer(pilot.creep(-_CREEP, landed, "set_down"))
        yield from self.sit_again()
        self.currents = np.full(len(GROUPS), -BACK)
        yield from self.demagnetize()
        pilot.swing = lambda axis: magnet.swing(axis, self.plate)
        yield from self.steer(pilot.hoist(0.45, "retract"))
        yield from self.steer(pilot.wait(4.0, "retract"))

    def sit_again(self) -> Iterator[Command]:
        """Lower on until the magnets sit on what they brought."""

        def sits() -> bool:
            return float(magnet_telemetry.readings(self.pilot.s, "Float").min()) > _SEATED / 2

        yield from self.steer(self.pilot.creep(-_CREEP, sits, "set_down", patience=4.0))
        yield from self.steer(self.pilot.wait(0.6, "set_down"))

    def demagnetize(self) -> Iterator[Command]:
        """Drive the flux out: against it until there is none, then off."""
        for _ in range(round(4.0 / self.pilot.period)):
            yield Command(np.append(np.zeros(3), self.currents), "demagnetize")
            if magnet_telemetry.fluxes(self.pilot.s).max() < 0.01 * FLUX:
                break
        self.currents = np.zeros(len(GROUPS))
        yield from self.steer(self.pilot.wait(1.5, "demagnetize"))

    def settle(
        self, read: Callable[[], Array], goal: Array, phase: str, *, tolerance: float, seconds: float = 0.0
    ) -> Generator[Command, None, Array]:
        """Correct until what is read, m, is calm and at its goal in the plan; return what is missing then (3,)."""
        missing = np.zeros(3)
        for _ in range(4):
            yield from self.steer(self.pilot.damp(phase, tolerance=tolerance))
            look = self.pilot.look(read, seconds, phase) if seconds else self.pilot.look_long(read, phase)
            missing = (yield from self.steer(look)) - goal
            if float(np.hypot(missing[0], missing[1])) < tolerance:
                break
            yield from self.steer(self.pilot.travel(missing[:2], phase, speed=_INCHING))
        return missing

    def steer(self, motion: Iterator[Command]) -> Generator[Command, None, Any]:
        """Do a motion of the crane with the present currents."""
        while True:
            try:
                command = next(motion)
            except StopIteration as end:
                return end.value
            yield Command(np.append(command.ctrl, self.currents), command.phase)

    def weigh(self) -> Array:
        """Return the measured load beyond the empty beam's, N."""
        s = self.pilot.s
        return np.array(sum(float(s.sensor(f"Hoist.LoadCell{i}")[0]) for i in range(1, 5)) - self.tare)

    def to_plate(self) -> Array:
        """Return the measured way from the magnets to the middle of the topmost plate (3,), m."""
        s = self.pilot.s
        return s.sensor("Plate.ActualPosition") - s.sensor("Beam.ActualPosition")

    def to_target(self) -> Array:
        """Return the measured way from the plate to the top of the target pile (3,), m."""
        s = self.pilot.s
        return s.sensor("Target.Position") - s.sensor("Plate.ActualPosition")
