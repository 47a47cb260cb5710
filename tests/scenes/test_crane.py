"""What the crane's ropes and experts do that is no figure of `scenes.anchors.crane`."""

import mujoco
import numpy as np
import pytest

from scenes.anchors.crane import double_pendulum, hang
from scenes.machines import c_hook, crane
from sim import skills


@pytest.mark.parametrize("axis", [0, 1])
def test_sway_modes_are_those_of_the_double_pendulum(axis):
    swing = c_hook.swing(axis, (20e3, 2.0, 1.5e4))

    omega, lever = crane.sway_modes(7.0, *swing)

    formula, shapes = double_pendulum(7.0, *swing)
    assert omega == pytest.approx(formula, rel=1e-9)
    # Each lever makes the other mode's deflection vanish.
    assert 7.0 * shapes[0, ::-1] + lever * shapes[1, ::-1] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_rope_cannot_push():
    model, data = hang()
    data.joint("block").qpos[2] += 0.2

    mujoco.mj_step(model, data)

    assert [data.actuator(f"fall{i}").force[0] for i in range(1, 5)] == [0.0] * 4


@pytest.mark.parametrize("distance", [-6.0, 0.02, 0.5, 12.0])
def test_a_shaped_move_covers_its_distance_within_its_limits(distance):
    limits = skills.Limits(1.0, 0.3, 0.5)

    speeds = skills.move(distance, limits, 0.05, skills.zvd(1.0))

    assert speeds.sum() * 0.05 == pytest.approx(distance, rel=1e-9)
    assert np.abs(speeds).max() <= 1.0 + 1e-9
    assert np.abs(np.diff(speeds)).max() <= 0.3 * 0.05 + 1e-9
