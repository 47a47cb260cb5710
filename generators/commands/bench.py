"""`genba bench`: how fast genba is on this machine, as ratios."""

import dataclasses
import json
import sys
from typing import Annotated

import tyro

from generators.benchmarks import Ratio, Size, measure
from generators.commands._options import parse
from generators.image_benchmarks import measure_images


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure genba's speed here. Each figure is a ratio of two times of the same run; about six minutes with a crane.

    Example:
      genba bench steel/crane_coil
      genba bench assembly/peg_insert --images
    """

    task: Annotated[str, tyro.conf.Positional] = "steel/crane_coil"
    """The task to measure with."""
    quick: bool = False
    """Measure little: for a first impression."""
    images: bool = False
    """Measure the making of pictures instead."""
    json: bool = False
    """Print the figures as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba bench")
    size = Size(episodes=4, rounds=1, shards=2) if options.quick else Size()
    ratios: list[Ratio] = []
    for ratio in (measure_images if options.images else measure)(options.task, size):
        ratios.append(ratio)
        if not options.json:
            mark = "met" if ratio.met else "missed"
            print(f"{ratio.name:<58} {ratio.value:8.2f}  target {ratio.target:<8} {mark:<7} {ratio.note}")
            sys.stdout.flush()
    if options.json:
        print(json.dumps([dataclasses.asdict(r) | {"met": r.met} for r in ratios], indent=1))
    return 0
