"""What counts say of a task, in sentences and tables."""

from collections.abc import Sequence

import numpy as np

from generators.dataset import Dataset
from generators.intervals import wilson
from generators.report.tasks import Episodes
from generators.report.words import NOMINAL, Cell, Table, Text, ending_text, percent
from generators.report.yields import Effect, count

MODE = "expert mode"  # stands beside the parameters
_ERRORS = 10  # that are listed


def mode_text(mode: str) -> Text:
    """Say how the expert was made worse, or that it was not."""
    return Text(mode, mode) if mode else NOMINAL


def sentences(episodes: Episodes, known: Sequence[Effect]) -> list[Text]:
    """Say what matters of a task in a few sentences.

    Args:
        episodes: the task's.
        known: what its parameters do to the yield.
    """
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
        words, others = ending_text(worst), len(episodes) - good
        out.append(
            Text(
                f"All {others:,} that did not succeed ended in {words.en}."
                if n == others
                else f"The most frequent ending of the {others:,} that did not succeed is {words.en}: {n:,} times.",
                f"成功しなかった {others:,} 件{'は、すべて' if n == others else 'のうち最も多いのは'}「{words.ja}」"
                f"{'' if n == others else f'（{n:,} 件）'}です。",
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


def weak_effects(known: Sequence[Effect]) -> Table:
    """List effects that get no figure."""
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


def failure_table(episodes: Episodes, endings: Sequence[str]) -> Table:
    """Count how episodes end, by expert mode."""
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
    return Table(headers, rows, note=note if episodes.modes.any() else Text("", ""))


def _dot(n: int) -> str:
    return f"{n:,}" if n else "·"


def error_table(dataset: Dataset, episodes: Episodes) -> Table:
    """List what was raised, the most frequent first."""
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
    return Table(headers, [(text, ending_text(ending), f"{n:,}") for (text, ending), n in ordered])
