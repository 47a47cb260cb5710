"""Every closed-form law that vouches for a scene holds within its tolerance, and every scene has one."""

import math

import pytest

from scenes import anchors
from scenes.anchors import Law
from scenes.catalog import task_names

LAW = Law("weight", "W = m g", "statics", "N")


@pytest.mark.parametrize("name", anchors.modules())
def test_the_physics_meets_its_formulas(name):
    module = anchors.load(name)

    found = list(module.measure())

    assert found
    assert set(module.TASKS) <= set(task_names())
    assert all(a.name and a.law and a.source and a.unit for a in found)
    assert all(math.isfinite(a.expected) and math.isfinite(a.measured) and a.low <= a.expected <= a.high for a in found)
    missed = [a for a in found if not a.holds]
    assert not missed, "\n".join(
        f"{a.name}: {a.measured:g} {a.unit}, accepted {a.low:g} to {a.high:g}; {a.law} = {a.expected:g}" for a in missed
    )


@pytest.mark.parametrize("name", task_names())
def test_every_task_is_vouched_for(name):
    known = anchors.vouching(name)

    assert known
    assert all(sentence for sentence in known.values())


def test_nothing_vouches_for_a_task_of_ones_own():
    assert anchors.vouching("mine/push") == {}
    assert list(anchors.measure("mine/push")) == []


def test_a_case_is_accepted_within_the_wider_of_share_and_tolerance():
    assert LAW.near(100.0, 104.9, rel=0.05).holds
    assert LAW.near(100.0, 104.9, rel=0.01, tol=5.0).holds
    assert not LAW.near(100.0, 105.1, rel=0.05, tol=1.0).holds
    assert LAW.near(-100.0, -95.1, rel=0.05).holds
    assert not LAW.within(1.0, math.nan, -math.inf, math.inf).holds
    assert LAW.near(1.0, 1.0, case="10 kg").name == "weight, 10 kg"


def test_the_farthest_case_is_the_one_that_fails_or_comes_nearest_to_it():
    near, far, beyond = (LAW.near(100.0, m, rel=0.05) for m in (101.0, 96.0, 106.0))
    free = LAW.within(0.0, -7.0, -math.inf, 1e-6)

    assert [round(a.used, 9) for a in (near, far, beyond, free)] == [0.2, 0.8, 1.2, 0.0]
    assert anchors.farthest([near, far, free]) == far
    assert anchors.farthest([near, beyond, far]) == beyond
    broken = LAW.within(1.0, math.nan, -math.inf, math.inf)
    assert anchors.farthest([far, broken, near]) == broken
