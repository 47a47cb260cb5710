"""skrl wraps genba's vector environments as they are, and its PPO trains on them."""

import gymnasium
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("kwargs", [{}, {"vectorization_mode": "sync"}])
def test_a_wrapped_vector_environment_goes_on_over_the_ends_of_episodes(env_id, kwargs):
    import torch
    from skrl.envs.wrappers.torch import wrap_env

    env = wrap_env(gymnasium.make_vec(env_id, num_envs=4, max_episode_steps=20, **kwargs), verbose=False)
    assert env.num_envs == 4
    observations, _ = env.reset()
    cut = 0
    for _ in range(45):
        observations, rewards, _, truncated, _ = env.step(torch.zeros(4, *env.action_space.shape))
        assert observations.shape == (4, *env.observation_space.shape)
        assert rewards.shape == truncated.shape == (4, 1)
        assert observations.isfinite().all()
        assert rewards.isfinite().all()
        cut += int(truncated.sum())
    env.close()
    assert cut == 8  # twice each, in 45 steps


def test_proximal_policy_optimization_trains(transport, tmp_path):
    import torch
    from skrl.agents.torch.ppo import PPO
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
    from skrl.trainers.torch import SequentialTrainer

    class Policy(GaussianMixin, Model):
        def __init__(self, **kwargs):
            Model.__init__(self, **kwargs)
            GaussianMixin.__init__(self)
            self.mean = torch.nn.Linear(self.num_observations, self.num_actions)
            self.log_std = torch.nn.Parameter(torch.zeros(self.num_actions))

        def compute(self, inputs, role=""):
            return self.mean(inputs["observations"]), {"log_std": self.log_std}

    class Value(DeterministicMixin, Model):
        def __init__(self, **kwargs):
            Model.__init__(self, **kwargs)
            DeterministicMixin.__init__(self)
            self.worth = torch.nn.Linear(self.num_observations, 1)

        def compute(self, inputs, role=""):
            return self.worth(inputs["observations"]), {}

    env = wrap_env(gymnasium.make_vec(transport, num_envs=8), verbose=False)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": env.device}
    models = {"policy": Policy(**spaces), "value": Value(**spaces)}
    quiet = {"directory": str(tmp_path), "write_interval": 0, "checkpoint_interval": 0}
    memory = RandomMemory(memory_size=64, num_envs=8, device=env.device)
    settings = {"rollouts": 64, "learning_epochs": 2, "time_limit_bootstrap": True, "experiment": quiet}
    agent = PPO(models=models, memory=memory, cfg=settings, **spaces)
    before = [p.detach().clone() for p in models["policy"].parameters()]
    plain = {"headless": True, "disable_progressbar": True, "close_environment_at_exit": False}
    trainer = SequentialTrainer(env=env, agents=agent, cfg={"timesteps": 512, **plain})
    trainer.train()
    env.close()
    after = list(models["policy"].parameters())
    assert all(p.isfinite().all() for p in after)
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert memory.get_tensor_by_name("rewards").isfinite().all()
