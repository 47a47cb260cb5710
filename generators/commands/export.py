"""`genba export`: a dataset in a peer's own layout."""

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from generators.commands._bars import bars
from generators.commands._options import parse
from generators.export.content import ALL, Asked, ExportError


def _names(metavar: str) -> Any:  # noqa: ANN401 - tyro's mark
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclasses.dataclass(frozen=True)
class Options:
    """Write a dataset in a peer's own layout: minari 0.5, robomimic 0.3, lerobot v3.0, or mcap to look at.

    Beside the peer's files lie sidecar.json (where every column went, units, how streams were resampled, what is left
    out and why), episodes.parquet (seed, outcome and parameters of each) and with pictures cameras.npz. The peer itself
    is not needed. OUT must be new or empty; it gets its name when it is whole.

    Examples:
      genba export minari datasets/crane exports/minari
      genba export robomimic datasets/crane exports/crane --only 'outcome == "success"' --streams none
      genba export lerobot datasets/crane exports/crane_lerobot --cameras hook hook:segmentation --video
      genba export mcap datasets/crane exports/crane_mcap --cameras all --only 'failure == "strike"'
    """

    peer: Annotated[Literal["minari", "robomimic", "lerobot", "mcap"], tyro.conf.Positional]
    """The layout."""
    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder; for robomimic also that of `genba split`, whose parts become filters."""
    out: Annotated[Path, tyro.conf.Positional]
    """The folder to make."""
    observations: Annotated[tuple[str, ...], _names("NAME ...")] = (ALL,)
    """Which observations go, or "all" or "none" [all]."""
    streams: Annotated[tuple[str, ...], _names("NAME ...")] = (ALL,)
    """Which channels and signals go, resampled onto the control steps, or "all" or "none" [all]."""
    resample: Literal["previous", "linear", "mean"] = "previous"
    """How: the last sample that had arrived, on the line between two, or the mean since the step before."""
    cameras: Annotated[tuple[str, ...], _names("CAMERA[:depth|:segmentation] ...")] = ()
    """Which pictures go: CAMERA for its colours, or "all" [none]."""
    video: bool = False
    """For lerobot: colours as mp4, H.264, which changes them a little, instead of PNG; needs genba[video]."""
    only: Annotated[str, _names("QUERY")] = ""
    """Which episodes go, as in `genba filter` [all that have a step]."""
    json: bool = False
    """Print what was made as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba export")
    asked = Asked(options.observations, options.streams, options.cameras, options.resample, options.only)
    if options.video and options.peer != "lerobot":
        raise ExportError(f"--video is for lerobot; {options.peer} keeps pictures as they are")
    own = {"video": True} if options.video else {}
    export = importlib.import_module(f"generators.export.{options.peer}").export
    with bars() as show:
        made = export(options.dataset, options.out, asked, done=lambda share: show(options.peer, share), **own)
    record = {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(made).items()}
    if options.json:
        print(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        print(f"{made.folder}: {made.episodes} episodes, {made.steps} steps for {made.peer}, {made.bytes / 1e6:.1f} MB")
        for note in made.notes:
            print(f"note: {note}")
    return 0
