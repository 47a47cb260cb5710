"""Distributions as data: frozen, JSON-able, sampled with the caller's generator.

A plain number or word in a configuration stands for `Fixed`; a mapping that names only some parts
({"low": 0.1}) edits the distribution it replaces.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from sim.errors import ParameterError, nearest

Value: TypeAlias = float | str


@dataclasses.dataclass(frozen=True, slots=True)
class Uniform:
    """Every value from low to high is equally likely."""

    kind: ClassVar[str] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self)

    @property
    def nominal(self) -> float:
        """The middle of the range."""
        return 0.5 * (self.low + self.high)

    @property
    def support(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.low, self.high

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))


@dataclasses.dataclass(frozen=True, slots=True)
class LogUniform:
    """Every value from low to high is equally likely on a logarithmic scale."""

    kind: ClassVar[str] = "log_uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self)
        if self.low <= 0:
            raise ParameterError(f"log_uniform needs low > 0, got low {self.low:g}")

    @property
    def nominal(self) -> float:
        """The geometric middle of the range."""
        return math.sqrt(self.low * self.high)

    @property
    def support(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.low, self.high

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(min(max(math.exp(rng.uniform(math.log(self.low), math.log(self.high))), self.low), self.high))


@dataclasses.dataclass(frozen=True, slots=True)
class Normal:
    """A bell curve, cut off at low and high (drawn again until inside)."""

    kind: ClassVar[str] = "normal"
    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self)
        if not (math.isfinite(self.mean) and self.low <= self.mean <= self.high):
            raise ParameterError(f"normal needs low <= mean <= high, got {self.low:g}, {self.mean:g}, {self.high:g}")
        if not (math.isfinite(self.std) and self.std >= 0):
            raise ParameterError(f"normal needs std >= 0, got {self.std:g}")

    @property
    def nominal(self) -> float:
        """The mean."""
        return self.mean

    @property
    def support(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.low, self.high

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value; a range that misses nearly all of the curve falls back to its nearest edge."""
        value = self.mean
        for _ in range(1000):
            value = float(rng.normal(self.mean, self.std))
            if self.low <= value <= self.high:
                return value
        return min(max(value, self.low), self.high)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of some numbers or words, each equally likely; the first is nominal."""

    kind: ClassVar[str] = "choice"
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        kinds = {isinstance(v, str) for v in self.values}
        if len(kinds) != 1:
            raise ParameterError(f"choice needs at least one value, all numbers or all words, got {self.values}")
        for value in self.values:
            _check_value(value)

    @property
    def nominal(self) -> Value:
        """The first value."""
        return self.values[0]

    @property
    def support(self) -> tuple[Value, Value]:
        """The least and the greatest value."""
        return min(self.values), max(self.values)  # pyright: ignore[reportReturnType]

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw one value."""
        return self.values[int(rng.integers(len(self.values)))]


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same number or word."""

    kind: ClassVar[str] = "fixed"
    value: Value

    def __post_init__(self) -> None:
        _check_value(self.value)

    @property
    def nominal(self) -> Value:
        """The value."""
        return self.value

    @property
    def support(self) -> tuple[Value, Value]:
        """The value, twice."""
        return self.value, self.value

    def sample(self, rng: np.random.Generator) -> Value:
        """Return the value; nothing is drawn."""
        del rng
        return self.value


Distribution: TypeAlias = Uniform | LogUniform | Normal | Choice | Fixed
KINDS: dict[str, type[Distribution]] = {d.kind: d for d in (Uniform, LogUniform, Normal, Choice, Fixed)}


def to_json(distribution: Distribution) -> dict[str, Any]:
    """Return the distribution as plain data, `from_json`'s inverse."""
    parts = {f.name: getattr(distribution, f.name) for f in dataclasses.fields(distribution)}
    return {"kind": distribution.kind} | {k: list(v) if isinstance(v, tuple) else v for k, v in parts.items()}


def from_json(data: Mapping[str, Any], base: Distribution | None = None) -> Distribution:
    """Make a distribution from plain data.

    Args:
        data: {"kind": "uniform", "low": 0, "high": 1}; without "kind", the named parts replace those of base.
        base: the distribution that is edited where data names no kind.

    Raises:
        ParameterError: an unknown kind or part, a missing part, or values that make no distribution.
    """
    parts = dict(data)
    kind = parts.pop("kind", None)
    if kind is not None:
        if kind not in KINDS:
            raise ParameterError(f"no distribution {kind!r}{nearest(str(kind), KINDS)}")
        cls, base = KINDS[kind], None
    elif base is not None:
        cls = type(base)
    else:
        raise ParameterError(f"a distribution needs 'kind', one of {', '.join(KINDS)}; got {dict(data)}")
    return _construct(cls, parts, base)


def _construct(cls: type[Distribution], parts: dict[str, Any], base: Distribution | None) -> Distribution:
    """Make a distribution of its parts, those that are missing taken from base."""
    names = [f.name for f in dataclasses.fields(cls)]
    for name in parts:
        if name not in names:
            raise ParameterError(f"a {cls.kind} distribution has no {name!r}{nearest(name, names)}")
    if base is not None:
        parts = {n: getattr(base, n) for n in names} | parts
    missing = [n for n in names if n not in parts]
    if missing:
        raise ParameterError(f"a {cls.kind} distribution also needs {', '.join(missing)}")
    if cls is Choice:
        if not isinstance(parts["values"], list | tuple):
            raise ParameterError(f"choice needs a list of values, got {parts['values']!r}")
        return Choice(tuple(_plain(v) for v in parts["values"]))
    if cls is Fixed:
        return Fixed(_plain(parts["value"]))
    return cls(**{n: _number(n, v) for n, v in parts.items()})  # pyright: ignore[reportArgumentType]


def _plain(value: object) -> Value:
    return value if isinstance(value, str) else _number("value", value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(f"{name} needs a number, got {value!r}")
    return float(value)


def _check_value(value: Value) -> None:
    if not isinstance(value, str) and not math.isfinite(value):
        raise ParameterError(f"a value must be finite, got {value}")


def _check_range(d: Uniform | LogUniform | Normal) -> None:
    if not (math.isfinite(d.low) and math.isfinite(d.high)):
        raise ParameterError(f"{d.kind} needs finite low and high, got {d.low}, {d.high}")
    if d.low > d.high:
        raise ParameterError(f"{d.kind} needs low <= high, got low {d.low:g}, high {d.high:g}")
