"""Arms: limits, windows, telemetry, commands and names; their formulas are in `scenes.anchors.arm` and `arm_drives`."""

import builtins
import dataclasses
import itertools
import math

import mujoco
import numpy as np
import pytest

from scenes.anchors.arm import KINDS, SMOOTH, TIMESTEP, G, postures, run, stand, start, world
from scenes.machines import arm, arm_menagerie, arm_pilot, arm_telemetry
from scenes.machines.arm_models import ARM6_M, ARM7_S
from scenes.machines.arm_pilot import Pilot, Pose
from sim.errors import MissingExtraError, ParameterError, UnknownNameError
from sim.model import INTEGRATION
from sim.parameters import describe
from sim.spec import new_spec

ARMS = pytest.mark.parametrize("kind", KINDS, ids=["6m", "6s", "7s", "scara"])


@ARMS
def test_links_are_bodies_that_can_exist(kind):
    for link in kind.links:
        for a, b, c in itertools.permutations(link.inertia):
            assert a <= b + c
        assert 0.5 < math.hypot(*link.axes) < 1.5
        # No link is wider than the arm is long: its radius of gyration stays below 0.5 m.
        assert max(link.inertia) < link.mass * 0.5**2


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


def test_the_temperature_of_windings_is_reported_with_that_of_the_air():
    p = dataclasses.replace(SMOOTH, warmth=0.0)
    spec, names = stand(ARM6_M, p, tool=10.0, channels=True)

    s = world(spec, 2.0, names).state

    for name in names.joints:
        rise = s.actuator(name).act[0, 1] + s.memory(f"{name}_heat")[0]
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
