"""`genba preview`: a contact sheet and videos of a dataset's episodes."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from generators.commands._bars import bars
from generators.commands._options import OptionalPath, parse
from generators.config import ConfigError
from generators.dataset import Dataset
from generators.preview.lettering import INSTALL_JAPANESE, japanese_font
from generators.preview.write import Source, Wanted, check, choose_episodes, make_sheet, make_video, save
from sim.errors import MissingExtraError

Names = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Options:
    """Look at a dataset: a contact sheet (PNG), and a video (mp4) of each episode.

    Pictures that were recorded are shown; where there are none, they are drawn from the recorded states. Colours mean
    phases; the strips under a video are telemetry, by default a force, a place and a speed. Videos need genba[video].

    Exit code 0: all is made; 1: the sheet is, and a package for the videos is missing.

    Examples:
      genba preview datasets/crane
      genba preview datasets/crane --episode 3 --episode 7 --camera overview --camera hook
      genba preview datasets/crane --no-video --columns 10 --out pictures
      genba preview datasets/crane --episode 3 --speed 2 --channel Hoist.LoadCell1 --channel Hook.Sway.0
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    episode: Annotated[
        tyro.conf.UseAppendAction[tuple[int, ...]], tyro.conf.arg(metavar="N", help_behavior_hint="")
    ] = ()
    """An episode's number; may be repeated [up to 8: successes, and each kind of failure]."""
    camera: Annotated[Names, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ()
    """A camera; may be repeated [overview, or the first]."""
    kind: Annotated[Names, tyro.conf.arg(metavar="rgb|depth|segmentation", help_behavior_hint="")] = ()
    """What to show; may be repeated [rgb; without it, depth and segmentation]."""
    channel: Annotated[Names, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ()
    """Telemetry to show in videos, whole or a part of it (Wrist.Force.2); may be repeated."""
    out: OptionalPath = None
    """Where the files go [beside the dataset: datasets/crane-preview]."""
    no_video: bool = False
    """Make the contact sheet alone."""
    columns: int = 6
    """Pictures in a line of the sheet."""
    preset: str = "fast"
    """How pictures are drawn that were not recorded: fast, fine or pbr."""
    speed: Annotated[float, tyro.conf.arg(metavar="X", help_behavior_hint="")] = 0.0
    """Times real time [1, or faster where a video would take over 30 s]."""
    fps: float = 25.0
    """Pictures a second in videos."""
    json: bool = False
    """Print what was made as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba preview")
    wanted = _wanted(options)
    folder = options.dataset.resolve()
    out = options.out or folder.with_name(f"{folder.name}-preview")
    missing: list[str] = [] if japanese_font() else [INSTALL_JAPANESE]
    with Dataset(options.dataset) as dataset:
        source = Source(dataset)
        numbers = list(dict.fromkeys(wanted.episodes)) or choose_episodes(dataset)
        facts = check(source, numbers, wanted)
        filmed = [] if options.no_video else [f.number for f in facts if f.duration > 0]
        made: list[Path] = [out / "sheet.png"]
        with bars() as show:
            tick = iter(range(1, len(numbers) + 1))
            sheet = make_sheet(source, numbers, wanted, lambda: show("contact sheet", next(tick) / len(numbers)))
            save(made[0], sheet)
            code = 0
            for number in filmed:
                name = f"episode-{number:05d}.mp4"
                try:
                    video = make_video(source, number, wanted, lambda share, name=name: show(name, share))
                except MissingExtraError as error:
                    missing.append(f"no videos were made: {error}")
                    code = 1
                    break
                made.append(out / name)
                save(made[-1], video)
    _tell(options, numbers, made, missing)
    return code


def _wanted(options: Options) -> Wanted:
    if not 1 <= options.columns <= 40:
        raise ConfigError(f"--columns takes 1 to 40, got {options.columns}")
    if not 0 <= options.speed <= 1000:
        raise ConfigError(f"--speed takes more than 0 to 1000, got {options.speed:g}")
    if not 1 <= options.fps <= 120:
        raise ConfigError(f"--fps takes 1 to 120, got {options.fps:g}")
    return Wanted(
        episodes=options.episode,
        cameras=options.camera,
        kinds=options.kind,
        channels=options.channel,
        columns=options.columns,
        preset=options.preset,
        speed=options.speed,
        fps=options.fps,
    )


def _tell(options: Options, numbers: list[int], made: list[Path], missing: list[str]) -> None:
    for text in missing:
        print(f"genba: {text}", file=sys.stderr)
    if options.json:
        facts: dict[str, Any] = {"episodes": numbers, "files": [str(p) for p in made], "missing": missing}
        print(json.dumps(facts, indent=1))
        return
    for path in made:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
