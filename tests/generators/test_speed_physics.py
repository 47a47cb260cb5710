"""Timing of bare physics: that it is the recorded physics that is timed, and what is said of it."""

import json

import numpy as np
import pytest

from generators.speed.bare import BarePhysics
from generators.speed.physics import ReferenceModel, Speed, measure_speed, speed_table
from scenes.catalog import load_task, task_names
from sim.rollout import rollouts

EXAMPLE = "new_scene:MyTask"
FAST = Speed("a/b", 0.002, 50_000.0, 200_000.0, 10.0, 40.0)
DRIVEN = [name for name in task_names() if load_task(name).driven]


def check(task, episodes):
    """Assert that bare physics ends in the states in which the episodes end."""
    bare = BarePhysics(task, episodes)
    bare.run()
    bare.run()
    assert bare.substeps % sum(len(e) for e in episodes) == 0
    for run, episode in zip(bare._runs, [e for e in episodes if len(e)], strict=True):
        np.testing.assert_array_equal(run.data.qpos, episode.control[-1, 1 : 1 + run.model.nq])


def test_bare_physics_ends_where_the_episodes_end(root):
    task = load_task(EXAMPLE, root / "examples")
    check(task, rollouts(task, range(3), degraded=0.5))


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIVEN)
def test_bare_physics_has_the_numbers_that_laws_drive(name):
    task = load_task(name)
    check(task, rollouts(task, range(1)))


def test_the_reference_is_a_box_on_four_contacts():
    reference = ReferenceModel()
    assert reference.contacts == 4
    assert reference.rate(0.01) > 0
    assert reference.contacts == 4


def test_a_task_is_timed_beside_the_reference(root):
    task = load_task(EXAMPLE, root / "examples")
    speed = measure_speed(task, range(2), rounds=1)
    assert speed.real_time == pytest.approx(speed.substeps_per_s * speed.timestep)
    assert speed.ratio == pytest.approx(speed.substeps_per_s / speed.reference_per_s)
    assert 0 < speed.making < speed.real_time
    assert 0 < speed.episode_s <= task.horizon_s


def test_speeds_make_a_table_in_markdown():
    lines = speed_table([FAST, FAST]).splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert lines[2] == "| `a/b` | 2 ms | 20.0 us | 50,000 | 0.25 | 100 x | 40 x |"
    assert "200,000 substeps/s" in lines[-1]


def test_the_command_measures_physics_alone(genba):
    result = genba("bench", EXAMPLE, "--physics", "--quick", "--json")
    assert result.code == 0
    (found,) = json.loads(result.out)
    assert found["task"] == "examples/push_billet"
    assert found["real_time"] > 0
    assert genba("bench", EXAMPLE, "--physics", "--quick").out.startswith("| task |")
    assert genba("bench", "no/such_task").code == 2
