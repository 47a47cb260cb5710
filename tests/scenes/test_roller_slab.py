"""The roller table: drives, photocells, guides, judgement, and what its expert does well and badly."""

import collections
import dataclasses

import numpy as np
import pytest

from scenes.machines import roller_pieces, roller_table, roller_tracking
from scenes.machines.roller_stops import GAP
from scenes.machines.roller_table import EACH, GROUPS, ROLLERS, RollerTableParams
from scenes.steel.roller_slab import RollerSlab
from sim.engine import Engine, scenario
from sim.episode import Outcome
from sim.parameters import sample
from sim.rollout import rollouts
from sim.seeds import stream

TASK = RollerSlab()
STILL = np.array([*[0.0] * GROUPS, 0.0, GAP[1]])


def scene(seed=0, **changes):
    """Return an engine with one simulation, reset, and its parameters; changes are fields, table_ ... those of it."""
    p = sample(TASK.Params, seed)
    table = {name.removeprefix("table_"): v for name, v in changes.items() if name.startswith("table_")}
    own = {name: v for name, v in changes.items() if not name.startswith("table_")}
    p = dataclasses.replace(p, table=dataclasses.replace(p.table, **table), **own)
    engine = Engine(TASK, [scenario(TASK, p, seed)])
    engine.reset()
    return engine, p


def drive(engine, action, seconds):
    """Hold one command for a while."""
    for _ in range(round(seconds * TASK.control_hz)):
        engine.advance(engine.applied(np.asarray(action, float)[None]), np.arange(1))


def running(speed):
    return np.array([*[speed] * GROUPS, 0.0, GAP[1]])


def shift(engine, piece, x):
    """Put a piece x m farther along the table."""
    engine.state.joint(piece).qpos[..., 0] += x


def test_every_rollers_surface_turns_with_its_groups_drive():
    engine, _ = scene(1, table_trip_at=-1.0)
    action = running(0.0)
    action[2] = 0.8
    with engine:
        drive(engine, action, 2.0)
        TASK.laws(engine.state)
        turning = engine.state.driven("rollers")[0, :, 5] * engine.state.numeric("roller_radius")[0]

    assert turning.reshape(GROUPS, EACH)[2] == pytest.approx(0.8, rel=1e-3)
    assert np.abs(np.delete(turning.reshape(GROUPS, EACH), 2, axis=0)).max() < 1e-3


def test_a_drive_that_trips_coasts_and_comes_back():
    engine, _ = scene(1, table_trip_at=2.0, table_trip_for=2.0, table_trip_group=3.0)
    with engine:
        drive(engine, running(1.0), 3.9)
        coasting = roller_table.speeds(engine.state)[0]
        drive(engine, running(1.0), 2.0)
        back = roller_table.speeds(engine.state)[0]

    assert coasting[2] == pytest.approx(1.0 - 0.25 * 1.9, abs=0.05)
    assert np.delete(coasting, 2) == pytest.approx(1.0, rel=1e-3)
    assert back == pytest.approx(1.0, rel=1e-3)


def test_every_rollers_own_state_follows_from_the_parameters():
    p = RollerTableParams(pattern=0.3)
    first, again, other = (roller_table.rollers(q) for q in (p, p, RollerTableParams(pattern=0.4)))
    radius, friction, turned = first

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert np.abs(radius - p.diameter / 2).max() <= p.wear / 2
    assert set(np.round(friction, 9)) <= {round(p.friction, 9), round(p.friction * (1 - p.scale), 9)}
    assert len(radius) == ROLLERS
    assert np.abs(turned).max() <= p.misalignment


def test_a_piece_is_shared_among_the_groups_under_it():
    engine, _ = scene(2)
    with engine:
        share = roller_table.shares(engine.state, *roller_pieces.ends(engine.state))

    assert share.shape == (1, 2, GROUPS)
    assert share.sum(axis=-1) == pytest.approx(1.0)


def test_photocells_put_the_tracked_place_right():
    engine, p = scene(5, table_trip_at=-1.0, way=4.0)
    with engine:
        start = roller_tracking.tracked(engine.state)[0, 0]
        drive(engine, running(0.5), (p.travel - 1.0) / 0.5)
        drive(engine, running(0.25), 0.7 / 0.25)
        tracked, true = roller_tracking.tracked(engine.state)[0, 0], engine.state.numeric("goal")[0, 0]
        true -= engine.state.site("slab_a_head").xpos[0, 0]

    assert abs(start - p.travel) == pytest.approx(abs(p.tracking.start_error), abs=1e-3)
    assert tracked == pytest.approx(true, abs=0.02)  # 30 ms of latency and a sample's wait, at 0.25 m/s; wear


def test_motors_carry_what_the_slabs_pull():
    """Torque over that of an empty group, summed over the table, is mass times acceleration times radius."""
    engine, p = scene(3, table_trip_at=-1.0, table_wear=0.0)
    with engine:
        names, torques = [f"Group{k}.Motor.Torque" for k in range(1, GROUPS + 1)], []
        for k in range(150):
            drive(engine, running(0.3 * k / TASK.control_hz), 1 / TASK.control_hz)
            torques.append([engine.state.sensor(n)[0, 0] for n in names])
    torque = np.mean(torques[75:], axis=0)

    pulled = (p.slab_a.mass + p.slab_b.mass) * p.table.diameter / 2 * 0.3
    assert np.sum(torque - torque.min()) == pytest.approx(pulled, rel=0.05)  # droop where slabs change groups


def rested_elsewhere(engine, p):
    shift(engine, "slab_a", 1.0)
    engine.state.memory("rested")[...] = 7.99


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda e, p: shift(e, "slab_b", p.gap + 0.01), "pile_up"),
        (lambda e, p: shift(e, "slab_a", p.travel + 0.4), "misplaced"),
        (lambda e, p: e.state.memory("slid_slab_a").__setitem__(..., 0.06 * p.travel), "slip"),
        (lambda e, p: e.state.joint("slab_a").qpos.__setitem__((..., 6), 0.02), "skew"),
        (rested_elsewhere, "misplaced"),
    ],
)
def test_what_happened_is_judged_by_the_state(spoil, name):
    engine, p = scene(4)
    with engine:
        drive(engine, STILL, 0.4)
        spoil(engine, p)
        drive(engine, STILL, 0.04)
        found = int(TASK.failure(engine.state)[0])

    assert TASK.failures[found - 1] == name


def test_the_expert_brings_slabs_to_the_mark_and_later_phases_are_paid_more():
    for episode in rollouts(TASK, range(3)):
        means = [episode.rewards[episode.phases == k].mean() for k in sorted(set(episode.phases.tolist()))]
        assert episode.outcome is Outcome.SUCCESS
        assert (np.diff(means) >= 0).all()


def test_drives_that_are_pushed_too_hard_slide():
    engine, p = scene(6, table_trip_at=-1.0, table_friction=0.15)
    with engine:
        drive(engine, running(3.0), 2.5)
        slid = engine.state.memory("slid_slab_a")[0]
        speed = roller_pieces.speeds(engine.state)[0]

    assert (speed < 0.16 * 9.81 * 2.5).all()
    assert slid > 0.05 * p.travel or p.travel > 10


@pytest.mark.slow
def test_every_failure_happens_in_200_degraded_episodes():
    codes = collections.Counter(e.fail_code for e in rollouts(TASK, range(200), degraded=1.0, record=False))

    assert {code for code in codes if code} == set(range(1, len(TASK.failures) + 1))


@pytest.mark.slow
def test_each_bad_habit_fails_in_its_own_way():
    expected = dict(zip(TASK.degradations, ({"slip"}, {"pile_up"}, {"skew"}, {"slip"}, {"misplaced"}), strict=True))
    p = sample(TASK.Params, 100)
    for mode, names in expected.items():
        with Engine(TASK, [scenario(TASK, p, 100)]) as engine:
            engine.reset()
            commands = TASK.expert(engine.state.row(0), p, mode=mode, rng=stream(100, "policy", "expert"))
            found = 0
            for command in commands:
                engine.advance(engine.applied(np.asarray(command.ctrl)[None]), np.arange(1))
                found = int(TASK.failure(engine.state)[0])
                if found:
                    break
        assert found, mode
        assert TASK.failures[found - 1] in names, mode
