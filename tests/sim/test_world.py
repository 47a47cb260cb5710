"""World and State: fields whenever they are first read, rows, names, resets and faults."""

import mujoco
import numpy as np
import pytest

from sim.errors import UnknownNameError
from sim.model import CONTROL, INTEGRATION, compile_model, initial_state, model_sha256
from sim.rollout import rollout
from sim.scenario import Scenario
from sim.world import World

FIELDS = (
    ("body", "box", "xpos"),
    ("body", "box", "cvel"),
    ("site", "centre", "xmat"),
    ("joint", "slide", "qpos"),
    ("joint", "slide", "qvel"),
    ("actuator", "drive", "force"),
    ("actuator", "drive", "ctrl"),
)


@pytest.fixture
def models(tiny):
    task = tiny.Shove()
    return [compile_model(task.build(tiny.BoxParams(mass=m, friction=0.2)), task.memory) for m in (1.0, 2.0, 3.0)]


def open_world(models):
    world = World([Scenario(m, i) for i, m in enumerate(models)], memory=("fastest",))
    world.reset()
    return world


def advance(world, steps, speed=0.7):
    world.ctrl[:] = speed
    for t in range(steps):
        world.step(5, np.full(world.nsim, 5 * t), np.arange(world.nsim))


def test_a_field_reads_the_same_whenever_it_is_first_asked_for(models):
    for kind, name, attribute in FIELDS:
        with open_world(models) as early, open_world(models) as late:
            early.field(kind, name, attribute)
            advance(early, 30)
            advance(late, 30)
            found, expected = late.field(kind, name, attribute), early.field(kind, name, attribute)
            np.testing.assert_array_equal(found, expected, f"{kind} {name} {attribute}")
            assert np.any(expected), (kind, name, attribute)


def test_reading_a_field_for_the_first_time_changes_nothing_that_follows(models):
    with open_world(models) as curious, open_world(models) as plain:
        for world in (curious, plain):
            advance(world, 20)
        for kind, name, attribute in FIELDS:
            curious.field(kind, name, attribute)
        for world in (curious, plain):
            advance(world, 20)
        np.testing.assert_array_equal(curious.integration(), plain.integration())


def test_positions_and_velocities_are_current_after_a_step(models):
    with open_world(models) as world:
        advance(world, 25)
        for i, model in enumerate(models):
            data = mujoco.MjData(model)
            mujoco.mj_setState(model, data, world.integration()[i], INTEGRATION)
            mujoco.mj_forward(model, data)
            np.testing.assert_allclose(world.state.body("box").xpos[i], data.body("box").xpos, rtol=0, atol=1e-15)
            np.testing.assert_allclose(world.state.body("box").cvel[i], data.body("box").cvel, rtol=0, atol=1e-12)


def test_a_step_is_mj_step_bit_for_bit(models):
    with open_world(models) as world:
        start = world.integration()
        advance(world, 40)
        for i, model in enumerate(models):
            data = mujoco.MjData(model)
            mujoco.mj_setState(model, data, start[i], INTEGRATION)
            data.ctrl[:] = 0.7
            for _ in range(200):
                mujoco.mj_step(model, data)
            np.testing.assert_array_equal(world.state.joint("slide").qpos[i], data.joint("slide").qpos)
            np.testing.assert_array_equal(world.state.joint("box").qpos[i], data.joint("box").qpos)
            np.testing.assert_array_equal(world.state.joint("box").qvel[i], data.joint("box").qvel)


def test_an_actuators_activation_is_read_and_written_in_place(tiny):
    spec = tiny.cart_spec(tiny.CartParams())
    for name in ("first", "second"):
        servo = spec.add_actuator(name=name, target="rail", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_intvelocity(kp=10.0)
        servo.actrange = [-5.0, 5.0]
    with World([Scenario(compile_model(spec), i) for i in range(2)]) as world:
        world.reset()
        world.state.actuator("second").act[...] = [[0.5], [1.5]]
        world.state.actuator("second").ctrl[...] = 1.0
        world.step(10, np.zeros(2, int), np.arange(2))
        # the activation integrates the command: 10 steps of 2 ms at 1 m/s
        np.testing.assert_allclose(world.state.actuator("second").act, [[0.52], [1.52]], atol=1e-12)
        np.testing.assert_array_equal(world.state.actuator("first").act, [[0.0], [0.0]])
        assert world.state.actuator("motor").act.shape == (2, 0)
        assert world.state.row(1).actuator("second").act.shape == (1,)


def test_a_row_is_the_batch_without_its_first_axis(models):
    with open_world(models) as world:
        advance(world, 5)
        row = world.state.row(1)
        assert row.body("box").xpos.shape == (3,)
        assert np.shape(row.time) == ()
        for read in (
            lambda s: s.body("box").xpos,
            lambda s: s.sensor("encoder"),
            lambda s: s.true_sensor("force"),
            lambda s: s.peak("force"),
            lambda s: s.time,
        ):
            np.testing.assert_array_equal(read(row), read(world.state)[1])


def test_memory_is_part_of_the_state_and_written_in_place(models):
    with open_world(models) as world:
        world.state.memory("fastest")[...] = [1.0, 2.0, 3.0]
        world.state.row(0).memory("fastest")[...] = 9.0
        np.testing.assert_array_equal(world.state.memory("fastest"), [9.0, 2.0, 3.0])
        saved = world.integration()
        world.state.memory("fastest")[...] = 0.0
        world.restore(saved)
        np.testing.assert_array_equal(world.state.memory("fastest"), [9.0, 2.0, 3.0])


def test_restoring_a_state_restores_all_of_it(models):
    with open_world(models) as world:
        advance(world, 60)
        saved = world.integration()
        advance(world, 20)
        world.restore(saved)
        np.testing.assert_array_equal(world.integration(), saved)


def test_peak_is_the_greatest_value_of_all_physics_steps_of_a_control_step(models):
    with open_world(models[:1]) as world:
        world.ctrl[:] = 1.0
        seen = world.step(25, np.zeros(1, int), np.array([0]))
        force = next(s for s in seen if s.values.shape[1] == 24)  # 250 Hz: every step but the first
        assert world.state.peak("force").shape == (1, 1)
        # gain 1.01, resolution 0.1 and noise 0.2 stand between the true and the measured value
        assert abs(world.state.peak("force")[0, 0] - 200.0) < 1e-9
        assert np.abs(force.values).max() < 206.0


def test_stepping_some_simulations_leaves_the_others_alone(models):
    with open_world(models) as world, open_world(models) as all_of_them:
        world.ctrl[:] = all_of_them.ctrl[:] = 0.5
        before = world.integration()
        world.step(5, np.zeros(2, int), np.array([0, 2]))
        all_of_them.step(5, np.zeros(3, int), np.arange(3))
        np.testing.assert_array_equal(world.integration()[1], before[1])
        np.testing.assert_array_equal(world.integration()[[0, 2]], all_of_them.integration()[[0, 2]])


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda s: s.body("bxo").xpos, "no body 'bxo'; did you mean 'box'"),
        (lambda s: s.joint("slid").qpos, "no joint 'slid'; did you mean 'slide'"),
        (lambda s: s.actuator("drvie").ctrl, "did you mean 'drive'"),
        (lambda s: s.sensor("encodr"), "no channel 'encodr'; did you mean 'encoder'"),
        (lambda s: s.true_sensor("forc"), "did you mean 'force'"),
        (lambda s: s.memory("slowest"), "no memory slot 'slowest'"),
        (lambda s: s.numeric("x"), "no numeric 'x'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(models, read, says):
    with open_world(models) as world, pytest.raises(UnknownNameError, match=says):
        read(world.state)


def test_a_wrong_attribute_raises_and_names_the_right_one(models):
    with open_world(models) as world, pytest.raises(AttributeError, match="xpos"):
        world.state.body("box").xps  # noqa: B018


def test_the_initial_state_is_keyframe_zero_with_filled_histories(tiny):
    spec = tiny.cart_spec(tiny.CartParams(), [tiny.encoder("late", 100, latency_s=0.03)])
    model = compile_model(spec)
    delay = model.sensor_delay.copy()
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, initial_state(model), INTEGRATION)
    mujoco.mj_forward(model, data)
    assert (data.qpos[0], data.qvel[0], data.time) == (*tiny.START, 0.0)
    assert data.sensor("late").data[0] == tiny.START[0]
    np.testing.assert_array_equal(model.sensor_delay, delay)


def test_control_columns_pick_the_recorded_state_out_of_the_integration_state(models):
    with open_world(models[:1]) as world:
        advance(world, 10)
        data = mujoco.MjData(models[0])
        mujoco.mj_setState(models[0], data, world.integration()[0], INTEGRATION)
        expected = np.empty(mujoco.mj_stateSize(models[0], CONTROL))
        mujoco.mj_getState(models[0], data, expected, CONTROL)
        np.testing.assert_array_equal(world.control()[0], expected)


def test_the_hash_of_a_model_tells_any_parameter(tiny):
    hashes = {model_sha256(compile_model(tiny.cart_spec(tiny.CartParams(mass=m)))) for m in (1.0, 1.0, 1.0 + 1e-15)}
    assert len(hashes) == 2


def test_divergence_is_a_fault_and_nothing_is_printed(tiny, models, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_world(models) as world:
        assert world.faults() == ["", "", ""]
        world.batch.bind("qvel")[1] = 1e12
        advance(world, 3)
        faults = world.faults()
    assert faults[0] == faults[2] == ""
    assert "BAD" in faults[1] or "not finite" in faults[1]
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_late_fields_are_right_in_an_expert_too(tiny):
    """The time, and fields that no function read before, asked for in the middle of an episode."""
    seen = []

    def expert(self, s, p, *, mode, rng):
        for _ in range(20):
            yield tiny.Command(np.ones(1), "go")
        seen.append((float(s.time), s.body("cart").xpos.copy(), s.joint("rail").qpos.copy()))
        while True:
            yield tiny.Command(np.ones(1), "go")

    episode = rollout(tiny.cart(expert=expert), 0)
    time, xpos, qpos = seen[0]
    assert time == pytest.approx(0.4, abs=1e-12)
    np.testing.assert_array_equal(np.float32(qpos), episode.observations["x"][20])
    # the joint's zero is the body's place in the model, which is the origin
    np.testing.assert_allclose(xpos, [qpos[0], 0.0, 0.0], atol=1e-15)
