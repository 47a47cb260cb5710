"""The figures of a page."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generators.paper.figures import INK, new_figure, svg_text

Array = NDArray[np.float64]

EXPERT, CHANCE = "#2f81c7", "#d2691e"  # on white and on dark grey alike
_WIDTH = 5.4  # inches


def phase_plot(means: Array, phases: Sequence[str]) -> str:
    """Plot the mean reward of each phase.

    Args:
        means: (episodes, phases), NaN where a phase was not gone through.
        phases: their names.
    """
    figure, axes = new_figure("reward by phase", _WIDTH, max(3.0, 2.2 + 0.09 * max(map(len, phases))))
    at = np.arange(len(phases))
    for row in means:
        there = np.isfinite(row)
        axes.plot(at[there], row[there], color=EXPERT, alpha=0.35, linewidth=0.8)
    gone = np.isfinite(means).any(axis=0)
    axes.plot(at[gone], np.nanmean(means[:, gone], axis=0), color=EXPERT, linewidth=2.2, marker="o", markersize=5)
    axes.set_xticks(at, phases, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(means))))
    axes.set_ylabel("mean reward of a step")
    return svg_text(figure)


def return_plot(seeds: Sequence[int], expert: Sequence[float], chance: Sequence[float]) -> str:
    """Plot what expert and random policy are paid for each seed."""
    figure, axes = new_figure("return by seed", _WIDTH, 3.0)
    axes.plot(seeds, expert, linestyle="none", marker="o", markersize=5, color=EXPERT, label="expert")
    axes.plot(seeds, chance, linestyle="none", marker="x", markersize=5, color=CHANCE, label="random policy")
    axes.set_xlabel("episode seed")
    axes.set_ylabel("return over the horizon")
    axes.set_ylim(bottom=min(0.0, *chance))
    axes.locator_params(axis="x", integer=True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, labelcolor=INK)
    return svg_text(figure)
