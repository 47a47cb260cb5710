"""What cards say, in English and Japanese side by side; names, numbers and units are the same in both."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from generators.description import number_text, range_text

LANGUAGES = ("en", "ja")


class Pair(NamedTuple):
    """One thing said in both languages."""

    en: str
    ja: str


WORDS: dict[str, Pair] = {
    "other": Pair("日本語版: [README.ja.md](README.ja.md)", "English: [README.md](README.md)"),
    "unstated": Pair("not stated", "記載なし"),
    "facts": Pair("At a glance", "概要"),
    "outcomes": Pair("Outcomes", "結果の内訳"),
    "tasks": Pair("Tasks", "タスク"),
    "cameras": Pair("Cameras", "カメラ"),
    "loading": Pair("How to load it", "読み込み方法"),
    "format": Pair("Format", "データ形式"),
    "use": Pair("Use and limits", "用途と制約"),
    "quality": Pair("Quality", "品質"),
    "provenance": Pair("Provenance", "来歴"),
    "changes": Pair("Changes", "変更履歴"),
    "governance": Pair("Governance", "ガバナンス"),
    "dataset_id": Pair("dataset", "データセットID"),
    "version": Pair("version", "バージョン"),
    "format_version": Pair("format", "形式"),
    "episodes": Pair("episodes", "エピソード数"),
    "steps": Pair("control steps", "制御ステップ数"),
    "size": Pair("size", "サイズ"),
    "seed": Pair("root seed", "ルートシード"),
    "languages": Pair("languages of the work orders", "作業指示の言語"),
    "license": Pair("licence", "ライセンス"),
    "creator": Pair("creator", "作成者"),
    "contact": Pair("contact", "連絡先"),
    "url": Pair("where it can be had", "入手先"),
    "created": Pair("made (UTC)", "作成日時(UTC)"),
    "citation": Pair("cite it as", "引用"),
    "published": Pair("published", "公開日"),
    "task": Pair("task", "タスク"),
    "share": Pair("share of all", "全体に占める割合"),
    "total": Pair("all", "合計"),
    "name": Pair("name", "名称"),
    "numbers": Pair("numbers", "要素数"),
    "unit": Pair("unit", "単位"),
    "drawn": Pair("drawn from", "分布"),
    "range": Pair("range", "範囲"),
    "frame": Pair("frame", "座標系"),
    "rate": Pair("rate", "周波数"),
    "late": Pair("late by", "遅延"),
    "meaning": Pair("meaning (in the author's words)", "意味(タスク作者による英語の説明)"),
    "original": Pair("In the author's words:", "以下は、タスクの作者が英語で書いた説明です。"),
    "parameters": Pair("Parameters", "パラメータ"),
    "actions": Pair("Actions", "行動"),
    "observations": Pair("Observations", "観測"),
    "channels": Pair("Instruments, each at its own rate", "計測チャンネル(それぞれ固有の周波数)"),
    "signals": Pair("Signals, at every control step", "信号(制御ステップごと)"),
    "order": Pair("A work order at nominal parameters", "公称値のパラメータでの作業指示の例"),
    "phases": Pair("phases", "フェーズ"),
    "failures": Pair("failures", "失敗の種類"),
    "degradations": Pair("ways in which the expert is made worse", "エキスパートの性能を意図的に下げる方法"),
    "degraded": Pair("episodes with a worse expert", "エキスパートの性能を下げたエピソードの割合"),
    "control": Pair("control", "制御"),
    "horizon": Pair("at most", "最長"),
    "camera": Pair("camera", "カメラ"),
    "pixels": Pair("pixels", "画素数"),
    "kinds": Pair("pictures", "画像の種類"),
    "frames": Pair("frames", "枚数"),
    "drawn_by": Pair("drawn by", "描画"),
    "file": Pair("file", "ファイル"),
    "holds": Pair("holds", "内容"),
    "changed": Pair("changed for this dataset", "このデータセットで変更"),
    "differs": Pair("differs between the sources", "元のデータセットによって異なる"),
    "own": Pair("the task's own range", "タスクの既定の範囲"),
    "measure": Pair("measure", "項目"),
    "value": Pair("value", "値"),
    "none": Pair("none", "なし"),
}

OUTCOMES = {
    "success": Pair("success", "成功"),
    "failure": Pair("failure", "失敗"),
    "timeout": Pair("timeout", "時間切れ"),
    "unstable": Pair("unstable physics", "物理計算の発散"),
    "expert_error": Pair("error of the expert", "エキスパートのエラー"),
    "task_error": Pair("error of the task", "タスクのエラー"),
}

USE = (  # of the block `governance`: key, heading
    ("intended_use", Pair("Intended use", "想定する用途")),
    ("out_of_scope_use", Pair("Out of scope", "想定しない用途")),
    ("sim_to_real_gaps", Pair("Known gaps between simulation and reality", "シミュレーションと実機の既知の差異")),
    ("personal_data", Pair("Personal data", "個人情報")),
    ("data_residency", Pair("Data residency", "データの保管場所に関する条件")),
    ("export_control", Pair("Export control", "輸出管理")),
    ("custody", Pair("Custody", "管理の履歴")),
    ("evaluator", Pair("Who decides what a success is", "成否の判定")),
)

FILES = (
    (
        "dataset.json",
        Pair("what the dataset says of itself; this card is made of it", "データセットの自己記述(この文書の元)"),
    ),
    (
        "episodes.parquet",
        Pair(
            "one row an episode: seed, outcome, failure, parameters, work order",
            "1行が1エピソード: シード、結果、失敗の種類、パラメータ、作業指示",
        ),
    ),
    (
        "shards/*.h5",
        Pair("observations, actions, telemetry, physics states (HDF5)", "観測、行動、計測値、物理状態(HDF5)"),
    ),
    (
        "media/*.h5",
        Pair("pictures with intrinsics, poses and times (HDF5)", "画像と、その内部パラメータ、姿勢、時刻(HDF5)"),
    ),
    (
        "stats.json",
        Pair("count, mean, deviation, range, quantiles of every column", "各列の個数、平均、標準偏差、範囲、分位点"),
    ),
    (
        "SHA256SUMS",
        Pair(
            "hashes of shards and tables; media/SHA256SUMS of pictures",
            "シャードと表のハッシュ(画像はmedia/SHA256SUMS)",
        ),
    ),
    ("croissant.json", Pair("Croissant 1.1, with responsible-AI properties", "Croissant 1.1(責任あるAIの項目を含む)")),
    ("provenance.jsonld", Pair("PROV-O: from what, by what, by whom", "PROV-O形式の来歴")),
)

RULES = (
    Pair(
        "An episode of T steps has T actions and T + 1 observations: `obs[t]` is what was seen before `action[t]`; "
        "`reward[t]`, `terminated[t]` and `success[t]` are what came of it.",
        "Tステップのエピソードには行動がT個、観測がT + 1個あります。`obs[t]`は`action[t]`の直前の観測、"
        "`reward[t]`、`terminated[t]`、`success[t]`はその行動の結果です。",
    ),
    Pair(
        "SI units, +z up, quaternions as w, x, y, z; every column names its unit and frame.",
        "単位はSI、+zが上、クォータニオンはw, x, y, zの順です。各列に単位と座標系を記録しています。",
    ),
    Pair(
        "Instruments keep their own rate, delay and errors; nothing is resampled.",
        "計測チャンネルは固有の周波数、遅延、誤差のまま記録しており、リサンプリングはしていません。",
    ),
    Pair(
        "Failures are kept and labelled, never retried with another seed.",
        "失敗したエピソードもそのまま残し、ラベルを付けています。別のシードでのやり直しはしていません。",
    ),
)

ALIGNED = Pair(
    "This card is aligned with ISO/IEC 5259 (data quality), ISO/IEC 42001 (data for AI systems: quality, "
    "provenance), the NIST AI Risk Management Framework (Map, Measure) and Japan's AI Guidelines for Business "
    "(transparency, accountability): it gives what they ask to be known of data. It is no certificate, and nobody "
    "has assessed conformity.",
    "この文書は、ISO/IEC 5259(データ品質)、ISO/IEC 42001(AIシステムのためのデータの品質と来歴)、"
    "NIST AIリスクマネジメントフレームワーク(Map、Measure)、"
    "日本の「AI事業者ガイドライン」(透明性、アカウンタビリティ)の考え方に沿って、データについて求められる情報をまとめたものです。認証ではなく、適合性の評価も受けていません。",
)


def word(key: str, language: str) -> str:
    """Return a word of `WORDS`."""
    return pick(WORDS[key], language)


def pick(pair: Pair, language: str) -> str:
    """Return the half of a pair that is in a language."""
    return pair[LANGUAGES.index(language)]


def said(text: Any, language: str) -> str:  # noqa: ANN401 - a text of dataset.json
    """Return a text that is given once or in two languages; "" for none."""
    if isinstance(text, Mapping):
        other = LANGUAGES[1 - LANGUAGES.index(language)]
        text = text.get(language) or text.get(other)
    return str(text or "").strip()


def listed(names: Iterable[str], language: str) -> str:
    """Return names as one text."""
    return ("、" if language == "ja" else ", ").join(names) or word("none", language)


def distribution_text(distribution: Mapping[str, Any], language: str) -> str:
    """Say a distribution in a few words."""
    if language == "en":
        return range_text(distribution)
    match distribution:
        case {"kind": "fixed", "value": value}:
            return f"{number_text(value)}で固定"
        case {"kind": "choice", "values": values}:
            return "、".join(map(number_text, values)) + "のいずれか"
        case {"kind": "normal", "mean": mean, "std": std, "low": low, "high": high}:
            return f"{mean:g} ± {std:g}({low:g}から{high:g}の範囲)"
        case {"kind": "log_uniform", "low": low, "high": high}:
            return f"{low:g}から{high:g}(対数スケール)"
        case _:
            return f"{distribution['low']:g}から{distribution['high']:g}"
