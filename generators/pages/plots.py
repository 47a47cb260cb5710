"""Figures of a page as SVG text: the same bytes for the same numbers, ink in the page's own colour, self-contained."""

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXPERT, CHANCE = "#2f81c7", "#d2691e"  # on white and on dark grey alike
_INK = "#010203"  # stands for the page's text colour
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def phase_plot(means: Array, phases: Sequence[str]) -> str:
    """Plot the mean reward of each phase.

    Args:
        means: (episodes, phases), NaN where a phase was not gone through.
        phases: their names.
    """
    figure, axes = _figure("reward by phase", max(3.0, 2.2 + 0.09 * max(map(len, phases))))
    at = np.arange(len(phases))
    for row in means:
        there = np.isfinite(row)
        axes.plot(at[there], row[there], color=EXPERT, alpha=0.35, linewidth=0.8)
    gone = np.isfinite(means).any(axis=0)
    axes.plot(at[gone], np.nanmean(means[:, gone], axis=0), color=EXPERT, linewidth=2.2, marker="o", markersize=5)
    axes.set_xticks(at, phases, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(means))))
    axes.set_ylabel("mean reward of a step")
    return _svg(figure)


def return_plot(seeds: Sequence[int], expert: Sequence[float], chance: Sequence[float]) -> str:
    """Plot what expert and random policy are paid for each seed."""
    figure, axes = _figure("return by seed", 3.0)
    axes.plot(seeds, expert, linestyle="none", marker="o", markersize=5, color=EXPERT, label="expert")
    axes.plot(seeds, chance, linestyle="none", marker="x", markersize=5, color=CHANCE, label="random policy")
    axes.set_xlabel("episode seed")
    axes.set_ylabel("return over the horizon")
    axes.set_ylim(bottom=min(0.0, *chance))
    axes.locator_params(axis="x", integer=True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, labelcolor=_INK)
    return _svg(figure)


def _figure(name: str, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.4, height), layout="constrained")
        figure.set_label(name)
        axes = figure.subplots()
    return figure, axes


def _svg(figure: Any) -> str:  # noqa: ANN401 - a figure of matplotlib
    import matplotlib as mpl

    out = io.StringIO()
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": figure.get_label()}
    with mpl.rc_context(style):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    name = figure.get_label()
    prefix = name.replace(" ", "-")
    for known in used:
        text = text.replace(f'id="{known}"', f'id="{prefix}-{known}"').replace(f"#{known}", f"#{prefix}-{known}")
    text = re.sub(r"(<svg[^>]*?) width=\"[^\"]*\"", r"\1", text, count=1)
    text = re.sub(r"(<svg[^>]*?) height=\"[^\"]*\"", rf'\1 role="img" aria-label="{name}"', text, count=1)
    return text.strip()
