"""Format version 1: the names, types and meaning of everything in a shard.

Names here never change meaning; a change of meaning raises the version and keeps a reader for the old one.
An episode of T > 0 steps has T rows in /steps, T + 1 in /obs; one of length 0 has rows in /episodes only.
"""

import dataclasses
import hashlib
import json
import math
import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim import distributions
from sim.errors import GenbaError
from sim.layout import Layout, layout
from sim.parameters import Parameter
from sim.task import Feature, Task

T = TypeVar("T")

FORMAT = "genba"
FORMAT_VERSION = "1.0"  # of shards
MANIFEST_VERSION = "1.1"  # of dataset.json; 1.1 adds the rows of views, sources and governance
SHARDS = "shards"  # the folder of a dataset that holds them
MANIFEST = "dataset.json"
SPLIT = "split.json"  # beside the parts of a split
TABLE = "episodes.parquet"
CHECKSUMS = "SHA256SUMS"
DERIVED = "stats/"  # computed from the rest, hence outside the content hash


class DatasetError(GenbaError, ValueError):
    """A dataset or shard that cannot be written, read or trusted."""


class VersionError(DatasetError):
    """A dataset or shard of a later major version, or of none that can be read."""


class DatasetWarning(UserWarning):
    """A dataset written by a later minor version: what this version does not know is ignored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What a shard says of itself, in the root's attributes."""

    dataset_id: str
    physics_sha256: str
    shard_index: int
    task: str
    task_version: int
    mujoco_version: str
    genba_version: str
    task_index: int = 0
    format: str = FORMAT
    format_version: str = FORMAT_VERSION


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One dataset of a shard.

    Attributes:
        path: where it is, "obs/x".
        dtype: numpy's name, little-endian; "S" for fixed-length UTF-8, as long as the longest value.
        row: what a row is: episode, step, observation, control, keyframe, sample or byte.
        shape: of one row.
        unit: SI unit.
        frame: the frame of a vector, else "".
        names: of the row's numbers.
        rate_hz: rows per second; 0 where they have no rate.
        doc: one sentence.
        extra: further facts: latency_s, low, high, units, stride, distribution.
    """

    path: str
    dtype: str
    row: str
    shape: tuple[int, ...] = ()
    unit: str = ""
    frame: str = ""
    names: tuple[str, ...] = ()
    rate_hz: float = 0.0
    doc: str = ""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what the `features` attribute says of it."""
        parts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("path", "extra")}
        return parts | {"shape": list(self.shape), "names": list(self.names)} | dict(self.extra)


_EPISODES = (
    ("episode_id", "<u8", "the episode's number in the dataset"),
    ("episode_seed", "<u8", "determines everything random about the episode"),
    ("expert_mode", "|u1", "0 nominal, k for the task's degradations[k - 1]"),
    ("model_sha256", "S", "hash of the compiled model, empty where the build failed"),
    ("step_start", "<i8", "first row in /steps"),
    ("obs_start", "<i8", "first row in /obs; there are length + 1, none where the length is 0"),
    ("control_start", "<i8", "first row in /state/control"),
    ("keyframe_start", "<i8", "first row in /state/integration"),
    ("keyframe_count", "<i8", "rows in /state/integration"),
    ("length", "<i4", "control steps T"),
    ("task_index", "<i4", "the task's number in the dataset"),
    ("outcome", "|u1", "0 failure, 1 success, 2 timeout, 3 unstable, 4 expert error, 5 task error"),
    ("fail_code", "<u2", "0, or k for the task's failures[k - 1]"),
    ("return", "<f8", "sum of the rewards"),
    ("error", "S", "why the episode is unstable or raised, else empty"),
    ("instruction/en", "S", "the work order in English"),
    ("instruction/ja", "S", "the work order in Japanese"),
    ("model_xml/start", "<i8", "first byte in model_xml/value"),
    ("model_xml/count", "<i8", "bytes in model_xml/value"),
)
_STEPS = (
    ("reward", "<f4", "1", "what came of the action"),
    ("terminated", "|b1", "", "true on the last row of an episode that failed"),
    ("truncated", "|b1", "", "true on the last row of an episode that was cut: success held, horizon, or an error"),
    ("success", "|b1", "", "the task's judgement of the state that the action led to"),
    ("phase", "<i2", "", "index of the task's phases; -1 where a policy acted"),
    ("t_ns", "<i8", "ns", "when the action was applied, since the episode's start"),
)


def columns(task: Task, parameters: Mapping[str, Parameter], control_stride: int) -> dict[str, Column]:
    """List every column of a task's shards by path.

    Args:
        task: the task.
        parameters: its parameters, as overridden.
        control_stride: every how many control steps /state/control is kept.

    Raises:
        DatasetError: a name holds the "/" that separates groups.
    """
    found = layout(task)
    for name in (*found.observations, *found.signals, *found.channels):
        if "/" in name:
            raise DatasetError(f"task {task.name!r}: {name!r} cannot be a column's name, for its '/'; use '.'")
    hz = task.control_hz
    out = [*episode_columns(), *(_parameter(p) for p in parameters.values()), *step_columns(hz)]
    out.append(_action(task))
    for name, (dim, feature) in found.observations.items():
        out.append(_feature(f"obs/{name}", "observation", dim, feature, hz))
    out += _states(found, hz, control_stride)
    for name, (dim, feature) in found.signals.items():
        out += stream_columns(_feature(f"streams/{name}/value", "sample", dim, feature, hz), name, 0.0)
    for name, (dim, channel) in found.channels.items():
        feature = Feature(channel.unit, channel.frame, doc=channel.doc)
        value = _feature(f"streams/{name}/value", "sample", dim, feature, channel.rate_hz)
        out += stream_columns(value, name, channel.latency_s)
    return {c.path: c for c in out}


def episode_columns() -> list[Column]:
    """Return the columns of /episodes that every shard has."""
    xml = Column("episodes/model_xml/value", "|u1", "byte", doc="the models as XML, UTF-8, for people to read")
    return [Column(f"episodes/{name}", dtype, "episode", doc=doc) for name, dtype, doc in _EPISODES] + [xml]


def step_columns(hz: float) -> list[Column]:
    """Return the columns of /steps that every shard has, but for the action."""
    return [Column(f"steps/{n}", dtype, "step", unit=u, rate_hz=hz, doc=doc) for n, dtype, u, doc in _STEPS]


def _states(found: Layout, hz: float, stride: int) -> list[Column]:
    control, whole = (found.control_size,), (found.integration_size,)
    rate, extra = hz / stride, {"stride": stride}
    return [
        Column("state/control", "<f8", "control", control, rate_hz=rate, doc="physics states", extra=extra),
        Column("state/integration", "<f8", "keyframe", whole, doc="whole states: where exact replay may start"),
        Column("state/keyframe_step", "<i8", "keyframe", doc="the keyframe's control step"),
    ]


def _parameter(p: Parameter) -> Column:
    dtype = "S" if isinstance(p.distribution.nominal, str) else "<f8"
    extra = {"distribution": distributions.to_json(p.distribution)}
    return Column(f"episodes/params/{p.name}", dtype, "episode", unit=p.unit, doc=p.doc, extra=extra)


def _action(task: Task) -> Column:
    actions = layout(task).actions
    units = [a.unit for a in actions]
    extra = {
        "units": units,
        "low": [a.low if math.isfinite(a.low) else None for a in actions],
        "high": [a.high if math.isfinite(a.high) else None for a in actions],
    }
    names, unit = tuple(a.name for a in actions), units[0] if len(set(units)) == 1 else ""
    doc = "as applied, in the actuators' units"
    return dataclasses.replace(
        _feature("steps/action", "step", len(actions), Feature(unit, "", names, doc), task.control_hz), extra=extra
    )


def _feature(path: str, row: str, dim: int, feature: Feature, rate_hz: float) -> Column:
    low, high = (np.broadcast_to(bound, dim).tolist() for bound in (feature.low, feature.high))
    bounds: dict[str, Any] = {"low": low, "high": high} if np.isfinite([*low, *high]).all() else {}
    unit, frame, names, doc = feature[:4]
    return Column(path, "<f4", row, (dim,), unit=unit, frame=frame, names=names, rate_hz=rate_hz, doc=doc, extra=bounds)


def stream_columns(value: Column, name: str, latency_s: float) -> list[Column]:
    """Return the columns of a stream: its values, their times, and which rows are an episode's."""
    t_ns = Column(
        f"streams/{name}/t_ns", "<i8", "sample", unit="ns", rate_hz=value.rate_hz, doc="since the episode's start"
    )
    index = [
        Column(f"episodes/streams/{name}/{part}", "<i8", "episode", doc=f"{doc} in /streams/{name}")
        for part, doc in (("start", "first row"), ("count", "rows"))
    ]
    return [dataclasses.replace(value, extra={"latency_s": latency_s}), t_ns, *index]


def read_header(attributes: Mapping[str, Any], where: str) -> Header:
    """Take the header from a root's attributes.

    Args:
        attributes: the root's.
        where: the file, for messages.

    Raises:
        DatasetError: another format, a higher major version, or something is missing.
    """
    found = str(attributes.get("format", ""))
    if found != FORMAT:
        raise DatasetError(f"{where}: format is {found!r}, expected {FORMAT!r}")
    check_version(str(attributes.get("format_version", "")), where)
    return read_fields(Header, attributes, where)


def read_fields(cls: type[T], attributes: Mapping[str, Any], where: str) -> T:
    """Make a dataclass of numbers and texts from attributes.

    Raises:
        DatasetError: something is missing, or no number.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # pyright: ignore[reportArgumentType]
        if field.name not in attributes:
            raise DatasetError(f"{where}: the root lacks the attribute {field.name!r}")
        kind = int if field.type is int else str
        try:
            values[field.name] = kind(attributes[field.name])
        except (TypeError, ValueError):
            raise DatasetError(f"{where}: the attribute {field.name!r} is no {kind.__name__}") from None
    return cls(**values)


def check_version(version: str, where: str, newest: str = FORMAT_VERSION) -> None:
    """Refuse a higher major version than the newest known, warn of a higher minor one.

    Raises:
        VersionError: no version, or one that this reader does not know.
    """
    known = tuple(int(part) for part in newest.split("."))
    try:
        major, minor = (int(part) for part in version.split("."))
    except ValueError:
        raise VersionError(f"{where}: format version {version!r:.40} is not of the form {newest!r}") from None
    if major > known[0]:
        raise VersionError(f"{where}: format version {version} is later than {newest}: update genba to read it")
    if (major, minor) > known:
        text = f"{where}: format version {version} is later than {newest}: what is new in it is ignored"
        warnings.warn(text, DatasetWarning, stacklevel=3)


def column_digest(path: str, values: NDArray[Any]) -> str:
    """Hash one column: its path, type and shape, then its rows, little-endian, in C order."""
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{path} {values.dtype.str} {json.dumps(values.shape)}\n".encode())
    if values.nbytes:
        digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def content_digest(digests: Mapping[str, str]) -> str:
    """Hash the columns' hashes in the order of their paths, but for what is derived."""
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items()) if not path.startswith(DERIVED)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
