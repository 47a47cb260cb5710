"""Rotations and angles on arrays with any leading axes; quaternions are wxyz, angles radians."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


_AFTER, _BEFORE = [1, 2, 0], [2, 0, 1]


def cross(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the vector product (..., 3); numpy's takes five times as long for one vector."""
    u, v = np.asarray(a, float), np.asarray(b, float)
    return u[..., _AFTER] * v[..., _BEFORE] - u[..., _BEFORE] * v[..., _AFTER]


def axis_angle_quat(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Return the quaternion (..., 4) of a turn by angle (...) about a unit axis (..., 3)."""
    half = 0.5 * np.asarray(angle, float)[..., None]
    return np.concatenate([np.cos(half), np.sin(half) * np.asarray(axis, float)], axis=-1)


def multiply_quat(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the product (..., 4) of two quaternions: first b, then a."""
    aw, av = np.split(np.asarray(a, float), [1], axis=-1)
    bw, bv = np.split(np.asarray(b, float), [1], axis=-1)
    w = aw * bw - np.sum(av * bv, axis=-1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + cross(av, bv)], axis=-1)


def rotate(quat: ArrayLike, vector: ArrayLike) -> Array:
    """Rotate vectors (..., 3) by unit quaternions (..., 4)."""
    q, v = np.asarray(quat, float), np.asarray(vector, float)
    w, u = q[..., :1], q[..., 1:]
    t = 2.0 * cross(u, v)
    return v + w * t + cross(u, t)


def tilt(xmat: ArrayLike, axis: int = 2) -> Array:
    """Return the angle (...) between a frame's axis and the same axis of the world.

    Args:
        xmat: rotation matrices (..., 9), row by row, as MuJoCo's xmat.
        axis: 0, 1 or 2.
    """
    return np.arccos(np.clip(np.asarray(xmat, float)[..., 4 * axis], -1.0, 1.0))


def wrap(angle: ArrayLike) -> Array:
    """Bring angles (...) into [-pi, pi)."""
    return (np.asarray(angle, float) + np.pi) % (2 * np.pi) - np.pi
