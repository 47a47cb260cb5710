"""A report's contents: what is said of the dataset as a whole and of each task, in both languages, and its figures."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from generators.dataset import Dataset
from generators.intervals import wilson
from generators.report import inside, origins
from generators.report.clips import Studio
from generators.report.sections import TaskReport, make_task
from generators.report.snippets import Snippet, snippets
from generators.report.tasks import Episodes, read_tasks, task_names
from generators.report.words import Cell, Table, Text, percent, same, size
from generators.schema import TABLE, DatasetError
from generators.validate import Report as Checked
from generators.validate import validate

Done = Callable[[str, float], None]  # told a part's name and the share of it that is done

_FINDINGS = 100  # that are listed
_DAMAGE = ("hash", "missing", "link", "structure")  # lints: a file that they find something in is not opened here

_KINDS = {"error": Text("error", "誤り"), "warning": Text("warning", "注意")}


class Key(NamedTuple):
    """A figure that comes first: its label, the figure, a second line, and "good", "bad" or ""."""

    label: Text
    figure: Text
    note: Text
    verdict: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What is written of a dataset.

    Attributes:
        title: the folder's name.
        dataset_id: its identity.
        imported: whether it is foreign data, with no task behind it.
        key: the figures that come first.
        tasks: what is said of each.
        cameras: what was filmed.
        columns: (task, tables) of what is recorded.
        speed: (label, figure).
        checked: what `validate` found when the report was made.
        findings: the first of them.
        quality: (label, figure) that were measured before.
        provenance: (label, what).
        governance: (label, what).
        snippets: how to load it.
    """

    title: str
    dataset_id: str
    imported: bool
    key: Sequence[Key]
    tasks: Sequence[TaskReport]
    cameras: Table
    columns: Sequence[tuple[str, Sequence[Table]]]
    speed: Sequence[tuple[Text, Cell]]
    checked: Checked
    findings: Table
    quality: Sequence[tuple[Text, Cell]]
    provenance: Sequence[tuple[Text, Cell]]
    governance: Sequence[tuple[Text, Cell]]
    snippets: Sequence[Snippet]


def make_report(
    folder: Path, *, episodes: Sequence[int] = (), deep: bool = False, draw: bool = False, done: Done
) -> Report:
    """Put together what is said of a dataset.

    Args:
        folder: the dataset's.
        episodes: those whose telemetry and pictures are shown, by place in the dataset; none: those that tell most.
        deep: whether every shard is read through and checked, beside the files' hashes.
        draw: whether the module of a task that is not genba's own may be imported to draw pictures.
        done: told how far it is.

    Raises:
        DatasetError: it is no dataset, its table cannot be read, or it has no such episode.
    """
    checked = validate(folder, deep=deep, progress=lambda stage, n, total: done(stage, n / max(1, total)))
    with Dataset(folder) as dataset:
        for number in episodes:
            if not 0 <= number < len(dataset):
                raise DatasetError(f"{folder} has episodes 0 to {len(dataset) - 1}, not {number}")
        damaged = {f.shard for f in checked.findings if f.lint in _DAMAGE}
        if damaged and not (folder / TABLE).exists():
            dataset = _whole(dataset, damaged)
        found = read_tasks(dataset, damaged)
        statistics = inside.read_statistics(folder)
        studio = Studio(dataset, draw=draw)
        tasks: list[TaskReport] = []
        for k, task in enumerate(found):
            tasks.append(make_task(dataset, task, studio, f"t{k}", (len(found), episodes)))
            done("tasks", (k + 1) / len(found))
        return Report(
            title=folder.resolve().name,
            dataset_id=str(dataset.manifest.get("dataset_id", "")),
            imported="imported" in dataset.manifest,
            key=_key(dataset, found, checked),
            tasks=tasks,
            cameras=inside.camera_table(dataset.manifest),
            columns=[(e.task, inside.column_tables(e, _statistics(dataset, statistics, e.task))) for e in found],
            speed=inside.speed_rows(dataset, _simulated(found)),
            checked=checked,
            findings=_findings(checked),
            quality=origins.quality_rows(dataset.manifest),
            provenance=origins.provenance_rows(dataset),
            governance=origins.governance_rows(dataset.manifest),
            snippets=snippets(dataset),
        )


def _statistics(dataset: Dataset, known: Mapping[str, Any], task: str) -> Mapping[str, Any]:
    """Return a task's part of stats.json."""
    return next((known[name] for name in task_names(dataset, task) if name in known), {})


def _whole(dataset: Dataset, damaged: Collection[str]) -> Dataset:
    """Return a view of the episodes whose files are whole."""
    names = np.array([str(s["name"]) for s in dataset.manifest["shards"]], str)
    return (
        dataset.choose(np.flatnonzero(~np.isin(names[dataset.places[:, 0]], list(damaged)))) if len(names) else dataset
    )


def _key(dataset: Dataset, tasks: Sequence[Episodes], checked: Checked) -> list[Key]:
    manifest = dataset.manifest
    total, good = len(dataset), sum(e.successes for e in tasks)
    low, high = wilson(good, total)
    seconds = _simulated(tasks)
    steps = manifest.get("steps", 0)
    return [
        Key(
            Text("Yield", "歩留まり"),
            same(percent(good / total) if total else "–"),
            Text(
                f"95 % confidence: {percent(low)} to {percent(high)}",
                f"95 % 信頼区間 {percent(low)} ～ {percent(high)}",
            ),
        ),
        Key(
            Text("Episodes", "エピソード"),
            same(f"{total:,}"),
            Text(f"{good:,} successes, {total - good:,} others", f"成功 {good:,} 件、その他 {total - good:,} 件"),
        ),
        Key(
            Text("Simulated time", "シミュレーション時間"),
            inside.duration_text(seconds),
            Text(f"{steps:,} control steps", f"制御ステップ数 {steps:,}"),
        ),
        _size(manifest),
        _state(manifest),
        _verdict(checked),
    ]


def _size(manifest: Mapping[str, Any]) -> Key:
    pictures = sum(int(entry.get("bytes", 0)) for entry in manifest.get("media", {}).values())
    stored = int(manifest.get("bytes", sum(int(s.get("bytes", 0)) for s in manifest["shards"])))
    shards = len(manifest["shards"])
    files = f"{shards} file{'' if shards == 1 else 's'}"
    note = Text(f"{files}, and {size(pictures)} of pictures", f"{shards} ファイル、画像 {size(pictures)} を含む")
    plain = Text(f"{files}, no pictures", f"{shards} ファイル、画像なし")
    return Key(Text("Size", "サイズ"), same(size(stored + pictures)), note if pictures else plain)


def _state(manifest: Mapping[str, Any]) -> Key:
    label = Text("State", "状態")
    if isinstance(manifest.get("derived"), dict):
        activity = str(manifest["derived"].get("activity", ""))
        sources = len(manifest.get("sources", ()))
        note = Text(
            f"made by {activity} from {sources} dataset{'' if sources == 1 else 's'}",
            f"{activity} により {sources} 個のデータセットから作成",
        )
        return Key(label, Text("derived", "派生データ"), note)
    if isinstance(manifest.get("imported"), dict):
        layout = str(manifest["imported"].get("format", ""))
        return Key(label, Text("imported", "取り込み"), Text(f"from {layout}", f"{layout} から取り込んだデータ"))
    if manifest.get("complete", True):
        return Key(
            label,
            Text("complete", "完全"),
            Text("as planned, every attempt is kept", "計画どおり、全試行を保存"),
            "good",
        )
    return Key(
        label, Text("incomplete", "未完了"), Text("genba resume continues it", "genba resume で再開できます"), "bad"
    )


def _verdict(checked: Checked) -> Key:
    label = Text("Validation", "検証")
    looked = Text(f"{checked.files} files compared", f"{checked.files} ファイルを照合")
    if checked.ok:
        few = len(checked.warnings)
        more = Text(f"{looked.en}, {few} warnings", f"{looked.ja}、注意 {few} 件") if few else looked
        return Key(label, Text("nothing wrong", "異常なし"), more, "good")
    count = len(checked.errors)
    return Key(label, Text(f"{count} findings", f"指摘 {count} 件"), looked, "bad")


def _findings(checked: Checked) -> Table:
    headers = (
        Text("kind", "種類"),
        Text("file", "ファイル"),
        Text("column", "列"),
        Text("what was found", "内容"),
        Text("lint", "検査項目"),
    )
    ordered = [*checked.errors, *checked.warnings]
    rows = [
        (_KINDS[f.severity], f.shard or Text("dataset", "全体"), f.column, f.message, f.lint)
        for f in ordered[:_FINDINGS]
    ]
    left = len(ordered) - len(rows)
    note = Text(f"{left} more: genba validate lists all.", f"ほか {left} 件。全件は genba validate で確認できます。")
    return Table(headers, rows, note=note if left else Text("", ""))


def _simulated(tasks: Sequence[Episodes]) -> float:
    """Return how long all episodes take together, s."""
    return float(np.sum([e.seconds.sum() for e in tasks]))
