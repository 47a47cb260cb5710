"""Stable-Baselines3 and sb3-contrib train, evaluate and account for episodes on genba's environments as they are."""

import functools

import gymnasium
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FACTS = ("episode_step", "fail_code", "is_success", "episode_seed")
SOLVED = {"distance": 0.0, "sway_x": 0.0, "sway_y": 0.0}  # the load hangs still at its target
SMALL = {"net_arch": [32, 32]}


def vector(env_id, count, **kwargs):
    from stable_baselines3.common.env_util import make_vec_env

    return make_vec_env(env_id, count, seed=0, **kwargs)


def finite(model, *names):
    losses = {k: v for k, v in model.logger.name_to_value.items() if k.startswith("train/")}
    assert losses.keys() >= set(names)
    return np.isfinite(list(losses.values())).all()


def test_their_checker_has_no_complaint(env_id):
    from stable_baselines3.common.env_checker import check_env

    env = gymnasium.make(env_id)
    check_env(env)
    env.close()


def test_their_checker_has_no_complaint_about_images(env_id):
    from stable_baselines3.common.env_checker import check_env

    env = gymnasium.make(env_id, cameras={"overview": {"size": 48}}, render_mode="rgb_array")
    check_env(env)
    env.close()


def test_every_environment_trains_on_images_beside_the_other_observations(env_id):
    from stable_baselines3 import PPO

    images = {"overview": {"size": 48, "kinds": ["rgb", "depth", "segmentation"]}}
    envs = vector(env_id, 2, env_kwargs={"cameras": images})
    model = PPO("MultiInputPolicy", envs, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu").learn(64)
    frames = envs.get_images()
    envs.close()
    assert model.num_timesteps == 64
    assert finite(model, "train/loss", "train/value_loss")
    names = {"overview", "overview_depth", "overview_segmentation"}
    assert names < set(model.policy.features_extractor.extractors)
    assert [frame.shape for frame in frames] == [(360, 480, 3)] * 2


def test_a_policy_of_convolutions_trains_on_frames_alone(env_id):
    from gymnasium.wrappers import AddRenderObservation
    from stable_baselines3 import PPO

    envs = vector(env_id, 2, env_kwargs={"render_size": 48}, wrapper_class=AddRenderObservation)
    model = PPO("CnnPolicy", envs, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu").learn(64)
    assert envs.observation_space.shape == (48, 48, 3)
    envs.close()
    assert finite(model, "train/loss", "train/value_loss")


def test_every_environment_trains_for_some_steps(env_id):
    from stable_baselines3 import PPO

    envs = vector(env_id, 2)
    model = PPO("MlpPolicy", envs, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(128)
    envs.close()
    assert model.num_timesteps == 128
    assert finite(model, "train/loss", "train/value_loss")


def test_ppo_counts_every_episode_as_the_environment_does(transport, horizon):
    from stable_baselines3 import PPO

    envs = vector(transport, 8, monitor_kwargs={"info_keywords": FACTS})
    model = PPO("MlpPolicy", envs, n_steps=64, batch_size=128, n_epochs=2, seed=0, device="cpu", stats_window_size=1000)
    model.learn(4096)
    episodes = list(model.ep_info_buffer)
    envs.close()
    assert finite(model, "train/loss", "train/value_loss")
    assert 4096 / horizon - 8 <= len(episodes) <= model.num_timesteps
    assert sum(e["l"] for e in episodes) <= 4096
    for episode in episodes:
        assert episode["l"] == episode["episode_step"]
        assert episode["l"] == horizon or (episode["l"] < horizon and episode["fail_code"] > 0)
        assert 0.0 <= episode["r"] <= horizon  # each step pays 0 to 1
    assert len({e["episode_seed"] for e in episodes}) == len(episodes)
    assert any(e["fail_code"] for e in episodes)


def test_a_policy_gets_better_at_staying_in_the_area(transport):
    from stable_baselines3 import PPO

    envs = vector(transport, 8)
    model = PPO(
        "MlpPolicy", envs, n_steps=128, batch_size=256, n_epochs=5, seed=0, device="cpu", stats_window_size=1000
    )
    model.learn(20_000)
    returns = [e["r"] for e in model.ep_info_buffer]
    envs.close()
    assert np.mean(returns[-30:]) > 1.5 * np.mean(returns[:30])


def test_a_cut_episode_is_told_from_a_failed_one_and_keeps_its_last_observation(transport, horizon):
    envs = vector(transport, 2, env_kwargs={"parameters": SOLVED})
    envs.reset()
    full = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)  # one load swings beyond its limit, one hangs
    seen = {}
    for step in range(1, horizon + 1):
        observations, _, dones, infos = envs.step(full)
        for row in np.flatnonzero(dones):
            last = infos[row]["terminal_observation"]
            assert envs.observation_space.contains(last)
            assert not np.array_equal(last, observations[row])
            seen.setdefault(row, (step, infos[row]["TimeLimit.truncated"]))
    envs.close()
    assert seen[0][0] < horizon
    assert seen[0][1] is False
    assert seen[1] == (horizon, True)


@pytest.mark.parametrize(("parameters", "rate"), [(SOLVED, 1.0), ({}, 0.0)])
def test_the_evaluation_reads_success(transport, horizon, tmp_path, parameters, rate):
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import EvalCallback

    make = functools.partial(vector, transport, env_kwargs={"parameters": parameters})
    envs, tests = make(2), make(1)
    evaluation = EvalCallback(tests, n_eval_episodes=3, eval_freq=32, log_path=str(tmp_path), verbose=0)
    PPO("MlpPolicy", envs, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(64, evaluation)
    envs.close()
    tests.close()
    with np.load(tmp_path / "evaluations.npz") as file:
        assert file["successes"].mean() == rate  # an untrained policy hardly moves
        assert (file["ep_lengths"] == horizon).all()
        assert np.isfinite(file["results"]).all()


@pytest.mark.parametrize("name", ["stable_baselines3.SAC", "sb3_contrib.TQC"])
def test_learners_from_a_buffer_know_which_ends_were_cuts(transport, name):
    import importlib

    module, _, algorithm = name.partition(".")
    envs = vector(transport, 2, monitor_kwargs={"info_keywords": FACTS})
    learner = getattr(importlib.import_module(module), algorithm)
    model = learner(
        "MlpPolicy", envs, learning_starts=1200, batch_size=64, policy_kwargs=SMALL, seed=0, device="cpu",
        stats_window_size=1000,
    )  # fmt: skip
    model.learn(2000)
    envs.close()
    episodes, kept = list(model.ep_info_buffer), model.replay_buffer
    assert finite(model, "train/actor_loss", "train/critic_loss", "train/ent_coef")
    assert kept.dones.sum() == len(episodes)
    assert kept.timeouts.sum() == sum(e["fail_code"] == 0 for e in episodes)
    assert kept.timeouts.sum() < kept.dones.sum()


def test_environments_in_other_processes_train(transport):
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import SubprocVecEnv

    envs = vector(f"scenes:{transport}", 2, vec_env_cls=SubprocVecEnv)  # each process imports scenes, for the id
    model = PPO("MlpPolicy", envs, n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(256)
    envs.close()
    assert finite(model, "train/loss")


def test_a_saved_policy_acts_as_before(transport, tmp_path):
    from stable_baselines3 import PPO

    envs = vector(transport, 2)
    model = PPO("MlpPolicy", envs, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(64)
    envs.close()
    model.save(tmp_path / "policy")
    again = PPO.load(tmp_path / "policy", device="cpu")
    env = gymnasium.make(transport)
    observation, _ = env.reset(options={"episode_seed": 0})
    env.close()
    acts = [m.predict(observation, deterministic=True)[0] for m in (model, again)]
    assert np.array_equal(*acts)
