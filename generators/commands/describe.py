"""`genba describe`: everything a task's author declared and its scene contains."""

import dataclasses
import inspect
import json
import math
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import tyro

from generators.commands._options import parse
from generators.commands._tables import print_table
from generators.media.shots import nominal_model
from scenes.catalog import environments, load_task
from sim import distributions, parameters
from sim.cameras import camera_names, depth_range, intrinsics
from sim.layout import layout
from sim.task import Feature, Task


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell a task's parameters, channels, cameras, observations, actions, phases and ways to fail.

    Examples:
      genba describe steel/crane_coil
      genba describe my_scene:MyTask --json
    """

    task: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
    """A task's name (see `genba list`), or module:Class with the module in this folder."""
    json: bool = False
    """Print the description as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba describe")
    facts = describe(load_task(options.task))
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        _show(facts)
    return 0


def describe(task: Task) -> dict[str, Any]:
    """Return what is known of a task as plain data."""
    what = layout(task)
    return {
        "task": task.name,
        "version": task.version,
        "doc": inspect.getdoc(sys.modules[type(task).__module__]) or inspect.getdoc(type(task)) or "",
        "control_hz": task.control_hz,
        "horizon_s": task.horizon_s,
        "success_hold_s": task.success_hold_s,
        "environment": _environment(task),
        "timestep_s": what.timestep,
        "phases": list(task.phases),
        "failures": list(task.failures),
        "degradations": list(task.degradations),
        "parameters": {
            p.name: {"unit": p.unit, "doc": p.doc, "distribution": distributions.to_json(p.distribution)}
            for p in parameters.describe(task.Params).values()
        },
        "actions": {
            a.name: {"unit": a.unit, "low": _finite(a.low), "high": _finite(a.high), "doc": a.doc} for a in what.actions
        },
        "observations": _features(what.observations),
        "signals": _features(what.signals),
        "cameras": _cameras(task),
        "channels": {n: {"dim": dim} | dataclasses.asdict(c) for n, (dim, c) in what.channels.items()},
        "instruction": dict(task.instructions(task.Params())),  # a field's default is its nominal value
    }


def _cameras(task: Task) -> dict[str, Any]:
    """Return each camera's pixels, field of view and range in the nominal scene."""
    model = nominal_model(task)
    out: dict[str, Any] = {}
    for name in camera_names(model):
        width, height = (int(n) for n in model.cam_resolution[model.camera(name).id])
        k = intrinsics(model, name, width, height)
        angles = [math.degrees(2 * math.atan(n / 2 / k[0, 0])) for n in (width, height)]
        near, far = depth_range(model, name)
        out[name] = {"resolution": [width, height], "view_deg": angles, "near_m": near, "far_m": far}
    return out


def _features(features: Mapping[str, tuple[int, Feature]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    start = 0
    for name, (dim, feature) in features.items():
        low, high = ([_finite(float(v)) for v in np.broadcast_to(b, dim)] for b in (feature.low, feature.high))
        out[name] = {"at": start, "dim": dim} | feature._asdict() | {"low": low, "high": high}
        start += dim
    return out


def _environment(task: Task) -> str:
    """Return the id under which Gymnasium knows a task; "" where it is not registered."""
    address = f"{type(task).__module__}:{type(task).__name__}"
    return next((name for name, (known, _) in environments().items() if known == address), "")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _show(facts: Mapping[str, Any]) -> None:
    print(f"{facts['task']} v{facts['version']}\n\n{facts['doc']}\n")
    print(f"Control: {facts['control_hz']:g} Hz for up to {facts['horizon_s']:g} s; physics {facts['timestep_s']:g} s.")
    print(f"Success must hold for {facts['success_hold_s']:g} s.")
    for kind in ("phases", "failures", "degradations"):
        print(f"{kind.capitalize()}: {', '.join(facts[kind]) or 'none'}")
    for language, text in facts["instruction"].items():
        print(f"Instruction ({language}): {text}")
    rows = [(n, p["unit"], _range(p["distribution"]), p["doc"]) for n, p in facts["parameters"].items()]
    print_table("Parameters", ("name", "unit", "range", "meaning"), rows)
    rows = [
        (n, a["unit"], f"{_number(a['low'])} to {_number(a['high'])}", a["doc"]) for n, a in facts["actions"].items()
    ]
    print_table("Actions", ("actuator", "unit", "range", "meaning"), rows)
    if facts["environment"]:
        print(
            f"\nGymnasium: {facts['environment']}; actions in [-1, 1] stand for these ranges, observations are one Box:"
        )
    rows = [
        (n, f"{f['at']}:{f['at'] + f['dim']}", f["unit"], f["frame"], ", ".join(f["names"]), _bounds(f), f["doc"])
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
        (n, str(c["dim"]), c["unit"], f"{c['rate_hz']:g} Hz", f"{1e3 * c['latency_s']:g} ms", _errors(c), c["doc"])
        for n, c in facts["channels"].items()
    ]
    print_table("Channels", ("name", "dim", "unit", "rate", "latency", "errors", "meaning"), rows)


def _range(distribution: Mapping[str, Any]) -> str:
    """Say a distribution in a few words."""
    match distribution:
        case {"kind": "fixed", "value": value}:
            return f"always {_number(value)}"
        case {"kind": "choice", "values": values}:
            return "one of " + ", ".join(map(_number, values))
        case {"kind": "normal", "mean": mean, "std": std, "low": low, "high": high}:
            return f"{mean:g} ± {std:g}, within {low:g} to {high:g}"
        case {"kind": "log_uniform", "low": low, "high": high}:
            return f"{low:g} to {high:g}, log scale"
        case _:
            return f"{distribution['low']:g} to {distribution['high']:g}"


def _bounds(feature: Mapping[str, Any]) -> str:
    """Say between which values an observation is, of all its components together."""
    low, high = feature["low"], feature["high"]
    if None in (*low, *high):
        return "unlimited"
    return f"{min(low):g} to {max(high):g}"


def _number(value: float | str | None) -> str:
    if value is None:
        return "unlimited"
    return value if isinstance(value, str) else f"{value:g}"


def _errors(channel: Mapping[str, Any]) -> str:
    """Name an instrument's errors, those that it has."""
    ideal = {"gain": 1.0, "bias": 0.0, "noise": 0.0, "resolution": 0.0, "dropout": 0.0}
    return ", ".join(f"{name} {channel[name]:g}" for name, value in ideal.items() if channel[name] != value)
