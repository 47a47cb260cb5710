"""Gymnasium's wrappers that make videos record genba's environments as they are."""

import gymnasium
import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def moviepy():
    pytest.importorskip("moviepy", reason="Gymnasium's videos need moviepy")


def test_a_video_of_each_episode_is_written(env_id, tmp_path):
    env = gymnasium.make(env_id, render_mode="rgb_array", render_size=(64, 48), max_episode_steps=4)
    env = gymnasium.wrappers.RecordVideo(
        env, str(tmp_path / "videos"), episode_trigger=lambda _: True, disable_logger=True
    )
    for seed in range(2):
        env.reset(seed=seed)
        for _ in range(4):
            truncated = env.step(env.action_space.sample())[3]
        assert truncated
    env.close()
    assert len(list(tmp_path.glob("videos/*.mp4"))) == 2


def test_a_video_of_a_vector_environment_is_written(transport, tmp_path):
    envs = gymnasium.make_vec(transport, num_envs=4, render_mode="rgb_array", render_size=(64, 48))
    envs = gymnasium.wrappers.vector.RecordVideo(
        envs, str(tmp_path / "videos"), step_trigger=lambda step: step == 0, video_length=5
    )
    envs.reset(seed=0)
    for _ in range(6):
        envs.step(np.zeros(envs.action_space.shape, np.float32))
    envs.close()
    assert len(list(tmp_path.glob("videos/*.mp4"))) == 1
