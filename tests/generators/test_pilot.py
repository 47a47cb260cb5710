"""The pilot and `genba plan`: what is foretold is what generation then takes."""

import json

import pytest

from generators.forecast.pilot import Pilot
from generators.intervals import wilson

TASK = "new_scene:MyTask"


def test_an_interval_of_a_share_is_wilsons():
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)  # Wilson 1927, z = 1.95996
    assert wilson(10, 10) == pytest.approx((0.72247, 1.0), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_differs_between_episodes_widens_the_interval():
    even, uneven = (Pilot("x", 100, lengths, 4, 8.0, 800, 1) for lengths in ((10, 10, 10, 10), (5, 15, 5, 15)))
    assert (even.seconds_each, even.bytes_each) == (2.0, 200)
    assert even.error == 0
    assert uneven.error == pytest.approx(1.96 * (10 / 3) ** 0.5 * 10**0.5 / 10 / 2, rel=0.01)
    assert sum(uneven.sizes()) == pytest.approx(4)


def test_a_plan_foretells_size_files_and_yield_of_what_is_then_generated(genba, tmp_path):
    planned = genba("plan", TASK, "--episodes", 24, "--pilot", 8, "--json")
    assert planned.code == 0
    told = json.loads(planned.out)
    made = json.loads(genba("generate", TASK, "--episodes", 24, "--out", tmp_path / "data", "--json").out)
    assert told["shards"] == made["shards"]
    assert told["files"] >= made["shards"] + 5
    assert told["bytes"] == pytest.approx(made["bytes"], rel=0.25)  # a shard of 6 has fewer episodes to share its index
    low, high = told["yield_95"]
    assert low <= made["success"] / 24 <= high
    assert [c["workers"] for c in told["cluster"]][-1] == 10_000
    assert told["hours"] <= told["core_hours"]


def test_a_plan_says_in_words_where_a_cluster_stops_scaling(genba):
    told = genba("plan", TASK, "--episodes", 400, "--pilot", 2, "--cluster", 300)
    assert told.code == 0
    assert "it stops scaling at about" in told.out
    assert "\n300 " in told.out
    assert "making 2 episodes" in told.err


@pytest.mark.parametrize(("flag", "value"), [("--pilot", 1), ("--slow", 2), ("--cluster", 0)])
def test_a_number_out_of_range_is_refused_in_one_sentence(genba, flag, value):
    told = genba("plan", TASK, flag, value)
    assert told.code == 2
    assert flag in told.err


def test_a_plan_says_how_long_shards_must_be_for_ray(genba):
    args = ("plan", "new_scene:MyTask", "--episodes", 2000, "--pilot", 4)
    short = genba(*args, "--episodes-per-shard", 1)
    assert "too short: with --episodes-per-shard" in short.err
    least = short.err.split("--episodes-per-shard ")[1].split()[0]
    assert "too short" not in genba(*args, "--episodes-per-shard", 3 * int(least)).err  # the next pilot is another
    assert "too small for Ray" in genba("plan", "new_scene:MyTask", "--episodes", 2, "--episodes-per-shard", 1).err
