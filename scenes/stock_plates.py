"""Steel plates: one that bends, as a chain of links, stiff ones, and the piles that they lie on.

A plate's x is along it and its z up. What it lies on meets small spheres under it, its feet, which cost little where
faces on faces would cost much; what lies on it meets its boxes. Plates are numbered from the top of their stack, 1 to
`PLATES`, and only feet of a plate above meet the boxes of one below.
"""

import dataclasses
import math
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.scenery import Kit, Parts, add_parts, boxes, plates
from scenes.stock import GROUND, HIDDEN, STEEL_DENSITY
from sim.cameras import label
from sim.spec import weigh

Array = NDArray[np.floating]

ELASTICITY = 206e9  # Pa, structural steel, EN 1993-1-1 (210 GPa) and JIS design practice (205 GPa)
LINKS = 13  # of a plate that bends, hence 12 hinges: one on each side of the middle link, and so on
PLATES = 3  # of a stack, that can be lifted
FEET = (0, 1, 3, 5, 7, 9, 11, 12)  # links that have one: those under magnets, and both ends
_FOOT = 0.02  # m, radius
_FEET_APART = 0.42  # of length and width, from the middle to where a stiff plate's feet are
_DAMPING = 0.004  # s, of a hinge over its stiffness: structural, and of the layers of air between plates


@dataclasses.dataclass(frozen=True, slots=True)
class Plate:
    """A plate.

    Attributes:
        length: m.
        width: m.
        thickness: m.
    """

    length: float
    width: float
    thickness: float

    @property
    def mass(self) -> float:
        """Mass, kg."""
        return STEEL_DENSITY * self.length * self.width * self.thickness

    @property
    def rigidity(self) -> float:
        """Bending stiffness E I of the whole width, N m2."""
        return ELASTICITY * self.width * self.thickness**3 / 12

    @property
    def link(self) -> float:
        """Length of a link, m."""
        return self.length / LINKS


def top(number: int) -> int:
    """Return the collision class (contype bit) of the boxes of a plate, 1 at the top."""
    return 4 << (number - 1)


def link_names(number: int = 1) -> tuple[str, ...]:
    """Return the bodies of a plate that bends, from its lower x."""
    return tuple(f"plate{number}_link{i}" for i in range(LINKS))


def foot_names(number: int) -> tuple[str, ...]:
    """Return the bodies with a plate's feet, from its lower x."""
    return tuple(f"plate{number}_foot{i}" for i in (FEET if number == 1 else (0, 1)))


def foot_places(number: int, plate: Plate) -> Array:
    """Return where a plate's feet are along it, m from its middle."""
    if number == 1:
        return plate.link * (np.array(FEET) - LINKS // 2)
    return plate.length * _FEET_APART * np.array([-1.0, 1.0])


def add_flexible_plate(
    spec: mujoco.MjSpec, plate: Plate, *, camber: float, reach: float, feel: float = math.inf
) -> mujoco.MjsBody:
    """Add plate 1, a free chain of links; its middle link has the free joint and site "plate1".

    Hinges between links are elastic, k = E I / s (s a link's length), and yield at the plastic moment.

    Args:
        spec: the scene.
        plate: what it is.
        camber: bow that it has without load, m of rise of its middle above its ends.
        reach: below its feet at which plates are felt, m.
        feel: yield stress, Pa; inf for a plate that only bends elastically.
    """
    half = LINKS // 2
    root = spec.worldbody.add_body(name=f"plate1_link{half}")
    root.add_freejoint(name="plate1")
    root.add_site(name="plate1", size=[0.02, 0.02, 0.02])
    bow = 8 * camber / plate.length**2 * plate.link  # of a hinge, rad
    bodies = {half: root}
    for side in (-1, 1):
        body = root
        for i in range(1, half + 1):
            body = body.add_body(name=f"plate1_link{half + side * i}", pos=[side * plate.link, 0, 0])
            hinge = body.add_joint(name=f"plate1_hinge{half + side * i}", type=mujoco.mjtJoint.mjJNT_HINGE)
            hinge.axis, hinge.pos = [0, side, 0], [-side * plate.link / 2, 0, 0]
            bend(hinge, plate, bow, feel)
            bodies[half + side * i] = body
    for i, body in bodies.items():
        size = [plate.link / 2, plate.width / 2, plate.thickness / 2]
        add_box(body, size, plate.mass / LINKS, number=1)
        add_parts(spec, body, LINK, [2 * v for v in size], name="plate1 link")
        if i in FEET:
            _add_feet(body, plate, name=f"plate1_foot{i}", x=0.0, sides=[1 - 2 * (FEET.index(i) % 2)], reach=reach)
    label(spec, "plate", *link_names(), *foot_names(1))
    return root


def bend(hinge: mujoco.MjsJoint, plate: Plate, rest: float, stress: float = math.inf) -> None:
    """Make a joint between links bend as the plate does.

    Args:
        hinge: the joint.
        plate: what it is in.
        rest: angle without load, rad.
        stress: yield stress, Pa.
    """
    rate = plate.rigidity / plate.link
    hinge.stiffness, hinge.springref, hinge.damping = [rate, 0, 0], rest, [_DAMPING * rate, 0, 0]
    if math.isfinite(stress):
        hinge.springyield = plastic_moment(plate, stress) / rate


def plastic_moment(plate: Plate, stress: float) -> float:
    """Return the moment at which a plate's whole section yields, N m: 1.5 that at which its faces do."""
    return stress * plate.width * plate.thickness**2 / 4


def add_stiff_plate(spec: mujoco.MjSpec, plate: Plate, *, number: int, reach: float) -> mujoco.MjsBody:
    """Add a plate that does not bend, free, with a site of its name, as `add_flexible_plate` does."""
    name = f"plate{number}"
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint(name=name)
    body.add_site(name=name, size=[0.02, 0.02, 0.02])
    size = [plate.length / 2, plate.width / 2, plate.thickness / 2]
    add_box(body, size, plate.mass, number=number)
    add_parts(spec, body, LINK, [2 * v for v in size], name="plate whole")
    for foot, x, sides in zip(foot_names(number), foot_places(number, plate), ((-1, 1), (0,)), strict=True):
        _add_feet(body, plate, name=foot, x=float(x), sides=sides, reach=reach)
    label(spec, "plate", name, *foot_names(number))
    return body


def add_box(body: mujoco.MjsBody, size: list[float], mass: float, *, number: int) -> mujoco.MjsGeom:
    """Add the box of a plate or of a link, of half sizes (3,), m."""
    return body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=size, mass=mass, contype=top(number), conaffinity=0, group=HIDDEN
    )


def _add_feet(body: mujoco.MjsBody, plate: Plate, *, name: str, x: float, sides: Sequence[float], reach: float) -> None:
    number = int(name[len("plate")])
    below = GROUND | sum(top(n) for n in range(number + 1, PLATES + 1))
    feet = body.add_body(name=name, pos=[x, 0, _FOOT - plate.thickness / 2])
    weigh(feet, 1e-3, [1e-6, 1e-6, 1e-6])
    for side in sides:
        feet.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[_FOOT, 0, 0],
            pos=[0, side * _FEET_APART * plate.width, 0],
            mass=0,
            contype=0,
            conaffinity=below,
            gap=reach,
            group=HIDDEN,
        )


def add_pile(
    spec: mujoco.MjSpec, floor: mujoco.MjsBody, plate: Plate, *, name: str, pos: Array, height: float
) -> mujoco.MjsBody:
    """Add a pile that stays where it is, of plates on timber, with a site of its name in the middle of its top.

    Args:
        spec: the scene.
        floor: what it stands on.
        plate: of what size they are.
        name: of body and site.
        pos: of its middle on the floor (2,), m.
        height: of its top, m.
    """
    pile = floor.add_body(name=name, pos=[*pos, 0.0])
    pile.add_site(name=name, pos=[0, 0, height], size=[0.02, 0.02, 0.02])
    pile.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[plate.length / 2, plate.width / 2, height / 2],
        pos=[0, 0, height / 2],
        contype=GROUND,
        conaffinity=0,
        group=HIDDEN,
    )
    add_parts(spec, pile, PILE, (plate.length, plate.width, height), name=name)
    label(spec, "plates", name)
    return pile


def _link(length: float, width: float, thickness: float) -> Parts:
    """Return a piece of plate, its edges bright from the shears."""
    a, b, c = length / 2, width / 2, thickness / 2
    edges = [(0, s * (b - 0.002), 0, a, 0.004, c) for s in (-1, 1)]
    return [("scale", boxes([(0, 0, 0, a, b - 0.004, c)])), ("steel", boxes(edges))]


def _pile(length: float, width: float, height: float) -> Parts:
    """Return plates on timber, each a little off, and bright edges; the top one lies straight."""
    a, b, count = length / 2, width / 2, 6
    feet, step = 0.16, (height - 0.16) / count
    timber = [(x * a, 0, feet / 2, 0.08, b + 0.1, feet / 2) for x in (-0.8, -0.4, 0.0, 0.4, 0.8)]
    shift = [0.012 * ((3 * i) % 4 - 1.5) for i in range(count - 1)] + [0.0]
    layers = [(v, -v / 2, feet + step * (i + 0.5), a, b, 0.46 * step) for i, v in enumerate(shift)]
    return [("wood", boxes(timber)), ("steel", boxes(layers[:-1:2])), ("scale", boxes([*layers[1::2]]))]


def _place(length: float, width: float) -> Parts:
    """Return the mark on the floor round a pile."""
    a, b, line = length / 2 + 0.4, width / 2 + 0.4, 0.05
    edges = [(0, s * b, a + line, line) for s in (-1, 1)] + [(s * a, 0, line, b - line) for s in (-1, 1)]
    return [("yellow", plates(edges, 0.008))]


_SIZES = (6.0, 12.0), (1.5, 3.0)  # m, of plates
LINK = Kit(_link, (0.4, 12.0), (1.5, 3.0), (0.005, 0.041))
PILE, PLACE = Kit(_pile, *_SIZES, (0.3, 0.9)), Kit(_place, *_SIZES)
