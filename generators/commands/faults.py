"""`genba faults`: disturb the real program on purpose, and see whether it loses anything."""

import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from generators.commands._options import OptionalPath, parse
from generators.commands._tables import print_table
from generators.config import ConfigError
from generators.faults.campaign import run_campaign, tally, to_json
from generators.faults.disk import run_inside
from generators.faults.kinds import EXECUTORS
from generators.faults.trials import Outcome
from generators.files import write_whole
from sim.errors import nearest


@dataclasses.dataclass(frozen=True)
class Options:
    """Kill, stop, starve and damage the program while it makes datasets, and check that nothing is lost.

    A small dataset is made once undisturbed. Then come trials: each makes the same dataset while workers and drivers
    are killed, the disk is full, the task hangs or crashes, files are damaged; resumes it; and compares. Every episode
    must be there once, every file must have the hash of the undisturbed one, and every exit code must be documented.
    A fault counts where it is known to have happened. It all happens in a folder of its own, with a small disk that is
    mounted for it, and touches nothing else. The same seed draws the same faults. 200 faults take about a quarter of
    an hour on two cores.

    Examples:
      genba faults --count 20 --executors inline
      genba faults --count 200 --seed 0 --out faults.md
      genba faults --count 50 --executors processes,ray --json
      genba faults --count 100 --store s3
    """

    count: int = 200
    """How many faults must have happened."""
    seed: int = 0
    """Determines which faults, and the dataset."""
    executors: Annotated[str, tyro.conf.arg(metavar="NAME,NAME")] = ",".join(EXECUTORS)
    """Where: inline, processes, ray (one node), ray2 (two nodes, as separate processes)."""
    store: Literal["folder", "s3"] = "folder"
    """Where datasets are put: folders, or an S3 server of the harness's own, whose network fails, too."""
    out: OptionalPath = None
    """A file for the table, .md, or for all that happened, .json."""
    json: bool = False
    """Print all that happened as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 1 where something was lost."""
    options = parse(Options, argv, "genba faults")
    executors = _check(options)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell pass on SIG_IGN
    code = run_inside(argv)
    if code is not None:
        return code
    outcomes = run_campaign(options.count, options.seed, executors, _tell, store=options.store)
    headers = ("fault", *executors, "all", "broken")
    rows = tally(outcomes, executors)
    plain = json.dumps({"count": options.count, "seed": options.seed, "trials": to_json(outcomes)}, indent=1)
    if options.json:
        print(plain)
    else:
        print_table("", headers, rows)
        for outcome in outcomes:
            for sentence in outcome.broken:
                print(f"{outcome.trial.executor} trial {outcome.trial.index}: {sentence}")
    if options.out:
        lines = [headers, tuple("---" for _ in headers), *rows]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        write_whole(options.out, (table if options.out.suffix == ".md" else plain).encode())
    return int(any(o.broken for o in outcomes))


def _check(options: Options) -> tuple[str, ...]:
    executors = tuple(dict.fromkeys(options.executors.split(",")))
    for name in executors:
        if name not in EXECUTORS:
            raise ConfigError(f"--executors: no executor {name!r:.40}{nearest(name, EXECUTORS)}")
    if not 1 <= options.count <= 100_000:
        raise ConfigError(f"--count takes 1 to 100000, got {options.count}")
    if options.out and options.out.suffix not in (".md", ".json"):
        raise ConfigError(f"--out takes a file that ends in .md or .json, got {Path(options.out).name!r:.80}")
    return executors


def _tell(outcome: Outcome) -> None:
    happened = [f.kind for f in outcome.faults if f.evidence]
    verdict = f"broken: {outcome.broken[0]:.200}" if outcome.broken else "all held"
    text = f"{outcome.trial.executor} {outcome.trial.index}: {', '.join(happened)}: {verdict} ({outcome.seconds:.1f} s)"
    print(text, file=sys.stderr, flush=True)
