"""The part of a card about quality: what was measured and recorded in dataset.json, and nothing that was not."""

from collections.abc import Iterator, Mapping
from typing import Any

from generators.governance.tables import folded, table
from generators.governance.words import Pair, pick, word

_LABELS = {  # of what `genba validate --record` writes; other names are given as they are
    "nan_rate": Pair("share of numbers that are not finite", "有限でない数値の割合"),
    "clipped_rate": Pair("share of bounded readings at a bound", "範囲の上下限に達した計測値の割合"),
    "duplicate_rate": Pair("share of episodes that are there twice", "重複したエピソードの割合"),
    "success": Pair("success", "成功"),
    "parameter_coverage": Pair(
        "share of each parameter's range that was drawn from", "各パラメータの範囲のうち抽出された割合"
    ),
    "replay_verified": Pair(
        "share of episodes that were replayed bit for bit", "ビット単位で再現を確認したエピソードの割合"
    ),
    "split_leakage": Pair("episodes shared between the parts of the split", "分割間で共有されたエピソード"),
    "levels": Pair("examined", "検査の段階"),
    "errors": Pair("errors found", "検出されたエラー"),
    "warnings": Pair("warnings found", "検出された警告"),
    "findings": Pair("findings", "検出事項"),
    "genba": Pair("measured by genba", "測定したgenbaのバージョン"),
}
_LONG = 12  # figures under one name that are folded away


def quality_lines(manifest: Mapping[str, Any], language: str) -> list[str]:
    """Return what a card says of a dataset's quality."""
    rows: list[tuple[str, str]] = []
    more: list[str] = []
    header = (word("measure", language), word("value", language))
    for name, value in (manifest.get("quality") or {}).items():
        label = pick(_LABELS[name], language) if name in _LABELS else f"`{name}`"
        found = list(_figures(value))
        if len(found) > _LONG:
            more += folded(label, table(header, [(f"`{part}`", figure) for part, figure in found]))
        else:
            rows += [(f"{label} (`{part}`)" if part else label, figure) for part, figure in found]
    if rows or more:
        return [*table(header, rows), *more]
    unmeasured = Pair(
        "Not measured yet: `genba validate path/to/dataset --deep --record` measures it and writes it here.",
        "まだ測定していません。`genba validate path/to/dataset --deep --record`で測定し、ここに記録できます。",
    )
    return [pick(unmeasured, language), ""]


def _figures(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Go through what was measured: dotted name, figure."""
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _figures(inner, f"{name}.{part}" if name else str(part))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, f"{value:.6g}" if isinstance(value, float) else str(value)
