"""Colours of previews: ones that colour-blind people can tell apart, and that never say alone what they mean."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cameras import LEVELS

RGB = tuple[int, int, int]

PAPER: RGB = (250, 250, 248)
CARD: RGB = (255, 255, 255)
INK: RGB = (28, 33, 40)
SOFT: RGB = (92, 100, 110)
FAINT: RGB = (218, 221, 225)
VOID: RGB = (44, 47, 52)  # nothing in range, background
PLAIN: RGB = (150, 155, 160)  # what has no class of its own

# Paul Tol, "muted", https://personal.sron.nl/~pault/, in an order in which neighbours differ in lightness
_PHASES: tuple[RGB, ...] = (
    (51, 34, 136),
    (136, 204, 238),
    (17, 119, 51),
    (221, 204, 119),
    (136, 34, 85),
    (68, 170, 153),
    (204, 102, 119),
    (153, 153, 51),
    (170, 68, 153),
)
NO_PHASE: RGB = (187, 187, 187)
# Okabe and Ito 2008, https://jfly.uni-koeln.de/color/
_OUTCOMES: dict[str, RGB] = {
    "success": (0, 122, 90),
    "failure": (200, 80, 0),
    "timeout": (150, 105, 0),
    "unstable": (160, 80, 130),
}
_CLASSES: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (255, 255, 255),
    (153, 79, 0),
    (170, 255, 195),
)
LINES: tuple[RGB, ...] = ((0, 100, 165), (205, 85, 0), (0, 135, 100), (150, 60, 120))
# viridis at ninths, https://bids.github.io/colormap/; light is near
_DEPTH = np.array(
    [
        (253, 231, 37),
        (160, 218, 57),
        (74, 193, 109),
        (31, 161, 135),
        (39, 127, 142),
        (54, 92, 141),
        (70, 50, 126),
        (68, 1, 84),
    ],
    float,
)
_SHADES = (1.0, 0.82, 0.66)  # of things of one class


def phase_colour(index: int) -> RGB:
    """Return a phase's colour; -1 is no phase."""
    return _PHASES[index % len(_PHASES)] if index >= 0 else NO_PHASE


def outcome_colour(outcome: str) -> RGB:
    """Return the colour of an outcome's name; errors are dark."""
    return _OUTCOMES.get(outcome, (70, 74, 80))


def tint(colour: RGB, share: float) -> RGB:
    """Return a colour thinned with white; a share of 1 leaves it as it is."""
    red, green, blue = (round(255 + (c - 255) * share) for c in colour)
    return red, green, blue


def on(colour: RGB) -> RGB:
    """Return the colour that is legible on another: ink or white."""
    red, green, blue = (c / 255 for c in colour)
    return INK if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.3 else (255, 255, 255)


def depth_picture(depth: NDArray[np.uint16], low: int, high: int) -> NDArray[np.uint8]:
    """Colour a depth picture (H, W): light is near, grey is nothing in range.

    Args:
        depth: as numbers of the range / `LEVELS`.
        low: number that is lightest.
        high: number that is darkest.
    """
    steps = np.linspace(0, 1, len(_DEPTH))
    share = np.clip((depth.astype(float) - low) / max(1, high - low), 0, 1)
    out = np.stack([np.interp(share, steps, _DEPTH[:, c]) for c in range(3)], axis=-1)
    return np.where(depth[..., None] > 0, np.rint(out), VOID).astype(np.uint8)


def depth_legend(low: int, high: int, far: float) -> tuple[tuple[str, RGB], ...]:
    """Return distances in words with their colours."""
    numbers = np.unique(np.rint(np.linspace(low, high, 5)).astype(int))
    colours = depth_picture(np.maximum(1, numbers)[None].astype(np.uint16), low, high)[0]
    metres = (numbers * far / LEVELS).tolist()
    return tuple((f"{m:.3g} m", (int(c[0]), int(c[1]), int(c[2]))) for m, c in zip(metres, colours, strict=True))


def class_colours(segments: Sequence[tuple[str, str]]) -> tuple[NDArray[np.uint8], dict[str, RGB]]:
    """Choose colours for a segmentation.

    Args:
        segments: (name, class) of each number.

    Returns:
        (n, 3) colour of each number, shades of one for things of one class; and the colour of each class.
    """
    classes: dict[str, RGB] = {"background": VOID, "structure": PLAIN}
    seen: dict[str, int] = {}
    table = np.zeros((max(1, len(segments)), 3), np.uint8)
    for number, (_, label) in enumerate(segments):
        if label not in classes:
            classes[label] = _CLASSES[(len(classes) - 2) % len(_CLASSES)]
        shade = _SHADES[seen.get(label, 0) % len(_SHADES)]
        seen[label] = seen.get(label, 0) + 1
        table[number] = np.rint(np.array(classes[label]) * shade)
    return table, classes
