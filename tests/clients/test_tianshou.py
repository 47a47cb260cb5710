"""Tianshou's vector environments and collectors work on genba's environments as they are."""

import gymnasium
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def test_a_vector_environment_steps_and_resets_rows(transport):
    from tianshou.env import DummyVectorEnv

    envs = DummyVectorEnv([lambda: gymnasium.make(transport, max_episode_steps=3) for _ in range(3)])
    first, infos = envs.reset(options={"episode_seed": 7})
    assert first.shape == (3, *envs.observation_space[0].shape)
    assert (first == first[0]).all()
    for _ in range(3):
        _, rewards, terminated, truncated, infos = envs.step(np.zeros((3, 2), np.float32))
    assert truncated.all()
    assert not terminated.any()
    again, _ = envs.reset([1], options={"episode_seed": 7})
    envs.close()
    assert np.array_equal(again[0], first[1])
    assert np.isfinite(rewards).all()
    assert [info["episode_step"] for info in infos] == [3, 3, 3]
