"""What a report says of one task: yield, pictures, effects, failures, telemetry, durations, parameters."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from generators.dataset import Dataset
from generators.report import plots
from generators.report.clips import Clip, Clips, Studio
from generators.report.drawn import Declared, Drawn, compare
from generators.report.moments import Telling, choose, phase_durations, tell
from generators.report.tasks import Episodes
from generators.report.words import NOMINAL, OUTCOMES, Cell, Table, Text, ending_text, percent
from generators.report.yields import Effect, count, effects, wilson
from generators.schema import DatasetError

MODE = "expert mode"  # stands beside the parameters
LOOKS = "look."  # parameters that change pictures and no physics
_FIGURES = 9  # effects that get one
_TELL = 5  # failed episodes whose telemetry is shown
_ERRORS = 10  # that are listed


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
    notes = [episodes.problem] if episodes.problem else []
    known = _effects(episodes)
    good, others = _chosen(episodes, *about)
    clips, traced, measured, durations, orders = Clips(), [], 0, "", Text("", "")
    try:
        orders = _orders(dataset, episodes, [*good, *others])
        clips = _film(episodes, studio, good, others)
        traced = _trace(dataset, episodes, [*good[:1], *others[:_TELL]] if not about[1] else [*good, *others], name)
        found, measured = phase_durations(dataset, episodes)
        durations = plots.duration_plot(found, f"{name} durations of phases") if found else ""
    except DatasetError as error:
        notes.append(str(error))
    drawn, looks, fixed = _drawn(episodes, name)
    there = episodes.seconds > 0
    success = (episodes.endings == "success")[there]
    return TaskReport(
        id=name,
        task=episodes.task,
        version=str(episodes.about.get("task_version", "")),
        orders=orders,
        sentences=_sentences(episodes, known),
        endings=[(ending_text(e), n, colours[e]) for e, n in counts.items()],
        names=list(counts),
        phases=sorted({(p.code, p.name) for t in traced for p in t.telling.phases if p.code >= 0}),
        total=len(episodes),
        clips=clips,
        effects=_figures(episodes, known[:_FIGURES], colours, name),
        weak=_weak(known[_FIGURES:]),
        failures=_failures(episodes, list(counts)),
        errors=_errors(dataset, episodes),
        traced=traced,
        durations=durations,
        measured=measured,
        seconds=plots.halves_plot(episodes.seconds[there], success, "s", f"{name} durations") if there.any() else "",
        returns=plots.halves_plot(episodes.returns[there], success, "", f"{name} returns") if there.any() else "",
        drawn=drawn,
        looks=looks,
        fixed=fixed,
        notes=list(dict.fromkeys(notes)),
    )


def _chosen(episodes: Episodes, tasks: int, wanted: Sequence[int]) -> tuple[list[int], list[int]]:
    if wanted:
        places = {int(row): k for k, row in enumerate(episodes.rows.tolist())}
        mine = [places[row] for row in wanted if row in places and episodes.seconds[places[row]] > 0]
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
            elif clip not in notes:
                notes.append(clip)
    return Clips(tuple(made[0]), tuple(made[1]), drawn, tuple(notes))


def _trace(dataset: Dataset, episodes: Episodes, chosen: Sequence[int], name: str) -> list[Traced]:
    first: dict[str, int] = {}
    for k in chosen:
        first.setdefault(str(episodes.endings[k]), k)
    return [
        Traced(t, ending_text(t.ending), mode_text(t.mode), plots.telemetry_plot(t, f"{name} telemetry {t.row}"))
        for t in tell(dataset, episodes, first.values())
        if t.traces
    ]


def mode_text(mode: str) -> Text:
    """Say how the expert was made worse, or that it was not."""
    return Text(mode, mode) if mode else NOMINAL


def _effects(episodes: Episodes) -> list[Effect]:
    modes = np.where(episodes.modes == "", NOMINAL.en, episodes.modes)
    values = {n: v for n, v in episodes.parameters.items() if not n.startswith(LOOKS)}
    return effects({MODE: modes, **values}, episodes.endings)


def _sentences(episodes: Episodes, known: Sequence[Effect]) -> list[Text]:
    total, good = len(episodes), episodes.successes
    low, high = (percent(x) for x in wilson(good, total))
    out = [
        Text(
            f"{good:,} of {total:,} episodes succeeded: a yield of {percent(good / total)} "
            f"(95 % confidence: {low} to {high}).",
            f"{total:,} エピソード中 {good:,} 件が成功し、歩留まりは {percent(good / total)} です"
            f"（95 % 信頼区間 {low} ～ {high}）。",
        )
    ]
    counts = count(episodes.endings)
    counts.pop("success", None)
    if counts:
        worst, n = next(iter(counts.items()))
        words = ending_text(worst)
        out.append(
            Text(
                f"Of the others most ended in {words.en}: {n:,} of {len(episodes) - good:,}.",
                f"成功しなかった {len(episodes) - good:,} 件のうち、最も多いのは「{words.ja}」（{n:,} 件）です。",
            )
        )
    out += _of_experts(episodes)
    return [*out, _of_parameters(known)]


def _of_experts(episodes: Episodes) -> list[Text]:
    plain = episodes.modes == ""
    worse = int((~plain).sum())
    if not worse or not plain.any():
        return []
    n, good = int(plain.sum()), int((episodes.endings[plain] == "success").sum())
    share = percent(good / n)
    return [
        Text(
            f"The expert at its best succeeded in {good:,} of {n:,} ({share}); in the other {worse:,} it was made "
            "worse on purpose, to have honest failures to learn from.",
            f"通常のエキスパートは {n:,} 件中 {good:,} 件（{share}）で成功しました。残りの {worse:,} 件では、"
            "学習に役立つ失敗例を得るため、エキスパートの腕を意図的に落としています。",
        )
    ]


def _of_parameters(known: Sequence[Effect]) -> Text:
    clear = [e for e in known if e.clear and e.name != MODE]
    if not clear:
        return Text(
            "No parameter changes the yield by clearly more than chance would.",
            "偶然の範囲を明らかに超えて歩留まりを左右するパラメータは見つかりませんでした。",
        )
    e = clear[0]
    best, worst = percent(e.best.share), percent(e.worst.share)
    return Text(
        f"The parameter that matters most is {e.name}: {best} at {e.best.label}, {worst} at {e.worst.label}.",
        f"歩留まりを最も大きく左右するパラメータは {e.name} です"
        f"（{e.best.label} で {best}、{e.worst.label} で {worst}）。",
    )


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


def _weak(known: Sequence[Effect]) -> Table:
    rows = [
        (e.name, *(f"{percent(b.share)} ({b.label})" for b in (e.best, e.worst)), f"{e.strength:.2f}") for e in known
    ]
    headers = (
        Text("parameter", "パラメータ"),
        Text("greatest yield", "最高の歩留まり"),
        Text("least yield", "最低の歩留まり"),
        Text("strength", "影響の強さ"),
    )
    title = Text(f"Weaker effects ({len(rows)})", f"影響がより小さいもの（{len(rows)}）")
    note = Text(
        "Strength: Cramer's V less what chance gives on average; 0 is none, 1 is all.",
        "影響の強さ：偶然による平均分を除いた Cramér の V（0 は無関係、1 は完全に決定）。",
    )
    return Table(headers, rows, title, folded=True, note=note)


def _failures(episodes: Episodes, endings: Sequence[str]) -> Table:
    rows: list[Sequence[Cell]] = []
    for mode in sorted(set(episodes.modes.tolist())):
        mine = episodes.endings[episodes.modes == mode]
        counts = count(mine)
        share = percent(counts.get("success", 0) / len(mine))
        rows.append((mode_text(mode), *(_dot(counts.get(e, 0)) for e in endings), f"{len(mine):,}", share))
    if len(rows) > 1:
        counts, share = count(episodes.endings), percent(episodes.successes / len(episodes))
        whole = *(_dot(counts[e]) for e in endings), f"{len(episodes):,}", share
        rows.append((Text("all", "合計"), *whole))
    headers = (
        Text("expert mode", "エキスパートのモード"),
        *(ending_text(e) for e in endings),
        Text("total", "計"),
        Text("yield", "歩留まり"),
    )
    note = Text(
        "How an episode ended was judged by the physics alone, never by the expert's mode.",
        "結果は物理状態だけから判定しており、エキスパートのモードは判定に影響しません。",
    )
    return Table(headers, rows, note=note)


def _dot(n: int) -> str:
    return f"{n:,}" if n else "·"


def _errors(dataset: Dataset, episodes: Episodes) -> Table:
    headers = (Text("what was raised", "発生したエラー"), Text("kind", "種類"), Text("episodes", "件数"))
    raised = np.isin(episodes.endings, ["expert_error", "task_error", "unstable"])
    if not raised.any():
        return Table(headers, ())
    texts = dataset.choose(episodes.rows[raised]).table(["error"]).column("error").to_pylist()
    found: dict[tuple[str, str], int] = {}
    for text, ending in zip(texts, episodes.endings[raised].tolist(), strict=True):
        key = str(text or "")[:300], str(ending)
        found[key] = found.get(key, 0) + 1
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_ERRORS]
    return Table(headers, [(text, OUTCOMES[ending], f"{n:,}") for (text, ending), n in ordered])


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
