"""`genba bench`: how fast genba is on this machine, as ratios."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import tyro

from generators.commands._options import OptionalFile, OptionalFloat, parse
from generators.config import ConfigError
from generators.files import write_whole
from generators.speed.beside import Turns, measure_ray
from generators.speed.beside_drawing import measure_ray_images
from generators.speed.loading import Load, measure_loading
from generators.speed.memory import EPISODES, measure_memory
from generators.speed.physics import Speed, measure_speeds, speed_table
from generators.speed.pictures import measure_images
from generators.speed.ratios import Ratio, Size, measure
from generators.speed.soak import measure_soak
from scenes.catalog import load_task, task_names

_TASK = "steel/crane_coil"
_LONGEST = 7 * 24 * 60.0  # minutes of a soak


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure genba's speed here. Each figure is a ratio of two times of the same run; about six minutes with a crane.

    Before the ratios comes the speed of bare physics: substeps a second beside a reference model (a box at rest on a
    plane and a pendulum), and simulated seconds a second. With --physics only that is measured, of all tasks, as a
    table in Markdown: about 10 s a task.

    With --ray two Ray workers are measured beside two bare processes (about five minutes), with --memory whether
    10,000 cheap episodes on Ray leave memory as it was (give a light task, as that of the third last example), with
    --soak whether full load can be kept up: for these leave the machine alone.

    Examples:
      genba bench steel/crane_coil
      genba bench assembly/peg_insert --images
      genba bench --physics
      genba bench --loading
      genba bench new_scene:MyTask --memory
      genba bench --ray --save ray.json
      genba bench --soak 30
    """

    task: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[TASK]", help_behavior_hint="")] = None
    """The task to measure with [steel/crane_coil; with --physics, all tasks]."""
    quick: bool = False
    """Measure little: for a first impression."""
    images: bool = False
    """Measure the making of pictures instead."""
    physics: bool = False
    """Measure the speed of physics alone."""
    loading: bool = False
    """Measure the loading of windows instead, of made-up episodes: no task is needed. About a minute."""
    ray: bool = False
    """Measure Ray instead: beside bare processes, and what it adds to a shard; with --images drawing."""
    memory: bool = False
    """Measure instead how the memory of Ray's workers and of the driver grows."""
    soak: OptionalFloat = None
    """Keep two Ray workers at work for so many minutes instead, and compare the last tenth with the first."""
    save: OptionalFile = None
    """Write the figures there as well, as JSON."""
    json: bool = False
    """Print the figures as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba bench")
    if options.task:
        load_task(options.task)  # before anything is measured
    if options.soak is not None and not 0 < options.soak <= _LONGEST:
        raise ConfigError(f"--soak takes minutes, up to {_LONGEST:g}, got {options.soak:g}")
    if options.physics:
        names = (options.task,) if options.task else task_names()
        speeds = list(_told(names, quick=options.quick))
        print(json.dumps([_plain(s) for s in speeds], indent=1) if options.json else speed_table(speeds))
        return 0
    task = options.task or _TASK
    size = Size(episodes=4, rounds=1, shards=2) if options.quick else Size()
    special = options.images or options.loading or options.ray or options.memory or options.soak is not None
    if not (special or options.json):
        for speed in measure_speeds([task], quick=options.quick):
            print(_line(speed))
            sys.stdout.flush()
    ratios: list[Ratio] = []
    for ratio in _ratios(options, task, size):
        ratios.append(ratio)
        if not options.json:
            mark = "met" if ratio.met else "missed"
            print(f"{ratio.name:<58} {ratio.value:8.2f}  target {ratio.target:<8} {mark:<7} {ratio.note}")
            sys.stdout.flush()
    text = json.dumps([dataclasses.asdict(r) | {"met": r.met} for r in ratios], indent=1)
    if options.save:
        write_whole(options.save, text.encode() + b"\n")
    if options.json:
        print(text)
    return 0


def _ratios(options: Options, task: str, size: Size) -> Iterator[Ratio]:
    if options.loading:
        return measure_loading(Load(episodes=200, rounds=2) if options.quick else Load())
    if options.ray:
        turns = Turns(rounds=1, jobs=2, episodes=2, shard=4) if options.quick else Turns()
        return (measure_ray_images if options.images else measure_ray)(task, turns)
    if options.memory:
        return measure_memory(task, 400 if options.quick else EPISODES)
    if options.soak is not None:
        return measure_soak(task, options.soak)
    return (measure_images if options.images else measure)(task, size)


def _told(names: tuple[str, ...], *, quick: bool) -> Iterator[Speed]:
    """Measure tasks, and say on stderr how far it is."""
    for number, speed in enumerate(measure_speeds(names, quick=quick), 1):
        print(f"{number}/{len(names)} {_line(speed)}", file=sys.stderr, flush=True)
        yield speed


def _line(s: Speed) -> str:
    return (
        f"{s.task}: {s.substeps_per_s:.3g} substeps/s of bare physics, {s.ratio:.2g} of the reference's "
        f"{s.reference_per_s:.3g}; {s.real_time:.3g} times real time, {s.making:.3g} with expert and recording"
    )


def _plain(s: Speed) -> dict[str, Any]:
    return dataclasses.asdict(s) | {"real_time": s.real_time, "ratio": s.ratio}
