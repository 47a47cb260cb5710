"""Minari's collector records genba's environments as they are, and its datasets replay on them."""

import gc

import gymnasium
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    yield
    gc.collect()  # the collector leaves its temporary folder to the garbage collector, and that warns


def collect(env_id, episodes, name):
    """Record episodes of random actions; return the seed of each."""
    import minari

    collector = minari.DataCollector(gymnasium.make(env_id, max_episode_steps=40), record_infos=True)
    collector.action_space.seed(0)
    seeds = []
    for episode in range(episodes):
        _, info = collector.reset(seed=episode)
        seeds.append(info["episode_seed"])
        ended = False
        while not ended:
            _, _, terminated, truncated, info = collector.step(collector.action_space.sample())
            ended = terminated or truncated
    about = {"author": "nobody", "author_email": "nobody@example.org", "code_permalink": "https://example.org"}
    collector.create_dataset(name, eval_env=env_id, algorithm_name="random", description="A test.", **about)
    collector.close()
    return seeds


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_a_dataset_gives_back_its_episodes_and_they_replay(env_id):
    import minari

    seeds = collect(env_id, 3, "genba/random-v0")
    dataset = minari.load_dataset("genba/random-v0")
    assert dataset.total_episodes == 3
    env = dataset.recover_environment()
    for episode, seed in zip(dataset.iterate_episodes(), seeds, strict=True):
        assert (episode.infos["episode_seed"] == seed).all()
        assert (episode.infos["episode_step"] == np.arange(len(episode.actions) + 1)).all()
        assert episode.terminations[-1] or episode.truncations[-1]
        seen = [env.reset(options={"episode_seed": int(seed)})[0]]
        paid = []
        for action in episode.actions:
            observation, reward, *_ = env.step(action)
            seen.append(observation)
            paid.append(reward)
        assert np.array_equal(episode.observations, seen)
        assert np.array_equal(episode.rewards, paid)
    env.close()
