"""Who drives a roller table: brings the piece ahead to the mark, and the one behind after it, by what is measured.

Speeds are jerk-limited. The piece ahead follows sqrt(2 a s) down to a creep, passes the last photocell in it and stops
by the counter; the piece behind keeps the gap. Each group turns for the piece that lies on more of it.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines import roller_stops, roller_table, roller_tracking
from scenes.machines.roller_table import GROUPS, RollerTableParams
from sim.task import Command, State

Array = NDArray[Any]

PHASES = ("run", "brake", "creep", "stop", "square", "hold")
_CREEP = 0.20  # m/s past the last photocell: its bit is 40 ms early or late, and that is 8 mm
_EARLY = 0.50  # m before the last photocell where the creep begins
_JERK = 1.2  # m/s3
_NEAR = 1.4  # 1/s, of the last way
_THERE, _STILL = 0.003, 0.004  # m, m/s
_DULL = 0.1  # s in which a speed that is nearly there is reached
_LEAST = 1.0  # m, gap that is opened to if it is less
_SAFE = 0.8  # m, gap at which the piece behind does not wait any more when the one ahead stops
_GAP_GAIN, _GAP_SPEED, _GAP_RAMP = 0.5, 0.15, 0.15  # 1/s, m/s, m/s2
_SQUEEZE, _ROOM = 0.006, 0.30  # m narrower than the slab; wider, for a slab that is askew
_WAIT = 12.0  # s for which the pieces are watched
_HELD = 4.0e4  # N of both guides that tell that the piece is square


@dataclasses.dataclass(slots=True)
class Pilot:
    """Someone at the controls.

    Attributes:
        s: one simulation.
        table: the table, by its drawing.
        lengths: of the pieces by order, m, the one ahead first.
        width: of the piece ahead by order, m.
        period: control step, s.
        speed: greatest, m/s.
        acceleration: m/s2.
        follows: whether the gap is kept.
        squares: whether the guides are closed.
        uneven: what the groups' references are multiplied by (groups,).
        false_at: m before the mark where a photocell is believed that saw nothing; below 0 for none.
    """

    s: State
    table: RollerTableParams
    lengths: tuple[float, float]
    width: float
    period: float
    speed: float
    acceleration: float = 0.45
    follows: bool = True
    squares: bool = True
    uneven: Array = dataclasses.field(default_factory=lambda: np.ones(GROUPS))
    false_at: float = -1.0
    _zones: Array = dataclasses.field(init=False)
    _tracked: Array = dataclasses.field(default_factory=lambda: np.zeros(2))
    _v: Array = dataclasses.field(default_factory=lambda: np.zeros(2))
    _a: Array = dataclasses.field(default_factory=lambda: np.zeros(2))
    _shift: float = 0.0
    _gap: float = 0.0
    _up: float = 0.0
    _trim: float = 0.0

    def __post_init__(self) -> None:
        self._zones = roller_table.zones(self.table)

    def bring(self) -> Iterator[Command]:
        """Bring both pieces in, square the first, and stand there."""
        room = min(self.width + _ROOM, roller_stops.GAP[1])
        self._look()
        self._gap = max(self.gap(), _LEAST)
        phase = "run"
        while phase != "square":
            self._look()
            way = float(self.ways()[0])
            wanted, phase = self._wanted(way, phase)
            self._up = float(phase in ("creep", "stop"))
            yield self._command(wanted, room, phase)
            if phase == "stop" and abs(way) < _THERE and abs(self._v).max() < _STILL:
                phase = "square"
        yield from self._square(room)

    def gap(self) -> float:
        """Return the tracked gap between the pieces, m."""
        ahead, behind = self.ways()
        return float(behind - ahead - self.lengths[0])

    def ways(self) -> Array:
        """Return the tracked ways of both heads to the mark (2,), m, as they are believed."""
        return self._tracked - self._shift

    def _look(self) -> None:
        """Read what the control step begins with."""
        self._tracked = roller_tracking.tracked(self.s)

    def _wanted(self, way: float, phase: str) -> tuple[float, str]:
        """Return the speed that the piece ahead should have, m/s, and the phase."""
        before = roller_tracking.BEFORE[-1]
        if 0 < way < self.false_at:
            self._shift, self.false_at, phase = self._shift + way - before, -1.0, "stop"
            way = before
        creep = min(_CREEP, self.speed)
        if phase == "stop" or bool(roller_tracking.cells(self.s)[-1]):
            return math.copysign(min(creep, _NEAR * abs(way)), way), "stop"
        rest = way - before - _EARLY
        if rest <= 0:
            return creep, "creep"
        brake = math.sqrt(creep**2 + 2 * 0.75 * self.acceleration * rest)
        if phase == "run" and brake > self._v[0] + 0.05:
            return min(self.speed, brake), "run"
        return min(self.speed, brake), "brake"

    def _command(self, ahead: float, guide: float, phase: str) -> Command:
        """Return the command by which the piece ahead gets a speed, m/s, and the other one follows."""
        self._approach(0, ahead)
        if self.follows:
            self._follow(late=phase in ("creep", "stop"))
        else:
            rest = float(self.ways()[1]) - 0.5 * self.lengths[0]
            self._approach(1, min(self.speed, math.sqrt(2 * self.acceleration * max(rest, 0.0))))
        slow = self._slowest()
        if slow is not None:
            self._v, self._a = np.minimum(self._v, slow), np.minimum(self._a, 0.0)
        return Command(np.concatenate([self._v[self._owners()] * self.uneven, [self._up, guide]]), phase)

    def _follow(self, *, late: bool) -> None:
        """Let the piece behind go as fast as the one ahead, but for what corrects the gap; late, only to widen it."""
        error = self.gap() - self._gap
        wanted = float(np.clip(_GAP_GAIN * error, -_GAP_SPEED, _GAP_SPEED))
        if late:
            wanted = 0.0 if self.gap() > _SAFE else min(wanted, 0.0)
        step = _GAP_RAMP * self.period
        self._trim += float(np.clip(wanted - self._trim, -step, step))
        self._v[1] = min(max(self._v[0] + self._trim, 0.0), roller_table.SPEED[1]) if self._v[0] > 0.02 else 0.0

    def _approach(self, i: int, wanted: float) -> None:
        """Bring a piece's reference nearer to a speed, m/s, so that acceleration has faded when it gets there."""
        jerk, rest = _JERK * max(1.0, self.acceleration / 0.45), wanted - self._v[i]
        goal = min(self.acceleration, 0.9 * math.sqrt(2 * jerk * abs(rest)), abs(rest) / _DULL)
        step = jerk * self.period
        self._a[i] += np.clip(math.copysign(goal, rest) - self._a[i], -step, step)
        self._v[i] += self._a[i] * self.period

    def _owners(self) -> NDArray[np.intp]:
        """Return for which piece each group turns (groups,): 0 for the one ahead."""
        heads = self.s.numeric("tracking")[0] - self.ways()
        tails = heads - self.lengths
        low, high = self._zones.T
        on = np.minimum(high, heads[:, None]) - np.maximum(low, tails[:, None])
        on = np.maximum(on, 0.0)
        middle = (low + high) / 2 < (tails[0] + heads[1]) / 2
        return np.where(on.sum(axis=0) > 0, on[1] > on[0], middle).astype(np.intp)

    def _slowest(self) -> float | None:
        """Return the speed of a group without power under a piece, m/s, None where all have power."""
        off = roller_table.tripped(self.s)
        if not off.any():
            return None
        heads = self.s.numeric("tracking")[0] - self.ways()
        low, high = self._zones[int(np.argmax(off))]
        under = (heads > low - 0.5) & (heads - self.lengths < high)
        return float(roller_table.speeds(self.s)[int(np.argmax(off))]) if under.any() else None

    def _square(self, room: float) -> Iterator[Command]:
        """Close the guides on the piece ahead until both press, open them a little, and hold."""
        self._v[:], self._a[:], self._up = 0.0, 0.0, 1.0
        stand = np.zeros(GROUPS)

        def command(guide: float, phase: str) -> Command:
            return Command(np.concatenate([stand, [1.0, guide]]), phase)

        pressed = 0
        for _ in range(round(8.0 / self.period) if self.squares else 0):
            yield command(self.width - _SQUEEZE, "square")
            near = float(self.s.sensor("Guide.ActualGap")[0]) < self.width + 0.01
            force = near * min(abs(float(self.s.sensor(f"Guide{side}.Force")[0])) for side in ("Left", "Right"))
            pressed = pressed + 1 if force > _HELD else 0
            if pressed > 0.6 / self.period:
                break
        for _ in range(round(_WAIT / self.period)):
            yield command(self.width + 0.04 if self.squares else room, "hold")
