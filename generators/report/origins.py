"""Where a dataset is from: seed, versions, plan, sources; who answers for it; what was measured of its quality."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generators.capped import read_json
from generators.dataset import Dataset
from generators.governance.words import USE, WORDS
from generators.report.words import Cell, Text, number, same

Row = tuple[Text, Cell]

_SHORT = 300  # characters of a value
_LABELS: dict[str, Text] = WORDS | dict(USE) | {"asset_licenses": Text("licences of assets", "素材のライセンス")}
_IMPORTED = ("format", "file", "sha256")
_MANY = 12  # figures under one name that get one row
_QUALITY = {  # what `genba validate --record` measures; other names are given as they are
    "nan_rate": Text("numbers that are not finite", "有限でない数値の割合"),
    "clipped_rate": Text("readings at the end of their range", "範囲の上下限に達した計測値の割合"),
    "duplicate_rate": Text("episodes that are there twice", "重複したエピソードの割合"),
    "success": Text("success", "成功"),
    "parameter_coverage": Text("share of each parameter's range", "各パラメータの範囲のうち使われた割合"),
    "replay_verified": Text("episodes replayed bit for bit", "ビット単位で再現を確認したエピソードの割合"),
    "split_leakage": Text("episodes shared between parts of a split", "分割間で共有されたエピソード"),
    "levels": Text("examined", "検査の段階"),
    "errors": Text("errors", "誤り"),
    "warnings": Text("warnings", "注意"),
    "findings": Text("findings", "指摘"),
    "genba": Text("measured by genba", "測定した genba のバージョン"),
}


def provenance_rows(dataset: Dataset) -> list[Row]:
    """Say where the data is from."""
    manifest, plan = dataset.manifest, _plan(dataset.folder)
    rows: list[Row] = [
        (Text("dataset", "データセット"), str(manifest.get("dataset_id", ""))),
        (Text("format", "形式"), f"genba {manifest.get('format_version', '')}"),
        (
            Text("hash of all that determines the physics", "物理を決定する全要素のハッシュ"),
            str(manifest.get("physics_sha256") or ""),
        ),
        (Text("root seed", "ルートシード"), "" if manifest.get("seed") is None else str(manifest["seed"])),
        (Text("made with", "作成に使用"), _compact(manifest.get("generator") or "")),
        (Text("written", "作成日時"), str(manifest.get("created") or "")),
        (Text("environment", "実行環境"), _compact(manifest.get("environment") or "")),
        (Text("episodes planned", "計画したエピソード数"), str(plan.get("attempts", ""))),
        (Text("episodes per file", "1 ファイルあたりのエピソード数"), str(plan.get("episodes_per_shard", ""))),
    ]
    return [row for row in [*rows, *_tasks(manifest), *_history(manifest)] if row[1]]


def _tasks(manifest: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for task in manifest.get("tasks", ()):
        changed = ", ".join(sorted(task.get("parameters") or {}))
        said = f"{task.get('name', '')} v{task.get('version', '?')}" + (f": {changed}" if changed else "")
        rows.append((Text("task, and parameters changed", "タスクと変更したパラメータ"), said))
        if task.get("degraded"):
            label = Text("share of episodes with a worse expert", "エキスパートの腕を落とした割合")
            rows.append((label, str(task["degraded"])))
        rows.append(
            (Text("hash of the task's source", "タスクのソースコードのハッシュ"), task.get("source_sha256") or "")
        )
    return rows


def _history(manifest: Mapping[str, Any]) -> list[Row]:
    """Say what a dataset was derived from, or imported from."""
    rows: list[Row] = []
    derived, imported = manifest.get("derived"), manifest.get("imported")
    if isinstance(derived, dict):
        rows.append((Text("made by", "作成方法"), str(derived.get("activity", ""))))
        rows += [(same(k), _compact(v)) for k, v in sorted(derived.items()) if k not in ("activity", "of")]
    for source in manifest.get("sources", ()):
        facts = [f"{k} {_compact(source[k])}" for k in ("seed", "attempts", "generator") if source.get(k) is not None]
        rows.append((Text("source", "元データ"), "; ".join([str(source.get("dataset_id", "")), *facts])))
    if isinstance(imported, dict):
        facts = [str(imported[k]) for k in _IMPORTED if k in imported]
        rows.append((Text("imported from", "取り込み元"), " · ".join(facts)))
    return rows


def governance_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """Say who is responsible for the data and what it may be used for; [] where dataset.json has no such block."""
    return [
        (_LABELS.get(key) or same(key.replace("_", " ")), _stated(value))
        for key, value in manifest.get("governance", {}).items()
    ]


def quality_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """Say what was measured of the data's quality and written into dataset.json."""
    rows: list[Row] = []
    for name, value in (manifest.get("quality") or {}).items():
        label, found = _QUALITY.get(name) or same(name), list(_figures(value))
        numbers = [(v, part) for part, v in found if isinstance(v, int | float)]
        if len(found) > _MANY and len(numbers) == len(found):
            least, mean = min(numbers), sum(v for v, _ in numbers) / len(numbers)
            of = f"{number(least[0])} ({least[1]})"
            said = Text(
                f"mean {number(mean)} of {len(found)}; least {of}",
                f"{len(found)} 項目の平均 {number(mean)}、最小 {of}",
            )
            rows.append((label, said))
        else:
            rows += [(_under(label, part), number(v) if isinstance(v, float) else str(v)) for part, v in found]
    return rows


def _under(label: Text, part: str) -> Text:
    return Text(f"{label.en}: {part}", f"{label.ja}：{part}") if part else label


def _figures(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - whatever dataset.json has there
    """Go through what was measured: dotted name, figure or text."""
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _figures(inner, f"{name}.{part}" if name else str(part))
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else value


def _stated(value: Any) -> Cell:  # noqa: ANN401 - whatever dataset.json has there
    """Return what is stated in both languages where it is, or that nothing is."""
    if value in (None, "", [], {}):
        return WORDS["unstated"]
    parts = value if isinstance(value, list) else [value]
    if all(isinstance(p, dict) and {"en", "ja"} <= set(p) for p in parts):
        return Text(" ".join(str(p["en"]) for p in parts), "".join(str(p["ja"]) for p in parts))
    return _compact(value)


def _plan(folder: Path) -> Mapping[str, Any]:
    try:
        found = read_json(folder / "plan.json", within=folder)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _compact(value: Any) -> str:  # noqa: ANN401 - whatever dataset.json has there
    """Return plain data as one line of text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number(value)
    text = re.sub(r'["{}\[\]]', "", json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
