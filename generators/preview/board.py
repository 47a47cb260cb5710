"""The board: one moment of an episode as a picture, with its cameras, work order, phases and telemetry up to then.

Everything that does not move is drawn once, in two versions: before the episode and after it. A moment is the later
one to the left of the mark and the earlier one to its right.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from generators.preview.drawing import (
    HEAD,
    SMALL,
    TEXT,
    badge,
    enlarge,
    fit,
    legend_height,
    nearest_picture,
    phase_bar,
    spans,
    work_order_height,
    write_legend,
    write_work_order,
)
from generators.preview.facts import Facts, Trace, phase_at
from generators.preview.footage import Pane
from generators.preview.lettering import shorten, text_width, write
from generators.preview.palette import CARD, FAINT, INK, LINES, PAPER, SOFT, phase_colour, tint

Box = tuple[int, int, int, int]  # left, top, right, bottom

MARGIN, GAP = 24, 12
WIDTH, LEAST = 1232, 940  # the widest row of pictures, the narrowest board inside its margins
HEIGHT = 480  # the highest picture
STRIP, BAR = 76, 26  # heights
_LEFT, _RIGHT, _SCALES = 240, 96, 72  # of the plots: names and, nearest, the scale; values
_SCALE = 3  # lines are drawn larger, then made smaller


class Layout(NamedTuple):
    """Where things are on a board.

    Attributes:
        size: width and height, both even, as video wants them.
        panes: of the pictures.
        order: top of the work order.
        bar: of the phases.
        strips: of the telemetry.
    """

    size: tuple[int, int]
    panes: tuple[Box, ...]
    order: int
    bar: Box
    strips: tuple[Box, ...]


def lay_out(
    panes: Sequence[Pane], instruction: dict[str, str], strips: int, widths: tuple[int, int] = (LEAST, WIDTH)
) -> Layout:
    """Say where things go.

    Args:
        panes: the pictures.
        instruction: the work order by language.
        strips: how many there are.
        widths: of all inside the margins, at least and at most.
    """
    shapes = [(p.shape[1], p.shape[0]) for p in (pane.picture(0) for pane in panes)]
    columns = min(3, max(1, len(shapes)))
    room = ((widths[1] - (columns - 1) * GAP) // columns, HEIGHT if columns < 3 else HEIGHT * 3 // 4)
    sizes = [fit(w, h, room) for w, h in shapes]
    heads = [legend_height(p, w) for p, (w, _) in zip(panes, sizes, strict=True)]
    rows = [sizes[i : i + columns] for i in range(0, len(sizes), columns)]
    inner = max([widths[0], *(sum(w for w, _ in row) + GAP * (len(row) - 1) for row in rows)])
    places: list[Box] = []
    y = MARGIN + round(1.6 * HEAD)
    for row in rows:
        x = MARGIN + (inner - sum(w for w, _ in row) - GAP * (len(row) - 1)) // 2
        y += max(heads[len(places) : len(places) + len(row)])
        for w, h in row:
            places.append((x, y, x + w, y + h))
            x += w + GAP
        y += max(h for _, h in row) + GAP
    order, left, right = y, MARGIN + _LEFT, MARGIN + inner - _RIGHT
    y += work_order_height(instruction, inner, 3) + GAP
    bar = (left, y, right, y + BAR)
    tops = [y + BAR + GAP // 2 + k * (STRIP + GAP // 2) for k in range(strips)]
    bottom = tops[-1] + STRIP if tops else bar[3]
    size = ((2 * MARGIN + inner + 1) // 2 * 2, (bottom + MARGIN + 1) // 2 * 2)
    return Layout(size, tuple(places), order, bar, tuple((left, t, right, t + STRIP) for t in tops))


class Board:
    """An episode's board.

    Args:
        facts: what is said of it.
        traces: its telemetry, a strip each.
        panes: its pictures.
        speed: how much faster than in reality it will be shown.
        widths: as for `lay_out`.

    Attributes:
        layout: where things are.
        panes: the pictures.
    """

    def __init__(
        self,
        facts: Facts,
        traces: Sequence[Trace],
        panes: Sequence[Pane],
        speed: float = 1.0,
        widths: tuple[int, int] = (LEAST, WIDTH),
    ) -> None:
        self._facts, self._traces, self.panes, self._speed = facts, tuple(traces), tuple(panes), speed
        self.layout = lay_out(panes, facts.instruction, len(traces), widths)
        self._shown: dict[int, tuple[int, Image.Image]] = {}
        self._before, self._after = (self._drawn(done=done) for done in (False, True))

    def at(self, second: float) -> NDArray[np.uint8]:
        """Return the board at a moment (H, W, 3); from the end on, with how it ended."""
        left, top, right, _ = self.layout.bar
        bottom = (self.layout.strips or (self.layout.bar,))[-1][3]
        image = self._before.copy()
        x = self.column(second)
        image.paste(self._after.crop((left, top, x, bottom)), (left, top))
        draw = ImageDraw.Draw(image)
        draw.rectangle((x - 1, top - 4, x, bottom), fill=INK)
        draw.polygon([(x - 6, top - 9), (x + 5, top - 9), (x - 0.5, top - 2)], fill=INK)
        self._tell(draw, second, right)
        for k, pane in enumerate(self.panes):
            image.paste(self._picture(k, pane, second), self.layout.panes[k][:2])
        if second >= self._facts.duration:
            self._conclude(draw)
        return np.asarray(image)

    def column(self, second: float) -> int:
        """Return the column of the mark."""
        left, _, right, _ = self.layout.bar
        share = min(1.0, max(0.0, second / self._facts.duration)) if self._facts.duration > 0 else 1.0
        return left + round(share * (right - left))

    def chart(self) -> tuple[NDArray[np.uint8], int]:
        """Return what is below the pictures, after the episode (h, W, 3), and the row in it where phases begin."""
        top = self.layout.order - GAP // 2
        return np.asarray(self._after.crop((0, top, *self.layout.size))), self.layout.bar[1] - top

    def _drawn(self, *, done: bool) -> Image.Image:
        image = Image.new("RGB", self.layout.size, PAPER)
        draw, facts = ImageDraw.Draw(image), self._facts
        inner = self.layout.size[0] - 2 * MARGIN
        title = f"{facts.task}   episode {facts.number}" + (f"   expert: {facts.mode}" if facts.mode else "")
        room = inner - text_width(self._clock(facts.duration), TEXT) - 24
        write(draw, (MARGIN, MARGIN + HEAD), shorten(title, HEAD, room, bold=True), HEAD, INK, bold=True)
        for pane, (left, top, right, _) in zip(self.panes, self.layout.panes, strict=True):
            write_legend(draw, (left, top - legend_height(pane, right - left)), pane, right - left)
        write_work_order(draw, facts, (MARGIN, self.layout.order), inner, 3)
        phase_bar(image, self.layout.bar, facts, names=True)
        if not done:
            left, top, *_ = self.layout.bar
            bar = image.crop(self.layout.bar)
            image.paste(Image.blend(bar, Image.new("RGB", bar.size, PAPER), 0.6), (left, top))
        for trace, box in zip(self._traces, self.layout.strips, strict=True):
            draw_strip(image, box, trace, facts, done=done)
        return image

    def _tell(self, draw: ImageDraw.ImageDraw, second: float, right: int) -> None:
        facts, top = self._facts, self.layout.bar[1]
        write(draw, (self.layout.size[0] - MARGIN, MARGIN + HEAD), self._clock(second), TEXT, SOFT, align="right")
        if phase := phase_at(facts.phases, second):
            colour = phase_colour(phase.code)
            draw.rectangle((MARGIN, top + 6, MARGIN + 13, top + 19), fill=colour)
            name = shorten(phase.name.replace("_", " "), TEXT, _LEFT - 32, bold=True)
            write(draw, (MARGIN + 20, top + 18), name, TEXT, INK, bold=True)
        for trace, box in zip(self._traces, self.layout.strips, strict=True):
            now = trace.values[nearest_picture(trace.seconds, second)]
            low, high = value_range(trace.values)
            for i, value in enumerate(now.tolist()):
                name = f"[{trace.labels[i]}]" if trace.labels[i].isdigit() else trace.labels[i]
                word = shorten(f"{name} {figure(value, high - low)}".strip(), SMALL, _RIGHT - 8)
                write(draw, (right + 8, box[1] + SMALL + 2 + 17 * i), word, SMALL, LINES[i % len(LINES)], bold=True)

    def _clock(self, second: float) -> str:
        speed = f"     {self._speed:g}x" if self._speed != 1 else ""
        return f"{min(second, self._facts.duration):.1f} / {self._facts.duration:.1f} s{speed}"

    def _picture(self, k: int, pane: Pane, second: float) -> Image.Image:
        i = nearest_picture(pane.seconds, second)
        if self._shown.get(k, (-1, None))[0] != i:
            left, top, right, bottom = self.layout.panes[k]
            self._shown[k] = i, enlarge(pane.picture(i), (right - left, bottom - top), pane.kind)
        return self._shown[k][1]

    def _conclude(self, draw: ImageDraw.ImageDraw) -> None:
        if self.layout.panes:
            badge(draw, (self.layout.panes[0][0] + 14, self.layout.panes[0][1] + 14), self._facts, 26)


def draw_strip(image: Image.Image, box: Box, trace: Trace, facts: Facts, *, done: bool) -> None:
    """Draw one channel over the phases.

    Args:
        image: what to draw on.
        box: of the plot; names go to the left of it.
        trace: the channel.
        facts: the episode's.
        done: whether to draw the values.
    """
    left, top, right, bottom = box
    draw = ImageDraw.Draw(image)
    low, high = value_range(trace.values)
    *group, name = trace.name.split(".")
    unit = f"[{trace.unit}]" if trace.unit not in ("", "1") else ""
    for k, (word, colour) in enumerate([(".".join(group), SOFT), (name, INK), (unit, SOFT)]):
        row = top + SMALL + 2 + 19 * (k if group else k - 1)
        strong = k == 1
        write(draw, (left - _LEFT, row), shorten(word, SMALL, _LEFT - _SCALES, bold=strong), SMALL, colour, bold=strong)
    for value, y in ((high, top + SMALL), (low, bottom - 3)):
        write(draw, (left - 8, y), figure(value, high - low), SMALL, SOFT, align="right")
    plot = Image.new("RGB", ((right - left) * _SCALE, (bottom - top) * _SCALE), CARD)
    pen = ImageDraw.Draw(plot)
    for first, end, phase in spans(facts.phases, facts.duration, plot.width):
        pen.rectangle((first, 0, end - 1, plot.height), fill=tint(phase_colour(phase.code), 0.14))
    if done:
        for i in range(trace.values.shape[1]):
            points = polyline(trace.seconds, trace.values[:, i], (facts.duration, low, high), plot.size)
            pen.line(points, LINES[i % len(LINES)], 2 * _SCALE, "curve")
    pen.rectangle((0, 0, plot.width - 1, plot.height - 1), outline=FAINT, width=_SCALE)
    image.paste(plot.resize((right - left, bottom - top), Image.Resampling.BOX), (left, top))


def figure(value: float, span: float) -> str:
    """Return a number with as many digits as tell it from others in a range that is `span` wide."""
    if not math.isfinite(value):
        return "none"
    digits = 2 - math.floor(math.log10(span)) if span > 0 else 2
    if digits > 6 or abs(value) >= 1e7:
        return f"{value:.2g}"
    return f"{round(value, digits) + 0.0:,.{max(0, digits)}f}"


def value_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and highest value to show, with a little air; NaN does not count."""
    good = values[np.isfinite(values)]
    low, high = (float(good.min()), float(good.max())) if len(good) else (0.0, 0.0)
    air = 0.08 * (high - low) or max(1e-9, 0.1 * abs(high)) or 1.0
    return low - air, high + air


def polyline(
    seconds: NDArray[np.float64],
    values: NDArray[np.float64],
    ranges: tuple[float, float, float],
    size: tuple[int, int],
) -> list[tuple[float, float]]:
    """Return where a line goes on a plot; of the samples in one column only the lowest and the highest.

    Args:
        seconds: (n,) when.
        values: (n,) what.
        ranges: duration, lowest and highest value.
        size: of the plot.
    """
    duration, low, high = ranges
    good = np.isfinite(values)
    seconds, values = seconds[good], values[good]
    x = np.clip(seconds / (duration or 1.0), 0, 1) * (size[0] - 1)
    y = (1 - np.clip((values - low) / ((high - low) or 1.0), 0, 1)) * (size[1] - 1)
    if len(x) > size[0]:
        parts = np.array_split(np.arange(len(x)), size[0] // (2 * _SCALE))
        keep = sorted({i for p in parts for i in (int(p[np.argmin(y[p])]), int(p[np.argmax(y[p])]))})
        x, y = x[keep], y[keep]
    return list(zip(x.tolist(), y.tolist(), strict=True))
