"""`genba validate`: is a dataset right."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.commands._tables import print_table
from generators.config import ConfigError, available_cpus
from generators.dataset import read_manifest
from generators.homes import task_finder
from generators.lints.catalogue import LINTS
from generators.lints.quality import record
from generators.lints.splits import SPLIT
from generators.replaying import LoadTask
from generators.schema import MANIFEST, DatasetError
from generators.validate import Report, validate
from scenes.catalog import load_task


@dataclasses.dataclass(frozen=True)
class Options:
    """Check a dataset: the hash of every file; with --deep every column and picture; with --replay the physics itself.

    Of each episode that is replayed some pictures are drawn again, where the same backend and device drew them, and
    its success is judged again. A folder that `genba split` made is checked part by part, and for leaks between them.

    Exit code 0: no errors; 1: errors, one finding a line, each with its shard, column and lint. Warnings count with
    --strict.

    Examples:
      genba validate datasets/crane
      genba validate datasets/crane --deep --replay all
      genba validate datasets/crane --deep --replay 10 --json
      genba validate datasets/crane --deep --strict --ignore zero-variance --ignore phase-order
      genba validate datasets/crane --deep --replay all --record
      genba validate --list-lints
    """

    dataset: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """The dataset's folder, or a split's."""
    deep: bool = False
    """Read every shard through, in a child process with limits, and check what must hold."""
    replay: Annotated[str | None, tyro.conf.arg(metavar="all|N", help_behavior_hint="")] = None
    """Replay episodes bit for bit: "all", or how many (a sample that is the same every time)."""
    strict: bool = False
    """Let warnings make the exit code 1 too."""
    ignore: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="LINT")] = ()
    """Leave out a lint's findings; may be given several times."""
    record: bool = False
    """Write what was measured into dataset.json, under "quality"; needs --deep."""
    list_lints: bool = False
    """List what is checked, and do nothing else."""
    workers: int = dataclasses.field(default_factory=available_cpus)
    """Processes that replay [one per processor]."""
    json: bool = False
    """Print the report as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba validate")
    if options.list_lints:
        return _list(as_json=options.json)
    folder, replay = _check(options), _count(options.replay)
    finder = _finder(folder) if replay is not None else None
    with _Bar() as bar:
        report = validate(
            folder,
            deep=options.deep,
            replay=replay,
            load_task=finder,
            workers=options.workers,
            progress=bar.show,
            ignore=options.ignore,
        )
    if options.json:
        print(json.dumps(report.to_json(), indent=1))
    else:
        _tell(folder, report)
    for part, quality in report.quality.items() if options.record else ():
        record(folder / part, quality)
    return 0 if report.ok and not (options.strict and report.findings) else 1


def _check(options: Options) -> Path:
    """Return the folder to look at."""
    if options.dataset is None:
        raise ConfigError("which dataset? give its folder, or --list-lints for what is checked")
    if not any((options.dataset / name).exists() for name in (MANIFEST, SPLIT)):
        raise ConfigError(f"no dataset.json in {options.dataset}: it is no dataset of genba's")
    if options.record and not options.deep:
        raise ConfigError("--record writes what --deep measures: give both")
    return options.dataset


def _list(*, as_json: bool) -> int:
    if as_json:
        print(json.dumps([dataclasses.asdict(lint) for lint in LINTS.values()], indent=1))
    else:
        print_table(
            "", ("lint", "level", "severity", "what must hold"), [tuple(dataclasses.astuple(x)) for x in LINTS.values()]
        )
    return 0


def _finder(folder: Path) -> LoadTask | None:
    """Return what finds the tasks to replay with; None where no task of ours made the episodes."""
    parts = [folder] if (folder / MANIFEST).exists() else sorted(p.parent for p in folder.glob(f"*/{MANIFEST}"))
    try:
        manifest = read_manifest(parts[0])  # the parts of a split have the same tasks
    except (DatasetError, IndexError):
        return load_task  # it is never called: validation will say what is wrong
    return None if "imported" in manifest else task_finder(parts[0], manifest)


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
        print(f"{'' if finding.severity == 'error' else 'warning: '}{finding} [{finding.lint}]")
    looked = f"{report.files} files, {report.bytes / 1e6:.1f} MB"
    if report.shards_read:
        looked += f", {report.shards_read} shards read through"
    if report.replayed:
        looked += f", {report.replayed} episodes replayed"
    if report.redrawn:
        looked += f", {report.redrawn} pictures drawn again"
    for note in report.notes:
        print(f"note: {note}")
    counts = [(len(report.errors), "errors"), (len(report.warnings), "warnings")]
    verdict = ", ".join(f"{n} {what if n > 1 else what[:-1]}" for n, what in counts if n) or "nothing wrong"
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
