"""`genba stats`: statistics of a dataset's columns."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._options import parse
from generators.commands._tables import print_table
from generators.curation.statistics import ByColumn
from generators.curation.summary import disagreements, read_stats, stats
from generators.dataset import Dataset
from generators.stats import QUANTILES, Stats, to_json
from sim.errors import unknown

_SHOWN = (0.03125, 0.25, 0.5, 0.75, 0.96875)  # of QUANTILES


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell count, mean, standard deviation, extremes and quantiles of each number of a dataset's columns.

    Quantiles are approximate, the rest is exact to rounding. "constant" marks a number that never varies: do not divide
    by its deviation. With --where, statistics of some episodes only.

    Exit code 0: done; 1: with --recompute, stats.json and the data disagree.

    Examples:
      genba stats datasets/crane
      genba stats datasets/crane --column obs/hook --column steps/action
      genba stats datasets/crane --where 'outcome == "success"' --json
      genba stats datasets/crane --recompute
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    column: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")
    ] = ()
    """A column, as obs/x; may be repeated [all]."""
    where: Annotated[str, tyro.conf.arg(metavar="QUERY", help_behavior_hint="")] = ""
    """Which episodes, as in `genba filter` [all]."""
    recompute: bool = False
    """Compute everything from the data, and compare stats.json with it."""
    json: bool = False
    """Print the statistics as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 1 where stats.json is wrong."""
    options = parse(Options, argv, "genba stats")
    differ: list[str] = []
    with bars() as show, Dataset(options.dataset) as data:
        view = data.where(options.where)
        found = stats(view, recompute=options.recompute, done=lambda share: show("stats", share))
        if options.recompute and not options.where:
            differ = disagreements(read_stats(options.dataset), found)
    chosen = {task: _columns(parts, options.column) for task, parts in found.items()}
    if options.json:
        plain = {task: {name: to_json(part) for name, part in parts.items()} for task, parts in chosen.items()}
        compared = {"disagreements": differ} if options.recompute and not options.where else {}
        print(json.dumps({"dataset": str(options.dataset), "episodes": len(view), "tasks": plain} | compared, indent=1))
    else:
        for task, parts in chosen.items():
            _print(task, parts)
        for sentence in differ:
            print(f"stats.json disagrees: {sentence}")
        if options.recompute and not options.where and not differ:
            print("stats.json agrees with the data")
    return 1 if differ else 0


def _columns(parts: ByColumn, wanted: tuple[str, ...]) -> ByColumn:
    for name in wanted:
        if name not in parts:
            raise unknown("column with statistics", name, parts)
    return {name: part for name, part in sorted(parts.items()) if not wanted or name in wanted}


def _print(task: str, parts: ByColumn) -> None:
    places = [QUANTILES.tolist().index(q) for q in _SHOWN]
    headers = ["column", "count", "mean", "std", "min", *(f"{q:.0%}" for q in _SHOWN), "max", ""]
    rows: list[list[str]] = []
    for name, part in parts.items():
        for i in range(len(part.count)):
            label = name if len(part.count) == 1 else f"{name}[{i}]"
            figures = [part.mean[i], part.std[i], part.minimum[i], *part.quantiles[places, i], part.maximum[i]]
            rows.append([label, str(int(part.count[i])), *(f"{v:.6g}" for v in figures), _remarks(part, i)])
    print_table(task, headers, rows)


def _remarks(part: Stats, i: int) -> str:
    words = ["constant"] if part.constant[i] and part.count[i] else []
    if part.not_finite[i]:
        words.append(f"{int(part.not_finite[i])} not finite")
    return ", ".join(words)
