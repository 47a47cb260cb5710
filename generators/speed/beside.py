"""Two Ray workers beside two bare processes on the same cores, in turn, and what Ray takes of each shard's time.

In each round a Ray of our own is started, works through its jobs and ends before the bare processes have their turn, so
that Ray's own processes take their share of the cores from Ray's workers and from nobody else. The bare processes have
a turn before each round of Ray and after it, so that a machine that grows slower or faster favours neither. What counts
is the work done a second once all workers are there and warm: pauses between two jobs count, the start of Ray is told
apart.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from generators import driver
from generators.config import make_config
from generators.executors import results
from generators.on_ray import run_ray
from generators.speed.bare import BarePhysics
from generators.speed.processes import family
from generators.speed.ratios import DEGRADED, Ratio
from generators.speed.spans import Span, by_worker, pauses, rate, spanned
from generators.worker import Job, prepare_worker, run_shard
from scenes.catalog import load_task
from sim.rollout import rollouts
from sim.seeds import episode_seed

WORKERS = 2
BARE, SHARD = "bare", "shard"  # kinds of work
_WARM = "warm"
_COMES_S = 60.0  # in which every worker of a Ray has been started


@dataclasses.dataclass(frozen=True, slots=True)
class Turns:
    """How much is measured.

    Attributes:
        rounds: of Ray and the bare processes in turn.
        jobs: of bare work for each worker in a turn, besides one that warms up.
        episodes: of bare physics in a job.
        shard: episodes of a shard.
    """

    rounds: int = 5
    jobs: int = 4
    episodes: int = 3
    shard: int = 25  # as a dataset of 100 has


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work that any process can do.

    Attributes:
        kind: of it.
        work: does it and returns how much it was.
    """

    kind: str
    work: Callable[[], float]


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What Ray did in a round.

    Attributes:
        spans: the pieces of work.
        latencies: from a piece's end until this process has its result, s.
        started: until the first result, that piece's own time not counted, s.
        daemons: processors that Ray's own processes and this one kept busy meanwhile.
    """

    spans: list[Span]
    latencies: list[float]
    started: float
    daemons: float


def measure_ray(task_name: str, turns: Turns) -> Iterator[Ratio]:
    """Measure Ray with one task: as an engine for bare physics, what it takes of a shard, and shards as they come."""
    task = load_task(task_name)
    seeds = tuple(episode_seed(0, n) for n in range(turns.shard))
    part = seeds[: turns.episodes]
    bare = [Piece(BARE, functools.partial(_step, task_name, part, Path.cwd()))] * (1 + turns.jobs)
    whole = Piece(SHARD, functools.partial(_step, task_name, seeds, Path.cwd()))
    with tempfile.TemporaryDirectory() as folder, two_processes() as processes:
        jobs = _jobs(task_name, turns.shard, Path(folder))
        shards = [Piece(SHARD, functools.partial(make_shard, job)) for job in jobs]
        ours, theirs = in_turn(turns.rounds, functools.partial(ray_round, bare), functools.partial(processes, bare))
        made = ray_round(bare[:1], shards)
        physics = _warmed(processes([whole] * 2))
    yield engine("bare physics", task.name, ours, theirs)
    yield overhead(task.name, [*ours, made], turns.shard)
    yield shards_beside("two Ray workers' shards / two bare processes of physics", task.name, made, physics)


def engine(what: str, where: str, ours: Sequence[Round], theirs: Sequence[Sequence[Span]]) -> Ratio:
    """Compare how fast two Ray workers and two bare processes do the same bare work."""
    rays, bares = [rate(r.spans, BARE) for r in ours], [rate(spans, BARE) for spans in theirs]
    each = [ray / statistics.fmean(around) for ray, around in zip(rays, itertools.pairwise(bares), strict=True)]
    note = (
        f"{statistics.median(rays):.0f}/s and {statistics.median(bares):.0f}/s; {len(each)} rounds: {min(each):.3f} to "
        f"{max(each):.3f}, the bare processes alone {min(bares):.0f} to {max(bares):.0f}/s; Ray's own processes and "
        f"the driver keep {statistics.median(r.daemons for r in ours):.1%} of a processor busy"
    )
    return Ratio(f"{what}, two Ray workers / two bare processes ({where})", statistics.median(each), ">= 0.97", note)


def shards_beside(what: str, where: str, ours: Round, theirs: Sequence[Span], unit: str = "control steps") -> Ratio:
    """Compare the shards that two Ray workers make with bare work of the same episodes."""
    made, bare = rate(ours.spans, SHARD), rate(theirs, BARE)
    note = f"{made:.0f} {unit}/s to disk / {bare:.0f} bare, of the same episodes"
    return Ratio(f"{what} ({where})", made / bare, ">= 0.97", note)


def overhead(where: str, ours: Sequence[Round], episodes: int) -> Ratio:
    """Compare what Ray adds to a shard, from handing it out until its result is here, with the shard's own time."""
    waits = [pause for r in ours for pause in pauses(r.spans)]
    late = [delay for r in ours for delay in r.latencies]
    own = statistics.fmean(s.seconds for r in ours for s in r.spans if s.kind == SHARD)
    wait, result = 1e3 * statistics.fmean(waits), 1e3 * statistics.fmean(late)
    note = (
        f"{wait + result:.1f} ms of {own:.1f} s ({episodes} episodes): {wait:.1f} ms between two shards of a worker "
        f"(at most {1e3 * max(waits):.0f}), {result:.1f} ms for a result; starting Ray and its workers takes "
        f"{statistics.median(r.started for r in ours):.1f} s once"
    )
    return Ratio(
        f"what Ray adds to a shard / the shard's own time, % ({where})", (wait + result) / own / 10, "<= 2", note
    )


def in_turn(
    rounds: int, ray: Callable[[], Round], bare: Callable[[], list[Span]]
) -> tuple[list[Round], list[list[Span]]]:
    """Give Ray so many rounds, and the bare processes a turn before each and after it."""
    ours: list[Round] = []
    theirs = [bare()]
    for _ in range(rounds):
        ours.append(ray())
        theirs.append(bare())
    return ours, theirs


def ray_round(each: Sequence[Piece], more: Sequence[Piece] = ()) -> Round:
    """Have two Ray workers do some pieces of work.

    Args:
        each: what every worker does; the first warms it up, and begins when all workers are there.
        more: what they share.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = Piece(_WARM, functools.partial(_when_all_are_there, Path(folder), each[0].work))
        return _round([*[first] * WORKERS, *[*each[1:]] * WORKERS, *more])


def _when_all_are_there(folder: Path, work: Callable[[], float]) -> float:
    """Do a piece of work when every worker has come this far, or does not come."""
    (folder / f"{os.getpid()}").touch()
    until = time.monotonic() + _COMES_S
    while sum(1 for _ in folder.iterdir()) < WORKERS and time.monotonic() < until:
        time.sleep(0.01)
    return work()


def _round(pieces: Sequence[Piece]) -> Round:
    spans: list[Span] = []
    latencies: list[float] = []
    begun = time.perf_counter()
    started, before, busy, since = 0.0, 0.0, 0.0, 0.0
    for span in results(run_ray(do, list(pieces), workers=WORKERS)):
        now = time.perf_counter()
        spans.append(span)
        if not since:
            started, since, before = now - begun - span.seconds, now, _daemons()
            continue
        latencies.append(now - span.end)
        busy = (_daemons() - before) / (now - since)
    return Round(spans, latencies, started, busy)


@contextlib.contextmanager
def two_processes() -> Generator[Callable[[Sequence[Piece]], list[Span]]]:
    """Keep two processes, each of which does all of some pieces of work, and nothing else."""
    pools = [ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare_worker) for _ in range(WORKERS)]

    def run(pieces: Sequence[Piece]) -> list[Span]:
        return [span for future in [pool.submit(_all, list(pieces)) for pool in pools] for span in future.result()]

    try:
        yield run
    finally:
        for pool in pools:
            pool.shutdown()


def do(piece: Piece) -> Span:
    """Do a piece of work."""
    return spanned(piece.kind, piece.work)


def _all(pieces: Sequence[Piece]) -> list[Span]:
    return [do(piece) for piece in pieces]


def _warmed(spans: Sequence[Span]) -> list[Span]:
    """Return the second of the two long pieces that each process did, as bare work, after the first."""
    return [
        dataclasses.replace(span, kind=kind)
        for own in by_worker(spans)
        for span, kind in zip(own[-2:], (_WARM, BARE), strict=True)
    ]


def _daemons() -> float:
    """Return for how long Ray's own processes and this one have computed, s."""
    return sum(p.computed for p in family() if not p.works)


@functools.cache
def _bare(task_name: str, seeds: tuple[int, ...], folder: Path) -> BarePhysics:
    task = load_task(task_name, folder)
    return BarePhysics(task, rollouts(task, seeds, degraded=DEGRADED))


def _step(task_name: str, seeds: tuple[int, ...], folder: Path) -> float:
    bare = _bare(task_name, seeds, folder)
    bare.run()
    return bare.steps


def make_shard(job: Job) -> float:
    """Make a shard anew; return its control steps."""
    job.path.unlink(missing_ok=True)
    return run_shard(job).steps


def _jobs(task_name: str, episodes: int, out: Path) -> list[Job]:
    """Return a shard for each worker, of the same episodes."""
    size = {"task": task_name, "episodes": episodes, "episodes_per_shard": episodes, "degraded": DEGRADED}
    plans = {n: driver.start(make_config(size | {"out": str(out / str(n))}), Path.cwd()) for n in range(WORKERS)}
    return [Job(plan.shards[0], dataclasses.replace(plan, shards=()), str(out / str(n))) for n, plan in plans.items()]
