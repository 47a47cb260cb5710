"""Words in English and Japanese: every sentence of a report is written in both, side by side."""

from collections.abc import Sequence
from typing import NamedTuple

from generators.governance.words import OUTCOMES, Pair

Text = Pair  # one thing said in both languages
Cell = str | Text  # names, numbers and units are the same in both languages


class Table(NamedTuple):
    """A table.

    Attributes:
        headers: of the columns.
        rows: cells.
        name: above it, for one of several in a section.
        folded: whether it is shown only when asked for.
        note: one sentence below it.
    """

    headers: tuple[Text, ...]
    rows: Sequence[Sequence[Cell]]
    name: Text = Text("", "")
    folded: bool = False
    note: Text = Text("", "")


NOMINAL = Text("nominal", "通常")


def same(text: object) -> Text:
    """Return a name or a number, which is the same in both languages."""
    return Text(str(text), str(text))


def ending_text(ending: str) -> Text:
    """Say how an episode ended: an outcome's word, or the name that the task gives to a failure."""
    return OUTCOMES.get(ending) or same(ending)


def percent(share: float) -> str:
    """Return a share in percent: "75 %", "99.6 %", "0.4 %"; 0 and 100 are exact. The space keeps both together."""
    figure = 100 * share
    if 0 < figure < 1 or 99 < figure < 100:
        return f"{min(max(figure, 0.1), 99.9):.1f}\u00a0%"
    return f"{figure:.0f}\u00a0%"


def number(value: float) -> str:
    """Return a measured number with the digits that tell something: "1,204", "0.0132", "3.1e-07"."""
    if value != value:
        return "–"
    if value == int(value) and abs(value) < 1e7:
        return f"{value:,.0f}"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def size(count: float) -> str:
    """Return a number of bytes: "13.2 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
