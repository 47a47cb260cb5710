"""Teach a policy to carry a load with a crane: PPO of Stable-Baselines3 with its defaults, on 8 environments.

    pip install genba torch stable-baselines3 matplotlib
    python train_ppo.py --seed 0 1 2

Prints the successes of 100 evaluation episodes as training goes on, and writes them to crane_transport_ppo.csv and,
as a picture, to crane_transport_ppo.png. One seed takes some minutes on one core.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

import scenes  # noqa: F401 - makes the environments known

ENV = "genba/CraneTransport-v0"
EVALUATION = range(100)  # episodes; training draws its own from 2^63
ROLLOUT = 8 * 2048  # steps between updates of the policy
EVERY = 2 * ROLLOUT  # steps between evaluations


class Rows(VecEnv):
    """Lets Stable-Baselines3 drive a vector environment of Gymnasium: all rows advance in one call."""

    def __init__(self, envs: gymnasium.vector.VectorEnv) -> None:
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        """Begin an episode in every row."""
        observations, _ = self.envs.reset(seed=self._seeds)
        self._reset_seeds()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Take actions (rows, nu) for the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Take the step; where an episode ends, the next begins."""
        observations, rewards, failed, cut, info = self.envs.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in rewards]
        for row in np.flatnonzero(failed | cut):
            infos[row] = {
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(cut[row] and not failed[row]),
                "is_success": bool(info["final_info"]["is_success"][row]),
            }
        return observations, rewards, failed | cut, infos

    def get_attr(self, attr_name: str, indices: object = None) -> list[Any]:
        """Return an attribute of the environments."""
        return [getattr(self.envs, attr_name)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: object = None) -> list[bool]:
        """Return that no row is wrapped."""
        return [False] * self.num_envs

    def set_attr(self, attr_name: str, value: object, indices: object = None) -> None:
        """Not needed here."""
        raise NotImplementedError

    def env_method(self, method_name: str, *args: object, indices: object = None, **kwargs: object) -> list[Any]:
        """Not needed here."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the simulations."""
        self.envs.close()


def successes(model: PPO, envs: gymnasium.vector.VectorEnv) -> int:
    """Count the evaluation episodes in which the policy, without noise, succeeds at some time."""
    observations, _ = envs.reset(options={"episode_seed": list(EVALUATION)})
    done, succeeded = np.zeros((2, len(EVALUATION)), bool)
    while not done.all():
        observations, _, failed, cut, info = envs.step(model.predict(observations, deterministic=True)[0])
        ended = (failed | cut) & ~done
        if ended.any():
            succeeded |= ended & info["final_info"]["is_success"]
        done |= ended
    return int(succeeded.sum())


def train(seed: int, steps: int) -> list[tuple[int, int, int, float]]:
    """Train with one seed; return rows of seed, steps, successes of 100 and seconds."""
    envs = Rows(gymnasium.make_vec(ENV, num_envs=8, autoreset_mode="SameStep"))
    tests = gymnasium.make_vec(ENV, num_envs=len(EVALUATION), autoreset_mode="SameStep")
    model = PPO("MlpPolicy", envs, seed=seed, device="cpu")
    begun, curve = time.perf_counter(), []
    while True:
        curve.append((seed, model.num_timesteps, successes(model, tests), round(time.perf_counter() - begun, 1)))
        print("seed {}: {:6} steps, {:3} of 100 succeed, {:.0f} s".format(*curve[-1]), flush=True)
        if model.num_timesteps >= steps:
            break
        model.learn(min(EVERY, steps - model.num_timesteps), reset_num_timesteps=False)
    envs.close()
    tests.close()
    return curve


def plot(curves: list[tuple[int, int, int, float]], path: Path) -> None:
    """Draw successes over steps, one line a seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for seed in sorted({row[0] for row in curves}):
        rows = [row for row in curves if row[0] == seed]
        axes.plot([row[1] / 1e3 for row in rows], [row[2] for row in rows], marker=".", label=f"seed {seed}")
    axes.axhline(95, color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="control steps, thousands", ylabel="successes of 100", ylim=(0, 102), title=f"PPO on {ENV}")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def main() -> None:
    """Train, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=27 * ROLLOUT)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for curve and picture")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small
    curves = [row for seed in arguments.seed for row in train(seed, arguments.steps)]
    with (arguments.out / "crane_transport_ppo.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("seed", "steps", "successes_of_100", "seconds"), *curves])
    plot(curves, arguments.out / "crane_transport_ppo.png")


if __name__ == "__main__":
    main()
