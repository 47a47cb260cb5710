"""Shifts: an episode that replays differently because its columns are off by one is told from one that is just wrong."""

import dataclasses

import numpy as np
import pytest

from generators.shifts import shifted
from sim.replay import recorded


@pytest.fixture
def right(episodes):
    """A recorded episode in which the action changes, as the expert stops halfway."""
    return recorded(next(e for e in episodes if len(np.unique(e.actions)) > 1 and len(e) > 30))


def moved(values, lag):
    """Shift rows so that row t + lag holds what row t held; the rows at the end repeat."""
    return values[np.clip(np.arange(len(values)) - lag, 0, len(values) - 1)]


@pytest.mark.parametrize("lag", [-1, 1])
def test_shifted_actions_are_told_by_what_they_lead_to(right, kit, lag):
    wrong = dataclasses.replace(right, actions=moved(right.actions, lag))
    assert shifted(kit.Push(), wrong) == ("steps/action", lag)


@pytest.mark.parametrize("lag", [-1, 1])
def test_shifted_observations_are_told_by_seeing_again(right, kit, lag):
    wrong = dict(right.observations) | {"x": moved(right.observations["x"], lag)}
    assert shifted(kit.Push(), dataclasses.replace(right, observations=wrong)) == ("obs/x", lag)


def test_what_is_right_or_otherwise_wrong_is_not_shifted(right, kit):
    assert shifted(kit.Push(), right) == ("", 0)
    wrong = dict(right.observations) | {"x": right.observations["x"] + 1}
    assert shifted(kit.Push(), dataclasses.replace(right, observations=wrong)) == ("", 0)
    assert shifted(kit.Push(), dataclasses.replace(right, actions=-right.actions)) == ("", 0)
