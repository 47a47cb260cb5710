"""Pieces of Markdown: tables, lists, folded parts; whatever a cell holds, it stays in its cell."""

from collections.abc import Iterable, Sequence


def cell(value: object) -> str:
    """Return a value as it may stand in a table."""
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def inert(text: object) -> str:
    """Return a text of others as it may stand in Markdown: one line, in which neither tags nor links work."""
    return " ".join(str(text).split()).replace("<", "&lt;").replace("](", "]\\(")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table, or nothing where it has no rows; cells may hold code and links, but no tags."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return []
    return ["| " + " | ".join(map(cell, header)) + " |", "|" + " --- |" * len(header), *lines, ""]


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines that are shown when they are asked for."""
    return ["<details>", f"<summary>{cell(title)}</summary>", "", *lines, "</details>", ""] if lines else []


def items(texts: Iterable[str]) -> list[str]:
    """Return a list."""
    lines = [f"- {' '.join(text.split())}" for text in texts]
    return [*lines, ""] if lines else []
