"""What is known of a task without running it, as plain data, with the words for it: one source for all who tell.

Everything comes from what the task's author declared and from its scene at nominal parameters.
"""

import dataclasses
import inspect
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from generators.media.shots import nominal_model
from scenes import anchors
from scenes.anchors import Anchor
from scenes.catalog import environments
from sim import distributions, parameters
from sim.cameras import camera_names, depth_range, intrinsics
from sim.layout import layout
from sim.task import Feature, Task


def describe(task: Task) -> dict[str, Any]:
    """Return what is known of a task as plain data."""
    return declared(task) | {
        "environment": _environment(task),
        "cameras": _cameras(task),
        "anchors": anchors.vouching(task.name),
    }


def declared(task: Task) -> dict[str, Any]:
    """Return what a task's author declared as plain data; of its scene only the layout is looked at."""
    what = layout(task)
    return {
        "task": task.name,
        "version": task.version,
        "doc": inspect.getdoc(sys.modules[type(task).__module__]) or inspect.getdoc(type(task)) or "",
        "control_hz": task.control_hz,
        "horizon_s": task.horizon_s,
        "success_hold_s": task.success_hold_s,
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


def range_text(distribution: Mapping[str, Any]) -> str:
    """Say a distribution in a few words."""
    match distribution:
        case {"kind": "fixed", "value": value}:
            return f"always {number_text(value)}"
        case {"kind": "choice", "values": values}:
            return "one of " + ", ".join(map(number_text, values))
        case {"kind": "normal", "mean": mean, "std": std, "low": low, "high": high}:
            return f"{mean:g} ± {std:g}, within {low:g} to {high:g}"
        case {"kind": "log_uniform", "low": low, "high": high}:
            return f"{low:g} to {high:g}, log scale"
        case _:
            return f"{distribution['low']:g} to {distribution['high']:g}"


def bounds_text(feature: Mapping[str, Any]) -> str:
    """Say between which values an observation is, of all its components together."""
    low, high = feature["low"], feature["high"]
    if None in (*low, *high):
        return "unlimited"
    return f"{min(low):g} to {max(high):g}"


def number_text(value: float | str | None) -> str:
    """Write a number, or a word; None is no bound."""
    if value is None:
        return "unlimited"
    return value if isinstance(value, str) else f"{value:g}"


def errors_text(channel: Mapping[str, Any]) -> str:
    """Name an instrument's errors, those that it has."""
    ideal = {"gain": 1.0, "bias": 0.0, "noise": 0.0, "resolution": 0.0, "dropout": 0.0}
    return ", ".join(f"{name} {channel[name]:g}" for name, value in ideal.items() if channel[name] != value)


def doc_parts(doc: str) -> list[tuple[str, str]]:
    """Split a task's docstring into what its author says of what: [("", first sentence), ("Success", ...)].

    A part begins where a line begins with a word and a colon; its text is one line.
    """
    summary, _, rest = doc.strip().partition("\n\n")
    parts = [("", summary)]
    for line in rest.splitlines():
        begins = re.match(r"([A-Z][a-z]+): +(.*)", line)
        if begins:
            parts.append((begins[1], begins[2]))
        elif not line.strip():
            parts.append(("", ""))
        else:
            label, text = parts[-1]
            parts[-1] = label, f"{text} {line.strip()}".strip()
    return [(label, " ".join(text.split())) for label, text in parts if text]


def anchor_facts(anchor: Anchor) -> dict[str, Any]:
    """Return a measured anchor as plain data; a bound that there is not is None."""
    facts = anchor._asdict() | {"low": _finite(anchor.low), "high": _finite(anchor.high)}
    return facts | {"measured": _finite(anchor.measured), "holds": anchor.holds}


def accepted_text(anchor: Anchor) -> str:
    """Say what is accepted of an anchor, as a tolerance where the bounds are as far from what is expected."""
    low, high, expected = anchor.low, anchor.high, anchor.expected
    if math.isinf(low) or math.isinf(high):
        return f"at most {high:.4g}" if math.isinf(low) else f"at least {low:.4g}"
    slack = (high - low) / 2
    if slack and math.isclose(low + slack, expected, rel_tol=1e-9, abs_tol=1e-3 * slack):
        share = f" ({100 * slack / abs(expected):.2g} %)" if expected else ""
        return f"± {slack:.3g}{share}"
    return f"{low:.4g} to {high:.4g}"
