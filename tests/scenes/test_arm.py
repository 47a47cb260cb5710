"""Arms against closed-form mechanics and published numbers; inputs are the models' numbers, never their results."""

import builtins
import dataclasses
import itertools
import math

import mujoco
import numpy as np
import pytest

from scenes.machines import arm, arm_menagerie, arm_pilot, arm_telemetry
from scenes.machines.arm_models import ARM6_M, ARM6_S, ARM7_S, SCARA4
from scenes.machines.arm_pilot import Pilot, Pose
from sim.errors import MissingExtraError, ParameterError, UnknownNameError
from sim.model import INTEGRATION, compile_model
from sim.parameters import describe
from sim.scenario import Scenario
from sim.spec import new_spec
from sim.world import World

ARMS = pytest.mark.parametrize("kind", [ARM6_M, ARM6_S, ARM7_S, SCARA4], ids=["6m", "6s", "7s", "scara"])
G = 9.81
TIMESTEP = 1e-3
SMOOTH = arm.ArmParams(friction=0.0)

# theta is the joint's; d, a, alpha as the maker's support article 45257 lists them for UR10e and UR5e
CLASSIC = {
    ARM6_M.name: [
        (0.1807, 0, math.pi / 2),
        (0, -0.6127, 0),
        (0, -0.57155, 0),
        (0.17415, 0, math.pi / 2),
        (0.11985, 0, -math.pi / 2),
        (0.11655, 0, 0),
    ],
    ARM6_S.name: [
        (0.1625, 0, math.pi / 2),
        (0, -0.425, 0),
        (0, -0.3922, 0),
        (0.1333, 0, math.pi / 2),
        (0.0997, 0, -math.pi / 2),
        (0.0996, 0, 0),
    ],
}


def stand(kind, p=SMOOTH, *, q=None, window=None, tool=0.0, channels=False, wrist=None):
    """Return the spec of an arm at rest, with a tool of some kg on its flange."""
    spec = new_spec("arm", timestep=TIMESTEP)
    names = arm.add_arm(spec, kind, p, pos=(0, 0, 0), window=window)
    if tool:
        pos, quat = arm.flange_pose(kind)
        hand = spec.body(names.tip).add_body(name="tool", pos=pos, quat=quat)
        hand.explicitinertial, hand.mass, hand.ipos, hand.inertia = True, tool, [0, 0, 0.1], [0.01, 0.01, 0.01]
        hand.add_site(name="wrist")
        arm.compensate(spec, p, "tool")
    if channels:
        arm_telemetry.add_telemetry(spec, names, p)
    if wrist:
        arm_telemetry.add_force_torque(spec, "wrist", wrist)
    key = arm.key(kind, p, kind.home if q is None else q)
    spec.add_key(name="home", qpos=key.qpos, act=key.act, ctrl=key.ctrl)
    return spec, names


def start(spec):
    """Compile and begin at the keyframe."""
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return model, data


def run(model, data, seconds, read=lambda _: 0.0):
    """Step and return what was read after each step."""
    out = []
    for _ in range(round(seconds / TIMESTEP)):
        mujoco.mj_step(model, data)
        out.append(read(data))
    return np.array(out)


def world(spec, seconds=0.0, names=None):
    """Return one simulation under the engine's world after some control steps of 10 ms."""
    memory = arm.memory(names) if names else ()
    out = World([Scenario(compile_model(spec, memory), 0)], memory=memory)
    out.reset()
    for i in range(round(seconds / 0.01)):
        out.step(10, np.array([10 * i]), np.arange(1))
        if names:
            arm.scan_windings(out.state, names, 0.01)
    return out


def postures(kind, count):
    """Yield joint positions inside the limits."""
    low, high = np.array([(d.low, d.high) for d in kind.drives]).T
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.uniform(np.maximum(low, -3.0), np.minimum(high, 3.0))


def classic(rows, q):
    """Return the flange's frame by Denavit and Hartenberg's own convention."""
    out = np.eye(4)
    for (d, a, alpha), t in zip(rows, q, strict=True):
        ct, st, ca, sa = math.cos(t), math.sin(t), math.cos(alpha), math.sin(alpha)
        out = out @ [[ct, -st * ca, st * sa, a * ct], [st, ct * ca, -ct * sa, a * st], [0, sa, ca, d], [0, 0, 0, 1]]
    return out


def flange_frame(data, name="flange"):
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = data.site(name).xmat.reshape(3, 3), data.site(name).xpos
    return frame


@pytest.mark.parametrize("kind", [ARM6_M, ARM6_S], ids=["6m", "6s"])
def test_the_flange_is_where_the_published_denavit_hartenberg_chain_puts_it(kind):
    model, data = start(stand(kind)[0])
    for q in postures(kind, 100):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)

        assert np.abs(flange_frame(data) - classic(CLASSIC[kind.name], q)).max() < 1e-12


@ARMS
def test_forward_is_the_kinematics_of_the_scene_with_any_leading_axes(kind):
    model, data = start(stand(kind)[0])
    many = np.array(list(postures(kind, 50)))

    frames = arm_pilot.forward(kind, many.reshape(5, 10, -1)).reshape(-1, 4, 4)

    for q, frame in zip(many, frames, strict=True):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        assert np.abs(flange_frame(data) - frame).max() < 1e-12


def test_the_seven_axis_arm_reaches_as_high_as_its_links_are_long():
    model, data = start(stand(ARM7_S)[0])
    data.qpos[:] = 0.0  # beyond the elbow's limit, but the one posture that needs no trigonometry

    mujoco.mj_kinematics(model, data)

    assert data.site("flange").xpos == pytest.approx([0.088, 0, 0.333 + 0.316 + 0.384 - 0.107], abs=1e-12)


@pytest.mark.parametrize(("kind", "mass"), [(ARM6_M, 29.104), (ARM6_S, 17.7), (ARM7_S, 15.495), (SCARA4, 9.6)])
def test_the_moving_mass_is_the_sum_of_the_published_ones(kind, mass):
    assert start(stand(kind)[0])[0].body_mass.sum() == pytest.approx(mass, abs=1e-3)


@ARMS
def test_links_are_bodies_that_can_exist(kind):
    for link in kind.links:
        for a, b, c in itertools.permutations(link.inertia):
            assert a <= b + c
        assert 0.5 < math.hypot(*link.axes) < 1.5
        # No link is wider than the arm is long: its radius of gyration stays below 0.5 m.
        assert max(link.inertia) < link.mass * 0.5**2


@ARMS
def test_the_weight_is_held_with_the_torque_that_the_slope_of_potential_energy_asks_for(kind):
    model, data = start(stand(kind, tool=2.0)[0])

    run(model, data, 1.0)

    assert np.abs(data.qpos - kind.home).max() < 1e-9
    for i in range(model.nv):
        energy = []
        for step in (-1e-4, 1e-4):
            probe = mujoco.MjData(model)
            probe.qpos[:] = kind.home
            probe.qpos[i] += step
            mujoco.mj_kinematics(model, probe)
            energy.append(G * model.body_mass @ probe.xipos[:, 2])
        # central difference of a sinusoid: relative error 1e-8 / 6
        assert data.qfrc_actuator[i] == pytest.approx((energy[1] - energy[0]) / 2e-4, abs=1e-4)


def test_a_tool_whose_weight_is_misjudged_sags_by_the_servo_stiffness():
    p = dataclasses.replace(SMOOTH, payload_error=-0.05)
    model, data = start(stand(ARM6_M, p, tool=10.0)[0])
    height = data.site("flange").xpos[2]
    jac = np.zeros((3, 6))
    lever = np.zeros(3)
    mujoco.mj_jac(model, data, jac, None, data.body("tool").xipos, model.body("tool").id)
    lever[2] = -0.05 * 10.0 * G

    run(model, data, 2.0)

    turn = jac.T @ lever / arm.gains(ARM6_M, p)[0]
    flange = np.zeros((3, 6))
    mujoco.mj_jacSite(model, data, flange, None, model.site("flange").id)
    assert data.site("flange").xpos[2] - height == pytest.approx((flange @ turn)[2], rel=5e-3)  # 0.4 mm: linear


@ARMS
def test_the_flange_yields_to_a_push_by_the_stiffness_of_its_joints(kind):
    model, data = start(stand(kind)[0])
    site, body = model.site("flange").id, int(model.site_bodyid[model.site("flange").id])
    jac = np.zeros((3, model.nv))
    mujoco.mj_jacSite(model, data, jac, None, site)
    compliance = jac @ np.diag(1 / arm.gains(kind, SMOOTH)[0]) @ jac.T
    for axis in range(3):
        mujoco.mj_resetDataKeyframe(model, data, 0)
        mujoco.mj_forward(model, data)
        before = data.site("flange").xpos.copy()
        force = np.zeros(3)
        force[axis] = 10.0
        applied = np.zeros(model.nv)
        mujoco.mj_applyFT(model, data, force, np.zeros(3), before, body, applied)
        data.qfrc_applied[:] = applied

        run(model, data, 1.0)

        moved = (data.site("flange").xpos - before)[axis]
        assert moved == pytest.approx(10.0 * compliance[axis, axis], rel=0.01)  # 2 mm of 1 m turn the lever by 0.2 %


def test_a_servo_answers_a_step_as_the_second_order_system_it_is_tuned_to():
    model, data = start(stand(ARM6_M)[0])
    drive = ARM6_M.drives[5]
    inertia = drive.rotor + ARM6_M.links[5].inertia[2]  # the last joint carries itself alone
    stiffness, damping = (gain[5] for gain in arm.gains(ARM6_M, SMOOTH))
    data.ctrl[5] += 0.003  # moves with the first step: less than the reference may
    zeta = (damping + drive.drag) / (2 * math.sqrt(stiffness * inertia))
    omega = math.sqrt(stiffness / inertia)

    x = run(model, data, 0.3, lambda d: d.qpos[5]) / 0.003

    t = TIMESTEP * np.arange(1, 301)
    fast, slow = (-omega * (zeta + sign * math.sqrt(zeta**2 - 1)) for sign in (1, -1))
    formula = 1 + (slow * np.exp(fast * t) - fast * np.exp(slow * t)) / (fast - slow)
    assert np.abs(x - formula).max() < 0.015  # integration is of first order: omega * timestep / 4 = 0.018
    assert x.max() < 1.0 + 1e-6


@ARMS
def test_a_reference_moves_no_faster_than_its_joint_which_lags_as_foretold(kind):
    for i, drive in enumerate(kind.drives):
        way = 0.9 * (drive.high - drive.low)
        q = np.array(kind.home)
        q[i] = drive.low + 0.05 * (drive.high - drive.low)
        model, data = start(stand(kind, q=q)[0])
        data.ctrl[i] += way

        # 80 % of the way at full speed, long enough for the transient to go, short enough not to arrive
        speed = run(model, data, 0.8 * way / drive.speed, lambda d, i=i: d.qvel[i])

        lag = arm_pilot.servo_lag(kind, SMOOTH)[i] * drive.speed
        if not drive.slides and way / drive.speed > 0.4:
            assert speed[-1] == pytest.approx(drive.speed, rel=0.02)
            assert data.act[2 * i] - data.qpos[i] == pytest.approx(lag, rel=0.1)
        assert data.act[2 * i] <= q[i] + drive.speed * data.time + 1e-9


def test_no_joint_gives_more_than_its_torque_however_it_is_pushed():
    model, data = start(stand(ARM6_M)[0])
    limits = np.array([d.torque for d in ARM6_M.drives])
    data.qfrc_applied[:] = 3 * limits

    effort = run(model, data, 0.3, lambda d: np.abs(d.qfrc_actuator).copy())

    assert (effort <= limits * (1 + 1e-9)).all()
    assert effort.max(axis=0) == pytest.approx(limits)


@pytest.mark.parametrize("joint", [0, 3, 5])
def test_a_joint_stays_below_its_friction_and_yields_beyond_it_by_its_stiffness(joint):
    p = arm.ArmParams()
    model, data = start(stand(ARM6_M, p)[0])
    friction, stiffness = ARM6_M.drives[joint].friction, arm.gains(ARM6_M, p)[0][joint]
    data.qfrc_applied[joint] = 0.9 * friction

    run(model, data, 1.0)
    held = data.qpos[joint] - ARM6_M.home[joint]
    data.qfrc_applied[joint] = 3.0 * friction
    run(model, data, 2.0)
    given = data.qpos[joint] - ARM6_M.home[joint]

    assert held * stiffness < 0.05 * friction  # constraints are soft: 5 % of the free yield
    assert given * stiffness == pytest.approx(2.0 * friction, rel=0.05)


@pytest.mark.parametrize("corner", list(itertools.product([0, 1], repeat=3)))
@ARMS
def test_an_arm_is_calm_under_the_wildest_commands_at_the_edges_of_its_parameters(kind, corner):
    low, high = zip(*(f.distribution.support for f in describe(arm.ArmParams).values()), strict=True)
    values = dict(zip(describe(arm.ArmParams), low, strict=True))
    names = ("stiffness", "damping", "friction")
    edges = dict(zip(describe(arm.ArmParams), high, strict=True))
    values |= {n: (edges if share else values)[n] for n, share in zip(names, corner, strict=True)}
    p = arm.ArmParams(**values)
    model, data = start(stand(kind, p, tool=2.0)[0])
    rng = np.random.default_rng(0)
    for _ in range(6):
        data.ctrl[:] = rng.uniform(
            *np.clip(model.actuator_ctrlrange.T, np.array(kind.home) - 1, np.array(kind.home) + 1)
        )
        run(model, data, 0.3)
    data.ctrl[:] = kind.home

    run(model, data, 2.5)

    stiffness = arm.gains(kind, p)[0]
    slack = p.friction * np.array([d.friction for d in kind.drives]) + 0.05 * 2.0 * G  # with 5 % of the tool, at 1 m
    assert (np.abs(data.qpos - kind.home) < slack / stiffness + 1e-4).all()
    assert np.abs(data.qvel).max() < 1e-3
    assert not any(w.number for w in data.warning)


def test_a_window_is_what_can_be_commanded_and_must_lie_within_the_joints_limits():
    low, high = np.array(ARM6_M.home) - 0.4, np.array(ARM6_M.home) + 0.4

    model, _ = start(stand(ARM6_M, window=(low, high))[0])

    assert model.actuator_ctrlrange == pytest.approx(np.stack([low, high], axis=-1))
    assert model.jnt_range[:, 1] == pytest.approx([d.high for d in ARM6_M.drives])
    with pytest.raises(
        ParameterError, match=r"joint 3 of a six-axis arm for 12\.5 kg: window 1.2 to 4 must lie within"
    ):
        stand(ARM6_M, window=(low, np.where(np.arange(6) == 2, 4.0, high)))
    with pytest.raises(ParameterError, match="needs 6 joints"):
        stand(ARM6_M, window=(low[:5], high[:5]))
    with pytest.raises(ParameterError, match="has 6 joints, got 2 positions"):
        arm.key(ARM6_M, SMOOTH, [0.0, 0.0])


def test_nothing_of_an_arm_collides_and_two_arms_share_a_scene():
    spec = new_spec("two", timestep=TIMESTEP)
    both = [
        arm.add_arm(spec, kind, SMOOTH, pos=(0, y, 0), prefix=prefix)
        for kind, y, prefix in ((ARM6_M, 0, "left_"), (ARM7_S, 1, "right_"))
    ]

    model, _ = start_without_key(spec)

    assert [model.actuator(i).name for i in range(model.nu)] == [*both[0].actuators, *both[1].actuators]
    assert [model.geom(i).name for i in range(model.ngeom)] == [*both[0].geoms, *both[1].geoms]
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    assert both[1] == arm.names_of(ARM7_S, "right_")


def start_without_key(spec):
    model = spec.compile()
    return model, mujoco.MjData(model)


def test_a_mastering_error_moves_the_flange_by_a_few_tenths_of_a_millimetre():
    off = dataclasses.replace(SMOOTH, mastering=2e-4)

    true, wrong = (start(stand(ARM6_M, p)[0])[1].site("flange").xpos for p in (SMOOTH, off))

    assert 5e-5 < np.linalg.norm(true - wrong) < 6 * 2e-4 * 1.3  # six joints, 1.3 m of reach


def test_windings_warm_by_the_whole_current_and_not_by_that_of_the_servo_alone():
    p = dataclasses.replace(SMOOTH, warmth=0.0)
    spec, names = stand(ARM6_M, p, tool=10.0, channels=True)

    s = world(spec, 2.0, names).state

    for name, drive in zip(names.joints, ARM6_M.drives, strict=True):
        current = s.joint(name).qfrc_actuator[0, 0] / drive.constant
        heat = drive.resistance * current**2 * 2.0 / drive.thermal[1]  # far from equilibrium: nothing flows off yet
        rise = s.actuator(name).act[0, 1] + s.memory(f"{name}_heat")[0]
        assert rise == pytest.approx(heat, rel=0.01, abs=1e-9)
        reported = arm_telemetry.report(s, names)[f"Axis{name[-1]}.Motor.WindingTemperature"]
        assert reported[0, 0] == pytest.approx(p.ambient + rise)


@ARMS
def test_telemetry_reads_what_is_true_within_the_instruments_errors(kind):
    spec, names = stand(kind, arm.ArmParams(), tool=2.0, channels=True)

    s = world(spec, 0.1, names).state

    for i, (name, drive) in enumerate(zip(names.joints, kind.drives, strict=True), 1):
        torque = float(s.joint(name).qfrc_actuator[0, 0])
        assert s.sensor(f"Axis{i}.ActualPosition")[0, 0] == pytest.approx(s.joint(name).qpos[0, 0], abs=1e-5)
        assert s.sensor(f"Axis{i}.ActualSpeed")[0, 0] == pytest.approx(0.0, abs=6e-3)
        assert s.sensor(f"Axis{i}.Motor.Torque")[0, 0] == pytest.approx(torque, abs=0.012 * drive.torque)
        current = s.sensor(f"Axis{i}.Motor.Current")[0, 0]
        assert current == pytest.approx(torque / drive.constant, abs=0.02 * drive.torque / drive.constant)
    assert set(arm_telemetry.report(s, names)) == set(arm_telemetry.features(names))


def test_report_follows_the_reference_and_tells_motion_from_rest():
    spec, names = stand(ARM6_M, channels=True)
    w = world(spec, 0.0, names)
    assert arm_telemetry.report(w.state, names)["IsMoving"] == 0.0

    w.ctrl[0, 0] += 1.0
    w.step(100, np.array([0]), np.arange(1))

    reported = arm_telemetry.report(w.state, names)
    assert reported["IsMoving"] == 1.0
    assert reported["Axis1.FollowingError"][0, 0] > 0.01
    assert 0.0 < reported["Axis1.Motor.EffectiveLoadRate"][0, 0] <= 1.0


def test_the_wrist_sensor_holds_up_the_tool_and_forgets_nothing_of_its_own_errors():
    p = arm_telemetry.WristParams(force_noise=0.0, torque_noise=0.0, force_bias=1.5, torque_bias=0.0, gain=1.02)
    spec, _ = stand(ARM6_M, tool=2.0, wrist=p)

    s = world(spec, 0.5).state

    turn = s.site("wrist").xmat[0].reshape(3, 3)
    held = turn.T @ [0, 0, 2.0 * G]
    assert s.sensor("Wrist.Force")[0] == pytest.approx(1.02 * held + 1.5, abs=0.01)
    assert s.sensor("Wrist.Torque")[0] == pytest.approx(1.02 * np.cross([0, 0, 0.1], held), abs=0.002)


def test_wrist_sensors_of_any_delay_share_a_layout_and_differ_in_age():
    sizes, ages = [], []
    for delay in (0.002, 0.0137, arm_telemetry.LATEST):
        p = arm_telemetry.WristParams(force_noise=0.0, force_bias=0.0, gain=1.0, delay=delay)
        spec, _ = stand(ARM6_M, tool=2.0, wrist=p)
        w = world(spec)
        sizes.append(mujoco.mj_stateSize(w.scenarios[0].model, INTEGRATION))
        before = w.state.sensor("Wrist.Force")[0].copy()
        w.ctrl[0, 3] += 0.5
        for step in range(1, 40):
            w.step(1, np.array([step - 1]), np.arange(1))
            if np.abs(w.state.sensor("Wrist.Force")[0] - before).max() > 0.02:
                ages.append(step)
                break

    assert len(set(sizes)) == 1
    assert ages[0] < ages[1] < ages[2]
    assert ages[2] - ages[0] == pytest.approx(18, abs=3)  # samples are 2 ms apart


@ARMS
def test_the_jacobian_is_the_slope_of_the_pose(kind):
    pilot = Pilot(
        kind, base=((0.1, 0.2, 0.3), (math.cos(0.3), 0, 0, math.sin(0.3))), tool=((0, 0.05, 0.2), (1, 0, 0, 0))
    )
    for q in postures(kind, 10):
        jac = pilot.jacobian(q).copy()
        for i in range(len(q)):
            step = np.eye(len(q))[i] * 1e-6
            slope = arm_pilot.pose_error(pilot.pose(q - step), pilot.pose(q + step)) / 2e-6
            assert jac[:, i] == pytest.approx(slope, abs=1e-6)


@ARMS
def test_following_a_twist_moves_the_tool_by_it(kind):
    pilot = Pilot(kind, tool=((0, 0, 0.2), (1, 0, 0, 0)))
    q, start_pose = np.array(kind.home), Pilot(kind, tool=((0, 0, 0.2), (1, 0, 0, 0))).pose(kind.home)

    for _ in range(50):
        q = pilot.follow(q, [2e-4, -1e-4, -1e-4, 0, 0, 0])

    moved = arm_pilot.pose_error(start_pose, pilot.pose(q))
    assert moved[:3] == pytest.approx([0.01, -0.005, -0.005], abs=3e-4)  # 3 %: what damping costs
    assert np.abs(moved[3:]).max() < 2e-3


def test_following_stops_at_the_window():
    low, high = np.array(ARM6_M.home) - 0.1, np.array(ARM6_M.home) + 0.1
    pilot = Pilot(ARM6_M, window=(low, high))
    q = np.array(ARM6_M.home)

    for _ in range(200):
        q = pilot.follow(q, [0.01, 0, 0, 0, 0, 0])

    assert (q >= low).all()
    assert (q <= high).all()


@ARMS
def test_every_pose_that_some_posture_has_is_reached_within_the_limits(kind):
    pilot = Pilot(kind)
    for q in postures(kind, 30):
        goal = pilot.pose(q)

        found = pilot.reach(goal)

        assert np.abs(arm_pilot.pose_error(pilot.pose(found), goal)).max() < 1e-6
        assert (found >= pilot.low).all()
        assert (found <= pilot.high).all()


def test_a_pose_out_of_reach_is_refused_with_how_far_the_arm_comes():
    with pytest.raises(arm_pilot.ReachError, match=r"does not reach \[3.0, 0.0, 0.0\] m .* mm and .* deg away"):
        Pilot(ARM6_M).reach(Pose(np.array([3.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])))


def test_approaching_arrives_by_steps_no_longer_than_allowed():
    pilot = Pilot(ARM6_M)
    q, goal = np.array(ARM6_M.home), pilot.pose(np.array(ARM6_M.home) + 0.2)
    before = pilot.pose(q)
    for _ in range(200):
        q = pilot.approach(q, goal, way=2e-3, turn=0.02)
        now = pilot.pose(q)
        step = arm_pilot.pose_error(before, now)
        assert np.linalg.norm(step[:3]) < 2.2e-3  # the arc of a step is a little longer than its chord
        assert np.linalg.norm(step[3:]) < 0.022
        before = now

    assert np.abs(arm_pilot.pose_error(pilot.pose(q), goal)).max() < 1e-4


@pytest.mark.parametrize("haste", [0.2, 1.0])
@ARMS
def test_a_joint_move_arrives_at_rest_and_keeps_to_the_joints_speed(kind, haste):
    begin, goal = np.array(kind.home), np.array(kind.home) + 0.04
    period = 0.01

    rows = arm_pilot.joint_move(kind, begin, goal, period, haste=haste)

    path = np.vstack([begin, begin, begin, rows, goal, goal])
    speed = np.array([d.speed for d in kind.drives])
    assert rows[-1] == pytest.approx(goal, abs=1e-9)
    # a divided difference is a mean of the derivative, so no greater than its bound
    for order, bound in enumerate((haste * speed, haste**2 * speed / 0.3, haste**3 * speed / 0.03), 1):
        assert (np.abs(np.diff(path, order, axis=0)) / period**order <= bound * (1 + 1e-6) + 1e-6).all()


def test_a_joint_move_refuses_what_makes_no_sense():
    with pytest.raises(ParameterError, match=r"haste must lie in \(0, 1\], got 2"):
        arm_pilot.joint_move(ARM6_M, ARM6_M.home, ARM6_M.home, 0.01, haste=2.0)
    with pytest.raises(ParameterError, match="has 6 joints"):
        arm_pilot.joint_move(ARM6_M, ARM7_S.home, ARM6_M.home, 0.01)
    with pytest.raises(ParameterError, match="no move from"):
        arm_pilot.joint_move(ARM6_M, ARM6_M.home, np.full(6, np.nan), 0.01)


def test_a_joint_move_takes_up_the_speed_that_the_joints_have():
    velocity = np.array([0.3, 0, 0, 0, 0, -0.2])

    rows = arm_pilot.joint_move(ARM6_M, ARM6_M.home, np.array(ARM6_M.home) + 0.3, 0.01, velocity=velocity)

    assert (rows[0] - ARM6_M.home) / 0.01 == pytest.approx(velocity, abs=0.02)  # acceleration for half a period


ROBOT = """
<mujoco>
  <worldbody>
    <light pos="0 0 2"/>
    <body name="base"><geom size=".1"/>
      <body name="upper" pos="0 0 .2"><joint name="pan" axis="0 0 1" armature=".1"/><geom size=".05"/>
        <body name="fore" pos="0 0 .3"><joint name="lift" axis="0 1 0" armature=".1"/><geom size=".05"/>{site}</body>
      </body>
    </body>
  </worldbody>
  <actuator><position name="p" joint="pan" kp="100"/><position name="l" joint="lift" kp="100"/></actuator>
  <contact><exclude body1="base" body2="upper"/></contact>
  <keyframe><key qpos=".1 .2" ctrl="0 0"/></keyframe>
</mujoco>
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A Menagerie checkout with one tiny robot."""
    folder = tmp_path / "universal_robots_ur5e"
    folder.mkdir()
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))

    def write(site):
        (folder / "ur5e.xml").write_text(ROBOT.format(site=site))

    return write


def test_an_arm_of_the_menagerie_gets_our_names(checkout):
    checkout('<site name="attachment_site" pos="0 0 .1"/>')
    spec = new_spec("scene", timestep=TIMESTEP)

    names = arm_menagerie.from_menagerie("universal_robots_ur5e", spec, pos=(1, 0, 0), prefix="left_")

    model, data = start_without_key(spec)
    mujoco.mj_kinematics(model, data)
    assert names.joints == names.actuators == ("left_joint1", "left_joint2")
    assert [model.actuator(i).name for i in range(model.nu)] == list(names.actuators)
    assert names.tip == "left_fore"
    assert data.site(names.flange).xpos == pytest.approx([1, 0, 0.6])
    assert model.opt.timestep == TIMESTEP


def test_a_robot_without_a_flange_or_a_name_is_refused(checkout):
    checkout("")
    spec = new_spec("scene", timestep=TIMESTEP)
    with pytest.raises(arm_menagerie.MenagerieArmError, match="needs a site 'attachment_site'"):
        arm_menagerie.from_menagerie("universal_robots_ur5e", spec, pos=(0, 0, 0))
    with pytest.raises(UnknownNameError, match="did you mean 'universal_robots_ur5e'"):
        arm_menagerie.from_menagerie("universal_robot_ur5e", spec, pos=(0, 0, 0))


def test_without_the_menagerie_package_one_sentence_says_what_to_install(monkeypatch):
    whole = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "mujoco_menagerie":
            raise ImportError(name)
        return whole(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError, match=r"pip install 'genba\[menagerie\]'"):
        arm_menagerie.from_menagerie("universal_robots_ur5e", new_spec("scene", timestep=TIMESTEP), pos=(0, 0, 0))
