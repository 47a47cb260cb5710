"""What the cameras of an environment's simulations see: image observations and rendered frames.

Pictures are taken from the states that a dataset records, by the same films, and so are equal to its pictures to the
byte. Each scene has a film of its own, made when it is first seen and kept for as long as the scene is; all draw on the
process's one renderer, which is made for the first picture.
"""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sim import opengl
from sim.cameras import LEVELS, View
from sim.engine import Engine
from sim.errors import ParameterError, RenderError, nearest, unknown
from sim.layout import Layout
from sim.render import Film, Renderer, renderer
from sim.scenario import Scenario

Array = NDArray[Any]
Cameras = str | View | Sequence[str | View] | Mapping[str, View | Mapping[str, Any]]

_SETTINGS = ("size", "kinds")


def read_cameras(cameras: Cameras, known: Layout) -> tuple[View, ...]:
    """Return what is asked of each camera.

    Args:
        cameras: names or views of cameras, or name -> {"size": (width, height) or both, "kinds": of
            `sim.cameras.KINDS`}.
        known: the task's layout.

    Raises:
        UnknownNameError: the scene has no such camera.
        ParameterError: a setting is unknown, or a camera is named twice.
        RenderError: a size or kind makes no sense.
    """
    if isinstance(cameras, Mapping):
        found = [_view(name, settings) for name, settings in cameras.items()]
    else:
        listed = [cameras] if isinstance(cameras, str | View) else cameras
        found = [one if isinstance(one, View) else View(one) for one in listed]
    taken = list(known.observations)
    for view in found:
        if view.camera not in known.cameras:
            raise unknown("camera", view.camera, known.cameras)
        if sum(view.camera == other.camera for other in found) > 1:
            raise ParameterError(f"camera {view.camera!r} is named twice; ask for all its kinds at once")
        for name in (observation_name(view.camera, kind) for kind in view.kinds):
            if name in taken:
                raise ParameterError(f"the pictures of camera {view.camera!r} and another observation are {name!r}")
            taken.append(name)
    return tuple(found)


def render_view(camera: str | None, size: int | Sequence[int], known: Layout) -> View:
    """Return what `render` shows: a camera, or the scene's first, at a size.

    Raises:
        UnknownNameError: the scene has no such camera.
        RenderError: it has none at all, or the size makes no sense.
    """
    if not known.cameras:
        raise RenderError(f"task {known.task!r} has no camera to render")
    name = camera or next(iter(known.cameras))
    if name not in known.cameras:
        raise unknown("camera", name, known.cameras)
    return View(name, *_size(size))


def _view(name: str, settings: View | Mapping[str, Any]) -> View:
    if isinstance(settings, View):
        if settings.camera != name:
            raise ParameterError(f"camera {name!r} is given the view of camera {settings.camera!r}")
        return settings
    for key in settings:
        if key not in _SETTINGS:
            raise ParameterError(f"camera {name!r}: no setting {key!r}{nearest(key, _SETTINGS)}")
    kinds = settings.get("kinds", ("rgb",))
    width, height = _size(settings.get("size", 128))
    return View(name, width, height, (kinds,) if isinstance(kinds, str) else tuple(kinds))


def _size(size: int | Sequence[int]) -> tuple[int, int]:
    """Return width and height, given both, or one number for a square.

    Raises:
        ParameterError: it is neither.
    """
    found = (size, size) if isinstance(size, int | np.integer) else tuple(size)
    if len(found) != 2:
        raise ParameterError(f"a picture's size is (width, height) or one number, got {size!r}")
    return int(found[0]), int(found[1])


def check_drawable(views: Sequence[View], preset: str) -> None:
    """Refuse what cannot be drawn here. Makes no OpenGL context where there can be one: that is for the first picture.

    Raises:
        RenderError: in one sentence, with what to install.
    """
    if preset == "pbr" or all(opengl.missing(backend) for backend in opengl.choices()):
        renderer().check(views, preset)


class Images:
    """What cameras saw last of each simulation.

    Args:
        known: the task's layout.
        views: what is asked of which camera.
        preset: how colours are drawn.
        nsim: number of simulations.

    Attributes:
        spaces: name of the observation -> of one simulation's pictures.
        seen: name of the observation -> (nsim, H, W, channels): rgb uint8, depth float32 m, segmentation uint16.
    """

    def __init__(self, known: Layout, views: Sequence[View], preset: str, nsim: int) -> None:
        check_drawable(views, preset)
        self.views, self.preset = tuple(views), preset
        self.spaces = {name: space for view in views for name, space in _spaces(view, known).items()}
        self.seen = {n: np.zeros((nsim, *space.shape), space.dtype) for n, space in self.spaces.items()}
        self._owner: Renderer | None = None
        self._films: weakref.WeakKeyDictionary[Scenario, Film] = weakref.WeakKeyDictionary()

    def look(self, engine: Engine, ids: NDArray[np.intp]) -> None:
        """Take the pictures of some simulations as they stand."""
        states = engine.world.control()
        for row in ids.tolist():
            film = self._film(engine.world.scenarios[row])
            for camera, frames in film.shoot(states[row : row + 1]).items():
                for kind, images in frames.images.items():
                    self.seen[observation_name(camera, kind)][row] = _observed(kind, images[0], film.ranges[camera][1])

    def copies(self) -> dict[str, Array]:
        """Return copies of what was seen."""
        return {name: images.copy() for name, images in self.seen.items()}

    def _film(self, scenario: Scenario) -> Film:
        owner = renderer()
        if owner is not self._owner:  # also in a fork, which must not draw with its parent's
            self._films, self._owner = weakref.WeakKeyDictionary(), owner
        found = self._films.get(scenario)
        if found is None:
            found = self._films[scenario] = owner.film(scenario.model, self.views, self.preset)
        return found


def observation_name(camera: str, kind: str) -> str:
    """Return the observation's name: "wrist" for colours, "wrist_depth", "wrist_segmentation"."""
    return camera if kind == "rgb" else f"{camera}_{kind}"


def _spaces(view: View, known: Layout) -> dict[str, spaces.Box]:
    low, shape = 0, (view.height, view.width)
    every = {
        "rgb": spaces.Box(low, 255, (*shape, 3), np.uint8),
        "depth": spaces.Box(low, known.cameras[view.camera].far, (*shape, 1), np.float32),
        "segmentation": spaces.Box(low, len(known.segments) - 1, (*shape, 1), np.uint16),
    }
    return {observation_name(view.camera, kind): every[kind] for kind in view.kinds}


def _observed(kind: str, image: Array, far: float) -> Array:
    """Return a recorded picture as it is observed."""
    if kind == "rgb":
        return image
    return image[..., None] * (far / LEVELS) if kind == "depth" else image[..., None]
