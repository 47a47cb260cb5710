"""Statistics of a dataset or a view of one, by task and column: as stats.json has them, or computed from the data."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from generators.capped import read_json
from generators.curation.statistics import ByColumn, Done, add_statistics, report_share, statistics_of
from generators.dataset import Dataset
from generators.manifest import STATISTICS
from generators.schema import DatasetError
from generators.stats import Stats, from_json

AGREEMENT = 1e-9  # relative, of means and deviations: float64 sums in another order
_QUANTILES = 1e-6  # of the range: they are averages over shards


def stats(dataset: Dataset, *, recompute: bool = False, done: Done | None = None) -> dict[str, ByColumn]:
    """Return the statistics of a dataset's or a view's columns.

    Means, deviations and extremes are exact to rounding, quantiles approximate.

    Args:
        dataset: all of one, or a view.
        recompute: whether to read the columns themselves; else what stats.json and the shards say is used.
        done: called with the share that is done.

    Returns:
        Task, as dataset.json names it -> column -> statistics.

    Raises:
        DatasetError: stats.json or a column is damaged.
    """
    if not recompute and _is_whole(dataset) and (dataset.folder / STATISTICS).is_file():
        return read_stats(dataset.folder)
    names = {str(t.get("task", t["name"])): str(t["name"]) for t in dataset.manifest["tasks"]}
    out: dict[str, ByColumn] = {}
    places = dataset.places
    numbers = np.unique(places[:, 0]).tolist()
    for at, number in enumerate(numbers):
        shard = dataset.shards.open(number)
        rows = np.sort(places[places[:, 0] == number, 1])
        found = statistics_of(shard, rows, stored=not recompute)
        add_statistics(out, names.get(shard.header.task, shard.header.task), found)
        report_share(done, at, numbers)
    return out


def read_stats(folder: Path) -> dict[str, ByColumn]:
    """Read a dataset's stats.json.

    Raises:
        DatasetError: it is missing or damaged.
    """
    path = folder / STATISTICS
    try:
        data = read_json(path, within=folder)
        return {task: {name: from_json(part) for name, part in parts.items()} for task, parts in data.items()}
    except FileNotFoundError:
        raise DatasetError(f"{folder} has no {STATISTICS}; give --recompute") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from None


def disagreements(said: Mapping[str, ByColumn], true: Mapping[str, ByColumn]) -> list[str]:
    """Say where statistics differ by more than rounding.

    Args:
        said: those of stats.json.
        true: those of the data.

    Returns:
        One sentence a task or column; [] where they agree.
    """
    out = [f"task {task!r} is in one of them only" for task in sorted(set(said) ^ set(true))]
    for task in (t for t in true if t in said):
        theirs, mine = said[task], true[task]
        out += [f"{task}: {column} is in one of them only" for column in sorted(set(theirs) ^ set(mine))]
        for column in sorted(set(theirs) & set(mine)):
            out += [f"{task}: {column}: {what} differs" for what in _differing(theirs[column], mine[column])]
    return out


def _differing(said: Stats, true: Stats) -> Iterator[str]:
    if said.rows().shape != true.rows().shape:
        yield "the number of numbers"
        return
    for name in ("count", "not_finite", "minimum", "maximum"):
        if not np.array_equal(getattr(said, name), getattr(true, name), equal_nan=True):
            yield name
    size = AGREEMENT * np.maximum(np.abs(true.mean), true.std)
    if not (np.abs(said.mean - true.mean) <= size).all():
        yield "mean"
    if not (np.abs(said.std - true.std) <= AGREEMENT * np.maximum(true.std, np.abs(true.mean) * 1e-6)).all():
        yield "std"
    reach = _QUANTILES * (true.maximum - true.minimum)
    apart = np.abs(said.quantiles - true.quantiles)
    if not (np.isnan(said.quantiles) == np.isnan(true.quantiles)).all() or (apart > reach).any():
        yield "quantiles"


def _is_whole(dataset: Dataset) -> bool:
    """Return whether a view has every episode of its dataset once."""
    shards = dataset.manifest["shards"]
    total = sum(b - a for s in shards for a, b in s.get("rows", [(0, int(s["episodes"]))]))
    return len(dataset) == total == len(np.unique(dataset.places, axis=0))
