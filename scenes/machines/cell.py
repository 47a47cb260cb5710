"""A robot cell to look at, and how its looks differ from cell to cell.

Rule: nothing but the floor can be touched, and nothing weighs anything; what has one colour on one body is one mesh.
"""

import dataclasses
import functools

import mujoco

from scenes import shapes
from scenes.machines.cell_looks import ROOM, markings, surroundings, tables
from scenes.machines.look import CameraParams, LightParams, PaintParams, add_floor_material, add_lights, grey, painted
from scenes.shapes import Shape
from scenes.stock import GROUND
from sim.cameras import label
from sim.distributions import Choice, Uniform
from sim.parameters import param

# Paints by their numbers in the RAL classic register, as sRGB; metals as a camera shows them.
_ROBOTS = {
    "RAL 9002": (0.87, 0.87, 0.83),
    "RAL 7035": (0.80, 0.82, 0.81),
    "RAL 5024": (0.42, 0.60, 0.72),
    "RAL 6019": (0.74, 0.84, 0.73),
    "RAL 2011": (0.89, 0.44, 0.13),
}
_PAINTS = {
    "yellow": (0.98, 0.74, 0.05),
    "dark": (0.13, 0.14, 0.15),
    "pale": (0.80, 0.82, 0.81),
    "blue": (0.06, 0.30, 0.58),
    "red": (0.72, 0.09, 0.09),
    "anthracite": (0.27, 0.29, 0.31),
}
_LAMPS = {"amber": (0.62, 0.38, 0.05), "green": (0.15, 0.95, 0.35)}


@dataclasses.dataclass(frozen=True, slots=True)
class CellLook:
    """How a cell looks: it changes pictures and nothing else."""

    robot: str = param(Choice(tuple(_ROBOTS)), "RAL", "Paint of the arm, by colour number.")
    metal: float = param(
        Uniform(0.30, 0.55), "1", "Reflectance of table and fixture: blasted to milled; engineering value."
    )
    light: LightParams = dataclasses.field(default_factory=LightParams)
    paint: PaintParams = dataclasses.field(default_factory=PaintParams)
    overview: CameraParams = dataclasses.field(default_factory=CameraParams)
    close: CameraParams = dataclasses.field(default_factory=CameraParams)
    wrist: CameraParams = dataclasses.field(default_factory=CameraParams)


@functools.lru_cache(maxsize=16)
def colours(p: CellLook) -> dict[str, list[float]]:
    """Return the colours (4,) by name: paints after their years in the shop, metals, lamps, the walls, the arm."""
    tones = {name: painted(rgb, p.paint) for name, rgb in (_PAINTS | {"robot": _ROBOTS[p.robot]}).items()}
    tones |= {
        "wall": grey(p.paint.wall) * [0.97, 0.99, 1.0],
        "steel": grey(p.metal) * [0.98, 0.99, 1.0],
        "plate": grey(0.45 * p.metal) * [0.98, 0.99, 1.0],
        "bright": grey(min(1.0, 1.7 * p.metal)) * [0.99, 0.99, 1.0],
    }
    return {name: [*map(float, rgb), 1.0] for name, rgb in (tones | _LAMPS).items()}


def add_surroundings(spec: mujoco.MjSpec, p: CellLook, place: tuple[float, float], *, pedestal: bool = True) -> None:
    """Add light, floor, walls and all that stands round a station; `place`, x and y in m, is where it works.

    An arm stands on the pedestal, at the origin; a station without one has none. Of all this only the floor can be
    touched. Floor and markings belong to the world, the rest to bodies "cell" and "table".
    """
    x, y = place
    add_lights(spec, p.light, centre=(0.5 * x, 0.5 * y, 0.8), extent=2.6)
    world = spec.worldbody
    (left, right), (front, back), _ = ROOM
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[(right - left) / 2, (back - front) / 2, 1.0],
        pos=[(left + right) / 2, (front + back) / 2, 0],
        contype=GROUND,
        conaffinity=0,
        material=add_floor_material(spec, "floor", p.paint, repeat=2.0),
    )
    add_colours(spec, world, markings(), p)
    add_colours(spec, world.add_body(name="cell"), surroundings(place), p)
    add_colours(spec, world.add_body(name="table"), tables(place, pedestal=pedestal), p)
    for name, body in {"floor": "world", "cell": "cell", "table": "table"}.items():
        label(spec, name, body)


def add_colours(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, looks: dict[str, Shape], p: CellLook, *, group: str = ""
) -> list[mujoco.MjsGeom]:
    """Add shapes by the names of their colours to a body; group is for their names where body's has been used."""
    known = colours(p)
    return [
        shapes.add_shape(spec, body, shape, name=f"{group or body.name}_{name}", rgba=known[name])
        for name, shape in looks.items()
    ]
