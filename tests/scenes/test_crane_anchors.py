"""The crane against closed-form mechanics; inputs are masses, lengths and rates of the model, never its results."""

import dataclasses
import math

import mujoco
import numpy as np
import pytest

from scenes.machines import c_hook, crane
from sim import skills
from sim.spec import new_spec

G = crane.GRAVITY
TIMESTEP = 0.005
CRANE = crane.CraneParams(skew=0.0, acceleration=0.4, rope_stiffness=1.0, lift=12.0)
LOAD, INERTIA = 22.5e3, (1.2e4, 1.5e4, 1.4e4)


def hang(p=CRANE, *, length=8.0, mass=LOAD, inertia=INERTIA, drop=None):
    """Hang a load under a crane that stands still.

    It is fixed to the block, its centre where the falls end, so that nothing pitches the block on its elastic ropes; or
    it is on a pin, its centre drop below that.
    """
    spec = new_spec("anchor", timestep=TIMESTEP)
    pose = crane.Pose(5.0, p.span / 2, crane.sheave_height(p) - length)
    key = crane.add_crane(spec, p, pose, load=(mass + crane.BLOCK_MASS) * G)
    load = spec.body("block").add_body(name="load", pos=[0, 0, -crane.PIN_DROP])
    load.explicitinertial, load.mass, load.inertia = True, mass, inertia
    load.ipos = [0, 0, crane.PIN_DROP]
    joints = 0
    if drop is not None:
        load.ipos = [0, 0, -drop]
        for name, axis in (("load_x", [1, 0, 0]), ("load_y", [0, 1, 0])):
            load.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis)
        joints = 2
    spec.add_key(name="home", qpos=np.append(key.qpos, np.zeros(joints)), act=key.act, ctrl=key.ctrl)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    return model, data


def record(model, data, seconds, read):
    """Step and return what was read after each step."""
    out = []
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
        out.append(read(data))
    return np.array(out)


def period_of(x):
    """Return the mean period between rising zero crossings, s."""
    x = x - x.mean()
    i = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return float(np.diff(i - x[i] / (x[i + 1] - x[i])).mean()) * TIMESTEP


def displace(data, length, sway):
    """Draw the block aside along x on its taut falls."""
    data.joint("block").qpos[0] += sway
    data.joint("block").qpos[2] += length - math.sqrt(length**2 - sway**2)


def double_pendulum(length, mass, drop, inertia):
    """Return frequencies (2,) and mode shapes (2, 2) in rope angle and load angle, the slow mode first."""
    total = mass + crane.BLOCK_MASS
    m = np.array([[total * length**2, mass * length * drop], [mass * length * drop, mass * drop**2 + inertia]])
    k = np.diag([total * G * length, mass * G * drop])
    squares, shapes = np.linalg.eig(np.linalg.solve(m, k))
    order = np.argsort(squares)
    return np.sqrt(squares[order]), shapes[:, order]


@pytest.mark.parametrize(("length", "sway"), [(4.0, 0.05), (8.0, 0.1), (8.0, 1.6)])
def test_a_load_fixed_to_the_block_swings_with_the_period_of_a_pendulum(length, sway):
    model, data = hang(length=length)
    displace(data, length, sway)

    x = record(model, data, 60.0, lambda d: d.joint("block").qpos[0])

    # The four parallel falls keep the block level, so the load is a point at the ropes' ends.
    formula = 2 * math.pi * math.sqrt(length / G) * (1 + math.asin(sway / length) ** 2 / 16)
    assert period_of(x) == pytest.approx(formula, rel=1e-3)


@pytest.mark.parametrize("mode", [0, 1])
def test_a_load_on_its_pin_swings_with_the_periods_of_a_double_pendulum(mode):
    length, drop = 10.0, 2.2
    model, data = hang(length=length, mass=23.2e3, drop=drop)
    omega, shapes = double_pendulum(length, 23.2e3, drop, INERTIA[1])
    rope, lean = shapes[:, mode] / np.abs(shapes[:, mode]).max() * 0.01
    displace(data, length, length * rope)
    data.joint("load_y").qpos[0] = -lean  # a turn about y takes what hangs below to -x

    x = record(model, data, 60.0, lambda d: d.joint("block").qpos[0])

    assert period_of(x) == pytest.approx(2 * math.pi / omega[mode], rel=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_sway_modes_are_those_of_the_double_pendulum(axis):
    swing = c_hook.swing(axis, (20e3, 2.0, 1.5e4))

    omega, lever = crane.sway_modes(7.0, *swing)

    formula, shapes = double_pendulum(7.0, *swing)
    assert omega == pytest.approx(formula, rel=1e-9)
    # Each lever makes the other mode's deflection vanish.
    assert 7.0 * shapes[0, ::-1] + lever * shapes[1, ::-1] == pytest.approx([0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("length", [4.0, 9.0])
def test_the_block_yaws_with_the_period_of_a_quadrifilar_suspension(length):
    model, data = hang(length=length)
    data.joint("block").qpos[3:7] = [math.cos(0.01), 0, 0, math.sin(0.01)]

    yaw = record(model, data, 60.0, lambda d: d.joint("block").qpos[6])

    weight = (LOAD + crane.BLOCK_MASS) * G
    turning = INERTIA[2] + model.body("block").inertia[2]
    radius_squared = sum(x**2 + y**2 for x, y in crane.FALLS) / len(crane.FALLS)
    formula = 2 * math.pi * math.sqrt(turning * length / (weight * radius_squared))
    assert period_of(yaw) == pytest.approx(formula, rel=2e-3)


def test_the_load_bounces_on_its_ropes_with_the_frequency_of_spring_and_mass():
    p = dataclasses.replace(CRANE, rope_damping=0.005)
    model, data = hang(p)
    mass, rate = LOAD + crane.BLOCK_MASS, 4 * crane.rope_rate(p)
    data.joint("block").qpos[2] += 0.5 * mass * G / rate  # half the stretch, so that no fall goes slack

    z = record(model, data, 5.0, lambda d: d.joint("block").qpos[2])

    damping = 0.005 * math.sqrt(30e3 / mass)  # the ratio is that at 30 t
    formula = math.sqrt(rate / mass * (1 - damping**2)) / (2 * math.pi)
    assert 1 / period_of(z) == pytest.approx(formula, rel=2e-3)


@pytest.mark.parametrize("mass", [c_hook.MASS, LOAD, 60e3])
def test_each_fall_at_rest_carries_a_quarter_of_the_weight(mass):
    model, data = hang(mass=mass)

    record(model, data, 1.0, lambda _: 0.0)

    falls = [data.actuator(f"fall{i}").force[0] for i in range(1, 5)]
    assert falls == pytest.approx([-(mass + crane.BLOCK_MASS) * G / 4] * 4, rel=1e-3)


def test_a_rope_cannot_push():
    model, data = hang()
    data.joint("block").qpos[2] += 0.2

    mujoco.mj_step(model, data)

    assert [data.actuator(f"fall{i}").force[0] for i in range(1, 5)] == [0.0] * 4


def residual_sway(shaper, *, length=9.0, drop=None):
    """Move the bridge by 8 m and return the greatest sway of the block in the period after, m."""
    model, data = hang(length=length, drop=drop)
    speeds = skills.move(8.0, skills.Limits(1.0, 0.3, 1.5), 0.05, shaper)
    data.actuator("bridge_brake").ctrl[0] = 0.0
    for speed in [*speeds, *np.zeros(10)]:  # the drive answers up to 0.2 s later
        data.actuator("bridge").ctrl[0] = speed
        mujoco.mj_step(model, data, nstep=10)
    assert data.joint("bridge").qpos[0] == pytest.approx(13.0, abs=0.02)
    sway = record(model, data, 8.0, lambda d: d.site("block").xpos[0] - d.site("trolley").xpos[0])
    return float(np.abs(sway).max())


def drive_damping(omega, length):
    """Return the damping ratio that sway gets from the bridge's drive, which yields by force / gain."""
    return (LOAD + crane.BLOCK_MASS) * G / length / crane.DRIVES["bridge"].gain / (2 * omega)


def test_zv_shaping_leaves_no_sway_at_the_true_rope_length():
    omega = math.sqrt(G / 9.0)

    shaped = residual_sway(skills.zv(omega, drive_damping(omega, 9.0)))

    assert shaped < 0.005 * residual_sway(skills.UNSHAPED)


def test_zv_shaping_of_both_modes_leaves_no_sway_of_a_double_pendulum():
    (slow, fast), _ = double_pendulum(9.0, LOAD, 2.0, INERTIA[1])
    shaper = skills.combine(skills.zv(slow, drive_damping(slow, 9.0)), skills.zv(fast))

    assert residual_sway(shaper, drop=2.0) < 0.005 * residual_sway(skills.UNSHAPED, drop=2.0)


@pytest.mark.parametrize("error", [0.9, 1.1])
def test_zvd_shaping_forgives_a_tenth_of_the_rope_length(error):
    omega = math.sqrt(G / (9.0 * error))

    shaped = residual_sway(skills.zvd(omega, drive_damping(omega, 9.0)))

    assert shaped < 0.01 * residual_sway(skills.UNSHAPED)


@pytest.mark.parametrize("distance", [-6.0, 0.02, 0.5, 12.0])
def test_a_shaped_move_covers_its_distance_within_its_limits(distance):
    limits = skills.Limits(1.0, 0.3, 0.5)

    speeds = skills.move(distance, limits, 0.05, skills.zvd(1.0))

    assert speeds.sum() * 0.05 == pytest.approx(distance, rel=1e-9)
    assert np.abs(speeds).max() <= 1.0 + 1e-9
    assert np.abs(np.diff(speeds)).max() <= 0.3 * 0.05 + 1e-9
