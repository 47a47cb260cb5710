"""The crane transport as a task: its expert, its failures, its words, and the period of its pendulum."""

import dataclasses
import math
import re
from collections import Counter

import mujoco
import numpy as np
import pytest

from scenes.machines import crane
from scenes.steel.crane_transport import AREA, SWAY_LIMIT, TOLERANCE, CraneTransport, CraneTransportParams
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.model import initial_state
from sim.parameters import sample
from sim.rollout import rollouts

TASK = CraneTransport()
STILL = CraneTransportParams(sway_x=0.0, sway_y=0.0, crane=crane.CraneParams(skew=0.0))


@pytest.fixture(scope="module")
def nominal():
    return rollouts(TASK, range(20))


@pytest.fixture(scope="module")
def degraded():
    """Episodes of every degradation, by its name."""
    found = {name: [] for name in TASK.degradations}
    for episode in rollouts(TASK, range(60), degraded=1.0):
        found[TASK.degradations[episode.expert_mode - 1]].append(episode)
    return found


def endings(episodes):
    """Count episodes by failure, "" for none."""
    return Counter(TASK.failures[e.fail_code - 1] if e.fail_code else "" for e in episodes)


def judged(p, steps=0):
    """Let a scene hang with its drives at zero; return success, failure and reward."""
    with Engine(TASK, [scenario(TASK, p, 0)]) as engine:
        engine.reset()
        for _ in range(steps):
            engine.advance(engine.applied(np.zeros((1, 2))), np.array([0]))
        s = engine.state
        return bool(TASK.success(s)[0]), int(TASK.failure(s)[0]), float(TASK.reward(s)[0])


def test_the_expert_succeeds(nominal):
    assert [e.outcome for e in nominal] == [Outcome.SUCCESS] * len(nominal), [e.error for e in nominal]


def test_the_expert_goes_through_the_phases_in_order(nominal):
    for episode in nominal:
        assert episode.phases[0] == 0
        assert set(np.diff(episode.phases)) <= {0, 1}


def test_the_expert_takes_half_the_time_there_is(nominal):
    assert max(len(e) for e in nominal) < 0.6 * TASK.horizon_s * TASK.control_hz


def test_success_leaves_the_load_at_the_target_and_under_the_trolley(nominal):
    for episode in nominal:
        for name in ("way", "sway"):
            mean = episode.observations[name][-5:].mean(axis=0)
            assert np.linalg.norm(mean) < TOLERANCE + 0.005  # the instruments' noise, averaged


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [("unshaped", "over_sway"), ("misread_target", "out_of_area"), ("blind", ""), ("wrong_rope_length", "")],
)
def test_each_degradation_brings_its_failures(degraded, degradation, expected):
    failed = [e for e in degraded[degradation] if e.outcome is not Outcome.SUCCESS]

    assert expected in endings(failed)


def test_degraded_episodes_fail_far_more_often_than_nominal_ones(degraded):
    episodes = [e for some in degraded.values() for e in some]

    assert sum(e.outcome is not Outcome.SUCCESS for e in episodes) > len(episodes) / 2


def test_a_load_that_hangs_still_over_the_target_is_success():
    assert judged(dataclasses.replace(STILL, distance=1e-3), steps=1) == (True, 0, pytest.approx(1.0, abs=0.02))


@pytest.mark.parametrize("off", [{"distance": TOLERANCE + 0.01}, {"distance": 1e-3, "sway_x": 0.1}])
def test_a_load_beside_the_target_or_swaying_over_it_is_no_success(off):
    assert not judged(dataclasses.replace(STILL, **off), steps=1)[0]


def test_a_load_that_leans_or_strays_too_far_fails():
    length = STILL.rope + STILL.drop
    lean = dataclasses.replace(STILL, sway_x=1.2 * SWAY_LIMIT * length)
    astray = dataclasses.replace(STILL, distance=AREA + 0.05)

    assert [judged(p)[1] for p in (STILL, lean, astray)] == [0, 1, 2]


def test_nothing_else_moves_the_load_over_the_whole_horizon():
    assert judged(STILL, steps=10)[2] == pytest.approx(judged(STILL, steps=150)[2], abs=1e-4)


def test_it_starts_where_and_with_the_sway_that_the_parameters_say():
    for seed in range(10):
        p = dataclasses.replace(sample(CraneTransportParams, seed), crane=STILL.crane)
        with Engine(TASK, [scenario(TASK, p, seed)]) as engine:
            engine.reset()
            s = engine.state
            hang = (s.site("load").xpos - s.site("trolley").xpos)[0]
            way = (s.site("target").xpos - s.site("trolley").xpos)[0]
            assert hang[:2] == pytest.approx([p.sway_x, p.sway_y], abs=2e-3)
            expected = p.distance * np.array([math.cos(p.bearing), math.sin(p.bearing)])
            assert way[:2] == pytest.approx(expected, abs=1e-3)
            assert hang[2] == pytest.approx(-(p.rope + crane.PIN_DROP + p.drop), abs=0.02)
            bottom = s.site("load").xpos[0, 2] - p.thickness / 2
            assert bottom > 0.2


def test_the_loads_bottom_clears_the_floor_at_the_worst_corner():
    p = dataclasses.replace(STILL, rope=6.0, sling=2.5, thickness=2.5, crane=crane.CraneParams(lift=8.0))

    assert crane.sheave_height(p.crane) - p.rope - crane.PIN_DROP - p.sling - p.thickness > 0.2


@pytest.mark.parametrize("axis", [0, 1], ids=["along", "across"])
@pytest.mark.parametrize("seed", range(4))
def test_the_load_swings_with_the_period_of_its_double_pendulum(seed, axis):
    drawn = sample(CraneTransportParams, seed)
    crane_still = dataclasses.replace(drawn.crane, skew=0.0)
    sway = {"sway_x": 0.1 * (axis == 0), "sway_y": 0.1 * (axis == 1)}
    p = dataclasses.replace(drawn, crane=crane_still, **sway)
    model = scenario(TASK, p, seed).model
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, initial_state(model), int(mujoco.mjtState.mjSTATE_INTEGRATION))

    x = []
    for _ in range(round(60.0 / model.opt.timestep)):
        mujoco.mj_step(model, data)
        x.append(data.site("load").xpos[axis])

    omega, _ = crane.sway_modes(p.rope, p.mass, p.drop, p.inertia[1 - axis])
    theta = 0.1 / (p.rope + p.drop)
    formula = 2 * math.pi / omega[0] * (1 + theta**2 / 16)
    # 0.3 %: the falls stretch, the load pitches the block on them, and its friction damps; each shifts less than 0.1 %.
    assert period_of(np.array(x), model.opt.timestep) == pytest.approx(formula, rel=3e-3)


def period_of(x, timestep):
    """Return the mean period between rising zero crossings, s."""
    x = x - x.mean()
    i = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return float(np.diff(i - x[i] / (x[i + 1] - x[i])).mean()) * timestep


def test_the_observed_frequency_of_sway_is_that_of_the_slow_mode():
    for seed in range(10):
        p = sample(CraneTransportParams, seed)
        with Engine(TASK, [scenario(TASK, p, seed)]) as engine:
            engine.reset()
            seen = float(TASK.observe(engine.state)["omega"][0, 0])
        formula = crane.sway_modes(p.rope, p.mass, p.drop, p.inertia[1])[0][0]
        assert seen == pytest.approx(formula, rel=0.05)  # the block and the load's turning are left out


def test_observations_are_of_order_one_and_stay_inside_their_bounds(nominal):
    for episode in nominal:
        for name, value in episode.observations.items():
            feature = TASK.features[name]
            assert np.isfinite([feature.low, feature.high]).all()
            assert (value > feature.low).all()
            assert (value < feature.high).all()


def test_the_work_order_states_the_loads_mass_and_the_targets_place():
    for seed in range(30):
        p = sample(CraneTransportParams, seed)
        place = (p.start_x + p.distance * math.cos(p.bearing), p.start_y + p.distance * math.sin(p.bearing))
        for text in TASK.instructions(p).values():
            assert f"{7.85 * 2.0 * 1.0 * p.thickness:.1f}" in text
            assert [float(n) for n in re.findall(r"[xy] (\d+\.\d) m", text)] == [round(v, 1) for v in place]


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    assert set(endings(rollouts(TASK, range(100), degraded=1.0))) >= set(TASK.failures)
