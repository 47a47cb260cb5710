"""The simulated schedule, against times that can be worked out by hand."""

import pytest

from generators.forecast.schedule import Cluster, scaling, simulate, worthwhile

IDEAL = {"slow": 0.0, "loss_per_day": 0.0, "upload": 1e30, "handout_s": 0.0}


def test_one_worker_makes_one_shard_after_the_other():
    found = simulate([10.0, 20.0, 30.0], [0, 0, 0], Cluster(1, **IDEAL))
    assert found.hours * 3600 == pytest.approx(60)
    assert found.efficiency == pytest.approx(1)
    assert found.lost == 0


def test_as_many_workers_as_shards_need_as_long_as_the_longest_and_more_are_no_use():
    for workers in (3, 30):
        found = simulate([10.0, 20.0, 30.0], [0, 0, 0], Cluster(workers, **IDEAL))
        assert found.hours * 3600 == pytest.approx(30)
        assert found.efficiency == pytest.approx(60 / 30 / workers)
        assert found.limit == "tail"


def test_a_full_line_takes_all_bytes_over_its_rate():
    found = simulate([1.0] * 100, [50.0] * 100, Cluster(100, **IDEAL | {"upload": 10.0}))
    assert found.hours * 3600 == pytest.approx(1 + 100 * 5)
    assert found.limit == "upload"


def test_a_driver_hands_out_one_shard_at_a_time():
    found = simulate([1.0] * 100, [0.0] * 100, Cluster(100, **IDEAL | {"handout_s": 0.5}))
    assert found.hours * 3600 == pytest.approx(100 * 0.5 + 1)
    assert found.limit == "handout"


def test_what_is_lost_is_made_again_and_counted():
    calm = simulate([3600.0] * 48, [0.0] * 48, Cluster(4, **IDEAL))
    rough = simulate([3600.0] * 48, [0.0] * 48, Cluster(4, **IDEAL | {"loss_per_day": 6.0}))
    assert calm.hours == pytest.approx(12)
    assert rough.lost > 3
    assert 0 < rough.lost_hours < rough.lost
    assert rough.hours > calm.hours
    assert rough.efficiency < 1


def test_slow_workers_hold_up_the_others():
    found = simulate([10.0] * 40, [0.0] * 40, Cluster(4, **IDEAL | {"slow": 1.0, "slowness": 3.0}))
    assert found.hours * 3600 == pytest.approx(300)
    assert found.limit == "stragglers"


def test_the_same_seed_gives_the_same_schedule_and_the_shares_are_all_the_time():
    cluster = Cluster(16, loss_per_day=50.0, slow=0.2)
    found, again = (simulate([600.0] * 200, [1e9] * 200, cluster, seed=3) for _ in range(2))
    assert found == again
    assert sum(found.held_up.values()) + found.efficiency == pytest.approx(1, abs=1e-6)


def test_a_cluster_is_worth_its_workers_until_more_of_them_save_too_little():
    found = scaling([100.0] * 64, [0.0] * 64, Cluster(1, **IDEAL), (1, 2, 4, 8, 16, 32, 64, 128, 256))
    assert worthwhile(found).workers == 64
    assert worthwhile(found[:3]).workers == 4
