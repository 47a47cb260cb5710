"""Motions for experts: smooth moves, input shapers against sway, and generators that yield commands.

A move is a sum of jerk steps, so a shaper (impulses that split a command and delay its parts so that a swinging load
comes to rest) only multiplies their number, and positions are exact at any time.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.task import Command

Array = NDArray[np.float64]


class Shaper(NamedTuple):
    """Impulses that a command is convolved with.

    Attributes:
        times: (n,) s.
        amplitudes: (n,), which add to 1.
    """

    times: Array
    amplitudes: Array


class Limits(NamedTuple):
    """What a move may reach: velocity (m/s or rad/s), acceleration and jerk."""

    velocity: float
    acceleration: float
    jerk: float


UNSHAPED = Shaper(np.zeros(1), np.ones(1))


def zv(omega: float, damping: float = 0.0) -> Shaper:
    """Return the zero-vibration shaper (Singer and Seering 1990) of a mode: omega undamped, rad/s; damping a ratio."""
    root = math.sqrt(1.0 - damping**2)
    k = math.exp(-damping * math.pi / root)
    return Shaper(np.array([0.0, math.pi / (omega * root)]), np.array([1.0, k]) / (1.0 + k))


def zvd(omega: float, damping: float = 0.0) -> Shaper:
    """Return the zero-vibration-and-derivative shaper, which forgives an error in omega: two `zv` in a row."""
    return combine(zv(omega, damping), zv(omega, damping))


def combine(first: Shaper, second: Shaper) -> Shaper:
    """Return the shaper that does what both do."""
    times = np.add.outer(first.times, second.times).ravel()
    return Shaper(times, np.multiply.outer(first.amplitudes, second.amplitudes).ravel())


def move(distance: float, limits: Limits, period: float, shaper: Shaper = UNSHAPED) -> Array:
    """Return the velocities (n,) of a jerk-limited, shaped move, one per control step.

    Each is the mean over its control step, so that they add up to the distance.

    Args:
        distance: signed, m or rad.
        limits: of the unshaped move; shaping only lowers what is reached.
        period: one control step, s.
        shaper: against sway.
    """
    size = abs(distance)
    if size < 1e-9:
        return np.zeros(0)
    v, a, j = limits
    v = min(v, 0.5 * a * (math.sqrt((a / j) ** 2 + 4 * size / a) - a / j))  # too short to reach full speed
    if v < a * a / j:  # too short to reach full acceleration
        v = min(limits.velocity, (size * size * j / 4) ** (1 / 3))
        a = math.sqrt(v * j)
    ramp = np.array([0.0, a / j, v / a, v / a + a / j])
    knots = np.concatenate([ramp, size / v + ramp])
    jerks = math.copysign(j, distance) * np.array([1.0, -1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
    start = np.add.outer(shaper.times, knots).ravel()
    jerk = np.multiply.outer(shaper.amplitudes, jerks).ravel()
    t = period * np.arange(math.ceil(start.max() / period - 1e-9) + 1)
    position = np.maximum(t[:, None] - start, 0.0) ** 3 @ jerk / 6.0
    return np.diff(position) / period


def follow(velocities: ArrayLike, phase: str) -> Iterator[Command]:
    """Yield the rows of an array (n, nu) of commands."""
    for row in np.asarray(velocities, float):
        yield Command(row, phase)


def hold(ctrl: ArrayLike, steps: int, phase: str) -> Iterator[Command]:
    """Yield the same command (nu,) for some control steps."""
    row = np.asarray(ctrl, float)
    for _ in range(steps):
        yield Command(row, phase)
