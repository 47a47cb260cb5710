"""Peg and hole against closed-form mechanics; built by the scene's own functions, inputs from the formulas."""

import math

import mujoco
import numpy as np
import pytest

from scenes.stock_fits import EDGE, Fit, add_peg, add_socket
from sim.spec import new_spec

G = 9.81
VISCOUS = 5000.0  # N s/m: 10 N slide at no more than 2 mm/s, so that the depth hardly changes during a test
PUSH = 10.0  # N


def planar(fit, *, timestep=1e-3, drag=0.0, mass=0.5, inertia=2e-4):
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


def whitney(fit, length, slope, share):
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


def slide(fit, length, side, moment):
    """Push a peg that touches at two points, length apart, m, and return its speed inwards, m/s."""
    model = planar(fit, drag=VISCOUS).compile()
    data = mujoco.MjData(model)
    data.joint("z").qpos[0] = -(length + fit.chamfer + EDGE)  # from the chamfer's lower rim to where the edge begins
    mujoco.mj_forward(model, data)
    body, speeds = model.body("peg").id, []
    for _ in range(300):
        data.qfrc_applied[:] = 0.0
        at = data.site("tip").xpos + np.array([0.0, 0.0, EDGE])
        force, torque = np.array([side, 0.0, -PUSH]), np.array([0.0, moment, 0.0])
        mujoco.mj_applyFT(model, data, force, torque, at, body, data.qfrc_applied)
        mujoco.mj_step(model, data)
        speeds.append(-data.joint("z").qvel[0])
    return float(np.mean(speeds[150:]))


LOADS = [(0.01, -1.0), (0.01, 0.0), (0.01, 0.5), (0.02, -1.0), (0.02, 0.0), (0.02, 0.5)]
WHITNEY = Fit(0.010, 0.05e-3, 0.2e-3, 0.04, 0.2)


@pytest.mark.parametrize(("length", "slope"), LOADS)
def test_below_whitneys_jam_boundary_a_peg_slides_as_fast_as_friction_at_two_points_lets_it(length, slope):
    side, moment, speed = whitney(WHITNEY, length, slope, 0.6)

    assert slide(WHITNEY, length, side, moment) == pytest.approx(speed, rel=0.05)


@pytest.mark.parametrize(("length", "slope"), LOADS)
def test_a_peg_slides_up_to_nine_tenths_of_whitneys_jam_boundary_and_jams_on_it(length, slope):
    free = PUSH / VISCOUS
    slides = slide(WHITNEY, length, *whitney(WHITNEY, length, slope, 0.9)[:2])
    jams = [slide(WHITNEY, length, *whitney(WHITNEY, length, slope, share)[:2]) for share in (1.0, 1.1, 1.5)]

    assert slides > 0.06 * free
    # Soft friction creeps: 3 % of the speed without friction, which no one would call sliding.
    assert max(jams) < 0.035 * free
    assert slides > 2 * max(jams)


def impedance(fit, timestep):
    """Push a peg into a hole 0.3 mm aside and half a degree askew, held by springs; return it as it stands then."""
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


TIGHT_FIT = Fit(0.008, 0.02e-3, 0.8e-3, 0.020, 0.2)


def test_a_tight_fit_is_the_same_at_one_millisecond_as_at_a_tenth():
    coarse, penetration = impedance(TIGHT_FIT, 1e-3)
    fine, _ = impedance(TIGHT_FIT, 1e-4)

    assert penetration < 0.6 * TIGHT_FIT.clearance
    assert abs(coarse[0] - fine[0]) < 0.15 * TIGHT_FIT.clearance
    assert coarse[2] == pytest.approx(fine[2], abs=2e-4)


@pytest.mark.parametrize("clearance", [0.02e-3, 0.1e-3, 0.5e-3])
@pytest.mark.parametrize("diameter", [0.004, 0.008, 0.012, 0.016])
def test_an_upright_peg_has_the_play_of_its_fit_in_every_direction(diameter, clearance):
    fit = Fit(diameter, clearance, 0.5e-3, 0.023, 0.2)
    spec = planar(fit)
    spec.body("carriage").add_joint(name="y", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
    spec.delete(spec.joint("tilt"))
    model = spec.compile()
    data = mujoco.MjData(model)
    for angle in np.linspace(0, 2 * math.pi, 24, endpoint=False):
        mujoco.mj_resetData(model, data)
        data.joint("z").qpos[0] = -0.015
        for _ in range(400):
            for name, share in (("x", math.cos(angle)), ("y", math.sin(angle))):
                data.joint(name).qfrc_applied[0] = 2.0 * share - 20.0 * data.joint(name).qvel[0]
            data.joint("z").qfrc_applied[0] = -100.0 * data.joint("z").qvel[0]
            mujoco.mj_step(model, data)
        play = math.hypot(data.joint("x").qpos[0], data.joint("y").qpos[0])
        # 8 directions are exact, those between wider by 1 / cos(22.5 deg); contacts yield by 0.4 um under 2 N.
        assert clearance <= play < clearance / math.cos(math.pi / 8) + 0.5e-6


@pytest.mark.parametrize("friction", [0.08, 0.2, 0.4])
def test_steel_slides_down_a_tilted_plate_as_friction_has_it(friction):
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
    before = data.qvel[0]
    mujoco.mj_step(model, data, nstep=70)

    formula = G * (math.sin(slope) - friction * math.cos(slope))
    assert (data.qvel[0] - before) / 0.07 == pytest.approx(formula, rel=0.05)
