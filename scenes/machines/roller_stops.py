"""What leads and stops a piece on a roller table: two side guides that close together, and a stopper that comes up.

References are the policy's: "guide" is the gap between the guides, "stopper" is up over a half. The controller (`scan`)
moves the guides at their speed, both alike.
"""

import dataclasses

import mujoco
import numpy as np

from scenes.machines.roller_table import BARREL, PASS
from scenes.machines.slab import FENCE
from sim.distributions import Uniform
from sim.parameters import param
from sim.task import State

REFERENCES = ("stopper", "guide")
GAP = (0.7, 2.45)  # m between the guides
REACH = 4.5  # m, length of the guides: shorter than the shortest slab, so that they close on one piece
STROKE = 0.25  # m that the stopper comes up; its top is then 0.15 m above the pass line
LIMIT = 4.0e5  # N of one guide; hydraulic side guides give 100 to 400 kN
_UPPER = 0.12  # m, top of the guides above the pass line: photocells look over them
_LOWER = 0.015
_STIFF = 1.0e8  # N/m of one guide's position loop
_MOVED = 5.0e4  # kg: guide, and its cylinder's oil and piston reduced to it
_HARD = 0.01  # s, time constant of contact with guides and stopper


@dataclasses.dataclass(frozen=True, slots=True)
class StopsParams:
    """What differs between guides and stoppers."""

    guide_speed: float = param(Uniform(0.06, 0.12), "m/s", "Of one guide; usual for hydraulic side guides.")
    guide_friction: float = param(Uniform(0.05, 0.15), "1", "Of slabs along guides, which have rollers of their own.")
    gap_error: float = param(Uniform(-0.002, 0.002), "m", "Error of the guides' gap: wear of plates and encoder.")


def add_stops(spec: mujoco.MjSpec, p: StopsParams, *, mark: float, at: float) -> None:
    """Add guides and stopper.

    Args:
        spec: the scene.
        p: their parameters.
        mark: where heads shall stop, m along the table: the guides end shortly before it.
        at: where the stopper's near face is, m.
    """
    for name, side in (("guide_left", 1), ("guide_right", -1)):
        body = _moving(spec, name, [mark - 0.2 - REACH / 2, 0.0, PASS + (_UPPER + _LOWER) / 2], [0, side, 0], _MOVED)
        geom = _solid(body, name, [REACH / 2, 0.05, (_UPPER - _LOWER) / 2], [0.0, side * 0.05, 0.0])
        geom.friction = [p.guide_friction, 0.005, 0.0001]
        _servo(spec, name, _STIFF, _MOVED, LIMIT)
    stopper = _moving(spec, "stopper", [at + 0.06, 0.0, PASS - 0.10 - STROKE / 2], [0, 0, 1], 1.0e4)
    _solid(stopper, "stopper", [0.06, 0.5, STROKE / 2])
    _servo(spec, "stopper", 2.0e6, 1.0e4, 2.0e6)
    for name, joint, low, high in (("stopper", "stopper", 0.0, 1.0), ("guide", "guide_left", *GAP)):
        reference = spec.add_actuator(name=name, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        reference.gainprm[0] = 0.0  # a number for the controller, no force
        reference.ctrlrange, reference.ctrllimited = [low, high], True
    spec.add_numeric(name="guide", data=[p.guide_speed, p.gap_error])


def scan(s: State, period: float) -> None:
    """Move guides and stopper as they are told.

    Args:
        s: the scene.
        period: time since the last scan, s.
    """
    guide = s.numeric("guide")
    wanted = 0.5 * (s.actuator("guide").ctrl[..., 0] + guide[..., 1])
    for name in ("guide_left", "guide_right"):
        servo = s.actuator(f"{name}_servo").ctrl
        most = period * guide[..., 0]
        servo[..., 0] += np.clip(wanted - servo[..., 0], -most, most)
    stopper = s.actuator("stopper_servo").ctrl
    up = STROKE * (s.actuator("stopper").ctrl[..., 0] > 0.5)
    stopper[..., 0] += np.clip(up - stopper[..., 0], -0.25 * period, 0.25 * period)


def _moving(spec: mujoco.MjSpec, name: str, pos: list[float], axis: list[float], inertia: float) -> mujoco.MjsBody:
    body = spec.worldbody.add_body(name=name, pos=pos)
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = 2.0e3, [0.0, 0.0, 0.0], [1e3, 1e3, 1e3]
    body.gravcomp = 1.0  # cylinders carry it
    body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, armature=inertia)
    return body


def _solid(body: mujoco.MjsBody, name: str, size: list[float], pos: list[float] | None = None) -> mujoco.MjsGeom:
    geom = body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=size,
        pos=pos or [0.0, 0.0, 0.0],
        friction=[0.15, 0.005, 0.0001],
        contype=FENCE,
        conaffinity=0,
        group=3,
    )
    geom.priority = 2
    geom.solref = [_HARD, 1.0]
    return geom


def _servo(spec: mujoco.MjSpec, name: str, stiffness: float, mass: float, limit: float) -> None:
    servo = spec.add_actuator(name=f"{name}_servo", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.set_to_position(kp=stiffness, kv=2.0 * float(np.sqrt(stiffness * mass)))
    servo.forcerange, servo.forcelimited = [-limit, limit], True


OPEN = 2 * BARREL - 0.1  # m, gap of guides that are open


def start() -> dict[str, float]:
    """Return the servos' controls at the start, by name: guides open, stopper down."""
    return {"guide_left_servo": OPEN / 2, "guide_right_servo": OPEN / 2}
