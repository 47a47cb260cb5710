"""`genba resume`: finish a dataset that was interrupted."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from generators import driver
from generators.commands._options import OptionalExecutor, OptionalFloat, OptionalInt, OptionalText, parse
from generators.commands.generate import finish
from generators.config import make_config
from generators.stores.protocols import is_url


@dataclasses.dataclass(frozen=True)
class Options:
    """Continue a dataset that was interrupted: whole shards are kept, the others are made.

    Example:
      genba resume datasets/crane
      genba resume s3://plant/crane
    """

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|URL")]
    """The dataset's folder, or its URL."""
    executor: OptionalExecutor = None
    """Where shards are made; it changes no byte [as planned]."""
    workers: OptionalInt = None
    """How many worker processes [as planned]."""
    ray_address: OptionalText = None
    """A running Ray cluster to use [as planned]."""
    time_limit_s: OptionalFloat = None
    """How long one shard may take, s [as planned]."""
    json: bool = False
    """Print the result as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba resume")
    out = options.dataset if is_url(options.dataset) else Path(options.dataset)
    plan = driver.reopen(out)
    names = ("executor", "workers", "ray_address", "time_limit_s")
    changed = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    config = make_config(plan.config | changed)
    return finish(out, plan, config, as_json=options.json)
