"""`genba migrate`: bring a dataset of an earlier version up to this one."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.curation.migrate import migrate
from generators.schema import MANIFEST_VERSION


@dataclasses.dataclass(frozen=True)
class Options:
    """Rewrite dataset.json of an earlier version as this version's; nothing else is touched.

    Datasets of earlier versions are read as they are: this adds what later commands write into them.

    Examples:
      genba migrate datasets/crane --dry-run
      genba migrate datasets/crane
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    dry_run: bool = False
    """Only say what would be changed."""
    json: bool = False
    """Print the changes as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba migrate")
    changes = migrate(options.dataset, dry_run=options.dry_run)
    if options.json:
        print(json.dumps({"dataset": str(options.dataset), "dry_run": options.dry_run, "changes": changes}, indent=1))
        return 0
    for change in changes:
        print(f"  {change}")
    state = "would be changed" if options.dry_run else "is changed"
    done = f"dataset.json {state}, {len(changes)} entries" if changes else f"version {MANIFEST_VERSION} already"
    print(f"{options.dataset}: {done}")
    return 0
