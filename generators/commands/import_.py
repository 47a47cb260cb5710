"""`genba import`: a foreign file as a dataset."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Annotated, Literal

import tyro

from generators.commands._bars import bars
from generators.commands._options import OptionalFloat, parse
from generators.importing.robomimic import import_robomimic


@dataclasses.dataclass(frozen=True)
class Options:
    """Make a dataset of a foreign file (robomimic 0.1 to 0.5), to inspect, validate, filter, report and export it.

    The file may come from anywhere: links, foreign storage and absurd sizes are refused before anything is read. What
    does not go, and what had to be assumed, is printed and stands in dataset.json under "imported". There is no task
    behind such a dataset, so that it can neither be replayed nor drawn.

    Examples:
      genba import robomimic lift/ph/low_dim_v15.hdf5 datasets/lift
      genba validate datasets/lift --deep
    """

    peer: Annotated[Literal["robomimic"], tyro.conf.Positional]
    """The layout."""
    file: Annotated[Path, tyro.conf.Positional]
    """The HDF5 file."""
    out: Annotated[Path, tyro.conf.Positional]
    """The folder to make; new or empty."""
    control_hz: OptionalFloat = None
    """Control steps per second [what the file says, else 20]."""
    json: bool = False
    """Print what was made as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba import")
    with bars() as show:
        done = functools.partial(show, options.file.name)
        made = import_robomimic(options.file, options.out, control_hz=options.control_hz, done=done)
    if options.json:
        print(json.dumps(dataclasses.asdict(made) | {"folder": str(made.folder)}, indent=1, ensure_ascii=False))
        return 0
    print(f"{made.folder}: {made.dataset_id}, {made.episodes} episodes, {made.steps} steps")
    for note in made.notes:
        print(f"note: {note}")
    for path, why in sorted(made.not_carried.items()):
        print(f"left out: {path}: {why}")
    return 0
