"""`genba page`: one page a task that a plant engineer can check against the sources, and an index."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._options import parse
from generators.config import ConfigError
from generators.pages.facts import Page, make_page
from generators.pages.measures import Done, measure
from generators.pages.pictures import Pictures, draw
from generators.pages.write import check_extra, index_html, page_html, write_page
from scenes.catalog import load_task, task_names
from sim.rollout import rollout
from sim.task import Task


@dataclasses.dataclass(frozen=True)
class Options:
    """Make a page for each task: what its author declared with units, ranges and sources, and what is measured now.

    A page has pictures of every camera and phase, work orders, parameters, telemetry, actions, observations, reward by
    phase, success of expert and random policy, failures of worse experts, anchors (formulas against the physics), speed
    and versions. It is one HTML file that opens offline, without scripts; index.html leads to the pages of this run.
    Needs genba[pages]. A task takes one to five minutes: less with fewer --seeds and --degraded.

    Exit code 0: all is well; 1: the pages are made, and an anchor is missed.

    Examples:
      genba page
      genba page steel/crane_coil assembly/peg_insert --out pages
      genba page my_scene:MyTask --seeds 5 --degraded 5 --no-anchors
    """

    task: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TASK ...]", help_behavior_hint="")
    ] = ()
    """Tasks (see `genba list`), or module:Class with the module in this folder [all of `genba list`]."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("pages")
    """Where the pages go; pages of the same names are replaced."""
    seeds: int = 20
    """Episodes of the expert, and as many of a random policy: seeds 0 to N - 1."""
    degraded: int = 20
    """Episodes of worse experts, which show the failures; 0 for none."""
    width: int = 640
    """Of the cameras' pictures, in pixels."""
    no_anchors: bool = False
    """Name the anchors without measuring them."""
    no_pictures: bool = False
    """Draw nothing."""
    json: bool = False
    """Print what was made as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 1 where an anchor is missed."""
    options = parse(Options, argv, "genba page")
    _check(options)
    tasks = [load_task(name) for name in options.task or task_names()]
    pages: list[Page] = []
    made: list[Path] = []
    with bars() as show:
        for task in tasks:
            page = _page(task, options, lambda share, name=task.name: show(name, share))
            pages.append(page)
            made.append(write_page(options.out, page.file, page_html(page)))
            if not options.json:
                print(_line(page, made[-1]))
                sys.stdout.flush()
    made.append(write_page(options.out, "index.html", index_html(pages)))
    missed = {page.task: page.missed for page in pages if page.missed}
    if options.json:
        print(json.dumps({"files": [str(p) for p in made], "missed": missed}, indent=1))
    else:
        print(made[-1])
    return 1 if missed else 0


def _check(options: Options) -> None:
    check_extra()
    for name, value, low, high in (
        ("seeds", options.seeds, 1, 1000),
        ("degraded", options.degraded, 0, 1000),
        ("width", options.width, 64, 2048),
    ):
        if not low <= value <= high:
            raise ConfigError(f"--{name} takes {low} to {high}, got {value}")


def _page(task: Task, options: Options, done: Done) -> Page:
    measured = measure(
        task,
        seeds=options.seeds,
        degraded=options.degraded,
        anchored=not options.no_anchors,
        done=lambda share: done(0.9 * share),
    )
    if options.no_pictures:
        pictures = Pictures((), (), (), "No pictures were asked for.")
    else:
        pictures = draw(task, rollout(task, 0), measured.endings, options.width)
    done(1.0)
    return make_page(task, measured, pictures)


def _line(page: Page, path: Path) -> str:
    figures = "; ".join(f"{label.lower()}: {figure}" for label, figure in page.key)
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB): {figures}"
