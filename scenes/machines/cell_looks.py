"""What stands in a robot cell, as shapes by colour: walls, guarding, light curtain, cabinet, signs, markings, tables.

Rule: x and y count from the arm's base, z from the floor; the arm works ahead of itself along x.
"""

import functools
import math

import numpy as np

from scenes import shapes
from scenes.machines.castings import blocks, pipe, post, turned
from scenes.shapes import Shape

TABLE = 0.78  # m, height of the table top
PEDESTAL = 0.55  # m, height of the arm's base
ROOM = ((-2.2, 2.6), (-2.0, 2.3), 3.2)  # m: x, y, height
_FENCE = (-0.95, 1.75, -1.25, 1.25)  # m: x and y of the guarding
_HIGH = 1.9  # m, of the guarding; ISO 13857 asks for 1.4 m and more
_Block = tuple[float, float, float, float, float, float]  # least and greatest x, y and z


@functools.cache
def surroundings(place: tuple[float, float]) -> dict[str, Shape]:
    """Return walls, guarding, cabinet and parts bin by colour."""
    bin_ = _moved(_bin(), (place[0] - 0.22, place[1] + 0.28, TABLE))
    return _together(_walls(), _fence(), _curtain(), _cabinet(), _signs(), bin_)


@functools.cache
def tables(place: tuple[float, float], *, pedestal: bool = True) -> dict[str, Shape]:
    """Return the table and, where there is an arm, its pedestal by colour."""
    table = _moved(_table(), (*place, 0.0))
    return _together(table, _pedestal()) if pedestal else table


def _together(*looks: dict[str, Shape]) -> dict[str, Shape]:
    """Join shapes of one colour."""
    names = sorted({name for look in looks for name in look})
    return {name: shapes.join(*(look[name] for look in looks if name in look)) for name in names}


def _moved(look: dict[str, Shape], pos: tuple[float, float, float]) -> dict[str, Shape]:
    """Move shapes."""
    return {name: shapes.place(shape, pos) for name, shape in look.items()}


def _walls() -> dict[str, Shape]:
    (a, b), (c, d), high = ROOM
    t = 0.1
    walls = blocks(
        (a - t, a, c, d, 0, high), (b, b + t, c, d, 0, high), (a, b, c - t, c, 0, high), (a, b, d, d + t, 0, high)
    )
    skirt = blocks((a, a + 0.01, c, d, 0, 0.12), (a, b, d - 0.01, d, 0, 0.12))
    rail = blocks((a, a + 0.06, c, d, 1.02, 1.12), (a, b, d - 0.06, d, 1.02, 1.12), (a, a + 0.1, 0.1, 0.4, 1.25, 1.6))
    return {"wall": walls, "dark": skirt, "pale": rail}


def _fence() -> dict[str, Shape]:
    """Return posts and panels behind the arm and at its left; the third side is out of the pictures."""
    a, b, c, d = _FENCE
    p, w = 0.03, 0.006
    posts = [(a, y) for y in (c, c + 0.833, c + 1.667, d)] + [(a + 0.9, d), (b, d), (b, c)]
    feet = blocks(*((x - 0.06, x + 0.06, y - 0.06, y + 0.06, 0, 0.012) for x, y in posts))
    frame = [(x - p, x + p, y - p, y + p, 0.012, _HIGH + 0.05) for x, y in posts]
    low = 0.16
    bars: list[_Block] = []
    for z in np.linspace(low, _HIGH, 4):
        thick = 2 * w if z in (low, _HIGH) else w
        bars += [(a - w, a + w, c, d, z - thick, z + thick), (a, a + 0.9, d - w, d + w, z - thick, z + thick)]
    upright = [(a, y) for y in np.arange(c + 0.17, d - 0.05, 0.17)] + [
        (x, d) for x in np.arange(a + 0.18, a + 0.85, 0.18)
    ]
    rods = [pipe(1.3 * w, (x, y, low), (x, y, _HIGH), 3) for x, y in upright]
    return {"yellow": blocks(*frame), "dark": shapes.join(feet, blocks(*bars), *rods)}


def _curtain() -> dict[str, Shape]:
    """Return a light curtain where parts are handed in, and its muting lamp."""
    a, b, _, d = _FENCE
    ends = (a + 0.99, b - 0.09)
    posts = blocks(*((x - 0.028, x + 0.028, d - 0.03, d + 0.03, 0.02, 1.5) for x in ends))
    lenses = blocks(
        *((x + s * 0.026, x + s * 0.033, d - 0.016, d + 0.016, 0.25, 1.4) for x, s in zip(ends, (1, -1), strict=True))
    )
    feet = blocks(*((x - 0.06, x + 0.06, d - 0.06, d + 0.06, 0, 0.02) for x in ends))
    beam = blocks((a + 0.9, b, d - 0.03, d + 0.03, _HIGH - 0.05, _HIGH + 0.05))
    return {"yellow": shapes.join(posts, beam), "dark": shapes.join(lenses, feet)}


def _cabinet() -> dict[str, Shape]:
    """Return a control cabinet outside the guarding, with main switch, panel and stack light; and a cable duct."""
    x, y, high = -1.42, 0.55, 1.12
    body = blocks((x - 0.25, x + 0.25, y - 0.4, y + 0.4, 0.1, high))
    doors = blocks(*((x + 0.25, x + 0.268, y + s - 0.19, y + s + 0.19, 0.13, high - 0.03) for s in (-0.2, 0.2)))
    plinth = blocks((x - 0.23, x + 0.23, y - 0.38, y + 0.38, 0, 0.1))
    front = x + 0.268
    dark = blocks(
        *((front, front + 0.004, y + 0.1, y + 0.3, z, z + 0.012) for z in np.arange(0.2, 0.30, 0.035)),
        (front, front + 0.02, y + 0.03, y + 0.05, 0.55, 0.75), (front, front + 0.02, y - 0.05, y - 0.03, 0.55, 0.75),
        (front, front + 0.008, y - 0.31, y - 0.09, 0.74, 0.90),
    )  # fmt: skip
    switch = shapes.join(
        post(0.03, (front, y + 0.2, 0.85), (front + 0.025, y + 0.2, 0.85), 12),
        shapes.box((0.014, 0.008, 0.028), (front + 0.03, y + 0.2, 0.85)),
    )
    plate = shapes.box((0.004, 0.05, 0.05), (front + 0.004, y + 0.2, 0.85))
    screen = blocks((front + 0.008, front + 0.010, y - 0.30, y - 0.10, 0.75, 0.89))
    lx, ly = x + 0.12, y - 0.28
    foot = turned([(0.04, 0), (0.012, 0.02), (0.012, 0.12), (0.032, 0.125), (0.032, 0.14)],
                  (lx, ly, high), (lx, ly, high + 0.14), 12)  # fmt: skip
    lens = [(0.03, 0.0), (0.03, 0.070)]
    lamps = {
        name: turned(lens, (lx, ly, high + z), (lx, ly, high + z + 0.07), 12)
        for name, z in (("green", 0.142), ("amber", 0.212), ("red", 0.282))
    }
    top = turned(
        [(0.032, 0), (0.032, 0.02), (0.02, 0.03), (0.0, 0.03)], (lx, ly, high + 0.348), (lx, ly, high + 0.38), 12
    )
    duct = blocks((x + 0.15, -0.15, -0.06, 0.06, 0.0, 0.05), (x + 0.15, x + 0.25, -0.06, 0.16, 0.0, 0.05))
    return {
        "pale": shapes.join(body, doors, duct),
        "dark": shapes.join(plinth, dark, foot, top),
        "red": shapes.join(switch, lamps["red"]),
        "yellow": plate,
        "blue": screen,
        "amber": lamps["amber"],
        "green": lamps["green"],
    }


def _signs() -> dict[str, Shape]:
    """Return a warning sign (ISO 7010 W001) and a mandatory one on the guarding, and an emergency stop."""
    a, _, _, d = _FENCE
    upright = np.array([0.5, 0.5, 0.5, 0.5])  # x, y of a drawing become y, z
    out: dict[str, list[Shape]] = {"yellow": [], "dark": [], "blue": [], "pale": [], "red": []}

    def draw(colour: str, outline: list[tuple[float, float]], y: float, z: float, layer: int) -> None:
        flat = shapes.extrude(outline, 0.002)
        out[colour].append(shapes.place(flat, (a + 0.008 + 0.002 * layer, y, z), upright))

    def triangle(r: float) -> list[tuple[float, float]]:
        return [(r * math.cos(t), r * math.sin(t)) for t in (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)]

    def disc(r: float) -> list[tuple[float, float]]:
        return [(r * math.cos(t), r * math.sin(t)) for t in np.arange(16) * math.pi / 8]

    def rect(w: float, h: float, v: float = 0.0) -> list[tuple[float, float]]:
        return [(-w, v - h), (w, v - h), (w, v + h), (-w, v + h)]

    y, z = -0.02, 1.28
    draw("pale", rect(0.13, 0.19, -0.03), y, z, 0)
    draw("dark", triangle(0.13), y, z, 1)
    draw("yellow", triangle(0.105), y, z, 2)
    draw("dark", rect(0.010, 0.032, 0.018), y, z, 3)
    draw("dark", rect(0.010, 0.009, -0.032), y, z, 3)
    for row, width in enumerate((0.10, 0.08, 0.09)):
        draw("dark", rect(width, 0.008, -0.115 - 0.035 * row), y, z, 1)
    y = 0.80
    draw("pale", rect(0.13, 0.16), y, z, 0)
    draw("blue", disc(0.115), y, z, 1)
    draw("pale", disc(0.035), y, z + 0.03, 2)
    draw("pale", rect(0.05, 0.028, -0.045), y, z, 2)
    out["yellow"].append(shapes.box((0.04, 0.04, 0.05), (a + 0.95, d - 0.07, 1.15)))
    out["red"].append(
        turned([(0.012, 0), (0.012, 0.02), (0.028, 0.022), (0.026, 0.036), (0.0, 0.040)],
               (a + 0.95, d - 0.11, 1.15), (a + 0.95, d - 0.15, 1.15), 12)
    )  # fmt: skip
    return {name: shapes.join(*some) for name, some in out.items()}


@functools.cache
def markings() -> dict[str, Shape]:
    """Return the safety line round the cell, hazard stripes at the opening and the border of the robot's reach."""
    a, b, c, d = _FENCE
    h, w, off = 0.0015, 0.04, 0.16
    yellow = [
        (a - off - w, a - off + w, c - off, d + off, 0, h),
        (a - off, b + off, d + off + 0.12, d + off + 0.2, 0, h),
    ]
    yellow += [(b + off - w, b + off + w, c - off, d + off, 0, h), (a - off, b + off, c - off - 0.08, c - off, 0, h)]
    start, end, wide = a + 1.0, b - 0.1, 0.12
    count = int((end - start) / 0.12)
    stripes: dict[str, list[Shape]] = {"yellow": [blocks(*yellow)], "dark": []}
    for i in range(count):
        u = start + i * (end - start) / count
        step = (end - start) / count
        slant = [(u, d + 0.10), (u + step, d + 0.10), (u + step + 0.06, d + 0.10 + wide), (u + 0.06, d + 0.10 + wide)]
        stripes["dark" if i % 2 else "yellow"].append(shapes.extrude(slant, 2 * h))
    return {name: shapes.join(*some) for name, some in stripes.items()}


def _table() -> dict[str, Shape]:
    """Return a slotted table on a frame of profiles, with an air unit; its origin is on the floor under its middle."""
    x, y, thick, slot = 0.35, 0.40, 0.04, 0.014
    pitch = 2 * y / 8
    strips = [
        (-x, x, -y + i * pitch + slot / 2, -y + (i + 1) * pitch - slot / 2, TABLE - 0.02, TABLE) for i in range(8)
    ]
    top = blocks(*strips, (-x, x, -y + slot / 2, y - slot / 2, TABLE - thick, TABLE - 0.02))
    under, leg = TABLE - thick, 0.04
    legs = [
        (s * 0.31 - leg, s * 0.31 + leg, e * 0.35 - leg, e * 0.35 + leg, 0.06, under) for s in (-1, 1) for e in (-1, 1)
    ]
    beams = [(s * 0.31 - leg, s * 0.31 + leg, -0.31, 0.31, z, z + 0.08) for s in (-1, 1) for z in (0.14, under - 0.08)]
    beams += [(-0.27, 0.27, e * 0.35 - leg, e * 0.35 + leg, z, z + 0.08) for e in (-1, 1) for z in (0.14, under - 0.08)]
    shelf = blocks((-0.27, 0.27, -0.31, 0.31, 0.18, 0.19))
    grooves = [
        (s * 0.31 + leg, s * 0.31 + leg + 0.001, e * 0.35 - 0.006, e * 0.35 + 0.006, 0.06, under)
        for s in (-1, 1)
        for e in (-1, 1)
    ] + [(s * 0.31 - 0.006, s * 0.31 + 0.006, -0.35 - leg - 0.001, -0.35 - leg, 0.06, under) for s in (-1, 1)]
    feet = shapes.join(
        *(turned([(0.045, 0), (0.012, 0.025), (0.012, 0.06)], (s * 0.31, e * 0.35, 0), (s * 0.31, e * 0.35, 0.06), 8)
          for s in (-1, 1) for e in (-1, 1))
    )  # fmt: skip
    air = blocks((0.06, 0.22, -0.26, -0.10, 0.19, 0.34), (-0.2, -0.06, -0.2, 0.2, 0.19, 0.29))
    return {
        "steel": top,
        "pale": shapes.join(blocks(*legs, *beams), shelf),
        "dark": shapes.join(blocks(*grooves), feet, air),
    }


def _pedestal() -> dict[str, Shape]:
    """Return a welded pedestal with base plate, ribs and anchor bolts."""
    column = blocks((-0.11, 0.11, -0.11, 0.11, 0.025, PEDESTAL - 0.03))
    plates = blocks((-0.24, 0.24, -0.24, 0.24, 0, 0.025), (-0.17, 0.17, -0.17, 0.17, PEDESTAL - 0.03, PEDESTAL))
    rib = shapes.extrude([(0.11, 0.025), (0.22, 0.025), (0.11, 0.22)], 0.014)
    ribs = [
        shapes.place(shapes.place(rib, (0, 0, 0), (math.sqrt(0.5), math.sqrt(0.5), 0, 0)), (0, 0, 0),
                     (math.cos(t / 2), 0, 0, math.sin(t / 2)))
        for t in np.arange(4) * math.pi / 2
    ]  # fmt: skip
    bolts = [post(0.015, (s * 0.2, e * 0.2, 0.025), (s * 0.2, e * 0.2, 0.05), 6) for s in (-1, 1) for e in (-1, 1)]
    return {"anthracite": shapes.join(column, plates, *ribs, *bolts)}


def _bin() -> dict[str, Shape]:
    """Return a parts bin with pins in it; its origin is on the table under its middle."""
    x, y, high, t = 0.10, 0.075, 0.07, 0.004
    walls = blocks((-x, x, -y, y, 0.001, 0.005), (-x, x, -y, -y + t, 0.005, high), (-x, x, y - t, y, 0.005, high),
                   (-x, -x + t, -y + t, y - t, 0.005, high), (x - t, x, -y + t, y - t, 0.005, 0.6 * high))  # fmt: skip
    rng = np.random.default_rng(3)
    pins: list[Shape] = []
    for _ in range(9):
        at, turn = rng.uniform([-0.06, -0.045, 0.012], [0.06, 0.045, 0.03]), rng.uniform(0, math.pi)
        way = 0.022 * np.array([math.cos(turn), math.sin(turn), rng.uniform(-0.15, 0.15)])
        pins.append(shapes.cylinder(0.005, at - way, at + way, 6))
    return {"blue": walls, "pale": shapes.join(*pins)}
