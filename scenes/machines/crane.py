"""A double-girder overhead crane: bridge, trolley, and a hoist with four elastic rope falls and a hook block.

World x runs along the runway and y across the bay. Each drive is a DC motor that follows a speed reference behind a
ramp generator and a dead time; its reference is the actuator's one control. The hoist is an equivalent drum: a
carriage that pays rope in and out over the trolley's sheaves, so that the motor carries the load. Each fall is a
spring that only pulls, the control of its actuator being its unstretched length, and its force is the load cell's.

Rule: lengths of rope are counted from sheave to hook block, and a hoist at 0 has its block at its lowest.
"""

import dataclasses
import math
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.crane_looks import BLOCK, BRIDGE, TROLLEY
from scenes.machines.scenery import add_parts
from sim.cameras import label
from sim.distributions import Uniform
from sim.parameters import param
from sim.spec import weigh
from sim.task import State

Array = NDArray[np.float64]

GRAVITY = 9.81  # m/s2, MuJoCo's default
SWL = 55e3  # kg on the hook: the heaviest coil of 2.1 m x 2.1 m on a 508 mm bore
BLOCK_MASS = 1500.0  # kg, hook block with sheaves, 2.5 % of capacity
FALLS = ((0.5, 0.35), (0.5, -0.35), (-0.5, -0.35), (-0.5, 0.35))  # m, where the falls hang about the block's centre
PIN_DROP = 0.4  # m, from the block's rope fixings to the C-hook's pin
ROPE_EA = 7.2e7  # N per fall: two ropes of 28 mm, 0.46 d2 of metal (EN 12385-4, 6x36 IWRC) at 100 GPa
FALL_LIMIT = 1.0e6  # N: breaking force of those two ropes, 500 kN each (EN 12385-4, grade 1960)

LOWEST = 2.45  # m, block above the floor with the hoist at 0: what hangs from it needs room
_SHORTEST = 1.5  # m of rope with the hoist at its top
_RUNWAY = (-3.0, 28.0)  # m, travel of the bridge
_MARGIN = 2.0  # m, nearest approach of trolley and rail
_ROPE = [0.16, 0.16, 0.15, 1.0]  # colour of greased wire


class Drive(NamedTuple):
    """A geared motor as seen at the load.

    Attributes:
        speed: greatest reference, m/s.
        limit: force, N.
        constant: N/A, about a 440 V bus at greatest speed.
        resistance: Ohm.
        gain: of the speed loop, N s/m; gain * timestep is the inertia that implicit integration adds, and stands for
            that of the rotor, so that the force reported is the one that moves rotor and load.
        rotor: further rotor inertia, kg at the load, that keeps a saturated drive from chattering.
        thermal: K/W and J/K of the winding.
        drag: rolling or gear losses, N s/m.
    """

    speed: float
    limit: float
    constant: float
    resistance: float
    gain: float
    rotor: float
    thermal: tuple[float, float]
    drag: float


# Speeds: 1 to 2 m/s bridge, 0.5 to 1 m/s trolley, 0.18 m/s hoist (35 ft/min, 30 t class, Handbook of Chemical
# Engineering table 5). Inertias and losses are engineering values for motors of 4 x 15, 2 x 7.5 and 132 kW.
DRIVES = {
    "bridge": Drive(2.0, 1.5e5, 220.0, 0.05, 4.0e6, 0.0, (0.03, 8e4), 3.0e3),
    "trolley": Drive(1.0, 1.0e5, 440.0, 0.10, 1.0e6, 0.0, (0.04, 5e4), 1.5e3),
    "hoist": Drive(0.2, 1.5e6, 2400.0, 0.04, 1.4e8, 7.0e5, (0.02, 1.5e5), 2.0e4),
}
AXES = tuple(DRIVES)
MEMORY = tuple(f"{name}_still" for name in AXES)  # the slots that `scan_brakes` needs
_BRAKE = 1e10  # N s/m: a closed brake creeps 60 um/s under the heaviest load
_SETTLE = 0.4  # s of zero reference until the brake closes: longer than the dead time of the drive
LAG = 0.2  # s, longest dead time, and so the length of the references' history


@dataclasses.dataclass(frozen=True, slots=True)
class CraneParams:
    """What differs from crane to crane, and from day to day."""

    span: float = param(Uniform(20.0, 35.0), "m", "Rail to rail; usual for coil bays.")
    lift: float = param(Uniform(8.0, 12.0), "m", "Travel of the hook; usual for coil bays.")
    acceleration: float = param(Uniform(0.15, 0.4), "m/s^2", "Ramp of the travel drives; usual for inverter drives.")
    drive_lag: float = param(Uniform(0.05, LAG), "s", "Dead time from reference to torque: bus, PLC and inverter.")
    rope_stiffness: float = param(Uniform(0.9, 1.1), "1", "Rope EA over nominal: wear and bedding-in, +-10 %.")
    rope_damping: float = param(Uniform(0.005, 0.03), "1", "Structural damping ratio of the ropes at 30 t.")
    skew: float = param(Uniform(-0.005, 0.005), "rad", "Yaw of the bridge; EN 13001-2 allows 0.015 in service.")
    load_cell_gain: float = param(Uniform(0.99, 1.01), "1", "Load cell calibration, +-1 %.")
    ambient: float = param(Uniform(5.0, 45.0), "degC", "Air temperature in the bay.")
    warmth: float = param(Uniform(0.0, 40.0), "K", "Winding temperature above ambient from the shift so far.")


@dataclasses.dataclass(frozen=True, slots=True)
class Pose:
    """Where the block hangs: under the trolley but for its sway.

    Attributes:
        x: of the bridge's middle, m.
        y: of the trolley, m.
        height: of the block above the floor, m.
        sway: of the block from under the trolley, m.
    """

    x: float
    y: float
    height: float
    sway: tuple[float, float] = (0.0, 0.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A crane's part of a keyframe."""

    qpos: Array
    act: Array
    ctrl: Array


def sheave_height(p: CraneParams) -> float:
    """Return the height of the trolley's sheaves above the floor, m."""
    return LOWEST + _SHORTEST + p.lift


def travel_range(p: CraneParams, axis: str) -> tuple[float, float]:
    """Return between which positions an axis travels, m."""
    return {"bridge": _RUNWAY, "trolley": (_MARGIN, p.span - _MARGIN), "hoist": (0.0, p.lift)}[axis]


def rope_length(p: CraneParams, hoist: float) -> float:
    """Return the unstretched length of a fall, m, from the hoist's position, m."""
    return _SHORTEST + p.lift - hoist


def rope_rate(p: CraneParams) -> float:
    """Return the stiffness of one fall, N/m: that of its length with the hook half way up."""
    return p.rope_stiffness * ROPE_EA / rope_length(p, p.lift / 2)


def add_crane(spec: mujoco.MjSpec, p: CraneParams, pose: Pose, *, load: float) -> Key:
    """Add the crane; a lifting attachment hangs from body "block", its pin PIN_DROP below.

    Bodies are bridge, trolley, hoist and block; actuators are the drives bridge, trolley, hoist, the falls fall1 to
    fall4, and the brakes bridge_brake, trolley_brake, hoist_brake (1 is closed).

    Args:
        spec: the scene.
        p: this crane.
        pose: where it stands.
        load: weight on the ropes at the start, N, block included.
    """
    _add_bridge(spec, p)
    trolley = _add_trolley(spec, p)
    block = spec.worldbody.add_body(name="block")
    block.add_freejoint(name="block")
    weigh(block, BLOCK_MASS, [180.0, 300.0, 330.0])
    block.add_site(name="block", size=[0.05, 0.05, 0.05])
    add_parts(spec, block, BLOCK, (PIN_DROP,), name="block")
    label(spec, "hook", "block")
    hoist = spec.body("hoist")
    rate, damping = rope_rate(p), 2 * p.rope_damping * math.sqrt(rope_rate(p) * 30e3 / 4)
    for name, drive in DRIVES.items():
        _add_drive(spec, p, name, drive)
    for i, (x, y) in enumerate(FALLS, 1):
        for body, at, where in ((hoist, "drum", (x, y, 0)), (trolley, "sheave", (x, y, 0)), (block, "fall", (x, y, 0))):
            body.add_site(name=f"{at}{i}", pos=where, size=[0.03, 0.03, 0.03])
        rope = spec.add_tendon(name=f"fall{i}", width=0.02, rgba=_ROPE)
        for at in ("drum", "sheave", "fall"):
            rope.wrap_site(f"{at}{i}")
        fall = spec.add_actuator(name=f"fall{i}", target=f"fall{i}", trntype=mujoco.mjtTrn.mjTRN_TENDON)
        fall.set_to_position(kp=rate, kv=damping)
        fall.forcerange, fall.forcelimited = [-FALL_LIMIT, 0.0], True
    for name in AXES:
        brake = spec.add_actuator(name=f"{name}_brake", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        brake.set_to_damper(kv=_BRAKE)
        brake.ctrlrange = [0.0, 1.0]
    return _key(p, pose, load)


def scan_brakes(s: State, period: float) -> None:
    """Close each axis' brake when its reference has been 0 for a while, and open it when it is not.

    Args:
        s: the crane.
        period: time since the last scan, s.
    """
    for name in AXES:
        still = s.memory(f"{name}_still")
        before = np.where(s.time == 0.0, _SETTLE, still)  # a crane starts with its brakes closed
        still[...] = np.where(s.actuator(name).ctrl[..., 0] == 0.0, before + period, 0.0)
        s.actuator(f"{name}_brake").ctrl[..., 0] = still >= _SETTLE


def sway_modes(length: float, load: float, drop: float, inertia: float) -> tuple[Array, Array]:
    """Return how a load swings in one plane: as two pendulums that the trolley drives alike.

    Args:
        length: of the falls, m; they keep the block level, so it counts as a point.
        load: kg under the pin.
        drop: from the pin to its centre of mass, m.
        inertia: about that centre, kg m2.

    Returns:
        Angular frequencies (2,), rad/s, the slower first, and levers (2,), m: block's sway + lever * load's lean is
        the deflection q of a pendulum with q'' + omega^2 q = -acceleration of the trolley.
    """
    total = BLOCK_MASS + load
    mass = np.array([[total * length**2, load * length * drop], [load * length * drop, load * drop**2 + inertia]])
    stiffness = np.diag([total * GRAVITY * length, load * GRAVITY * drop])
    squares, shapes = np.linalg.eig(np.linalg.solve(mass, stiffness))
    order = np.argsort(squares)
    parts = shapes[:, order].T @ mass
    return np.sqrt(squares[order]), length * parts[:, 1] / parts[:, 0]


def _add_bridge(spec: mujoco.MjSpec, p: CraneParams) -> None:
    """Add the bridge."""
    bridge = spec.worldbody.add_body(
        name="bridge", pos=[0, p.span / 2, sheave_height(p)], quat=[math.cos(p.skew / 2), 0, 0, math.sin(p.skew / 2)]
    )
    along = [math.cos(p.skew), -math.sin(p.skew), 0.0]  # skew turns the bridge, not the rails
    _add_axis(bridge, "bridge", along, travel_range(p, "bridge"))
    weigh(bridge, 20e3 + 1e3 * p.span, [1e6, 1e6, 1e6])  # 1 t per metre of twin box girder
    add_parts(spec, bridge, BRIDGE, (p.span,), name="bridge")
    label(spec, "crane", "bridge")


def _add_trolley(spec: mujoco.MjSpec, p: CraneParams) -> mujoco.MjsBody:
    """Add the trolley and the hoist's drum on the bridge."""
    trolley = spec.body("bridge").add_body(name="trolley", pos=[0, -p.span / 2, 0])
    _add_axis(trolley, "trolley", [0, 1, 0], travel_range(p, "trolley"))
    weigh(trolley, 16e3, [3e4, 3e4, 3e4])
    trolley.add_site(name="trolley", size=[0.05, 0.05, 0.05])
    add_parts(spec, trolley, TROLLEY, name="trolley")
    drum = trolley.add_body(name="hoist", pos=[0, -1.0, 0])
    _add_axis(drum, "hoist", [0, -1, 0], travel_range(p, "hoist"))
    weigh(drum, 1.0, [1.0, 1.0, 1.0])  # the drum's inertia is the motor's armature
    return trolley


def _add_axis(body: mujoco.MjsBody, name: str, axis: list[float], limits: tuple[float, float]) -> None:
    drive = DRIVES[name]
    joint = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, armature=drive.rotor)
    joint.range, joint.limited, joint.damping = limits, True, [drive.drag, 0, 0]


def _add_drive(spec: mujoco.MjSpec, p: CraneParams, name: str, drive: Drive) -> None:
    """Add a motor whose reference is a speed; its activations are the ramped reference and the winding's rise, K."""
    motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    ramp = p.acceleration if name != "hoist" else 0.2  # m/s2
    motor.set_to_dcmotor(
        motorconst=[drive.constant, 0.0],
        resistance=drive.resistance,
        saturation=[drive.limit, 0.0, 0.0],
        controller=[0.0, 0.0, drive.gain, ramp, 0.0, 0.0],
        thermal=[*drive.thermal, 0.0, 0.0039, 20.0, p.ambient],  # 0.0039 1/K: copper, IEC 60034-1
        ctrlspec=int(mujoco.mjtCtrlInput.mjINPUT_VEL),
    )
    motor.ctrlrange, motor.ctrllimited = [-drive.speed, drive.speed], True
    motor.delay, motor.nsample = p.drive_lag, round(LAG / spec.option.timestep)


def _key(p: CraneParams, pose: Pose, load: float) -> Key:
    """Return the crane's part of a keyframe: hanging still from stretched ropes, brakes closed."""
    stretch = load / (4 * rope_rate(p))
    length = sheave_height(p) - pose.height
    drop = math.sqrt(length**2 - pose.sway[0] ** 2 - pose.sway[1] ** 2)
    hoist = rope_length(p, 0.0) + stretch - length
    away = pose.y - p.span / 2
    x = pose.x - away * math.sin(p.skew) + pose.sway[0]
    y = p.span / 2 + away * math.cos(p.skew) + pose.sway[1]
    turn = [math.cos(p.skew / 2), 0.0, 0.0, math.sin(p.skew / 2)]
    qpos = [pose.x, pose.y, hoist, x, y, sheave_height(p) - drop, *turn]
    unstretched = 1.0 + rope_length(p, 0.0)  # 1 m from drum to sheave with the hoist at 0
    return Key(
        qpos=np.array(qpos),
        act=np.array([0.0, p.warmth] * len(DRIVES)),
        ctrl=np.array([0.0] * len(DRIVES) + [unstretched] * len(FALLS) + [1.0] * len(AXES)),
    )
