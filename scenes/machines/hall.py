"""The building: a coil bay with crane runways, floor markings, lamps and light, along x from -7.5 m to 33.5 m.

Nothing of it can be touched but the floor. What stands still and is of one kind is one geom. Counts of parts do not
depend on the parameters: scenes of one task have one layout.
"""

import dataclasses
import itertools
from typing import NamedTuple

import mujoco
import numpy as np

from scenes.machines.look import CameraParams, LightParams, PaintParams, add_floor_material, add_lights, grey, mount
from scenes.machines.scenery import Kit, Parts, add_paints, add_parts, add_textured, bars, boxes, digits, plates, quads
from scenes.shapes import Shape, add_picture, join
from scenes.stock import GROUND
from sim.cameras import Lens, label

ENDS = (-7.5, 33.5)  # m, walls across the runway
SIDE = 2.2  # m from a rail to the wall beside it
WALKWAY = 1.2  # m from the rail at y 0 to the middle of the walkway
_COLUMNS = np.array([-6.6, 1.0, 9.0, 17.0, 25.0, 32.6])  # m, along x
_ROOM = 2.7  # m, from the trolley's sheaves to the roof's trusses
_TRUSS = 1.7  # m, their height
_OVERVIEW = Lens(3.5e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.3, 65.535)  # 1/1.8 inch, 3.45 um, fixed lens of 3.5 mm
_RIB, _SHEET = 24, 1.1  # pixels across one sheet of cladding, and its width, m


@dataclasses.dataclass(frozen=True, slots=True)
class HallLook:
    """What a hall looks like, and how its cameras are mounted."""

    light: LightParams = dataclasses.field(default_factory=LightParams)
    paint: PaintParams = dataclasses.field(default_factory=PaintParams)
    camera: CameraParams = dataclasses.field(default_factory=CameraParams)


class Bay(NamedTuple):
    """A hall's size.

    Attributes:
        span: from rail to rail, m.
        sheaves: height of the crane's sheaves above the floor, m.
    """

    span: float
    sheaves: float


def add_hall(spec: mujoco.MjSpec, look: HallLook, bay: Bay, *, slope: tuple[float, float]) -> mujoco.MjsBody:
    """Add a hall and return its floor, a body whose origin is the world's; camera "overview" hangs on a side wall.

    Args:
        spec: the scene.
        look: what it looks like.
        bay: its size.
        slope: by which the floor rises along x and along y, rad.
    """
    middle = [13.0, bay.span / 2, 0.0]
    add_lights(spec, look.light, centre=middle, extent=2 * bay.sheaves + 3.0)
    add_paints(spec, look.paint)
    floor = spec.worldbody.add_body(name="floor", quat=[1.0, slope[1] / 2, -slope[0] / 2, 0.0])
    floor.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[(ENDS[1] - ENDS[0]) / 2, bay.span / 2 + SIDE, 1.0],
        pos=middle,
        contype=GROUND,
        conaffinity=0,
        material=add_floor_material(spec, "floor", look.paint, repeat=4.0),
    )
    add_parts(spec, floor, MARKING, bay, name="marking")
    add_parts(spec, spec.worldbody, STEELWORK, bay, name="steelwork")
    add_parts(spec, spec.worldbody, LAMPS, bay, name="lamps", emission=0.85)
    _add_cladding(spec, spec.worldbody, look.paint, bay)
    eye, seen = [-0.4, 0.5, 8.3], [11.5, 10.0, 2.2]
    mount(spec.worldbody, "overview", _OVERVIEW, (eye, seen), look.camera)
    label(spec, "building", "world")  # no body of its own: each costs physics time
    label(spec, "floor", "floor")
    return floor


def _marking(*size: float) -> Parts:
    """Return the lines on the floor: a walkway behind a hazard line, places for stock, and their numbers."""
    bay = Bay(*size)
    far = bay.span - WALKWAY
    middle, half = (ENDS[0] + ENDS[1]) / 2, (ENDS[1] - ENDS[0]) / 2
    walkways = plates([(middle, y, half, 0.55) for y in (WALKWAY, far)], 0.003)
    lines = [(middle, y + s * 0.62, half, 0.06) for y, s in ((WALKWAY, -1), (far, 1))]
    hazard = [(middle, y + s * 0.65, half, 0.10) for y, s in ((WALKWAY, 1), (far, -1))]
    blocks = [(x, y, 0.25, 0.10) for _, y, _, _ in hazard for x in np.arange(ENDS[0] + 0.5, ENDS[1], 1.0)]
    zones = [(4.5, 7.6, 4.0, 4.3), (17.25, 10.9, 8.25, 7.0)]
    frames = [edge for zone in zones for edge in _frame(*zone, 0.06)]
    bays = [(x, 3.55, 0.05, 0.35) for x in np.arange(10.5, 25.0, 1.5)]
    zebra = [(x, WALKWAY, 0.2, 0.5) for x in np.arange(27.0, 30.0, 0.8)]
    return [
        ("green", walkways),
        ("white", join(plates(lines + zebra, 0.006), _floor_numbers())),
        ("yellow", plates(hazard + frames + bays, 0.006)),
        ("black", plates(blocks, 0.009)),
    ]


def _floor_numbers() -> Shape:
    """Return the numbers before the places for stock."""
    marks = [("1", 1.3, 2.75), ("2", 9.6, 2.75), ("3", 17.0, 2.75), ("4", 24.4, 2.75)]
    return join(*(digits(text, (x, y, 0.006), (1, 0, 0), (0, 1, 0), 0.9) for text, x, y in marks))


def _steelwork(*size: float) -> Parts:
    """Return plinth, columns, runways, trusses, the roof and the gate."""
    bay = Bay(*size)
    rail, truss = bay.sheaves - 0.6, bay.sheaves + _ROOM
    return [
        ("plinth", _around(bay, -0.3, 2.4, 0.06)),
        ("yellow", _around(bay, 1.45, 1.75, 0.08)),
        ("wall", _roof(bay)),
        ("grey", join(_columns(bay, rail - 1.05, truss), _trusses(bay, truss))),
        ("grey", boxes([(13, y, z, 20.5, b, h) for y in (0, bay.span) for z, b, h in _girder(rail)])),
        ("steel", boxes([(13, y, rail - 0.07, 20.5, 0.05, 0.07) for y in (0, bay.span)])),
        *_gate(bay),
        *_signs(bay),
    ]


def _girder(rail: float) -> list[tuple[float, float, float]]:
    """Return height, half width and half height of a runway girder's flanges and web, and of the beam's stiffener."""
    return [(rail - 0.17, 0.28, 0.03), (rail - 0.6, 0.03, 0.4), (rail - 1.02, 0.25, 0.03)]


def _columns(bay: Bay, shelf: float, top: float) -> Shape:
    """Return the columns: two flanges and a web up to the runway, one post from there to the roof."""
    slabs: list[list[tuple[float, float, float]]] = []
    posts: list[tuple[float, ...]] = []
    for x in _COLUMNS:
        for y, out in ((0.0, -1.0), (bay.span, 1.0)):
            near, away = y - out * 0.15, y + out * 0.95
            for at in (near, away):
                slabs += [_across(x - s * 0.22, x + s * 0.22, at - s * 0.03, shelf) for s in (1, -1)]
                slabs += [_along(x + s * 0.22, at - s * 0.03, at + s * 0.03, shelf) for s in (-1, 1)]
            slabs += [_along(x + s * 0.02, y + 0.4 * out - s * 0.55, y + 0.4 * out + s * 0.55, shelf) for s in (-1, 1)]
            posts.append((x, y + out * 0.85, shelf, x, y + out * 0.85, top + 0.5))
    return join(quads(slabs), bars(posts, 0.18))


def _along(x: float, y0: float, y1: float, high: float) -> list[tuple[float, float, float]]:
    """Return an upright from the floor, seen from +x where y0 is less than y1, else from -x."""
    return [(x, y0, 0.0), (x, y1, 0.0), (x, y1, high), (x, y0, high)]


def _across(x0: float, x1: float, y: float, high: float) -> list[tuple[float, float, float]]:
    """Return an upright from the floor, seen from -y where x0 is less than x1, else from +y."""
    return [(x0, y, 0.0), (x1, y, 0.0), (x1, y, high), (x0, y, high)]


def _trusses(bay: Bay, low: float) -> Shape:
    """Return a truss across the bay at each pair of columns: two chords and six diagonals, and purlins along it."""
    chords, diagonals, count = [], [], 6
    y = np.linspace(-SIDE, bay.span + SIDE, count + 1)
    z = np.where(np.arange(count + 1) % 2, low, low + _TRUSS)
    for x in _COLUMNS:
        chords += [(x, y[0], low, x, y[-1], low), (x, y[0], low + _TRUSS, x, y[-1], low + _TRUSS)]
        diagonals += [(x, y[i], z[i], x, y[i + 1], z[i + 1]) for i in range(count)]
    purlins = [(ENDS[0], p, low + _TRUSS + 0.1, ENDS[1], p, low + _TRUSS + 0.1) for p in y]
    return join(bars(chords, 0.12, 3), bars(diagonals, 0.07, 3), bars(purlins, 0.08, 3))


def _around(bay: Bay, low: float, high: float, inset: float) -> Shape:
    """Return the four walls' strip between two heights, seen from inside."""
    (x0, x1), y0, y1 = ENDS, -SIDE, bay.span + SIDE
    x0, x1, y0, y1 = x0 + inset, x1 - inset, y0 + inset, y1 - inset
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    walls = []
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        walls.append([(bx, by, low), (ax, ay, low), (ax, ay, high), (bx, by, high)])
    return quads(walls)


def _gate(bay: Bay) -> Parts:
    """Return a roller gate in the far end wall, with a hazard frame, and its rails for a transfer car."""
    x, y = ENDS[1] - 0.12, bay.span - 5.5
    leaf = [_facing_back(x, y, 2.4, 2.2, 2.4)]
    slats = [_facing_back(x - 0.02, y, 0.3 + 0.6 * i, 2.2, 0.03) for i in range(8)]
    posts = boxes([(x, y - 2.35, 2.5, 0.15, 0.15, 2.5), (x, y + 2.35, 2.5, 0.15, 0.15, 2.5)])
    hazard = boxes([(x - 0.02, y + s * 2.35, z, 0.15, 0.16, 0.25) for s in (-1, 1) for z in (0.5, 1.5, 2.5, 3.5)])
    top = boxes([(x, y, 5.2, 0.35, 2.5, 0.35)])
    return [("blue", quads(leaf)), ("dark", join(quads(slats), top)), ("yellow", posts), ("black", hazard)]


def _facing_back(x: float, y: float, z: float, half: float, up: float) -> list[tuple[float, float, float]]:
    """Return a rectangle that looks down the runway, towards -x."""
    return [(x, y + half, z - up), (x, y - half, z - up), (x, y - half, z + up), (x, y + half, z + up)]


def _signs(bay: Bay) -> Parts:
    """Return a numbered plate on each column of the far side, and notices on the wall between them."""
    y = bay.span + 0.07
    plate = [
        [(x + a, y, 4.2 + b) for a, b in ((-0.45, -0.45), (0.45, -0.45), (0.45, 0.45), (-0.45, 0.45))] for x in _COLUMNS
    ]
    numbers = [digits(str(i), (x, y - 0.02, 4.2), (1, 0, 0), (0, 0, 1), 0.6) for i, x in enumerate(_COLUMNS, 1)]
    wall = bay.span + SIDE - 0.12
    notices = [
        [(x + a, wall, 3.1 + b) for a, b in ((-0.4, -0.5), (0.4, -0.5), (0.4, 0.5), (-0.4, 0.5))]
        for x in (5.0, 13.0, 21.0)
    ]
    return [
        ("blue", quads([notices[0], notices[2]])),
        ("yellow", quads([notices[1]])),
        ("white", quads(plate)),
        ("black", join(*numbers)),
    ]


def _lamps(*size: float) -> Parts:
    """Return what gives light: rows of lamps under the trusses and a band of windows above each runway."""
    bay = Bay(*size)
    low = bay.sheaves + _ROOM
    shown = []
    for x, share in itertools.product((-3, 5, 13, 21, 29), (0.2, 0.5, 0.8)):
        y = share * bay.span
        shown.append([(x - 0.7, y + 0.14, low - 0.3), (x + 0.7, y + 0.14, low - 0.3)])
        shown[-1] += [(x + 0.7, y - 0.14, low - 0.3), (x - 0.7, y - 0.14, low - 0.3)]
    for a, b in zip(_COLUMNS[:-1] + 0.5, _COLUMNS[1:] - 0.5, strict=True):
        for y, (left, right) in ((-SIDE + 0.1, (b, a)), (bay.span + SIDE - 0.1, (a, b))):
            shown.append([(left, y, low - 1.6), (right, y, low - 1.6), (right, y, low - 0.3), (left, y, low - 0.3)])
    return [("lamp", quads(shown))]


def _roof(bay: Bay) -> Shape:
    """Return the roof as seen from below."""
    (x0, x1), y0, y1, high = ENDS, -SIDE, bay.span + SIDE, bay.sheaves + _ROOM + _TRUSS + 0.2
    return quads([[(x0, y0, high), (x0, y1, high), (x1, y1, high), (x1, y0, high)]])


def _add_cladding(spec: mujoco.MjSpec, body: mujoco.MjsBody, paint: PaintParams, bay: Bay) -> None:
    """Add walls of ribbed sheet."""
    walls = _around(bay, 2.3, bay.sheaves + _ROOM + _TRUSS + 0.2, 0.0)
    shade = np.full(_RIB, 1.0)
    shade[:2], shade[2:5], shade[12:14] = 0.80, 1.04, 0.93  # a seam and its edge, a rib
    pixels = np.clip(255 * grey(paint.wall) * [0.97, 0.99, 1.0] * shade[:, None], 0, 255).astype(np.uint8)
    add_picture(spec, "cladding", pixels[None])
    material = spec.add_material(name="cladding", specular=0.1)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = "cladding"
    across = (walls.vertices[:, 0] + walls.vertices[:, 1]) / _SHEET
    add_textured(spec, body, walls, across, name="cladding", material="cladding")


def _frame(x: float, y: float, a: float, b: float, half: float) -> list[tuple[float, float, float, float]]:
    """Return the four lines round a place on the floor of half sizes a and b, m."""
    sides = [(x, y + s * b, a + half, half) for s in (-1, 1)]
    return sides + [(x + s * a, y, half, b - half) for s in (-1, 1)]


_SIZES = (20.0, 35.0), (12.0, 16.0)  # m: of span and sheaves
MARKING, STEELWORK, LAMPS = Kit(_marking, *_SIZES), Kit(_steelwork, *_SIZES), Kit(_lamps, *_SIZES)
