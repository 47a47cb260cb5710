"""Compare genba's vector environment with Gymnasium's own of the same task, and with gymnasium-robotics' FetchPickAndPlace.

    python tests/benchmarks/peers.py            # all, about five minutes; --no-fetch leaves gymnasium-robotics out

Everything is measured in turn in one run and printed as ratios. gymnasium-robotics does not run on MuJoCo 4, so it gets
a virtual environment of its own in .venv/peers, made at the first run.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np

import scenes
from scenes.catalog import load_task
from sim.rollout import rollouts
from sim.vector_env import TaskVectorEnv

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv" / "peers"
ENVS, STEPS, ROUNDS = 16, 60, 3
TASKS = {"genba/CraneTransport-v0": "steel/crane_transport", "genba/CraneCoil-v0": "steel/crane_coil"} | {
    "genba/PegInsert-v0": "assembly/peg_insert"
}
FETCH = """
import json, statistics, time, warnings
warnings.simplefilter("ignore")
import gymnasium, gymnasium_robotics, mujoco, numpy as np
gymnasium.register_envs(gymnasium_robotics)
env = gymnasium.make("FetchPickAndPlace-v4")
env.reset(seed=0)
inner = env.unwrapped
rng = np.random.default_rng(0)
model, data = inner.model, inner.data
def steps():
    env.reset(seed=0)
    start = time.perf_counter()
    for _ in range(50):
        env.step(rng.uniform(-1, 1, 4).astype("f4"))
    return time.perf_counter() - start
def bare():
    start = time.perf_counter()
    for _ in range(50):
        mujoco.mj_step(model, data, nstep=inner.n_substeps)
    return time.perf_counter() - start
def reset():
    start = time.perf_counter()
    env.reset()
    return time.perf_counter() - start
steps(), bare()
pairs = [(steps(), bare()) for _ in range(15)]
slow, fast = (statistics.median(p[i] for p in pairs) for i in (0, 1))
print(json.dumps({"mujoco": mujoco.__version__, "step / bare": slow / fast, "steps/s": 50 / slow,
                  "reset ms": 1e3 * statistics.median(reset() for _ in range(20))}))
"""


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-fetch", action="store_true", help="leave gymnasium-robotics out")
    wanted = parser.parse_args()
    for name in TASKS:
        compare(name)
    single("genba/PegInsert-v0")
    if not wanted.no_fetch:
        fetch()


def compare(name: str) -> None:
    """Time steps of one task in four vector environments, under expert actions."""
    ours = {f"genba, {n} thread{'s'[: n - 1]}": gymnasium.make_vec(name, num_envs=ENVS, nthread=n) for n in (1, 2)}
    theirs = {mode: gymnasium.make_vec(name, num_envs=ENVS, vectorization_mode=mode) for mode in ("sync", "async")}
    actions = expert_actions(name)
    seconds = {
        kind: statistics.median(run(env, actions) for _ in range(ROUNDS)) for kind, env in (ours | theirs).items()
    }
    print(f"{name}, {ENVS} environments")
    for kind, spent in seconds.items():
        rate = ENVS * len(actions) / spent
        print(
            f"  {kind:18} {rate:8.0f} steps/s   genba with 2 threads is {spent / seconds['genba, 2 threads']:.2f} times that"
        )
    for env in (ours | theirs).values():
        env.close()


def expert_actions(name: str) -> np.ndarray:
    """Return actions (STEPS, ENVS, nu) of experts, in [-1, 1]."""
    env = TaskVectorEnv(load_task(TASKS[name]))
    taken = [e.actions for e in rollouts(env.task, range(ENVS))]
    steps = min(STEPS, *(len(a) for a in taken))
    return env.normalized(np.stack([a[:steps] for a in taken], axis=1).astype(float))


def run(env: gymnasium.vector.VectorEnv, actions: np.ndarray) -> float:
    """Return the seconds that the steps take, resets not counted."""
    if isinstance(env.unwrapped, TaskVectorEnv):
        env.reset(options={"episode_seed": range(ENVS)})
    else:
        env.reset(seed=0)
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return time.perf_counter() - start


def single(name: str) -> None:
    """Compare a single environment's step with the bare physics inside it."""
    env = TaskVectorEnv(load_task(TASKS[name]))
    actions = expert_actions(name)[:, :1]
    env.reset(options={"episode_seed": 0})
    batch = env.engine.world.batch

    def bare() -> float:
        start = time.perf_counter()
        for _ in actions:
            batch.step(nstep=env.engine.nstep)
        return time.perf_counter() - start

    def steps() -> float:
        env.reset(options={"episode_seed": 0})
        start = time.perf_counter()
        for action in actions:
            env.step(action)
        return time.perf_counter() - start

    resets = []
    for _ in range(10):
        start = time.perf_counter()
        env.reset()
        resets.append(time.perf_counter() - start)
    pairs = [(steps(), bare()) for _ in range(9)]
    slow, fast = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    print(f"{name}, one environment: step / bare physics {slow / fast:.2f}, {len(actions) / slow:.0f} steps/s,")
    print(f"  reset with a new scene {1e3 * statistics.median(resets):.1f} ms")


def fetch() -> None:
    """Measure FetchPickAndPlace in its own virtual environment."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        packages = ["gymnasium-robotics>=1.4", "mujoco<3.4"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    done = subprocess.run([python, "-c", FETCH], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"FetchPickAndPlace, MuJoCo {found['mujoco']}: step / bare physics {found['step / bare']:.2f},")
    print(f"  {found['steps/s']:.0f} steps/s, reset {found['reset ms']:.1f} ms")


if __name__ == "__main__":
    assert scenes
    main()
