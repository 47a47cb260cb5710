"""What a crane's operator or anti-sway controller does: travel shaped, damp, hoist, creep, look; by what is measured.

Each motion is a generator of commands for the actuators (bridge, trolley, hoist), one per control step.
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines.crane import AXES, CraneParams, rope_length, sway_modes
from sim import skills
from sim.skills import Limits, Shaper
from sim.task import Command, State

Array = NDArray[Any]
Modes = Callable[[int], tuple[float, float, float]]

_STOP = np.zeros(len(AXES))
_FAR = 3.0  # m, from where on travel is worth the half period that ZVD takes longer than ZV
_LEAN = 0.15  # m, sway under steady acceleration
_WATCH = 3.0  # s until sway is known
_CALM = 1.0  # s for which damped sway must stay small
_DAMPING = np.array([[0.30], [0.05]])  # damping ratios that `damp` aims at, slow and fast
_AHEAD = 0.27  # s from the camera's picture to the trolley's answer: 0.075 camera, 0.125 drive, the rest sampling
_GAIN, _BIAS_GAIN = 0.2, 0.01  # of the observer
_TRIM = 0.3  # m/s, greatest speed of `damp`
_HOIST_GAIN = 0.6  # 1/s, of the hoist's position loop; its dead times add to less than 0.5 s


@dataclasses.dataclass(slots=True)
class Pilot:
    """Someone at the controls.

    Attributes:
        s: one simulation.
        p: its crane.
        period: control step, s.
        speeds: allowed for bridge, trolley and hoist, m/s.
        swing: axis (0 about x, 1 about y) -> mass, drop and inertia of what hangs from the pin; changes with the load.
        shaped: whether travel is shaped against sway.
        trimmed: whether sway is damped by the camera's measurement.
        rope_error: what the shaper takes for the rope length over what the encoder says.
        haste: acceleration over what the drives' ramps allow.
        rest: how the load hangs when it is still, rad along and across the bay.
    """

    s: State
    p: CraneParams
    period: float
    speeds: tuple[float, float, float]
    swing: Modes
    shaped: bool = True
    trimmed: bool = True
    rope_error: float = 1.0
    haste: float = 0.75
    rest: Array = dataclasses.field(default_factory=lambda: np.zeros(2))

    def modes(self, axis: int) -> tuple[Array, Array]:
        """Return frequencies and levers of sway about an axis, from the measured rope length (see `sway_modes`)."""
        rope = rope_length(self.p, float(self.s.sensor("Hoist.ActualPosition")[0]))
        return sway_modes(max(0.5, self.rope_error * rope), *self.swing(axis))

    def shaper(self, axis: int, distance: float) -> Shaper:
        """Return the shaper for travel that sways about an axis: ZV in both modes, ZVD in the slow one if it is far."""
        if not self.shaped:
            return skills.UNSHAPED
        slow, fast = self.modes(axis)[0]
        kind = skills.zvd if abs(distance) > _FAR else skills.zv
        return skills.combine(kind(slow), skills.zv(fast))

    def plan(self, way: Array, *, speed: float = math.inf) -> Array:
        """Return the commands (n, 3) that move bridge and trolley by way (2,), m, at once."""
        calm = _LEAN * min(self.modes(axis)[0][0] ** 2 for axis in range(2))
        acceleration = self.haste * min(self.p.acceleration, calm)
        parts: list[Array] = []
        for i in range(2):
            limits = Limits(min(speed, self.speeds[i]), acceleration, acceleration)
            parts.append(skills.move(float(way[i]), limits, self.period, self.shaper(1 - i, float(way[i]))))
        rows = np.zeros((max(len(v) for v in parts), len(AXES)))
        for i, part in enumerate(parts):
            rows[: len(part), i] = part
        return rows

    def travel(self, way: Array, phase: str, *, speed: float = math.inf) -> Iterator[Command]:
        """Move bridge and trolley by way (2,), m, at once; the hoist stands."""
        yield from skills.follow(self.plan(way, speed=speed), phase)

    def damp(self, phase: str, *, tolerance: float, patience: float = 15.0) -> Iterator[Command]:
        """Drive after a load that swings more than tolerance, m, until it is calm or patience, s, is out."""
        if not self.trimmed:
            return
        watch = _SwayObserver(self.modes(1), self.modes(0), self.rest, self.period)
        speed, calm = np.zeros(2), 0.0
        for step in range(round(patience / self.period)):
            watch.update(self.s, speed)
            if step * self.period >= _WATCH:
                calm = calm + self.period if watch.amplitude() < tolerance else 0.0
                if calm >= _CALM or (calm > 0 and not speed.any()):
                    break
                speed = np.clip(watch.remedy(), -_TRIM, _TRIM)
            yield Command(np.append(speed, 0.0), phase)

    def hoist(
        self, way: float, phase: str, *, speed: float = math.inf, beside: Array | None = None
    ) -> Iterator[Command]:
        """Raise the hook by way, m, in an S-curve that is held to by the encoder: drives slip under load.

        Args:
            way: m, up.
            phase: of the commands.
            speed: greatest, m/s.
            beside: commands (n, 3) of a plan for bridge and trolley meanwhile.
        """
        limits = Limits(min(speed, self.speeds[2]), 0.1, 0.2)  # m/s2 and m/s3: 1 % of gravity keeps the ropes calm
        goal = start = float(self.s.sensor("Hoist.ActualPosition")[0])
        late = collections.deque([start] * 3, maxlen=3)  # the drive answers some control steps later
        speeds = skills.move(way, limits, self.period)
        rows = np.zeros((0, len(AXES))) if beside is None else beside
        for step in range(max(len(speeds), len(rows)) + round(3.0 / self.period)):
            speed_now = float(speeds[step]) if step < len(speeds) else 0.0
            goal += speed_now * self.period
            late.append(goal)
            error = late[0] - float(self.s.sensor("Hoist.ActualPosition")[0])
            if step >= max(len(speeds), len(rows)) and abs(error) < 0.003:
                break
            row = rows[step].copy() if step < len(rows) else np.zeros(len(AXES))
            row[2] = speed_now + _HOIST_GAIN * error
            yield Command(row, phase)
        yield from self.wait(0.6, phase)

    def creep(
        self, speed: float, until: Callable[[], bool], phase: str, *, patience: float = 30.0
    ) -> Iterator[Command]:
        """Hoist at a speed, m/s, until something is so; or patience, s, is out."""
        for _ in range(round(patience / self.period)):
            if until():
                break
            yield Command(np.array([0.0, 0.0, speed]), phase)

    def level(self, phase: str) -> Generator[Command, None, None]:
        """Learn how the load hangs."""
        self.rest = yield from self.look_long(lambda: _lean(self.s), phase)

    def wait(self, seconds: float, phase: str) -> Iterator[Command]:
        """Stand still."""
        yield from skills.hold(_STOP, round(seconds / self.period), phase)

    def look_long(self, read: Callable[[], Array], phase: str) -> Generator[Command, None, Array]:
        """Stand still for a period of slow sway, which the mean of what is read is then free of."""
        slow = min(float(self.modes(axis)[0][0]) for axis in range(2))
        return (yield from self.look(read, 2 * math.pi / slow, phase))

    def look(self, read: Callable[[], Array], seconds: float, phase: str) -> Generator[Command, None, Array]:
        """Stand still and return the mean of what is read meanwhile."""
        seen: list[Array] = []
        for _ in range(max(1, round(seconds / self.period))):
            yield Command(_STOP, phase)
            seen.append(np.array(read(), float))
        return np.mean(seen, axis=0)


def _lean(s: State) -> Array:
    """Return how the hook leans (2,), rad: its lower end along and across the bay."""
    return np.array([-s.sensor("Hook.TiltY")[0], s.sensor("Hook.TiltX")[0]])


class _SwayObserver:
    """Estimates the two pendulums of each axis, as complex numbers that turn: deflection + i rate / omega, m."""

    def __init__(self, along: tuple[Array, Array], across: tuple[Array, Array], rest: Array, period: float) -> None:
        self.omega = np.stack([along[0], across[0]], axis=-1)  # (mode, axis)
        self.lever = np.stack([along[1], across[1]], axis=-1)
        self.turn = np.exp(-1j * self.omega * period)
        self.ahead = np.exp(-1j * self.omega * _AHEAD)
        self.state: Array = np.zeros((2, 2), complex)
        self._fresh = True
        self.bias = self.lever * rest
        self.speed = np.zeros(2)

    def update(self, s: State, speed: Array) -> None:
        """Take one reading, one control step after speed (2,), m/s, was commanded."""
        seen = s.sensor("Hook.Sway")[:2] + self.lever * _lean(s)
        if self._fresh:
            self.state, self._fresh = (seen - self.bias).astype(complex), False
        # q'' + omega^2 q = -v' turns with the push -v' / omega along the imaginary axis.
        self.state = self.state * self.turn - 1j * (speed - self.speed) / self.omega
        self.speed = speed.copy()
        error = seen - self.bias - self.state.real
        self.state = self.state + _GAIN * error
        self.bias = self.bias + _BIAS_GAIN * error

    def amplitude(self) -> float:
        """Return the load's greatest swing along an axis, m; the fast mode hardly moves it."""
        return float((np.abs(self.state[0]) + 0.2 * np.abs(self.state[1])).max())

    def remedy(self) -> Array:
        """Return the trolley speeds (2,) that damp both modes: towards where each pendulum will be, m/s."""
        return np.sum(2 * _DAMPING * self.omega * (self.state * self.ahead).real, axis=0)
