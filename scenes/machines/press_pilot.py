"""How an operator's program works a servo press with two nests: gauges, shuttle, air, ram; by what is measured.

The scene's channels are those of `servo_press`; its numerics "stroke", "fit", "gauge", "group" and "recipe" are what
the program knows of press, drawing and gauges. The shuttle carries the nests of `interference`.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines import interference, servo_press
from sim import skills
from sim.skills import Limits
from sim.task import Command, State

Array = NDArray[Any]

PHASES = ("check", "load", "blow", "approach", "touch", "level", "press", "seat", "retract")
SPARE = 2e-6  # m that a gauge may be off the group's bounds
_RAM = Limits(0.12, 0.8, 16.0)
_SHUTTLE = Limits(0.15, 0.5, 5.0)
_STANDOFF = 4e-3  # m above the bush, where the ram slows down
_FEEL, _CREEP = 4e-3, 2.5e-3  # m/s, to the bush and to its shoulder
_SLOW = 1.2e-3  # m before the shoulder, where the ram slows down
_PULL, _LATE = 4.0, 0.02  # 1/s towards where the ram should be; s until it is there
_LEAVE = 0.03  # m, how far the ram goes up again


@dataclasses.dataclass(frozen=True, slots=True)
class Habits:
    """How the work is done; the defaults are good habits.

    Attributes:
        speed: of the ram while pressing, m/s.
        gauges: whether gauges and light barriers decide which nest is pressed.
        blows: whether the shoulder is blown clean.
        levels: whether the bush is given time in the lead-in.
        slows: whether the ram slows down before the shoulder.
    """

    speed: float = 0.02
    gauges: bool = True
    blows: bool = True
    levels: bool = True
    slows: bool = True


@dataclasses.dataclass(slots=True)
class PressPilot:
    """A program at work.

    Attributes:
        s: one simulation.
        period: control step, s.
        habits: how the work is done.
    """

    s: State
    period: float
    habits: Habits

    def work(self) -> Iterator[Command]:
        """Choose a nest, bring it under the ram, clean it, press, dwell and leave."""
        yield from self.wait(0.2, "check")
        nest = self.choose()
        yield from self.bring(nest)
        if self.habits.blows:
            yield from self.wait(0.4, "blow", blow=1.0)
        yield from self.approach()
        if self.habits.levels:
            yield from self.level()
        yield from self.press()
        for speed in skills.move(-_LEAVE, _RAM, self.period):
            yield self.command("retract", ram=speed)
        yield from self.wait(1.0, "retract")

    def choose(self) -> int:
        """Return the number of the nest to be pressed, counted from 0: the first whose bush is there and fits."""
        if not self.habits.gauges:
            return 0
        return int(np.argmax(usable(self.s)))

    def bring(self, nest: int) -> Iterator[Command]:
        """Bring a nest under the ram."""
        way = interference.PITCH * (0.5 - nest) - self.place
        for speed in skills.move(way, _SHUTTLE, self.period):
            yield self.command("load", shuttle=speed)
        for _ in range(round(1.0 / self.period)):
            missing = interference.PITCH * (0.5 - nest) - self.place
            if abs(missing) < 5e-5 and abs(float(self.s.sensor("Shuttle.ActualSpeed")[0])) < 1e-3:
                break
            yield self.command("load", shuttle=8.0 * missing)

    def approach(self) -> Iterator[Command]:
        """Lower the ram to just above the bush, then onto it and a little way into the lead-in."""
        place = self.height
        for speed in skills.move(self.gap - _STANDOFF - place, _RAM, self.period):
            yield self.command("approach", ram=speed + _PULL * (place - self.height - speed * _LATE))
            place += speed * self.period
        while self.habits.levels and self.depth < 0.2 * self.lead_in:
            yield self.command("touch", ram=_FEEL, limit=0.2)

    def level(self) -> Iterator[Command]:
        """Creep through the lead-in, while the rim finds its way on the chamfer."""
        time = 0.7
        for _ in range(round(time / self.period)):
            yield self.command("level", ram=0.5 * self.lead_in / time, limit=0.2)

    def press(self) -> Iterator[Command]:
        """Press down to the shoulder, and push on it for a while."""
        bottom = float(self.s.numeric("fit")[2])
        slow = _SLOW if self.habits.slows else -1e-3
        stuck = 0.0
        while self.depth < bottom - slow and stuck < 0.1:
            stuck = stuck + self.period if abs(self.speed) < 0.02 * self.habits.speed else 0.0
            yield self.command("press", ram=self.habits.speed)
        force = self.force + 0.08 * self.rated
        creep = _CREEP if self.habits.slows else self.habits.speed
        for _ in range(round(2.0 / self.period)):
            if self.force > 0.95 * force or self.depth > bottom + 5e-4:
                break
            yield self.command("seat", ram=creep, limit=force / self.rated)
        for _ in range(round(0.3 / self.period)):
            yield self.command("seat", ram=creep, limit=force / self.rated)

    def wait(self, seconds: float, phase: str, *, blow: float = 0.0) -> Iterator[Command]:
        """Stand still for a while."""
        for _ in range(round(seconds / self.period)):
            yield self.command(phase, blow=blow)

    def command(
        self, phase: str, *, ram: float = 0.0, shuttle: float = 0.0, blow: float = 0.0, limit: float = 0.9
    ) -> Command:
        """Return the setpoints; the limit is a share of the rated force."""
        return Command(np.array([ram, min(limit, 1.0) * self.rated, shuttle, blow]), phase)

    @property
    def rated(self) -> float:
        """Rated force of the press, N."""
        return float(self.s.numeric("rated")[0])

    @property
    def gap(self) -> float:
        """Where the ram meets a bush that lies in its lead-in, m."""
        return float(self.s.numeric("stroke")[1])

    @property
    def lead_in(self) -> float:
        """By the drawing, m."""
        return float(self.s.numeric("fit")[3])

    @property
    def place(self) -> float:
        """Of the shuttle, m."""
        return float(self.s.sensor("Shuttle.ActualPosition")[0])

    @property
    def height(self) -> float:
        """Of the ram below its upper end, m."""
        return float(self.s.sensor("Ram.ActualPosition")[0])

    @property
    def speed(self) -> float:
        """Of the ram, m/s."""
        return float(self.s.sensor("Ram.ActualSpeed")[0])

    @property
    def depth(self) -> float:
        """How deep a bush below the tool is, m."""
        return self.height - self.gap

    @property
    def force(self) -> float:
        """On the tool, N."""
        return float(servo_press.pressing(self.s))


def usable(s: State) -> Array:
    """Return whether each nest has a bush that fits, by light barrier and gauges, bool (..., 2)."""
    gauge, group = s.numeric("gauge"), s.numeric("group")
    fits = (gauge > group[..., :1] - SPARE) & (gauge < group[..., 1:] + SPARE)
    return interference.present(s) & fits
