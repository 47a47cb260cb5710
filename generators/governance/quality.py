"""The part of a card about quality: what was measured and recorded in dataset.json, and nothing that was not."""

from collections.abc import Iterator, Mapping
from typing import Any

from generators.governance.tables import table
from generators.governance.words import Pair, pick, word


def quality_lines(manifest: Mapping[str, Any], language: str) -> list[str]:
    """Return what a card says of a dataset's quality."""
    rows = [(f"`{name}`", value) for name, value in figures(manifest.get("quality") or {})]
    if rows:
        return table((word("measure", language), word("value", language)), rows)
    unmeasured = Pair(
        "Not measured yet: `genba validate path/to/dataset --deep --record` measures it and writes it here.",
        "まだ測定していません。`genba validate path/to/dataset --deep --record`で測定し、ここに記録できます。",
    )
    return [pick(unmeasured, language), ""]


def figures(quality: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Go through what was measured: dotted name, figure."""
    for name, value in quality.items():
        if isinstance(value, Mapping):
            yield from figures(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", f"{value:.6g}" if isinstance(value, float) else str(value)
