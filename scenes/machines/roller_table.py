"""A driven roller table: eight groups of seven rollers, each group with one drive, along x from 0.

A roller is a cylinder that stands still and whose surface moves (`surface_speeds`, a task's law). What turns is its
group's drive: one hinge with the inertia of all its rollers and of the motor, on a DC motor that follows a speed
reference. References are the policy's (actuator group1 ...); the controller (`scan`) ramps them and passes them on to
the motors (group1_motor ...), or lets a group that has tripped coast.

Rule: speeds are those of the surface of a new roller, m/s; drives turn in rad/s.
"""

import dataclasses
import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.slab import STEEL
from sim.distributions import Choice, Uniform
from sim.driven import Driven
from sim.parameters import param
from sim.task import State

Array = NDArray[Any]

GRAVITY = 9.81  # m/s2, MuJoCo's default
GROUPS, EACH = 8, 7
ROLLERS = GROUPS * EACH
REFERENCES = tuple(f"group{k}" for k in range(1, GROUPS + 1))
DRIVES = tuple(f"drive{k}" for k in range(1, GROUPS + 1))
PASS = 0.90  # m, top of new rollers above the floor
BARREL = 1.25  # m, half the length of a roller: for slabs of up to 2.1 m and their guides
SPEED = (-1.0, 3.0)  # m/s that a reference may be: roller tables run at 0.5 to 3 m/s

_ROLLER = 900.0  # kg m2/m2: mass of a solid roller, halved by its inertia, and the motor's share; engineering value
_GAIN = 1.0e6  # N s/m of the speed loop at the surface: about 10 Hz; a pull of 10 kN costs 10 mm/s
_LIMIT = 1.5e5  # N at the surface that a group's motor gives
CONSTANT, _RESISTANCE = 300.0, 0.05  # N/A at the surface, Ohm: 50 kW at 440 V and 3 m/s, engineering values
_THERMAL = (0.03, 8e4)  # K/W and J/K of the winding
_DRAG = 400.0  # N s/m of bearings and gears
_COAST = 0.25  # m/s2 by which a group without power slows down: bearings and gears
_SMOOTH = 0.2  # of the load that is new each scan: shafts and couplings give
SOFTNESS = 0.03  # s, time constant of contact: longer than the control step for which surfaces keep their speed
SURFACES = Driven("geom_surfacevel", tuple(f"roller{i}" for i in range(ROLLERS)))
LAG = 0.1  # s, longest dead time of the drives, and so the length of their history


@dataclasses.dataclass(frozen=True, slots=True)
class RollerTableParams:
    """What differs from table to table, and from day to day."""

    diameter: float = param(Uniform(0.25, 0.40), "m", "Of a new roller; usual for run-in and run-out tables.")
    pitch: float = param(Uniform(0.6, 1.0), "m", "From roller to roller; usual for slab tables.")
    friction: float = param(Uniform(0.15, 0.35), "1", "Hot scaled steel on rollers (LUST CDA3000 table 7.21).")
    scale: float = param(Uniform(0.0, 0.3), "1", "Share of friction lost on a patch of loose scale; engineering value.")
    patches: float = param(Uniform(0.0, 0.3), "1", "Share of rollers with such a patch; engineering value.")
    wear: float = param(Uniform(0.0, 0.003), "m", "Spread of diameters, each way; rollers are ground at 3 mm.")
    misalignment: float = param(Uniform(0.0, 0.002), "rad", "Spread of the rollers' axes; 2 mm on 1 m, in service.")
    pattern: float = param(Uniform(0.0, 1.0), "1", "Number from which every roller's own state is drawn.")
    ramp: float = param(Uniform(2.0, 4.0), "m/s^2", "Steepest ramp of the drives; inverter drives of roller tables.")
    drive_lag: float = param(Uniform(0.02, LAG), "s", "Dead time from reference to torque: bus, PLC and inverter.")
    trip_at: float = param(Uniform(-20.0, 20.0), "s", "When a drive trips, if after 0; about every other episode.")
    trip_for: float = param(Uniform(0.5, 3.0), "s", "How long it is off until it starts again by itself.")
    trip_group: float = param(Choice(tuple(float(k) for k in range(1, GROUPS + 1))), "1", "Which group trips.")
    ambient: float = param(Uniform(10.0, 50.0), "degC", "Air temperature at the motors.")

    @property
    def length(self) -> float:
        """Length of the table, m."""
        return ROLLERS * self.pitch

    @property
    def inertia(self) -> float:
        """Inertia of a group, kg at the surface."""
        return EACH * _ROLLER * (1 + 4 * self.diameter)


def zones(p: RollerTableParams) -> Array:
    """Return where each group starts and ends (groups, 2), m."""
    ends = EACH * p.pitch * np.arange(GROUPS + 1)
    return np.stack([ends[:-1], ends[1:]], axis=-1)


def rollers(p: RollerTableParams) -> tuple[Array, Array, Array]:
    """Return every roller's radius, m, friction and misalignment, rad, each (rollers,)."""
    rng = np.random.default_rng(int(p.pattern * 2**31))
    worn, turned = rng.uniform(-1.0, 1.0, (2, ROLLERS))
    patch = rng.random(ROLLERS) < p.patches
    return (p.diameter + p.wear * worn) / 2, p.friction * (1 - p.scale * patch), p.misalignment * turned


def add_table(spec: mujoco.MjSpec, p: RollerTableParams) -> mujoco.MjsBody:
    """Add the rollers, geoms roller0 ... of body "table", and their drives; return the body."""
    table = spec.worldbody.add_body(name="table")
    radius, friction, turned = rollers(p)
    for i in range(ROLLERS):
        geom = table.add_geom(
            name=f"roller{i}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[radius[i], BARREL, 0.0],
            pos=[(i + 0.5) * p.pitch, 0.0, PASS - p.diameter / 2],
            quat=_across(turned[i]),
            friction=[friction[i], 0.005, 0.0001],
            contype=STEEL,
            conaffinity=0,
            group=3,
        )
        geom.priority = 1
        geom.surfacevel = [0.0, 0.0, 0.0, 0.0, 0.0, 1e-9]  # a trace: MuJoCo then reckons with moving surfaces
        geom.solref, geom.solimp = [SOFTNESS, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]
    for k in range(GROUPS):
        _add_drive(spec, p, k)
    spec.add_numeric(name="roller_radius", data=[p.diameter / 2])
    spec.add_numeric(name="zones", data=list(zones(p).ravel()))
    spec.add_numeric(name="drives", data=[p.ramp, p.trip_at, p.trip_for, p.trip_group, p.ambient])
    return table


def surface_speeds(s: State) -> Array:
    """Return the rollers' surface velocities (..., rollers, 6) as MuJoCo has them: all turn as their drives do."""
    turning = np.concatenate([s.joint(name).qvel for name in DRIVES], axis=-1)
    out = np.zeros((*turning.shape[:-1], ROLLERS, 6))
    out[..., 5] = np.repeat(turning, EACH, axis=-1)
    return out


def speeds(s: State) -> Array:
    """Return the speed of each group's surface (..., groups), m/s."""
    turning = np.concatenate([s.joint(name).qvel for name in DRIVES], axis=-1)
    return turning * s.numeric("roller_radius")


def tripped(s: State) -> Array:
    """Return whether each group has no power (..., groups)."""
    drives, time = s.numeric("drives"), np.asarray(s.time)
    at, length, group = (drives[..., i] for i in (1, 2, 3))
    off = (at > 0) & (time >= at) & (time < at + length)
    return off[..., None] & (np.arange(1, GROUPS + 1) == group[..., None])


def shares(s: State, tails: Array, heads: Array) -> Array:
    """Return the share of each piece that lies on each group (..., pieces, groups).

    Args:
        s: the table.
        tails: where the pieces end, (..., pieces), m along the table.
        heads: where they start.
    """
    zone = s.numeric("zones")
    low, high = zone[..., None, 0::2], zone[..., None, 1::2]
    on = np.minimum(high, heads[..., None]) - np.maximum(low, tails[..., None])
    return np.maximum(on, 0.0) / np.maximum(heads - tails, 1e-6)[..., None]


def scan(s: State, period: float, pulls: Array) -> None:
    """Ramp the references and pass them on; let a tripped group coast; load the drives with what slabs pull.

    Args:
        s: the table.
        period: time since the last scan, s.
        pulls: N with which slabs pull at each group's surface (..., groups), against its way.
    """
    radius, ramp = s.numeric("roller_radius"), s.numeric("drives")[..., :1]
    motors = [s.actuator(f"{drive}_motor").ctrl for drive in DRIVES]
    loads = [s.actuator(f"{drive}_load").ctrl for drive in DRIVES]
    off, now = tripped(s), np.concatenate(motors, axis=-1) * radius
    wanted = np.where(off, 0.0, np.concatenate([s.actuator(name).ctrl for name in REFERENCES], axis=-1))
    most = period * np.where(off, _COAST, ramp)
    new = (now + np.clip(wanted - now, -most, most)) / radius
    load = np.concatenate(loads, axis=-1)
    load += _SMOOTH * (-pulls * radius - load)
    for k in range(GROUPS):
        motors[k][..., 0], loads[k][..., 0] = new[..., k], load[..., k]


def _across(turned: float) -> list[float]:
    """Return the quaternion of a cylinder along y, turned by a small angle about z."""
    c, z = math.sqrt(0.5) * math.cos(turned / 2), math.sqrt(0.5) * math.sin(turned / 2)
    return [c, -c, -z, z]


def _add_drive(spec: mujoco.MjSpec, p: RollerTableParams, k: int) -> None:
    """Add a group's drive: what turns, the policy's reference, the motor and the load of the slabs."""
    name, radius = DRIVES[k], p.diameter / 2
    body = spec.worldbody.add_body(name=name, pos=[(k + 0.5) * EACH * p.pitch, BARREL + 1.2, PASS - radius])
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = 1.0, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
    joint = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0])
    joint.armature, joint.damping = p.inertia * radius**2, [_DRAG * radius**2, 0, 0]
    reference = spec.add_actuator(name=REFERENCES[k], target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    reference.gainprm[0] = 0.0  # a number for the controller, no force
    reference.ctrlrange, reference.ctrllimited = list(SPEED), True
    motor = spec.add_actuator(name=f"{name}_motor", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_dcmotor(
        motorconst=[CONSTANT * radius, 0.0],
        resistance=_RESISTANCE,
        saturation=[_LIMIT * radius, 0.0, 0.0],
        controller=[0.0, 0.0, _GAIN * radius**2, 0.0, 0.0, 0.0],
        thermal=[*_THERMAL, 0.0, 0.0039, 20.0, p.ambient],  # 0.0039 1/K: copper, IEC 60034-1
        ctrlspec=int(mujoco.mjtCtrlInput.mjINPUT_VEL),
    )
    motor.delay, motor.nsample = p.drive_lag, round(LAG / spec.option.timestep)
    load = spec.add_actuator(name=f"{name}_load", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    load.set_to_motor()
