"""A page's contents in words and tables: what `describe` knows of a task, and what was measured."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from generators.description import (
    accepted_text,
    bounds_text,
    describe,
    doc_parts,
    errors_text,
    number_text,
    range_text,
)
from generators.pages.measures import Measured, outcomes
from generators.pages.pictures import PRESET, Pictures
from generators.speed.physics import Speed
from scenes.anchors import Anchor
from scenes.catalog import task_source_sha256
from sim import parameters
from sim.task import Task

_LANGUAGES = {"en": "Work order", "ja": "作業指示"}


class Table(NamedTuple):
    """A table.

    Attributes:
        headers: of the columns.
        rows: cells as text; one of several lines is a tuple, the first line in bold.
        note: one sentence below it.
        name: above it, for one of several in a section.
        folded: whether it is shown only when asked for.
    """

    headers: tuple[str, ...]
    rows: Sequence[Sequence[str | tuple[str, ...]]]
    note: str = ""
    name: str = ""
    folded: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What is written of a task.

    Attributes:
        task: its name.
        facts: what `describe` says.
        summary: one sentence.
        parts: what the author says of what.
        orders: (language, label, text) of work orders.
        tables: by section.
        key: (label, figure) of the figures that come first.
        missed: how many anchors are missed.
        measured: what was measured.
        pictures: what was drawn.
    """

    task: str
    facts: Mapping[str, Any]
    summary: str
    parts: Sequence[tuple[str, str]]
    orders: Sequence[tuple[str, str, str]]
    tables: Mapping[str, Sequence[Table]]
    key: Sequence[tuple[str, str]]
    missed: int
    measured: Measured
    pictures: Pictures

    @property
    def file(self) -> str:
        """Name of the page's file."""
        return self.task.replace("/", "-").replace(":", "-") + ".html"


def make_page(task: Task, measured: Measured, pictures: Pictures) -> Page:
    """Put together what is written of a task."""
    facts = describe(task)
    parts = doc_parts(facts["doc"])
    found = [a for several in (measured.anchors or {}).values() for a in several]
    missed = sum(not a.holds for a in found)
    tables = {
        "parameters": _parameters(facts["parameters"]),
        "channels": [_channels(facts["channels"])],
        "signals": [_features(facts["signals"], observed=False)],
        "actions": [_actions(facts["actions"])],
        "observations": [_features(facts["observations"], observed=True)],
        "cameras": [_cameras(facts["cameras"])],
        "degraded": [_degraded(measured)] if measured.degraded else [],
        "anchors": [_anchors(facts["anchors"][name], several) for name, several in (measured.anchors or {}).items()],
        "speed": [_speed(measured.speed)],
        "provenance": [_provenance(task, pictures)],
    }
    key = _key(measured, f"{len(found) - missed} of {len(found)}" if found else "not measured")
    orders = _orders(task)
    return Page(task.name, facts, parts[0][1], parts[1:], orders, tables, key, missed, measured, pictures)


def _key(measured: Measured, anchored: str) -> list[tuple[str, str]]:
    done, count, seconds = len(measured.done), len(measured.expert), measured.seconds
    took = f" in {np.median(seconds):.3g} s ({seconds.min():.3g} to {seconds.max():.3g} s)" if done else ""
    lucky = sum(p.first >= 0 for p in measured.chance)
    return [
        ("Expert succeeds", f"{done} of {count}{took}"),
        ("Random policy succeeds", f"{lucky} of {len(measured.chance)}"),
        ("Reward rises with the phases", f"in {measured.rising} of {done} successes"),
        ("Anchors hold", anchored),
        ("Physics, one core", f"{measured.speed.real_time:.3g} times real time"),
    ]


def _orders(task: Task, seeds: Sequence[int] = range(3)) -> list[tuple[str, str, str]]:
    drawn = [task.instructions(parameters.sample(task.Params, seed)) for seed in seeds]
    return [(lang, _LANGUAGES.get(lang, lang), text) for order in drawn for lang, text in order.items()]


def _parameters(known: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    looks = {n: p for n, p in known.items() if n.startswith("look.")}
    headers = ("name", "unit", "range", "distribution", "meaning and source")
    tables: list[Table] = []
    for name, several, folded in (
        ("Physics", {n: p for n, p in known.items() if n not in looks}, False),
        ("Looks: change pictures and no bit of the physics", looks, True),
    ):
        rows = [
            (n, p["unit"], range_text(p["distribution"]), p["distribution"]["kind"].replace("_", " "), p["doc"])
            for n, p in several.items()
        ]
        if rows:
            tables.append(Table(headers, rows, name=f"{name} ({len(rows)})", folded=folded))
    return tables


def _channels(known: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (
            n,
            str(c["dim"]),
            c["unit"],
            f"{c['rate_hz']:g} Hz",
            f"{1e3 * c['latency_s']:g} ms",
            errors_text(c) or "none",
            c["frame"],
            c["doc"],
        )
        for n, c in known.items()
    ]
    return Table(("channel", "dim", "unit", "rate", "latency", "errors", "frame", "meaning"), rows)


def _features(known: Mapping[str, Mapping[str, Any]], *, observed: bool) -> Table:
    rows = [
        (
            n,
            f"{f['at']} to {f['at'] + f['dim'] - 1}" if f["dim"] > 1 else str(f["at"]),
            f["unit"],
            f["frame"],
            ", ".join(f["names"]),
            *([bounds_text(f)] if observed else []),
            f["doc"],
        )
        for n, f in known.items()
    ]
    headers = ("name", "at", "unit", "frame", "components", *(["bounds"] if observed else []), "meaning")
    return Table(headers, rows)


def _actions(known: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [(n, a["unit"], f"{number_text(a['low'])} to {number_text(a['high'])}", a["doc"]) for n, a in known.items()]
    return Table(("actuator", "unit", "range", "meaning"), rows)


def _cameras(known: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (
            n,
            "{}\u00a0×\u00a0{}".format(*c["resolution"]),
            "{:.0f}\u00a0×\u00a0{:.0f}\u00a0deg".format(*c["view_deg"]),
            f"{c['near_m']:g} to {c['far_m']:g} m",
        )
        for n, c in known.items()
    ]
    return Table(("camera", "pixels", "field of view", "range of depth"), rows)


def _degraded(measured: Measured) -> Table:
    counts, task = measured.degraded, measured.task
    ways = outcomes(task, counts)
    rows = [(mode, *(_count(counts.get((mode, way), 0)) for way in ways)) for mode in task.degradations]
    total = sum(counts.values())
    note = f"{total} episodes, each with one of the modes drawn at random; judged by the physics alone."
    return Table(("expert mode", *(way.replace("_", " ") for way in ways)), rows, note)


def _count(number: int) -> str:
    return str(number) if number else "·"


def _anchors(name: str, several: Iterable[Anchor]) -> Table:
    rows = [
        (
            (a.name, a.law, a.source),
            a.unit,
            f"{a.expected:.5g}",
            f"{a.measured:.5g}",
            _deviation(a),
            accepted_text(a),
            "holds" if a.holds else "MISSED",
        )
        for a in several
    ]
    headers = ("law and source", "unit", "expected", "measured", "deviation", "accepted", "verdict")
    return Table(headers, rows, name=name)


def _deviation(a: Anchor) -> str:
    off = a.measured - a.expected
    return f"{100 * off / abs(a.expected):+.2g} %" if a.expected else f"{off:+.2g}"


def _speed(s: Speed) -> Table:
    rows = [
        ("timestep", f"{1e3 * s.timestep:g} ms"),
        ("a substep of bare physics", f"{1e6 / s.substeps_per_s:.1f} us"),
        ("substeps per second, one core", f"{s.substeps_per_s:,.0f}"),
        ("the same of the reference model, in the same run", f"{s.reference_per_s:,.0f}"),
        ("task over reference", f"{s.ratio:.2g}"),
        ("simulated over computing time, bare physics", f"{s.real_time:.3g}"),
        ("the same with expert, telemetry and recording", f"{s.making:.3g}"),
    ]
    note = "The reference model is a box at rest on a plane (four contacts, elliptic cone) and a pendulum of two links."
    return Table(("what", "measured"), rows, note)


def _provenance(task: Task, pictures: Pictures) -> Table:
    versions = {name: importlib.metadata.version(name) for name in ("genba", "mujoco", "numpy")}
    rows = [
        ("task", f"{task.name}, version {task.version}"),
        ("SHA-256 of the task's source", task_source_sha256(task)),
        *versions.items(),
        ("Python", platform.python_version()),
        ("measured on", _processor()),
        ("pictures", f"preset {PRESET}" if not pictures.problem else pictures.problem),
    ]
    return Table(("what", "which"), rows)


def _processor() -> str:
    """Return the name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return found or platform.processor() or platform.machine()
