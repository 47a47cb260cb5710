"""A validation on its way, and the report that it ends in."""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from generators.lints.catalogue import Finding

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found.

    Attributes:
        findings: what is wrong, in the order of the shards.
        files: files whose hash was compared.
        bytes: how much that was.
        shards_read: shards that were read through.
        replayed: episodes that were replayed.
        redrawn: pictures of them that were drawn again.
        notes: what could not be compared, and why.
        levels: what was run: quick, deep, replay.
        quality: what was measured, where every shard could be read: of a dataset under "", of a split by part.
    """

    findings: tuple[Finding, ...]
    files: int = 0
    bytes: int = 0
    shards_read: int = 0
    replayed: int = 0
    redrawn: int = 0
    notes: tuple[str, ...] = ()
    levels: tuple[str, ...] = ("quick",)
    quality: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make a dataset wrong."""
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that may be meant."""
        return tuple(f for f in self.findings if f.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings aside."""
        return not self.errors

    def counts(self) -> dict[str, int]:
        """Return the number of findings by lint."""
        return dict(sorted(collections.Counter(f.lint for f in self.findings).items()))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        findings = [dataclasses.asdict(f) | {"severity": f.severity} for f in self.findings]
        rest = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "findings"}
        return {"ok": self.ok, "findings": findings, "lints": self.counts()} | rest


@dataclasses.dataclass(slots=True)
class Run:
    """A validation on its way.

    Attributes:
        folder: the dataset's.
        manifest: its dataset.json.
        progress: called with a stage's name, how much is done and how much there is.
        ignore: lints whose findings are left out.
        verified: episodes that were replayed and are right.
        levels: what was run.
        leaks: of a split, how much its parts share; None where that was not looked for.
        facts: what children found out of each shard that could be read: ids, outcomes, twins ...
    """

    folder: Path
    manifest: Mapping[str, Any]
    progress: Progress
    ignore: frozenset[str] = frozenset()
    findings: list[Finding] = dataclasses.field(default_factory=list)
    files: int = 0
    bytes: int = 0
    shards_read: int = 0
    replayed: int = 0
    verified: int = 0
    redrawn: int = 0
    notes: set[str] = dataclasses.field(default_factory=set)
    levels: list[str] = dataclasses.field(default_factory=lambda: ["quick"])
    leaks: int | None = None
    facts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def add(self, lint: str, shard: str, column: str, message: str) -> None:
        """Note a finding, but for lints that are ignored."""
        if lint not in self.ignore:
            self.findings.append(Finding(shard, column, message, lint))

    def report(self) -> Report:
        """Return what was found so far; what was measured is added by who knows it."""
        ordered = sorted(self.findings, key=lambda f: f.shard)
        figures = self.files, self.bytes, self.shards_read, self.replayed, self.redrawn
        return Report(tuple(ordered), *figures, tuple(sorted(self.notes)), tuple(self.levels))
