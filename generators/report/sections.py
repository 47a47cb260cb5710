"""What a report says of one task: yield, pictures, effects, failures, telemetry, durations, parameters."""

import contextlib
import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from generators.dataset import Dataset
from generators.report import plots
from generators.report.clips import Clip, Clips, Studio
from generators.report.drawn import Declared, Drawn, compare
from generators.report.moments import Telling, choose, phase_durations, tell
from generators.report.tallies import MODE, error_table, failure_table, mode_text, sentences, weak_effects
from generators.report.tasks import Episodes
from generators.report.words import NOMINAL, Cell, Table, Text, ending_text, percent
from generators.report.yields import Effect, count, effects
from generators.schema import DatasetError

LOOKS = "look."  # parameters that change pictures and no physics
_FIGURES = 9  # effects that get one
_TELL = 5  # failed episodes whose telemetry is shown


class Shown(NamedTuple):
    """A figure of a parameter, with what is said of it."""

    name: str
    unit: str
    doc: str
    figure: str
    said: Text
    strong: bool


class Traced(NamedTuple):
    """An episode's telemetry."""

    telling: Telling
    ending: Text
    mode: Text
    figure: str


@dataclasses.dataclass(frozen=True, slots=True)
class TaskReport:
    """What is said of a task.

    Attributes:
        id: short and unique on the page.
        task: its name.
        version: of the task; "" where it is not known.
        orders: work orders of the first episode shown.
        sentences: what matters, in a few words.
        endings: (words, number, colour) of each way to end, successes first.
        names: of the endings.
        phases: (number, name) of those that the telemetry goes through.
        total: number of episodes.
        clips: moving pictures.
        effects: figures of the parameters that matter most.
        weak: a table of the others.
        failures: endings by expert mode.
        errors: what was raised.
        traced: telemetry of chosen episodes.
        durations: figure of the phases' durations, "" where they have none.
        measured: how many episodes that was measured in.
        seconds: figure of the episodes' durations.
        returns: figure of their returns.
        drawn: figures of the parameters.
        looks: figures of what changes pictures only.
        fixed: a table of parameters that never change.
        notes: what could not be read.
    """

    id: str
    task: str
    version: str
    orders: Text
    sentences: Sequence[Text]
    endings: Sequence[tuple[Text, int, str]]
    names: Sequence[str]
    phases: Sequence[tuple[int, str]]
    total: int
    clips: Clips
    effects: Sequence[Shown]
    weak: Table
    failures: Table
    errors: Table
    traced: Sequence[Traced]
    durations: str
    measured: int
    seconds: str
    returns: str
    drawn: Sequence[Shown]
    looks: Sequence[Shown]
    fixed: Table
    notes: Sequence[str]


def make_task(
    dataset: Dataset, episodes: Episodes, studio: Studio, name: str, about: tuple[int, Sequence[int]]
) -> TaskReport:
    """Put together what is said of a task.

    Args:
        dataset: the dataset.
        episodes: the task's, one or more.
        studio: makes the clips.
        name: short and unique on the page.
        about: how many tasks there are, and the places of the episodes to show; none for those that tell most.
    """
    counts = count(episodes.endings)
    colours = plots.ending_colours(list(counts))
    known = _effects(episodes)
    seen = _look(dataset, episodes, studio, name, about)
    drawn, looks, fixed = _drawn(episodes, name)
    there = episodes.seconds > 0
    success = (episodes.endings == "success")[there]
    return TaskReport(
        id=name,
        task=episodes.task,
        version=str(episodes.about.get("task_version", "")),
        orders=seen.orders,
        sentences=sentences(episodes, known),
        endings=[(ending_text(e), n, colours[e]) for e, n in counts.items()],
        names=list(counts),
        phases=sorted({(p.code, p.name) for t in seen.traced for p in t.telling.phases if p.code >= 0}),
        total=len(episodes),
        clips=seen.clips,
        effects=_figures(episodes, known[:_FIGURES], colours, name),
        weak=weak_effects(known[_FIGURES:]),
        failures=failure_table(episodes, list(counts)),
        errors=error_table(dataset, episodes),
        traced=seen.traced,
        durations=seen.durations,
        measured=seen.measured,
        seconds=plots.halves_plot(episodes.seconds[there], success, "s", f"{name} durations") if there.any() else "",
        returns=plots.halves_plot(episodes.returns[there], success, "", f"{name} returns") if there.any() else "",
        drawn=drawn,
        looks=looks,
        fixed=fixed,
        notes=list(dict.fromkeys([*([episodes.problem] if episodes.problem else []), *seen.notes])),
    )


class _Seen(NamedTuple):
    """What was read inside of episodes; see `TaskReport`."""

    orders: Text
    clips: Clips
    traced: Sequence[Traced]
    durations: str
    measured: int
    notes: Sequence[str]


def _look(dataset: Dataset, episodes: Episodes, studio: Studio, name: str, about: tuple[int, Sequence[int]]) -> _Seen:
    """Look inside of episodes; what cannot be read is noted. Arguments as of `make_task`."""
    notes: list[str] = []
    good, others = _chosen(episodes, *about)
    orders, clips, traced, durations, measured = Text("", ""), Clips(), [], "", 0
    with _noting(notes):
        orders = _orders(dataset, episodes, [*good, *others])
    with _noting(notes):
        clips = _film(episodes, studio, good, others)
    with _noting(notes):
        traced = _trace(dataset, episodes, [*good, *others] if about[1] else _firsts(episodes, [*good, *others]), name)
    with _noting(notes):
        found, measured = phase_durations(dataset, episodes)
        durations = plots.duration_plot(found, f"{name} durations of phases") if found else ""
    return _Seen(orders, clips, traced, durations, measured, notes)


@contextlib.contextmanager
def _noting(notes: list[str]) -> Generator[None]:
    try:
        yield
    except DatasetError as error:
        notes.append(" ".join(str(error).split()))


def _firsts(episodes: Episodes, chosen: Sequence[int]) -> list[int]:
    """Return the first of each way to end."""
    first: dict[str, int] = {}
    for k in chosen:
        first.setdefault(str(episodes.endings[k]), k)
    return list(first.values())[: _TELL + 1]


def _chosen(episodes: Episodes, tasks: int, wanted: Sequence[int]) -> tuple[list[int], list[int]]:
    if wanted:
        places = {int(row): k for k, row in enumerate(episodes.rows.tolist())}
        mine = [places[row] for row in wanted if row in places and episodes.shown[places[row]]]
        good = [k for k in mine if episodes.endings[k] == "success"]
        return good, [k for k in mine if k not in good]
    return choose(episodes, *((3, 6) if tasks == 1 else (2, 4)))


def _orders(dataset: Dataset, episodes: Episodes, chosen: Sequence[int]) -> Text:
    if not chosen:
        return Text("", "")
    said = dataset[int(episodes.rows[chosen[0]])].instruction
    first = next(iter(said.values()), "")
    return Text(said.get("en", first), said.get("ja", first))


def _film(episodes: Episodes, studio: Studio, good: Sequence[int], others: Sequence[int]) -> Clips:
    made: tuple[list[Clip], list[Clip]] = [], []
    notes: list[Text] = []
    drawn = False
    for place, chosen in enumerate((good, others)):
        for k in chosen:
            about = str(episodes.endings[k]), str(episodes.modes[k]), float(episodes.seconds[k])
            clip = studio.film(int(episodes.rows[k]), about)
            if isinstance(clip, Clip):
                made[place].append(clip)
                drawn |= clip.drawn
            else:
                notes = notes or [clip]
    return Clips(tuple(made[0]), tuple(made[1]), drawn, tuple(notes))


def _trace(dataset: Dataset, episodes: Episodes, chosen: Sequence[int], name: str) -> list[Traced]:
    return [
        Traced(t, ending_text(t.ending), mode_text(t.mode), plots.telemetry_plot(t, f"{name} telemetry {t.row}"))
        for t in tell(dataset, episodes, chosen)
        if t.traces
    ]


def _effects(episodes: Episodes) -> list[Effect]:
    modes = np.where(episodes.modes == "", NOMINAL.en, episodes.modes)
    values = {n: v for n, v in episodes.parameters.items() if not n.startswith(LOOKS)}
    return effects({MODE: modes, **values}, episodes.endings)


def _figures(episodes: Episodes, known: Sequence[Effect], colours: Mapping[str, str], name: str) -> list[Shown]:
    overall = episodes.successes / len(episodes)
    out: list[Shown] = []
    for effect in known:
        declared = episodes.declared.get(effect.name, Declared("", "", ()))
        figure = plots.effect_plot(effect, colours, overall, f"{name} yield by {effect.name}")
        best, worst = percent(effect.best.share), percent(effect.worst.share)
        at, least = (mode_text("" if b.label == NOMINAL.en else b.label) for b in (effect.best, effect.worst))
        said = Text(f"{best} at {at.en}; {worst} at {least.en}", f"{at.ja} で {best}、{least.ja} で {worst}")
        out.append(Shown(effect.name, declared.unit, declared.doc, figure, said, effect.clear))
    return out


def _drawn(episodes: Episodes, name: str) -> tuple[list[Shown], list[Shown], Table]:
    among = max(1, len(episodes.parameters))
    found = [compare(n, v, episodes.declared[n], among) for n, v in episodes.parameters.items()]
    shown: tuple[list[Shown], list[Shown]] = [], []
    rows: list[Sequence[Cell]] = []
    for drawn in (d for d in found if d is not None):
        declared = drawn.declared
        if declared.fixed and not drawn.off:
            rows.append((drawn.name, _value(drawn), declared.unit, declared.doc))
            continue
        figure = plots.drawn_plot(drawn, f"{name} drawn {drawn.name}")
        off = Text("differs from what was asked", "指定した分布と異なります")
        said = off if drawn.off else Text("", "")
        place = shown[drawn.name.startswith(LOOKS)]
        place.append(Shown(drawn.name, declared.unit, declared.doc, figure, said, drawn.off))
    headers = (Text("parameter", "パラメータ"), Text("value", "値"), Text("unit", "単位"), Text("meaning", "内容"))
    title = Text(f"Never changed ({len(rows)})", f"固定値（{len(rows)}）")
    return shown[0], shown[1], Table(headers, rows, title, folded=True)


def _value(drawn: Drawn) -> str:
    nominal = drawn.declared.mixture[0][1].nominal
    return nominal if isinstance(nominal, str) else f"{nominal:g}"
