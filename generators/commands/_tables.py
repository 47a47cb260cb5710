"""Print tables: boxes and colours on a terminal, aligned plain lines everywhere else."""

import sys
from collections.abc import Sequence


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under headers; nothing where there are no rows.

    Args:
        title: one line above the table; "" for none.
        headers: the columns' names.
        rows: one text per column each.
    """
    if not rows:
        return
    if sys.stdout.isatty():
        _print_rich(title, headers, rows)
        return
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    if title:
        print(f"\n{title}")
    for row in [headers, *rows]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold")
    for header in headers:
        table.add_column(header)
    for row in rows:
        table.add_row(*(Text(text) for text in row))  # Text: a "[m]" is a unit, not markup
    Console().print(table)
