"""`genba validate`: is a dataset right."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.config import ConfigError, available_cpus
from generators.dataset import read_manifest
from generators.homes import task_finder
from generators.replaying import LoadTask
from generators.schema import DatasetError
from generators.validate import Report, validate
from scenes.catalog import load_task


@dataclasses.dataclass(frozen=True)
class Options:
    """Check a dataset: the hash of every file; with --deep every column and picture; with --replay the physics itself.

    Of each episode that is replayed some pictures are drawn again, where the same backend and device drew them.

    Exit code 0: nothing wrong; 1: findings, one a line, each with its shard and column.

    Examples:
      genba validate datasets/crane
      genba validate datasets/crane --deep --replay all
      genba validate datasets/crane --deep --replay 10 --json
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    deep: bool = False
    """Read every shard through, in a child process with limits, and check what must hold."""
    replay: Annotated[str | None, tyro.conf.arg(metavar="all|N", help_behavior_hint="")] = None
    """Replay episodes bit for bit: "all", or how many (a sample that is the same every time)."""
    workers: int = dataclasses.field(default_factory=available_cpus)
    """Processes that replay [one per processor]."""
    json: bool = False
    """Print the report as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba validate")
    replay = _count(options.replay)
    if not (options.dataset / "dataset.json").exists():
        raise ConfigError(f"no dataset.json in {options.dataset}: it is no dataset of genba's")
    finder = _finder(options.dataset) if replay is not None else None
    with _Bar() as bar:
        report = validate(
            options.dataset,
            deep=options.deep,
            replay=replay,
            load_task=finder,
            workers=options.workers,
            progress=bar.show,
        )
    if options.json:
        print(json.dumps(report.to_json(), indent=1))
    else:
        _tell(options.dataset, report)
    return 0 if report.ok else 1


def _finder(folder: Path) -> LoadTask | None:
    """Return what finds the tasks to replay with; None where no task of ours made the episodes."""
    try:
        manifest = read_manifest(folder)
    except DatasetError:
        return load_task  # it is never called: validation will say what is wrong
    return None if "imported" in manifest else task_finder(folder, manifest)


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "all":
        return -1
    if not text.isdigit():
        raise ConfigError(f"--replay needs a number or 'all', got {text!r}")
    return int(text)


def _tell(folder: Path, report: Report) -> None:
    for finding in report.findings:
        print(finding)
    looked = f"{report.files} files, {report.bytes / 1e6:.1f} MB"
    if report.shards_read:
        looked += f", {report.shards_read} shards read through"
    if report.replayed:
        looked += f", {report.replayed} episodes replayed"
    if report.redrawn:
        looked += f", {report.redrawn} pictures drawn again"
    for note in report.notes:
        print(f"note: {note}")
    verdict = "nothing wrong" if report.ok else f"{len(report.findings)} findings"
    print(f"{folder}: {verdict} ({looked})")


class _Bar:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, TaskID

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._stages: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bar":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if self._bar:
            if stage not in self._stages:
                self._stages[stage] = self._bar.add_task(stage, total=total)
            self._bar.update(self._stages[stage], completed=done, total=total)
