"""A robot cell: floor, pedestal, table, light and camera; and a fixture whose plate holds a socket.

The cell's controller knows where the fixture should be (site "nominal"); where it is differs by a localisation error.
"""

import dataclasses
import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.scenery import add_seen_box, add_sky
from scenes.stock import GROUND
from scenes.stock_fits import FLOOR, Fit, add_socket
from sim.distributions import Uniform
from sim.math import axis_angle_quat
from sim.parameters import param

TABLE = 0.78  # m, height of the table top
PLATE = 0.85  # m, height of the fixture's top face
PEDESTAL = 0.55  # m, height of the arm's base
_STEEL, _PAINT, _DARK = [0.60, 0.63, 0.66, 1.0], [0.87, 0.88, 0.88, 1.0], [0.20, 0.21, 0.23, 1.0]


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


def add_cell(spec: mujoco.MjSpec, place: tuple[float, float]) -> None:
    """Add the cell around a fixture's usual place, x and y in m: nothing of it but the floor can be touched."""
    world = spec.worldbody
    light = world.add_light(pos=[0.8, -2.0, 3.0], dir=[-0.45, 0.75, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    light.ambient, light.diffuse = [0.38, 0.38, 0.38], [0.55, 0.55, 0.55]
    add_sky(spec, [0.82, 0.86, 0.90], [0.52, 0.57, 0.63])
    plane, floor = mujoco.mjtGeom.mjGEOM_PLANE, [4, 4, 1.0]
    world.add_geom(name="floor", type=plane, size=floor, contype=GROUND, conaffinity=0, rgba=[0.50, 0.52, 0.53, 1])
    x, y = place
    eye = np.array([x + 0.55, y - 1.15, 1.45])
    _look(world, "overview", eye, np.array([x - 0.30, y, 0.85]), fovy=45)
    _look(world, "close", np.array([x + 0.16, y - 0.22, PLATE + 0.14]), np.array([x, y, PLATE + 0.02]), fovy=26)
    add_seen_box(world, (0.17, 0.17, PEDESTAL / 2), (0, 0, PEDESTAL / 2), _DARK)
    add_seen_box(world, (0.35, 0.40, 0.02), (x, y, TABLE - 0.02), _STEEL)
    for side in (-1, 1):
        for end in (-1, 1):
            leg = (x + side * 0.31, y + end * 0.36, TABLE / 2 - 0.02)
            add_seen_box(world, (0.03, 0.03, TABLE / 2 - 0.02), leg, _PAINT)
    add_seen_box(world, (0.35, 0.006, 0.10), (x, y + 0.38, TABLE + 0.10), [0.95, 0.75, 0.10, 1.0])


def add_fixture(spec: mujoco.MjSpec, p: FixtureParams, fit: Fit, place: tuple[float, float]) -> None:
    """Put a fixture on the table: body "fixture" with its socket, site "mouth"; site "nominal" is where it should be.

    Args:
        spec: the scene.
        p: this fixture.
        fit: of its hole.
        place: the fixture's usual place, x and y, m.
    """
    nominal = nominal_mouth(p, place)
    spec.worldbody.add_site(name="nominal", pos=nominal, size=[1e-3, 1e-3, 1e-3], rgba=[0, 0, 1, 1])
    turn = axis_angle_quat([math.cos(p.tilt_at), math.sin(p.tilt_at), 0.0], p.tilt)
    error = np.array([p.offset * math.cos(p.offset_at), p.offset * math.sin(p.offset_at), p.height])
    body = spec.worldbody.add_body(name="fixture", pos=nominal + error, quat=turn)
    add_socket(spec, body, fit)
    below = PLATE - TABLE - fit.depth - FLOOR
    for side in (-1, 1):
        add_seen_box(body, (0.012, 0.10, below / 2), (side * 0.085, 0, -fit.depth - FLOOR - below / 2), _DARK)
        add_seen_box(body, (0.010, 0.016, 0.006), (side * 0.085, 0.075, 0.006), _DARK)


def nominal_mouth(p: FixtureParams, place: tuple[float, float]) -> NDArray[np.float64]:
    """Return where the cell takes the hole's mouth to be (3,), m, world."""
    return np.array([place[0] + p.x, place[1] + p.y, PLATE])


def _look(
    body: mujoco.MjsBody, name: str, eye: NDArray[np.float64], target: NDArray[np.float64], *, fovy: float
) -> None:
    """Add a camera."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    body.add_camera(name=name, pos=eye, xyaxes=[*right, *np.cross(back, right)], fovy=fovy)
