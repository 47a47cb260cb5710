"""How an arm picks a peg from its nest with a gripper, and lets go of it in the hole; in between, `inserter` works.

The scene's numeric "pick" is where the cell takes the standing peg's tip to be; the last command is the jaws' opening.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from scenes.machines.arm_pilot import Pose
from scenes.machines.gripper import OPEN, reference
from scenes.machines.inserter import POINTING_DOWN, Inserter
from sim.task import Command

PHASES = ("pick", "approach", "contact", "search", "insert", "release")
MODES = ("weak_grip", "lets_go")
GRIP = 100.0  # N: twice that times friction holds 90 N along the peg, with worn pads
_ABOVE, _LIFT = 0.030, 0.040  # m over the nest, before and after
_CLOSING = 0.06  # m/s of opening
_SQUEEZE = 300.0  # N/s
_FREE = 8e-3  # m, how much wider than the peg jaws open to let go of it
_SLIPS = 1e-3  # m, what a good grip may lose on the face
_OFF = 0.035  # m, how far they are drawn off


@dataclasses.dataclass(frozen=True, slots=True)
class Grip:
    """How the peg is held; the defaults are good habits.

    Attributes:
        force: N.
        until: s after it is picked, when the jaws open by a fault.
    """

    force: float = GRIP
    until: float = math.inf


def grip(mode: str, rng: np.random.Generator) -> Grip:
    """Return how the peg is held, badly where degraded."""
    if mode == "weak_grip":
        return Grip(force=float(np.exp(rng.uniform(math.log(3.0), math.log(20.0)))))
    if mode == "lets_go":
        return Grip(until=rng.uniform(0.5, 9.0))
    return Grip()


def work(w: Inserter, g: Grip) -> Iterator[Command]:
    """Pick the peg, put it in, let go of it and draw the jaws off."""
    w.hand, w.slack = np.array([OPEN]), _SLIPS
    yield from pick(w, g)
    for k, command in enumerate(w.bring_in()):
        if k * w.period > g.until:
            w.hand = np.array([OPEN])
        yield command
    yield from release(w)
    while True:
        yield w.move(np.zeros(6), "release")


def pick(w: Inserter, g: Grip) -> Iterator[Command]:
    """Go over the nest with open jaws, down, close them, and lift the peg out."""
    at, down = w.s.numeric("pick").copy(), np.array(POINTING_DOWN)
    for height, rest in ((_ABOVE, 0.2), (0.0, 0.4)):
        yield from w.travel(Pose(at + np.array([0.0, 0.0, height]), down), "pick")
        yield from wait(w, rest, "pick")
    goal, touch = reference(w.fit.diameter, g.force), w.fit.diameter + 1e-3
    while w.hand[0] > goal:
        speed = _CLOSING if w.hand[0] > touch else _SQUEEZE * (touch - goal) / max(g.force, 1.0)
        w.hand = np.maximum(w.hand - speed * w.period, goal)
        yield w.move(np.zeros(6), "pick")
    yield from wait(w, 0.4, "pick")
    yield from w.travel(Pose(at + np.array([0.0, 0.0, _LIFT]), down), "pick")


def release(w: Inserter) -> Iterator[Command]:
    """Take the force off the peg, open the jaws, and draw them off."""
    for _ in range(round(0.5 / w.period)):
        yield w.move(w.yielding(2.0), "release")
    while w.hand[0] < w.fit.diameter + _FREE:
        w.hand = w.hand + _CLOSING * w.period
        yield w.move(np.zeros(6), "release")
    yield from wait(w, 0.2, "release")
    yield from w.shift((0.0, 0.0, -_OFF), "release")


def wait(w: Inserter, seconds: float, phase: str) -> Iterator[Command]:
    """Stand still."""
    for _ in range(round(seconds / w.period)):
        yield w.move(np.zeros(6), phase)
