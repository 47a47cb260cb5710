"""`genba split`: divide a dataset into parts by groups."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._derived import outcomes_text
from generators.commands._options import parse
from generators.commands._tables import print_table
from generators.config import ConfigError
from generators.curation.split import split


@dataclasses.dataclass(frozen=True)
class Options:
    """Divide a dataset into parts for training, validation and test: OUT/<part> each, and OUT/split.json.

    Groups are never divided. By default a group is a scene, one task with one model. --by names columns or parameters
    instead; NAME:BINS cuts a number's range into bins of equal width, so that whole ranges go to one part. The same
    seed gives the same parts. `genba validate OUT` looks for leaks between the parts.

    Examples:
      genba split datasets/crane --out datasets/crane_split
      genba split datasets/crane --out datasets/crane_split --shares train=0.9,test=0.1 --by friction:10
      genba split datasets/crane --out datasets/crane_split --by task steel --seed 7
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder to make; absent or empty."""
    shares: Annotated[str, tyro.conf.arg(metavar="NAME=SHARE,...")] = "train=0.8,val=0.1,test=0.1"
    """The parts and their shares of the episodes, which sum to 1."""
    by: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:BINS] ...")] = ("scene",)
    """What makes a group; several names: what they are together."""
    seed: int = 0
    """Another one, another split."""
    no_pictures: bool = False
    """Leave the pictures out."""
    json: bool = False
    """Print split.json."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba split")
    with bars() as show:
        record = split(
            options.dataset,
            options.out,
            read_shares(options.shares),
            by=options.by,
            seed=options.seed,
            pictures=not options.no_pictures,
            done=lambda share: show("split", share),
        )
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    total = record["of"]["episodes"]
    rows = [
        [p["name"], str(p["groups"]), str(p["episodes"]), f"{p['episodes'] / total:.1%}", outcomes_text(p["outcomes"])]
        for p in record["parts"]
    ]
    print_table("", ("part", "groups", "episodes", "share", "outcomes"), rows)
    print(f"{options.out}: {len(rows)} parts of {total} episodes; next: genba validate {options.out} --deep")
    return 0


def read_shares(text: str) -> dict[str, float]:
    """Read parts and shares, "train=0.8,test=0.2".

    Raises:
        ConfigError: the text is something else.
    """
    out: dict[str, float] = {}
    for item in text.split(","):
        name, equals, share = (part.strip() for part in item.partition("="))
        try:
            value = float(share)
        except ValueError:
            equals = ""
            value = 0.0
        if not equals or not name:
            raise ConfigError(f"--shares {text!r}: {item!r} is not of the form name=0.8")
        if name in out:
            raise ConfigError(f"--shares {text!r} names the part {name!r} twice")
        out[name] = value
    return out
