"""A few episodes made for good measure: what one costs in time and bytes here, and how many succeed.

Episodes of a shard advance side by side, which shares Python's cost among them; so the pilot is one shard of a task,
made as generation makes it, pictures, compression, hashes and disk included. How much episodes differ is read off
their lengths.
"""

import dataclasses
import math
import statistics
import tempfile
import time
from pathlib import Path

from generators.config import GenerateConfig, make_config
from generators.driver import start
from generators.media_manifest import wanted_media
from generators.plan import Plan
from generators.stored import shard_episodes
from generators.worker import Job, prepare_worker, run_shard
from sim.episode import Outcome

Z = 1.96  # of a 95 % interval


@dataclasses.dataclass(frozen=True, slots=True)
class Pilot:
    """What a task's episodes cost on one core of this machine.

    Attributes:
        task: its name in the configuration.
        episodes: how many are wanted.
        lengths: control steps of the pilot's episodes.
        successes: how many of them succeeded.
        seconds: that making them took.
        bytes: of them on disk, pictures included.
        files: of a shard: its own and one for each camera.
    """

    task: str
    episodes: int
    lengths: tuple[int, ...]
    successes: int
    seconds: float
    bytes: int
    files: int

    @property
    def seconds_each(self) -> float:
        """Mean computing time of an episode, s."""
        return self.seconds / len(self.lengths)

    @property
    def bytes_each(self) -> float:
        """Mean size of an episode."""
        return self.bytes / len(self.lengths)

    @property
    def spread(self) -> float:
        """Standard deviation of an episode's cost over its mean."""
        mean = statistics.fmean(self.lengths)
        return statistics.stdev(self.lengths) / mean if len(self.lengths) > 1 and mean else 0.0

    @property
    def error(self) -> float:
        """Half width of a 95 % interval of the mean cost, over the mean."""
        return Z * self.spread / math.sqrt(len(self.lengths))

    def sizes(self) -> list[float]:
        """Return each pilot episode's cost over the mean."""
        mean = statistics.fmean(self.lengths)
        return [n / mean if mean else 1.0 for n in self.lengths]


def run_pilots(config: GenerateConfig, folder: Path, episodes: int) -> tuple[Plan, list[Pilot]]:
    """Make a few episodes of each task of a configuration.

    Args:
        config: what is asked for.
        folder: where "module:Class" tasks are looked up.
        episodes: of each task; fewer where fewer are wanted.

    Returns:
        The plan of all that is asked for, and what was measured of each task.

    Raises:
        GenbaError: a bad task, parameter or camera.
    """
    prepare_worker()
    with tempfile.TemporaryDirectory() as scratch:
        plan = start(config.model_copy(update={"out": Path(scratch) / "whole"}), folder)
        pilots = [_pilot(config, folder, Path(scratch), number, episodes) for number in range(len(config.entries()))]
    return plan, pilots


def _pilot(config: GenerateConfig, folder: Path, scratch: Path, number: int, episodes: int) -> Pilot:
    entry = config.entries()[number]
    count, out = min(episodes, entry.episodes), scratch / str(number)
    one = entry.model_copy(update={"episodes": count}).model_dump()
    asked = {"tasks": [one], "seed": config.seed, "out": out, "episodes_per_shard": count}
    plan = start(make_config(asked), folder)
    job = Job(plan.shards[0], plan, str(out), wanted_media(out, plan).get(plan.shards[0].task, ()))
    begun = time.perf_counter()
    report = run_shard(job)
    seconds = time.perf_counter() - begun
    lengths, successes = _outcomes(out, plan)
    size = report.bytes + sum(m.bytes for m in report.media)
    return Pilot(entry.task, entry.episodes, lengths, successes, seconds, size, 1 + len(report.media))


def _outcomes(out: Path, plan: Plan) -> tuple[tuple[int, ...], int]:
    with shard_episodes(out / "shards" / plan.shards[0].name, trusted=True) as episodes:
        return tuple(len(e) for e in episodes), sum(e.outcome is Outcome.SUCCESS for e in episodes)
