"""How a nutrunner makes a screw joint: the steps of its program, by torque, angle, feed and nose, and nothing else.

The program: take the screw from its lane, set it on the thread, turn back until it drops over the thread's start, run
it down fast, seat it slowly against a low torque limit, tighten by angle to the clamp force, and leave.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines.nutrunner import TORQUE, TORSION
from scenes.machines.tightening import Order, measured_height
from sim.task import Command, State

Array = NDArray[Any]

PHASES = ("approach", "find", "rundown", "snug", "tighten", "release")
_PUSHED = 3.5e-3  # m of the nose's spring: 21 N
_FAST, _SLOW = 31.4, 3.0  # rad/s: 300 rpm, and seating
_BACK = 4.0  # rad/s, to find the thread
_SNUG = 0.25  # of the usual torque
_SEAT = 1.0e-3  # m over the seat, where slow turning begins: a turn of most threads
_TIGHTEN, _TURNS = 1.5, 1.8  # s, over the whole angle, and rad/s at most
_EARLY = 0.985  # of the clamp force: what the last two control steps add


@dataclasses.dataclass(frozen=True, slots=True)
class Habits:
    """How the work is done; the defaults are good habits.

    Attributes:
        lane: 1 to take the lane that the order names, -1 the other.
        pushed: m of the nose's spring on the way into the thread.
        finds: whether to turn back for the thread's start.
        clamp: what is tightened to, over what is asked for.
        short: m over the seat at which the program takes the head to be down; 0 for none.
        seating: rad/s until the head is down.
    """

    lane: float = 1.0
    pushed: float = _PUSHED
    finds: bool = True
    clamp: float = 1.0
    short: float = 0.0
    seating: float = _SLOW


class Tightener:
    """A program at work.

    Args:
        s: one simulation.
        period: control step, s.
        lane: that the order names, 1 for A and -1 for B.
        drag: greatest prevailing torque, N m.
        habits: how the work is done.
    """

    def __init__(self, s: State, period: float, *, lane: float, drag: float, habits: Habits) -> None:
        self.s, self.period, self.habits, self.drag = s, period, habits, drag
        self.lane = lane * habits.lane
        self.order = Order(*s.numeric("order").tolist())
        self.pitch = 2 * np.pi * self.order.lead
        self.pushed = habits.pushed

    def work(self) -> Iterator[Command]:
        """Make the joint."""
        yield from self.approach()
        if self.habits.finds:
            yield from self.find()
        yield from self.run_down()
        if not self.habits.short:
            yield from self.snug()
            yield from self.tighten()
        yield from self.release()

    def approach(self) -> Iterator[Command]:
        """Wait for the screw, lower the bit into its socket and push the screw out of the jaws onto the thread."""
        for _ in range(round(0.3 / self.period)):
            yield self.command("approach")
        aim = self.order.reach + self.pitch + 1.5e-3  # nothing is met higher than that
        speed = 0.0
        while (self.height > aim + 1e-3 or self.sprung < self.pushed) and self.sprung < 1.7 * self.pushed:
            far = max(self.height - aim, 0.0) + max(self.stroke, 0.0)
            if self.height > aim or self.stroke > 0:
                goal = float(np.clip(5.0 * far, 0.012, 0.10))
            else:
                goal = 0.012 * (self.habits.pushed / _PUSHED)
            speed += float(np.clip(goal - speed, -0.02, 0.006))
            yield self.command("approach", feed=speed)

    def find(self) -> Iterator[Command]:
        """Turn back until the screw drops over the start of the thread by most of a pitch."""
        top = self.height
        for _ in range(round(2.5 / self.period)):
            top = max(top, self.height)
            if self.height < top - 0.55 * self.pitch:
                break
            yield self.command("find", speed=-_BACK, torque=self.light)
        for _ in range(round(0.1 / self.period)):
            yield self.command("find", torque=self.light)
        for _ in range(round(0.9 / self.period)):
            yield self.follow("find", _BACK, self.light)

    def run_down(self) -> Iterator[Command]:
        """Turn fast until the head is nearly down."""
        stop = max(_SEAT, 1.0 * self.pitch, self.habits.short) if self.habits.seating < _FAST else 0.0
        for _ in range(round(6.0 / self.period)):
            if self.height < stop:
                break
            yield self.follow("rundown", _FAST, self.light)

    def snug(self) -> Iterator[Command]:
        """Seat the head against a low torque limit."""
        quiet = 0
        limit = self.running + _SNUG * self.order.torque
        for _ in range(round(4.0 / self.period)):
            still = self.read("Spindle.ActualSpeed") < 0.1
            quiet = quiet + 1 if still and self.read("Spindle.Torque") > 0.5 * limit else 0
            if quiet > 3:
                break
            yield self.follow("snug", self.habits.seating, limit)

    def tighten(self) -> Iterator[Command]:
        """Turn slowly until the controller's estimate of the clamp force is what is asked for."""
        order = self.order
        angle = order.clamp / (order.stiffness * order.lead) + order.torque / TORSION
        speed = min(angle / _TIGHTEN, _TURNS)
        for _ in range(round(4.0 / self.period)):
            if float(self.s.memory("estimate")) > _EARLY * self.habits.clamp * order.clamp:
                break
            yield self.follow("tighten", speed, TORQUE)

    def release(self) -> Iterator[Command]:
        """Let the torque off and leave."""
        for _ in range(round(0.1 / self.period)):
            yield self.command("release")
        speed = 0.0
        for _ in range(round(0.4 / self.period)):
            speed = max(speed - 0.008, -0.08)
            yield self.command("release", feed=speed)
        while True:
            yield self.command("release")

    @property
    def light(self) -> float:
        """Torque limit for a screw that runs free, N m."""
        return 0.15 * self.order.torque + 1.15 * self.drag

    @property
    def height(self) -> float:
        """Of the head over its nominal seat, m."""
        return float(measured_height(self.s))

    @property
    def stroke(self) -> float:
        """Of the bit over the socket's bottom, m."""
        return self.read("Nose.Stroke")

    @property
    def sprung(self) -> float:
        """How far the nose is pressed in, m."""
        return -self.stroke

    @property
    def running(self) -> float:
        """Torque that the screw took while it ran down, N m."""
        return max(float(self.s.memory("running")), 0.0)

    def read(self, name: str) -> float:
        """Return a channel's latest reading."""
        return float(self.s.sensor(name)[0])

    def follow(self, phase: str, speed: float, torque: float) -> Command:
        """Return the command that turns and keeps the nose pressed in."""
        sinking = self.order.lead * self.read("Spindle.ActualSpeed")
        feed = sinking + 4.0 * (self.pushed - self.sprung)
        return self.command(phase, feed=float(np.clip(feed, -0.05, 0.05)), speed=speed, torque=torque)

    def command(self, phase: str, *, feed: float = 0.0, speed: float = 0.0, torque: float = 0.0) -> Command:
        """Return a command."""
        return Command(np.array([feed, speed, torque, self.lane]), phase)
