"""Whether full load can be kept up: two Ray workers make shards for a given time, and its tenths are compared.

A shard's steps are spread over the time that it took, so that a tenth counts work and not whole shards. Every shard is
of other episodes, and deleted when it has been written and hashed. After each its worker times a plain model for a
moment, which tells a machine that slows down from a genba that does.
"""

import dataclasses
import functools
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from generators import driver
from generators.config import make_config
from generators.executors import results
from generators.on_ray import run_ray
from generators.speed.physics import ReferenceModel
from generators.speed.ratios import DEGRADED, Ratio
from generators.speed.spans import Span, by_worker, windows
from generators.worker import Job, run_shard

WORKERS = 2
TENTHS = 10
EACH = 8  # episodes of a shard: some seconds
_MANY = 100_000  # shards; more than anybody waits for
_LOOK = 0.05  # s of the reference after each shard


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A shard that was made.

    Attributes:
        span: when, and how many control steps.
        reference: substeps of the reference model in a second, just after.
    """

    span: Span
    reference: float


@dataclasses.dataclass(frozen=True, slots=True)
class Soak:
    """What came of it.

    Attributes:
        rates: control steps a second in each tenth of the time.
        reference: the reference model's substeps a second in each tenth.
        minutes: that were counted.
        shards: that were made.
    """

    rates: list[float]
    reference: list[float]
    minutes: float
    shards: int


def measure_soak(task_name: str, minutes: float) -> Iterator[Ratio]:
    """Keep two Ray workers at work for some minutes and compare the last tenth of the time with the first."""
    found = soak(task_name, minutes)
    change = 100 * (found.rates[-1] / found.rates[0] - 1)
    plain = 100 * (found.reference[-1] / found.reference[0] - 1)
    note = (
        f"{change:+.2f} % (a plain model {plain:+.2f} %); control steps/s by tenths of {found.minutes:.1f} min, "
        f"{found.shards} shards: {' '.join(f'{r:.0f}' for r in found.rates)}"
    )
    yield Ratio(f"change of throughput, last tenth / first, % ({task_name})", abs(change), "<= 3", note)


def soak(task_name: str, minutes: float) -> Soak:
    """Keep two Ray workers at work for some minutes; each one's first shard does not count."""
    with tempfile.TemporaryDirectory() as folder:
        made = list(_load(task_name, minutes, Path(folder) / "set"))
    own = by_worker([one.span for one in made])
    start, end = max(spans[0].end for spans in own), min(spans[-1].end for spans in own)
    rates = windows([one.span for one in made], start, end, TENTHS)
    return Soak(rates, _references(made, start, end), (end - start) / 60, len(made))


def _load(task_name: str, minutes: float, out: Path) -> Iterator[Made]:
    size = {"task": task_name, "episodes": EACH * _MANY, "episodes_per_shard": EACH, "degraded": DEGRADED}
    plan = driver.start(make_config(size | {"out": str(out)}), Path.cwd())
    lean = dataclasses.replace(plan, shards=())
    jobs = [Job(shard, lean, str(out)) for shard in plan.shards]
    made: list[Made] = []
    for one in results(run_ray(_make, jobs, workers=WORKERS, stop=functools.partial(_over, made, 60 * minutes))):
        made.append(one)
        yield one


def _over(made: Sequence[Made], seconds: float) -> bool:
    """Return whether every worker has made more than its first shard, the last to begin for long enough."""
    own = by_worker([one.span for one in made])
    return len(own) == WORKERS and min(spans[-1].end for spans in own) > max(spans[0].end for spans in own) + seconds


def _make(job: Job) -> Made:
    """Make a shard, delete it, and time the reference."""
    start = time.perf_counter()
    steps = run_shard(job).steps
    end = time.perf_counter()
    job.path.unlink()
    job.report_path.unlink()
    return Made(Span(os.getpid(), "shard", start, end, steps), _reference().rate(_LOOK))


@functools.cache
def _reference() -> ReferenceModel:
    return ReferenceModel()


def _references(made: Sequence[Made], start: float, end: float) -> list[float]:
    """Return the reference's median rate in each tenth; where a tenth has none, the one before it."""
    edges = [start + (end - start) * k / TENTHS for k in range(TENTHS + 1)]
    out: list[float] = []
    for low, high in itertools.pairwise(edges):
        here = [one.reference for one in made if low <= one.span.end <= high]
        out.append(statistics.median(here) if here else out[-1] if out else made[0].reference)
    return out
