"""What happens inside of episodes: how long phases last, and the telemetry of a few that are chosen."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset, StoredEpisode
from generators.preview.facts import Phase, Trace, choose_traces, find_phases, read_traces
from generators.report.tasks import Episodes
from sim.errors import UnknownNameError

Array = NDArray[Any]

SAMPLE = 200  # episodes whose phases are measured
TRACES = 4  # channels that are shown of an episode
_COLUMNS = 500  # of a plot: of the samples in one only the least and the greatest are drawn


class Duration(NamedTuple):
    """How long a phase lasts, all of its stretches in an episode together.

    Attributes:
        phase: its name.
        code: its number, which gives it its colour.
        episodes: how many of those that were looked at go through it.
        quantiles: s, of 5, 25, 50, 75 and 95 % of them.
    """

    phase: str
    code: int
    episodes: int
    quantiles: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Telling:
    """An episode that is shown.

    Attributes:
        row: its place in the dataset.
        ending: how it ended.
        mode: how the expert was made worse, or "".
        seconds: how long it took.
        phases: in order; none where they are not known.
        traces: its telemetry.
    """

    row: int
    ending: str
    mode: str
    seconds: float
    phases: tuple[Phase, ...]
    traces: tuple[Trace, ...]


def choose(episodes: Episodes, successes: int, others: int) -> tuple[list[int], list[int]]:
    """Choose episodes to show, as numbers among the task's.

    Args:
        episodes: the task's.
        successes: how many: the one of median duration first, then a quick and a slow one.
        others: how many: the earliest of each way to end, the most frequent first, then the next of each.
    """
    there = episodes.shown
    good = np.flatnonzero(there & (episodes.endings == "success"))
    ordered = good[np.argsort(episodes.seconds[good], kind="stable")]
    places = [ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] for q in (0.5, 0.05, 0.95) if len(ordered)]
    ways: dict[str, list[int]] = collections.defaultdict(list)
    for k in np.flatnonzero(there & (episodes.endings != "success")).tolist():
        ways[str(episodes.endings[k])].append(k)
    turns = [
        (turn, -len(ways[way]), way, ways[way][turn]) for way in ways for turn in range(min(others, len(ways[way])))
    ]
    return list(dict.fromkeys(int(p) for p in places))[:successes], [t[3] for t in sorted(turns)[:others]]


def phase_durations(dataset: Dataset, episodes: Episodes) -> tuple[list[Duration], int]:
    """Measure how long phases last in successes, or in all where there are none.

    Returns:
        A duration for each phase that was gone through, in the task's order; and how many episodes were looked at.
    """
    names = [str(n) for n in episodes.about.get("phases", ())]
    if not names:
        return [], 0
    there = np.flatnonzero(episodes.shown)
    good = there[episodes.endings[there] == "success"]
    chosen = good if len(good) else there
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, SAMPLE).round().astype(int))] if len(chosen) else chosen
    found: dict[int, list[float]] = collections.defaultdict(list)
    for k in chosen.tolist():
        for code, seconds in _seconds(dataset[int(episodes.rows[k])]).items():
            found[code].append(seconds)
    levels = (5, 25, 50, 75, 95)
    out = [
        Duration(names[c], c, len(found[c]), tuple(np.percentile(found[c], levels).tolist()))
        for c in sorted(found)
        if 0 <= c < len(names)
    ]
    return out, len(chosen)


def tell(dataset: Dataset, episodes: Episodes, chosen: Iterable[int]) -> list[Telling]:
    """Read phases and telemetry of chosen episodes: of each the same channels, those that tell most of the first.

    Args:
        dataset: the dataset.
        episodes: the task's.
        chosen: numbers among them.
    """
    out: list[Telling] = []
    names: tuple[str, ...] = ()
    for k in chosen:
        row = int(episodes.rows[k])
        stored = dataset[row]
        traces = _traces(stored, names)
        names = names or tuple(t.name for t in traces)
        about = str(episodes.endings[k]), str(episodes.modes[k]), float(episodes.seconds[k])
        out.append(Telling(row, *about, read_phases(stored), traces))
    return out


def read_phases(episode: StoredEpisode) -> tuple[Phase, ...]:
    """Return an episode's phases; none where no step is of one that is known."""
    names = [str(n) for n in episode.attributes.get("phases", ())]
    if not names or not len(episode):
        return ()
    found = find_phases(episode.array("steps/phase"), names, episode.control_ns / 1e9)
    return found if any(p.code >= 0 for p in found) else ()


def thin(seconds: Array, values: Array) -> tuple[Array, Array]:
    """Leave out what a plot cannot show: of the samples in a column of pixels all but the least and the greatest."""
    good = np.isfinite(values)
    seconds, values = seconds[good], values[good]
    if len(seconds) <= 2 * _COLUMNS:
        return seconds, values
    parts = np.array_split(np.arange(len(seconds)), _COLUMNS)
    keep = sorted({int(i) for p in parts for i in (p[np.argmin(values[p])], p[np.argmax(values[p])])})
    return seconds[keep], values[keep]


def _seconds(episode: StoredEpisode) -> Mapping[int, float]:
    codes, counts = np.unique(episode.array("steps/phase"), return_counts=True)
    return dict(zip(codes.tolist(), (counts * episode.control_ns / 1e9).tolist(), strict=True))


def _traces(episode: StoredEpisode, names: Sequence[str]) -> tuple[Trace, ...]:
    """Read the telemetry of an episode; observations and actions where it has none."""
    if not names:
        found = read_traces(episode, (), TRACES)
        return found or choose_traces(_steps(episode), TRACES) or _steps(episode)[:TRACES]
    try:
        return read_traces(episode, names) or tuple(t for t in _steps(episode) if t.name in names)
    except UnknownNameError:
        return tuple(t for t in _steps(episode) if t.name in names)


def _steps(episode: StoredEpisode) -> tuple[Trace, ...]:
    """Return observations and actions as if they were telemetry."""
    step, features = episode.control_ns / 1e9, episode.attributes.get("features", {})
    out: list[Trace] = []
    for path, values in [
        *((f"obs/{n}", v) for n, v in episode.observations.items()),
        ("steps/action", episode.actions),
    ]:
        flat = np.asarray(values, np.float64).reshape(len(values), -1)[:, :TRACES]
        if not flat.size:
            continue
        facts: Mapping[str, Any] = features.get(path, {})
        names = [str(n) for n in facts.get("names") or range(flat.shape[1])][: flat.shape[1]]
        labels = tuple(names) if len(names) == flat.shape[1] > 1 else ("",) * flat.shape[1]
        out.append(Trace(path, str(facts.get("unit", "")), labels, np.arange(len(flat), dtype=float) * step, flat))
    return tuple(out)
