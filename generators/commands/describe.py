"""`genba describe`: everything a task's author declared and its scene contains."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import tyro

from generators.commands._options import parse
from generators.commands._tables import print_table
from generators.description import (
    accepted_text,
    anchor_facts,
    bounds_text,
    describe,
    errors_text,
    number_text,
    range_text,
)
from scenes import anchors
from scenes.anchors import Anchor
from scenes.catalog import load_task


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell a task's parameters, channels, cameras, observations, actions, phases, ways to fail, and anchors.

    Anchors are formulas that the scene's physics is tested against; --anchors measures them, which takes seconds to a
    minute, and ends with exit code 1 where one is missed. `genba page` makes a page of all this, with pictures.

    Examples:
      genba describe steel/crane_coil
      genba describe steel/crane_coil --anchors
      genba describe my_scene:MyTask --json
    """

    task: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
    """A task's name (see `genba list`), or module:Class with the module in this folder."""
    anchors: bool = False
    """Measure what vouches for the task's physics."""
    json: bool = False
    """Print the description as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 1 where an anchor is missed."""
    options = parse(Options, argv, "genba describe")
    task = load_task(options.task)
    facts = describe(task)
    measured = tuple(anchors.measure(task.name)) if options.anchors else ()
    if options.json:
        more = {"measured": [anchor_facts(a) for a in measured]} if options.anchors else {}
        print(json.dumps(facts | more, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        _show(facts)
        _show_anchors(facts["anchors"], measured)
    return 0 if all(a.holds for a in measured) else 1


def _show(facts: Mapping[str, Any]) -> None:
    print(f"{facts['task']} v{facts['version']}\n\n{facts['doc']}\n")
    print(f"Control: {facts['control_hz']:g} Hz for up to {facts['horizon_s']:g} s; physics {facts['timestep_s']:g} s.")
    print(f"Success must hold for {facts['success_hold_s']:g} s.")
    for kind in ("phases", "failures", "degradations"):
        print(f"{kind.capitalize()}: {', '.join(facts[kind]) or 'none'}")
    for language, text in facts["instruction"].items():
        print(f"Instruction ({language}): {text}")
    rows = [(n, p["unit"], range_text(p["distribution"]), p["doc"]) for n, p in facts["parameters"].items()]
    print_table("Parameters", ("name", "unit", "range", "meaning"), rows)
    rows = [
        (n, a["unit"], f"{number_text(a['low'])} to {number_text(a['high'])}", a["doc"])
        for n, a in facts["actions"].items()
    ]
    print_table("Actions", ("actuator", "unit", "range", "meaning"), rows)
    if facts["environment"]:
        print(
            f"\nGymnasium: {facts['environment']}; actions in [-1, 1] stand for these ranges, observations are one Box:"
        )
    rows = [
        (n, f"{f['at']}:{f['at'] + f['dim']}", f["unit"], f["frame"], ", ".join(f["names"]), bounds_text(f), f["doc"])
        for n, f in facts["observations"].items()
    ]
    print_table("Observations", ("name", "at", "unit", "frame", "components", "bounds", "meaning"), rows)
    rows = [
        (n, str(f["dim"]), f["unit"], f["frame"], ", ".join(f["names"]), f["doc"]) for n, f in facts["signals"].items()
    ]
    print_table("Signals", ("name", "dim", "unit", "frame", "components", "meaning"), rows)
    rows = [
        (n, "{} x {}".format(*c["resolution"]), "{:.0f} x {:.0f} deg".format(*c["view_deg"]), f"{c['far_m']:g} m")
        for n, c in facts["cameras"].items()
    ]
    print_table("Cameras", ("name", "pixels", "field of view", "range of depth"), rows)
    rows = [
        (n, str(c["dim"]), c["unit"], f"{c['rate_hz']:g} Hz", f"{1e3 * c['latency_s']:g} ms", errors_text(c), c["doc"])
        for n, c in facts["channels"].items()
    ]
    print_table("Channels", ("name", "dim", "unit", "rate", "latency", "errors", "meaning"), rows)


def _show_anchors(known: Mapping[str, str], measured: Sequence[Anchor]) -> None:
    print_table("Physics anchored by formulas", ("module", "laws"), list(known.items()))
    rows = [
        (
            a.name,
            a.unit,
            f"{a.expected:.5g}",
            f"{a.measured:.5g}",
            accepted_text(a),
            "holds" if a.holds else "MISSED",
            a.law,
            a.source,
        )
        for a in measured
    ]
    print_table("Anchors", ("name", "unit", "expected", "measured", "accepted", "verdict", "law", "source"), rows)
