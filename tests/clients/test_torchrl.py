"""TorchRL's wrappers, specs, collectors and losses work on genba's environments as they are."""

import gymnasium
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def test_the_specs_hold(env_id):
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    env = GymEnv(env_id)
    check_env_specs(env)
    env.close()


def test_the_specs_of_images_hold(env_id):
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    env = GymEnv(env_id, cameras={"overview": {"size": 32, "kinds": ["rgb", "depth"]}})
    check_env_specs(env)
    seen = env.reset()
    env.close()
    assert seen["overview"].shape == (32, 32, 3)
    assert seen["overview_depth"].isfinite().all()


def test_a_rollout_ends_as_the_episode_does(transport, horizon):
    from torchrl.envs import GymEnv

    env = GymEnv(transport, parameters={"distance": 0.0, "sway_x": 0.0, "sway_y": 0.0})
    still = env.rollout(2 * horizon, policy=lambda td: td.set("action", env.action_spec.zero()))
    driven = env.rollout(2 * horizon, policy=lambda td: td.set("action", env.action_spec.zero() + 1.0))
    env.close()
    assert len(still) == horizon
    assert still["next", "truncated"][-1]
    assert not still["next", "terminated"].any()
    assert len(driven) < horizon
    assert driven["next", "terminated"][-1]
    assert not driven["next", "truncated"].any()


def test_a_vector_environment_is_reset_row_by_row(transport, horizon):
    from torchrl.envs import GymWrapper
    from torchrl.envs.utils import check_env_specs

    env = GymWrapper(gymnasium.make_vec(transport, num_envs=4, autoreset_mode="Disabled"))
    check_env_specs(env)
    env.set_seed(0)
    steps = env.rollout(2 * horizon, break_when_any_done=False)
    env.close()
    ends = steps["next", "done"][..., 0]
    assert ends.any(1).all()
    seen, followed = steps["observation"], steps["next", "observation"]
    same = (seen[:, 1:] == followed[:, :-1]).all(-1)
    assert (same == ~ends[:, :-1]).all()  # the next step begins where this one led to, but for the ends
    assert steps["next", "reward"].isfinite().all()


@pytest.mark.filterwarnings("ignore:Creating .*WeightUpdater:DeprecationWarning")  # TorchRL's own, when imported
def test_proximal_policy_optimization_takes_its_steps(transport):
    import torch
    from tensordict.nn import TensorDictModule, TensorDictSequential
    from torchrl.collectors import Collector
    from torchrl.envs import GymEnv
    from torchrl.modules import NormalParamExtractor, ProbabilisticActor, TanhNormal, ValueOperator
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE

    env = GymEnv(transport)
    width, nu = env.observation_spec["observation"].shape[-1], env.action_spec.shape[-1]
    body = torch.nn.Sequential(torch.nn.Linear(width, 2 * nu), NormalParamExtractor())
    actor = ProbabilisticActor(
        TensorDictSequential(TensorDictModule(body, ["observation"], ["loc", "scale"])),
        spec=env.action_spec, in_keys=["loc", "scale"], distribution_class=TanhNormal, return_log_prob=True,
    )  # fmt: skip
    critic = ValueOperator(torch.nn.Linear(width, 1), in_keys=["observation"])
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss = ClipPPOLoss(actor, critic)
    optimizer = torch.optim.Adam(loss.parameters(), lr=3e-4)
    collector = Collector(env, actor, frames_per_batch=512, total_frames=2048, auto_register_policy_transforms=True)
    frames = 0
    for steps in collector:
        frames += len(steps)
        with torch.no_grad():
            advantage(steps)
        terms = loss(steps)
        total = terms["loss_objective"] + terms["loss_critic"] + terms["loss_entropy"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        assert total.isfinite()
    collector.shutdown()
    assert frames == 2048
