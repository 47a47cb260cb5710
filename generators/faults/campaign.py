"""A campaign: an undisturbed dataset once, then trials of each executor until as many faults have happened as asked."""

import collections
import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.faults import harmed_scene
from generators.faults.bucket import Bucket, Objects, open_bucket
from generators.faults.disk import small_disk
from generators.faults.injection import Site
from generators.faults.invariant import Reference, read_reference
from generators.faults.kinds import KINDS
from generators.faults.nodes import two_nodes
from generators.faults.program import Program, reap
from generators.faults.trials import EPISODES, PER_SHARD, Outcome, Run, Trial, clear, plan_trials
from sim.errors import GenbaError

_SHARES = {"inline": 0.35, "processes": 0.15, "ray": 0.25, "ray2": 0.25}


class HarnessError(GenbaError, RuntimeError):
    """A harness that cannot do its work here."""

    exit_code = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a campaign happens.

    Attributes:
        work: its folder.
        data: where the datasets are.
        full: whether the datasets' disk can be filled.
        seed: the campaign's.
        reference: the undisturbed dataset.
        bucket: what the datasets are put into; None where they are folders.
    """

    work: Path
    data: Path
    full: bool
    seed: int
    reference: Reference
    bucket: Bucket | None = None

    @property
    def store(self) -> str:
        """What the datasets lie in."""
        return "folder" if self.bucket is None else "s3"

    def site(self, executor: str, index: int) -> Site:
        """Return where a trial happens."""
        orders = self.work / "orders" / f"{executor}-{index}"
        orders.mkdir(parents=True)
        env = _environment(self.work, orders)
        return Site(
            executor=executor,
            data=self.data / f"{executor}-{index}",
            scene=self.work / "scene",
            orders=orders,
            env=env if self.bucket is None else _with_store(env, self.bucket, self.data / "staging"),
            seed=self.seed,
            objects=None if self.bucket is None else Objects(self.bucket, f"{executor}-{index}"),
        )


def run_campaign(
    count: int,
    seed: int,
    executors: Sequence[str],
    on_trial: Callable[[Outcome], None],
    *,
    work: Path | None = None,
    store: str = "folder",
) -> list[Outcome]:
    """Let faults happen to datasets in a folder of its own, which is removed where all held.

    Args:
        count: how many faults must have happened.
        seed: determines which.
        executors: among inline, processes, ray and ray2; each has its share of the faults.
        on_trial: called after each trial.
        work: the folder; default: a new one where temporary files are.
        store: what the datasets are put into, folder or s3.

    Raises:
        HarnessError: the undisturbed dataset cannot be made.
        MissingExtraError: a package that the store needs is not installed.
    """
    outcomes: list[Outcome] = []
    with make_place(seed, work, store) as place:
        for executor, wanted in shares(count, executors).items():
            for outcome in _trials(place, executor, wanted):
                outcomes.append(outcome)
                on_trial(outcome)
    return outcomes


def shares(count: int, executors: Sequence[str]) -> dict[str, int]:
    """Return how many faults each executor gets."""
    whole = sum(_SHARES[e] for e in executors)
    out = {e: int(count * _SHARES[e] / whole) for e in executors}
    out[executors[0]] += count - sum(out.values())
    return out


def _trials(place: Place, executor: str, wanted: int) -> Iterator[Outcome]:
    without = () if place.full else ("disk full",)
    happened = 0
    for trial in plan_trials(place.seed, executor, without, place.store):
        if happened >= wanted:
            return
        outcome = conduct(place, trial)
        happened += sum(bool(f.evidence) for f in outcome.faults)
        yield outcome


def conduct(place: Place, trial: Trial) -> Outcome:
    """Let a trial happen; a dataset that does not hold is kept in the folder `broken`."""
    site = place.site(trial.executor, trial.index)
    with contextlib.ExitStack() as stack:
        if trial.executor == "ray2":
            nodes = stack.enter_context(two_nodes(site.env))
            site = dataclasses.replace(site, env=nodes.env, nodes=nodes, address=nodes.address)
        outcome = Run(trial, site, place.reference, place.seed).to_the_end()
    if outcome.broken and site.data.exists():
        shutil.copytree(site.data, place.work / "broken" / site.data.name, dirs_exist_ok=True)
    clear(site)
    return outcome


@contextlib.contextmanager
def make_place(seed: int, work: Path | None, store: str = "folder") -> Generator[Place]:
    """Make the folder, the disk, the store and the undisturbed dataset."""
    folder = Path(tempfile.mkdtemp(prefix="genba-faults-")) if work is None else work
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scene").mkdir()
    shutil.copy(str(harmed_scene.__file__), folder / "scene" / "harmed_scene.py")
    try:
        opened = open_bucket(seed) if store == "s3" else contextlib.nullcontext()
        with opened as bucket, small_disk(folder / "disk") as full:
            (folder / "disk" / "staging").mkdir()
            yield Place(folder, folder / "disk", full, seed, _undisturbed(folder, seed), bucket)
    finally:
        reap(str(folder), 0.0)
        if work is None and not (folder / "broken").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _undisturbed(work: Path, seed: int) -> Reference:
    size = ["--episodes", str(EPISODES), "--episodes-per-shard", str(PER_SHARD), "--seed", str(seed)]
    args = ["generate", "harmed_scene:Harmed", *size, "--executor", "inline", "--out", str(work / "reference")]
    (work / "orders").mkdir()
    run = Program(args, work / "scene", _environment(work, work / "orders"))
    if run.ends(300.0) != 0:
        raise HarnessError(f"the undisturbed dataset was not made: {run.words[-300:]}")
    return read_reference(work / "reference", EPISODES)


def _environment(work: Path, orders: Path) -> dict[str, str]:
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
    return ours | {"GENBA_ORDERS": str(orders), "HOME": str(work), "RAY_USAGE_STATS_ENABLED": "0"}


def _with_store(env: Mapping[str, str], bucket: Bucket, staging: Path) -> dict[str, str]:
    """Have workers make their shards on the small disk, and send them to a bucket; Ray keeps away from that disk."""
    return {**env, **bucket.env, "TMPDIR": str(staging), "RAY_TMPDIR": tempfile.gettempdir()}


def tally(outcomes: Sequence[Outcome], executors: Sequence[str]) -> list[list[str]]:
    """Return rows of a table: kind, faults that happened with each executor, in all, and trials that broke."""
    happened = collections.Counter((f.kind, f.executor) for o in outcomes for f in o.faults if f.evidence)
    broke = collections.Counter(f.kind for o in outcomes if o.broken for f in o.faults if f.evidence)
    rows = []
    for kind in KINDS:
        counts = [happened[kind.name, e] for e in executors]
        if sum(counts):
            rows.append([kind.name, *map(str, counts), str(sum(counts)), str(broke[kind.name])])
    counts = [sum(happened[k.name, e] for k in KINDS) for e in executors]
    rows.append(["all", *map(str, counts), str(sum(counts)), str(sum(bool(o.broken) for o in outcomes))])
    return rows


def to_json(outcomes: Sequence[Outcome]) -> list[Mapping[str, Any]]:
    """Return the trials as plain data."""
    return [dataclasses.asdict(o) for o in outcomes]
