"""A fixture on a table, whose plate holds a socket.

The cell's controller knows where the fixture should be (site "nominal"); where it is differs by a localisation error.
"""

import dataclasses
import functools
import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import shapes
from scenes.machines.castings import blocks, pipe, post, turned
from scenes.machines.cell import CellLook, add_colours
from scenes.machines.cell_looks import TABLE
from scenes.shapes import Shape
from scenes.stock_fits import Fit, add_socket, socket_looks
from sim.cameras import label
from sim.distributions import Uniform
from sim.math import axis_angle_quat, rotate
from sim.parameters import param

PLATE = 0.85  # m, height of the fixture's top face
_THIN = 0.020  # m, less than any plate


@dataclasses.dataclass(frozen=True, slots=True)
class FixtureParams:
    """Where the fixture is, and how well the cell knows it."""

    x: float = param(Uniform(-0.03, 0.03), "m", "Fixture on the table, from its usual place, as the cell knows it.")
    y: float = param(Uniform(-0.03, 0.03), "m", "Fixture on the table, from its usual place, as the cell knows it.")
    offset: float = param(Uniform(0.5e-3, 3e-3), "m", "Localisation error across; 0.5 to 3 mm, 2D camera or taught.")
    offset_at: float = param(Uniform(-math.pi, math.pi), "rad", "Where that points, in the nominal frame.")
    height: float = param(Uniform(-1e-3, 1e-3), "m", "Localisation error along the hole's axis.")
    tilt: float = param(
        Uniform(math.radians(1.0), math.radians(3.0)), "rad", "Localisation error of the hole's axis; 1 to 3 degrees."
    )
    tilt_at: float = param(Uniform(-math.pi, math.pi), "rad", "About which axis across the nominal frame that is.")


def add_fixture(spec: mujoco.MjSpec, p: FixtureParams, fit: Fit, place: tuple[float, float], look: CellLook) -> None:
    """Put a fixture on the table: body "fixture" with its socket, site "mouth"; site "nominal" is where it should be.

    Args:
        spec: the scene.
        p: this fixture.
        fit: of its hole.
        place: the fixture's usual place, x and y, m.
        look: how it looks.
    """
    nominal = nominal_mouth(p, place)
    spec.worldbody.add_site(name="nominal", pos=nominal, size=[1e-3, 1e-3, 1e-3], rgba=[0, 0, 1, 1])
    turn = axis_angle_quat([math.cos(p.tilt_at), math.sin(p.tilt_at), 0.0], p.tilt)
    error = np.array([p.offset * math.cos(p.offset_at), p.offset * math.sin(p.offset_at), p.height])
    body = spec.worldbody.add_body(name="fixture", pos=nominal + error, quat=turn)
    add_socket(spec, body, fit)
    label(spec, "fixture", "fixture")
    back = turn * [1, -1, -1, -1]  # the stand lies flat on the table
    down = np.array([0.0, 0.0, TABLE - nominal[2] - error[2]])
    for geom in add_colours(spec, body, _stand(), look, group="stand"):
        geom.pos, geom.quat = rotate(back, down), back
    plate, bush, bore = socket_looks(fit)
    looks = _clamps()
    looks = looks | {
        "plate": plate,
        "bright": shapes.join(looks["bright"], bush),
        "dark": shapes.join(looks["dark"], bore),
    }
    add_colours(spec, body, looks, look)


def nominal_mouth(p: FixtureParams, place: tuple[float, float]) -> NDArray[np.float64]:
    """Return where the cell takes the hole's mouth to be (3,), m, world."""
    return np.array([place[0] + p.x, place[1] + p.y, PLATE])


@functools.cache
def _stand() -> dict[str, Shape]:
    """Return the plate that is clamped to the table; the fixture's feet stand in it, however it tilts."""
    plate = blocks((-0.13, 0.13, -0.11, 0.11, 0.0, 0.016))
    lugs = [blocks((s * 0.15 - 0.022, s * 0.15 + 0.022, -0.02, 0.02, 0.0, 0.022)) for s in (-1, 1)]
    nuts = [post(0.009, (s * 0.155, 0, 0.022), (s * 0.155, 0, 0.034), 6) for s in (-1, 1)]
    return {"anthracite": shapes.join(plate, *lugs, *nuts)}


@functools.cache
def _clamps() -> dict[str, Shape]:
    """Return the plate's feet, screws, marks for cameras and two toggle clamps."""
    drop = PLATE - TABLE - 0.010
    steel, dark, red = list[Shape](), list[Shape](), list[Shape]()
    for x, y in ((-0.08, -0.08), (-0.08, 0.08), (0.08, -0.08), (0.08, 0.08)):
        dark += [pipe(0.012, (x, y, -drop), (x, y, -_THIN)), post(0.0035, (x, y, 0.005), (x, y, 0.0055), 6)]
        steel += [post(0.0065, (x, y, 0), (x, y, 0.005))]
    for s in (-1, 1):
        x, y = s * 0.05, s * 0.08
        steel += [post(0.006, (x, y, 0), (x, y, 0.0004), 12)]
        dark += [post(0.003, (x, y, 0.0004), (x, y, 0.0008))]
        near, out = sorted((s * 0.101, s * 0.125)), sorted((s * 0.098, s * 0.120))
        cheeks = [(a, a + 0.004, *out, 0.0, 0.034) for a in (-0.012, 0.008)]
        steel += [blocks((-0.016, 0.016, *near, -_THIN, 0.012), *cheeks)]
        steel += [pipe(0.005, (0, s * 0.112, 0.026), (0, s * 0.080, 0.020))]
        steel += [post(0.004, (0, s * 0.082, 0.006), (0, s * 0.082, 0.028))]
        pad = [(0.008, 0), (0.006, 0.007), (0.0, 0.007)]
        dark += [turned(pad, (0, s * 0.082, 0), (0, s * 0.082, 0.007), 10)]
        grip = [(0.0, 0), (0.007, 0.004), (0.0055, 0.05), (0.007, 0.056), (0.0, 0.06)]
        red += [turned(grip, (0, s * 0.118, 0.030), (0, s * 0.160, 0.062), 10)]
    return {"bright": shapes.join(*steel), "dark": shapes.join(*dark), "red": shapes.join(*red)}
