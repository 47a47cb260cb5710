"""Depth and segmentation without OpenGL: one ray through each pixel, exact to the shapes that physics knows.

Ropes are no geoms: the tendons' capsules are met by a formula of their own. Colours cannot be had this way.
"""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.cameras import rays

Array = NDArray[Any]

_GROUPS = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # what is seen
_FAR = 1e6  # m


class Ropes(NamedTuple):
    """The straight pieces of a scene's tendons, as they hang now.

    Attributes:
        start: (n, 3), m, world.
        end: (n, 3), m, world.
        radius: (n,), m.
        tendon: (n,) its number.
    """

    start: Array
    end: Array
    radius: Array
    tendon: NDArray[np.intp]


def cast(
    model: mujoco.MjModel, data: mujoco.MjData, camera: int, size: tuple[int, int], focal: float
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Look along the rays of a camera.

    Args:
        model: the scene.
        data: its state, with kinematics, cameras and tendons worked out.
        camera: its number.
        size: pixels across and down.
        focal: in pixels.

    Returns:
        Depth along the optical axis (height, width), m, infinite where nothing is; and what is there: 1 + body,
        1 + nbody + tendon, 0 for nothing.
    """
    width, height = size
    frame = data.cam_xmat[camera].reshape(3, 3) * [1.0, -1.0, -1.0]
    ways = rays(width, height, focal) @ frame.T
    eye = data.cam_xpos[camera].copy()
    depth, geom = np.empty(len(ways)), np.empty(len(ways), np.int32)
    mujoco.mj_multiRay(model, data, eye, ways.ravel(), _GROUPS, True, -1, geom, depth, None, len(ways), _FAR)  # noqa: FBT003
    depth = np.where(geom < 0, np.inf, depth)
    thing = np.where(geom < 0, 0, 1 + model.geom_bodyid[geom])
    for start, end, radius, tendon in zip(*ropes(model, data), strict=True):
        near = _rays_near(np.array([start, end]) - eye, frame, float(radius), size, focal)
        met = _meet_capsule(eye, ways[near], start, end, float(radius))
        nearer = near[met < depth[near]]
        depth[nearer], thing[nearer] = met[met < depth[near]], 1 + model.nbody + tendon
    return depth.reshape(height, width), thing.reshape(height, width).astype(np.int32)


def ropes(model: mujoco.MjModel, data: mujoco.MjData) -> Ropes:
    """Return the straight pieces of all tendons that are seen; data's tendons must be worked out."""
    points = data.wrap_xpos.reshape(-1, 3)
    starts: list[int] = []
    which: list[int] = []
    for i in range(model.ntendon):
        if model.tendon_group[i] < 3 and model.tendon_rgba[i, 3] > 0:
            pieces = range(data.ten_wrapadr[i], data.ten_wrapadr[i] + data.ten_wrapnum[i] - 1)
            starts += pieces
            which += [i] * len(pieces)
    at, tendon = np.array(starts, np.intp), np.array(which, np.intp)
    return Ropes(points[at], points[at + 1], model.tendon_width[tendon], tendon)


def _rays_near(ends: Array, frame: Array, radius: float, size: tuple[int, int], focal: float) -> NDArray[np.intp]:
    """Return the numbers of the rays that may meet a capsule whose ends (2, 3) are given from the eye."""
    every = np.arange(size[0] * size[1]).reshape(size[1], size[0])
    seen = ends @ frame
    if seen[:, 2].min() <= 2 * radius:  # an end beside or behind the eye may be anywhere in the picture
        return every.ravel()
    pixels = seen[:, :2] / seen[:, 2:] * focal + (np.array(size) - 1) / 2
    margin = 2 + 2 * radius * focal / seen[:, 2].min()
    low = np.maximum(np.floor(pixels.min(axis=0) - margin), 0).astype(int)
    high = np.maximum(np.ceil(pixels.max(axis=0) + margin) + 1, 0).astype(int)
    return every[low[1] : high[1], low[0] : high[0]].ravel()


def _meet_capsule(eye: Array, ways: Array, start: Array, end: Array, radius: float) -> Array:
    """Return how far along its way (n,) each ray meets a capsule, infinite where it does not."""
    axis = end - start
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return _meet_sphere(eye, ways, start, radius)
    axis = axis / length
    across, from_start = ways - (ways @ axis)[:, None] * axis, eye - start
    off = from_start - (from_start @ axis) * axis
    met = _nearest_root(np.sum(across * across, axis=1), across @ off, float(off @ off) - radius**2)
    with np.errstate(invalid="ignore"):
        along = from_start @ axis + np.where(np.isfinite(met), met, 0.0) * (ways @ axis)
    side = np.where((along >= 0) & (along <= length), met, np.inf)
    ends = np.minimum(_meet_sphere(eye, ways, start, radius), _meet_sphere(eye, ways, end, radius))
    return np.minimum(side, ends)


def _meet_sphere(eye: Array, ways: Array, centre: Array, radius: float) -> Array:
    off = eye - centre
    return _nearest_root(np.sum(ways * ways, axis=1), ways @ off, float(off @ off) - radius**2)


def _nearest_root(a: Array, b: Array, c: float) -> Array:
    """Return the least positive root (n,) of a t2 + 2 b t + c, infinite where there is none; c > 0: eye outside."""
    inside = b * b - a * c
    good = (inside > 0) & (b < 0) & (a > 0)
    return np.where(good, (-b - np.sqrt(np.where(good, inside, 0.0))) / np.where(good, a, 1.0), np.inf)
