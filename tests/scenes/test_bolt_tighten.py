"""The screw joint as a task: its expert, each failure by its own physics, the joining result and the words."""

import dataclasses
import re

import numpy as np
import pytest

from scenes.assembly.bolt_tighten import BoltTighten, BoltTightenParams
from scenes.machines import screw_joint, tightening
from scenes.machines.nutrunner import ACTUATORS, NutrunnerParams
from scenes.machines.screw_joint import ScrewParams
from scenes.machines.screw_sizes import SIZES, friction_radius, tightening_torque
from scenes.machines.tightening_pilot import Habits, Tightener
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.parameters import sample
from sim.rollout import rollouts

TASK = BoltTighten()
PLAIN = BoltTightenParams(
    trial=0.0,
    screw=ScrewParams(prevailing=0.3, tilt=0.01, seat=0.0),
    nutrunner=NutrunnerParams(backlash=0.03),
)


@pytest.fixture(scope="module")
def nominal():
    return rollouts(TASK, range(4))


def play(p, habits, *, seconds=16.0, watch=lambda s: None):
    """Work with some habits until the task fails or time is out; return the failure's name and what was watched."""
    seen = []
    with Engine(TASK, [scenario(TASK, p, 0)]) as engine:
        engine.reset()
        s = engine.state.row(0)
        drag, lane = tightening.greatest_drag(SIZES[p.size]), 1.0 if p.lane == "A" else -1.0
        commands = Tightener(s, 1 / TASK.control_hz, lane=lane, drag=drag, habits=habits).work()
        for _ in range(round(seconds * TASK.control_hz)):
            command = next(commands)
            engine.advance(engine.applied(command.ctrl[None]), np.array([0]))
            seen.append((command.phase, watch(s)))
            if code := int(TASK.failure(engine.state)[0]):
                return TASK.failures[code - 1], seen
    return "", seen


def test_the_expert_succeeds_and_goes_through_every_phase_in_order(nominal):
    assert [e.outcome for e in nominal] == [Outcome.SUCCESS] * len(nominal), [e.error for e in nominal]
    for episode in nominal:
        assert episode.phases[0] == 0
        assert episode.phases[-1] == len(TASK.phases) - 1
        assert set(np.diff(episode.phases)) <= {0, 1}


def test_the_joining_result_says_what_the_joint_is(nominal):
    for episode in nominal:
        result = {name: stream.value[-1, 0] for name, stream in episode.streams.items() if name.startswith("Joining.")}
        assert result["Joining.ResultEvaluation"] == 1.0
        assert result["Joining.FailureReason"] == 0.0
        assert result["Joining.SeatingDetected"] == 1.0
        assert result["Joining.FinalTorque"] > 0.0
        assert result["Joining.FinalAngle"] > 0.0
        assert not episode.streams["Joining.SeatingDetected"].value[0, 0]


def test_the_thread_is_found_by_a_drop_of_one_pitch(nominal):
    for episode in nominal:
        found = episode.observations["height"][:-1, 0][episode.phases == TASK.phases.index("find")]
        pitch = SIZES[episode.parameters["size"]].pitch
        assert np.max(np.maximum.accumulate(found) - found) > 0.9 * pitch


def test_the_drop_comes_where_the_thread_starts():
    for start in (0.5, 3.0, 6.0):
        p = dataclasses.replace(PLAIN, screw=dataclasses.replace(PLAIN.screw, start=start))
        turn = []
        play(
            p, Habits(), seconds=5.0, watch=lambda s, t=turn: t.append((s.joint("screw").qpos[0], s.memory("turn") * 1))
        )
        angle = next(a for a, turns in turn if turns < 0)
        assert angle == pytest.approx(start - 2 * np.pi, abs=0.15)  # a control step at 4 rad/s, and the bit's play


def test_torque_is_the_law_times_the_clamp_force_while_it_is_tightened():
    size, screw = SIZES["M8"], PLAIN.screw
    law = size.lead + friction_radius(size, screw.thread_friction, screw.head_friction)

    _, seen = play(PLAIN, Habits(), watch=lambda s: (-s.true_sensor("Spindle.Torque")[0], screw_joint.clamp(s)))

    rows = np.array([row for phase, row in seen if phase == "tighten"])
    rows = rows[len(rows) // 2 :]
    torque = rows[:, 0] - screw_joint.prevailing(screw, size)
    assert torque == pytest.approx(law * rows[:, 1], rel=0.02)
    assert law == pytest.approx(float(tightening_torque(size, 1.0, screw.thread_friction, screw.head_friction)))


def test_the_clamp_force_is_what_mujoco_pulls_with_and_holds_when_the_bit_is_off():
    _, seen = play(PLAIN, Habits(), watch=lambda s: (screw_joint.clamp(s) * 1, screw_joint.engine_clamp(s) * 1))

    ours, engines = np.array([row for _, row in seen]).T
    assert ours[-1] > 1e4
    tight = ours > 1e3
    assert ours[tight] == pytest.approx(engines[tight], rel=0.01)
    assert ours[-1] == pytest.approx(ours[-200], rel=0.01)


@pytest.mark.parametrize(
    ("habits", "changes", "expected"),
    [
        (Habits(pushed=0.024, finds=False), {"tilt": 0.03}, "cross_thread"),
        (Habits(clamp=4.0), {}, "strip"),
        (Habits(short=4e-3), {}, "floating_screw"),
        (Habits(lane=-1.0), {}, "wrong_length"),
    ],
)
def test_bad_habits_bring_their_failure(habits, changes, expected):
    p = dataclasses.replace(PLAIN, misfit=-5e-3, screw=dataclasses.replace(PLAIN.screw, **changes))

    assert play(p, habits)[0] == expected


def test_a_screw_pushed_hard_tilts_and_binds_early():
    p = dataclasses.replace(PLAIN, screw=dataclasses.replace(PLAIN.screw, tilt=0.03))

    def watch(s):
        return s.joint("tilt").qpos[0] * 1, -s.true_sensor("Spindle.Torque")[0], screw_joint.height(s) * 1

    failure, seen = play(p, Habits(pushed=0.024, finds=False), watch=watch)

    tilt, torque, height = np.array([row for _, row in seen]).T
    size = SIZES["M8"]
    assert failure == "cross_thread"
    assert tilt.max() > size.pitch / (2 * size.diameter)
    assert height[-1] > 2e-3
    assert torque[-10:].max() > 2.0


def test_looser_joints_turn_farther_for_the_same_clamp_force():
    angles = []
    for stiffness in (0.6e8, 2.4e8):
        p = dataclasses.replace(PLAIN, screw=dataclasses.replace(PLAIN.screw, stiffness=stiffness))
        _, seen = play(p, Habits(), watch=lambda s: (s.joint("screw").qpos[0] * 1, screw_joint.clamp(s) * 1))
        angle, force = np.array([row for _, row in seen]).T
        angles.append(angle[-1] - angle[force > 0][0])
    assert angles[0] == pytest.approx(4 * angles[1], rel=0.25)


def test_nothing_happens_where_nothing_is_commanded():
    with Engine(TASK, [scenario(TASK, sample(BoltTightenParams, 2), 0)]) as engine:
        engine.reset()
        for _ in range(100):
            engine.advance(engine.applied(np.zeros((1, len(ACTUATORS)))), np.array([0]))
        assert not TASK.success(engine.state)[0]
        assert TASK.failure(engine.state)[0] == 0
        assert screw_joint.clamp(engine.state)[0] == 0.0
        assert engine.world.faults() == [""]


def test_a_bit_in_the_air_turns_no_screw():
    with Engine(TASK, [scenario(TASK, PLAIN, 0)]) as engine:
        engine.reset()
        for _ in range(100):
            engine.advance(engine.applied(np.array([[0.0, 30.0, 20.0, 1.0]])), np.array([0]))
        assert abs(engine.state.joint("screw").qpos[0, 0]) < 1e-3
        assert engine.state.tendon("spindle").length[0, 0] > 20.0


def test_the_work_order_states_screw_lane_and_force():
    for seed in range(30):
        p = sample(BoltTightenParams, seed)
        force = tightening.plan(p.joint, screw_joint.stiffness(p.screw, p.joint.size)).clamp
        for text in TASK.instructions(p).values():
            assert f"{p.size}x{1e3 * p.joint.length:.0f}" in text
            assert f"{force / 1e3:.1f}" in text
            assert re.search(rf"(lane |レーン){p.lane}", text)


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    codes = {e.fail_code for e in rollouts(TASK, range(200), degraded=1.0, record=False)}

    assert codes >= set(range(1, len(TASK.failures) + 1))
