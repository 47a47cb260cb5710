"""A peg in real jaws: picked, put in and let go of; what friction holds and loses; its drive, tags and words."""

import dataclasses
import math
import re
from collections import Counter

import mujoco
import numpy as np
import pytest

from scenes.assembly.peg_grasp import PegGrasp, PegGraspParams, worker
from scenes.machines import grasping, gripper
from scenes.machines.fixture import FixtureParams
from scenes.machines.gripper import GripperParams
from scenes.machines.gripper_pilot import Grip
from scenes.machines.inserter_habits import Habits
from scenes.machines.nest import NestParams
from sim.cameras import segments, visible
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.parameters import sample
from sim.rollout import rollouts

TASK = PegGrasp()
PLAIN = PegGraspParams(
    fixture=FixtureParams(offset=0.0, height=0.0, tilt=0.0),
    nest=NestParams(error_x=0.0, error_y=0.0, height=0.0, lean_x=0.0, lean_y=0.0),
    gripper=GripperParams(friction=0.65, wear=0.0, taper=0.0, force_error=0.0, stiction=1.0),
)


@pytest.fixture(scope="module")
def nominal():
    return rollouts(TASK, range(3))


def start(p, *, seed=0):
    """Open one simulation of the task at its start."""
    engine = Engine(TASK, [scenario(TASK, p, seed)])
    engine.reset()
    return engine


def play(p, how, hold, *, seconds=40.0, watch=lambda s: None):
    """Work until the task fails or time is out; return the failure's name and what was watched."""
    seen = []
    with start(p) as engine:
        s = engine.state.row(0)
        commands = worker(s, p, how, hold)
        for _ in range(round(seconds * TASK.control_hz)):
            engine.advance(engine.applied(next(commands).ctrl[None]), np.array([0]))
            seen.append(watch(s))
            if code := int(TASK.failure(engine.state)[0]):
                return TASK.failures[code - 1], seen
    return "", seen


def test_the_expert_succeeds_and_goes_through_every_phase_in_order(nominal):
    assert [e.outcome for e in nominal] == [Outcome.SUCCESS] * len(nominal), [e.error for e in nominal]
    for episode in nominal:
        assert episode.phases[0] == 0
        assert episode.phases[-1] == len(TASK.phases) - 1
        assert set(np.diff(episode.phases)) <= {0, 1}


def test_success_is_a_seated_peg_that_nothing_holds(nominal):
    for episode in nominal:
        depth = episode.streams["Insertion.Depth"].value[-10:, 0]
        assert depth.min() >= 0.96 * episode.parameters["depth"]
        assert not episode.streams["Gripper.PadForce"].value[-10:].any()
        assert not episode.streams["PLC.PART_PRESENT"].value[-10:].any()
        assert episode.streams["Peg.InHand"].value[-1, 2] > 0.018


def test_friction_holds_the_peg_in_the_hand(nominal):
    for episode in nominal:
        carried = (episode.phases > 0) & (episode.phases < 5)
        force = episode.streams["Gripper.PadForce"].value[1:][carried]
        assert force.min() > 60.0
        assert np.ptp(force, axis=1).max() < 20.0
        assert episode.streams["PLC.PART_PRESENT"].value[1:][carried].all()
        assert episode.streams["Peg.SlipInHand"].value.max() < grasping.SLIP
        assert episode.streams["Peg.TurnInHand"].value.max() < grasping.TURN


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [{"clearance": 0.02e-3}, {"clearance": 0.05e-3, "friction": 0.4}])
def test_the_expert_masters_tight_fits(overrides):
    outcomes = [e.outcome for e in rollouts(TASK, range(200, 300), overrides=overrides, record=False)]

    assert outcomes.count(Outcome.SUCCESS) >= 90


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    codes = Counter(e.fail_code for e in rollouts(TASK, range(200), degraded=1.0, record=False))

    assert set(codes) == set(range(len(TASK.failures) + 1))


def test_a_weak_grip_slips_where_the_peg_is_pushed():
    failure, seen = play(PLAIN, Habits(), Grip(force=6.0), watch=lambda s: float(s.true_sensor("contact")[0]))

    assert failure == "slip"
    assert seen[-1] > 0  # on the face: 2 mu N is less than what it is levelled with


def test_a_peg_that_the_jaws_let_go_of_on_the_way_is_dropped():
    failure, _ = play(PLAIN, Habits(), Grip(until=0.5))

    assert failure == "drop"


def test_jaws_grip_with_the_force_that_the_reference_asks_for():
    def watch(s):
        return s.sensor("Gripper.ActualForce")[0], float(TASK.signals(s)["Gripper.PadForce"].mean())

    _, seen = play(PLAIN, Habits(), Grip(force=60.0), seconds=8.0, watch=watch)

    read, true = np.array(seen)[-10:].mean(axis=0)
    assert true == pytest.approx(60.0, abs=5.0)
    assert read == pytest.approx(true, abs=2.0)


def test_jaws_close_no_faster_than_their_drive_and_stop_at_nothing():
    with start(PLAIN) as engine:
        command = engine.world.scenarios[0].model.key_ctrl[:1].copy()
        command[0, -1] = gripper.LEAST
        opening = []
        for _ in range(60):
            engine.advance(engine.applied(command), np.array([0]))
            opening.append(float(engine.state.row(0).sensor("Gripper.ActualPosition")[0]))
        assert opening[-1] == pytest.approx(0.0, abs=6e-4)
        assert np.diff(opening).min() * TASK.control_hz > -0.2
        assert not grasping.part_present(engine.state)[0]


def test_random_commands_upset_nothing():
    drawn = [sample(PegGraspParams, seed) for seed in range(4)]
    with Engine(TASK, [scenario(TASK, p, seed) for seed, p in enumerate(drawn)]) as engine:
        engine.reset()
        rng = np.random.default_rng(0)
        for _ in range(100):
            engine.advance(engine.applied(rng.uniform(engine.low, engine.high)), np.arange(4))
            assert engine.world.faults() == [""] * 4
            assert np.isfinite(TASK.reward(engine.state)).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_peg_stands_quietly_in_its_nest(seed):
    with start(sample(PegGraspParams, seed)) as engine:
        before = engine.state.site("tip").xpos.copy()
        for _ in range(50):
            engine.advance(engine.applied(engine.world.scenarios[0].model.key_ctrl[:1].copy()), np.array([0]))

        assert np.abs(engine.state.site("tip").xpos - before).max() < 1e-4
        assert TASK.failure(engine.state)[0] == 0
        assert not TASK.success(engine.state)[0]


def test_a_contact_of_a_light_peg_is_as_stiff_as_that_of_a_heavy_one():
    sunk = []
    for diameter in (0.004, 0.016):
        p = dataclasses.replace(PLAIN, diameter=diameter)
        model = TASK.build(p).compile()
        data = mujoco.MjData(model)
        mujoco.mj_resetDataKeyframe(model, data, 0)
        height, peg = data.qpos[-5], model.body("peg").id
        data.xfrc_applied[peg, 2] = -20.0
        mujoco.mj_step(model, data, nstep=50)
        sunk.append(height - data.qpos[-5])
    assert max(sunk) < 5e-6
    assert max(sunk) < 3 * min(sunk)


def test_the_work_order_states_the_episodes_fit():
    for seed in range(30):
        p = sample(PegGraspParams, seed)
        for text in TASK.instructions(p).values():
            assert re.search(rf"(?<![\d.]){1e3 * p.diameter:.0f} ?mm", text)
            assert f"{1e3 * p.depth:.1f}" in text
            assert f"{2e3 * (p.diameter / 2 + p.clearance):.3f}" in text


def test_what_is_seen_weighs_nothing_and_touches_nothing():
    model = TASK.build(PegGraspParams()).compile()
    seen = visible(model)
    touching = (model.geom_contype | model.geom_conaffinity) != 0

    assert [model.geom(i).name for i in np.flatnonzero(seen & touching)] == ["floor"]
    assert set(dict(segments(model)).values()) >= {"robot", "gripper", "peg", "nest", "fixture", "table", "cell"}
    assert math.isclose(model.body("peg").mass[0], 8000 * math.pi * 0.004**2 * 0.05, rel_tol=1e-9)
