"""Cast and turned parts that are only seen: housings of joints, tubes between them, beams; in two colours.

Rule: a part is data (`Part`), so that a kind of arm can be written down; `castings` makes the shapes.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scenes import shapes
from scenes.machines.arm_types import Part
from scenes.shapes import Shape

SIDES = 16  # of what is round: a third of a pixel off where it is 20 pixels wide
_SMALL = 0.049  # m, radius
_CREASE = math.cos(math.radians(40.0))  # edges that are sharper are seen as edges


@functools.cache
def castings(parts: tuple[Part, ...]) -> dict[str, Shape]:
    """Return the shapes of a body's parts, in its frame: "shell", painted metal; "trim", dark caps, seams and hoses."""
    found: dict[str, list[Shape]] = {"shell": [], "trim": []}
    for part in parts:
        for some, new in zip(found.values(), _MAKERS[part.kind](part), strict=True):
            some += new
    return {colour: shapes.join(*some) for colour, some in found.items() if some}


def turned(profile: Sequence[tuple[float, float]], start: ArrayLike, end: ArrayLike, sides: int = 0) -> Shape:
    """Turn a profile of (radius, distance from start), m, about the line from one point to another; smooth.

    Without a number of sides it has as many as its size asks for.
    """
    sides = sides or (SIDES if max(r for r, _ in profile) > _SMALL else SIDES - 4)
    a, way = np.array(start), np.subtract(end, start)
    upright = _soften(shapes.revolve(profile, sides))
    return shapes.place(upright, a, shapes.turn_z_to(way))


def pipe(radius: float, start: ArrayLike, end: ArrayLike, sides: int = 8) -> Shape:
    """Return a cylinder without ends between two points (3,), m."""
    return turned([(radius, 0.0), (radius, float(np.linalg.norm(np.subtract(end, start))))], start, end, sides)


def post(radius: float, start: ArrayLike, end: ArrayLike, sides: int = 8) -> Shape:
    """Return a cylinder that stands on something: without the end it stands on."""
    high = float(np.linalg.norm(np.subtract(end, start)))
    return turned([(radius, 0.0), (radius, high), (0.0, high)], start, end, sides)


def blocks(*what: Sequence[float]) -> Shape:
    """Return boxes, each by its least and greatest x, y and z, m."""
    spans = np.reshape(what, (-1, 3, 2))
    middles, halves = spans.mean(axis=-1), (spans[..., 1] - spans[..., 0]) / 2
    return shapes.join(*(shapes.box(half, middle) for half, middle in zip(halves, middles, strict=True)))


def _soften(shape: Shape) -> Shape:
    """Return a shape whose faces share their normals where they meet at under 40 degrees, so that it looks round."""
    _, group = np.unique(np.round(shape.vertices, 7), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    normals = shape.normals.copy()
    for same in np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1):
        near = shape.normals[same] @ shape.normals[same].T > _CREASE
        total = near @ shape.normals[same]
        normals[same] = total / np.linalg.norm(total, axis=1, keepdims=True)
    return shape._replace(normals=normals)


def _slab(radii: tuple[float, float], length: float, low: float, high: float, edge: float) -> Shape:
    """Return a beam along x between two upright round ends, with bevelled upper and lower edges, m."""
    rings = [(low, edge), (low + edge, 0.0), (high - edge, 0.0), (high, edge)]
    outlines = [_stadium(radii[0] - inset, radii[1] - inset, length, z) for z, inset in rings]
    n = len(outlines[0])
    centre = [np.array([[length / 2, 0.0, z]]) for z in (low, high)]
    points = np.concatenate([*outlines, *centre])
    i, j = np.arange(n), (np.arange(n) + 1) % n
    walls = [np.stack([k * n + i, k * n + j, k * n + n + j], -1) for k in range(3)]
    walls += [np.stack([k * n + i, k * n + n + j, k * n + n + i], -1) for k in range(3)]
    lids = [np.stack([np.full(n, 4 * n), j, i], -1), np.stack([np.full(n, 4 * n + 1), 3 * n + i, 3 * n + j], -1)]
    return _facets(points, np.concatenate([*walls, *lids]))


def _facets(points: np.ndarray, faces: np.ndarray) -> Shape:
    """Return a shape of triangles (m, 3) of points (n, 3); smooth where they meet flatly."""
    return _soften(shapes.facet(Shape(points, points, faces.astype(np.int32))))


def _stadium(near: float, far: float, length: float, z: float) -> np.ndarray:
    half = SIDES // 2
    angle = np.linspace(-math.pi / 2, math.pi / 2, half)
    lean = math.asin((near - far) / length)  # the flanks touch both ends
    a, b = angle * (1 - 2 * lean / math.pi), math.pi + angle * (1 + 2 * lean / math.pi)
    ends = [(length + far * np.cos(a), far * np.sin(a)), (near * np.cos(b), near * np.sin(b))]
    return np.concatenate([np.stack([x, y, np.full(half, z)], -1) for x, y in ends])


def _housing(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a joint's housing: it starts at the seam to the next link and ends in a cap."""
    r, length = part.radius, math.dist(part.start, part.end)
    e = 0.16 * r
    wall = [(r, 0.0), (r, length - 1.6 * e), (0.95 * r, length - 0.5 * e), (0.84 * r, length)]
    lid = [(0.84 * r, length - 0.02 * r), (0.79 * r, length + 0.07 * r), (0.0, length + 0.12 * r)]
    shell, trim = turned(wall, part.start, part.end), turned(lid, part.start, part.end)
    return [shell], [trim, _seam(part, r)]


def _stub(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a neck that ends in a flange, where the next link's seam is."""
    r, length = part.radius, math.dist(part.start, part.end)
    f = max(0.06 * r, length - 0.30 * r)
    profile = [(0.95 * r, 0.0), (0.95 * r, f), (r, f + 0.02 * r), (r, length)]
    return [turned(profile, part.start, part.end)], []


def _tube(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a cast tube that narrows to its middle and flares at its ends."""
    a, b, length = part.radius, part.far or part.radius, math.dist(part.start, part.end)
    waist = 0.86
    knots = [(a, 0.0), (0.97 * a, 0.14), (waist * a, 0.36), (waist * b, 0.74), (b, 1.0)]
    return [turned([(r, t * length) for r, t in knots], part.start, part.end)], []


def _barrel(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a housing with a cap at both ends."""
    middle = tuple((a + b) / 2 for a, b in zip(part.start, part.end, strict=True))
    halves = [_housing(part._replace(start=middle, end=end)) for end in (part.start, part.end)]
    trims = [half[1][0] for half in halves]
    return [half[0][0] for half in halves], trims


def _foot(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn the base: a bolted flange, the housing on it, and a box of connectors behind."""
    r, length = part.radius, math.dist(part.start, part.end)
    profile = [(1.45 * r, 0.0), (1.45 * r, 0.20 * r), (1.16 * r, 0.24 * r), (1.05 * r, 0.5 * r)]
    shell = turned([*profile, (r, length)], part.start, part.end)
    plugs = shapes.box((0.28 * r, 0.45 * r, 0.22 * r), (-1.15 * r, 0.0, 0.55 * r))
    cables = [pipe(0.09 * r, (-1.3 * r, y, 0.55 * r), (-1.75 * r, y, 0.45 * r), 6) for y in (-0.2 * r, 0.2 * r)]
    heads = [
        post(0.09 * r, (1.29 * r * math.cos(t), 1.29 * r * math.sin(t), 0.19 * r),
                        (1.29 * r * math.cos(t), 1.29 * r * math.sin(t), 0.32 * r), 6)
        for t in np.arange(8) * math.pi / 4 + math.pi / 8
    ]  # fmt: skip
    return [shell], [plugs, *cables, *heads]


def _disc(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a tool flange or a plain dark cylinder with broken edges."""
    r, length = part.radius, math.dist(part.start, part.end)
    e = min(0.1 * r, 0.3 * length)
    profile = [(0.0, 0.0), (r - e, 0.0), (r, e), (r, length - e), (r - e, length), (0.0, length)]
    return [], [turned(profile, part.start, part.end)]


def _rod(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Turn a ground shaft."""
    return [shapes.cylinder(part.radius, part.start, part.end, 16)], []


def _hose(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Lay a cable hose straight from a point to another, held by two clamps of the far radius."""
    a, b = np.array(part.start), np.array(part.end)
    out = [post(part.radius, a, b, 6)]
    for t in (0.12, 0.5, 0.88):
        at, half = a + t * (b - a), 0.35 * part.far * (b - a) / np.linalg.norm(b - a)
        out.append(shapes.cylinder(part.far, at - half, at + half, 6))
    return [], out


def _beam(part: Part) -> tuple[list[Shape], list[Shape]]:
    """Cast a beam along x: radius and far are those of its upright ends, z from start to end."""
    length = part.end[0] - part.start[0]
    beam = _slab((part.radius, part.far), length, part.start[2], part.end[2], 0.18 * part.far)
    return [shapes.place(beam, (part.start[0], part.start[1], 0.0))], []


def _seam(part: Part, r: float) -> Shape:
    """Return the dark ring over the gap between a stub and a housing; its sides lie outside their corners."""
    about = 1.005 * r / math.cos(math.pi / (SIDES if r > _SMALL else SIDES - 4))
    return turned([(about, -0.05 * r), (about, 0.05 * r)], part.start, part.end)


_MAKERS = {
    "housing": _housing,
    "stub": _stub,
    "tube": _tube,
    "barrel": _barrel,
    "foot": _foot,
    "disc": _disc,
    "rod": _rod,
    "hose": _hose,
    "beam": _beam,
}
