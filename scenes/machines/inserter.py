"""How an arm with a force-torque sensor puts a peg into a hole; by what is measured.

The controller works in the tool's frame, whose z is the way in: it moves the tool by small twists, of which forces
and moments at the peg's tip make their share (admittance), and trims its joint references by its encoders.

The scene's channels are Axis1 to Axis6.ActualPosition, Wrist.Force, Wrist.Torque and Tool.ActualPosition; its numeric
"nominal" is where the cell takes the hole to be.
"""

import collections
import math
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.machines.arm_pilot import Pilot, Pose, pose_error
from scenes.machines.inserter_habits import Habits
from scenes.machines.tool import REACH, SENSOR_AT, tool_load
from scenes.stock_fits import EDGE, Fit
from sim import skills
from sim.skills import Limits
from sim.task import Command, State

Array = NDArray[Any]

PHASES = ("approach", "contact", "search", "insert", "seat")
POINTING_DOWN = (0.0, math.sqrt(0.5), -math.sqrt(0.5), 0.0)  # quaternion of the tool over a level fixture, world
STANDOFF = 7e-3  # m above the nominal mouth: more than slip, height and tilt leave unknown
_ASIDE = 6e-3  # m between hole and peg where the face is felt for
_LIFT = 1.5e-3  # m, on the way from there to the hole
_FEEL = 5e-3  # m/s, guarded contact
_CONTACT = 5.0  # N, what ends it
_SEARCH = 8.0  # N, pressed on the face while searching
_LEVEL = 18.0  # N, pressed on the face while levelling
_PITCH, _SPEED = 0.4e-3, 6e-3  # m, m/s of the spiral
_WIDEST = 4.0e-3  # m, where the spiral starts again
_DROP = 0.2e-3  # m below the face: the hole
_CAUGHT = 10.0  # N sideways, far above friction on the face: the hole, too
_LEVER = REACH - SENSOR_AT  # m, from the sensor to the peg's nominal tip
_GRAVITY = 9.81  # m/s2
_AXIAL, _LATERAL, _TURNING = 6e-4, 5e-4, 0.06  # m/s/N, m/s/N, rad/s/(N m): a third of what delays allow
_RETURN = 0.15  # 1/s, towards the levelled axis
_FASTEST = 10e-3  # m/s along the axis
_FILTER, _SLOW = 0.4, 0.25  # share of a new reading; while levelling, once more
_TRIM, _TRIM_MOST = 0.12, 4e-3  # share of a joint's error every other control step; rad
_RENEW = 5  # control steps
_LATE = 4  # control steps from reference to encoder


class Inserter:
    """A controller at work.

    Args:
        s: one simulation.
        pilot: the arm's kinematics, the tool's frame at the peg's nominal tip.
        period: control step, s.
        fit: as the drawing has it.
        habits: how the work is done.
    """

    def __init__(self, s: State, pilot: Pilot, period: float, fit: Fit, habits: Habits) -> None:
        self.s, self.pilot, self.period, self.fit, self.habits = s, pilot, period, fit, habits
        self.nominal = s.numeric("nominal").copy()
        self.axes = tuple(f"Axis{i}.ActualPosition" for i in range(1, len(pilot.home) + 1))
        self.q = self.joints()  # references, rad
        self.trim = np.zeros_like(self.q)
        self.late = collections.deque([self.q] * _LATE, maxlen=_LATE)
        self.load = tool_load(fit)
        self.frame = np.eye(3)  # of the tool, in world
        self.tare, self.wrench = np.zeros(6), np.zeros(6)  # at the sensor; on the tip, in the tool's frame
        self.mark, self.level = np.zeros(3), np.zeros(3)  # where the face is, from the nominal mouth; the axis into it
        self.ways = np.zeros((6, 6))  # from a small twist in world to joints, rad
        self.hand = np.zeros(0)  # what is commanded of the tool, after the joints
        self.slack = (
            0.0  # m that the peg may have moved in the hand: short of the bottom by less, a stall is the bottom
        )
        self.steps = 0
        self.command("approach")
        self.level = self.frame[:, 2].copy()

    def work(self) -> Iterator[Command]:
        """Bring the peg to the hole, find it, go in, and let the force off at the bottom."""
        yield from self.bring_in()
        while True:
            yield self.move(self.yielding(4.0), "seat")

    def bring_in(self) -> Iterator[Command]:
        """Bring the peg to the hole, find it and push it to the bottom."""
        feels = self.habits.yields and self.habits.searches
        aside = self.fit.diameter + 2 * self.fit.chamfer + _ASIDE if feels else 0.0
        yield from self.approach(aside)
        yield from self.touch("contact")
        if feels:
            yield from self.flatten()
        if self.habits.searches:
            yield from self.find(aside)
        yield from self.insert()

    def approach(self, aside: float) -> Iterator[Command]:
        """Move the tip over the nominal mouth or aside of it, m, and tare the sensor there."""
        goal = self.over(aside)
        yield from self.travel(goal, "approach")
        seen: list[Array] = []
        for i in range(round(1.1 / self.period)):
            self.q = self.pilot.approach(self.q, goal, way=1e-3, turn=1e-2)
            yield self.command("approach")
            if i * self.period > 0.3:
                seen.append(self.reading())
        self.tare = np.mean(seen, axis=0)
        self.wrench = np.zeros(6)
        self.level = self.frame[:, 2].copy()

    def travel(self, goal: Pose, phase: str) -> Iterator[Command]:
        """Move the tip straight to a pose, jerk-limited."""
        haste = self.habits.haste
        way, turn = (float(np.linalg.norm(part)) for part in np.split(pose_error(self.pilot.pose(self.q), goal), 2))
        for speed in skills.move(way, Limits(0.15 * haste, 0.6 * haste, 4.0), self.period):
            step = speed * self.period
            self.q = self.pilot.approach(self.q, goal, way=step, turn=turn * step / way)
            yield self.command(phase)

    def touch(self, phase: str, *, deepest: float = math.inf) -> Iterator[Command]:
        """Go down until the peg meets something, or is deeper than the face, m."""
        speed = _FEEL * self.habits.haste
        for _ in range(round(3 * STANDOFF / speed / self.period)):
            if self.push > _CONTACT or self.depth > deepest:
                break
            yield self.move((0, 0, speed, 0, 0, 0), phase)

    def flatten(self) -> Iterator[Command]:
        """Lay the peg's end flat on the face, clear of the hole, by turning it as the moment there wants."""
        tipping = _LEVEL * (self.fit.radius - EDGE)  # N m, the moment when the peg stands on its edge
        moment = np.zeros(2)
        for rate, seconds in ((0.05, 1.4), (0.015, 0.8), (0.005, 0.8)):
            for _ in range(round(seconds / self.period)):
                moment = moment + _SLOW * (self.wrench[3:5] - moment)
                x, y = rate * np.clip(moment / (0.7 * tipping), -1.0, 1.0)
                yield self.move((*_LATERAL * self.wrench[:2], self.press(_LEVEL), x, y, 0), "contact")
        self.mark, self.level = self.place(), self.frame[:, 2].copy()

    def find(self, aside: float) -> Iterator[Command]:
        """Go to where the hole should be and spiral until the peg drops into it."""
        if aside > 0.0:
            yield from self.shift((0.0, 0.0, -_LIFT))
            yield from self.shift((-aside, 0.0, 0.0))
            yield from self.touch("search", deepest=2 * _DROP)
        for _ in range(6):
            for _ in range(round(1.2 / self.period)):
                if self.depth > self.fit.chamfer + EDGE + 0.3e-3:
                    return
                yield self.move(self.yielding(_SEARCH), "search")
            self.mark = self.place()
            yield from self.spiral()

    def shift(self, way: tuple[float, float, float], phase: str = "search") -> Iterator[Command]:
        """Move by a way (3,), m, in the tool's frame."""
        size = math.hypot(*way)
        for speed in skills.move(size, Limits(0.04, 0.4, 4.0), self.period):
            share = speed / size
            yield self.move((way[0] * share, way[1] * share, way[2] * share, 0, 0, 0), phase)

    def spiral(self) -> Iterator[Command]:
        """Go round on the face, ever wider, until the peg drops or its edge is caught."""
        centre, growth, theta, dropped = self.place(), _PITCH / (2 * math.pi), 0.0, 0
        late = collections.deque([np.zeros(3)] * _LATE, maxlen=_LATE)
        while growth * theta < _WIDEST:
            theta += _SPEED * self.habits.haste * self.period / (growth * math.sqrt(1 + theta**2))
            at = growth * theta * np.array([math.cos(theta), math.sin(theta), 0.0])
            speed = (at - late[-1]) / self.period
            late.append(at)
            across = (speed + 4.0 * (late[0] - self.place() + centre)) @ self.frame
            yield self.move((across[0], across[1], self.press(_SEARCH), 0, 0, 0), "search")
            caught = self.depth > _DROP or math.hypot(self.wrench[0], self.wrench[1]) > _CAUGHT
            dropped = dropped + 1 if caught else 0
            if dropped >= 2:
                return

    def insert(self) -> Iterator[Command]:
        """Go in, giving way to forces and moments; where it stalls, push harder and dither in a cone."""
        stalled, deepest, since, t = 0.0, self.depth, 0.0, 0.0
        while self.depth < 0.97 * self.fit.depth - self.slack * (stalled >= 3) or self.push < 0.8 * self.habits.push:
            twist = self.yielding(self.habits.push * (1 + 0.12 * stalled))
            if stalled and self.habits.yields:
                rate = 4 * math.pi
                swing = 1.2e-3 * min(stalled, 4.0) * rate
                twist[3] += swing * math.cos(rate * t)
                twist[4] -= swing * math.sin(rate * t)
            yield self.move(twist, "insert")
            t, since = t + self.period, since + self.period
            if self.depth > deepest + 0.1e-3:
                deepest, since, stalled = self.depth, 0.0, max(0.0, stalled - 0.5)
            elif since > 0.4:
                since, stalled = 0.0, min(stalled + 1.0, 6.0)

    def yielding(self, push: float) -> Array:
        """Return the twist that presses with a force, N, and gives way across and in turn."""
        twist = np.zeros(6)
        twist[2] = self.press(push)
        if self.habits.yields:
            twist[:2] = _LATERAL * self.wrench[:2]
            twist[3:5] = _TURNING * self.wrench[3:5]
            x, y, _ = self.level @ self.frame
            twist[3] -= _RETURN * y
            twist[4] += _RETURN * x
        return twist

    def press(self, push: float) -> float:
        """Return the speed along the axis that brings the push to a force, N."""
        return min(max(_AXIAL * (push - self.push), -_FASTEST), _FASTEST * self.habits.haste)

    def over(self, aside: float) -> Pose:
        """Return the pose over the nominal mouth, or aside of it, m, along the tool's x."""
        quat, lean = np.zeros(4), np.array([1.0, self.habits.lean[0] / 2, self.habits.lean[1] / 2, 0.0])
        mujoco.mju_mulQuat(quat, np.array(POINTING_DOWN), lean / np.linalg.norm(lean))
        return Pose(self.nominal + np.array([0.0, -aside, STANDOFF]), quat)

    def move(self, twist: ArrayLike, phase: str) -> Command:
        """Return the command that moves the tool by a twist (6,) in its own frame, m/s and rad/s."""
        step = self.period * np.asarray(twist, float).reshape(2, 3) @ self.frame.T
        q = self.q + self.ways @ step.ravel()
        self.q = np.minimum(np.maximum(q, self.pilot.low), self.pilot.high)
        return self.command(phase)

    def command(self, phase: str) -> Command:
        """Return the command of the joint references, trimmed so that the joints get there in spite of friction.

        What changes little from step to step is computed anew only every few steps: kinematics and trim.
        """
        if self.steps % _RENEW == 0:
            mat = np.empty(9)
            mujoco.mju_quat2Mat(mat, self.pilot.pose(self.q).quat)
            self.frame = mat.reshape(3, 3)
            self.ways = np.linalg.inv(self.pilot.jacobian(self.q))
        self.late.append(self.q)
        if self.steps % 2:
            trim = self.trim + _TRIM * (self.late[0] - self.joints())
            self.trim = np.minimum(np.maximum(trim, -_TRIM_MOST), _TRIM_MOST)
        self.steps += 1
        self.sense()
        return Command(np.concatenate([self.q + self.trim, self.hand]), phase)

    def sense(self) -> None:
        """Take in the sensor's latest reading: force and moment on the peg's nominal tip, less weight and tare."""
        now = self.reading() - self.tare
        now[3] += _LEVER * now[1]
        now[4] -= _LEVER * now[0]
        self.wrench = self.wrench + _FILTER * (now - self.wrench)

    def reading(self) -> Array:
        """Return what pushes the tool (6,) at the sensor, less its weight."""
        mass, at = self.load
        x, y, z = -mass * _GRAVITY * self.frame[2]
        weight = np.array([x, y, z, -at * y, at * x, 0.0])
        return -np.concatenate([self.s.sensor("Wrist.Force"), self.s.sensor("Wrist.Torque")]) - weight

    def joints(self) -> Array:
        """Return the joints by encoder (6,), rad."""
        return np.array([self.s.sensor(name)[0] for name in self.axes])

    def place(self) -> Array:
        """Return the nominal tip (3,), m, from the nominal mouth."""
        return self.s.sensor("Tool.ActualPosition").copy()

    @property
    def push(self) -> float:
        """Force with which the peg is pushed in, N."""
        return -float(self.wrench[2])

    @property
    def depth(self) -> float:
        """How far the tip is below the face, m."""
        return float((self.s.sensor("Tool.ActualPosition") - self.mark) @ self.level)
