"""Round fits: a peg made of capsules, and the socket it goes into, made of wedges; stable to 0.02 mm of play.

The socket's bore is a prism of 32 faces whose inscribed circle is the hole, and the peg carries 24 capsules whose
envelope is the peg: each capsule meets one or two flat faces, and every eighth of a turn a capsule faces a face, so
that the play is what the fit says in eight directions and at most 8 % more between them.
"""

import dataclasses
import functools
import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import shapes
from scenes.shapes import Shape
from scenes.stock import GROUND

STEEL = 8000.0  # kg/m3, plugs of the IndustReal set
FACES = 32  # of the bore
STAVES = 24  # capsules round the peg
FLOOR = 4e-3  # m, under the hole
EDGE = 0.5e-3  # m, radius of the peg's rounded edge, and of the capsules
TIGHT = [0.95, 0.99, 1e-4, 0.5, 2.0]  # solimp: a width far below the play, else a fit is half full of soft contact

REACH = 0.10  # m, from the hole's axis to the edge of the plate
_UNSEEN = 3  # group


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """A round peg and its hole.

    Attributes:
        diameter: of the peg, m.
        clearance: radius of the hole less that of the peg, m.
        chamfer: of the hole, 45 degrees, m.
        depth: of the hole from its top face, m.
        friction: between the two.
    """

    diameter: float
    clearance: float
    chamfer: float
    depth: float
    friction: float

    @property
    def radius(self) -> float:
        """Radius of the peg, m."""
        return self.diameter / 2

    @property
    def hole(self) -> float:
        """Radius of the hole, m."""
        return self.radius + self.clearance

    def peg_mass(self, length: float) -> float:
        """Return the mass of a peg of a length, m, in kg."""
        return STEEL * math.pi * self.radius**2 * length


def add_peg(body: mujoco.MjsBody, fit: Fit, *, length: float) -> None:
    """Add a peg to a body: its axis is z, its tip at the origin and its shank at -z; site "tip".

    The geoms are massless: who holds the peg gives the body its inertia. They are not seen: `peg_looks` is.

    Args:
        body: what the peg is part of.
        fit: its size and friction.
        length: m.
    """
    ring = fit.radius - EDGE
    for i in range(STAVES):
        angle = 2 * math.pi * i / STAVES
        x, y = ring * math.cos(angle), ring * math.sin(angle)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[EDGE, 0, 0],
            fromto=[x, y, -EDGE, x, y, -length],
            mass=0,
            contype=0,
            conaffinity=GROUND,
            friction=[fit.friction, 0.005, 0.0001],
            solimp=TIGHT,
            group=_UNSEEN,
        )
    body.add_site(name="tip", size=[1e-3, 1e-3, 1e-3], rgba=[1, 0, 0, 1])


@functools.lru_cache(maxsize=16)
def peg_looks(r: float, length: float) -> Shape:
    """Return what is seen of a peg of a radius and length, m, in its frame: a turned pin with broken edges."""
    profile = [(0, -length), (r - EDGE, -length), (r, EDGE - length), (r, -EDGE), (r - EDGE, 0), (0, 0)]
    return shapes.revolve(profile, 24)


def add_socket(spec: mujoco.MjSpec, body: mujoco.MjsBody, fit: Fit) -> None:
    """Add a plate with a bushed hole to a body: the hole's axis is z, its mouth at the origin; site "mouth".

    The bush is one mesh referenced once a face; four boxes around it make its top face go on over the plate. None of
    that is seen: `socket_looks` is.

    Args:
        spec: the scene.
        body: what carries the plate.
        fit: the hole's size and friction.
    """
    rim = math.sqrt(2) * (fit.hole + fit.chamfer + 1e-3) / math.cos(math.pi / FACES)  # the boxes' corners lie within
    spec.add_mesh(name="bush", uservert=_wedge(fit, rim).ravel().tolist())
    for i in range(FACES):
        half = math.pi * i / FACES
        _solid(body, fit, type=mujoco.mjtGeom.mjGEOM_MESH, meshname="bush", quat=[math.cos(half), 0, 0, math.sin(half)])
    near = rim * math.cos(math.pi / FACES) / math.sqrt(2)
    long, wide, half = REACH, (REACH - near) / 2, (fit.depth + FLOOR) / 2
    for x, y, size in (
        (near + wide, 0.0, (wide, long, half)),
        (-near - wide, 0.0, (wide, long, half)),
        (0.0, near + wide, (near, wide, half)),
        (0.0, -near - wide, (near, wide, half)),
    ):
        _solid(body, fit, type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=[x, y, -half])
    base = [0, 0, -fit.depth - FLOOR / 2]
    _solid(body, fit, type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[rim, FLOOR / 2, 0], pos=base, name="bottom")
    body.add_site(name="mouth", size=[1e-3, 1e-3, 1e-3], rgba=[0, 1, 0, 1])


def socket_looks(fit: Fit) -> tuple[Shape, Shape, Shape]:
    """Return what is seen of a socket, in its frame: the plate, the bush with its chamfer, and the bore."""
    sides = 24
    wall, mouth = (x / math.cos(math.pi / sides) for x in (fit.hole, fit.hole + fit.chamfer))  # about the circles
    rim, groove = mouth + 4e-3, mouth + 4.6e-3
    bush = shapes.revolve([(rim, -5e-4), (rim, 0.0), (mouth, 0.0), (wall, -fit.chamfer)], sides)
    bore = shapes.revolve([(wall, -fit.chamfer), (wall, -fit.depth), (0.0, -fit.depth)], sides)
    gap = shapes.revolve([(groove, 0.0), (groove, -5e-4), (rim, -5e-4)], sides)
    return _plate(groove, fit.depth + FLOOR, sides), bush, shapes.join(bore, gap)


def _plate(hole: float, thick: float, sides: int) -> Shape:
    """Return a square plate under z = 0 whose top face has a round hole, and whose upper edges are bevelled."""
    angle = 2 * math.pi * np.arange(sides) / sides
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    edge = 1.5e-3
    square = way / np.abs(way).max(axis=-1, keepdims=True)
    flat = np.zeros((sides, 1))
    loops = [np.hstack([r, flat + z]) for r, z in ((hole * way, 0), ((REACH - edge) * square, 0))]
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = np.concatenate([np.stack([i, sides + i, sides + j], -1), np.stack([i, sides + j, j], -1)])
    up = np.tile([0.0, 0.0, 1.0], (2 * sides, 1))
    top = Shape(np.concatenate(loops), up, faces.astype(np.int32))
    corner = math.sqrt(2)
    sides_ = shapes.revolve(
        [(0.0, -thick), (corner * REACH, -thick), (corner * REACH, -edge), (corner * (REACH - edge), 0.0)], 4
    )
    half = math.pi / 8
    return shapes.join(top, shapes.facet(shapes.place(sides_, (0, 0, 0), (math.cos(half), 0, 0, math.sin(half)))))


def _solid(body: mujoco.MjsBody, fit: Fit, **what: Any) -> None:  # noqa: ANN401 - a geom's attributes
    """Add a geom that stands still and that the peg meets."""
    friction = [fit.friction, 0.005, 0.0001]
    body.add_geom(contype=GROUND, conaffinity=0, friction=friction, solimp=TIGHT, group=_UNSEEN, **what)


def _wedge(fit: Fit, rim: float) -> NDArray[np.float64]:
    """Return the corners of the wedge that points down the body's x: its inner face touches the hole's circle."""
    slope = math.tan(math.pi / FACES)
    section = [(fit.hole, -fit.depth), (fit.hole, -fit.chamfer), (fit.hole + fit.chamfer, 0.0)]
    section += [(rim, 0.0), (rim, -fit.depth)]
    return np.array([(x, side * x * slope, z) for side in (-1, 1) for x, z in section])
