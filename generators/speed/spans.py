"""What workers did when: pieces of work with beginning and end, on the clock that all processes of a machine share.

A piece's amount is spread evenly over its time, so that a window of time counts work and not whole pieces.
"""

import dataclasses
import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A piece of work.

    Attributes:
        worker: the process.
        kind: of work.
        start: when it began, s.
        end: when it was done, s.
        amount: how much it was.
    """

    worker: int
    kind: str
    start: float
    end: float
    amount: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


def spanned(kind: str, work: Callable[[], float]) -> Span:
    """Do a piece of work, which returns how much it was."""
    start = time.perf_counter()
    amount = work()
    return Span(os.getpid(), kind, start, time.perf_counter(), amount)


def by_worker(spans: Sequence[Span]) -> list[list[Span]]:
    """Return each worker's spans in the order of time."""
    ordered = sorted(spans, key=lambda s: (s.worker, s.start))
    return [list(part) for _, part in itertools.groupby(ordered, key=lambda s: s.worker)]


def rate(spans: Sequence[Span], kind: str) -> float:
    """Return how much of one kind all workers do in a second, pauses included.

    A worker's clock begins when what it did before is done, so that the very first piece only warms up. One that did
    none of it adds nothing.

    Raises:
        ValueError: no worker did any of it after its first piece.
    """
    total = 0.0
    for own in by_worker(spans):
        following = [(before, one) for before, one in itertools.pairwise(own) if one.kind == kind]
        if following:
            total += sum(one.amount for _, one in following) / (following[-1][1].end - following[0][0].end)
    if not total:
        raise ValueError(f"no worker did any {kind!r} after its first piece")
    return total


def pauses(spans: Sequence[Span]) -> list[float]:
    """Return how long each worker waited between one piece and the next, s."""
    return [b.start - a.end for own in by_worker(spans) for a, b in itertools.pairwise(own)]


def windows(spans: Sequence[Span], start: float, end: float, count: int) -> list[float]:
    """Return how much was done a second in each of `count` equal windows of time."""
    length = (end - start) / count
    done = [0.0] * count
    for span in spans:
        for k in range(count):
            low, high = start + k * length, start + (k + 1) * length
            overlap = min(span.end, high) - max(span.start, low)
            if overlap > 0:
                done[k] += span.amount * overlap / span.seconds
    return [amount / length for amount in done]


def slope(x: Sequence[float], y: Sequence[float], blocks: int = 20) -> tuple[float, float]:
    """Return the slope of y over x and its standard error.

    Neighbouring samples tell the same; the line goes through the means of blocks of them, which hardly do.

    Raises:
        ValueError: there are fewer than three samples.
    """
    if len(x) < 3:
        raise ValueError(f"a slope and its error need three samples, got {len(x)}")
    blocks = min(blocks, len(x))
    edges = [len(x) * k // blocks for k in range(blocks + 1)]
    u, v = ([statistics.fmean(z[a:b]) for a, b in itertools.pairwise(edges)] for z in (x, y))
    centre, middle = statistics.fmean(u), statistics.fmean(v)
    spread = sum((a - centre) ** 2 for a in u)
    if not spread:
        raise ValueError("a slope needs samples at different places")
    found = sum((a - centre) * (b - middle) for a, b in zip(u, v, strict=True)) / spread
    left = sum((b - middle - found * (a - centre)) ** 2 for a, b in zip(u, v, strict=True))
    return found, (left / (blocks - 2) / spread) ** 0.5
