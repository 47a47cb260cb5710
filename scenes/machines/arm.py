"""A robot arm built from numbers: links, joints and the servos that follow joint positions.

Each joint has a DC motor behind a gear and a position controller: a reference that moves no faster than the joint may,
a spring towards it and critical damping, as a torque-controlled arm's joint impedance mode. The controller also feeds
forward the weight of the links and of what it was told is on the flange, so an arm at rest holds still; all of that is
motor torque, which the joint's torque limit bounds and `qfrc_actuator` reports.

Rule: a joint and its actuator have one name; the actuator's control is the joint's position reference, rad (m where it
slides).
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes import shapes
from scenes.machines.arm_types import ArmModel, Drive, Link, Part
from scenes.machines.castings import castings
from sim.distributions import Uniform
from sim.errors import ParameterError
from sim.parameters import param
from sim.spec import new_spec
from sim.task import State

Array = NDArray[np.float64]

SHELL, TRIM = (0.86, 0.87, 0.86), (0.14, 0.15, 0.17)  # paint, and caps, seams and hoses


@dataclasses.dataclass(frozen=True, slots=True)
class ArmParams:
    """What differs from arm to arm, and from day to day."""

    stiffness: float = param(Uniform(0.59, 1.41), "1", "Servo stiffness over the model's; +-41 % (FORGE).")
    damping: float = param(Uniform(0.8, 1.2), "1", "Servo damping over critical; the load is never quite as tuned for.")
    friction: float = param(
        Uniform(0.5, 1.5), "1", "Joint friction over the model's; it halves as strain wave gears warm up."
    )
    payload_error: float = param(
        Uniform(-0.05, 0.05), "1", "Tool weight fed forward over true, less 1; usual for identification runs."
    )
    mastering: float = param(
        Uniform(-2e-4, 2e-4), "rad", "Zero error of the joints, in turn + and -: 0.2 mm at 1 m, a calibrated arm."
    )
    ambient: float = param(Uniform(10.0, 35.0), "degC", "Air temperature in the cell.")
    warmth: float = param(Uniform(0.0, 30.0), "K", "Winding temperature above ambient from the shift so far.")


class Arm(NamedTuple):
    """The names of an arm's parts in the spec.

    Attributes:
        prefix: of every name.
        joints: from the base to the tip; the actuators have the same names.
        links: bodies, one per joint.
        flange: site at the flange, z away from the arm.
        tip: the last link's body, where tools go; the flange is at `flange_pose` in it.
        geoms: what is seen; nothing collides unless the scene sets their contype or conaffinity.
        drives: of the joints; none where they are not known.
    """

    prefix: str
    joints: tuple[str, ...]
    links: tuple[str, ...]
    flange: str
    tip: str
    geoms: tuple[str, ...]
    drives: tuple[Drive, ...]

    @property
    def actuators(self) -> tuple[str, ...]:
        """The actuators, from the base to the tip."""
        return self.joints


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """An arm's part of a keyframe."""

    qpos: Array
    act: Array
    ctrl: Array


def add_arm(  # noqa: PLR0913 - where it stands, how far it may go and what it is called
    spec: mujoco.MjSpec,
    model: ArmModel,
    p: ArmParams,
    *,
    pos: Sequence[float],
    quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
    window: tuple[ArrayLike, ArrayLike] | None = None,
    prefix: str = "",
    paint: Sequence[float] = SHELL,
) -> Arm:
    """Add an arm, standing in the world.

    Args:
        spec: the scene.
        model: the kind of arm.
        p: this arm.
        pos: of its base, m, world.
        quat: of its base, world.
        window: least and greatest joint references (n,), rad: the cell's soft limits. None for the arm's own.
        prefix: of every name.
        paint: its colour (3,).

    Raises:
        ParameterError: the window does not lie within the joints' limits.
    """
    arm = names_of(model, prefix)
    body = spec.worldbody.add_body(name=f"{prefix}base", pos=pos, quat=quat)
    _add_looks(spec, body, model.base, paint)
    low, high = _window(model, window)
    stiffness, damping = gains(model, p)
    for i, (link, drive, name) in enumerate(zip(model.links, model.drives, arm.joints, strict=True)):
        body = _add_link(body, link, arm.links[i], twist=p.mastering * (-1) ** i * (not drive.slides))
        _add_looks(spec, body, link.parts, paint)
        _add_joint(spec, body, drive, p, name)
        _add_servo(spec, drive, p, name, (float(stiffness[i]), float(damping[i])))
        spec.actuator(name).ctrlrange = [low[i], high[i]]
    place, turn = flange_pose(model)
    body.add_site(name=arm.flange, pos=place, quat=turn, size=[0.01, 0.01, 0.01])
    return arm


def names_of(model: ArmModel, prefix: str = "") -> Arm:
    """Return the names that `add_arm` gives, for those who only read the scene."""
    numbers = range(1, len(model.links) + 1)
    links = tuple(f"{prefix}link{i}" for i in numbers)
    looks = zip((f"{prefix}base", *links), (model.base, *(link.parts for link in model.links)), strict=True)
    geoms = tuple(f"{body}_{colour}" for body, parts in looks for colour in castings(parts))
    joints = tuple(f"{prefix}joint{i}" for i in numbers)
    return Arm(prefix, joints, links, f"{prefix}flange", links[-1], geoms, model.drives)


def key(model: ArmModel, p: ArmParams, q: ArrayLike) -> Key:
    """Return the arm's part of a keyframe: at rest at q (n,), rad.

    Its activations are, joint by joint, the reference that moves and the winding's rise, K.
    """
    q = np.asarray(q, float)
    act = np.stack([q, np.full_like(q, p.warmth)], axis=-1).ravel()
    if len(q) != len(model.links):
        raise ParameterError(f"a {model.name} has {len(model.links)} joints, got {len(q)} positions")
    return Key(q.copy(), act, q.copy())


def compensate(spec: mujoco.MjSpec, p: ArmParams, body: str) -> None:
    """Feed forward the weight of a tool and of all that it carries, as far as this arm was told it.

    Call it when the tool is complete. MuJoCo lifts each body by itself: one on a spring of its own sags no more either.
    """
    todo = [spec.body(body)]
    while todo:
        part = todo.pop()
        part.gravcomp = 1.0 + p.payload_error
        todo.extend(part.bodies)


def memory(arm: Arm) -> tuple[str, ...]:
    """Return the memory slots that `scan_windings` and the arm's telemetry need."""
    return tuple(f"{name}_heat" for name in arm.joints)


def scan_windings(s: State, arm: Arm, period: float) -> None:
    """Keep account of the heat that holding weight makes, K, which MuJoCo's motor does not count as its own.

    It is kept in the arm's memory slots, not added to the motors' activations: those are physics.

    Args:
        s: the scene.
        arm: the arm.
        period: time since the last scan, s.
    """
    running = s.time > 0.0
    for name, drive, slot in zip(arm.joints, arm.drives, memory(arm), strict=True):
        own, whole = s.actuator(name).force[..., 0], s.joint(name).qfrc_actuator[..., 0]
        heat, (resistance, capacity) = s.memory(slot), drive.thermal
        loss = drive.resistance * (whole**2 - own**2) / drive.constant**2
        heat += running * (period / capacity) * (loss - heat / resistance)


def flange_pose(model: ArmModel) -> tuple[list[float], list[float]]:
    """Return where the flange is in the tip's body: position, m, and quaternion."""
    return _place(*model.flange)


def gains(model: ArmModel, p: ArmParams) -> tuple[Array, Array]:
    """Return stiffness (n,), N m/rad, and damping (n,), N m s/rad, of the servos: critical but for p.damping."""
    stiffness = p.stiffness * np.array([drive.stiffness for drive in model.drives])
    return stiffness, 2 * p.damping * np.sqrt(stiffness * np.array(felt_inertia(model)))


@functools.cache
def felt_inertia(model: ArmModel) -> tuple[float, ...]:
    """Return the inertia that each drive feels with the arm at home and half its payload on the flange, kg m2."""
    spec = new_spec("felt", timestep=1e-3)
    body = spec.worldbody.add_body()
    for i, (link, drive) in enumerate(zip(model.links, model.drives, strict=True)):
        body = _add_link(body, link, f"link{i}", twist=0.0)
        kind = mujoco.mjtJoint.mjJNT_SLIDE if drive.slides else mujoco.mjtJoint.mjJNT_HINGE
        body.add_joint(type=kind, axis=[0, 0, 1], armature=drive.rotor)
    place, _ = flange_pose(model)
    load = body.add_body(pos=place)
    load.explicitinertial, load.mass, load.inertia = True, 0.5 * model.payload, [1e-6, 1e-6, 1e-6]
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    data.qpos[:] = model.home
    mujoco.mj_forward(compiled, data)
    inertia = np.zeros((compiled.nv, compiled.nv))
    mujoco.mj_fullM(compiled, data, inertia)
    return tuple(float(x) for x in np.diag(inertia))


def _window(model: ArmModel, window: tuple[ArrayLike, ArrayLike] | None) -> tuple[Array, Array]:
    """Return the least and greatest references (n,), rad, having checked them."""
    least, most = (np.array([getattr(d, end) for d in model.drives]) for end in ("low", "high"))
    if window is None:
        return least, most
    low, high = (np.asarray(end, float) for end in window)
    if low.shape != least.shape or high.shape != least.shape:
        raise ParameterError(f"a window of a {model.name} needs {len(least)} joints, got {low.shape} and {high.shape}")
    for i in range(len(least)):
        if not least[i] <= low[i] < high[i] <= most[i]:
            raise ParameterError(
                f"joint {i + 1} of a {model.name}: window {low[i]:g} to {high[i]:g} must lie within"
                f" {least[i]:g} to {most[i]:g} rad"
            )
    return low, high


def _place(a: float, alpha: float, d: float) -> tuple[list[float], list[float]]:
    """Return position, m, and quaternion of Rx(alpha) Tx(a) Tz(d)."""
    sin, cos = math.sin(alpha), math.cos(alpha)
    return [a, -sin * d, cos * d], [math.cos(alpha / 2), math.sin(alpha / 2), 0.0, 0.0]


def _add_link(body: mujoco.MjsBody, link: Link, name: str, *, twist: float) -> mujoco.MjsBody:
    """Add a link whose zero is off by twist, rad."""
    pos, turn = _place(link.a, link.alpha, link.d)
    quat, about = np.zeros(4), np.array([math.cos(twist / 2), 0.0, 0.0, math.sin(twist / 2)])
    mujoco.mju_mulQuat(quat, np.array(turn), about)
    out = body.add_body(name=name, pos=pos, quat=quat, gravcomp=1.0)
    out.explicitinertial = True
    out.mass, out.ipos, out.inertia, out.iquat = link.mass, link.com, link.inertia, link.axes
    return out


def _add_joint(spec: mujoco.MjSpec, body: mujoco.MjsBody, drive: Drive, p: ArmParams, name: str) -> None:
    kind = mujoco.mjtJoint.mjJNT_SLIDE if drive.slides else mujoco.mjtJoint.mjJNT_HINGE
    joint = body.add_joint(name=name, type=kind, axis=[0, 0, 1], armature=drive.rotor)
    joint.range, joint.limited = [drive.low, drive.high], True
    joint.damping, joint.frictionloss = [drive.drag, 0.0, 0.0], p.friction * drive.friction
    # Friction is viscous below its limit; this stiff, a held joint creeps unnoticeably.
    joint.solref_friction = [2 * spec.option.timestep, 1.0]
    joint.solimp_friction = [0.999, 0.9999, 0.001, 0.5, 2.0]
    joint.actgravcomp = True  # the weight fed forward is motor torque
    joint.actfrclimited, joint.actfrcrange = True, [-drive.torque, drive.torque]


def _add_servo(spec: mujoco.MjSpec, drive: Drive, p: ArmParams, name: str, gains: tuple[float, float]) -> None:
    """Add a motor whose reference is a position, with stiffness and damping in gains."""
    motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    stiffness, damping = gains
    motor.set_to_dcmotor(
        motorconst=[drive.constant, 0.0],
        resistance=drive.resistance,
        saturation=[drive.torque, 0.0, 0.0],
        controller=[stiffness, 0.0, damping, drive.speed, 0.0, 0.0],
        # No change of resistance: the drive controls current, and its servo must not soften as the winding warms.
        thermal=[*drive.thermal, 0.0, 0.0, 20.0, p.ambient],
        ctrlspec=int(mujoco.mjtCtrlInput.mjINPUT_POS),
    )
    motor.ctrllimited = True


def _add_looks(spec: mujoco.MjSpec, body: mujoco.MjsBody, parts: tuple[Part, ...], paint: Sequence[float]) -> None:
    """Add what is seen of a link, in two colours."""
    for colour, shape in castings(parts).items():
        name, rgb = f"{body.name}_{colour}", paint if colour == "shell" else TRIM
        shapes.add_shape(spec, body, shape, name=name, rgba=[*rgb, 1.0]).name = name
