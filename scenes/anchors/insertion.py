"""Peg and hole: Whitney's jam boundary, a fit's play in every direction, convergence in time, and friction of steel.

Built by the scene's own functions; a peg moves in a plane, and loads come from the formulas.
"""

import math
from collections.abc import Iterator

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.anchors import Anchor, Law, farthest
from scenes.stock_fits import EDGE, Fit, add_peg, add_socket
from sim.spec import new_spec

Array = NDArray[np.float64]

TASKS = ("assembly/peg_grasp", "assembly/peg_insert")

G = 9.81  # m/s2
VISCOUS = 5000.0  # N s/m: 10 N slide at no more than 2 mm/s, so that the depth hardly changes during a test
PUSH = 10.0  # N
WHITNEY = Fit(0.010, 0.05e-3, 0.2e-3, 0.04, 0.2)
TIGHT = Fit(0.008, 0.02e-3, 0.8e-3, 0.020, 0.2)
LOADS = [(0.01, -1.0), (0.01, 0.0), (0.01, 0.5), (0.02, -1.0), (0.02, 0.0), (0.02, 0.5)]  # m; side over axial force
_AROUND = 1.0 / math.cos(math.pi / 8)  # 8 directions of the hole are exact, those between wider by this

_SOURCE = "Whitney 1982, quasi-static assembly of compliantly supported rigid parts"
_SPEED = Law(
    "Sliding speed at 0.6 of the jam boundary", "v = (Fz - mu (N1 + N2))/B, N1 = (M - (l + mu r) Fx)/l", _SOURCE, "m/s"
)
_BOUNDARY = "M / (r Fz) = lambda + mu (1 + lambda) Fx/Fz, lambda = l / (2 r mu)"
_SLIDES = Law(
    "Sliding speed at 0.9 of the jam boundary over that without friction", f"slides below {_BOUNDARY}", _SOURCE, "1"
)
_JAMS = Law(
    "Creep at 1 to 1.5 of the jam boundary over the speed without friction",
    f"jams from {_BOUNDARY}",
    f"{_SOURCE}; soft friction creeps by 3 %, and by less than half of the speed at 0.9",
    "1",
)
_PLAY = Law(
    "Play of an upright peg", "c <= play < c / cos(22.5 deg)", "ISO 286 fits; contacts yield by 0.4 um under 2 N", "m"
)
_STEP = "a step of 1 ms gives what 0.1 ms gives"
_DEEP = Law("Penetration of a tight fit at 1 ms", "below 0.6 of the radial clearance", "Engineering value", "m")
_OFFSET = Law("Place of a seated peg in a tight fit", _STEP, "Engineering value: 15 % of the clearance", "m")
_TILT = Law("Tilt of a seated peg in a tight fit", _STEP, "Engineering value", "rad")
_SLOPE = Law("Acceleration down a plate at 30 deg", "a = g (sin a - mu cos a)", "Coulomb friction", "m/s^2")


def measure() -> Iterator[Anchor]:
    """Measure pegs in holes."""
    for length, slope in LOADS:
        yield from _whitney(length, slope)
    yield from _convergence()
    for diameter in (0.004, 0.008, 0.012, 0.016):
        yield from (_play(diameter, clearance) for clearance in (0.02e-3, 0.1e-3, 0.5e-3))
    yield from (_slide_down(friction) for friction in (0.08, 0.2, 0.4))


def planar(
    fit: Fit, *, timestep: float = 1e-3, drag: float = 0.0, mass: float = 0.5, inertia: float = 2e-4
) -> mujoco.MjSpec:
    """Put a peg over its hole, free in the plane y = 0 only; its tip is at joints x, z and tilt."""
    spec = new_spec("anchor", timestep=timestep)
    spec.option.gravity = [0, 0, 0]
    add_socket(spec, spec.worldbody.add_body(name="fixture"), fit)
    carriage = spec.worldbody.add_body(name="carriage", ipos=[0, 0, 0.04], mass=mass, inertia=[inertia] * 3)
    carriage.explicitinertial = True
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    carriage.add_joint(name="x", type=slide, axis=[1, 0, 0])
    carriage.add_joint(name="z", type=slide, axis=[0, 0, 1], damping=[drag, 0, 0])
    carriage.add_joint(name="tilt", type=hinge, axis=[0, 1, 0])
    add_peg(carriage.add_body(name="peg", quat=[0, 1, 0, 0], mass=1e-3, inertia=[1e-6] * 3), fit, length=0.06)
    return spec


def boundary(fit: Fit, length: float, slope: float, share: float) -> tuple[float, float, float]:
    """Return sideways force, N, and moment, N m, at a share of Whitney's jam boundary, and the sliding speed, m/s.

    Args:
        fit: peg and hole.
        length: between the two points of contact, m.
        slope: sideways over axial force.
        share: of the moment at which the peg jams.
    """
    r, mu = fit.radius, fit.friction
    slender = length / (2 * r * mu)
    moment = share * r * PUSH * (slender + mu * (1 + slender) * slope)
    side = slope * PUSH
    mouth = (moment - (length + mu * r) * side) / length
    return side, moment, (PUSH - mu * (abs(mouth) + abs(mouth + side))) / VISCOUS


def _whitney(length: float, slope: float) -> Iterator[Anchor]:
    case, free = f"l {1e3 * length:g} mm, Fx/Fz {slope:g}", PUSH / VISCOUS
    side, moment, speed = boundary(WHITNEY, length, slope, 0.6)
    yield _SPEED.near(speed, _slide(WHITNEY, length, side, moment), rel=0.05, case=case)
    side, moment, speed = boundary(WHITNEY, length, slope, 0.9)
    slides = _slide(WHITNEY, length, side, moment)
    yield _SLIDES.within(speed / free, slides / free, 0.06, math.inf, case=case)
    jams = [_slide(WHITNEY, length, *boundary(WHITNEY, length, slope, share)[:2]) for share in (1.0, 1.1, 1.5)]
    most = min(0.035, 0.5 * slides / free)
    yield _JAMS.within(0.0, max(jams) / free, -most, most, case=case)


def _slide(fit: Fit, length: float, side: float, moment: float) -> float:
    """Push a peg that touches at two points, length apart, m, and return its speed inwards, m/s."""
    model = planar(fit, drag=VISCOUS).compile()
    data = mujoco.MjData(model)
    data.joint("z").qpos[0] = -(length + fit.chamfer + EDGE)  # from the chamfer's lower rim to where the edge begins
    mujoco.mj_forward(model, data)
    body, speeds = int(model.body("peg").id), []
    for _ in range(300):
        data.qfrc_applied[:] = 0.0
        at = data.site("tip").xpos + np.array([0.0, 0.0, EDGE])
        force, torque = np.array([side, 0.0, -PUSH]), np.array([0.0, moment, 0.0])
        mujoco.mj_applyFT(model, data, force, torque, at, body, data.qfrc_applied)
        mujoco.mj_step(model, data)
        speeds.append(-data.joint("z").qvel[0])
    return float(np.mean(speeds[150:]))


def _convergence() -> Iterator[Anchor]:
    coarse, penetration = _seated(TIGHT, 1e-3)
    fine, _ = _seated(TIGHT, 1e-4)
    case = f"radial clearance {1e6 * TIGHT.clearance:g} um"
    yield _DEEP.within(0.0, penetration, 0.0, 0.6 * TIGHT.clearance, case=case)
    yield _OFFSET.near(float(fine[0]), float(coarse[0]), tol=0.15 * TIGHT.clearance, case=case)
    yield _TILT.near(float(fine[2]), float(coarse[2]), tol=2e-4, case=case)


def _seated(fit: Fit, timestep: float) -> tuple[Array, float]:
    """Push a peg into a hole 0.3 mm aside and half a degree askew, held by springs.

    Returns:
        x, m, z, m, and tilt, rad, as it stands then; and the deepest penetration on the way, m.
    """
    mass, inertia = 1.5, 4e-3  # of a gripper
    spec = planar(fit, timestep=timestep, mass=mass, inertia=inertia)
    for name, kp, load in (("x", 1500.0, mass), ("z", 8000.0, mass), ("tilt", 20.0, inertia)):
        servo = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=kp, kv=2 * math.sqrt(kp * load))
    spec.actuator("z").forcerange, spec.actuator("z").forcelimited = [-60, 60], True
    model = spec.compile()
    data = mujoco.MjData(model)
    start = np.array([0.3e-3, 2e-3, math.radians(0.5)])
    data.qpos[:], data.ctrl[:] = start, start
    deepest = 0.0
    for i in range(round(1.6 / timestep)):
        data.ctrl[1] = max(start[1] - 0.02 * i * timestep, -0.9 * fit.depth)
        mujoco.mj_step(model, data)
        if data.ncon:
            deepest = min(deepest, float(data.contact.dist.min()))
    return data.qpos.copy(), -deepest


def _play(diameter: float, clearance: float) -> Anchor:
    """Push an upright peg aside in 24 directions."""
    fit = Fit(diameter, clearance, 0.5e-3, 0.023, 0.2)
    spec = planar(fit)
    spec.body("carriage").add_joint(name="y", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
    spec.delete(spec.joint("tilt"))
    model = spec.compile()
    data = mujoco.MjData(model)
    middle, high = clearance * (1 + _AROUND) / 2, clearance * _AROUND + 0.5e-6
    case = f"d {1e3 * diameter:g} mm, c {1e3 * clearance:g} mm, of 24 directions the one farthest off"
    cases: list[Anchor] = []
    for angle in np.linspace(0, 2 * math.pi, 24, endpoint=False):
        mujoco.mj_resetData(model, data)
        data.joint("z").qpos[0] = -0.015
        for _ in range(400):
            for name, share in (("x", math.cos(angle)), ("y", math.sin(angle))):
                data.joint(name).qfrc_applied[0] = 2.0 * share - 20.0 * data.joint(name).qvel[0]
            data.joint("z").qfrc_applied[0] = -100.0 * data.joint("z").qvel[0]
            mujoco.mj_step(model, data)
        play = math.hypot(data.joint("x").qpos[0], data.joint("y").qpos[0])
        cases.append(_PLAY.within(middle, play, clearance, high, case=case))
    return farthest(cases)


def _slide_down(friction: float) -> Anchor:
    fit, slope = Fit(0.008, 0.1e-3, 0.5e-3, 0.023, friction), math.radians(30.0)
    spec = new_spec("anchor", timestep=1e-3)
    spec.option.gravity = [G * math.sin(slope), 0, -G * math.cos(slope)]
    add_socket(spec, spec.worldbody.add_body(name="fixture"), fit)
    block = spec.worldbody.add_body(name="block", pos=[0.03, 0.05, 0.005])
    block.add_freejoint()
    box, solimp = mujoco.mjtGeom.mjGEOM_BOX, [0.95, 0.99, 1e-4, 0.5, 2.0]
    block.add_geom(type=box, size=[0.01, 0.01, 0.005], mass=0.05, friction=[friction, 0.005, 1e-4], solimp=solimp)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=50)
    before = float(data.qvel[0])
    mujoco.mj_step(model, data, nstep=70)
    formula = G * (math.sin(slope) - friction * math.cos(slope))
    return _SLOPE.near(formula, (float(data.qvel[0]) - before) / 0.07, rel=0.05, case=f"mu {friction:g}")
