"""A job's schedule on a cluster, simulated: which worker makes which shard when, and what holds them up.

An event is a worker that is free. It takes the next shard from one driver, which hands out one at a time; makes it, or
is lost on the way, whereupon the shard is handed out again and another machine takes its place; and waits for its turn
on the store's line to put it there. Everything follows from a seed.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Sequence

import numpy as np

_FREE = -1  # in place of a shard: the worker has none
HANDOUT = 0.002  # s of the driver for a shard: a round trip of a task of Ray on one machine


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """What the schedule is simulated for.

    Attributes:
        workers: shards made at a time.
        slow: share of workers that are stragglers.
        slowness: how many times as long a straggler takes.
        loss_per_day: losses of a worker in a day of its work, on the mean.
        replacement_s: until another machine takes the place of a lost one.
        upload: of the store for all workers together, bytes/s.
        handout_s: that the driver takes to hand out a shard.
    """

    workers: int
    slow: float = 0.02
    slowness: float = 3.0
    loss_per_day: float = 0.05
    replacement_s: float = 120.0
    upload: float = 10e9 / 8
    handout_s: float = HANDOUT


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """What came of it.

    Attributes:
        workers: shards made at a time.
        hours: until the last shard is on the store.
        efficiency: work over workers times time.
        lost_hours: of work that was lost with its worker.
        lost: how often that happened.
        held_up: what the workers' other time went into: "handout", "upload", "losses", "stragglers", "tail" -> share
            of all time.
    """

    workers: int
    hours: float
    efficiency: float
    lost_hours: float
    lost: int
    held_up: dict[str, float]

    @property
    def limit(self) -> str:
        """What holds up most."""
        return max(self.held_up, key=lambda name: self.held_up[name])


def simulate(seconds: Sequence[float], sizes: Sequence[float], cluster: Cluster, seed: int = 0) -> Schedule:
    """Simulate the making of shards.

    Args:
        seconds: that each takes on a worker that is not slow.
        sizes: bytes of each.
        cluster: where.
        seed: of which workers are slow and when which are lost.
    """
    rng = np.random.default_rng(seed)
    n = min(cluster.workers, len(seconds))
    pace = np.where(rng.random(n) < cluster.slow, cluster.slowness, 1.0)
    events: list[tuple[float, int, int]] = [(0.0, _FREE, worker) for worker in range(n)]  # time, shard made, worker
    queue = list(range(len(seconds) - 1, -1, -1))
    spent: dict[str, float] = dict.fromkeys(("handout", "upload", "losses", "stragglers"), 0.0)
    driver = line = lost_s = 0.0
    lost = 0
    while events:
        now, made, worker = heapq.heappop(events)
        if made != _FREE:
            line = max(line, now) + sizes[made] / cluster.upload
            spent["upload"] += line - now
            heapq.heappush(events, (line, _FREE, worker))
            continue
        if not queue:
            continue
        shard = queue.pop()
        driver = max(driver, now) + cluster.handout_s
        spent["handout"] += driver - now
        takes = seconds[shard] * float(pace[worker])
        doom = rng.exponential(86400.0 / cluster.loss_per_day) if cluster.loss_per_day else np.inf
        if doom < takes:
            queue.append(shard)
            lost, lost_s = lost + 1, lost_s + doom
            spent["losses"] += doom + cluster.replacement_s
            heapq.heappush(events, (driver + doom + cluster.replacement_s, _FREE, worker))
            continue
        spent["stragglers"] += takes - seconds[shard]
        heapq.heappush(events, (driver + takes, shard, worker))
    whole = line * cluster.workers
    work = float(np.sum(seconds))
    shares = {name: time / whole for name, time in spent.items()} if whole else dict(spent)
    shares["tail"] = max(0.0, 1.0 - (work + sum(spent.values())) / whole) if whole else 0.0
    return Schedule(cluster.workers, line / 3600, work / whole if whole else 1.0, lost_s / 3600, lost, shares)


def scaling(
    seconds: Sequence[float], sizes: Sequence[float], cluster: Cluster, workers: Sequence[int], seed: int = 0
) -> list[Schedule]:
    """Simulate the same job on clusters of several sizes."""
    return [simulate(seconds, sizes, dataclasses.replace(cluster, workers=n), seed) for n in workers]


def worthwhile(schedules: Sequence[Schedule]) -> Schedule:
    """Return the largest of some clusters, in the order of their sizes, that is worth its workers.

    It is the last one up to which every step to more workers saved at least half of what it could have.
    """
    best = schedules[0]
    for before, after in itertools.pairwise(schedules):
        could = 1.0 - before.workers / after.workers
        if before.hours <= 0 or 1.0 - after.hours / before.hours < could / 2:
            break
        best = after
    return best
