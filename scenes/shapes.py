"""Shapes that are only seen: boxes, turned and extruded parts, joined into one mesh for each material.

A mesh costs physics nothing where it is not touched: a hundred boxes in one mesh are one geom. Faces of an edge do not
share corners, so that edges look sharp; the corners of a round side share their normal, so that it looks round.
"""

import itertools
import math
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.math import cross, rotate

Array = NDArray[np.floating]

_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


class Shape(NamedTuple):
    """Triangles.

    Attributes:
        vertices: (n, 3), m.
        normals: (n, 3), outwards.
        faces: (m, 3) numbers of vertices, counter-clockwise from outside.
    """

    vertices: Array
    normals: Array
    faces: NDArray[np.int32]


def box(size: Sequence[float], pos: ArrayLike = (0, 0, 0), quat: ArrayLike = (1, 0, 0, 0)) -> Shape:
    """Return a box of half sizes (3,), m."""
    corners = _CORNERS * np.asarray(size, float)
    return place(join(*(_polygon(corners[list(side)]) for side in _SIDES)), pos, quat)


def revolve(profile: Sequence[tuple[float, float]], sides: int = 32) -> Shape:
    """Turn a profile of (radius, z) points, m, from the lower end to the upper, about z; each piece has sharp ends."""
    ends = np.array([(a, b) for a, b in itertools.pairwise(profile) if a != b], float)  # piece, end, (radius, z)
    way = ends[:, 1] - ends[:, 0]
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    angle = np.linspace(0.0, 2 * math.pi, sides + 1)
    vertices, normals = np.empty((2, len(ends), 2, sides + 1, 3))
    for i, around in enumerate((np.cos(angle), np.sin(angle))):
        vertices[..., i], normals[..., i] = ends[:, :, :1] * around, way[:, None, 1:] * around
    vertices[..., 2], normals[..., 2] = ends[:, :, 1:], -way[:, None, :1]
    a = np.arange(sides) + 2 * (sides + 1) * np.arange(len(ends))[:, None]
    b = a + sides + 1
    lower = np.stack([a, a + 1, b + 1], axis=-1)[ends[:, 0, 0] > 0]
    upper = np.stack([a, b + 1, b], axis=-1)[ends[:, 1, 0] > 0]
    faces = np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.int32)
    return Shape(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces)


def cylinder(radius: float, start: ArrayLike, end: ArrayLike, sides: int = 32) -> Shape:
    """Return a cylinder with ends between two points (3,), m."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    way = b - a
    length = float(np.linalg.norm(way))
    upright = revolve([(0.0, 0.0), (radius, 0.0), (radius, length), (0.0, length)], sides)
    return place(upright, a, turn_z_to(way))


def extrude(outline: Sequence[tuple[float, float]], height: float) -> Shape:
    """Raise a convex outline of (x, y) points, m, counter-clockwise, from z 0 to a height, m."""
    low = np.array([(x, y, 0.0) for x, y in outline])
    high = low + np.array([0.0, 0.0, height])
    following = np.roll(np.arange(len(low)), -1)
    walls = [_polygon(np.array([low[i], low[j], high[j], high[i]])) for i, j in enumerate(following)]
    return join(_polygon(low[::-1]), _polygon(high), *walls)


def ring(outer: float, inner: float, height: float, sides: int = 48) -> Shape:
    """Return a tube about z from z 0 to a height, m, with its ends."""
    return revolve([(inner, height), (inner, 0.0), (outer, 0.0), (outer, height), (inner, height)], sides)


def place(shape: Shape, pos: ArrayLike = (0, 0, 0), quat: ArrayLike = (1, 0, 0, 0)) -> Shape:
    """Turn a shape, then move it."""
    moved = rotate(quat, shape.vertices) + np.asarray(pos, float)
    return Shape(moved, rotate(quat, shape.normals), shape.faces)


def facet(shape: Shape) -> Shape:
    """Return a shape whose faces look flat: no two share a corner."""
    corners = shape.vertices[shape.faces]
    normal = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    numbers = np.arange(3 * len(shape.faces), dtype=np.int32).reshape(-1, 3)
    return Shape(corners.reshape(-1, 3), np.repeat(normal, 3, axis=0), numbers)


def join(*shapes: Shape) -> Shape:
    """Return several shapes as one."""
    starts = np.cumsum([0, *(len(s.vertices) for s in shapes[:-1])])
    return Shape(
        np.concatenate([s.vertices for s in shapes]),
        np.concatenate([s.normals for s in shapes]),
        np.concatenate([s.faces + start for s, start in zip(shapes, starts, strict=True)]).astype(np.int32),
    )


def add_shape(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    shape: Shape,
    *,
    name: str,
    rgba: Sequence[float] = (1, 1, 1, 1),
    material: str = "",
) -> mujoco.MjsGeom:
    """Put a shape on a body, to be seen and not touched.

    Args:
        spec: the scene.
        body: what it is fixed to.
        shape: in body's frame.
        name: of the mesh; a scene's are all different.
        rgba: its colour, where it has no material.
        material: of the scene.
    """
    add_mesh(spec, name, shape)
    geom = body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, mass=0, contype=0, conaffinity=0, rgba=rgba)
    if material:
        geom.material = material
    return geom


def add_mesh(spec: mujoco.MjSpec, name: str, shape: Shape, texture: Array | None = None) -> None:
    """Add a shape to a scene's meshes, to be seen only.

    Args:
        spec: the scene.
        name: of the mesh; a scene's are all different.
        shape: what it is.
        texture: (n, 2) where its vertices are on a texture, in widths and heights of it; None for no texture.
    """
    mesh = spec.add_mesh(name=name, file=f"{name}.msh")
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL  # the shape need not be closed
    spec.assets[mesh.file] = _to_msh(shape, texture)


def add_picture(spec: mujoco.MjSpec, name: str, pixels: NDArray[np.uint8]) -> mujoco.MjsTexture:
    """Add pixels (H, W, 3) to a scene's textures."""
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, file=f"{name}.png")
    spec.assets[texture.file] = _to_png(pixels)
    return texture


def turn_z_to(way: ArrayLike) -> Array:
    """Return the quaternion (4,) that turns z to the direction of a vector (3,)."""
    x, y, z = np.asarray(way, float) / np.linalg.norm(way)
    if z < -1 + 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    quat = np.array([1.0 + z, -y, x, 0.0])
    return quat / np.linalg.norm(quat)


def _to_msh(shape: Shape, texture: Array | None) -> bytes:
    """Return a file of MuJoCo's binary mesh format: it is read ten times faster than lists are handed over."""
    parts = [shape.vertices, shape.normals, np.zeros((0, 2)) if texture is None else texture]
    counts = [len(part) for part in parts] + [len(shape.faces)]
    floats = [np.asarray(part, "<f4").tobytes() for part in parts]
    return b"".join([np.array(counts, "<i4").tobytes(), *floats, np.asarray(shape.faces, "<i4").tobytes()])


def _to_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG file (ISO/IEC 15948): no filter, little compression."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _polygon(corners: Array) -> Shape:
    """Return a flat convex polygon, corners counter-clockwise from outside."""
    normal = cross(corners[1] - corners[0], corners[2] - corners[0])
    n = len(corners)
    fan = np.array([(0, i, i + 1) for i in range(1, n - 1)], np.int32)
    return Shape(np.array(corners, float), np.tile(normal / np.linalg.norm(normal), (n, 1)), fan)
