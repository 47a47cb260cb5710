"""Whether memory stays flat: the resident size of every worker and of the driver over many cheap episodes on Ray."""

import dataclasses
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from generators import driver
from generators.config import make_config
from generators.on_ray import run_ray
from generators.speed.processes import family
from generators.speed.ratios import Ratio
from generators.speed.spans import slope
from generators.worker import ShardReport

EPISODES = 10_000
EVERY = 0.5  # s between two looks
_WARM = 0.1  # of the episodes, which are made before a worker has all its code and buffers


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A process's memory at some moment.

    Attributes:
        pid: the process.
        name: of it.
        done: episodes made so far, by all workers.
        rss: resident memory, MB.
    """

    pid: int
    name: str
    done: int
    rss: float


def measure_memory(task_name: str, episodes: int = EPISODES) -> Iterator[Ratio]:
    """Make a dataset with two Ray workers and tell how memory grows, process by process, MB per 1,000 episodes."""
    looks = watch(task_name, episodes)
    with_first = [look for look in looks if look.done >= _WARM * episodes]
    for pid in sorted({look.pid for look in with_first}):
        own = [look for look in with_first if look.pid == pid]
        if len(own) < 3 or own[-1].done == own[0].done:  # it came late, or went early
            continue
        found, error = slope([look.done / 1000 for look in own], [look.rss for look in own])
        name = f"memory of {'a worker' if own[0].name.startswith('ray::') else 'the driver'}"
        note = (
            f"+- {error:.3f} (one standard error), from {own[0].rss:.0f} to {own[-1].rss:.0f} MB over episodes "
            f"{own[0].done} to {own[-1].done}, {len(own)} looks"
        )
        yield Ratio(f"{name} ({pid}), MB per 1,000 episodes", found, "<= 1", note)


def watch(task_name: str, episodes: int) -> list[Look]:
    """Make a dataset with two Ray workers and look at their memory and the driver's all the while."""
    looks: list[Look] = []
    done, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            for number, process in enumerate(family()):
                if number == 0 or process.works:  # the first is the driver
                    looks.append(Look(process.pid, process.name, done[0], process.rss))

    def count(report: ShardReport) -> None:
        done[0] += report.episodes

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        plan = driver.start(make_config({"task": task_name, "episodes": episodes, "out": str(out)}), Path.cwd())
        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            driver.run(out, plan, executor=partial(run_ray, workers=2), on_report=count)
        finally:
            over.set()
            watcher.join()
    return looks
