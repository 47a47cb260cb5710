"""The pictures of a page, drawn from recorded states: each camera, each phase, each way to fail."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generators.pages.measures import Ending
from sim import parameters
from sim.cameras import View, camera_names
from sim.distributions import Value
from sim.engine import scenario
from sim.episode import Episode
from sim.errors import RenderError
from sim.task import Task

PRESET = "fine"
SMALL = 360  # pixels across, of a picture in a strip
_CLOSE = ("close", "overview")  # cameras that tell most of the work, the best first
_QUALITY = 85  # of JPEG


class Picture(NamedTuple):
    """A picture inside the page.

    Attributes:
        title: what it shows.
        note: when, and in which phase.
        uri: the JPEG as data.
        width: pixels across.
        height: pixels down.
    """

    title: str
    note: str
    uri: str
    width: int
    height: int


class Pictures(NamedTuple):
    """All pictures of a task.

    Attributes:
        cameras: each camera at the start and in the middle of the expert's episode.
        phases: the middle of each phase.
        failures: the end of an episode for each way to fail.
        problem: why there is none; "" where there are.
    """

    cameras: tuple[Picture, ...]
    phases: tuple[Picture, ...]
    failures: tuple[Picture, ...]
    problem: str = ""


def draw(task: Task, episode: Episode, endings: Sequence[Ending], width: int) -> Pictures:
    """Draw a task's pictures.

    Args:
        task: the task.
        episode: the expert's, recorded.
        endings: of failed episodes.
        width: of the cameras' pictures, pixels at most.
    """
    model = _model(task, episode.parameters, episode.seed)
    names = camera_names(model)
    if not names or not len(episode):
        return Pictures((), (), (), "The scene has no cameras." if not names else "The expert's episode is empty.")
    main = next((name for name in _CLOSE if name in names), names[0])
    moments = _middles(task, episode)
    try:
        cameras = _shoot(model, [_view(model, name, width) for name in names], episode.control[[0, len(episode) // 2]])
        small = _shoot(model, [_view(model, main, SMALL)], episode.control[list(moments.values())])
        ends = [
            _shoot(_model(task, e.parameters, e.seed), [_view(model, main, SMALL)], e.state[None])[main]
            for e in endings
        ]
    except RenderError as error:
        return Pictures((), (), (), f"No pictures: {error}.")
    steps = (0, len(episode) // 2)
    return Pictures(
        tuple(
            _picture(name, _moment(task, episode, t), image)
            for name, images in cameras.items()
            for t, image in zip(steps, images, strict=True)
        ),
        tuple(
            _picture(phase, f"after {t / task.control_hz:.1f} s", image)
            for (phase, t), image in zip(moments.items(), small[main], strict=True)
        ),
        tuple(
            _picture(e.failure, f"expert mode {e.mode}, seed {e.seed}, after {e.seconds:.1f} s", images[0])
            for e, images in zip(endings, ends, strict=True)
        ),
    )


def _model(task: Task, values: Mapping[str, Value], seed: int) -> mujoco.MjModel:
    return scenario(task, parameters.unflatten(task.Params, values), seed).model


def _middles(task: Task, episode: Episode) -> dict[str, int]:
    """Return the control step in the middle of each phase that was gone through."""
    where = {phase: np.flatnonzero(episode.phases == k) for k, phase in enumerate(task.phases)}
    return {phase: int(steps[len(steps) // 2]) for phase, steps in where.items() if len(steps)}


def _view(model: mujoco.MjModel, camera: str, width: int) -> View:
    """Ask for a camera's own shape, at most so wide."""
    across, down = (int(n) for n in model.cam_resolution[model.camera(camera).id])
    if across < 2 or down < 2:
        across, down = 4, 3
    return View(camera, width, max(1, round(width * down / across)))


def _shoot(model: mujoco.MjModel, views: Sequence[View], states: NDArray[np.float64]) -> dict[str, NDArray[np.uint8]]:
    from sim.render import renderer  # starts OpenGL

    film = renderer().film(model, views, PRESET)
    found = {name: frames.images["rgb"] for name, frames in film.shoot(states).items()}
    film.close()
    return found


def _moment(task: Task, episode: Episode, t: int) -> str:
    code = int(episode.phases[min(t, len(episode) - 1)])
    phase = f", phase {task.phases[code]}" if code >= 0 else ""
    return f"{'start' if t == 0 else 'middle'}, {t / task.control_hz:.1f} s{phase}"


def _picture(title: str, note: str, image: NDArray[np.uint8]) -> Picture:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=_QUALITY, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    return Picture(title, note, uri, image.shape[1], image.shape[0])
