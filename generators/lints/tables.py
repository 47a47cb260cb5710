"""episodes.parquet and stats.json against the shards that they summarize; runs in a child process.

Both honour the rows that a derived dataset chooses. Findings are (lint, file, column, message).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.capped import FileError, read_json
from generators.curation.statistics import statistics_of
from generators.dataset import Dataset
from generators.lints.values import same
from generators.reader import Shard, read_table
from generators.schema import TABLE, DatasetError
from generators.stats import QUANTILES, Stats, merge_all
from sim.errors import describe_error

Array = NDArray[Any]
Found = Iterator[tuple[str, str, str, str]]

STATISTICS = "stats.json"
ENOUGH = 4  # episodes with steps: fewer cannot show that a value never changes


def check_tables(folder: Path) -> dict[str, Any]:
    """Compare a dataset's tables with its shards.

    Args:
        folder: the dataset's; its shards have been read through and are right.

    Returns:
        findings, (lint, file, column, message) each.
    """
    found: list[tuple[str, str, str, str]] = []
    try:
        with Dataset(folder) as data:
            if (folder / TABLE).is_file():
                found += _table(data)
            if (folder / STATISTICS).is_file():
                found += _statistics(data, folder / STATISTICS)
    except (DatasetError, LookupError, TypeError, ValueError, OSError, MemoryError) as error:
        found.append(("table-differs", TABLE, "", describe_error(error)))
    return {"findings": found}


def _table(data: Dataset) -> Found:
    try:
        table = data.table()
    except (DatasetError, OSError) as error:
        yield "table-differs", TABLE, "", str(error)
        return
    expected = _expected(data)
    optional = {"source"} if "sources" not in data.manifest else set[str]()
    for name in sorted(set(expected) - set(table.column_names) - optional):
        yield "table-differs", TABLE, name, "it is missing"
    for name in table.column_names:
        if name not in expected:
            yield "table-differs", TABLE, name, "the shards have no such column"
            continue
        said, true = table.column(name).to_pylist(), expected[name]
        wrong = [i for i, (a, b) in enumerate(zip(said, true, strict=True)) if a != b]
        if wrong:
            i = wrong[0]
            message = (
                f"{len(wrong)} rows are not what the shards say; row {i} is {said[i]!r:.60}, expected {true[i]!r:.60}"
            )
            yield "table-differs", TABLE, name, message


def _expected(data: Dataset) -> dict[str, list[Any]]:
    """Return what each column of the table must hold; None where a task lacks a parameter."""
    out: dict[str, list[Any]] = {}
    places, shards = data.places, data.manifest["shards"]
    several = len(data.manifest.get("tasks", ())) > 1
    for number in dict.fromkeys(places[:, 0].tolist()):
        shard = data.shards.open(number)
        mine = np.flatnonzero(places[:, 0] == number)
        rows = places[mine, 1]
        columns = read_table(shard, prefix=_named(data.manifest, shard) if several else "")
        if "source" in shards[number]:
            source = data.manifest["sources"][int(shards[number]["source"])]
            columns["source"] = np.full(len(shard), source["dataset_id"])
        for name, values in columns.items():
            column = out.setdefault(name, [None] * len(data))
            for i, value in zip(mine.tolist(), values[rows].tolist(), strict=True):
                column[i] = value
    return out


def _named(manifest: Mapping[str, Any], shard: Shard) -> str:
    """Return a shard's task by the name that dataset.json gives it."""
    name = shard.header.task
    return next((str(t["name"]) for t in manifest.get("tasks", ()) if name in (t.get("task"), t["name"])), name)


def _statistics(data: Dataset, path: Path) -> Found:
    try:
        said = read_json(path, within=data.folder)
        if not isinstance(said, dict) or not all(isinstance(part, dict) for part in said.values()):
            raise FileError("it is no mapping of tasks to columns")
    except (OSError, ValueError) as error:
        yield "stats-differ", STATISTICS, "", describe_error(error)
        return
    numbers: dict[str, list[int]] = {}
    for number in dict.fromkeys(data.places[:, 0].tolist()):
        numbers.setdefault(_named(data.manifest, data.shards.open(number)), []).append(number)
    for task in sorted(set(said) ^ set(numbers)):
        yield "stats-differ", STATISTICS, "", f"task {task!r} is {'missing' if task in numbers else 'in no shard'}"
    for task in sorted(set(said) & set(numbers)):
        rows = [data.places[data.places[:, 0] == number, 1] for number in numbers[task]]
        whole = all(len(r) == len(data.shards.open(n)) for n, r in zip(numbers[task], rows, strict=True))
        found = _summed(data, numbers[task], rows)
        for column in sorted(set(said[task]) ^ set(found)):
            yield "stats-differ", STATISTICS, column, "it is missing" if column in found else "no shard has it"
        for column in sorted(set(said[task]) & set(found)):
            if not _agrees(said[task][column], found[column], quantiles=whole):
                yield "stats-differ", STATISTICS, column, "they are not the statistics of the shards' values"
        ran = sum(
            int((data.shards.open(n).index("length")[r] > 0).sum()) for n, r in zip(numbers[task], rows, strict=True)
        )
        if ran >= ENOUGH:
            yield from _constant(data.shards.open(numbers[task][0]), found)


def _summed(data: Dataset, numbers: Sequence[int], rows: Sequence[Array]) -> dict[str, Stats]:
    """Return the statistics of the chosen rows of some shards of one task, by column."""
    parts: dict[str, list[Stats]] = {}
    for number, chosen in zip(numbers, rows, strict=True):
        for name, part in statistics_of(data.shards.open(number), chosen).items():
            parts.setdefault(name, []).append(part)
    return {name: merge_all(part) for name, part in parts.items()}


def _agrees(said: Any, found: Stats, *, quantiles: bool) -> bool:  # noqa: ANN401 - JSON
    """Return whether plain data says the same as statistics; quantiles of a choice of rows are approximate."""
    try:
        rows = [_numbers(said[name]) for name in ("count", "not_finite", "mean", "m2", "min", "max")]
        rows += [_numbers(said["quantiles_approximate"][f"{q:g}"]) for q in QUANTILES]
        std = _numbers(said["std"])
        read = np.array(rows)
    except (KeyError, TypeError, ValueError):
        return False
    true = found.rows()
    if read.shape != true.shape or std.shape != found.std.shape:
        return False
    if not quantiles:
        read[6:] = true[6:]
    size = np.maximum(np.nan_to_num(np.fmax(np.abs(found.minimum), np.abs(found.maximum))), 1e-30)
    return same(read, true, found) and bool((np.abs(std - found.std) <= 1e-9 * size).all())


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _constant(shard: Shard, found: Mapping[str, Stats]) -> Found:
    """Find numbers that are the same in every episode though nothing declares that they are; bits may be."""
    for column, part in found.items():
        if not column.startswith(("obs/", "steps/action")):
            continue
        feature, dim = shard.attributes["features"][column], len(part.count)
        low, high = (feature.get(name, [None] * dim) for name in ("low", "high"))
        bounds = list(zip(low, high, strict=True))
        declared = np.array([a is not None and (a == b or (a, b) == (0, 1)) for a, b in bounds])
        still = np.flatnonzero(part.constant & (part.count > 1) & ~declared)
        if len(still):
            i, more = int(still[0]), f", as are {len(still) - 1} more" if len(still) > 1 else ""
            yield "zero-variance", STATISTICS, column, f"number {i} is {part.mean[i]:g} everywhere{more}"
