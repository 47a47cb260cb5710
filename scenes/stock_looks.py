"""What workpieces and what they rest on look like; sizes come from `stock`.

Counts of parts do not depend on sizes: scenes of one task have one layout.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.machines.scenery import Kit, Parts, bars, boxes, plates
from scenes.shapes import Shape, join, place, revolve

Array = NDArray[np.floating]

FLANK = (0.15, 0.35, 0.05)  # m, half size of a saddle's flank
SEAT_SLOPE = math.radians(30.0)  # saddle flank; above atan 0.5, the steepest steel-steel friction, so coils centre
PLATE = (2.0, 1.0)  # m, length and width of the plates in a pack
SADDLES_PER_BLOCK = 4
_LAYERS = 8  # drawn in a pack of any thickness
_SIDES = 22  # of a coil's round
_BORE, _LAP, _OUTER, _STRAP = 1, 2, 3, 4  # radii of a coil's surfaces, in this order
_ROUND = {  # paint of a coil's surfaces, as radius and place along the axis: 0 to 7 from end to end
    "scale": ([(_BORE, 7), (_BORE, 0)], [(_BORE, 0), (_LAP, 0)], [(_LAP, 7), (_BORE, 7)]),
    "steel": ([(_OUTER, 0), (_OUTER, 7)],),
    "bright": ([(_LAP, 0), (_OUTER, 0)], [(_OUTER, 7), (_LAP, 7)]),
    "dark": ([(_STRAP, 1), (_STRAP, 2)], [(_STRAP, 3), (_STRAP, 4)], [(_STRAP, 5), (_STRAP, 6)]),
    "stored dark": ([(1, 1), (1, 0)],),  # from here on: a coil that nobody moves
    "stored steel": ([(2, 0), (2, 1)], [(1, 0), (2, 0)], [(2, 1), (1, 1)]),
}


class _Template(NamedTuple):
    """A coil of no size: for each vertex its direction, and which radius and which place along the axis it has."""

    shape: Shape
    radius: NDArray[np.intp]
    along: NDArray[np.intp]


def _coil(outer: float, bore: float, width: float) -> Parts:
    """Return a strapped coil about y, centred: its laps, its bore and three straps, and straps through the bore.

    Args:
        outer: outer diameter, m.
        bore: inner diameter, m.
        width: along y, m.
    """
    band, gap = 0.02, 0.004
    radii = np.array([0.0, bore / 2, 0.35 * outer / 2 + 0.65 * bore / 2, outer / 2, outer / 2 + gap])
    marks = np.array([-0.3, 0.0, 0.3])[:, None] * width + [-band, band]
    along = np.array([-width / 2, *marks.ravel(), width / 2])
    parts = [(paint, _scaled(_template(paint, _SIDES), radii, along)) for paint in ("scale", "steel", "bright", "dark")]
    middle, half = (bore + outer) / 4, (outer - bore) / 4
    rows = [(0, s * width / 2, 0, half, 0.005, 0.02) for s in (-1, 1)]
    spokes = [_turned(boxes(rows), middle, angle) for angle in (0.5, 0.5 + 2 * math.pi / 3, 0.5 + 4 * math.pi / 3)]
    return [*parts, ("dark", join(*spokes))]


def stored_coils(*rows: tuple[float, float, float, float]) -> Kit:
    """Return coils on the floor, axis y, with what keeps them from rolling.

    Args:
        rows: of each its x, y, outer diameter and width, m.
    """
    return Kit(functools.partial(_stored_coils, rows))


def _stored_coils(rows: Sequence[tuple[float, float, float, float]]) -> Parts:
    parts: list[tuple[str, Shape]] = []
    for x, y, outer, width in rows:
        radii, ends = np.array([0.0, 0.305, outer / 2]), np.array([-width / 2, width / 2])
        for paint in ("dark", "steel"):
            shape = _scaled(_template(f"stored {paint}", _SIDES // 2), radii, ends)
            parts.append((paint, place(shape, (x, y, outer / 2 + 0.03))))
    chocks = [(x + s * 0.30 * d, y, 0.08, 0.09, 0.42 * width, 0.08) for x, y, d, width in rows for s in (-1, 1)]
    return [*parts, ("wood", boxes(chocks))]


def stored_plates(*rows: tuple[float, float, float]) -> Kit:
    """Return piles of plates on timber.

    Args:
        rows: of each its x, y and height, m.
    """
    return Kit(functools.partial(_stored_plates, rows))


def _stored_plates(rows: Sequence[tuple[float, float, float]]) -> Parts:
    timber: list[tuple[float, ...]] = []
    piles: list[tuple[float, ...]] = []
    for x, y, height in rows:
        half = height / 4
        for low, shift in ((0.0, -0.05), (2 * half, 0.05)):
            timber += [(x + s * 1.2, y, low + 0.05, 0.06, 0.75, 0.05) for s in (-1, 1)]
            piles.append((x + shift, y - shift, low + 0.05 + half, 2.0, 0.8, half - 0.05))
    return [("wood", boxes(timber)), ("scale", boxes(piles))]


def _pack(thickness: float, sling: float) -> Parts:
    """Return a pack of plates under a pin, four chain slings round it, and their corner guards.

    Args:
        thickness: of the pack, m.
        sling: from the pin to the pack's top, m.
    """
    a, b, step = PLATE[0] / 2, PLATE[1] / 2, thickness / _LAYERS
    shifts = [0.012 * ((5 * i) % 4 - 1.5) for i in range(_LAYERS)]
    layers = [(s, -s, -sling - step * (i + 0.5), a, b, 0.46 * step) for i, s in enumerate(shifts)]
    top, low, out = -sling, -sling - thickness, 1.03 * b
    ends = [(x, y) for x in (-0.4, 0.4) for y in (-out, out)]
    chains = bars([(0.3 * x, 0.0, -0.12, x, y, top) for x, y in ends], 0.022)
    down = bars([(x, y, top, x, y, low) for x, y in ends], 0.018)
    under = bars([(x, -out, low, x, out, low) for x in (-0.4, 0.4)], 0.018)
    guards = boxes([(x, y, top, 0.08, 0.05, 0.04) for x, y in ends])
    link = boxes([(0, 0, -0.09, 0.2, 0.04, 0.05)])
    dark = join(chains, down, under, link)
    return [("scale", boxes(layers[::2])), ("steel", boxes(layers[1::2])), ("dark", dark), ("yellow", guards)]


def _mark() -> Parts:
    """Return the mark on the floor that the plates are to hang above, somewhat larger than they are."""
    a, b, line = PLATE[0] / 2 + 0.2, PLATE[1] / 2 + 0.2, 0.07
    edges = [(0, s * b, a + line, line) for s in (-1, 1)] + [(s * a, 0, line, b - line) for s in (-1, 1)]
    cross = [(0, 0, 0.4, 0.05), (0, 0.225, 0.05, 0.175), (0, -0.225, 0.05, 0.175)]
    return [("green", plates([(0, 0, a, b)], 0.012)), ("white", plates(edges + cross, 0.015))]


def _saddle(out: float, up: float, paint: str) -> list[tuple[str, Shape]]:
    """Return a saddle: two pads on uprights, and a frame on the floor.

    Args:
        out: from the middle to a flank's, m.
        up: a flank's middle above the floor, m.
        paint: of the frame.
    """
    pad = boxes([(0, 0, 0, *(np.array(FLANK) + 0.002))])
    pads = []
    for s in (-1, 1):
        turn = (math.cos(SEAT_SLOPE / 2), 0.0, -s * math.sin(SEAT_SLOPE / 2), 0.0)
        pads.append(place(pad, (s * out, 0, up), turn))
    uprights = [(s * (out + 0.15), 0, up / 2, 0.03, 0.34, up / 2) for s in (-1, 1)]
    ties = [(0, s * 0.27, 0.03, out + 0.22, 0.06, 0.03) for s in (-1, 1)]
    feet = [(s * (out + 0.05), 0, (up - 0.06) / 2, 0.05, 0.30, (up - 0.06) / 2) for s in (-1, 1)]
    return [("rubber", join(*pads)), (paint, boxes(uprights + ties + feet))]


def _saddle_pair(out: float, up: float, apart: float) -> Parts:
    """Return two saddles, each so far from the middle along x, m."""
    saddle = _saddle(out, up, "orange")
    return [(paint, place(shape, (s * apart, 0, 0))) for s in (-1, 1) for paint, shape in saddle]


def saddle_places(apart: float, along: float, across: float) -> list[tuple[float, float]]:
    """Return where the saddles of a field are from its first, m: block by block, row by row."""
    blocks = [(i * along, j * across) for j in range(2) for i in range(2)]
    return [(x + k * apart, y) for x, y in blocks for k in range(SADDLES_PER_BLOCK)]


def _saddle_field(out: float, up: float, apart: float, along: float, across: float) -> Parts:
    """Return the saddles of a field; sizes as of a saddle and of its places."""
    saddle = _saddle(out, up, "orange")
    places = saddle_places(apart, along, across)
    return [(paint, join(*(place(shape, (x, y, 0)) for x, y in places))) for paint, shape in saddle]


def _tag() -> Parts:
    """Return the mark before the place where a coil is to go."""
    return [("green", plates([(0, 0, 0.45, 0.2)], 0.012)), ("white", plates([(0, 0, 0.3, 0.05)], 0.015))]


@functools.cache
def _template(paint: str, sides: int) -> _Template:
    shape = join(*(revolve(profile, sides) for profile in _ROUND[paint]))
    x, y, z = shape.vertices.T
    radius = np.rint(np.hypot(x, y)).astype(np.intp)
    ways = np.stack([x / radius, np.zeros_like(x), -y / radius], axis=-1)  # the template's axis z becomes y
    normals = shape.normals[:, [0, 2, 1]] * [1, 1, -1]
    return _Template(Shape(ways, normals, shape.faces), radius, np.rint(z).astype(np.intp))


def _scaled(t: _Template, radii: Array, along: Array) -> Shape:
    vertices = t.shape.vertices * radii[t.radius][:, None]
    vertices[:, 1] = along[t.along]
    return t.shape._replace(vertices=vertices)


def _turned(shape: Shape, out: float, angle: float) -> Shape:
    """Move a shape out along x and turn it about y."""
    turn = (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)
    return place(place(shape, (out, 0, 0)), quat=turn)


_FLANKS = (0.25, 0.575), (0.117, 0.197)  # m: out and up, of saddles for coils of 0.9 to 2.2 m
COIL = Kit(_coil, (0.9, 2.1), (0.508, 0.762), (0.9, 2.1))
SADDLES = {paint: Kit(functools.partial(_saddle, paint=paint), *_FLANKS) for paint in ("orange", "green")}
SADDLE_FIELD = Kit(_saddle_field, *_FLANKS, (1.1, 2.5), (4.5, 11.5), (4.3, 6.2))
TAG = Kit(_tag)
SADDLE_PAIR = Kit(_saddle_pair, *_FLANKS, (1.5, 2.7))
PACK, MARK = Kit(_pack, (0.2, 2.5), (1.0, 2.5)), Kit(_mark)
