"""What a preview says of an episode: how it ended, its phases, and the telemetry that is worth showing."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generators.dataset import StoredEpisode
from sim.episode import Stream
from sim.errors import unknown

Array = NDArray[Any]

MAX_LINES = 4  # components of a channel shown together
_UNITS = ("N", "m", "m/s", "rad", "N*m", "rad/s", "kg", "A")  # by how much they tell of a machine's work
_SAMPLES = 400  # that a channel is judged by


class Phase(NamedTuple):
    """A stretch of an episode: its name, its number (-1: none), and from when to when, s."""

    name: str
    code: int
    start: float
    end: float


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """One channel over time.

    Attributes:
        name: the channel's or signal's.
        unit: of the values; "1" for none.
        labels: of the components; "" where there is one.
        seconds: (n,) s since the episode's start.
        values: (n, k).
    """

    name: str
    unit: str
    labels: tuple[str, ...]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is said of an episode.

    Attributes:
        number: its number in the dataset.
        task: the task's name.
        dataset: the dataset's identity.
        outcome: "success", "failure", "timeout" ...
        failure: the way it failed, else "".
        mode: how the expert was made worse, else "".
        instruction: the work order by language.
        duration: s.
        phases: in order, without gaps.
    """

    number: int
    task: str
    dataset: str
    outcome: str
    failure: str
    mode: str
    instruction: dict[str, str]
    duration: float
    phases: tuple[Phase, ...]

    @property
    def verdict(self) -> str:
        """How it ended, in words: "failure: dropped"."""
        return self.outcome.replace("_", " ") + (f": {self.failure}" if self.failure else "")


def read_facts(episode: StoredEpisode) -> Facts:
    """Read what is said of an episode."""
    known = episode._shard.attributes
    length, step = len(episode), episode.control_ns / 1e9
    code, mode = int(episode.fact("fail_code")), int(episode.fact("expert_mode"))
    return Facts(
        number=episode.id,
        task=episode.task,
        dataset=episode.header.dataset_id,
        outcome=episode.outcome.name.lower(),
        failure=str(known["failures"][code - 1]) if code else "",
        mode=str(known["degradations"][mode - 1]) if mode else "",
        instruction=episode.instruction,
        duration=length * step,
        phases=find_phases(episode.array("steps/phase"), known["phases"], step) if length else (),
    )


def find_phases(codes: Array, names: Sequence[str], step: float) -> tuple[Phase, ...]:
    """Put together the control steps that belong to one phase.

    Args:
        codes: (T,) the phase of each control step; -1 for none.
        names: of the phases.
        step: how long a control step lasts, s.
    """
    cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    out: list[Phase] = []
    for first, end in itertools.pairwise(cuts):
        code = int(codes[first])
        name = names[code] if 0 <= code < len(names) else ""
        out.append(Phase(name, code if name else -1, first * step, end * step))
    return tuple(out)


def phase_at(phases: Sequence[Phase], second: float) -> Phase | None:
    """Return the phase of a moment; the last one for what lies behind it."""
    return next((p for p in phases if second < p.end), phases[-1] if phases else None)


def read_traces(episode: StoredEpisode, wanted: Sequence[str] = (), count: int = 3) -> tuple[Trace, ...]:
    """Read the telemetry to show.

    Args:
        episode: the episode.
        wanted: channels, or one's component as "wrist.fz" or "wrist.2"; none: the most telling.
        count: how many where none is wanted.

    Raises:
        UnknownNameError: there is no such channel.
    """
    features = episode._shard.attributes["features"]
    streams = episode.streams
    if wanted:
        return tuple(_wanted(streams, features, name) for name in wanted) if streams else ()
    found = [_trace(name, stream, features) for name, stream in streams.items()]
    return choose_traces([t for t in found if len(t.seconds) > 1], count)


def choose_traces(traces: Sequence[Trace], count: int) -> tuple[Trace, ...]:
    """Choose telemetry that tells the work: a force, a place, a speed ..., of each unit what goes up and down most.

    Args:
        traces: all there are.
        count: how many are wanted.
    """
    scores = {t.name: round(_liveliness(t), 3) for t in traces}
    ranked = sorted((t for t in traces if scores[t.name] > 0.1), key=lambda t: (-scores[t.name], t.name))
    by_unit: dict[str, list[Trace]] = {}
    for trace in ranked:
        by_unit.setdefault(trace.unit, []).append(trace)
    units = sorted(by_unit, key=lambda u: _UNITS.index(u) if u in _UNITS else len(_UNITS))
    chosen: list[Trace] = []
    for same in (by_unit[u] for u in units):
        good = [t for t in same if scores[t.name] > scores[same[0].name] / 4]
        chosen.append(max(good, key=lambda t: len(t.seconds)))  # a quick instrument before a slow signal
    return tuple([*chosen, *(t for t in ranked if t not in chosen)][:count])


def _wanted(streams: Mapping[str, Stream], features: Mapping[str, Any], name: str) -> Trace:
    if name in streams:
        return _trace(name, streams[name], features)
    channel, _, part = name.rpartition(".")
    if channel in streams:
        whole = _trace(channel, streams[channel], features, most=10**6)
        labels = [*whole.labels, *(str(i) for i in range(len(whole.labels)))]
        if part in labels:
            i = labels.index(part) % len(whole.labels)
            return dataclasses.replace(whole, name=name, labels=("",), values=whole.values[:, i : i + 1])
        raise unknown(f"part of the channel {channel!r}", part, labels)
    raise unknown("channel", name, sorted(streams))


def _trace(name: str, stream: Stream, features: Mapping[str, Any], most: int = MAX_LINES) -> Trace:
    facts = features.get(f"streams/{name}/value", {})
    values = np.asarray(stream.value, np.float64).reshape(len(stream.t_ns), -1)
    names = [str(n) for n in facts.get("names") or []]
    if len(names) != values.shape[1]:
        names = [str(i) for i in range(values.shape[1])] if values.shape[1] > 1 else [""]
    seconds = np.asarray(stream.t_ns, float) / 1e9
    return Trace(name, str(facts.get("unit", "")), tuple(names[:most]), seconds, values[:, :most])


def _liveliness(trace: Trace) -> float:
    """Return how much of what is drawn is neither noise nor drift, 0 to 1; 0 for bits and what stays as it is."""
    at = np.linspace(0, len(trace.seconds) - 1, min(_SAMPLES, len(trace.seconds))).astype(int)
    values = trace.values[at]
    values = values[np.isfinite(values).all(axis=-1)]
    if len(values) < 8 or max(len(np.unique(column)) for column in values.T) < 8:
        return 0.0
    total = values.var(axis=0).sum()
    if total < 1e-18:
        return 0.0
    clock = np.linspace(-1, 1, len(values))[:, None]
    slope = (clock * values).sum(axis=0) / (clock**2).sum()
    noise = np.diff(values, axis=0).var(axis=0).sum() / 2
    seen = float(np.ptp(values, axis=0).max() / np.ptp(values))  # components far apart are drawn as flat lines
    return seen * float(max(0.0, (values - clock * slope).var(axis=0).sum() - noise) / total)
