"""The columns of a shard against the format: each there once, with the type, shape and attributes that it should have.

What the format fixes is in `generators.schema`; what a task adds is in the root's attribute `features`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from generators.reader import Shard
from generators.schema import DERIVED, DatasetError, episode_columns, step_columns
from sim.errors import nearest

Found = Iterator[tuple[str, str, str]]

_STATES = {"state/control": "<f8", "state/integration": "<f8", "state/keyframe_step": "<i8"}
FIXED = {c.path: c.dtype for c in (*episode_columns(), *step_columns(1.0))} | {"steps/action": "<f4"} | _STATES
_ABOUT = ("unit", "frame", "rate_hz", "doc")  # what a column repeats of `features`
_FACTS = ("dtype", "row", "shape", *_ABOUT, "names")


def findings(shard: Shard) -> Found:
    """Compare a shard's columns with the format and with its own `features`."""
    features = shard.attributes.get("features")
    if not isinstance(features, Mapping):
        raise DatasetError("the root's attribute 'features' is missing or no mapping")
    broken = [path for path, f in features.items() if not (isinstance(f, Mapping) and all(k in f for k in _FACTS))]
    for path in broken:
        yield "schema", path, f"'features' lacks some of {', '.join(_FACTS)} of it"
    if broken:
        return
    yield from _listed(features)
    expected = {path: dtype for path, dtype in FIXED.items() if path.startswith("episodes/")}
    expected |= {path: str(f["dtype"]) for path, f in features.items()}
    for name in {p.split("/")[1] for p in features if p.startswith("streams/")}:
        expected |= {f"episodes/streams/{name}/{part}": "<i8" for part in ("start", "count")}
    yield from _presence(shard, expected)
    for path in expected:
        if path in shard.paths:
            yield from _type(shard, path, expected[path], features.get(path))
            yield from _about(shard, path, features.get(path))
    for path in shard.under("episodes/params/").values():
        yield from _parameter(shard, path)


def _listed(features: Mapping[str, Any]) -> Found:
    for path, dtype in FIXED.items():
        if path not in features and not path.startswith("episodes/"):
            yield "schema", path, "the format has it, 'features' does not list it"
        elif path in features and features[path]["dtype"] != dtype:
            yield "schema", path, f"'features' says {features[path]['dtype']}, the format has {dtype}"


def _parameter(shard: Shard, path: str) -> Found:
    kind = shard.dtype(path)
    if kind.kind != "S" and kind != np.float64:
        yield "schema", path, f"its type is {kind.str}, expected float64 or text"
    elif kind.kind != "S" and not shard.facts(path).get("unit"):
        yield "unit-missing", path, "it has no unit; '1' stands for none"


def _presence(shard: Shard, expected: Mapping[str, str]) -> Found:
    for path in sorted(set(expected) - set(shard.paths)):
        yield "schema", path, "it is missing"
    for path in shard.paths:
        if path in expected or path.startswith("episodes/params/"):
            continue
        if path.startswith(DERIVED) and path.removeprefix(DERIVED) in expected:
            continue
        yield "schema", path, f"the format has no such column{nearest(path, expected)}"


def _type(shard: Shard, path: str, dtype: str, feature: Mapping[str, Any] | None) -> Found:
    found = shard.dtype(path)
    if (found.kind != "S") if dtype == "S" else (found != np.dtype(dtype)):
        yield "schema", path, f"its type is {found.str}, expected {dtype}"
    if feature is not None and list(shard.shape(path)[1:]) != list(feature["shape"]):
        yield "schema", path, f"a row's shape is {shard.shape(path)[1:]}, 'features' says {tuple(feature['shape'])}"
    if feature is not None and feature["names"] and len(feature["names"]) != np.prod(feature["shape"], dtype=int):
        yield "schema", path, f"'features' gives {len(feature['names'])} names to {feature['shape']} numbers"


def _about(shard: Shard, path: str, feature: Mapping[str, Any] | None) -> Found:
    if feature is None:
        return
    facts = shard.facts(path)
    for name in _ABOUT:
        said, mine = feature[name], facts.get(name, type(feature[name])())
        if mine != said:
            yield "schema", path, f"its attribute {name} is {mine!r}, 'features' says {said!r}"
    unitless = not feature["unit"] and not any(feature.get("units", ()))
    if unitless and (path.startswith("obs/") or path == "steps/action" or path.endswith("/value")):
        yield "unit-missing", path, "it has no unit; '1' stands for none"
    for bound in ("low", "high"):
        if bound in feature and json.loads(facts.get(bound, "null")) != feature[bound]:
            yield "schema", path, f"its attribute {bound} is {facts.get(bound)!r}, 'features' says {feature[bound]!r}"
