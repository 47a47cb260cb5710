"""The magnet crane as a task: its expert, its failures, its words, and its law of force."""

import re
from collections import Counter

import numpy as np
import pytest

from scenes import stock_plates
from scenes.machines import magnet
from scenes.steel.magnet_plate import MagnetPlate, MagnetPlateParams
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.parameters import sample
from sim.rollout import rollouts

TASK = MagnetPlate()


@pytest.fixture(scope="module")
def nominal():
    return rollouts(TASK, [0, 5])  # one plate, and two at once


def failures_of(episodes):
    return Counter(TASK.failures[e.fail_code - 1] for e in episodes if e.fail_code)


def test_the_expert_succeeds_with_one_plate_and_with_two(nominal):
    assert [sample(MagnetPlateParams, e.seed).count for e in nominal] == [1, 2]
    assert [e.outcome for e in nominal] == [Outcome.SUCCESS] * len(nominal), [e.error for e in nominal]


def test_the_load_cells_weigh_the_ordered_plates_in_the_test_lift(nominal):
    for episode in nominal:
        p = sample(MagnetPlateParams, episode.seed)
        last = np.flatnonzero(episode.phases == TASK.phases.index("test_lift"))[-1]
        load = (episode.observations["load"][last - 15 : last].sum(axis=-1).mean() - magnet.TARE) / magnet.GRAVITY
        assert load / (p.count * p.plate.mass) == pytest.approx(1.0, abs=0.2)  # 1 % of load and beam, and bounce


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    assert set(failures_of(rollouts(TASK, range(200), degraded=1.0, record=False))) == set(TASK.failures)


@pytest.mark.parametrize("seed", range(3))
def test_the_stack_rests_quietly_at_its_start(seed):
    with Engine(TASK, [scenario(TASK, sample(MagnetPlateParams, seed), seed)]) as engine:
        engine.reset()
        before = [engine.state.site(f"plate{n}").xpos.copy() for n in range(1, stock_plates.PLATES + 1)]
        for _ in range(40):
            engine.advance(engine.applied(np.zeros((1, 6))), np.array([0]))
        after = [engine.state.site(f"plate{n}").xpos for n in range(1, stock_plates.PLATES + 1)]

        assert np.abs(np.subtract(after[1:], before[1:])).max() < 0.002
        assert np.abs(after[0] - before[0]).max() < 0.06  # its camber, where it is stiff enough to keep some
        assert TASK.failure(engine.state)[0] == 0
        assert not TASK.success(engine.state)[0]


def test_flux_passes_a_saturated_plate_into_the_next():
    gaps, near = np.zeros((3, 1)), np.ones((3, 1), bool)

    part = magnet.flux(np.array([0.5]), gaps, near, np.array([0.01]))

    assert part[:, 0] == pytest.approx([0.5, 0.1, 0.0])


def test_a_magnet_that_is_switched_off_keeps_some_field_until_it_is_driven_back():
    with Engine(TASK, [scenario(TASK, MagnetPlateParams(), 0)]) as engine:
        engine.reset()
        width = MagnetPlateParams().magnet.remanence
        fields = []
        for amps in (magnet.CURRENT, 0.0, -width * magnet.CURRENT, 0.0):
            for _ in range(100):
                engine.advance(engine.applied(np.array([[0, 0, 0, amps, amps, amps]], float)), np.array([0]))
            fields.append(float(engine.state.memory("field_outer")[0]))

    assert fields == pytest.approx([1 - width, width, 0.0, 0.0], abs=1e-3)


def test_the_work_order_states_number_size_mass_and_places():
    for seed in range(30):
        p = sample(MagnetPlateParams, seed)
        for text in TASK.instructions(p).values():
            assert f"{7.85 * p.length * p.width * p.thickness:.2f}" in text
            for size in (p.length, p.width):
                assert f"{1e3 * size:.0f}" in text
            places = [float(n) for n in re.findall(r"[xy] (\d+\.\d) m(?!m)", text)]
            goal = (p.start_x + p.target_x, p.start_y + p.target_y)
            assert places == pytest.approx([p.start_x, p.start_y, *goal], abs=0.051)


def test_two_plates_are_ordered_at_once_only_where_they_are_thin():
    drawn = [sample(MagnetPlateParams, seed) for seed in range(200)]

    assert {p.count for p in drawn} == {1, 2}
    assert max(p.thickness for p in drawn if p.count == 2) < magnet.FULL / 2
