"""What a dataset holds: its columns with units and statistics, its cameras; and how fast it was made."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.capped import read_json
from generators.dataset import Dataset
from generators.report.tasks import Episodes
from generators.report.words import Cell, Table, Text, number, same

_GROUPS = (
    ("obs/", Text("Observations", "観測")),
    ("steps/", Text("Actions and what came of them", "行動とその結果")),
    ("streams/", Text("Telemetry streams", "テレメトリ")),
)
_HEADERS = (
    Text("column", "列"),
    Text("unit", "単位"),
    Text("rate", "周波数"),
    Text("frame", "座標系"),
    Text("mean", "平均"),
    Text("deviation", "標準偏差"),
    Text("least", "最小"),
    Text("greatest", "最大"),
    Text("meaning", "内容"),
)
_MANY = 8  # components of a column that get their own rows
_NOTE = Text(
    "Statistics are of the whole files, over all control steps or samples.",
    "統計値はファイル全体の全ステップ・全サンプルについてのものです。",
)


def read_statistics(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Read stats.json: task -> column -> statistics; {} where it is missing or damaged."""
    try:
        found = read_json(folder / "stats.json", within=folder)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def column_tables(episodes: Episodes, statistics: Mapping[str, Any]) -> list[Table]:
    """List a task's columns, a row for each component, with what is known of its values."""
    features: Mapping[str, Mapping[str, Any]] = episodes.about.get("features", {})
    tables: list[Table] = []
    for prefix, title in _GROUPS:
        paths = [p for p in features if p.startswith(prefix) and not p.endswith("/t_ns")]
        rows = [row for p in paths for row in _rows(p, prefix, features[p], statistics.get(p, {}))]
        if rows:
            name = Text(f"{title.en} ({len(paths)})", f"{title.ja}（{len(paths)}列）")
            tables.append(Table(_HEADERS, rows, name, folded=True, note=_NOTE if statistics else Text("", "")))
    return tables


def _rows(path: str, prefix: str, feature: Mapping[str, Any], known: Mapping[str, Any]) -> Iterable[Sequence[Cell]]:
    name = path.removeprefix(prefix).removesuffix("/value")
    shape, names = list(feature.get("shape") or [1]), [str(n) for n in feature.get("names") or ()]
    dim = 1
    for n in shape:
        dim *= int(n)
    units = [str(u) for u in feature.get("units") or str(feature.get("unit", "")).split(", ")]
    units = units if len(units) == dim else [str(feature.get("unit", ""))] * dim
    rate = f"{float(feature['rate_hz']):g} Hz" if feature.get("rate_hz") else ""
    doc = str(feature.get("doc", ""))
    if dim > _MANY:
        yield f"{name} × {dim}", str(feature.get("unit", "")), rate, str(feature.get("frame", "")), "", "", "", "", doc
        return
    for i in range(dim):
        label = f"{name}.{names[i] if i < len(names) else i}" if dim > 1 else name
        figures = [_figure(known, key, i) for key in ("mean", "std", "min", "max")]
        yield label, units[i], rate, str(feature.get("frame", "")), *figures, doc if i == 0 else ""


def _figure(known: Mapping[str, Any], key: str, i: int) -> str:
    values = known.get(key, ())
    value = values[i] if isinstance(values, list) and i < len(values) else None
    return number(float(value)) if isinstance(value, int | float) else ""


def camera_table(manifest: Mapping[str, Any]) -> Table:
    """List the cameras that were recorded."""
    rows: list[Sequence[Cell]] = []
    for camera, entry in sorted(manifest.get("media", {}).items()):
        whole = Text("complete", "完全") if entry.get("complete") else Text("incomplete", "未完了")
        for task, s in sorted(entry.get("settings", {}).items()):
            kinds = ", ".join(str(k) for k in s.get("kinds", ()))
            pixels = f"{s.get('width', '?')} × {s.get('height', '?')}"
            rows.append((camera, task, pixels, f"{s.get('rate_hz', 0):g} Hz", kinds, str(s.get("encoding", "")), whole))
    headers = (
        Text("camera", "カメラ"),
        Text("task", "タスク"),
        Text("pixels", "画素"),
        Text("rate", "周波数"),
        Text("kinds", "種類"),
        Text("encoding", "符号化"),
        Text("state", "状態"),
    )
    return Table(headers, rows)


def speed_rows(dataset: Dataset, simulated_s: float) -> list[tuple[Text, Cell]]:
    """Say how fast the dataset was made, from its logs; [] where there are none."""
    walls: list[float] = []
    pictures: list[tuple[int, float]] = []
    names = {str(s["name"]).removesuffix(".h5") for s in dataset.manifest["shards"]}
    for path in sorted((dataset.folder / "logs").glob("*.json")):
        try:
            log = read_json(path, within=dataset.folder)
            if path.stem in names:
                walls.append(float(log["wall_s"]))
            elif "camera" in log:
                pictures.append((int(log["frames"]), float(log["wall_s"])))
        except (OSError, ValueError, LookupError, TypeError, OverflowError):
            continue
    rows: list[tuple[Text, Cell]] = []
    if walls and sum(walls) > 0:
        total = sum(walls)
        rows += [
            (Text("simulated time", "シミュレーション時間"), duration_text(simulated_s)),
            (Text("computing time, all workers together", "計算時間（全ワーカー合計）"), duration_text(total)),
            (
                Text("simulated over computing time, one worker", "実時間比（1ワーカーあたり）"),
                Text(f"{simulated_s / total:.3g} times real time", f"実時間の {simulated_s / total:.3g} 倍"),
            ),
            (
                Text("episodes per hour and worker", "1ワーカー1時間あたりのエピソード数"),
                f"{3600 * len(dataset) / total:,.0f}",
            ),
        ]
    drawn, seconds = sum(n for n, _ in pictures), sum(s for _, s in pictures)
    if drawn and seconds > 0:
        rows.append((Text("pictures drawn per second", "1秒あたりの描画枚数"), f"{drawn / seconds:,.0f}"))
    return rows


def duration_text(seconds: float) -> Text:
    """Say how long something took."""
    if seconds < 120:
        return same(f"{seconds:.1f} s")
    if seconds < 7200:
        return Text(f"{seconds / 60:.1f} min", f"{seconds / 60:.1f} 分")
    return Text(f"{seconds / 3600:.1f} h", f"{seconds / 3600:.1f} 時間")
