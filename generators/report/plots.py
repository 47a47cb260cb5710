"""The figures of a report: numbers, units and names only, so that each serves readers of both languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.paper.figures import new_figure, styled, svg_text
from generators.preview.palette import phase_colour
from generators.report.drawn import Drawn
from generators.report.moments import Duration, Telling, thin
from generators.report.yields import Bin, Effect

Array = NDArray[Any]

GOOD, OTHER, ASKED = "#00936c", "#d2691e", "#2f81c7"  # on white and on dark grey alike
GREY = "#8a9097"
_MARGINS = 0.13, 0.19, 0.94, 0.95
_LINES = (ASKED, OTHER, GOOD, "#a8518a")
# Okabe and Ito 2008, https://jfly.uni-koeln.de/color/, in an order in which neighbours differ
_FAILURES = ("#d55e00", "#e69f00", "#cc79a7", "#0072b2", "#56b4e9", "#994f00", "#b0a030", "#7a5195")
_OUTCOMES: dict[str, str] = {
    "success": GOOD,
    "timeout": GREY,
    "unstable": "#a05082",
    "expert_error": "#6b7280",
    "task_error": "#4b5563",
}


def ending_colours(endings: Sequence[str]) -> dict[str, str]:
    """Return a colour for each way to end, the same in all figures of a task."""
    named = [e for e in endings if e not in _OUTCOMES]
    return {e: _OUTCOMES.get(e) or _FAILURES[named.index(e) % len(_FAILURES)] for e in endings}


def phase_hex(code: int) -> str:
    """Return a phase's colour."""
    return _hex(phase_colour(code))


def effect_plot(effect: Effect, colours: Mapping[str, str], overall: float, name: str) -> str:
    """Plot the yield by bins of a parameter: successes, failures on top of them, and the interval of the yield.

    Args:
        effect: the parameter's.
        colours: of each way to end.
        overall: the yield of all, as a dashed line.
        name: the figure's, unique on the page.
    """
    figure, axes = new_figure(name, 4.2, 2.5)
    with styled():
        at, width = np.arange(len(effect.bins)), 0.86
        bottom = np.zeros(len(effect.bins))
        for ending, colour in colours.items():
            shares = np.array([b.counts.get(ending, 0) / b.total for b in effect.bins])
            if shares.any():
                axes.bar(at, shares, width, bottom, color=colour, edgecolor="none")
                bottom += shares
        low, high = np.array([b.interval for b in effect.bins]).T
        _whiskers(axes, at, low, high)
        axes.axhline(overall, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        _bin_ticks(axes, effect.bins)
        for k, b in enumerate(effect.bins):
            axes.text(k, 1.03, f"{b.total}", ha="center", va="bottom", fontsize=9)
        axes.set_ylim(0, 1.12)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25", "50", "75", "100"])
        axes.spines["left"].set_bounds(0, 1)
    return svg_text(figure)


def drawn_plot(drawn: Drawn, name: str) -> str:
    """Plot what was drawn of a parameter, and as a line what was to be expected."""
    figure, axes = new_figure(name, 3.0, 1.6, margins=() if drawn.labels else _MARGINS)
    with styled():
        if drawn.labels:
            at = np.arange(len(drawn.labels))
            axes.bar(at, drawn.counts, 0.8, color=GREY, alpha=0.75)
            if len(drawn.expected):
                axes.hlines(drawn.expected, at - 0.45, at + 0.45, color=ASKED, linewidth=2)
            axes.set_xticks(at, [_short(w) for w in drawn.labels], rotation=25 if len(at) > 3 else 0)
        else:
            axes.stairs(drawn.counts, drawn.edges, fill=True, color=GREY, alpha=0.75)
            if len(drawn.expected):
                axes.stairs(drawn.expected, drawn.edges, baseline=None, color=ASKED, linewidth=2)
            if drawn.declared.log:
                axes.set_xscale("log")
                _decimal_ticks(axes, drawn.edges)
            else:
                axes.locator_params(axis="x", nbins=4)
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="y", nbins=3, integer=True)
    return svg_text(figure)


def halves_plot(values: Array, good: Array, unit: str, name: str) -> str:
    """Plot how often a figure of an episode occurs, successes below, the others stacked on them."""
    figure, axes = new_figure(name, 5.4, 2.2)
    with styled():
        finite = np.isfinite(values)
        values, good = values[finite], good[finite]
        bins = np.histogram_bin_edges(values, max(5, min(24, round(1.5 * len(values) ** 0.5))))
        heights = [np.histogram(values[good], bins)[0], np.histogram(values[~good], bins)[0]]
        axes.stairs(heights[0], bins, fill=True, color=GOOD)
        axes.stairs(heights[0] + heights[1], bins, baseline=heights[0], fill=True, color=OTHER)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(unit)
        axes.locator_params(axis="y", nbins=4, integer=True)
        axes.locator_params(axis="x", nbins=6)
    return svg_text(figure)


def duration_plot(durations: Sequence[Duration], name: str) -> str:
    """Plot how long each phase lasts: a line from 5 to 95 %, a bar from 25 to 75 %, a mark at the median."""
    figure, axes = new_figure(name, 5.4, max(1.5, 0.7 + 0.26 * len(durations)))
    with styled():
        for k, d in enumerate(durations):
            colour = phase_hex(d.code)
            q05, q25, q50, q75, q95 = d.quantiles
            axes.plot([q05, q95], [k, k], color=colour, linewidth=1.5, solid_capstyle="butt")
            axes.plot([q25, q75], [k, k], color=colour, linewidth=9, solid_capstyle="butt")
            axes.plot([q50], [k], marker="|", markersize=13, markeredgewidth=2.5, color=GREY)
        axes.set_yticks(range(len(durations)), [_short(d.phase, 26) for d in durations])
        axes.set_ylim(len(durations) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.set_xlabel("s")
        axes.grid(axis="x", color=GREY, alpha=0.3, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return svg_text(figure)


def telemetry_plot(telling: Telling, name: str) -> str:
    """Plot an episode's telemetry over its phases, a strip for each channel."""
    rows = max(1, len(telling.traces))
    figure, found = new_figure(name, 11.6, 0.8 + 1.25 * rows, rows)
    with styled():
        several = np.atleast_1d(found)
        for axes, trace in zip(several, telling.traces, strict=False):
            _shade(axes, telling)
            for i in range(trace.values.shape[1]):
                seconds, values = thin(trace.seconds, trace.values[:, i])
                axes.plot(seconds, values, color=_line(i), linewidth=1.1, solid_joinstyle="round")
            unit = f" [{trace.unit}]" if trace.unit not in ("", "1") else ""
            axes.set_title(_short(trace.name, 60) + unit, loc="left", fontsize=10, pad=3)
            axes.locator_params(axis="y", nbins=4)
            _end_labels(axes, trace.labels)
        several[0].set_xlim(0, telling.seconds or 1.0)
        several[-1].set_xlabel("s")
    return svg_text(figure)


def _shade(axes: Any, telling: Telling) -> None:  # noqa: ANN401 - matplotlib's
    for phase in telling.phases:
        if phase.code >= 0:
            axes.axvspan(phase.start, phase.end, color=phase_hex(phase.code), alpha=0.2, linewidth=0)


def _end_labels(axes: Any, labels: Sequence[str]) -> None:  # noqa: ANN401 - matplotlib's
    """Name the components of a channel beside their strip, in their colours."""
    if len(labels) > 1:
        for i, label in enumerate(labels):
            axes.text(
                1.005,
                0.97 - 0.25 * i,
                f"[{label}]" if label.isdigit() else _short(label, 12),
                color=_line(i),
                transform=axes.transAxes,
                va="top",
                fontsize=9,
            )


def _bin_ticks(axes: Any, bins: Sequence[Bin]) -> None:  # noqa: ANN401 - matplotlib's
    """Name words below their bars, and the ends of ranges between them."""
    at = np.arange(len(bins))
    if all(b.low < b.high for b in bins):
        axes.set_xticks([*(at - 0.5), len(bins) - 0.5], [f"{v:.3g}" for v in (*(b.low for b in bins), bins[-1].high)])
        return
    words = [_short(b.label) for b in bins]
    turned = len(words) * max(map(len, words)) > 40
    axes.set_xticks(at, words, rotation=25 if turned else 0, ha="right" if turned else "center", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)


def _whiskers(axes: Any, at: Array, low: Array, high: Array) -> None:  # noqa: ANN401 - matplotlib's
    """Draw intervals that are legible on every colour: white around ink."""
    for width, colour in ((3.4, "#ffffff"), (1.4, "#1c2128")):
        axes.vlines(at, low, high, color=colour, linewidth=width)
        axes.hlines(
            [*low, *high], [*(at - 0.09), *(at - 0.09)], [*(at + 0.09), *(at + 0.09)], color=colour, linewidth=width
        )


def _decimal_ticks(axes: Any, edges: Array) -> None:  # noqa: ANN401 - matplotlib's
    ticks = np.geomspace(edges[0], edges[-1], 3)
    axes.set_xticks(ticks, [f"{t:.3g}" for t in ticks.tolist()])
    axes.minorticks_off()


def _short(text: str, most: int = 18) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(i: int) -> str:
    return _LINES[i % len(_LINES)]


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
