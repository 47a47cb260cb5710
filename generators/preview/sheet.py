"""The contact sheet: one block an episode, its pictures in a line, each with its time and the phase it is of.

Nothing is written outside of its box.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from generators.preview.drawing import (
    HEAD,
    SMALL,
    TEXT,
    TITLE,
    badge,
    enlarge,
    fit,
    leading,
    legend_height,
    nearest_picture,
    phase_bar,
    work_order_height,
    write_legend,
    write_work_order,
)
from generators.preview.facts import Facts, Phase, phase_at
from generators.preview.footage import Pane
from generators.preview.lettering import shorten, text_width, write
from generators.preview.palette import CARD, FAINT, INK, PAPER, SOFT, phase_colour

MARGIN, GAP, PAD = 32, 8, 18
CELL = 256  # width of a picture
_BAR = 10  # height of the bar of phases


class Row(NamedTuple):
    """An episode on the sheet.

    Attributes:
        facts: what is said of it.
        panes: its pictures, a line each.
    """

    facts: Facts
    panes: tuple[Pane, ...]


def pick_times(phases: Sequence[Phase], duration: float, count: int) -> list[float]:
    """Choose moments that tell an episode: one in each phase, the longest first, the others where phases are long.

    Args:
        phases: in order.
        duration: of the episode, s.
        count: how many.

    Returns:
        Ascending times, s; the last is the end.
    """
    if count < 2 or not phases:
        return np.linspace(0, duration, max(1, count)).tolist()
    lengths = [p.end - p.start for p in phases]
    shares = [0] * len(phases)
    shares[-1] = 1  # the end
    for _ in range(count - 1):
        weights = [math.inf if not n else length / (n + 0.5) for n, length in zip(shares, lengths, strict=True)]
        first = [(w, length) for w, length in zip(weights, lengths, strict=True)]
        shares[first.index(max(first))] += 1
    out: list[float] = []
    for phase, n in zip(phases, shares, strict=True):
        out += [phase.start + (k + 0.5) / n * (phase.end - phase.start) for k in range(n)]
    return [*out[:-1], duration]


def draw_sheet(rows: Sequence[Row], columns: int, note: str = "") -> Image.Image:
    """Draw the sheet.

    Args:
        rows: the episodes, at least one.
        columns: pictures in a line.
        note: a word on where the pictures are from.
    """
    width = 2 * MARGIN + 2 * PAD + columns * CELL + (columns - 1) * GAP
    blocks = [_block(row, columns, width - 2 * MARGIN) for row in rows]
    head = _header(rows, width, note)
    height = head.height + sum(b.height + MARGIN // 2 for b in blocks) + MARGIN // 2
    sheet = Image.new("RGB", (width, height), PAPER)
    sheet.paste(head, (0, 0))
    y = head.height
    for block in blocks:
        sheet.paste(block, (MARGIN, y))
        y += block.height + MARGIN // 2
    return sheet


def _header(rows: Sequence[Row], width: int, note: str) -> Image.Image:
    facts = rows[0].facts
    tasks = sorted({row.facts.task for row in rows})
    image = Image.new("RGB", (width, MARGIN + TITLE + HEAD + MARGIN), PAPER)
    draw, room = ImageDraw.Draw(image), width - 2 * MARGIN
    title = shorten(", ".join(tasks), TITLE, room, bold=True)
    write(draw, (MARGIN, MARGIN + TITLE - 4), title, TITLE, INK, bold=True)
    cameras = list(dict.fromkeys(p.camera for row in rows for p in row.panes))
    parts = [facts.dataset, f"camera {', '.join(cameras)}" if cameras else "", note]
    line = "  ·  ".join(p for p in parts if p)
    write(draw, (MARGIN, MARGIN + TITLE + HEAD + 4), shorten(line, TEXT, room), TEXT, SOFT)
    return image


def _block(row: Row, columns: int, width: int) -> Image.Image:
    facts, inner = row.facts, width - 2 * PAD
    times = pick_times(facts.phases, facts.duration, columns)
    lines = [_pictures(pane, times) for pane in row.panes]
    heights = [max(i.height for i in line) for line in lines]
    heads = [legend_height(p, inner) if len(row.panes) > 1 or p.legend else 0 for p in row.panes]
    text = work_order_height(facts.instruction, inner)
    top = PAD + round(HEAD * 1.5) + 10 + text
    pictures = sum(heights) + sum(heads) + GAP * len(lines)
    height = top + pictures + (_caption_height() if lines else 0) + _BAR + PAD
    image = Image.new("RGB", (width, height), CARD)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, height - 1), outline=FAINT)
    _heading(draw, facts, inner)
    write_work_order(draw, facts, (PAD, PAD + round(HEAD * 1.5) + 6), inner)
    y = top
    for pane, line, high, head in zip(row.panes, lines, heights, heads, strict=True):
        if head:
            write_legend(draw, (PAD, y), pane, inner)
        for k, picture in enumerate(line):
            x = PAD + k * (CELL + GAP) + (CELL - picture.width) // 2
            image.paste(picture, (x, y + head + (high - picture.height) // 2))
        y += head + high + GAP
    if lines:
        _captions(draw, facts, times, (y - GAP // 2, inner))
    _timeline(image, facts, times, (PAD, height - PAD - _BAR, width - PAD, height - PAD))
    return image


def _heading(draw: ImageDraw.ImageDraw, facts: Facts, inner: int) -> None:
    base = PAD + round(HEAD * 1.08)
    title = f"Episode {facts.number}"
    write(draw, (PAD, base), title, HEAD, INK, bold=True)
    x = PAD + round(text_width(title, HEAD, bold=True)) + 16
    x += badge(draw, (x, PAD), facts) + 16
    words = f"{facts.duration:.1f} s" + (f"  ·  expert: {facts.mode.replace('_', ' ')}" if facts.mode else "")
    write(draw, (x, base), shorten(words, TEXT, PAD + inner - x), TEXT, SOFT)


def _pictures(pane: Pane, times: Sequence[float]) -> list[Image.Image]:
    out: list[Image.Image] = []
    for second in times:
        picture = pane.picture(nearest_picture(pane.seconds, second))
        height, width = picture.shape[:2]
        out.append(enlarge(picture, fit(width, height, (CELL, CELL)), pane.kind))
    return out


def _caption_height() -> int:
    return 2 * leading(SMALL) + 10


def _captions(draw: ImageDraw.ImageDraw, facts: Facts, times: Sequence[float], at: tuple[int, int]) -> None:
    top, _ = at
    for k, second in enumerate(times):
        x, phase = PAD + k * (CELL + GAP), phase_at(facts.phases, second)
        colour = phase_colour(phase.code if phase else -1)
        draw.rectangle((x, top, x + CELL - 1, top + 3), fill=colour)
        word = phase.name.replace("_", " ") if phase else ""
        base, clock = top + 6 + SMALL + 2, f"{second:.1f} s"
        room = CELL - text_width(clock, SMALL) - 8
        write(draw, (x, base), shorten(word, SMALL, room, bold=True), SMALL, INK, bold=True)
        write(draw, (x + CELL, base), clock, SMALL, SOFT, align="right")


def _timeline(image: Image.Image, facts: Facts, times: Sequence[float], box: tuple[int, int, int, int]) -> None:
    phase_bar(image, box, facts)
    draw, (left, top, right, _) = ImageDraw.Draw(image), box
    for second in times:
        x = left + round((right - left - 1) * (second / facts.duration if facts.duration else 0))
        x = min(max(x, left + 4), right - 5)
        draw.polygon([(x - 4, top - 8), (x + 4, top - 8), (x, top - 2)], fill=INK)
