"""The example of PPO in one file learns, and treats the ends of episodes as what they are."""

import importlib.util

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def example(root):
    spec = importlib.util.spec_from_file_location("ppo_same_step", root / "examples" / "ppo_same_step.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def experience(example):
    """Eight steps' experience of an untrained policy, and the policy."""
    settings = example.Settings(envs=4)
    found = example.Experience(settings)
    policy = example.Policy(found.envs.single_observation_space, found.envs.single_action_space)
    yield found, policy
    found.envs.close()


def test_every_environment_trains_for_some_steps(example, env_id):
    _, _, losses = example.train(example.Settings(env=env_id, steps=256, envs=4, length=32, passes=1))
    assert len(losses) == 2
    assert np.isfinite(losses).all()


def test_it_learns_and_counts_every_episode(example, horizon):
    settings = example.Settings(steps=49_152)
    _, episodes, losses = example.train(settings)
    assert np.isfinite(losses).all()
    assert sum(e.steps for e in episodes) <= settings.steps
    assert all(0 < e.steps <= horizon and (e.failed or e.steps == horizon) for e in episodes)
    returns = [e.reward for e in episodes]
    assert np.mean(returns[-50:]) > 2 * np.mean(returns[:50])


def test_what_followed_an_action_is_never_the_next_episodes_beginning(experience, horizon):
    found, policy = experience
    steps = found.collect(policy, 2 * horizon)
    seen, followed, ends = steps["seen"], steps["followed"], steps["ends"]
    same = (seen[1:] == followed[:-1]).all(-1)
    assert (same == ~ends[:-1]).all()
    assert ends.any(0).all()
    assert (steps["failed"] <= ends).all()


def test_advantages_of_a_row_are_those_of_its_episodes_one_by_one(example):
    import torch

    settings = example.Settings(discount=0.9, trace=0.8)
    values, rewards = torch.rand(9, 1), torch.rand(9, 1)
    ends = torch.zeros(9, 1, dtype=torch.bool)
    ends[3] = ends[6] = True
    following = torch.rand(9, 1)
    following[3] = 0.0  # a failure; at 6 the horizon
    found = example.advantages(rewards, values, following, ends, settings)[:, 0]
    for begin, end in ((0, 4), (4, 7), (7, 9)):
        for t in range(begin, end):
            terms = [(0.9 * 0.8) ** (k - t) * (rewards[k] + 0.9 * following[k] - values[k]) for k in range(t, end)]
            assert found[t] == pytest.approx(float(sum(terms)), abs=1e-5)


def test_it_is_the_same_run_twice(example):
    settings = example.Settings(steps=512, envs=2, length=128, passes=1)
    (_, first, losses), (_, second, again) = example.train(settings), example.train(settings)
    assert first == second
    assert losses == again
