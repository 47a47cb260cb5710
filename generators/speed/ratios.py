"""How fast genba is here, as ratios of what was measured in the same run: absolute times say more about the machine.

Every pair is measured alternately, several rounds, and the medians are compared.
"""

import dataclasses
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from mujoco.batch import Batch

from generators import driver
from generators.config import make_config
from generators.reader import file_sha256
from generators.speed.bare import BarePhysics
from generators.worker import Job, prepare_worker, run_shard
from scenes.catalog import load_task
from sim import parameters
from sim.engine import scenario
from sim.rollout import rollouts
from sim.seeds import episode_seed
from sim.vector_env import TaskVectorEnv

ENVS = 32  # in a vector environment
DEGRADED = 0.15  # share of worse experts in what is generated


@dataclasses.dataclass(frozen=True, slots=True)
class Ratio:
    """One measured ratio.

    Attributes:
        name: what over what.
        value: the median.
        target: the figure aimed at, with its sense: ">= 0.88" or "<= 1.04".
        note: the figures behind it.
    """

    name: str
    value: float
    target: str
    note: str

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        sense, bound = self.target.split()
        return self.value >= float(bound) if sense == ">=" else self.value <= float(bound)


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        episodes: per round.
        rounds: of each pair.
        shards: made by two workers, of an eighth of the episodes each.
        steps: of vector environments.
    """

    episodes: int = 24
    rounds: int = 2
    shards: int = 8
    steps: int = 100


def measure(task_name: str, size: Size) -> Iterator[Ratio]:
    """Measure everything with one task, figure by figure."""
    for figure in (generation, recording, two_workers, reset, pooled_reset, vector_step):
        yield figure(task_name, size)
    for figure in (verification, import_time, help_time):
        yield figure(size)


def generation(task_name: str, size: Size) -> Ratio:
    """Compare making a shard (expert, telemetry, hashes, fsync) with bare `mj_step` of the same substeps."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(task_name, size.episodes, Path(folder) / "data")
        seeds = [episode_seed(job.plan.seed, n) for n in range(size.episodes)]
        task = load_task(task_name)
        bare = BarePhysics(task, rollouts(task, seeds, degraded=DEGRADED))

        def generate() -> None:
            job.path.unlink(missing_ok=True)
            run_shard(job)

        slow, fast = alternate(generate, bare.run, size.rounds)
    per_step = fast / bare.substeps * 1e6
    note = f"{bare.substeps / slow:.0f} substeps/s to disk; {per_step:.1f} us a bare substep"
    return Ratio(
        f"generation to disk / bare mj_step ({task_name})", fast / slow, ">= 0.88" if per_step > 25 else ">= 0.5", note
    )


def recording(task_name: str, size: Size) -> Ratio:
    """Compare rolling out with recording and without."""
    task, seeds = load_task(task_name), range(size.episodes)
    on, off = alternate(lambda: rollouts(task, seeds), lambda: rollouts(task, seeds, record=False), size.rounds)
    return Ratio(f"recording on / off ({task_name})", on / off, "<= 1.04", f"{on:.2f} s / {off:.2f} s")


def two_workers(task_name: str, size: Size) -> Ratio:
    """Compare what a second worker gains with what it gains for bare physics on the same cores."""
    each = max(1, size.episodes // 8)
    with tempfile.TemporaryDirectory() as folder:
        config = {"task": task_name, "episodes": each * size.shards, "episodes_per_shard": each}
        plan = driver.start(make_config(config | {"out": f"{folder}/data"}), Path.cwd())
        jobs = [Job(shard, plan, f"{folder}/data") for shard in plan.shards]
        ours = gain(_fresh_shard, jobs, size)
    theirs = gain(functools.partial(_bare_job, task_name), [each] * size.shards, size)
    note = f"two workers give {ours:.2f} times one; two processes of bare physics {theirs:.2f}"
    return Ratio("gain by a second worker / by a second bare process", ours / theirs, ">= 0.97", note)


def reset(task_name: str, size: Size) -> Ratio:
    """Measure a fully randomized reset: sample, build, compile."""
    task = load_task(task_name)

    def build(seed: int) -> float:
        start = time.perf_counter()
        scenario(task, parameters.sample(task.Params, seed), seed)
        return (time.perf_counter() - start) * 1e3

    value = statistics.median(build(seed) for seed in range(8 * size.rounds))
    return Ratio(f"randomized reset, ms ({task_name})", value, "<= 15", "sample + build + compile")


def pooled_reset(task_name: str, size: Size) -> Ratio:
    """Measure a reset of an environment that draws from precompiled models."""
    env = TaskVectorEnv(load_task(task_name), ENVS, pool=ENVS, nthread=1)
    env.reset(seed=0)
    value = statistics.median(timed(env.reset) for _ in range(20 * size.rounds)) / ENVS * 1e6
    return Ratio(f"randomized reset from a pool, us ({task_name})", value, "<= 50", f"{ENVS} environments at once")


def vector_step(task_name: str, size: Size) -> Ratio:
    """Compare a vector environment's step, all included, with `Batch.step` of the same controls; expert actions."""
    task = load_task(task_name)
    taken = [e.actions for e in rollouts(task, range(ENVS))]
    steps = min(size.steps, *(len(a) for a in taken))
    env = TaskVectorEnv(task, ENVS, nthread=1)
    actions = env.normalized(np.stack([a[:steps] for a in taken], axis=1))
    env.reset(options={"episode_seed": range(ENVS)})
    world = env.engine.world
    batch = Batch(world.scenarios[0].model, ENVS, 1, persistent=True)
    batch.set_models([s.model for s in world.scenarios])
    start, controls = world.integration(), np.zeros((steps, *world.ctrl.shape))

    def ours() -> float:
        env.reset(options={"episode_seed": range(ENVS)})
        spent = 0.0
        for t in range(steps):
            spent += timed(functools.partial(env.step, actions[t]))
            controls[t] = world.ctrl
        return spent

    def bare() -> float:
        batch.state[:] = start
        batch.forward()
        return timed(lambda: [(np.copyto(batch.ctrl, row), batch.step(nstep=env.engine.nstep)) for row in controls])

    ours()
    slow, fast = np.median([(ours(), bare()) for _ in range(max(3, size.rounds))], axis=0)
    each = fast / steps / ENVS / env.engine.nstep * 1e6
    note = f"{ENVS} environments: {ENVS * steps / slow:.0f} steps/s, {each:.1f} us a bare substep"
    return Ratio(f"vector environment step / Batch.step ({task_name})", fast / slow, ">= 0.92", note)


def verification(size: Size) -> Ratio:
    """Measure how fast a finished dataset is verified, against reading it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(np.random.default_rng(0).bytes(256_000_000))
        file.flush()
        path = Path(file.name)
        seconds = statistics.median(timed(lambda: file_sha256(path)) for _ in range(size.rounds))
    return Ratio("verification, MB/s", 256 / seconds, ">= 500", "sha256 of shards at rest")


def import_time(size: Size) -> Ratio:
    """Compare `import sim` (with all its modules) with `import mujoco`."""
    ours, theirs = alternate(_python("import sim.rollout, sim.replay"), _python("import mujoco"), 2 * size.rounds)
    return Ratio("import sim, every module / import mujoco", ours / theirs, "<= 1.15", f"{ours:.2f} s / {theirs:.2f} s")


def help_time(size: Size) -> Ratio:
    """Compare `genba --help` with `import mujoco`."""
    code = "import sys; from generators.cli import main; sys.exit(main(['--help']))"
    ours, theirs = alternate(_python(code), _python("import mujoco"), 2 * size.rounds)
    return Ratio("genba --help / import mujoco", ours / theirs, "<= 0.7", f"{ours:.2f} s / {theirs:.2f} s")


@functools.cache
def _bare(task_name: str, episodes: int) -> BarePhysics:
    task = load_task(task_name)
    return BarePhysics(task, rollouts(task, range(episodes)))


def _bare_job(task_name: str, episodes: int) -> float:
    bare = _bare(task_name, episodes)
    return timed(bare.run)


def _job(task_name: str, episodes: int, out: Path) -> Job:
    given = {"task": task_name, "episodes": episodes, "episodes_per_shard": episodes, "degraded": DEGRADED}
    config = make_config(given | {"out": str(out)})
    plan = driver.start(config, Path.cwd())
    return Job(plan.shards[0], plan, str(out))


def _fresh_shard(job: Job) -> None:
    job.path.unlink(missing_ok=True)
    run_shard(job)


def gain(work: Callable[[Any], object], jobs: Sequence[object], size: Size) -> float:
    """Return one worker's time over two workers' for some jobs, at least two, not counting their start."""
    pools = [ProcessPoolExecutor(n, get_context("spawn"), initializer=prepare_worker) for n in (1, 2)]
    try:
        for workers, pool in enumerate(pools, 1):
            list(pool.map(functools.partial(_warm, work), jobs[:workers]))  # two never write one shard
        one, two = alternate(*(lambda p=p: list(p.map(work, jobs)) for p in pools), rounds=max(1, size.rounds // 2))
        return one / two
    finally:
        for pool in pools:
            pool.shutdown()


def _warm(work: Callable[[Any], object], job: object) -> None:
    work(job)
    time.sleep(2.0)  # long enough for every worker to take one


def _python(code: str) -> Callable[[], object]:
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)


def timed(function: Callable[[], object]) -> float:
    """Return how long a function takes, s."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(a: Callable[[], object], b: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median times of two functions, measured in turn after one round of warming up."""
    a()
    b()
    times = [(timed(a), timed(b)) for _ in range(rounds)]
    return statistics.median(x for x, _ in times), statistics.median(y for _, y in times)
