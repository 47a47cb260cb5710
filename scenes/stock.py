"""Workpieces and what they rest on; each function adds one to a body and returns what others need to know of it."""

import dataclasses
import math

import mujoco
import numpy as np
from numpy.typing import NDArray

# Collision classes (contype bits): what stands still, the bore of a coil; a tool's conaffinity holds both.
GROUND = 1
BORE = 2

STEEL_DENSITY = 7850.0  # kg/m3, carbon steel, EN 1991-1-1 table A.4 (77 to 78.5 kN/m3)
WEDGES = 16  # round enough for an arm, few enough for 20 us a physics step
SEAT_SLOPE = math.radians(30.0)  # saddle flank; above atan 0.5, the steepest steel-steel friction, so coils centre
SEAT_CLEARANCE = 0.10  # m, lowest point of a seated coil above the floor

PAD = [0.02, 1.0]  # solref of what carries coils: 4 mm of pad yields under their weight, polyurethane 10 to 20 mm thick

_STEEL = [0.62, 0.64, 0.67, 1.0]
_SADDLE = [0.35, 0.27, 0.18, 1.0]


@dataclasses.dataclass(frozen=True, slots=True)
class Coil:
    """A coil of strip: a hollow cylinder whose axis is the body's y.

    Attributes:
        outer: outer diameter, m.
        bore: inner diameter, m.
        width: strip width, m.
    """

    outer: float
    bore: float
    width: float

    @property
    def mass(self) -> float:
        """Mass, kg."""
        return STEEL_DENSITY * math.pi / 4 * (self.outer**2 - self.bore**2) * self.width

    @property
    def inertia(self) -> tuple[float, float, float]:
        """Moments of inertia about the body's axes, kg m2."""
        radii = (self.outer**2 + self.bore**2) / 4
        across = self.mass * (3 * radii + self.width**2) / 12
        return across, self.mass * radii / 2, across

    @property
    def seat_height(self) -> float:
        """Height of a seated coil's axis above the floor, m."""
        return self.outer / 2 + SEAT_CLEARANCE


def add_coil(spec: mujoco.MjSpec, coil: Coil, *, name: str, com: NDArray[np.floating]) -> mujoco.MjsBody:
    """Add a free coil, with a site of its name at its centre.

    Its bore is a ring of convex wedges, one mesh referenced n times, that only tools meet; its outside is a cylinder
    that only the ground meets, so that it rolls and rests as a round thing does.

    Args:
        spec: the scene.
        coil: what it is.
        name: of body, free joint, mesh and site.
        com: centre of mass in the body, m: an eccentric bore.
    """
    body = spec.worldbody.add_body(name=name, pos=[0, 0, coil.seat_height])
    body.add_freejoint(name=name)
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = coil.mass, com, coil.inertia
    body.add_site(name=name, size=[0.02, 0.02, 0.02], rgba=[1, 0, 0, 1])
    spec.add_mesh(name=name, uservert=_wedge(coil).ravel().tolist())
    for i in range(WEDGES):
        half = math.pi * i / WEDGES
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            quat=[math.cos(half), 0, math.sin(half), 0],
            contype=BORE,
            conaffinity=0,
            rgba=_STEEL if i % 2 else [0.9 * c for c in _STEEL[:3]] + [1.0],
        )
    _cylinder(body, coil, contype=0, group=3)
    return body


def add_stacked_coil(body: mujoco.MjsBody, coil: Coil, *, name: str, pos: NDArray[np.floating]) -> None:
    """Add a coil that stays where it is, an obstacle; the site of its name is at its centre."""
    frame = body.add_body(name=name, pos=pos)
    frame.add_site(name=name, size=[0.02, 0.02, 0.02])
    _cylinder(frame, coil, contype=GROUND, group=0)
    for side in (-1, 1):
        frame.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[coil.bore / 2, 0.005, 0],
            pos=[0, side * coil.width / 2, 0],
            quat=[math.sqrt(0.5), math.sqrt(0.5), 0, 0],
            contype=0,
            conaffinity=0,
            rgba=[0.08, 0.08, 0.08, 1],
        )


def add_saddle(body: mujoco.MjsBody, coil: Coil, *, name: str, pos: NDArray[np.floating]) -> None:
    """Add a V-saddle sized for a coil whose axis is y; the site of its name is where the seated coil's centre is.

    Args:
        body: the floor.
        coil: what it is made for.
        name: of body and site.
        pos: on the floor under the seat, m, in body.
    """
    frame = body.add_body(name=name, pos=pos)
    frame.add_site(name=name, pos=[0, 0, coil.seat_height], size=[0.02, 0.02, 0.02], rgba=[0, 1, 0, 1])
    reach = coil.outer / 2 + 0.05  # to the middle of a flank that is 0.1 m thick
    for side in (-1.0, 1.0):
        frame.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.15, 0.35, 0.05],
            pos=[side * reach * math.sin(SEAT_SLOPE), 0, coil.seat_height - reach * math.cos(SEAT_SLOPE)],
            quat=[math.cos(SEAT_SLOPE / 2), 0, -side * math.sin(SEAT_SLOPE / 2), 0],
            contype=GROUND,
            conaffinity=0,
            solref=PAD,
            priority=1,
            rgba=_SADDLE,
        )


def _cylinder(body: mujoco.MjsBody, coil: Coil, *, contype: int, group: int) -> None:
    """Add a coil's outer surface."""
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[coil.outer / 2, coil.width / 2, 0],
        quat=[math.sqrt(0.5), math.sqrt(0.5), 0, 0],
        contype=contype,
        conaffinity=0 if contype else GROUND,
        group=group,
        rgba=_STEEL,
    )


def _wedge(coil: Coil) -> NDArray[np.float64]:
    """Return the corners of the wedge that points down the body's x; its inner face touches the bore's circle."""
    half = math.pi / WEDGES
    inner = [(coil.bore / 2, coil.bore / 2 * math.tan(a)) for a in (-half, half)]
    outer = [(coil.outer / 2 * math.cos(a), coil.outer / 2 * math.sin(a)) for a in (-half, 0.0, half)]
    return np.array([(x, y, z) for y in (-coil.width / 2, coil.width / 2) for x, z in inner + outer])
