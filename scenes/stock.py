"""Workpieces and what they rest on; each function adds one to a body and returns what others need to know of it."""

import dataclasses
import math
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.machines.scenery import add_parts
from scenes.stock_looks import COIL, FLANK, SADDLE_FIELD, SADDLE_PAIR, SADDLES, SEAT_SLOPE, saddle_places
from sim.cameras import label

# Collision classes (contype bits): what stands still, the bore of a coil; a tool's conaffinity holds both.
GROUND = 1
BORE = 2
STACK = 4  # the round of a coil, for other coils: only where coils rest on coils

STEEL_DENSITY = 7850.0  # kg/m3, carbon steel, EN 1991-1-1 table A.4 (77 to 78.5 kN/m3)
WEDGES = 16  # round enough for an arm, few enough for 20 us a physics step
SEAT_CLEARANCE = 0.10  # m, lowest point of a seated coil above the floor

PAD = [0.02, 1.0]  # solref of what carries coils: 4 mm of pad yields under their weight, polyurethane 10 to 20 mm thick

_BEARING = 0.35  # of a coil's width, from its middle to where it bears on others
HIDDEN = 3  # group of geoms that are touched and not seen


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


class Field(NamedTuple):
    """Saddles in two rows of two blocks; x is along the runway.

    Attributes:
        origin: of the first saddle, m.
        apart: from saddle to saddle in a block, m along x.
        along: from a block to the next in its row, m along x.
        across: from row to row, m along y.
    """

    origin: tuple[float, float]
    apart: float
    along: float
    across: float


def add_coil(
    spec: mujoco.MjSpec, coil: Coil, *, name: str, com: NDArray[np.floating], like: str = "", stacked: bool = False
) -> mujoco.MjsBody:
    """Add a free coil, with a site of its name at its centre.

    Its bore is a ring of convex wedges, one mesh referenced n times, that only tools meet; its outside is a cylinder
    that only the ground meets, so that it rolls and rests as a round thing does. What is seen is neither.

    Args:
        spec: the scene.
        coil: what it is.
        name: of body, free joint, mesh and site.
        com: centre of mass in the body, m: an eccentric bore.
        like: name of a coil of the same size that was added before and whose mesh it shares.
        stacked: whether it meets other coils.
    """
    body = spec.worldbody.add_body(name=name, pos=[0, 0, coil.seat_height])
    body.add_freejoint(name=name)
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = coil.mass, com, coil.inertia
    body.add_site(name=name, size=[0.02, 0.02, 0.02])
    if not like:
        spec.add_mesh(name=name, uservert=_wedge(coil).ravel().tolist())
    for i in range(WEDGES):
        half = math.pi * i / WEDGES
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=like or name,
            quat=[math.cos(half), 0, math.sin(half), 0],
            contype=BORE,
            conaffinity=0,
            group=HIDDEN,
        )
    _cylinder(body, coil, contype=0)
    if stacked:
        _stack(body, coil, name)
    _show_coil(spec, body, coil)
    label(spec, "coil", name)
    return body


def add_saddle(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, coil: Coil, *, name: str, pos: NDArray[np.floating], paint: str
) -> None:
    """Add a V-saddle sized for a coil whose axis is y; the site of its name is where the seated coil's centre is.

    Args:
        spec: the scene.
        body: the floor.
        coil: what it is made for.
        name: of body and site.
        pos: on the floor under the seat, m, in body.
        paint: of its frame, one of `SADDLES`.
    """
    frame = body.add_body(name=name, pos=pos)
    frame.add_site(name=name, pos=[0, 0, coil.seat_height], size=[0.02, 0.02, 0.02])
    out, up = _flank(coil)
    _flanks(frame, np.zeros(3), (out, up))
    add_parts(spec, frame, SADDLES[paint], (out, up), name=f"{paint} saddle")
    label(spec, "saddle", name)


def add_saddles(spec: mujoco.MjSpec, body: mujoco.MjsBody, coil: Coil, field: Field) -> None:
    """Add body "saddles" with V-saddles for a coil at every place of a field.

    Args:
        spec: the scene.
        body: the floor.
        coil: what they are made for.
        field: where they are.
    """
    frame = body.add_body(name="saddles", pos=[*field.origin, 0.0])
    out, up = _flank(coil)
    for x, y in saddle_places(field.apart, field.along, field.across):
        _flanks(frame, np.array([x, y, 0.0]), (out, up))
    add_parts(spec, frame, SADDLE_FIELD, (out, up, field.apart, field.along, field.across), name="saddles")
    label(spec, "saddle", "saddles")


def add_neighbours(spec: mujoco.MjSpec, body: mujoco.MjsBody, coil: Coil, *, pos: ArrayLike, apart: float) -> None:
    """Add coils that stay where they are, obstacles, on both sides of a place: "stack_a" at lower x and "stack_b".

    Each has a site of its name at its centre. Their saddles, body "stack_saddles", are only seen.

    Args:
        spec: the scene.
        body: the floor.
        coil: what they are.
        pos: of the place on the floor, m, in body.
        apart: of their middles from there along x, m.
    """
    middle = np.asarray(pos, float)
    for name, side in (("stack_a", -1), ("stack_b", 1)):
        frame = body.add_body(name=name, pos=middle + np.array([side * apart, 0.0, coil.seat_height]))
        frame.add_site(name=name, size=[0.02, 0.02, 0.02])
        _cylinder(frame, coil, contype=GROUND)
        _show_coil(spec, frame, coil)
    saddles = body.add_body(name="stack_saddles", pos=middle)
    add_parts(spec, saddles, SADDLE_PAIR, (*_flank(coil), apart), name="stack_saddles")
    label(spec, "coil", "stack_a", "stack_b")
    label(spec, "saddle", "stack_saddles")


def _flanks(frame: mujoco.MjsBody, pos: NDArray[np.floating], flank: tuple[float, float]) -> None:
    """Add what a coil touches of a saddle that stands at pos (3,), m, in frame."""
    out, up = flank
    for side in (-1.0, 1.0):
        frame.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=FLANK,
            pos=pos + np.array([side * out, 0, up]),
            quat=[math.cos(SEAT_SLOPE / 2), 0, -side * math.sin(SEAT_SLOPE / 2), 0],
            contype=GROUND,
            conaffinity=0,
            solref=PAD,
            priority=1,
            group=HIDDEN,
        )


def _flank(coil: Coil) -> tuple[float, float]:
    """Return how far out and up the middle of a saddle's flank is, m."""
    reach = coil.outer / 2 + 0.05  # a flank is 0.1 m thick
    return reach * math.sin(SEAT_SLOPE), coil.seat_height - reach * math.cos(SEAT_SLOPE)


def _show_coil(spec: mujoco.MjSpec, body: mujoco.MjsBody, coil: Coil) -> None:
    """Show a coil; a scene's coils are of one size and share a mesh."""
    add_parts(spec, body, COIL, (coil.outer, coil.bore, coil.width), name="coil parts")


def _cylinder(body: mujoco.MjsBody, coil: Coil, *, contype: int) -> None:
    """Add a coil's outer surface."""
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[coil.outer / 2, coil.width / 2, 0],
        quat=[math.sqrt(0.5), math.sqrt(0.5), 0, 0],
        contype=contype,
        conaffinity=0 if contype else GROUND,
        group=HIDDEN,
    )


def _stack(body: mujoco.MjsBody, coil: Coil, name: str) -> None:
    """Let a coil meet others: geoms NAME_round, its cylinder, and NAME_a and NAME_b, spheres inside the round.

    A cylinder meets spheres where the formula says; two cylinders side by side jitter, as their line of contact is
    found by iteration. Two spheres each make four points of a line, at the ends of which a coil cannot lean out.
    """
    outside = body.geoms[-1]
    outside.name, outside.contype = f"{name}_round", STACK
    for end, side in (("a", -1), ("b", 1)):
        body.add_geom(
            name=f"{name}_{end}",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[coil.outer / 2, 0, 0],
            pos=[0, side * _BEARING * coil.width, 0],
            contype=0,
            conaffinity=STACK,
            group=HIDDEN,
        )


def _wedge(coil: Coil) -> NDArray[np.float64]:
    """Return the corners of the wedge that points down the body's x; its inner face touches the bore's circle."""
    half = math.pi / WEDGES
    inner = [(coil.bore / 2, coil.bore / 2 * math.tan(a)) for a in (-half, half)]
    outer = [(coil.outer / 2 * math.cos(a), coil.outer / 2 * math.sin(a)) for a in (-half, 0.0, half)]
    return np.array([(x, y, z) for y in (-coil.width / 2, coil.width / 2) for x, z in inner + outer])
