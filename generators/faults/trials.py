"""Trials: which faults in which order, drawn from a seed; and what became of them."""

import dataclasses
import random
import shutil
import time
from collections.abc import Iterator, Sequence

from generators.faults.damage import DAMAGES
from generators.faults.injection import Site, happened, inject
from generators.faults.invariant import Reference, broken, broken_shards
from generators.faults.kinds import DOCUMENTED, KINDS, Kind, kind
from generators.faults.program import Program, reap

EPISODES, PER_SHARD = 120, 3
TIME_LIMIT_S = 5.0
STORE_LIMIT_S = 20.0  # more than the harness's patience with a store that is gone
_ENDS_S = 120.0  # within which a run ends, whatever happens to it
_RESUMES = 4  # undisturbed ones, at most, until a dataset must be whole
_SHAPE = {"inline": (3, 1), "processes": (3, 2), "ray": (2, 3), "ray2": (2, 3)}  # runs, faults that one goes on from


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """A dataset's hard life.

    Attributes:
        index: its number in the campaign.
        executor: inline, processes, ray or ray2.
        runs: for each disturbed run the kinds of faults, in order: damage before it, then what happens to it.
    """

    index: int
    executor: str
    runs: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was to happen.

    Attributes:
        kind: its kind's name.
        executor: where.
        trial: in which trial.
        evidence: that it happened; "" where it came too late.
    """

    kind: str
    executor: str
    trial: int
    evidence: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trial.

    Attributes:
        trial: it.
        faults: what happened.
        broken: what did not hold, one sentence each.
        codes: the runs' exit codes.
        seconds: how long it took.
    """

    trial: Trial
    faults: tuple[Fault, ...]
    broken: tuple[str, ...]
    codes: tuple[int | None, ...]
    seconds: float


def plan_trials(seed: int, executor: str, without: Sequence[str] = (), store: str = "folder") -> Iterator[Trial]:
    """Yield the trials of an executor, for ever; the same seed gives the same."""
    kinds = [k for k in KINDS if executor in k.executors and store in k.stores and k.name not in without]
    damages = [k.name for k in kinds if k.when == "damage"]
    ending = _Deck([k.name for k in kinds if k.codes(executor)], random.Random(f"{seed} {executor} ending"))
    going_on = _Deck(
        [k.name for k in kinds if k.when != "damage" and not k.codes(executor)],
        random.Random(f"{seed} {executor} going on"),
    )
    damage = _Deck(damages, random.Random(f"{seed} {executor} damage"))
    runs, several = _SHAPE[executor]
    index = 0
    while True:
        plan = tuple(
            (*damage.deal(2 if number else 0), *going_on.deal(several), *ending.deal(1)) for number in range(runs)
        )
        yield Trial(index, executor, (*plan, tuple(damage.deal(2))))
        index += 1


class _Deck:
    """Deals kinds so that each comes as often as the others."""

    def __init__(self, names: Sequence[str], rng: random.Random) -> None:
        self._names, self._rng = tuple(names), rng
        self._left: list[str] = []

    def deal(self, count: int) -> list[str]:
        """Return the next kinds."""
        dealt: list[str] = []
        for _ in range(count):
            if not self._left:
                self._left = self._rng.sample(self._names, len(self._names))
            dealt.append(self._left.pop())
        return dealt


class Run:
    """One trial under way: runs the program, disturbs it, and keeps what was seen."""

    def __init__(self, trial: Trial, site: Site, reference: Reference, seed: int) -> None:
        self.trial, self.site, self.reference = trial, site, reference
        self.rng = random.Random(f"{seed} {trial.executor} {trial.index}")
        self.faults: list[Fault] = []
        self.broken: list[str] = []
        self.codes: list[int | None] = []
        self.words = ""

    def to_the_end(self) -> Outcome:
        """Do all of it."""
        begin = time.monotonic()
        for number, names in enumerate(self.trial.runs):
            self._damage([n for n in names if kind(n).when == "damage"])
            disturbing = [kind(n) for n in names if kind(n).when != "damage"]
            if disturbing:
                self._disturbed(number, disturbing)
        for _ in range(_RESUMES):
            if self._finish() == 0:
                break
        else:
            self.broken.append(f"{_RESUMES} undisturbed resumes did not finish it, the last: {self.words[-300:]}")
        if self.codes[-1] == 0 and self._brought():
            self.broken += broken(self.site.data, self.reference)
        return Outcome(
            self.trial, tuple(self.faults), tuple(self.broken), tuple(self.codes), round(time.monotonic() - begin, 1)
        )

    def _damage(self, names: Sequence[str]) -> None:
        with self.site.opened() as folder:
            self.broken += broken_shards(folder, self.reference)
            for name in names:
                self._note(name, DAMAGES[name](folder, self.rng))

    def _disturbed(self, number: int, kinds: Sequence[Kind]) -> None:
        """Start or resume the dataset, and let faults happen to it: the last may end the run."""
        run = self._start(number)
        lost = 0
        ended: tuple[str, str] | None = None
        for fault in kinds:
            evidence = inject(fault.name, run, self.site, self.rng)
            lost += fault.costs_worker and bool(evidence)
            if evidence and fault.codes(self.trial.executor):
                ended = (fault.name, evidence)
                break
            self._note(fault.name, evidence)
        code = self._close(run)
        did = ended is not None and happened(ended[0], code, run, self.trial.executor)
        if ended is not None:
            self._note(ended[0], f"{ended[1]}, exit code {code}" if did else None)
        if not did and code not in ((0, 3) if lost >= 3 else (0,)):
            self.broken.append(f"exit code {code} after {[k.name for k in kinds]}: {run.words[-300:]}")

    def _finish(self) -> int | None:
        return self._close(self._start(1))

    def _start(self, number: int) -> Program:
        if self.site.nodes is not None:
            self.site.nodes.ready()
        return Program(self._args(number), self.site.scene, self.site.env)

    def _brought(self) -> bool:
        """Bring the dataset from its store, if it lies in one, by the program itself; return whether it is there."""
        if self.site.objects is None:
            return True
        self.broken += self.site.objects.strangers(self.reference)
        shutil.rmtree(self.site.data, ignore_errors=True)
        run = Program(["fetch", self.site.out, str(self.site.data)], self.site.scene, self.site.env)
        code = run.ends(_ENDS_S)
        if code != 0:
            self.broken.append(f"it was not brought from its store, exit code {code}: {run.words[-300:]}")
        return code == 0

    def _args(self, number: int) -> list[str]:
        workers = "1" if self.trial.executor == "inline" else "2"
        executor = ["--executor", self.trial.executor.removesuffix("2"), "--workers", workers]
        executor += ["--ray-address", self.site.address] if self.site.address else []
        if number and self.site.begun():
            return ["resume", self.site.out, *executor]
        size = ["--episodes", str(EPISODES), "--episodes-per-shard", str(PER_SHARD), "--seed", str(self.site.seed)]
        limit = ["--time-limit-s", f"{TIME_LIMIT_S if self.site.objects is None else STORE_LIMIT_S:g}"]
        return ["generate", "harmed_scene:Harmed", *size, *executor, *limit, "--out", self.site.out]

    def _close(self, run: Program) -> int | None:
        """Wait for a run's end and clear up: what lasts longer than it, processes that are left."""
        code = run.ends(_ENDS_S)
        self.codes.append(code)
        self.words = run.words
        self.site.restore()
        left = reap(str(self.site.orders), 10.0) if self.site.nodes is None else 0
        if left and self.trial.executor == "processes":
            self.broken.append(f"{left} workers outlived their driver by 10 s")
        if code is None:
            self.broken.append(f"a run did not end within {_ENDS_S:g} s: {run.words[-300:]}")
        if code in DOCUMENTED and "Traceback" in run.words:
            self.broken.append(f"a traceback instead of a sentence: {run.words[-300:]}")
        return code

    def _note(self, name: str, evidence: str | None) -> None:
        self.faults.append(Fault(name, self.trial.executor, self.trial.index, evidence or ""))


def clear(site: Site) -> None:
    """Remove what a trial has left."""
    if site.objects is not None:
        site.objects.clear()
    shutil.rmtree(site.data, ignore_errors=True)
