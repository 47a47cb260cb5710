"""`genba plan`: what a dataset will cost before it is made, and how many workers it is worth."""

import dataclasses
import json
import sys
from typing import Annotated, Any

import tyro

from generators.commands._options import OptionalInt, parse
from generators.commands._tables import print_table
from generators.commands.generate import Options as GenerateOptions
from generators.commands.generate import Settings, configure
from generators.config import ConfigError
from generators.forecast.costs import RAY_ADDS, RAY_SHARE, estimate, shard_costs
from generators.forecast.pilot import Pilot, run_pilots
from generators.forecast.schedule import Cluster, Schedule, scaling, worthwhile

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 5000, 10000)


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell what a dataset will cost: hours, core hours, bytes, files and yield, with 95 % intervals, for this machine.

    A few episodes of each task are made and thrown away. Then the whole job is simulated on clusters of up to 10,000
    workers like this machine's cores, with stragglers, lost machines and the store's line, which says where more
    workers stop being worth it, and why.

    Examples:
      genba plan crane.yaml
      genba plan steel/crane_coil --episodes 100000 --pilot 16
      genba plan crane.yaml --cluster 2000 --upload-gbit 25 --loss-per-day 0.2
    """

    target: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="YAML|TASK")]
    """A YAML file, a task's name (see `genba list`), or module:Class."""
    episodes: OptionalInt = None
    """How many episodes [as in the file, else 100]."""
    episodes_per_shard: OptionalInt = None
    """Episodes per file [as `genba generate` would]."""
    workers: OptionalInt = None
    """Worker processes on this machine [one per processor]."""
    set: Settings = ()
    """A parameter's value, distribution, or part of one; may be repeated."""
    pilot: int = 8
    """Episodes of each task that are made to measure; more narrow the intervals."""
    cluster: OptionalInt = None
    """A cluster's workers, to be told of besides those of the table."""
    slow: float = 0.02
    """Share of the cluster's workers that are slow, by a factor of 3."""
    loss_per_day: float = 0.05
    """How often a worker is lost in a day of its work."""
    upload_gbit: float = 10.0
    """Gbit/s of the cluster's store, for all workers together."""
    json: bool = False
    """Print the figures as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba plan")
    _check(options)
    same = ("target", "episodes", "episodes_per_shard", "workers", "set")
    config, folder = configure(GenerateOptions(**{name: getattr(options, name) for name in same}))
    print(f"genba: making {options.pilot} episodes of each task to measure", file=sys.stderr, flush=True)
    plan, pilots = run_pilots(config, folder, options.pilot)
    seconds, sizes = shard_costs(plan, pilots)
    wanted = sorted({*SIZES} | ({options.cluster} if options.cluster else set[int]()))
    base = Cluster(1, slow=options.slow, loss_per_day=options.loss_per_day, upload=options.upload_gbit * 1e9 / 8)
    clusters = scaling(seconds, sizes, base, wanted)
    here = estimate(plan, pilots, config.workers, seconds)
    if options.json:
        print(json.dumps(here | {"cluster": [dataclasses.asdict(c) | {"limit": c.limit} for c in clusters]}, indent=1))
    else:
        _tell(here, pilots)
        _tell_cluster(clusters, options, len(seconds))
    return 0


def _check(options: Options) -> None:
    for name, value, low, high in (
        ("pilot", options.pilot, 2, 1000),
        ("cluster", 1 if options.cluster is None else options.cluster, 1, 100_000),
        ("slow", options.slow, 0, 1),
        ("loss-per-day", options.loss_per_day, 0, 1000),
        ("upload-gbit", options.upload_gbit, 1e-6, 1e6),
    ):
        if not low <= value <= high:
            raise ConfigError(f"--{name} takes {low:g} to {high:g}, got {value:g}")


def _tell(here: dict[str, Any], pilots: list[Pilot]) -> None:
    for p in pilots:
        rate = f"{p.seconds_each:.2f} s and {p.bytes_each / 1e6:.2f} MB an episode"
        print(f"{p.task}: {rate}, {p.successes} of {len(p.lengths)} of the pilot succeed")
    print(f"on this machine, {here['workers']} workers, {here['episodes']} episodes in {here['shards']} shards:")
    low, high = here["hours_95"]
    print(f"  time        {_hours(here['hours'])} ({_hours(low)} to {_hours(high)})")
    low, high = here["core_hours_95"]
    print(f"  core hours  {here['core_hours']:.3g} ({low:.3g} to {high:.3g})")
    low, high = here["bytes_95"]
    print(f"  disk        {_size(here['bytes'])} ({_size(low)} to {_size(high)}) in {here['files']} files")
    low, high = here["yield_95"]
    print(f"  successes   {here['yield']:.0%} ({low:.0%} to {high:.0%})")
    print(
        f"  a shard     {here['shard_s']:.1f} s; Ray adds about {1e3 * RAY_ADDS:g} ms, {here['ray_share']:.2%} of that"
    )
    if here["ray_share"] > RAY_SHARE:
        print(f"genba: on Ray these shards are too short: {_remedy(here)}", file=sys.stderr)


def _remedy(here: dict[str, Any]) -> str:
    """Say what keeps Ray's share small."""
    least = here["ray_episodes_per_shard"]
    if least >= here["episodes"]:
        return "the dataset is too small for Ray, use --executor processes"
    return f"with --episodes-per-shard {least} or more it adds {RAY_SHARE:.0%} at most"


def _tell_cluster(clusters: list[Schedule], options: Options, shards: int) -> None:
    rows = [
        (f"{c.workers:,}", _hours(c.hours), f"{c.efficiency:.0%}", f"{c.lost} ({c.lost_hours:.2g} h)", _why(c))
        for c in clusters
    ]
    title = f"the same on a cluster of such cores, simulated ({options.upload_gbit:g} Gbit/s to the store):"
    print_table(title, ("workers", "time", "efficiency", "lost", "held up by"), rows)
    best = worthwhile(clusters)
    if best is clusters[-1]:
        print(f"it scales to {best.workers:,} workers")
        return
    after = clusters[clusters.index(best) + 1]
    hint = "; smaller shards would go further" if after.limit == "tail" and shards < 4 * after.workers else ""
    print(f"it stops scaling at about {best.workers:,} workers: beyond, {_WORDS[after.limit]}{hint}")


_WORDS = {
    "handout": "the driver cannot hand out shards faster",
    "upload": "the store's line is full",
    "losses": "lost machines eat up what more of them bring",
    "stragglers": "slow machines hold up the others",
    "tail": "there are too few shards, and workers wait for the last ones",
}


def _why(c: Schedule) -> str:
    named = sorted(c.held_up.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{name} {share:.0%}" for name, share in named if share >= 0.005) or "nothing"


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.1f} s"
    return f"{hours * 60:.1f} min" if hours < 1 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
