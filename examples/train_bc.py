"""Teach a policy to carry a load with a crane by imitation: behaviour cloning of expert episodes, from the loader.

    pip install "genba[torch]"
    python train_bc.py

Generates expert episodes, trains a small network on windows of five observations, and lets it drive in the Gymnasium
environment on seeds that it has not seen. Prints one line for each hundred of them. A few minutes on two cores.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import nn

import scenes  # noqa: F401 - makes the environments known
from generators.cli import main as genba
from generators.dataset import Dataset
from generators.loading.blocks import Blocks
from generators.loading.normalization import Normalization, normalization
from generators.loading.torch_data import BlockLoader
from generators.loading.windows import Windows

TASK, ENV = "steel/crane_transport", "genba/CraneTransport-v0"
OBSERVATIONS = ("way", "sway", "sway_speed", "speed", "omega")
HISTORY = 4  # observations before the newest one: 0.8 s
EVALUATED = 100  # episodes a figure


def inputs(observations: dict[str, torch.Tensor]) -> torch.Tensor:
    """Put observations (n, HISTORY + 1, dim) into one row a window."""
    return torch.cat([observations[f"obs/{name}"].flatten(1) for name in OBSERVATIONS], dim=1)


def train(dataset: Dataset, scaling: Normalization, seed: int, updates: int) -> nn.Module:
    """Train a network to do what the expert did."""
    torch.manual_seed(seed)
    windows = Windows(dataset, horizon=1, history=HISTORY, observations=OBSERVATIONS, normalize=scaling)
    loader = BlockLoader(Blocks(windows, batch_size=512, episodes=64, seed=seed))
    first = windows[0]
    width = sum(first[f"obs/{name}"].size for name in OBSERVATIONS)
    policy = nn.Sequential(
        *(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, first["action"].shape[-1]))
    )
    optimizer = torch.optim.AdamW(policy.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=updates)
    done = 0
    while done < updates:
        for batch in loader:
            loss = nn.functional.smooth_l1_loss(policy(inputs(batch)), batch["action"][:, -1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            done += 1
            if done == updates:
                break
    return policy


def successes(policy: nn.Module, scaling: Normalization, seeds: range) -> int:
    """Count the episodes in which the policy succeeds."""
    envs = gymnasium.make_vec(ENV, num_envs=len(seeds), obs="dict", autoreset_mode="SameStep")
    observations, _ = envs.reset(options={"episode_seed": list(seeds)})
    seen = {name: np.repeat(observations[name][:, None], HISTORY + 1, axis=1) for name in OBSERVATIONS}
    done, succeeded = np.zeros((2, len(seeds)), bool)
    while not done.all():
        scaled = {f"obs/{name}": torch.from_numpy(scaling.apply(f"obs/{name}", rows)) for name, rows in seen.items()}
        with torch.no_grad():
            actions = scaling.undo("action", policy(inputs(scaled)).numpy())
        observations, _, failed, cut, info = envs.step(envs.normalized(actions).clip(-1, 1))
        seen = {n: np.concatenate([rows[:, 1:], observations[n][:, None]], axis=1) for n, rows in seen.items()}
        ended = (failed | cut) & ~done
        if ended.any():
            succeeded |= ended & info["final_info"]["is_success"]
        done |= ended
    envs.close()
    return int(succeeded.sum())


def interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score (JASA 22, 1927)."""
    z, share = 1.96, successes / n
    middle, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def main() -> None:
    """Generate, train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=300, help="of the expert")
    parser.add_argument("--updates", type=int, default=6000, help="of the network")
    parser.add_argument("--seed", type=int, default=0, help="of the episodes, the order and the network")
    parser.add_argument("--first", type=int, nargs="+", default=[0, 1_000_000], help="first of each hundred seeds")
    parser.add_argument("--out", type=Path, help="the dataset's folder, kept; an existing one is used")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the network is small
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary) / "expert"
        if not (out / "dataset.json").exists():
            asked = {"episodes": arguments.episodes, "seed": arguments.seed, "degraded": 0, "out": out}
            if code := genba(["generate", TASK, *(f"--{name}={value}" for name, value in asked.items())]):
                raise SystemExit(code)
        with Dataset(out) as dataset:
            learned = dataset.where(outcome="success")
            scaling = normalization(dataset)
            policy = train(learned, scaling, arguments.seed, arguments.updates)
            known = set(dataset.values("episode_seed"))
        for first in arguments.first:
            seeds = range(first, first + EVALUATED)
            if known & set(seeds):
                raise SystemExit(f"seeds {first} to {first + EVALUATED - 1} are in the dataset: choose others")
            count = successes(policy, scaling, seeds)
            low, high = interval(count, EVALUATED)
            figure = f"{count} of {EVALUATED} succeed (95 % interval {low:.0%} to {high:.0%})"
            spent = f"{len(learned)} episodes of the expert, {time.perf_counter() - begun:.0f} s"
            print(f"seeds {seeds[0]} to {seeds[-1]}: {figure} after {spent}", flush=True)


if __name__ == "__main__":
    main()
