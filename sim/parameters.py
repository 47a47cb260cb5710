"""Typed task parameters: sampled to randomize, overridden by dotted name, recorded with every episode.

A task's parameters are one frozen dataclass whose fields are made by `param`, or are such dataclasses themselves.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from sim import distributions
from sim.distributions import Distribution, Fixed, Value
from sim.errors import ParameterError, unknown
from sim.seeds import stream

Overrides = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """What is known of one field: its dotted name, distribution, unit and sentence."""

    name: str
    distribution: Distribution
    unit: str
    doc: str


def param(distribution: Distribution, unit: str, doc: str = "") -> Any:  # noqa: ANN401 - a field stands in for its value
    """Make a parameter field; its default is the distribution's nominal value.

    Args:
        distribution: where values come from.
        unit: SI unit, "1" for a ratio, "" for a word.
        doc: one sentence: what it is and where the range comes from.
    """
    metadata = {"distribution": distribution, "unit": unit, "doc": doc}
    return dataclasses.field(default=distribution.nominal, metadata=metadata)


def describe(cls: type, overrides: Overrides | None = None) -> dict[str, Parameter]:
    """List a parameter class's fields by dotted name, nested classes included, as changed by the overrides.

    Raises:
        UnknownNameError: an override names no field.
        ParameterError: an override's value does not fit its field.
    """
    fields = {p.name: p for p in _fields(cls)}
    for name, value in (overrides or {}).items():
        field, part = _resolve(name, fields)
        old = fields[field]
        try:
            new = _override(old.distribution, value, part)
        except ParameterError as error:
            raise ParameterError(f"parameter {field!r}: {error}") from None
        if isinstance(new.nominal, str) != isinstance(old.distribution.nominal, str):
            raise ParameterError(f"parameter {field!r} takes {_kind_of(old.distribution)}, got {new.nominal!r}")
        fields[field] = dataclasses.replace(old, distribution=new)
    return fields


def sample(cls: type, seed: int, overrides: Overrides | None = None) -> Any:  # noqa: ANN401 - an instance of cls
    """Draw a parameter set, every field from its own random stream.

    Args:
        cls: the parameter class.
        seed: the episode's seed.
        overrides: dotted name -> a value, a distribution as data, or ("friction.low": 0.1) a part of one.
    """
    fields = describe(cls, overrides)
    return unflatten(cls, {n: p.distribution.sample(stream(seed, "scene", n)) for n, p in fields.items()})


def flatten(p: Any, prefix: str = "") -> dict[str, Value]:  # noqa: ANN401 - any parameter dataclass
    """Return a parameter set as {dotted name: value}, `unflatten`'s inverse."""
    out: dict[str, Value] = {}
    for field in dataclasses.fields(p):
        value = getattr(p, field.name)
        if dataclasses.is_dataclass(value):
            out |= flatten(value, f"{prefix}{field.name}.")
        else:
            out[prefix + field.name] = value
    return out


def unflatten(cls: type, values: Mapping[str, Value], prefix: str = "") -> Any:  # noqa: ANN401 - an instance of cls
    """Make a parameter set from {dotted name: value}; every field must be there."""
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if "distribution" in field.metadata:
            parts[field.name] = values[prefix + field.name]
        else:
            parts[field.name] = unflatten(_nested(field), values, f"{prefix}{field.name}.")
    return cls(**parts)


@functools.cache
def _fields(cls: type, prefix: str = "") -> tuple[Parameter, ...]:
    out: list[Parameter] = []
    for field in dataclasses.fields(cls):
        name, meta = prefix + field.name, field.metadata
        if "distribution" in meta:
            out.append(Parameter(name, meta["distribution"], meta["unit"], meta["doc"]))
        else:
            out.extend(_fields(_nested(field), f"{name}."))
    return tuple(out)


def _nested(field: Any) -> type:  # noqa: ANN401 - dataclasses.Field of anything
    if not isinstance(field.default_factory, type) or not dataclasses.is_dataclass(field.default_factory):
        raise ParameterError(
            f"field {field.name!r} must be made by param(...) or field(default_factory=AParameterClass)"
        )
    return field.default_factory


def _resolve(name: str, fields: Mapping[str, Parameter]) -> tuple[str, str]:
    """Split "friction.low" into field and part; a full field name has part ""."""
    if name in fields:
        return name, ""
    field, _, part = name.rpartition(".")
    if field in fields:
        return field, part
    raise unknown("parameter", name, fields)


def _override(old: Distribution, value: object, part: str) -> Distribution:
    if part:
        return distributions.from_json({part: value}, old)
    if isinstance(value, distributions.Distribution):
        return value
    if isinstance(value, Mapping):
        return distributions.from_json(value, old)
    if isinstance(value, str):
        return Fixed(value)
    return distributions.from_json({"kind": "fixed", "value": value})


def _kind_of(distribution: Distribution) -> str:
    return "a word" if isinstance(distribution.nominal, str) else "a number"
