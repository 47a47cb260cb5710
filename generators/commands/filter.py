"""`genba filter`: keep the episodes of a dataset that a query describes."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._derived import tell
from generators.commands._options import parse
from generators.curation.filter import filter_dataset


@dataclasses.dataclass(frozen=True)
class Options:
    """Make a dataset of the episodes of another that a query describes.

    The query names columns of episodes.parquet (outcome, failure, length, return, task ...) and parameters, by their
    names or clear ends of them, with == != < <= > >= in, and or not, + - * / abs(). It is parsed, never executed. A
    name with other signs goes into `backquotes`; params.length is the parameter where a column has its name.

    The shards are links to the dataset's files, or copies on another disk: nothing is rewritten, and either folder can
    be moved or deleted.

    Examples:
      genba filter datasets/crane 'outcome == "success"' --out datasets/crane_good
      genba filter datasets/crane '0.1 <= friction < 0.3 and failure in ["", "strike"]' --out datasets/crane_dry
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    query: Annotated[str, tyro.conf.Positional]
    """Which episodes."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder to make; absent or empty."""
    no_pictures: bool = False
    """Leave the pictures out."""
    json: bool = False
    """Print what was made as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba filter")
    with bars() as show:
        manifest = filter_dataset(
            options.dataset,
            options.query,
            options.out,
            pictures=not options.no_pictures,
            done=lambda share: show("filter", share),
        )
    tell(options.out, manifest, as_json=options.json)
    return 0
