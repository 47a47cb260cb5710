"""A nest on the table in which a peg stands upright, for a gripper to pick: a block with a square hole on a stand.

The cell's controller knows where the peg's tip should be (site "pick"); where it is (site "seat") differs by a small
error, as taught by hand.
"""

import dataclasses
import functools
import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import shapes
from scenes.machines.castings import blocks, post
from scenes.machines.cell import CellLook, add_colours
from scenes.machines.cell_looks import TABLE
from scenes.shapes import Shape
from scenes.stock import GROUND, HIDDEN
from scenes.stock_fits import Fit
from sim.cameras import label
from sim.distributions import Uniform
from sim.math import axis_angle_quat, multiply_quat
from sim.parameters import param

SEAT = 0.875  # m, height of the floor on which the peg stands
HOLE = 0.015  # m, depth of the hole around it
_PLAY = 0.3e-3  # m a side
_WIDE, _THICK = 0.022, 0.008  # m: half the block; its floor
_FRICTION = [0.2, 0.005, 1e-4]  # steel in polyoxymethylene


@dataclasses.dataclass(frozen=True, slots=True)
class NestParams:
    """Where the nest is, and how well the cell knows it."""

    x: float = param(Uniform(-0.02, 0.02), "m", "Nest on the table, from its usual place, as the cell knows it.")
    y: float = param(Uniform(-0.02, 0.02), "m", "Nest on the table, from its usual place, as the cell knows it.")
    error_x: float = param(Uniform(-3e-4, 3e-4), "m", "Taught place's error across; 0.3 mm, taught by eye.")
    error_y: float = param(Uniform(-3e-4, 3e-4), "m", "Taught place's error across; 0.3 mm, taught by eye.")
    height: float = param(
        Uniform(-3e-3, 3e-3),
        "m",
        "How high the peg stands over where it was taught: +-3 mm in the jaws, as in Factory.",
    )
    lean_x: float = param(Uniform(-0.005, 0.005), "rad", "Nest about x: a peg is picked 0.3 degrees askew.")
    lean_y: float = param(Uniform(-0.005, 0.005), "rad", "Nest about y, which flat jaws straighten.")


def nominal_seat(p: NestParams, place: tuple[float, float]) -> NDArray[np.float64]:
    """Return where the cell takes the standing peg's tip to be (3,), m, world."""
    return np.array([place[0] + p.x, place[1] + p.y, SEAT])


def seat_pose(p: NestParams, place: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the standing peg's tip is (3,), m, world, and the quaternion (4,) of the nest, z up."""
    lean = math.hypot(p.lean_x, p.lean_y)
    axis = np.array([p.lean_x, p.lean_y, 0.0]) / max(lean, 1e-12)
    pos = nominal_seat(p, place) + np.array([p.error_x, p.error_y, p.height])
    return pos, np.asarray(axis_angle_quat(axis, lean), float)


def standing(p: NestParams, place: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pose, as of `seat_pose`, of the peg that stands in the nest; its z points down, out of its tip."""
    pos, quat = seat_pose(p, place)
    return pos, np.asarray(multiply_quat(quat, (0.0, 1.0, 0.0, 0.0)), float)


def add_nest(spec: mujoco.MjSpec, p: NestParams, fit: Fit, place: tuple[float, float], look: CellLook) -> None:
    """Put a nest on the table: body "nest" with sites "seat" and, in the world, "pick".

    Args:
        spec: the scene.
        p: this nest.
        fit: of the peg that stands in it.
        place: the nest's usual place, x and y, m.
        look: how it looks.
    """
    spec.worldbody.add_site(name="pick", pos=nominal_seat(p, place), size=[1e-3, 1e-3, 1e-3])
    pos, quat = seat_pose(p, place)
    body = spec.worldbody.add_body(name="nest", pos=pos, quat=quat)
    body.add_site(name="seat", size=[1e-3, 1e-3, 1e-3])
    hole = fit.radius + _PLAY
    wall = (_WIDE - hole) / 2
    solids = [((_WIDE, _WIDE, _THICK / 2), (0.0, 0.0, -_THICK / 2))]
    for side in (-1, 1):
        solids += [((wall, _WIDE, HOLE / 2), (side * (hole + wall), 0.0, HOLE / 2))]
        solids += [((hole, wall, HOLE / 2), (0.0, side * (hole + wall), HOLE / 2))]
    for size, at in solids:
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=size,
            pos=at,
            contype=GROUND,
            conaffinity=0,
            friction=_FRICTION,
            group=HIDDEN,
        )
    add_colours(spec, body, _looks(round(hole, 6)), look)
    label(spec, "nest", "nest")


@functools.lru_cache(maxsize=16)
def _looks(hole: float) -> dict[str, Shape]:
    """Return the block about a hole of half a width, m, its column and foot, and a sensor with its cable."""
    w, high, low = _WIDE, HOLE, SEAT - TABLE
    block = blocks(
        (-w, -hole, -w, w, 0, high), (hole, w, -w, w, 0, high),
        (-hole, hole, -w, -hole, 0, high), (-hole, hole, hole, w, 0, high), (-w, w, -w, w, -_THICK, 0),
    )  # fmt: skip
    column = post(0.014, (0, 0, 0.010 - low), (0, 0, -_THICK), 16)
    foot = blocks((-0.040, 0.040, -0.030, 0.030, -low, 0.012 - low))
    screws = [post(0.005, (s * 0.031, e * 0.021, 0.012 - low), (s * 0.031, e * 0.021, 0.017 - low), 6)
              for s in (-1, 1) for e in (-1, 1)]  # fmt: skip
    eye = post(0.004, (0, w - 0.002, 0.007), (0, w + 0.024, 0.007), 10)
    cable = post(0.002, (0, w + 0.022, 0.007), (0, w + 0.034, 0.002 - low), 6)
    return {
        "pale": block,
        "bright": shapes.join(column, *screws),
        "anthracite": foot,
        "dark": shapes.join(eye, cable),
    }
