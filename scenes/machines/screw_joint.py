"""A screw in a threaded hole: helix, thread start, elastic joint that yields, and friction of thread and head.

The clamp force is the tension of the tendon "clamp": the head's way beyond its seat, lead times the screw's turns plus
the height of the helix, times the joint's stiffness; it yields as the screw does. Friction is the clamp force times a
radius: `friction` gives it at every control step, and the actuator "growth" adds what the clamp force gains until the
next, so that it is in proportion at every physics step. Coordinate "helix", a lever, holds the height of the helix on
which the screw's end stands; the thread's start moves it by one pitch where the end falls off the start.

Rule: `scan` reads true states, as nature does; it works no drive.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.screw_sizes import Size, friction_radius
from sim.distributions import LogUniform, Uniform
from sim.parameters import param
from sim.spec import weigh
from sim.task import State

Array = NDArray[Any]

_HELIX = 2e-3  # of the helix coordinate's way to the height
_FLANK = 1e6  # N/m, of a flank under the feed's push: 0.05 mm at 50 N
_RIDES = 4.0  # kg, of bit holder and jaws, which move along with a screw
_CAUGHT = 0.25e-3  # m between end and flank at which a turn catches
_GRIP = 6.0  # N, of the sprung jaws, by friction
_HELD = 0.02  # N m, of the jaws against turning: their grip at the radius of an M8
_GUIDE = 60.0  # N m/rad, of a thread that holds a screw straight
_BIND = 0.10  # of the yield torque per turn of a crossed thread; engineering value
MEMORY = ("engaged", "turn", "crossed", "plastic")


@dataclasses.dataclass(frozen=True, slots=True)
class ScrewParams:
    """One screw, its thread and what it clamps."""

    thread_friction: float = param(Uniform(0.08, 0.20), "1", "Friction in the thread; VDI 2230 classes A and B.")
    head_friction: float = param(Uniform(0.08, 0.20), "1", "Friction under the head; VDI 2230 classes A and B.")
    stiffness: float = param(
        LogUniform(0.5e8, 3e8), "N/m", "Of an M8 joint, soft to hard; others by their stress area; engineering value."
    )
    prevailing: float = param(
        Uniform(0.0, 2.0), "N*m", "Prevailing torque of an M8 thread, none to coated; others by the cube of diameter."
    )
    start: float = param(Uniform(0.0, 2 * math.pi), "rad", "Where the thread starts, against the screw's own start.")
    tilt: float = param(Uniform(0.0, math.radians(2.0)), "rad", "How askew the jaws hold the screw; to 2 degrees.")
    seat: float = param(Uniform(-0.15e-3, 0.15e-3), "m", "Height of the seat over its nominal: castings, machined.")


class Joint(NamedTuple):
    """What a screw is made into.

    Attributes:
        size: of the screw.
        grip: thickness that is clamped, m; the thread begins below it.
        length: of the screw that belongs here, m.
        other: length of what the other lane of the feeder holds, over that, m.
        strength: force at which screw or thread yields, N.
    """

    size: Size
    grip: float
    length: float
    other: float
    strength: float

    @property
    def reach(self) -> float:
        """Way from where the thread is met to the seat, m."""
        return self.length - self.grip


def stiffness(p: ScrewParams, size: Size) -> float:
    """Return the stiffness of the joint, N/m."""
    return p.stiffness * size.stress_area / 36.6e-6


def prevailing(p: ScrewParams, size: Size) -> float:
    """Return the prevailing torque, N m."""
    return p.prevailing * (size.diameter / 8e-3) ** 3


def add_screw(
    spec: mujoco.MjSpec, seat: tuple[float, float, float], p: ScrewParams, joint: Joint, height: float
) -> Array:
    """Add a screw over a hole: bodies "holder", "screw" and "shank"; joints "travel", "tilt", "screw", "length" ...

    Args:
        spec: the scene.
        seat: where the head belongs (3,), m, world.
        p: this screw.
        joint: what it is made into.
        height: of the head over the seat at the start, m.

    Returns:
        qpos at the start, of joints "travel", "tilt", "screw", "length", "helix".
    """
    size, kinds = joint.size, mujoco.mjtJoint
    holder = add_rider(spec.worldbody, "holder", 0.05, seat)
    firm = 1000.0 * size.diameter  # N m/rad, of the jaws: 100 N at the screw's edge tilt it by 3 degrees
    holder.add_joint(
        name="travel", type=kinds.mjJNT_SLIDE, axis=[0, 0, 1], armature=_RIDES, frictionloss=_GRIP, **hold_firm(spec)
    )
    lean = holder.add_joint(name="tilt", type=kinds.mjJNT_HINGE, axis=[0, 1, 0], armature=2e-3, springref=p.tilt)
    lean.stiffness, lean.damping = [firm, 0, 0], [0.6 * math.sqrt(firm * 2e-3), 0, 0]
    screw = add_rider(holder, "screw", 0.02)
    screw.add_joint(
        name="screw", type=kinds.mjJNT_HINGE, axis=[0, 0, -1], armature=2e-3, frictionloss=1e-3, **hold_firm(spec)
    )
    shank = add_rider(screw, "shank", 0.01)
    shank.add_joint(name="length", type=kinds.mjJNT_SLIDE, axis=[0, 0, -1], armature=0.5)
    helix = add_rider(spec.worldbody, "helix", 0.01, seat)
    helix.add_joint(name="helix", type=kinds.mjJNT_SLIDE, axis=[1, 0, 0], armature=6.0)
    _add_tendons(spec, p, joint)
    _add_laws(spec, p, joint)
    off = joint.reach + joint.other / 2 + size.lead * p.start
    radius = friction_radius(size, p.thread_friction, p.head_friction)
    numbers = [
        size.diameter,
        size.pitch,
        joint.reach,
        joint.other,
        p.start,
        joint.strength,
        prevailing(p, size),
        radius,
    ]
    spec.add_numeric(name="screw", data=numbers)
    return np.array([height, p.tilt, 0.0, joint.other / 2, -off / _HELIX])


def add_rider(
    parent: mujoco.MjsBody, name: str, mass: float, pos: tuple[float, float, float] = (0, 0, 0)
) -> mujoco.MjsBody:
    """Add a body that its drives carry: gravity is balanced, and its inertia is that of its joints."""
    body = parent.add_body(name=name, pos=pos, gravcomp=1.0)
    weigh(body, mass, 3 * [1e-4 * mass])
    return body


def add_gate(
    spec: mujoco.MjSpec, name: str, kind: mujoco.mjtTrn, gain: tuple[float, float, float], *, target: str = ""
) -> None:
    """Add an actuator whose force is its control, 0 to 1, times an affine function of length and velocity."""
    spring = spec.add_actuator(name=name, target=target or name, trntype=kind)
    spring.gaintype = mujoco.mjtGain.mjGAIN_AFFINE
    spring.gainprm[:3] = gain


def clamp(s: State) -> Array:
    """Return the clamp force (...), N."""
    stiff, rest = np.moveaxis(s.numeric("clamp"), -1, 0)
    way = s.tendon("clamp").length[..., 0] - rest - s.memory("plastic")
    return np.clip(stiff * way, 0.0, s.numeric("screw")[..., 5])


def engine_clamp(s: State) -> Array:
    """Return the tension of the tendon (...), N, as MuJoCo applies it: to test `clamp` by."""
    return -s.joint("helix").qfrc_passive[..., 0] / _HELIX


def friction(s: State) -> Array:
    """Return the friction torque of thread and head (...), N m, and let it grow with the clamp force from here on."""
    numbers, force, crossed = s.numeric("screw"), clamp(s), s.memory("crossed")
    pitch, strength, rubs, radius = (numbers[..., i] for i in (1, 5, 6, 7))
    turning = np.sign(np.where(np.abs(s.joint("screw").qvel[..., 0]) > 1e-3, s.joint("screw").qvel[..., 0], 0.0))
    grows = np.where((force > 0) & (force < strength), turning, 0.0)
    s.actuator("growth").ctrl[...] = grows[..., None]
    rate = radius * s.numeric("clamp")[..., 0] * pitch / (2 * math.pi)
    s.actuator("grown").ctrl[...] = (grows * rate * s.joint("screw").qpos[..., 0])[..., None]
    binds = crossed * _BIND * strength * (pitch / (2 * math.pi) + radius) * np.maximum(depth(s), 0.0) / pitch
    return radius * force + np.where(engaged(s), rubs + binds, _HELD)


def height(s: State) -> Array:
    """Return how far the head is over its seat (...), m."""
    return s.joint("travel").qpos[..., 0]


def depth(s: State) -> Array:
    """Return how far the screw's end is below the thread's mouth (...), m."""
    return s.numeric("screw")[..., 2] + s.joint("length").qpos[..., 0] - height(s)


def engaged(s: State) -> Array:
    """Return whether the screw is in the thread, bool (...)."""
    return s.memory("engaged") > 0


def scan(s: State, push: Array) -> None:
    """Catch or pass the thread's start, bind a crossed thread and note what has yielded; once every control step.

    Args:
        s: the simulations.
        push: on the screw, downwards (...), N.
    """
    diameter, pitch, reach, _, start, strength, _, _ = np.moveaxis(s.numeric("screw"), -1, 0)
    lead, mouth = pitch / (2 * math.pi), reach + s.joint("length").qpos[..., 0]
    angle, turn = s.joint("screw").qpos[..., 0], s.memory("turn")
    inside, crossed = s.memory("engaged"), s.memory("crossed")
    level = mouth + lead * (start - angle) + pitch * turn  # of the flank under the screw's end, over the seat
    met = np.abs(height(s) - level) < _CAUGHT
    caught = (level <= mouth) & ((inside > 0) | met)
    tilt = np.abs(s.joint("tilt").qpos[..., 0])
    fresh = caught & (inside == 0)
    crossed[...] = np.where(caught, np.maximum(crossed, fresh & (tilt > crossing(diameter, pitch))), 0.0)
    inside[...] = caught
    turn[...] += np.where(caught, 0.0, 1.0 - np.ceil((level - mouth) / pitch))
    off = mouth + lead * start + pitch * turn
    s.actuator("helix").ctrl[...] = (-off / _HELIX)[..., None]
    s.actuator("flank").ctrl[...] = inside[..., None]
    s.actuator("guide").ctrl[...] = (inside * (1 - crossed))[..., None]
    pressed = np.maximum(push - _GRIP, 0.0)
    s.actuator("rim").ctrl[...] = np.where(met & (inside == 0), pressed * diameter / 2, 0.0)[..., None]
    rate, rest = np.moveaxis(s.numeric("clamp"), -1, 0)
    plastic = s.memory("plastic")
    plastic[...] = np.maximum(plastic, s.tendon("clamp").length[..., 0] - rest - strength / rate)


def crossing(diameter: Array, pitch: Array) -> Array:
    """Return the tilt (...), rad, beyond which a screw enters the wrong turn: half a pitch over its diameter."""
    return pitch / (2 * diameter)


def hold_firm(spec: mujoco.MjSpec) -> dict[str, Any]:
    """Return what makes a joint's friction hold and not creep."""
    return {"solref_friction": [2 * spec.option.timestep, 1.0], "solimp_friction": [0.9999, 0.9999, 1e-3, 0.5, 2.0]}


def _add_tendons(spec: mujoco.MjSpec, p: ScrewParams, joint: Joint) -> None:
    """Add tendons "clamp", how far the head is beyond its seat, and "flank", how far the end is over the helix."""
    lead, stiff = joint.size.lead, stiffness(p, joint.size)
    tendon = spec.add_tendon(name="clamp", stiffness=[stiff, 0, 0], springlength=[-1e3, -p.seat])
    tendon.springyield = joint.strength / stiff
    for name, coef in (("screw", lead), ("helix", _HELIX)):
        tendon.wrap_joint(name, coef)
    tendon = spec.add_tendon(name="flank", stiffness=[_FLANK, 0, 0], damping=[60.0, 0, 0], springlength=[0.0, 1e3])
    for name, coef in (("travel", 1.0), ("screw", lead), ("helix", _HELIX)):
        tendon.wrap_joint(name, coef)
    spec.add_numeric(name="clamp", data=[stiff, -p.seat])


def _add_laws(spec: mujoco.MjSpec, p: ScrewParams, joint: Joint) -> None:
    """Add the actuators by which `scan` catches, guides and drags."""
    trn = mujoco.mjtTrn
    add_gate(spec, "flank", trn.mjTRN_TENDON, (0.0, -_FLANK, -1.4 * math.sqrt(_FLANK * _RIDES)))
    add_gate(spec, "guide", trn.mjTRN_JOINT, (0.0, -_GUIDE, -0.5), target="tilt")
    radius = friction_radius(joint.size, p.thread_friction, p.head_friction)
    add_gate(
        spec,
        "growth",
        trn.mjTRN_JOINT,
        (0.0, -radius * stiffness(p, joint.size) * joint.size.lead, 0.0),
        target="screw",
    )
    for name, target in (("rim", "tilt"), ("grown", "screw")):
        force = spec.add_actuator(name=name, target=target, trntype=trn.mjTRN_JOINT)
        force.set_to_motor()
    for name, target, kp, kv in (("helix", "helix", 1e6, 4e3), ("escapement", "length", 2e4, 200.0)):
        servo = spec.add_actuator(name=name, target=target, trntype=trn.mjTRN_JOINT)
        servo.set_to_position(kp=kp, kv=kv)
