"""Figures as SVG text: the same bytes for the same numbers, ink in the page's own colour, self-contained.

Words in a figure are text, never drawn shapes, so that the reader's browser chooses the font and every
script is legible.
"""

import io
import re
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

INK = "#010203"  # stands for the page's text colour
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name is no formula
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def new_figure(name: str, width: float, height: float, rows: int = 1, margins: Sequence[float] = ()) -> tuple[Any, Any]:
    """Make an empty figure.

    Args:
        name: what it shows, for who cannot see it; unique on its page.
        width: inches; a type size of 10 is 10/72 of one.
        height: inches.
        rows: of axes, one above the other, over one horizontal axis.
        margins: left, bottom, right and top end of the axes as shares of the figure; none: what the words need,
            which takes as long again to find out as to draw a small figure.

    Returns:
        Matplotlib's figure, and its axes: an array of them where there are several rows.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout=None if margins else "constrained")
        figure.set_label(name)
        axes = figure.subplots(rows, sharex=rows > 1)
        if margins:
            figure.subplots_adjust(*margins)
    return figure, axes


@contextmanager
def styled() -> Generator[None]:
    """Draw in the style of figures inside the block."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def svg_text(figure: Any) -> str:  # noqa: ANN401 - a figure of matplotlib
    """Return a figure as an SVG element that is as wide as there is room."""
    import matplotlib as mpl

    out = io.StringIO()
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": figure.get_label()}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the browser has it
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    name = figure.get_label()
    prefix = re.sub(r"[^A-Za-z0-9-]+", "-", name)
    for known in used:
        text = text.replace(f'id="{known}"', f'id="{prefix}-{known}"').replace(f"#{known}", f"#{prefix}-{known}")
    label = name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    text = re.sub(r"(<svg[^>]*?) width=\"[^\"]*\"", r"\1", text, count=1)
    return re.sub(
        r"(<svg[^>]*?) height=\"[^\"]*\"", lambda m: f'{m[1]} role="img" aria-label="{label}"', text, count=1
    ).strip()
