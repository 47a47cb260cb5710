"""What a tightening controller makes of torque and angle: seating, clamp force, result; and how a joint goes wrong.

The controller reads channels. Names follow OPC 40451-1 and the joining results of OPC 40450-1: final torque, final
angle, result evaluation with its reason. Whether the joint is good or how it failed is judged from the true state.
"""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import screw_joint
from scenes.machines.nutrunner import IN_SOCKET, TORQUE, TORSION
from scenes.machines.screw_joint import Joint
from scenes.machines.screw_sizes import Size, friction_radius, tightening_torque
from sim.task import Feature, State

Array = NDArray[Any]

TOLERANCE = 0.10  # of the clamp force; VDI 2230 gives 10 to 20 % for tightening by angle
_USED = 0.68  # of the yield force, where the spindle can do that
_MILD, _MEAN, _ROUGH = 0.08, 0.13, 0.20  # friction: least, usual and greatest
_SEATING = 0.15  # of the usual torque over the running torque: the head is down
_FIRST = 0.32  # of the usual torque over the running torque: from where the slope is taken
_ANGLE = (0.25, 1.3)  # of the angle over which the clamp force grows: seating is noticed somewhere on it
_NOISE = 0.04  # N m, of a scan
_OFF = 3e-3  # m between bit and socket: the screw has been left
_LEFT = 0.5  # s
_MISFIT = 1e-3  # m of length
_YIELDED = 0.002  # of the length: the proof stress Rp0.2 of ISO 898-1
REASONS = ("none", "torque low", "torque high", "angle low", "angle high", "clamp low", "clamp high")
_SUMS = ("fit_n", "fit_x", "fit_y", "fit_xx", "fit_xy")
MEMORY = (
    "running",
    "loaded",
    "last_angle",
    "seated",
    "sliding",
    "angle_zero",
    "torque",
    "angle",
    "estimate",
    "left",
    *_SUMS,
)
FEATURES = {
    "Joining.SeatingDetected": Feature("1", doc="Whether torque and height have said that the head is down."),
    "Joining.FinalTorque": Feature("N*m", doc="Greatest torque since seating."),
    "Joining.FinalAngle": Feature("rad", doc="Turned since seating when that was, less the bit's torsion."),
    "Joining.ClampForceEstimate": Feature("N", doc="By angle and the joint's stiffness, from where the slope is zero."),
    "Joining.ResultEvaluation": Feature(
        "1", doc="1 OK, -1 not OK, 0 while the bit is on the screw or none was seated."
    ),
    "Joining.FailureReason": Feature("1", doc=f"Number in: {', '.join(REASONS)}."),
}


class Order(NamedTuple):
    """What is asked for, and what the controller is told.

    Attributes:
        clamp: force, N.
        torque: that this takes at usual friction, N m.
        stiffness: of the joint as trials gave it, N/m.
        lead: m/rad.
        reach: way from thread to seat, m.
        torque_low: least final torque, N m.
        torque_high: greatest final torque, N m.
        angle_low: least angle from seating, rad.
        angle_high: greatest angle from seating, rad.
    """

    clamp: float
    torque: float
    stiffness: float
    lead: float
    reach: float
    torque_low: float
    torque_high: float
    angle_low: float
    angle_high: float


def plan(joint: Joint, stiffness: float) -> Order:
    """Return the order for a joint whose stiffness is taken to be that, N/m.

    The clamp force is a share of the yield force, or what the spindle can give where friction is greatest.
    """
    size = joint.size
    clamp = min(_USED * joint.strength, 0.85 * TORQUE / (size.lead + friction_radius(size, _ROUGH, _ROUGH)))
    low, usual, high = (float(tightening_torque(size, clamp, mu, mu)) for mu in (_MILD, _MEAN, _ROUGH))
    full = clamp / (stiffness * size.lead)
    return Order(clamp, usual, stiffness, size.lead, joint.reach, 0.85 * low, 1.15 * high + greatest_drag(size),
                 _ANGLE[0] * full, _ANGLE[1] * full)  # fmt: skip


def add_order(spec: mujoco.MjSpec, order: Order) -> None:
    """Put the order where controller and policy find it."""
    spec.add_numeric(name="order", data=list(order))


def control(s: State, period: float) -> None:
    """Let the controller scan torque, angle and feed, once every control step of a period, s."""
    order = Order(*np.moveaxis(s.numeric("order"), -1, 0))
    torque, raw = s.sensor("Spindle.Torque")[..., 0], s.sensor("Spindle.Angle")[..., 0]
    speed, angle = s.sensor("Spindle.ActualSpeed")[..., 0], raw - torque / TORSION
    asked = s.actuator("speed").ctrl[..., 0]
    steady = (asked > 0) & (np.abs(speed - asked) < 0.3 * asked)
    running, seated = s.memory("running"), s.memory("seated")
    near = measured_height(s) < 0.6e-3
    free = (seated == 0) & steady & (asked > 2.0) & ~near
    running[...] = np.where(free, running + 0.1 * (torque - running), running)
    net = torque - np.maximum(running, 0.0)
    loaded, above = s.memory("loaded"), near & (net > _SEATING * order.torque)
    down = above & (loaded > 0)  # in two scans: knocks of a worn bit are shorter
    loaded[...] = above
    fresh = down & (seated == 0)
    s.memory("angle_zero")[...] = np.where(fresh, angle, s.memory("angle_zero"))
    seated[...] = np.maximum(seated, down)
    last = s.memory("last_angle")
    slides = (seated > 0) & steady & (asked < 2.0) & (angle - last > 0.15 * asked * period)
    last[...] = angle
    sliding = s.memory("sliding")
    sliding[...] = np.where(slides & (net > _FIRST * order.torque), sliding + 1.0, 0.0)
    estimate = s.memory("estimate")
    now = _clamp_by_angle(s, order, angle - s.memory("angle_zero"), net, sliding > 2)
    estimate[...] = np.where((net > _SEATING * order.torque) & (seated > 0), now, estimate)
    top = s.memory("torque")
    more = (seated > 0) & (torque > top)
    s.memory("angle")[...] = np.where(more, angle - s.memory("angle_zero"), s.memory("angle"))
    top[...] = np.where(more, torque, top)
    left = s.memory("left")
    off = screw_joint.engaged(s) & (stroke(s) > _OFF)
    left[...] = np.where(off, left + period, 0.0)


def _clamp_by_angle(s: State, order: Order, angle: Array, net: Array, sliding: Array) -> Array:
    """Return the clamp force (...), N, by the angle from where the line of torque over angle is zero.

    The line is fitted to all scans in which the screw slides; its slope is what usual friction gives, within a quarter,
    until they say better.
    """
    parts = (1.0, angle, net, angle * angle, angle * net)
    n, x, y, xx, xy = (s.memory(name) for name in _SUMS)
    for total, part in zip((n, x, y, xx, xy), parts, strict=True):
        total[...] += np.where(sliding, part, 0.0)
    rate, count = order.stiffness * order.lead, np.maximum(n, 1.0)
    usual = rate * order.torque / order.clamp
    doubt = (_NOISE / (0.25 * usual)) ** 2
    slope = (xy - x * y / count + doubt * usual) / (xx - x * x / count + doubt)
    slope = np.maximum(slope, 0.3 * usual)
    turned = np.where(n > 0, angle - x / count + y / count / slope, net / usual)
    return rate * np.maximum(turned, 0.0)


def stroke(s: State) -> Array:
    """Return how far the bit is over the socket's bottom (...), m."""
    return s.joint("feed").qpos[..., 0] - s.joint("travel").qpos[..., 0]


def measured_height(s: State) -> Array:
    """Return how far the head is over its nominal seat, by feed and nose (...), m."""
    return s.sensor("Feed.ActualPosition")[..., 0] - s.sensor("Nose.Stroke")[..., 0]


def tight(s: State) -> Array:
    """Return whether the clamp force is right, with the right screw and nothing yielded, bool (...)."""
    order = s.numeric("order")
    right = np.abs(screw_joint.clamp(s) / order[..., 0] - 1.0) < TOLERANCE
    bad = np.zeros(right.shape, bool)
    for happened in mishaps(s).values():
        bad = bad | happened
    return right & ~bad


def good(s: State) -> Array:
    """Return whether the joint is made: right clamp force, torque and angle in their windows, and the bit off."""
    order, torque, angle = Order(*np.moveaxis(s.numeric("order"), -1, 0)), s.memory("torque"), s.memory("angle")
    inside = (torque > order.torque_low) & (torque < order.torque_high)
    inside = inside & (angle > order.angle_low) & (angle < order.angle_high)
    return tight(s) & inside & (stroke(s) > _OFF)


def mishaps(s: State) -> dict[str, Array]:
    """Return what has gone wrong by name, each bool (...).

    cross_thread: more than a pitch deep in the wrong turn; strip: screw or thread have yielded by 0.2 % of the length;
    floating_screw: left in the thread without clamp force; wrong_length: tight, and not the screw asked for.
    """
    numbers, order, clamp = s.numeric("screw"), s.numeric("order"), screw_joint.clamp(s)
    inside = screw_joint.engaged(s)
    off = np.abs(s.joint("length").qpos[..., 0]) > _MISFIT
    return {
        "cross_thread": inside & (s.memory("crossed") > 0) & (screw_joint.depth(s) > numbers[..., 1]),
        "strip": s.memory("plastic") > _YIELDED * order[..., 4],
        "floating_screw": (s.memory("left") >= _LEFT - 1e-6) & (clamp < 0.1 * order[..., 0]),
        "wrong_length": off & (clamp > 0.1 * order[..., 0]),
    }


def report(s: State) -> dict[str, Array]:
    """Return the joining result, each (..., 1)."""
    order, torque, angle = Order(*np.moveaxis(s.numeric("order"), -1, 0)), s.memory("torque"), s.memory("angle")
    force, seated = s.memory("estimate"), s.memory("seated")
    off = (seated > 0) & (s.sensor("Nose.Stroke")[..., 0] > IN_SOCKET)
    wrong = [torque < order.torque_low, torque > order.torque_high, angle < order.angle_low, angle > order.angle_high]
    wrong += [force < (1 - TOLERANCE) * order.clamp, force > (1 + TOLERANCE) * order.clamp]
    reason = np.where(off, np.select(wrong, range(1, len(REASONS)), 0), 0)
    values = {
        "Joining.SeatingDetected": seated,
        "Joining.FinalTorque": torque,
        "Joining.FinalAngle": angle,
        "Joining.ClampForceEstimate": force,
        "Joining.ResultEvaluation": np.where(off, np.where(reason > 0, -1.0, 1.0), 0.0),
        "Joining.FailureReason": reason,
    }
    return {name: np.asarray(value, float)[..., None] for name, value in values.items()}


def greatest_drag(size: Size) -> float:
    """Return the greatest prevailing torque that a thread may have, N m."""
    return 2.0 * (size.diameter / 8e-3) ** 3
