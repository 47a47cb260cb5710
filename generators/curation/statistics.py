"""Statistics of chosen episodes: stored ones of shards that are taken whole, computed ones of the others, merged."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import Shard, read_statistics
from generators.schema import DERIVED, DatasetError
from generators.stats import Stats, merge, summarize

Done = Callable[[float], None]
ByColumn = dict[str, Stats]


def statistics_of(shard: Shard, rows: NDArray[np.int64], *, stored: bool = True) -> ByColumn:
    """Return the statistics of some episodes of a shard by column.

    Args:
        shard: it, open.
        rows: (n,) the episodes.
        stored: whether to take what the shard says where all of it is meant; else everything is computed.
    """
    if stored and np.array_equal(rows, np.arange(len(shard))):
        return read_statistics(shard)
    return {column: summarize(read_rows(shard, column, rows)) for column in shard.under(DERIVED)}


def read_rows(shard: Shard, column: str, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Read the rows of some episodes of a column outside /episodes, in their order."""
    spans: list[list[int]] = []
    for start, stop in (shard.span(column, row) for row in rows.tolist()):
        if spans and spans[-1][1] == start:
            spans[-1][1] = stop
        elif stop > start:
            spans.append([start, stop])
    if len(spans) == 1:
        return shard.read(column, *spans[0])
    return np.concatenate([shard.read(column, 0, 0), *(shard.read(column, a, b) for a, b in spans)])


def add_statistics(total: dict[str, ByColumn], task: str, more: ByColumn) -> None:
    """Merge a shard's statistics into a dataset's.

    Raises:
        DatasetError: a column has another number of numbers in this shard.
    """
    mine = total.setdefault(task, {})
    for column, part in more.items():
        if column in mine and mine[column].count.shape != part.count.shape:
            widths = f"{mine[column].count.shape[0]} and {part.count.shape[0]}"
            raise DatasetError(f"task {task!r}: column {column!r} has {widths} numbers in two of the datasets")
        mine[column] = merge(mine[column], part) if column in mine else part


def report_share(done: Done | None, at: int, parts: Sequence[Any]) -> None:
    """Tell how much is done, where anybody asks."""
    if done is not None:
        done((at + 1) / max(1, len(parts)))
