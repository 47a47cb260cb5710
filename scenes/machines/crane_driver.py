"""Who drives a load that hangs on a crane to a target: shaped travel, and damping by the camera all the way.

The scene's sensors are Load.ActualPosition, Load.SwaySpeed and Target.Position, all in the trolley's frame, and the
encoders of crane_telemetry; the commands are those of bridge and trolley.

Rule: sway is one complex number an axis, deflection + i rate / omega, m. It turns by omega, and the trolley's
acceleration pushes it along the imaginary axis; so plan and observer are one recurrence.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines.crane import GRAVITY, PIN_DROP
from sim import skills
from sim.skills import Limits
from sim.task import Command, State

Array = NDArray[Any]

PHASES = ("travel", "brake", "settle", "hold")
_DAMPING = 0.3  # damping ratio that feedback gives to sway
_PULL = 0.3  # 1/s, of the trolley towards where it should be
_TRUST = 0.3  # in a reading of sway over what the observer expects
_AHEAD = 0.27  # s from the camera's picture to the trolley's answer: 0.05 camera, 0.125 drive, half a control step
_STILL, _CALM = 0.015, 1.0  # m, s: what counts as arrived, and for how long


@dataclasses.dataclass(slots=True)
class Driver:
    """Someone at the controls of bridge and trolley.

    Attributes:
        s: one simulation.
        period: control step, s.
        speed: greatest, m/s.
        acceleration: greatest, m/s2; what the drives' ramps allow, and some to spare.
        shaped: whether travel is shaped against sway.
        trimmed: whether sway and position are corrected by camera.
        omega_error: what the shaper takes for the frequency of sway over what it is.
        misread: by how much the target is taken for another place (2,), m.
        omega: frequency of sway that is reckoned with, rad/s.
    """

    s: State
    period: float
    speed: float
    acceleration: float
    shaped: bool = True
    trimmed: bool = True
    omega_error: float = 1.0
    misread: Array = dataclasses.field(default_factory=lambda: np.zeros(2))
    omega: float = 0.0
    _sway: Array = dataclasses.field(default_factory=lambda: np.zeros(2, complex))
    _moved: Array = dataclasses.field(default_factory=lambda: np.zeros(2))

    def bring(self) -> Iterator[Command]:
        """Bring the load to the target, and stand there."""
        self.omega = self.omega_error * float(sway_omega(self.s.sensor("Load.ActualPosition")))
        self._sway = self._seen()
        way = self._to_target()
        speeds = self._plan(way)
        late = np.vstack([np.zeros((2, 2)), speeds])  # the drives answer one to two control steps later
        late = (late[1:-1] + late[:-2]) / 2
        rest = way - self.period * np.cumsum(late, axis=0)
        size = np.linalg.norm(speeds, axis=-1)
        brake = np.flatnonzero(size >= 0.99 * size.max())[-1]
        planned = np.zeros(2, complex)
        for k, meant in enumerate(speeds):
            planned = self._turned(planned, late[k] - late[max(k - 1, 0)])
            yield Command(meant + self._remedy(planned, rest[k]), "travel" if k <= brake else "brake")
        calm = 0.0
        while calm < _CALM:
            yield Command(self._remedy(np.zeros(2, complex), np.zeros(2)), "settle")
            still = max(np.abs(self._sway).max(), np.abs(self._to_target()).max()) < _STILL
            calm = calm + self.period if still else 0.0
        yield from skills.hold(np.zeros(2), round(3.0 / self.period), "hold")

    def _plan(self, way: Array) -> Array:
        """Return the speeds (n, 2), m/s, of a move by way (2,), m; the last two are zero."""
        shaper = skills.zv(self.omega) if self.shaped else skills.UNSHAPED
        limits = Limits(self.speed, self.acceleration, 2 * self.acceleration)
        parts = [skills.move(float(part), limits, self.period, shaper) for part in way]
        rows = np.zeros((max(map(len, parts)) + 2, 2))
        for i, part in enumerate(parts):
            rows[: len(part), i] = part
        return rows

    def _remedy(self, planned: Array, rest: Array) -> Array:
        """Look, and return the speeds (2,), m/s, that bring load and trolley back to where they should be now.

        Args:
            planned: sway (2,), m, complex.
            rest: way of the trolley to the target (2,), m.
        """
        s = self.s
        moved = np.concatenate([s.sensor("Bridge.ActualSpeed"), s.sensor("Trolley.ActualSpeed")])
        expected = self._turned(self._sway, moved - self._moved)
        self._sway, self._moved = expected + _TRUST * (self._seen() - expected), moved
        if not self.trimmed:
            return np.zeros(2)
        free = (self._sway - planned) * np.exp(-1j * self.omega * _AHEAD)
        return 2 * _DAMPING * self.omega * free.real + _PULL * (self._to_target() - rest)

    def _turned(self, sway: Array, push: Array) -> Array:
        """Return sway (2,) one control step later, in which the trolley became faster by push (2,), m/s."""
        return sway * np.exp(-1j * self.omega * self.period) - 1j * push / self.omega

    def _seen(self) -> Array:
        """Return the measured sway (2,), m, complex."""
        return self.s.sensor("Load.ActualPosition")[:2] + 1j * self.s.sensor("Load.SwaySpeed")[:2] / self.omega

    def _to_target(self) -> Array:
        """Return the measured way of the trolley to the target (2,), m."""
        return self.s.sensor("Target.Position")[:2] + self.misread


def sway_omega(load: Array) -> Array:
    """Return the angular frequency of sway (...), rad/s, from where the load is under the trolley (..., 3), m."""
    return np.sqrt(GRAVITY / np.maximum(-load[..., 2] - PIN_DROP, 1.0))
