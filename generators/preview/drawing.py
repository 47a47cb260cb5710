"""Things that previews are drawn of: badges, bars of phases, work orders, legends, pictures in another size.

Layout functions are pure and say where things go, in pixels; nothing is written outside of its box.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from generators.preview.facts import Facts, Phase
from generators.preview.footage import Pane
from generators.preview.lettering import can_write, shorten, text_width, wrap, write
from generators.preview.palette import INK, RGB, SOFT, on, outcome_colour, phase_colour

TITLE, HEAD, TEXT, SMALL = 30, 20, 16, 14  # sizes of type


def leading(size: int) -> int:
    """Return the distance between lines of type of a size."""
    return round(size * 1.45)


def fit(width: int, height: int, box: tuple[int, int], *, most: float = 8.0) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into a box, enlarged `most` times at the most."""
    scale = min(box[0] / width, box[1] / height, most)
    return max(1, round(width * scale)), max(1, round(height * scale))


def spans(phases: Sequence[Phase], duration: float, width: int) -> list[tuple[int, int, Phase]]:
    """Return the first and last + 1 column of each phase on a bar of some width."""
    scale = width / duration if duration > 0 else 0.0
    return [(round(p.start * scale), max(round(p.start * scale) + 1, round(p.end * scale)), p) for p in phases]


def enlarge(picture: NDArray[np.uint8], size: tuple[int, int], kind: str) -> Image.Image:
    """Return a picture in another size; what means a number or a class is not blended."""
    image = Image.fromarray(picture)
    smooth = Image.Resampling.LANCZOS if kind == "rgb" else Image.Resampling.NEAREST
    return image if image.size == size else image.resize(size, smooth)


def nearest_picture(seconds: NDArray[np.float64], second: float) -> int:
    """Return the picture of a moment: the last that was taken by then."""
    return max(0, int(np.searchsorted(seconds, second + 1e-6, side="right")) - 1)


def write_work_order(draw: ImageDraw.ImageDraw, facts: Facts, at: tuple[int, int], width: int, lines: int = 2) -> int:
    """Write the work order in every language that can be written; return the height that it takes."""
    return sum(
        _paragraph(draw, text, (at[0], at[1] + taken), width, lines)
        for text, taken in _stacked(facts.instruction, width, lines)
    )


def work_order_height(instruction: dict[str, str], width: int, lines: int = 2) -> int:
    """Return the height that the work order takes."""
    return sum(len(wrap(t, TEXT, width, lines=lines)) for t in _writable(instruction)) * leading(TEXT)


def badge(draw: ImageDraw.ImageDraw, at: tuple[int, int], facts: Facts, size: int = HEAD) -> int:
    """Draw how an episode ended, with a sign that needs no colour; return its width."""
    x, y = at
    colour, high = outcome_colour(facts.outcome), round(size * 1.5)
    width = round(text_width(facts.verdict, size, bold=True)) + 2 * size + size // 2
    draw.rounded_rectangle((x, y, x + width - 1, y + high - 1), radius=high // 4, fill=colour)
    _sign(draw, (x + size // 2, y + (high - size * 3 // 4) // 2, size * 3 // 4), facts.outcome)
    write(draw, (x + round(1.65 * size), y + round(high * 0.72)), facts.verdict, size, (255, 255, 255), bold=True)
    return width


def phase_bar(image: Image.Image, box: tuple[int, int, int, int], facts: Facts, *, names: bool = False) -> None:
    """Draw the phases as coloured stretches, with their names where they have room.

    Args:
        image: what to draw on.
        box: left, top, right and bottom.
        facts: the episode's.
        names: whether to write names.
    """
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = box
    for first, end, phase in spans(facts.phases, facts.duration, right - left):
        colour = phase_colour(phase.code)
        last = left + end - (2 if end - first > 3 and end < right - left else 1)
        draw.rectangle((left + first, top, last, bottom - 1), fill=colour)
        word = phase.name.replace("_", " ")
        if names and text_width(word, SMALL) + 8 <= end - first:
            middle = (left + first + (end - first) / 2, top + (bottom - top) / 2 + SMALL * 0.36)
            write(draw, middle, word, SMALL, on(colour), align="middle")


def flow(widths: Sequence[float], first: float, room: float, gap: float = 14) -> list[tuple[float, int]]:
    """Lay things out like words: x and line of each.

    Args:
        widths: of the things.
        first: where the first line begins.
        room: how long a line is.
        gap: between things.
    """
    out: list[tuple[float, int]] = []
    x, line = first, 0
    for width in widths:
        if x + width > room and x > 0:
            x, line = 0.0, line + 1
        out.append((x, line))
        x += width + gap
    return out


def legend_height(pane: Pane, width: int) -> int:
    """Return the height of a pane's legend."""
    _, places = _legend(pane, width)
    return (1 + max((line for _, line in places), default=0)) * leading(SMALL) + 4


def write_legend(draw: ImageDraw.ImageDraw, at: tuple[int, int], pane: Pane, width: int) -> None:
    """Write a pane's camera and kind, and what its colours mean."""
    title, places = _legend(pane, width)
    write(draw, (at[0], at[1] + SMALL), title, SMALL, INK, bold=True)
    for (word, colour), (x, line) in zip(pane.legend, places, strict=True):
        left, top = at[0] + round(x), at[1] + line * leading(SMALL)
        draw.rectangle((left, top + 2, left + SMALL - 2, top + SMALL), fill=colour, outline=SOFT)
        write(draw, (left + SMALL + 4, top + SMALL), shorten(word, SMALL, width - SMALL - 4), SMALL, SOFT)


def _legend(pane: Pane, width: int) -> tuple[str, list[tuple[float, int]]]:
    title = shorten(f"{pane.camera}, {pane.kind}", SMALL, width, bold=True)
    widths = [SMALL + 4 + text_width(word, SMALL) for word, _ in pane.legend]
    return title, flow(widths, text_width(title, SMALL, bold=True) + 16, width)


def _sign(draw: ImageDraw.ImageDraw, at: tuple[int, int, int], outcome: str) -> None:
    x, y, s = at
    white: RGB = (255, 255, 255)
    if outcome == "success":
        draw.line([(x, y + s * 0.55), (x + s * 0.38, y + s * 0.9), (x + s, y + s * 0.1)], white, 3, "curve")
    elif outcome == "timeout":
        draw.ellipse((x, y, x + s, y + s), outline=white, width=2)
        draw.line([(x + s / 2, y + s * 0.2), (x + s / 2, y + s / 2), (x + s * 0.75, y + s / 2)], white, 2)
    elif outcome == "failure":
        draw.line([(x, y), (x + s, y + s)], white, 3)
        draw.line([(x, y + s), (x + s, y)], white, 3)
    else:
        draw.line([(x + s / 2, y), (x + s / 2, y + s * 0.6)], white, 3)
        draw.ellipse((x + s / 2 - 2, y + s - 4, x + s / 2 + 2, y + s), fill=white)


def _writable(instruction: dict[str, str]) -> list[str]:
    return [text for language, text in instruction.items() if language != "ja" or can_write(text)]


def _stacked(instruction: dict[str, str], width: int, lines: int) -> list[tuple[str, int]]:
    """Return each text with the height that those before it take."""
    out: list[tuple[str, int]] = []
    taken = 0
    for text in _writable(instruction):
        out.append((text, taken))
        taken += len(wrap(text, TEXT, width, lines=lines)) * leading(TEXT)
    return out


def _paragraph(draw: ImageDraw.ImageDraw, text: str, at: tuple[int, int], width: int, lines: int) -> int:
    found = wrap(text, TEXT, width, lines=lines)
    for k, line in enumerate(found):
        write(draw, (at[0], at[1] + k * leading(TEXT) + TEXT), line, TEXT, SOFT)
    return len(found) * leading(TEXT)
