"""The coil crane as a task: its expert, its failures, its words."""

import dataclasses
import math
import re
from collections import Counter

import numpy as np
import pytest

from scenes.machines import c_hook, crane
from scenes.machines.coil_job import TOLERANCE
from scenes.steel.crane_coil import CraneCoil, CraneCoilParams
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.parameters import sample
from sim.rollout import expert_mode, rollouts

TASK = CraneCoil()


@pytest.fixture(scope="module")
def nominal():
    return rollouts(TASK, range(6))


@pytest.fixture(scope="module")
def degraded():
    """Episodes of every degradation, by its name."""
    found = {name: [] for name in TASK.degradations}
    for episode in rollouts(TASK, range(32), degraded=1.0):
        found[TASK.degradations[episode.expert_mode - 1]].append(episode)
    return found


def failures_of(episodes):
    return Counter(TASK.failures[e.fail_code - 1] for e in episodes if e.fail_code)


def start(p):
    """Open one simulation of the task at its start."""
    engine = Engine(TASK, [scenario(TASK, p, 0)])
    engine.reset()
    return engine


def still(engine, seconds):
    """Hold every drive at zero."""
    zeros = engine.applied(np.zeros((1, 3)))
    for _ in range(round(seconds * TASK.control_hz)):
        engine.advance(zeros, np.array([0]))


def test_the_expert_succeeds(nominal):
    assert [e.outcome for e in nominal] == [Outcome.SUCCESS] * len(nominal), [e.error for e in nominal]


def test_the_expert_goes_through_every_phase_in_order(nominal):
    for episode in nominal:
        changes = np.diff(episode.phases)
        assert episode.phases[0] == 0
        assert episode.phases[-1] == len(TASK.phases) - 1
        assert set(changes) <= {0, 1}


def test_success_leaves_the_coil_on_the_saddle_within_tolerance(nominal):
    for episode in nominal:
        off = episode.observations["target"][-20:].mean(axis=0) - episode.observations["coil"][-20:].mean(axis=0)
        assert np.abs(off[:2]).max() < TOLERANCE + 0.005  # the instruments' noise, averaged


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [
        ("unshaped", {"over_sway", "strike", "misplaced"}),
        ("over_speed", {"over_sway", "hard_landing"}),
        ("off_centre_pick", {"hook_tilt", "misplaced"}),
        ("wrong_rope_length", {"misplaced", "strike"}),
    ],
)
def test_each_degradation_brings_its_failures(degraded, degradation, expected):
    assert expected & set(failures_of(degraded[degradation]))


def test_degraded_episodes_fail_far_more_often_than_nominal_ones(degraded):
    episodes = [e for some in degraded.values() for e in some]

    assert sum(e.outcome is not Outcome.SUCCESS for e in episodes) > len(episodes) / 2


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    assert set(failures_of(rollouts(TASK, range(100), degraded=1.0))) == set(TASK.failures)


def test_a_coil_that_slides_off_the_hook_is_dropped():
    # Arm far off the coil's middle, on oiled steel.
    off_centre = 1 + TASK.degradations.index("off_centre_pick")
    seeds = [n for n in range(40) if expert_mode(TASK, n, 1.0) == off_centre][:8]

    assert "dropped" in failures_of(rollouts(TASK, seeds, degraded=1.0, overrides={"friction": 0.12}))


@pytest.mark.parametrize("seed", range(8))
def test_the_scene_rests_quietly_at_its_start(seed):
    p = dataclasses.replace(sample(CraneCoilParams, seed), sway_x=0.0, sway_y=0.0)
    with start(p) as engine:
        before = engine.state.site("coil").xpos.copy()
        still(engine, 2.0)

        s = engine.state
        assert np.abs(s.site("coil").xpos - before).max() < 0.005
        assert TASK.failure(s)[0] == 0
        assert not TASK.success(s)[0]


def test_brakes_close_at_standstill_and_open_for_a_command():
    with start(CraneCoilParams()) as engine:
        s, ids = engine.state, np.array([0])
        still(engine, 0.5)
        closed = [s.actuator(f"{a}_brake").ctrl[0, 0] for a in crane.AXES]
        engine.advance(engine.applied(np.full((1, 3), 0.05)), ids)
        opened = [s.actuator(f"{a}_brake").ctrl[0, 0] for a in crane.AXES]

    assert closed == [1.0] * 3
    assert opened == [0.0] * 3


def test_the_hoist_holds_its_load_on_the_closed_brake():
    with start(CraneCoilParams()) as engine:
        before = engine.state.joint("hoist").qpos[0, 0].copy()
        still(engine, 10.0)

        assert abs(engine.state.joint("hoist").qpos[0, 0] - before) < 0.001


def test_the_hoist_motor_carries_the_load_and_warms(nominal):
    for episode in nominal:
        p = sample(CraneCoilParams, episode.seed)
        weight = (p.coil.mass + c_hook.TARE / crane.GRAVITY) * crane.GRAVITY
        current = episode.streams["Hoist.Motor.Current"].value[:, 0]
        warmth = episode.streams["Hoist.Motor.WindingTemperature"].value[:, 0] - p.crane.ambient

        assert warmth[0] == pytest.approx(p.crane.warmth, abs=0.1)
        # While the loaded hook rises at constant speed the motor balances it and its own losses.
        speed = episode.streams["Hoist.ActualSpeed"].value[:, 0]
        load = episode.streams["Hoist.ActualLoad"].value[:, 0] * crane.GRAVITY
        loaded = np.repeat(load > 0.9 * weight, 5)[: len(current)]
        rising = loaded[: len(speed)] & (speed[: len(loaded)] > 0.9 * p.hoist_speed)
        expected = (weight + crane.DRIVES["hoist"].drag * p.hoist_speed) / crane.DRIVES["hoist"].constant
        assert np.median(current[: len(rising)][rising]) == pytest.approx(expected, rel=0.03)


def test_the_work_order_states_the_episodes_mass_size_and_places():
    for seed in range(30):
        p = sample(CraneCoilParams, seed)
        ring = math.pi / 4 * (p.coil_outer**2 - p.coil_bore**2)
        for text in TASK.instructions(p).values():
            assert f"{7.85 * ring * p.coil_width:.1f}" in text
            for size in (p.coil_outer, p.coil_width, p.coil_bore):
                assert re.search(rf"\b{1e3 * size:.0f}(?!\d)|[^\d]{1e3 * size:.0f}mm", text)
            places = [float(n) for n in re.findall(r"[xy] (\d+\.\d) m", text)]
            assert places == [round(v, 1) for v in (p.start_x, p.start_y, p.target_x, p.target_y)]


def test_observations_serve_one_row_and_a_batch_alike():
    with Engine(TASK, [scenario(TASK, sample(CraneCoilParams, seed), seed) for seed in (0, 1)]) as engine:
        engine.reset()
        both, one = TASK.observe(engine.state), TASK.observe(engine.state.row(1))

        for name, value in both.items():
            assert value.shape == (2, *one[name].shape)
            assert np.array_equal(value[1], one[name])
            assert name in TASK.features
        assert set(TASK.signals(engine.state)) <= set(TASK.features)
