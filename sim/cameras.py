"""Cameras: what a task puts into its scene, and the geometry that goes with a picture.

A camera belongs to a scene and has a real one's numbers: focal length, sensor size, pixels, and the range that its
depth is measured in. Pixels are square and the principal point is in the middle. A picture of another shape is the
largest centred part of the sensor's.

Convention "opencv": in a camera's frame x points right, y down and z ahead; the centre of the pixel in column u and
row v is at (u, v), so that the centre of the top left one is at (0, 0).
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.errors import RenderError, nearest, unknown
from sim.math import cross
from sim.texts import texts

Array = NDArray[Any]

KINDS = ("rgb", "depth", "segmentation")
LEVELS = 65535  # of a depth: 0 is nothing in range, LEVELS the far end of the range
MAX_PIXELS = 4096  # across or down
_OPENCV = np.array([1.0, -1.0, -1.0])  # MuJoCo's cameras look along -z and have y up
_CLASS = "class:"
_BACKGROUND, _UNLABELLED = "background", "structure"


class Lens(NamedTuple):
    """A camera's numbers, as its data sheet has them.

    Attributes:
        focal: focal length, m.
        sensor: width and height, m.
        resolution: pixels across and down.
        near: what is nearer is not seen, m.
        far: the end of the range of depth, m; what is beyond has no depth, but is seen.
    """

    focal: float
    sensor: tuple[float, float]
    resolution: tuple[int, int]
    near: float
    far: float


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What is asked of one camera.

    Attributes:
        camera: its name.
        width: pixels across.
        height: pixels down.
        kinds: of `KINDS`.
    """

    camera: str
    width: int = 128
    height: int = 128
    kinds: tuple[str, ...] = ("rgb",)

    def __post_init__(self) -> None:
        for size in (self.width, self.height):
            if not 1 <= size <= MAX_PIXELS:
                raise RenderError(f"camera {self.camera!r}: a picture has 1 to {MAX_PIXELS} pixels a side, got {size}")
        for kind in self.kinds:
            if kind not in KINDS:
                raise RenderError(f"camera {self.camera!r}: no kind of picture {kind!r}{nearest(kind, KINDS)}")
        if not self.kinds:
            raise RenderError(f"camera {self.camera!r}: no kind of picture is asked for; known: {', '.join(KINDS)}")


class Segment(NamedTuple):
    """A thing that a segmentation tells apart: a body or a rope.

    Attributes:
        name: of the body or tendon in the scene.
        label: its class: "coil", "robot" ...
    """

    name: str
    label: str


def add_camera(body: mujoco.MjsBody, name: str, lens: Lens, pos: ArrayLike, target: ArrayLike) -> mujoco.MjsCamera:
    """Add a camera that looks from a point to another with the world's (or body's) z upright in the picture.

    Args:
        body: what it is fixed to.
        name: its name.
        lens: its numbers.
        pos: where it is (3,), m, in body.
        target: what it looks at (3,), m, in body; straight up or down, the picture's top is body's y.
    """
    eye, seen = np.asarray(pos, float), np.asarray(target, float)
    back = (eye - seen) / np.linalg.norm(eye - seen)
    up = np.array([0.0, 0.0, 1.0]) if abs(back[2]) < 0.9999 else np.array([0.0, 1.0, 0.0])
    right = cross(up, back)
    right /= np.linalg.norm(right)
    camera = body.add_camera(name=name, pos=eye)
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
    camera.alt.xyaxes = [*right, *cross(back, right)]
    camera.focal_length = [lens.focal, lens.focal]
    camera.sensor_size = list(lens.sensor)
    camera.resolution = list(lens.resolution)
    camera.userdata = [lens.near, lens.far]
    return camera


def label(spec: mujoco.MjSpec, name: str, *bodies: str) -> None:
    """Say what class bodies are of, and all that hangs on them and has no class of its own."""
    found = next((t for t in spec.texts if t.name == _CLASS + name), None)
    if found is None:
        found = spec.add_text(name=_CLASS + name, data="")
    found.data = " ".join([*found.data.split(), *bodies])


def camera_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the names of a model's cameras."""
    return tuple(model.camera(i).name for i in range(model.ncam))


def camera_id(model: mujoco.MjModel, name: str) -> int:
    """Return a camera's number.

    Raises:
        UnknownNameError: the scene has no such camera.
    """
    found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
    if found < 0:
        raise unknown("camera", name, camera_names(model))
    return found


def intrinsics(model: mujoco.MjModel, name: str, width: int, height: int) -> NDArray[np.float64]:
    """Return K (3, 3), pixels, of a camera's pictures of a size."""
    i = camera_id(model, name)
    across, down = model.cam_sensorsize[i].tolist()
    if down > 0:
        focal = float(model.cam_intrinsic[i, 0]) * max(width / across, height / down)
    else:
        focal = height / 2 / np.tan(np.radians(model.cam_fovy[i]) / 2)
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])


def depth_range(model: mujoco.MjModel, name: str) -> tuple[float, float]:
    """Return the nearest that is seen and the farthest that has a depth, m."""
    i = camera_id(model, name)
    if model.nuser_cam >= 2 and model.cam_user[i, 1] > 0:
        return float(model.cam_user[i, 0]), float(model.cam_user[i, 1])
    return float(model.vis.map.znear * model.stat.extent), LEVELS * 1e-3


def camera_pose(data: mujoco.MjData, number: int) -> NDArray[np.float64]:
    """Return T_world_cam (4, 4): from a camera's frame to the world's, m, convention "opencv"."""
    return poses(data.cam_xpos[number], data.cam_xmat[number])


def poses(position: Array, frame: Array) -> NDArray[np.float64]:
    """Return T_world_cam (..., 4, 4) of places (..., 3) and orientations (..., 9) as MuJoCo's cam_xpos and cam_xmat."""
    out = np.zeros((*position.shape[:-1], 4, 4))
    out[..., :3, :3] = frame.reshape(*frame.shape[:-1], 3, 3) * _OPENCV
    out[..., :3, 3], out[..., 3, 3] = position, 1.0
    return out


def project(points: ArrayLike, k: ArrayLike, t_world_cam: ArrayLike) -> NDArray[np.float64]:
    """Return where points are seen.

    Args:
        points: (..., 3), m, world.
        k: K (3, 3).
        t_world_cam: T_world_cam (4, 4).

    Returns:
        (..., 3): column and row in pixels, and depth along the optical axis, m, negative behind the camera.
    """
    pose, matrix = np.asarray(t_world_cam, float), np.asarray(k, float)
    seen = (np.asarray(points, float) - pose[:3, 3]) @ pose[:3, :3]
    depth = seen[..., 2:]
    pixels = seen[..., :2] / depth * matrix[[0, 1], [0, 1]] + matrix[:2, 2]
    return np.concatenate([pixels, depth], axis=-1)


def quantize_depth(metres: Array, far: float) -> NDArray[np.uint16]:
    """Return depths (...) as numbers of far / LEVELS; 0 where there is nothing in range: not finite, or beyond far."""
    with np.errstate(invalid="ignore"):
        good = (metres > 0) & (metres <= far)
        return np.where(good, np.rint(metres * metres.dtype.type(LEVELS / far)), 0).astype(np.uint16)


def segments(model: mujoco.MjModel) -> tuple[Segment, ...]:
    """Return what the numbers in a segmentation mean: 0 the background, then the bodies, then the tendons."""
    classes: dict[str, str] = {}
    for name, bodies in texts(model).items():
        if name.startswith(_CLASS):
            classes |= {body: name.removeprefix(_CLASS) for body in bodies.split()}
    found = [Segment(_BACKGROUND, _BACKGROUND)]
    labels: list[str] = []
    for i in range(model.nbody):
        name = model.body(i).name or f"body {i}"
        labels.append(classes.get(name, labels[model.body_parentid[i]] if i else _UNLABELLED))
        found.append(Segment(name, labels[-1]))
    tendons = [model.tendon(i).name for i in range(model.ntendon)]
    return (*found, *(Segment(name, classes.get(name, "rope")) for name in tendons))


def visible(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Return which geoms (ngeom,) are seen: those of groups 0 to 2 that are not clear as glass."""
    alpha = np.where(model.geom_matid >= 0, model.mat_rgba[model.geom_matid, 3] if model.nmat else 1.0, 1.0)
    return (model.geom_group < 3) & (model.geom_rgba[:, 3] * alpha > 0)


@functools.lru_cache(maxsize=64)
def rays(width: int, height: int, focal: float) -> NDArray[np.float64]:
    """Return the way from the camera through each pixel (height * width, 3), 1 m ahead; convention "opencv"."""
    u, v = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return np.array(np.stack([u / focal, v / focal, np.ones_like(u)], axis=-1).reshape(-1, 3), np.float64)
