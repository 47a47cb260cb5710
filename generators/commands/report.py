"""`genba report`: one HTML file that tells people what a dataset holds."""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._options import parse
from generators.paper.render import write_html
from generators.report.facts import Report, make_report
from generators.report.write import Language, check_extra, report_html


@dataclasses.dataclass(frozen=True)
class Options:
    """Write a report of a dataset: one HTML file that opens offline, in English and Japanese.

    It says how episodes ended, which parameters the yield depends on, how the data was drawn, and shows telemetry and
    moving pictures of successes and failures; then columns with statistics, speed, validation, provenance, and how to
    load it. Pictures that were not recorded are drawn from the states, where OpenGL works. Needs genba[report].

    Exit code 0: nothing is wrong with the dataset; 1: the report is written, and lists what is.

    Examples:
      genba report datasets/crane
      genba report datasets/crane --out crane.html --lang ja --deep
      genba report datasets/crane --episodes 3 17
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("report.html")
    """The file to write; one of the same name is replaced."""
    lang: Language = "both"
    """The language; both: with a switch."""
    episodes: tuple[int, ...] = ()
    """Episodes to show, by place in the dataset [those that tell most]."""
    deep: bool = False
    """Read every shard through and check it, as `genba validate --deep` does."""
    draw: bool = False
    """Import the module of a task that is not genba's own, where its pictures were not recorded."""
    json: bool = False
    """Print what was written as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 1 where validation finds something."""
    options = parse(Options, argv, "genba report")
    check_extra()
    begin = time.perf_counter()
    with bars() as show:
        report = make_report(
            options.dataset, episodes=options.episodes, deep=options.deep, draw=options.draw, done=show
        )
    write_html(options.out, report_html(report, options.lang))
    _tell(options, report, time.perf_counter() - begin)
    return 0 if report.checked.ok else 1


def _tell(options: Options, report: Report, took: float) -> None:
    count = options.out.stat().st_size
    if options.json:
        facts = {"file": str(options.out), "bytes": count, "seconds": round(took, 2), "ok": report.checked.ok}
        print(json.dumps(facts | {"findings": [str(f) for f in report.checked.findings]}, indent=1))
        return
    for finding in report.checked.findings:
        print(finding, file=sys.stderr)
    figures = "; ".join(f"{key.label.en.lower()}: {key.figure.en}" for key in report.key)
    print(f"{options.out} ({count / 1e6:.1f} MB, {took:.1f} s): {figures}")
