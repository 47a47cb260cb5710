"""Every closed-form law that vouches for a scene holds within its tolerance."""

import importlib

import pytest

from scenes import anchors
from scenes.catalog import task_names


@pytest.mark.parametrize("name", anchors.modules())
def test_the_physics_meets_its_formulas(name):
    module = importlib.import_module(f"scenes.anchors.{name}")

    found = list(module.measure())

    assert found
    assert set(module.TASKS) <= set(task_names())
    missed = [a for a in found if not a.holds]
    assert not missed, "\n".join(
        f"{a.name}: {a.measured:g} {a.unit}, accepted {a.low:g} to {a.high:g}; {a.law} = {a.expected:g}" for a in missed
    )
