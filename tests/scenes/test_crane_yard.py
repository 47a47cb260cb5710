"""The coil yard: what lies where, that it rests and sleeps, and that sleep leaves no trace in what is recorded."""

import dataclasses
from collections import Counter

import mujoco
import numpy as np
import pytest

from scenes.machines import coil_yard, crane
from scenes.machines.coil_yard import COILS, OTHERS, Place, YardParams, plan, position
from scenes.steel.crane_yard import MOVED, CraneYard, CraneYardParams
from sim.engine import Engine, scenario
from sim.episode import Outcome, Recorder
from sim.parameters import sample
from sim.rollout import expert_mode, rollouts

TASK = CraneYard()
ALONE = np.array([0])


def start(p):
    """Open one simulation of the task at its start."""
    engine = Engine(TASK, [scenario(TASK, p, 0)])
    engine.reset()
    return engine


def wait(engine, steps):
    """Hold every drive at zero."""
    zeros = engine.applied(np.zeros(engine.low.shape))
    for _ in range(steps):
        engine.advance(zeros, np.arange(len(zeros)))


def asleep(engine, row=0):
    """Return how many trees sleep."""
    return int((engine.world.batch.get_data(row).tree_asleep >= 0).sum())


def calm(seed):
    """Return a yard in which the hook hangs still."""
    p = sample(CraneYardParams, seed)
    return dataclasses.replace(p, wait=dataclasses.replace(p.wait, sway_x=0.0, sway_y=0.0))


@pytest.mark.parametrize("seed", range(200))
def test_every_plan_can_be_built_and_done(seed):
    laid = plan(sample(YardParams, seed))
    full = {laid.start, *laid.others}

    assert len(full) == COILS
    assert laid.target not in full
    assert laid.target.block != laid.start.block
    for place in (*full, laid.target):  # what lies in a nest lies on two coils
        if place.tier:
            assert {Place(place.block, 0, place.slot), Place(place.block, 0, place.slot + 1)} <= full
    for place in (laid.start, laid.target):  # nothing lies on what is moved, nor where it goes
        if not place.tier:
            assert not {Place(place.block, 1, place.slot - 1), Place(place.block, 1, place.slot)} & full


def test_tiers_and_blocks_are_all_drawn():
    plans = [plan(sample(YardParams, seed)) for seed in range(200)]

    assert {laid.start.tier for laid in plans} == {laid.target.tier for laid in plans} == {0, 1}
    assert len({laid.start for laid in plans}) == len({laid.start.address for laid in plans}) == 28
    assert len({laid.target for laid in plans}) == 20  # of a block's saddles only the ends


@pytest.mark.parametrize("seed", range(20))
def test_a_coil_in_a_nest_touches_both_below(seed):
    p = sample(CraneYardParams, seed)
    middle = position(p.yard, p.coil.size, Place(1, 1, 2))

    for slot in (2, 3):
        below = position(p.yard, p.coil.size, Place(1, 0, slot))
        assert np.linalg.norm(middle - below) == pytest.approx(p.coil.outer, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_stack_falls_asleep_within_a_second_and_does_not_creep(seed):
    with start(calm(seed)) as engine:
        wait(engine, round(TASK.control_hz))
        assert asleep(engine) == COILS
        settled = coil_yard.moved(engine.state)[0]
        wait(engine, 2 * Recorder.KEYFRAME_EVERY)  # woken twice

        assert asleep(engine) == COILS
        assert settled < 0.001
        assert abs(coil_yard.moved(engine.state)[0] - settled) < 2e-4
        assert TASK.failure(engine.state)[0] == 0
        assert not TASK.success(engine.state)[0]


def test_the_ground_bears_the_weight_of_both_tiers():
    p = calm(1)
    with start(p) as engine:
        wait(engine, 2)
        data, model = engine.world.batch.get_data(0), engine.world.scenarios[0].model
        ground = {model.body(name).id for name in ("saddles", "floor")}
        force, borne = np.zeros(6), 0.0
        for i, contact in enumerate(data.contact):
            if ground & {int(model.geom_bodyid[g]) for g in contact.geom}:
                mujoco.mj_contactForce(model, data, i, force)
                borne += abs(force[:3] @ contact.frame.reshape(3, 3)[:, 2])

    assert borne == pytest.approx(COILS * p.coil.size.mass * crane.GRAVITY, rel=0.02)


def test_a_simulation_that_is_reset_is_as_a_new_one():
    others = [scenario(TASK, sample(CraneYardParams, seed), seed) for seed in (1, 2)]
    with Engine(TASK, others) as used, start(sample(CraneYardParams, 0)) as fresh:
        used.reset()
        wait(used, 30)
        assert asleep(used) > 20
        used.replace(ALONE, [scenario(TASK, sample(CraneYardParams, 0), 0)])
        used.reset(ALONE)
        wait(used, 30)
        wait(fresh, 30)

        assert used.world.control()[0].tobytes() == fresh.world.control()[0].tobytes()


def test_what_goes_on_from_a_recorded_state_goes_on_alike():
    with start(sample(CraneYardParams, 3)) as first, start(sample(CraneYardParams, 3)) as second:
        wait(first, Recorder.KEYFRAME_EVERY)
        second.restore(first.world.integration(), Recorder.KEYFRAME_EVERY)
        for _ in range(3):
            wait(first, 20)
            wait(second, 20)
            assert asleep(first) == asleep(second) == COILS
            assert first.world.integration().tobytes() == second.world.integration().tobytes()


def test_a_coil_that_is_pushed_out_of_the_stack_has_moved():
    with start(calm(0)) as engine:
        wait(engine, 20)
        engine.state.joint(OTHERS[-1]).qpos[0, 2] += 2 * MOVED
        wait(engine, 1)

        assert TASK.failures[TASK.failure(engine.state)[0] - 1] == "stack_moved"


def test_the_expert_succeeds_and_moves_no_other_coil():
    found = rollouts(TASK, range(2), record=False)
    assert [e.outcome for e in found] == [Outcome.SUCCESS] * 2


@pytest.mark.parametrize("degradation", ["low_lift", "wrong_coil"])
def test_what_a_yard_adds_to_go_wrong_goes_wrong(degradation):
    mode = 1 + TASK.degradations.index(degradation)
    seeds = [n for n in range(60) if expert_mode(TASK, n, 1.0) == mode][:2]
    codes = [TASK.failures[e.fail_code - 1] for e in rollouts(TASK, seeds, degraded=1.0, record=False) if e.fail_code]

    assert set(codes) <= {"strike", "over_sway", "stack_moved"}
    assert codes


@pytest.mark.slow
def test_every_failure_occurs_under_degradation():
    found = rollouts(TASK, range(200), degraded=1.0, record=False)
    assert set(Counter(TASK.failures[e.fail_code - 1] for e in found if e.fail_code)) == set(TASK.failures)


def test_the_work_order_states_mass_size_and_addresses():
    for seed in range(30):
        p = sample(CraneYardParams, seed)
        laid = plan(p.yard)
        for text in TASK.instructions(p).values():
            assert f"{p.coil.size.mass / 1e3:.1f}" in text
            for figure in (p.coil.outer, p.coil.width, p.coil.bore):
                assert f"{1e3 * figure:.0f}" in text
            assert laid.start.address in text
            assert laid.target.address in text
