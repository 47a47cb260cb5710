"""What is drawn of a dataset: which cameras of which task, how; and whether that can be done here.

Everything is checked before anything runs. Nothing here determines physics.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mujoco

from generators.config import CameraConfig, ConfigError
from generators.media.codecs import check_encoding
from sim import parameters
from sim.cameras import View, camera_names
from sim.engine import scenario
from sim.errors import GenbaError, RenderError, nearest
from sim.task import Task

_ROUNDED = 1e-4  # 6.6667 Hz is a third of 20 Hz


class DrawError(GenbaError, RuntimeError):
    """Pictures that cannot be drawn on this machine."""

    exit_code = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Shot:
    """How one camera of a task is recorded.

    Attributes:
        camera: its name.
        width: pixels across.
        height: pixels down.
        stride: every how many control steps there is a picture; the first is at step 0.
        rate_hz: pictures per second.
        kinds: rgb, depth, segmentation.
        preset: how colours are drawn.
        encoding: how rgb is stored.
    """

    camera: str
    width: int
    height: int
    stride: int
    rate_hz: float
    kinds: tuple[str, ...]
    preset: str
    encoding: str

    @property
    def view(self) -> View:
        """What is asked of the renderer."""
        return View(self.camera, self.width, self.height, self.kinds)

    def to_json(self) -> dict[str, Any]:
        """Return all but the camera's name as plain data."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k != "camera"} | {"kinds": list(self.kinds)}


def shot_from_json(camera: str, data: Mapping[str, Any]) -> Shot:
    """Make what `Shot.to_json` came from; unknown keys are ignored.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another type.
        ValueError: as for TypeError, or a camera that no file can be named after.
    """
    if "/" in camera:
        raise ValueError(f"a camera's name has no '/', got {camera!r:.60}")
    return Shot(
        camera,
        width=int(data["width"]),
        height=int(data["height"]),
        stride=int(data["stride"]),
        rate_hz=float(data["rate_hz"]),
        kinds=tuple(str(kind) for kind in data["kinds"]),
        preset=str(data["preset"]),
        encoding=str(data["encoding"]),
    )


def make_shots(task: Task, name: str, cameras: Mapping[str, CameraConfig]) -> tuple[Shot, ...]:
    """Work out what is asked of a task's cameras.

    Args:
        task: the task.
        name: by which the user knows it.
        cameras: camera -> what is wanted of it.

    Raises:
        ConfigError: the scene has no such camera, no file can be named after it, or a rate does not divide the task's.
    """
    known = scene_cameras(task) if cameras else ()
    for camera in cameras:
        if "/" in camera:
            raise ConfigError(f"task {name!r}: files are named after cameras, and {camera!r} has a '/' in it")
        if camera not in known:
            hint = nearest(camera, known) or "; its scene has none"
            raise ConfigError(f"task {name!r} has no camera {camera!r}{hint}")
    return tuple(_shot(task, name, camera, config) for camera, config in sorted(cameras.items()))


@functools.lru_cache(maxsize=8)
def scene_cameras(task: Task) -> tuple[str, ...]:
    """Return the names of the cameras in a task's nominal scene."""
    return camera_names(nominal_model(task))


def nominal_model(task: Task) -> mujoco.MjModel:
    """Build a task's scene at nominal parameters."""
    fields = parameters.describe(task.Params)
    p = parameters.unflatten(task.Params, {n: f.distribution.nominal for n, f in fields.items()})
    return scenario(task, p, 0).model


def check_drawable(shots: Iterable[Shot]) -> None:
    """Refuse what cannot be drawn or stored on this machine, before anything runs.

    Raises:
        DrawError: in one sentence, with what to install and what to ask for instead.
        GenbaError: an encoding that does not fit, or needs a package that is not installed.
    """
    from sim.render import renderer  # starts OpenGL, which only those need who ask for pictures

    for shot in shots:
        check_encoding(shot.encoding, shot.width, shot.height, shot.kinds)
        try:
            renderer().check([shot.view], shot.preset)
        except RenderError as error:
            raise DrawError(f"camera {shot.camera!r}: {error}") from None


def by_film(shots: Sequence[Shot]) -> dict[tuple[str, int], list[Shot]]:
    """Put together what is drawn of the same states in the same way: (preset, stride) -> shots."""
    out: dict[tuple[str, int], list[Shot]] = {}
    for shot in shots:
        out.setdefault((shot.preset, shot.stride), []).append(shot)
    return out


def _shot(task: Task, name: str, camera: str, config: CameraConfig) -> Shot:
    hz = float(task.control_hz)
    asked = hz if config.rate_hz is None else config.rate_hz
    stride = max(1, round(hz / asked))
    if abs(hz / asked - stride) > _ROUNDED * stride:
        raise ConfigError(
            f"camera {camera!r}: {asked:g} Hz does not divide the {hz:g} Hz of task {name!r};"
            f" the nearest that does is {hz / stride:.6g} Hz"
        )
    kinds = tuple(k for k in ("rgb", "depth", "segmentation") if k in config.kinds)
    width, height = config.size
    return Shot(camera, width, height, stride, hz / stride, kinds, config.preset, config.encoding)
