"""`genba merge`: put datasets together into one."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._derived import tell
from generators.commands._options import parse
from generators.config import ConfigError
from generators.curation.choice import Duplicates
from generators.curation.merging import merge


@dataclasses.dataclass(frozen=True)
class Options:
    """Make one dataset of all episodes of several, in their order.

    Tasks may differ; a task must have the same version in all. The shards are links to the datasets' files, or copies
    on another disk: nothing is rewritten, and the folders can be moved or deleted.

    Episodes of the same task, seed and model in two of the datasets are refused, unless they are to be dropped or kept.

    Examples:
      genba merge datasets/crane datasets/crane_more --out datasets/crane_all
      genba merge datasets/monday datasets/tuesday --out datasets/week --drop-duplicates
    """

    datasets: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET ...")]
    """The datasets' folders."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder to make; absent or empty."""
    allow_duplicates: bool = False
    """Keep episodes that an earlier dataset has too."""
    drop_duplicates: bool = False
    """Leave out episodes that an earlier dataset has too."""
    no_pictures: bool = False
    """Leave the pictures out."""
    json: bool = False
    """Print what was made as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba merge")
    if options.allow_duplicates and options.drop_duplicates:
        raise ConfigError("--allow-duplicates keeps them and --drop-duplicates drops them: give one")
    kept: Duplicates = "keep" if options.allow_duplicates else "refuse"
    with bars() as show:
        manifest = merge(
            options.datasets,
            options.out,
            duplicates="drop" if options.drop_duplicates else kept,
            pictures=not options.no_pictures,
            done=lambda share: show("merge", share),
        )
    tell(options.out, manifest, as_json=options.json)
    return 0
