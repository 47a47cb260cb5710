"""The building of a rolling mill: columns with crane runways, walls, roof, lamps, and a floor with walkways, along x.

Nothing of it can be touched. It has one size, whatever table stands in it; the table's pass line is at y 0.
"""

import itertools

import mujoco
import numpy as np

from scenes.machines.hall import HallLook
from scenes.machines.look import add_floor_material, add_lights
from scenes.machines.scenery import Kit, Parts, add_paints, add_parts, bars, boxes, digits, plates, quads
from scenes.shapes import Shape, join
from sim.cameras import label

ENDS = (-9.0, 66.0)  # m along x
SIDE = 13.0  # m from the pass line to a wall
HEIGHT = 12.5  # m, the roof's trusses
_RAIL = 8.6  # m, crane runways
_COLUMNS = np.arange(-4.0, 64.0, 9.0)
_WALKWAY = 4.6  # m from the pass line
_COLD, _HOT = (950.0, (0.93, 0.30, 0.07)), (1200.0, (1.0, 0.60, 0.20))  # degC and colour of radiating steel


def add_mill(spec: mujoco.MjSpec, look: HallLook, temperature: float) -> None:
    """Add the building.

    Args:
        spec: the scene.
        look: what it looks like.
        temperature: of the steel in it, degC: orange is its colour, red that of the scale on it.
    """
    share = (temperature - _COLD[0]) / (_HOT[0] - _COLD[0])
    glow = (1 - share) * np.array(_COLD[1]) + share * np.array(_HOT[1])
    add_lights(spec, look.light, centre=[30.0, 0.0, 0.0], extent=30.0)
    add_paints(spec, look.paint, {"orange": glow.tolist(), "red": (0.62 * glow).tolist()})
    floor = spec.worldbody.add_body(name="floor")
    floor.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[(ENDS[1] - ENDS[0]) / 2, SIDE, 1.0],
        pos=[(ENDS[0] + ENDS[1]) / 2, 0.0, 0.0],
        contype=0,
        conaffinity=0,
        material=add_floor_material(spec, "floor", look.paint, repeat=6.0),
    )
    add_parts(spec, floor, MARKING, name="marking")
    add_parts(spec, spec.worldbody, BUILDING, name="building")
    add_parts(spec, spec.worldbody, LIGHTS, name="lamps", emission=0.85)
    label(spec, "building", "world")
    label(spec, "floor", "floor")


def _marking() -> Parts:
    """Return walkways with their edges, hazard lines beside the table, and numbers of the bays."""
    middle, half = (ENDS[0] + ENDS[1]) / 2, (ENDS[1] - ENDS[0]) / 2
    sides = (-1, 1)
    green = plates([(middle, s * _WALKWAY, half, 0.6) for s in sides], 0.003)
    white = plates([(middle, s * (_WALKWAY + t * 0.68), half, 0.06) for s in sides for t in sides], 0.006)
    yellow = plates([(middle, s * 3.1, half, 0.10) for s in sides], 0.006)
    black = plates([(x, s * 3.1, 0.3, 0.10) for s in sides for x in np.arange(ENDS[0] + 1, ENDS[1], 1.2)], 0.009)
    names = [digits(str(i), (x, -6.3, 0.006), (1, 0, 0), (0, 1, 0), 1.0) for i, x in enumerate(_COLUMNS, 1)]
    return [("green", green), ("white", join(white, *names)), ("yellow", yellow), ("black", black)]


def _building() -> Parts:
    """Return walls, columns, runways, trusses and roof."""
    columns = [(x, s * (SIDE - 0.6), HEIGHT / 2, 0.3, 0.35, HEIGHT / 2) for x in _COLUMNS for s in (-1, 1)]
    middle, half = (ENDS[0] + ENDS[1]) / 2, (ENDS[1] - ENDS[0]) / 2
    runways = [(middle, s * (SIDE - 1.3), _RAIL - 0.45, half, 0.25, 0.45) for s in (-1, 1)]
    rails = [(middle, s * (SIDE - 1.3), _RAIL + 0.05, half, 0.05, 0.05) for s in (-1, 1)]
    pipes = [(middle, s * (SIDE - 0.2), z, half, 0.12, 0.12) for s in (-1, 1) for z in (3.4, 3.9, 6.0)]
    cabinets = [(x + 4.5, s * (SIDE - 0.8), 1.1, 2.2, 0.4, 1.1) for x in _COLUMNS[:-1] for s in (-1, 1)]
    plinth = [(middle, s * (SIDE - 0.02), 1.0, half, 0.02, 1.0) for s in (-1, 1)]
    crane = [(8.0 + a, 0.0, _RAIL + 0.75, 0.35, SIDE - 1.4, 0.65) for a in (-1.3, 1.3)]
    return [
        ("wall", join(_walls(), quads(_roof()))),
        ("plinth", boxes(plinth)),
        ("grey", join(boxes(columns), boxes(runways))),
        ("steel", boxes(rails)),
        ("green", boxes(pipes)),
        ("blue", boxes(cabinets)),
        ("dark", _trusses()),
        ("yellow", boxes(crane)),
    ]


def _walls() -> Shape:
    """Return the four walls from inside, the long ones with ribs."""
    (x0, x1), y, high = ENDS, SIDE, HEIGHT + 1.6
    corners = [(x0, -y), (x1, -y), (x1, y), (x0, y)]
    sheets = []
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        sheets.append([(bx, by, 0.0), (ax, ay, 0.0), (ax, ay, high), (bx, by, high)])
    ribs = [(x, s * y, 2.0, x, s * y, high) for s in (-1, 1) for x in np.arange(x0 + 1.0, x1, 1.5)]
    return join(quads(sheets), bars(ribs, 0.06))


def _roof() -> list[list[tuple[float, float, float]]]:
    """Return the roof as seen from below."""
    (x0, x1), y, high = ENDS, SIDE, HEIGHT + 1.6
    return [[(x0, -y, high), (x0, y, high), (x1, y, high), (x1, -y, high)]]


def _trusses() -> Shape:
    """Return a truss at each pair of columns, two chords and diagonals, and purlins along the hall."""
    chords, diagonals, count = [], [], 8
    y = np.linspace(-SIDE, SIDE, count + 1)
    z = np.where(np.arange(count + 1) % 2, HEIGHT, HEIGHT + 1.4)
    for x in _COLUMNS:
        chords += [(x, -SIDE, h, x, SIDE, h) for h in (HEIGHT, HEIGHT + 1.4)]
        diagonals += [(x, y[i], z[i], x, y[i + 1], z[i + 1]) for i in range(count)]
    purlins = [(ENDS[0], v, HEIGHT + 1.5, ENDS[1], v, HEIGHT + 1.5) for v in y]
    return join(bars(chords, 0.13, 3), bars(diagonals, 0.07, 3), bars(purlins, 0.08, 3))


def _lights() -> Parts:
    """Return rows of lamps under the trusses and a band of windows in the long walls."""
    lamps = [(x + 4.5, y, HEIGHT - 0.1, 0.8, 0.15, 0.03) for x, y in itertools.product(_COLUMNS, (-8.0, 0.0, 8.0))]
    windows = [(x + 4.5, s * (SIDE - 0.05), 10.6, 3.6, 0.03, 0.8) for x in _COLUMNS for s in (-1, 1)]
    return [("lamp", boxes(lamps + windows))]


MARKING, BUILDING, LIGHTS = Kit(_marking), Kit(_building), Kit(_lights)
