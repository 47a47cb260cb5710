"""`genba render`: draw a dataset's pictures from its recorded states."""

import dataclasses
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from generators import driver
from generators.commands._cameras import CameraFlags, flagged_cameras
from generators.commands._options import OptionalExecutor, OptionalFloat, OptionalInt, parse
from generators.commands.generate import limit_of
from generators.config import Cameras, ConfigError, make_config
from generators.dataset import read_manifest
from generators.executors import choose
from generators.filming import MediaReport
from generators.media.shots import Shot, check_drawable, make_shots, scene_cameras
from generators.media_manifest import listed_shots
from generators.plan import Plan, read_plan
from generators.progress import Progress
from scenes.catalog import load_task
from sim.errors import nearest


@dataclasses.dataclass(frozen=True)
class Options(CameraFlags):
    """Draw pictures of a dataset from its recorded states. Its shards are only read.

    A camera that has pictures already gets new ones where the settings differ. Without --camera, what an
    interrupted run left is drawn.

    Examples:
      genba render datasets/crane --camera overview
      genba render datasets/crane --camera overview --camera hook --size 224 --rate-hz 5 --preset fine
      genba render datasets/crane --camera hook --kinds depth,segmentation
      genba render datasets/crane
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    executor: OptionalExecutor = None
    """Where it is drawn; auto: inline for one worker, processes for several [as planned]."""
    workers: OptionalInt = None
    """How many worker processes [as planned]."""
    again: bool = False
    """Draw also what is there already."""
    time_limit_s: OptionalFloat = None
    """How long one shard may take, s [as planned]."""
    json: bool = False
    """Print the result as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba render")
    out = options.dataset
    manifest = read_manifest(out)
    if not manifest.get("complete", False):
        raise ConfigError(f"{out} is incomplete; finish it first: genba resume {out}")
    plan = read_plan(out / "plan.json")
    wanted = _wanted(options, plan, manifest.get("media", {}))
    check_drawable(shot for shots in wanted.values() for shot in shots)
    names = ("executor", "workers", "time_limit_s")
    changed = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    config = make_config(plan.config | changed)
    signal.signal(signal.SIGTERM, _interrupt)
    limit = limit_of(config, f"genba render {out}")
    executor = choose(config.executor, config.workers, driver.cluster_of(config, plan), limit=limit)
    shards = [s for s in plan.shards if wanted.get(s.task)]
    progress = Progress(sum(s.count for s in shards), len(shards), "drawing")
    try:
        with progress:
            reports = driver.render(out, plan, wanted, executor=executor, on_report=progress.media, again=options.again)
    except KeyboardInterrupt:
        print(f"genba: interrupted; continue with: genba render {out}", file=sys.stderr)
        return 130
    _tell(out, reports, progress.summary(), as_json=options.json)
    return 0


def _wanted(options: Options, plan: Plan, entries: Mapping[str, Any]) -> dict[str, tuple[Shot, ...]]:
    """Return what to draw of which task: the cameras that the flags name, or those that are incomplete."""
    tasks = {t.name: load_task(t.name, Path(plan.folder)) for t in plan.tasks}
    known = sorted({camera for task in tasks.values() for camera in scene_cameras(task)})
    if not options.camera:
        flagged_cameras(options)
        left = listed_shots(entries, incomplete=not options.again)
        if not left:
            has = f"its scene has {', '.join(known)}" if known else "its scene has none"
            state = "nothing is left to draw" if entries else "it has no pictures"
            raise ConfigError(f"{options.dataset}: {state}; name a camera with --camera ({has})")
        return left
    for camera in options.camera:
        if camera not in known:
            raise ConfigError(f"no camera {camera!r} in {options.dataset}{nearest(camera, known)}")
    cameras: Cameras = make_config({"task": "", "cameras": flagged_cameras(options)}).cameras
    out: dict[str, tuple[Shot, ...]] = {}
    for name, task in tasks.items():
        mine = {camera: config for camera, config in cameras.items() if camera in scene_cameras(task)}
        if mine:
            out[name] = make_shots(task, name, mine)
    return out


def _tell(out: Path, reports: list[MediaReport], text: str, *, as_json: bool) -> None:
    frames, size = sum(r.frames for r in reports), sum(r.bytes for r in reports)
    if as_json:
        cameras = sorted({r.camera for r in reports})
        print(json.dumps({"out": str(out), "cameras": cameras, "frames": frames, "bytes": size, "files": len(reports)}))
        return
    print(f"{out}: {text}")
    print(f"  next: genba info {out}; genba validate {out} --deep --replay 10")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
