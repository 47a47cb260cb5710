"""Teach a policy by proximal policy optimization: the whole algorithm in one file.

    pip install genba torch
    python ppo_same_step.py --env genba/CraneTransport-v0 --seed 0

The environments begin their next episode in the step that ends the last one (autoreset_mode="SameStep"). What a
learner must not confuse: the observation that a step returns then belongs to the next episode, and what the action
led to is in info["final_obs"]. An episode that was cut off at its horizon would have gone on: its last value is that
of the final observation. One that failed is worth nothing any more.
"""

import dataclasses
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
import tyro
from torch import Tensor, nn

import scenes  # noqa: F401 - makes the environments known


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the algorithm may be told."""

    env: str = "genba/CraneTransport-v0"
    seed: int = 0
    steps: int = 400_000  # of all environments together
    envs: int = 16
    length: int = 256  # steps an environment between updates of the policy
    passes: int = 10  # over the steps of an update
    batch: int = 512
    rate: float = 5e-4  # of learning, falling to zero
    discount: float = 0.99
    trace: float = 0.95  # lambda of the advantages
    clip: float = 0.2


class Episode(NamedTuple):
    """What an episode came to."""

    reward: float
    steps: int
    success: bool
    failed: bool


class Policy(nn.Module):
    """Two networks: the mean of a Gaussian over actions, and what an observation is worth."""

    def __init__(self, observations: gymnasium.spaces.Box, actions: gymnasium.spaces.Box) -> None:
        super().__init__()
        width = observations.shape[0]
        self.mean, self.worth = network(width, actions.shape[0]), network(width, 1)
        self.mean[-1].weight.data *= 0.01  # begin at rest
        self.log_std = nn.Parameter(torch.full(actions.shape, -1.0))
        self.register_buffer("moments", torch.stack([torch.zeros(width), torch.ones(width)]))  # mean, mean square

    def watch(self, observations: Tensor, share: float) -> None:
        """Let observations (steps, envs, width) have a share in how all are scaled."""
        self.moments.lerp_(torch.stack([observations.mean((0, 1)), observations.square().mean((0, 1))]), share)

    def scaled(self, observations: Tensor) -> Tensor:
        """Return observations with zero mean and unit spread."""
        mean, square = self.moments
        return (observations - mean) / (square - mean.square()).clamp(min=1e-8).sqrt()

    def distribution(self, observations: Tensor) -> torch.distributions.Normal:
        """Return the distribution (..., nu) of each actuator's action."""
        return torch.distributions.Normal(self.mean(self.scaled(observations)), self.log_std.exp())

    def value(self, observations: Tensor) -> Tensor:
        """Return the discounted rewards (...) that are to be expected."""
        return self.worth(self.scaled(observations)).squeeze(-1)


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Make a network of two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def advantages(rewards: Tensor, values: Tensor, following: Tensor, ends: Tensor, settings: Settings) -> Tensor:
    """Return how much better (steps, envs) each action was than expected.

    Args:
        rewards: (steps, envs), of the actions.
        values: (steps, envs), before the actions.
        following: (steps, envs), after the actions and before any reset; 0 after a failure.
        ends: (steps, envs) bool, where an episode ends, for whatever reason: nothing flows back over it.
        settings: discount and trace.
    """
    surprise = rewards + settings.discount * following - values
    out, later = torch.zeros_like(surprise), torch.zeros(surprise.shape[1])
    for t in reversed(range(len(surprise))):
        later = surprise[t] + settings.discount * settings.trace * later * ~ends[t]
        out[t] = later
    return out


class Experience:
    """Steps environments by a policy, and keeps the episodes that have ended."""

    def __init__(self, settings: Settings) -> None:
        self.envs = gymnasium.make_vec(settings.env, num_envs=settings.envs, autoreset_mode="SameStep")
        self.observations, _ = self.envs.reset(seed=settings.seed)
        self.episodes: list[Episode] = []
        self._reward, self._steps = np.zeros(settings.envs), np.zeros(settings.envs, int)

    def collect(self, policy: Policy, steps: int) -> dict[str, Tensor]:
        """Take steps by the policy; return what was seen, done, paid, followed and ended, each (steps, envs, ...)."""
        taken = []
        for _ in range(steps):
            with torch.no_grad():
                actions = policy.distribution(torch.as_tensor(self.observations)).sample().numpy()
            observations, rewards, failed, cut, info = self.envs.step(actions)
            followed, ends = observations.copy(), failed | cut
            if ends.any():
                followed[ends] = np.stack(info["final_obs"][ends])
            taken.append((self.observations, actions, rewards.astype(np.float32), followed, failed, ends))
            self.observations, self._reward, self._steps = observations, self._reward + rewards, self._steps + 1
            for row in np.flatnonzero(ends):
                success, reward = info["final_info"]["is_success"][row], float(self._reward[row])
                self.episodes.append(Episode(reward, int(self._steps[row]), bool(success), bool(failed[row])))
            self._reward[ends] = self._steps[ends] = 0
        names = ("seen", "actions", "rewards", "followed", "failed", "ends")
        return {name: torch.as_tensor(np.stack(v)) for name, v in zip(names, zip(*taken, strict=True), strict=True)}


def learn(policy: Policy, optimizer: torch.optim.Optimizer, steps: dict[str, Tensor], settings: Settings) -> float:
    """Improve the policy by what a number of steps have shown; return the mean loss."""
    with torch.no_grad():
        values, following = policy.value(steps["seen"]), policy.value(steps["followed"]) * ~steps["failed"]
        gains = advantages(steps["rewards"], values, following, steps["ends"], settings).flatten()
        seen, actions = steps["seen"].flatten(0, 1), steps["actions"].flatten(0, 1)
        before, targets = policy.distribution(seen).log_prob(actions).sum(-1), gains + values.flatten()
    losses = []
    for _ in range(settings.passes):
        for rows in torch.randperm(len(seen)).split(settings.batch):
            ratio = (policy.distribution(seen[rows]).log_prob(actions[rows]).sum(-1) - before[rows]).exp()
            gain = (gains[rows] - gains[rows].mean()) / (gains[rows].std() + 1e-8)
            held = ratio.clamp(1 - settings.clip, 1 + settings.clip)
            errors = policy.value(seen[rows]) - targets[rows]
            loss = (0.5 * errors.square() - torch.minimum(gain * ratio, gain * held)).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def train(settings: Settings) -> tuple[Policy, list[Episode], list[float]]:
    """Train; return the policy, the episodes and the losses."""
    torch.manual_seed(settings.seed)
    experience, losses = Experience(settings), list[float]()
    policy = Policy(experience.envs.single_observation_space, experience.envs.single_action_space)
    optimizer = torch.optim.Adam(policy.parameters(), lr=settings.rate, eps=1e-5)
    updates = max(1, settings.steps // (settings.envs * settings.length))
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = settings.rate * (1 - update / updates)
        steps = experience.collect(policy, settings.length)
        losses.append(learn(policy, optimizer, steps, settings))
        policy.watch(steps["seen"], 1 / (update + 1))
        if last := experience.episodes[-100:]:
            reward, success = np.mean([(e.reward, e.success) for e in last], axis=0)
            print(f"{update + 1:4}: reward {reward:6.1f} an episode, {success:4.0%} succeed, loss {losses[-1]:7.3f}")
    experience.envs.close()
    return policy, experience.episodes, losses


def main() -> None:
    """Train and print."""
    torch.set_num_threads(1)  # the networks are small
    train(tyro.cli(Settings, description=__doc__))


if __name__ == "__main__":
    main()
