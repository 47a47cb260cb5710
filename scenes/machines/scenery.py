"""What is only seen: parts in the paints of one palette, boxes without mass or contacts, and the sky.

A palette is one small texture with a cell for each paint. All parts of a body are one mesh whose corners point into the
cells: any number of parts and colours is one geom, and physics pays for geoms, not for triangles.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.machines.look import PaintParams, grey, painted
from scenes.shapes import Shape, add_mesh, add_picture, box, join
from sim.math import cross

Array = NDArray[np.floating]
Parts = Sequence[tuple[str, Shape]]  # name of a paint, shape in the body's frame

PAINTS = {
    "yellow": (0.96, 0.66, 0.06),  # RAL 1003, cranes
    "orange": (0.85, 0.33, 0.07),  # RAL 2004
    "red": (0.69, 0.13, 0.12),  # RAL 3001, signs of prohibition
    "green": (0.10, 0.47, 0.25),  # RAL 6024, walkways
    "blue": (0.10, 0.32, 0.55),  # RAL 5005, signs of duty
    "white": (0.90, 0.90, 0.87),  # RAL 9010, lines
    "black": (0.10, 0.10, 0.11),  # RAL 9005, hazard stripes
    "dark": (0.25, 0.26, 0.28),  # RAL 7024, machines
    "grey": (0.52, 0.54, 0.55),  # RAL 7042, columns
    "steel": (0.58, 0.60, 0.63),  # bare, rolled
    "bright": (0.74, 0.76, 0.79),  # bare, ground
    "scale": (0.38, 0.36, 0.36),  # hot rolled
    "rubber": (0.16, 0.15, 0.15),
    "wood": (0.50, 0.36, 0.21),
    "glass": (0.30, 0.40, 0.45),
    "lamp": (1.0, 1.0, 0.96),
    "wall": (0.82, 0.84, 0.85),  # by reflectance of walls
    "plinth": (0.60, 0.61, 0.61),  # the lower part of walls
    "concrete": (0.57, 0.57, 0.55),  # by reflectance of floors
}
_STROKES = [  # x, y, half width, half height of the strokes of a digit: top, right, right, bottom, left, left, middle
    (0.0, 0.43, 0.18, 0.07),
    (0.20, 0.22, 0.07, 0.19),
    (0.20, -0.22, 0.07, 0.19),
    (0.0, -0.43, 0.18, 0.07),
    (-0.20, -0.22, 0.07, 0.19),
    (-0.20, 0.22, 0.07, 0.19),
    (0.0, 0.0, 0.18, 0.07),
]
_SEGMENTS = (
    {"0": (0, 1, 2, 3, 4, 5), "1": (1, 2), "2": (0, 1, 3, 4, 6), "3": (0, 1, 2, 3, 6), "4": (1, 2, 5, 6)}
    | {
        "5": (0, 2, 3, 5, 6),
        "6": (0, 2, 3, 4, 5, 6),
        "7": (0, 1, 2),
        "8": (0, 1, 2, 3, 4, 5, 6),
        "9": (0, 1, 2, 3, 5, 6),
    }
    | {"t": (3, 4, 5, 6), " ": ()}
)
_MATERIAL = "paint"
_CELL = 4  # pixels a side: the mean of four of them is still one paint
_ORDER = tuple(PAINTS)
_BOX = box((1, 1, 1))


def add_paints(spec: mujoco.MjSpec, p: PaintParams, other: Mapping[str, Sequence[float]] | None = None) -> None:
    """Add the palette, once and before the first part: every paint as it looks after its years in the shop.

    Args:
        spec: the scene.
        p: wear.
        other: colours that replace those of `PAINTS`, by name, as they are.
    """
    wall, floor = grey(p.wall), grey(p.floor)
    plain = {"wall": wall * [0.97, 0.99, 1.0], "plinth": 0.72 * wall, "concrete": floor * [1.0, 0.99, 0.965]}
    colours = {name: painted(rgb, p) for name, rgb in PAINTS.items()} | plain | dict(other or {})
    row = np.repeat([np.clip(np.asarray(colours[name]), 0, 1) for name in _ORDER], _CELL, axis=0)
    pixels = np.rint(255 * np.broadcast_to(row, (_CELL, *row.shape))).astype(np.uint8)
    add_picture(spec, _MATERIAL, pixels)
    material = spec.add_material(name=_MATERIAL, specular=0.12, shininess=0.3)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = _MATERIAL


class Kit:
    """Parts that are made of the same pieces for any sizes, worked out once.

    A corner's place is taken to be linear in each size, as it is for boxes and rounds; a thin slanted bar's corners
    are out by less than its thickness.

    Args:
        make: sizes -> paints and shapes, in the body's frame; how many corners there are depends on nothing.
        ranges: low and high of each size.
    """

    def __init__(self, make: Callable[..., Parts], *ranges: tuple[float, float]) -> None:
        self.make, self.ranges = make, np.array(ranges).reshape(-1, 2)

    def at(self, sizes: Sequence[float]) -> Shape:
        """Return the parts at some sizes."""
        base, slopes, faces, _ = self._worked
        vertices, normals = (base + slopes @ (np.asarray(sizes, float) - self.ranges[:, 0])).reshape(2, -1, 3)
        return Shape(vertices, normals, faces)

    def add(self, spec: mujoco.MjSpec, name: str, sizes: Sequence[float]) -> None:
        """Add a mesh of the parts at some sizes."""
        add_mesh(spec, name, self.at(sizes), self._worked[3])

    @functools.cached_property
    def _worked(self) -> tuple[Array, Array, NDArray[np.int32], Array]:
        """Vertices, then normals, at the lowest sizes; how they change with each; and what depends on none."""
        low, high = self.ranges.T
        parts = self.make(*low)
        base = _flat(parts)
        changes = [_flat(self.make(*np.where(row, high, low))) - base for row in np.eye(len(low), dtype=bool)]
        slopes = np.reshape(changes, (len(low), len(base))).T / (high - low)
        cells = [((_ORDER.index(paint) + 0.5) / len(_ORDER), 0.5) for paint, _ in parts]
        texture = np.repeat(cells, [len(s.vertices) for _, s in parts], axis=0)
        return base, slopes, join(*(s for _, s in parts)).faces, texture


def _flat(parts: Parts) -> Array:
    """Return all vertices, then all normals of parts, flat."""
    return np.concatenate([s.vertices.ravel() for _, s in parts] + [s.normals.ravel() for _, s in parts])


def add_parts(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    kit: Kit,
    sizes: Sequence[float] = (),
    *,
    name: str,
    emission: float = 0.0,
) -> mujoco.MjsGeom:
    """Put parts on a body as one geom, to be seen and not touched; a scene has one mesh of a name.

    Args:
        spec: the scene.
        body: what they are fixed to.
        kit: the parts.
        sizes: of the kit.
        name: of the mesh; the parts of one that is there already are repeated.
        emission: share of their colour that they give off by themselves, for lamps and windows.
    """
    if spec.material(_MATERIAL) is None:
        add_paints(spec, PaintParams())
    if spec.mesh(name) is None:
        kit.add(spec, name, sizes)
    return _show(body, name, _MATERIAL if emission == 0.0 else _glowing(spec, emission))


def add_textured(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, shape: Shape, across: Array, *, name: str, material: str
) -> mujoco.MjsGeom:
    """Put a shape on a body, to be seen and not touched, with a texture that changes in one direction only.

    Args:
        spec: the scene.
        body: what it is fixed to.
        shape: in body's frame.
        across: (n,) where its vertices are on the texture, in widths of it.
        name: of the mesh; a scene's are all different.
        material: of the scene, with the texture.
    """
    add_mesh(spec, name, shape, np.stack([across, np.full(len(across), 0.5)], axis=-1))
    return _show(body, name, material)


def boxes(rows: ArrayLike) -> Shape:
    """Return many boxes as one shape: rows (n, 6) of centre and half size, m."""
    table = np.asarray(rows, float)
    vertices = table[:, None, :3] + table[:, None, 3:] * _BOX.vertices
    starts = len(_BOX.vertices) * np.arange(len(table))
    faces = _BOX.faces + starts[:, None, None]
    return Shape(vertices.reshape(-1, 3), np.tile(_BOX.normals, (len(table), 1)), faces.reshape(-1, 3).astype(np.int32))


def quads(corners: ArrayLike) -> Shape:
    """Return many rectangles as one shape, seen from one side: (n, 4, 3) corners, m, counter-clockwise from there."""
    table = np.asarray(corners, float)
    normals = cross(table[:, 1] - table[:, 0], table[:, 3] - table[:, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    faces = np.array([(0, 1, 2), (0, 2, 3)]) + 4 * np.arange(len(table))[:, None, None]
    return Shape(table.reshape(-1, 3), np.repeat(normals, 4, axis=0), faces.reshape(-1, 3).astype(np.int32))


def plates(rows: ArrayLike, height: float) -> Shape:
    """Return many rectangles that lie flat and are seen from above: rows (n, 4) of x, y, half length, half width, m."""
    x, y, a, b = np.asarray(rows, float).T
    z = np.full_like(x, height)
    corners = [(x - a, y - b, z), (x + a, y - b, z), (x + a, y + b, z), (x - a, y + b, z)]
    return quads(np.transpose(np.array(corners), (2, 0, 1)))


def bars(rows: ArrayLike, half: float, faces: int = 4) -> Shape:
    """Return many square bars without ends as one shape: rows (n, 6) of their two end points, m.

    Args:
        rows: end points.
        half: of their thickness, m.
        faces: 3 leaves out the upper one.
    """
    table = np.asarray(rows, float)
    start, end = table[:, :3], table[:, 3:]
    way = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
    up = np.where(np.abs(way[:, 2:]) > 0.99, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    side = cross(way, up)
    side *= half / np.linalg.norm(side, axis=-1, keepdims=True)
    top = cross(side, way)
    around = [side + top, top - side, -side - top, side - top]
    sides = [(start + a, end + a, end + b, start + b) for a, b in zip(around, [*around[1:], around[0]], strict=True)]
    return quads(np.transpose(np.array(sides[4 - faces :]), (0, 2, 1, 3)).reshape(-1, 4, 3))


@functools.cache
def _strokes(text: str) -> Array:
    """Return a number's strokes (n, 4, 2) as corners, one unit high and centred."""
    rows: list[list[tuple[float, float]]] = []
    for i, mark in enumerate(text):
        middle = 0.75 * (i - (len(text) - 1) / 2)
        for j in _SEGMENTS[mark]:
            x, y, a, b = _STROKES[j]
            rows.append([(middle + x + s * a, y + t * b) for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    return np.array(rows)


def digits(text: str, centre: ArrayLike, right: ArrayLike, up: ArrayLike, height: float) -> Shape:
    """Return a number, or a t, in stencil strokes.

    Args:
        text: digits, spaces and t.
        centre: of the whole (3,), m.
        right: unit vector (3,) along the line, as read.
        up: unit vector (3,) up the line.
        height: of the letters, m.
    """
    flat = height * _strokes(text)
    return quads(np.asarray(centre, float) + flat[..., :1] * np.asarray(right) + flat[..., 1:] * np.asarray(up))


def _show(body: mujoco.MjsBody, name: str, material: str) -> mujoco.MjsGeom:
    return body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=material, mass=0, contype=0, conaffinity=0
    )


def _glowing(spec: mujoco.MjSpec, emission: float) -> str:
    name = f"{_MATERIAL} {emission:g}"
    if spec.material(name) is None:
        material = spec.add_material(name=name, emission=emission, specular=0.0)
        material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = _MATERIAL
    return name
