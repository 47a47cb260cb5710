"""`genba generate`: a YAML file or a task's name in, a dataset out."""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
import yaml

from generators import driver
from generators.commands._cameras import CameraFlags, flagged_cameras
from generators.commands._options import OptionalExecutor, OptionalFloat, OptionalInt, OptionalText, parse
from generators.config import ConfigError, GenerateConfig, load_yaml, make_config, parse_yaml
from generators.executors import choose
from generators.plan import Plan
from generators.progress import Progress
from generators.stores.protocols import is_url
from generators.watchdog import Limit
from generators.worker import ShardReport
from scenes.catalog import task_names
from sim.errors import nearest

Settings = Annotated[
    tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=VALUE", help_behavior_hint="")
]


@dataclasses.dataclass(frozen=True)
class Options(CameraFlags):
    """Generate a dataset from a YAML file or from a task. Flags win over the file.

    With cameras each shard's pictures are drawn as soon as it is made; they change none of its bytes.

    Examples:
      genba generate steel/crane_coil --episodes 40 --out datasets/crane
      genba generate crane.yaml --workers 2 --set friction.low=0.2 --set coil_width=1.25
      genba generate my_scene:MyTask --episodes 20 --executor inline --out datasets/mine
      genba generate steel/crane_coil --camera overview --size 128 --rate-hz 10 --kinds rgb,depth
    """

    target: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="YAML|TASK")]
    """A YAML file, a task's name (see `genba list`), or module:Class."""
    episodes: OptionalInt = None
    """How many episodes [100]."""
    seed: OptionalInt = None
    """Root seed: the same seed gives the same bytes [0]."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FOLDER|URL", help_behavior_hint="")] = None
    """The dataset's folder, or a URL such as s3://bucket/name [datasets/<task>]."""
    executor: OptionalExecutor = None
    """Where shards are made; auto: inline for one worker, processes for several [auto]."""
    workers: OptionalInt = None
    """How many worker processes [one per processor]."""
    episodes_per_shard: OptionalInt = None
    """Episodes per file; part of what determines the bytes [a quarter of a small dataset]."""
    degraded: OptionalFloat = None
    """Share of episodes in which the expert is made worse, for honest failures [0.15]."""
    ray_address: OptionalText = None
    """A running Ray cluster to use."""
    time_limit_s: OptionalFloat = None
    """How long one shard may take, s; a worker that takes longer is ended and its shard tried again [3600]."""
    set: Settings = ()
    """A parameter's value, distribution, or part of one (friction.low=0.1); may be repeated."""
    overwrite: bool = False
    """Delete a dataset that is in the way."""
    json: bool = False
    """Print the result as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba generate")
    config, folder = configure(options)
    plan = driver.start(config, folder, overwrite=options.overwrite)
    return finish(config.out, plan, config, as_json=options.json)


def configure(options: Options) -> tuple[GenerateConfig, Path]:
    """Put the file and the flags together.

    Returns:
        The configuration, and the folder where "module:Class" tasks are looked up.
    """
    path = Path(options.target)
    data: dict[str, Any]
    if path.suffix in (".yaml", ".yml"):
        data, folder = load_yaml(path), path.parent
    elif ":" in options.target or options.target in task_names():
        data, folder = {"task": options.target}, Path.cwd()
    else:
        raise ConfigError(f"no task or YAML file {options.target!r}{nearest(options.target, task_names())}")
    names = ("episodes", "seed", "out", "executor", "workers", "episodes_per_shard", "degraded")
    names += ("ray_address", "time_limit_s")
    data |= {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if options.set:
        data["parameters"] = dict(data.get("parameters") or {}) | parse_settings(options.set)
    if cameras := flagged_cameras(options, data.get("cameras")):
        data["cameras"] = cameras
    if "out" not in data:
        name = str(data.get("task", path.stem)).replace("/", "_").split(":")[-1]
        data["out"] = Path("datasets") / name
    return make_config(data), folder


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """Read NAME=VALUE flags; values are YAML scalars, lists or mappings.

    Raises:
        ConfigError: a flag that is not of that form.
    """
    out: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set needs NAME=VALUE, got {text!r}")
        try:
            out[name] = parse_yaml(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {name}: {value!r:.80} is neither a number, a word nor a list") from None
        if out[name] is None:
            raise ConfigError(f"--set {name}: no value given")
    return out


def finish(out: Path | str, plan: Plan, config: GenerateConfig, *, as_json: bool) -> int:
    """Make a planned dataset with progress; print where it is; return the exit code.

    SIGTERM lets the shards that are under way be finished, and a second one ends the work at once, as Ctrl-C does.
    """
    drain = _Drain()
    signal.signal(signal.SIGTERM, drain.request)
    progress = Progress(plan.attempts, len(plan.shards))
    done: list[ShardReport] = []

    def on_report(report: ShardReport) -> None:
        done.append(report)
        progress.report(report)

    cluster, limit = driver.cluster_of(config, plan), limit_of(config, f"genba resume {out}")
    executor = choose(config.executor, config.workers, cluster, stop=drain.requested, limit=limit)
    try:
        with progress:
            reports = driver.run(out, plan, executor=executor, on_report=on_report)
    except KeyboardInterrupt:
        whole = f"{len(done)} of {len(plan.shards)} shards are whole"
        print(f"genba: interrupted; {whole}; continue with: genba resume {out}", file=sys.stderr)
        return 130
    raised = sum(r.raised() for r in reports)
    summary = {
        "out": str(out),
        "dataset_id": plan.dataset_id,
        "episodes": plan.attempts,
        "shards": len(reports),
        "bytes": sum(r.bytes for r in reports),
        "success": sum(r.outcomes.get("success", 0) for r in reports),
        "raised": raised,
    }
    pictures = [m for r in reports for m in r.media]
    if pictures:
        summary |= {"frames": sum(m.frames for m in pictures), "media_bytes": sum(m.bytes for m in pictures)}
    if as_json:
        print(json.dumps(summary))
    else:
        print(f"{out}: {progress.summary()}")
        if is_url(out):
            print(f"  next: genba fetch {out} FOLDER")
        else:
            print(f"  next: genba info {out}; genba validate {out} --deep --replay 10; genba view {out} --episode 0")
    first = next((r.error for r in reports if r.error), "")
    if first:
        print(f"genba: {raised} of {plan.attempts} episodes raised; the first: {first}", file=sys.stderr)
    return 1 if raised else 0


def limit_of(config: GenerateConfig, again: str) -> Limit:
    """Return how long a shard may take; this process itself ends where it has no workers that could."""

    def end(job: Any, where: str) -> None:  # noqa: ANN401 - a shard's, or its pictures'
        took = f"{job.shard.name} took longer than {config.time_limit_s:g} s, {where}"
        print(f"genba: {took}; continue with: {again} (--time-limit-s if it is only slow)", file=sys.stderr, flush=True)
        os._exit(3)  # no exception reaches a thread that hangs

    return Limit(config.time_limit_s, end)


class _Drain:
    """Remembers that somebody asked for an end."""

    def __init__(self) -> None:
        self._requested = False

    def requested(self) -> bool:
        """Return whether no further shard is to be begun."""
        return self._requested

    def request(self, *_: object) -> None:
        """Ask for an end; the second time, for one at once."""
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        print("genba: stopping when the shards under way are done", file=sys.stderr, flush=True)
