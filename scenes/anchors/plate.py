"""Bending of the plate's hinge chain: elastic deflection, plastic plateau, springback; on the stock's own hinges."""

import math
from collections.abc import Iterator

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock_plates
from scenes.anchors import Anchor, Law
from scenes.stock import STEEL_DENSITY
from scenes.stock_plates import ELASTICITY, LINKS, Plate
from sim.spec import new_spec

Array = NDArray[np.float64]

TASKS = ("steel/magnet_plate",)
_PLATE = Plate(1.5, 2.0, 0.012)  # m: short, so that it is at rest soon
_YIELD = 250e6  # Pa, S235 to SS400
_STRIP, _SPAN, _PIECES, _STROKE = Plate(0.2, 0.05, 0.003), 0.033, 40, 0.006  # m: bent in three points

_TIP = Law("Tip of a clamped plate under load", "P L^3 / (3 E I)", "beam theory, small deflections", "m")
_COUPLE = Law("Turn of a plate's last link by a couple", "M x / (E I), x to its middle", "beam theory", "rad")
_YIELDS = Law(
    "Plastic turn left by a couple", "none under 1.5 sigma b t^2 / 6, without bound above", "plasticity", "rad"
)
_PLATEAU = Law("Force of three-point bending", "4 Mp / V, Mp = sigma b t^2 / 4", "plastic hinge", "N")
_SPRINGBACK = Law("Springback of three-point bending", "F V^2 / (8 E I)", "elastic unloading", "rad")


def measure() -> Iterator[Anchor]:
    """Yield every anchor."""
    plate = _PLATE
    force = 0.02 * plate.rigidity / plate.length**2 * 3  # 2 % of the length at the tip
    yield _TIP.near(force * plate.length**3 / 3 / plate.rigidity, _clamped(force=force)[0], rel=0.01)
    limit = stock_plates.plastic_moment(plate, _YIELD)
    turn, _ = _clamped(couple=0.9 * limit)[1:]
    yield _COUPLE.near(0.9 * limit * (plate.length - plate.link / 2) / plate.rigidity, turn, rel=0.01)
    for share in (0.98, 1.02):
        left = _clamped(couple=share * limit)[2]
        low, high = (-1e-3, 1e-3) if share < 1 else (0.1, math.inf)
        yield _YIELDS.within(0.0 if share < 1 else 1.0, left, low, high, case=f"{share:g} of the plastic moment")
    force, springback = _press()
    yield _PLATEAU.near(4 * stock_plates.plastic_moment(_STRIP, _YIELD) / _SPAN, force, rel=0.06)
    yield _SPRINGBACK.near(force * _SPAN**2 / 8 / _STRIP.rigidity, springback, rel=0.20)


def _clamped(*, force: float = 0.0, couple: float = 0.0) -> tuple[float, float, float]:
    """Clamp the plate at one end, load the other, and let it go; return sag, m, turn, and turn that is left, rad."""
    plate = _PLATE
    spec = new_spec("anchor", timestep=0.002)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE
    spec.option.gravity = [0, 0, 0]
    body, s = spec.worldbody, plate.link
    for i in range(LINKS):
        body = body.add_body(name=f"link{i}", pos=[s if i else 0, 0, 0])
        hinge = body.add_joint(name=f"hinge{i}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0])
        stock_plates.bend(hinge, plate, 0.0, _YIELD)
        if i == 0:  # a clamp is half a link from the middle of the first
            hinge.stiffness, hinge.springyield = [2 * hinge.stiffness[0], 0, 0], hinge.springyield / 2
        hinge.damping = [20 * hinge.damping[0], 0, 0]
        box = stock_plates.add_box(body, [s / 2, plate.width / 2, plate.thickness / 2], plate.mass / LINKS, number=1)
        box.pos = [s / 2, 0, 0]
    body.add_site(name="tip", pos=[s, 0, 0])
    model = spec.compile()
    data = mujoco.MjData(model)
    last, sag, turn = model.body(f"link{LINKS - 1}").id, 0.0, 0.0
    for i in range(6000):
        ramp = min(1.0, i / 2000) * (i < 4000) + max(0.0, 1.0 - (i - 4000) / 1000) * (i >= 4000)
        data.qfrc_applied[:] = 0
        load = np.array([0.0, 0.0, -force * ramp]), np.array([0.0, couple * ramp, 0.0])
        mujoco.mj_applyFT(model, data, *load, data.site("tip").xpos.copy(), last, data.qfrc_applied)
        mujoco.mj_step(model, data)
        if i == 3990:
            sag, turn = -float(data.site("tip").xpos[2]), float(data.qpos.sum())
        if abs(data.qpos.sum()) > 3.0:
            break
    return sag, turn, float(data.qpos.sum())


def _press() -> tuple[float, float]:
    """Bend a strip in three points; return the force of the plateau, N, and the angle sprung back, rad."""
    strip = _STRIP
    s = strip.length / _PIECES
    spec = new_spec("anchor", timestep=0.0005)
    spec.option.integrator, spec.option.gravity = mujoco.mjtIntegrator.mjINT_DISCRETE, [0, 0, 0]
    geom = spec.default.geom
    geom.solref, geom.solimp, geom.friction = [0.002, 1.0], [0.95, 0.99, 0.0005, 0.5, 2.0], [0.12, 0.005, 1e-4]
    turn = [math.sqrt(0.5), math.sqrt(0.5), 0, 0]
    capsule = {"type": mujoco.mjtGeom.mjGEOM_CAPSULE, "size": [0.003, 0.1, 0], "quat": turn, "conaffinity": 4}
    for side in (-1, 1):
        spec.worldbody.add_geom(pos=[side * _SPAN / 2, 0, -0.003], contype=0, **capsule)
    punch = spec.worldbody.add_body(name="punch", pos=[0, 0, strip.thickness + 0.003])
    punch.add_joint(name="punch", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1])
    punch.add_geom(mass=50.0, contype=0, **capsule)
    body = spec.worldbody
    for i in range(_PIECES):
        at = [s, 0, 0] if i else [(s - strip.length) / 2, 0, strip.thickness / 2]
        body = body.add_body(name=f"piece{i}", pos=at)
        if i == 0:
            kinds = mujoco.mjtJoint
            body.add_joint(name="x", type=kinds.mjJNT_SLIDE, axis=[1, 0, 0], damping=[5.0, 0, 0])
            body.add_joint(name="z", type=kinds.mjJNT_SLIDE, axis=[0, 0, 1])
            body.add_joint(name="turn", type=kinds.mjJNT_HINGE, axis=[0, 1, 0])
        else:
            hinge = body.add_joint(name=f"bend{i}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0], armature=1e-6)
            hinge.pos = [-s / 2, 0, 0]
            rate = ELASTICITY * strip.width * strip.thickness**3 / 12 / s
            hinge.stiffness, hinge.damping = [rate, 0, 0], [3e-4 * rate, 0, 0]
            hinge.springyield = stock_plates.plastic_moment(strip, _YIELD) / rate
        mass = STEEL_DENSITY * s * strip.width * strip.thickness
        stock_plates.add_box(body, [s / 2, strip.width / 2, strip.thickness / 2], mass, number=1)
    drive = spec.add_actuator(name="punch", target="punch", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    drive.set_to_position(kp=2e7, kv=2e5)
    model = spec.compile()
    data = mujoco.MjData(model)
    bends = [model.joint(f"bend{i}").qposadr[0] for i in range(1, _PIECES)]
    forces, loaded, step = [], 0.0, model.opt.timestep
    for i in range(round(3.5 / step)):
        t = i * step
        data.ctrl[0] = -_STROKE * min(1.0, t / 2.0) if t < 2.3 else -_STROKE + 2 * _STROKE * min(1.0, t - 2.3)
        mujoco.mj_step(model, data)
        if 2.2 < t < 2.25:  # the punch stands: no viscous share
            forces.append(-float(data.actuator("punch").force[0]))
        if t < 2.25:
            loaded = float(data.qpos[bends].sum())
    return float(np.mean(forces)), abs(loaded - float(data.qpos[bends].sum()))
