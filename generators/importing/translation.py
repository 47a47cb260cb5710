"""What each array of a robomimic file becomes in a dataset of ours, and what must be assumed for that."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from generators.contents import Contents
from generators.importing.demonstrations import Demonstrations, Held
from generators.importing.facts import Facts, Labels, check_rate, plain_name, read_facts, read_labels
from generators.media.shots import Shot
from generators.schema import Column, DatasetError, episode_columns, step_columns, stream_columns

ASSUMED_HZ = 20.0
_DOC = "as the file says"
OURS = ("success", "terminated", "truncated", "phase")  # of /steps, in files that genba exported


@dataclasses.dataclass(frozen=True, slots=True)
class Translation:
    """How a file becomes a dataset; paths are those of arrays in a demonstration.

    Attributes:
        contents: what its shards hold.
        facts: what the file says of its environment.
        action: where the actions are.
        observations: name -> path.
        streams: name -> path.
        pictures: camera -> path.
        shots: how the cameras recorded.
        labels: number of a demonstration -> its parameters.
        rewarded: whether there are rewards.
        sparse: whether all of them are 0 or 1, so that 1 says success.
        row_bytes: size of a control step, without pictures.
        gone: path -> why it does not go.
        notes: what had to be assumed.
    """

    contents: Contents
    facts: Facts
    action: str
    observations: Mapping[str, str]
    streams: Mapping[str, str]
    pictures: Mapping[str, str]
    shots: tuple[Shot, ...]
    labels: Labels
    rewarded: bool
    sparse: bool
    row_bytes: int
    gone: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def carried(self) -> dict[str, str]:
        """Return the path of each of our columns."""
        out = {"steps/action": self.action}
        out |= {f"obs/{name}": path for name, path in self.observations.items()}
        out |= {f"streams/{name}/value": path for name, path in self.streams.items()}
        return out | {f"media/{camera}/rgb": path for camera, path in self.pictures.items()}


def translate(found: Demonstrations, control_hz: float | None) -> Translation:
    """Work out how a file becomes a dataset.

    Raises:
        DatasetError: what the file says cannot be true, or names would be the same here.
    """
    held, gone = found.survey
    facts = read_facts(found.env_args)
    action = "action_applied" if facts.ours and "action_applied" in held else "actions"
    if action not in held or len(held[action].shape) > 1:
        raise DatasetError(f"{found.path.name}: actions are not rows of numbers, the same in every demonstration")
    for name in ("rewards", *(OURS if facts.ours else ())):
        if name in held and held[name].width != 1:
            raise DatasetError(f"{found.path.name}: {name} has more than one number a step")
    taken = {"actions", action, "rewards", "dones", *(OURS if facts.ours else ())}
    seen = {p: h for p, h in held.items() if p.startswith("obs/")}
    rest = {p: h for p, h in held.items() if p not in taken and p not in seen}
    gone = gone | {p: "pictures go only as observations" for p, h in rest.items() if h.picture}
    observations = _named((p for p, h in seen.items() if not h.picture), "obs/")
    pictures = _named((p for p, h in seen.items() if h.picture), "obs/")
    streams = _named((p for p in rest if p not in gone), "streams/")
    hz = control_hz or facts.control_hz or ASSUMED_HZ
    labels, sparse = read_labels(found, facts), _sparse(found, held)
    bounds = _bounds(found, facts, held[action])
    columns = [*episode_columns(), *_label_columns(labels[found.numbers[0]]), *step_columns(hz)]
    columns += [_action(held[action], facts, bounds, hz)]
    columns += [_column(f"obs/{name}", "observation", held[path], facts, hz) for name, path in observations.items()]
    columns += _states(hz)
    for name, path in streams.items():
        columns += stream_columns(_column(f"streams/{name}/value", "sample", held[path], facts, hz), name, 0.0)
    return Translation(
        contents=_contents(facts, columns, check_rate(hz)),
        facts=facts,
        action=action,
        observations=observations,
        streams=streams,
        pictures=pictures,
        shots=tuple(_shot(camera, held[path], hz) for camera, path in pictures.items()),
        labels=labels,
        rewarded="rewards" in held,
        sparse=sparse,
        row_bytes=8 * sum(h.width for h in held.values() if not h.picture),
        gone=gone,
        notes=tuple(_notes(found, held, facts, rated=bool(control_hz or facts.control_hz), bounded=bounds is not None)),
    )


def _named(paths: Iterable[str], prefix: str) -> dict[str, str]:
    """Return name -> path; groups within groups are told by dots."""
    out: dict[str, str] = {}
    for path in paths:
        name = plain_name(path.removeprefix(prefix))
        if name in out:
            raise DatasetError(f"{out[name]!r} and {path!r} would both be called {name!r} here")
        out[name] = path
    return out


def _sparse(found: Demonstrations, held: Mapping[str, Held]) -> bool:
    return "rewards" in held and all(np.isin(found.read(n, "rewards"), (0, 1)).all() for n in found.numbers)


def _bounds(found: Demonstrations, facts: Facts, action: Held) -> tuple[list[float], list[float]] | None:
    """Return the least and greatest action: what the file says, or -1 and 1 where all lie between; else None."""
    width = action.width
    low, high = facts.actions.get("low"), facts.actions.get("high")
    if low and high and len(low) == len(high) == width:
        return low, high
    inside = all((np.abs(found.read(n, "actions")) <= 1).all() for n in found.numbers)
    return ([-1.0] * width, [1.0] * width) if inside else None


def _notes(
    found: Demonstrations, held: Mapping[str, Held], facts: Facts, *, rated: bool, bounded: bool
) -> Iterable[str]:
    if not rated:
        yield f"the file says no control rate: {ASSUMED_HZ:g} Hz is assumed (--control-hz)"
    if not bounded:
        yield "some actions lie beyond -1 and 1: they have no range here"
    if "rewards" not in held:
        yield "the file has no rewards: they are 0"
    if not facts.ours and not _sparse(found, held):
        yield "rewards are not 0 and 1, so success is not known: every outcome is timeout"
    if not facts.ours:
        yield "the file has no seeds and no phases: they are 0 and -1"
    if any(found.last(found.numbers[0], p[4:]) is None for p in held if p.startswith("obs/")):
        yield "the observation after the last action is missing (next_obs): the one before it is repeated"
    if wide := [p for p, h in held.items() if p.startswith("obs/") and not h.picture and h.dtype.itemsize > 4]:
        yield f"observations are float32 here; {len(wide)} of them were wider, such as {wide[0]!r}"


def _contents(facts: Facts, columns: list[Column], hz: float) -> Contents:
    return Contents(
        task=facts.task,
        version=facts.version,
        columns={c.path: c for c in columns},
        control_hz=hz,
        timestep_s=round(1e9 / hz) / 1e9,
        substeps=1,
        phases=facts.phases,
        failures=facts.failures,
    )


def _label_columns(labels: Mapping[str, float | str]) -> list[Column]:
    kinds = {name: "S" if isinstance(value, str) else "<f8" for name, value in labels.items()}
    units = {name: "1" if name == "demo" or name.startswith("mask.") else "" for name in kinds}
    return [Column(f"episodes/params/{n}", dtype, "episode", unit=units[n], doc=_DOC) for n, dtype in kinds.items()]


def _action(held: Held, facts: Facts, bounds: tuple[list[float], list[float]] | None, hz: float) -> Column:
    width = held.width
    low, high = bounds or ([None] * width, [None] * width)
    names, units = facts.actions.get("names"), facts.actions.get("units")
    names = tuple(names) if names and len(names) == width else ()
    units = units if units and len(units) == width else ["1"] * width
    unit = units[0] if len(set(units)) == 1 else ""
    extra: dict[str, Any] = {"units": units, "low": low, "high": high}
    return Column("steps/action", "<f4", "step", (width,), unit, "", names, hz, _DOC, extra)


def _column(path: str, row: str, held: Held, facts: Facts, hz: float) -> Column:
    wide = row == "sample" and held.dtype == np.float64
    extra = {"shape_there": list(held.shape)} if len(held.shape) > 1 else {}
    told = facts.columns.get(path, {"unit": "", "frame": "", "names": ()})
    names = told["names"] if len(told["names"]) == held.width else ()
    dtype = "<f8" if wide else "<f4"
    return Column(path, dtype, row, (held.width,), told["unit"], told["frame"], names, hz, extra=extra)


def _states(hz: float) -> list[Column]:
    """Return the columns of /state, which hold nothing: another simulator's states are none of ours."""
    doc = "none: imported"
    return [
        Column("state/control", "<f8", "control", (0,), rate_hz=hz, doc=doc, extra={"stride": 1}),
        Column("state/integration", "<f8", "keyframe", (0,), doc=doc),
        Column("state/keyframe_step", "<i8", "keyframe", doc=doc),
    ]


def _shot(camera: str, held: Held, hz: float) -> Shot:
    height, width = held.shape[:2]
    return Shot(camera, width, height, 1, hz, ("rgb",), preset="unknown", encoding="zstd")
