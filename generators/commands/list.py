"""`genba list`: the tasks there are."""

import dataclasses
import json

from generators.commands._options import parse
from generators.commands._tables import print_table
from scenes.catalog import load_task, task_names, task_summary
from sim.errors import TaskError


@dataclasses.dataclass(frozen=True)
class Options:
    """List the tasks that come with genba; your own are addressed as module:Class.

    Examples:
      genba list
      genba list --json
    """

    json: bool = False
    """Print the list as JSON."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What is told of one task."""

    name: str
    summary: str
    version: int | None
    horizon_s: float | None
    phases: tuple[str, ...]
    error: str


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba list")
    rows = [_row(name) for name in task_names()]
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], ensure_ascii=False, indent=1))
        return 0
    headers = ("task", "summary", "horizon", "phases")
    print_table("", headers, [(r.name, r.summary, _horizon(r), r.error or ", ".join(r.phases)) for r in rows])
    return 0


def _row(name: str) -> Row:
    """Describe one task; a task that cannot be loaded is listed with its error."""
    try:
        task = load_task(name)
    except TaskError as error:
        return Row(name, task_summary(name), None, None, (), str(error))
    return Row(name, task_summary(name), task.version, task.horizon_s, task.phases, "")


def _horizon(row: Row) -> str:
    return "" if row.horizon_s is None else f"{row.horizon_s:g} s"
