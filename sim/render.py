"""Pictures of recorded states: colours, depth and segmentation, from any camera of any scene.

One `Renderer` a process: its OpenGL context is made once and shared by all scenes. A `Film` is one compiled scene
before some cameras; making one costs no context, and only assets that differ from the last film's are uploaded.
Pictures are taken from states alone, after physics, and change nothing in it.

Depth and segmentation are drawn with finely faceted shapes in a pass of their own; the backend "rays" finds them
without OpenGL. The preset changes colours only.
"""

import atexit
import collections
import functools
import os
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim import filament, opengl, raycast
from sim.cameras import KINDS, View, camera_id, depth_range, intrinsics, poses, quantize_depth
from sim.canvas import Assets, Canvas, Frustum, Quality
from sim.errors import RenderError, nearest
from sim.model import CONTROL

Array = NDArray[Any]

BACKENDS = ("auto", *opengl.BACKENDS, "rays")
_MAX_CANVASES = 8
_BEYOND = 50.0  # times a camera's range of depth: where colours end


PRESETS = {
    "fast": Quality(),
    "fine": Quality(facets=(32, 16, 4), shadows=2048, finer=2, reflections=True),
    "pbr": None,
}
_EXACT = Quality(facets=(96, 24, 1), exact=True)


class Frames(NamedTuple):
    """Pictures of one camera.

    Attributes:
        images: kind -> rgb (F, H, W, 3) uint8, depth (F, H, W) uint16 of `sim.cameras.quantize_depth`, segmentation
            (F, H, W) uint16, numbers of `sim.cameras.segments`.
        t_world_cam: (F, 4, 4) the camera's pose, m, convention "opencv".
    """

    images: dict[str, Array]
    t_world_cam: NDArray[np.float64]


def renderer(backend: str = "auto") -> "Renderer":
    """Return the process's renderer, made when it is first asked for and kept until the process ends.

    Args:
        backend: "auto" takes the first that starts: EGL, OSMesa, rays.

    Raises:
        RenderError: the backend is unknown, or cannot start; the message says what to install.
    """
    return _renderer(backend, os.getpid())


@functools.cache
def _renderer(backend: str, pid: int) -> "Renderer":
    del pid  # a fork must not draw in its parent's context
    if backend not in BACKENDS:
        raise RenderError(f"no rendering backend {backend!r}{nearest(backend, BACKENDS)}")
    if backend == "rays":
        return Renderer(None)
    names = opengl.choices() if backend == "auto" else (backend,)
    problems = {name: opengl.missing(name) for name in names}
    good = next((name for name, problem in problems.items() if not problem), None)
    if good:
        if backend != good:
            return renderer(good)
        return Renderer(backend)
    if backend == "auto":
        return renderer("rays")
    raise RenderError(f"the rendering backend {backend!r} cannot start: {problems[backend]}")


class Renderer:
    """What draws in this process; see `renderer`, which makes it.

    Attributes:
        backend: "egl", "osmesa" or "rays".
        device: what draws: a GPU's name, "llvmpipe (...)", or "mj_multiRay".
    """

    def __init__(self, backend: str | None) -> None:
        self.backend = backend or "rays"
        self._thread = threading.get_ident()
        self._context = opengl.Context(backend) if backend else None
        self.device = self._context.device if self._context else "mj_multiRay"
        self._canvases: collections.OrderedDict[tuple[Any, ...], Canvas] = collections.OrderedDict()
        self._filament: filament.FilamentRenderer | None = None
        if self._context:
            atexit.register(self.close)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it can draw at the presets "fast" and "fine"."""
        return KINDS if self._context else KINDS[1:]

    def film(self, model: mujoco.MjModel, views: Sequence[View], preset: str = "fast") -> "Film":
        """Put a scene before its cameras.

        Args:
            model: the compiled scene.
            views: what is asked of which camera.
            preset: how colours are drawn: "fast", "fine" or "pbr".

        Raises:
            RenderError: there is no such preset, or what is asked for cannot be drawn here.
            UnknownNameError: the scene has no such camera.
        """
        self.check(views, preset)
        return Film(self, model, views, preset)

    def check(self, views: Sequence[View], preset: str = "fast") -> None:
        """Refuse what cannot be drawn here.

        Raises:
            RenderError: in one sentence, with what to install, or to ask for instead.
        """
        if preset not in PRESETS:
            raise RenderError(f"no preset {preset!r}{nearest(preset, PRESETS)}")
        if not any("rgb" in view.kinds for view in views):
            return
        if preset == "pbr":
            if problem := filament.missing():
                raise RenderError(f"the preset 'pbr' cannot be drawn: {problem}; or ask for 'fine'")
        elif self._context is None:
            problem = "; ".join(f"{name}: {opengl.missing(name)}" for name in opengl.choices())
            raise RenderError(f"rgb needs OpenGL ({problem}); depth and segmentation can be had without")

    def canvas(self, quality: Quality, model: mujoco.MjModel, assets: Assets, size: tuple[int, int]) -> Canvas:
        """Return a canvas with a scene on it, large enough for a size: one that is there, if any has room for it."""
        if self._context is None:
            raise RenderError("there is no OpenGL to draw with")
        key = (quality, *assets.kind)
        found = self._canvases.pop(key, None)
        if found is None:
            if len(self._canvases) >= _MAX_CANVASES:
                self._canvases.popitem(last=False)[1].close()
            found = Canvas(self._context, quality, model, assets, size)
        self._canvases[key] = found
        found.load(model, assets, size)
        return found

    def filament(self) -> filament.FilamentRenderer:
        """Return the renderer of the preset "pbr"."""
        if self._filament is None:
            self._filament = filament.FilamentRenderer()
        return self._filament

    def begin(self) -> None:
        """Make ready to draw here, whatever else was drawn elsewhere since.

        Raises:
            RenderError: called in another thread than the first time: OpenGL draws in the one that made the context.
        """
        if threading.get_ident() != self._thread:
            raise RenderError("pictures can be drawn only in the thread that drew the first one")
        if self._context:
            self._context.make_current()

    def close(self) -> None:
        """Let go of everything, before the interpreter takes OpenGL away."""
        if self._filament:
            self._filament.close()
            self._filament = None
        if self._context:
            self._context.make_current()
            while self._canvases:
                self._canvases.popitem()[1].close()
            self._context.close()
            self._context = None


class Film:
    """One scene before some cameras; made by `Renderer.film`.

    Attributes:
        views: what is asked of which camera.
        k: camera -> K (3, 3), pixels.
        ranges: camera -> the nearest that is seen and the farthest that has a depth, m.
    """

    def __init__(self, owner: Renderer, model: mujoco.MjModel, views: Sequence[View], preset: str) -> None:
        self.views = tuple(views)
        self._owner, self._model, self._preset = owner, model, preset
        self._data = mujoco.MjData(model)
        self._numbers = {v.camera: camera_id(model, v.camera) for v in views}
        self.k = {v.camera: intrinsics(model, v.camera, v.width, v.height) for v in views}
        self.ranges = {v.camera: depth_range(model, v.camera) for v in views}
        self._frusta = {v.camera: self._frustum(v) for v in views}
        self._assets = Assets(model)

    def shoot(self, states: NDArray[np.float64]) -> dict[str, Frames]:
        """Take the pictures of states (F, size), rows of `sim.model.CONTROL`; return each camera's.

        Raises:
            RenderError: called in another thread than the first picture's.
        """
        self._owner.begin()
        images = {view.camera: _blank(view, len(states)) for view in self.views}
        places, frames = np.empty((len(states), self._model.ncam, 3)), np.empty((len(states), self._model.ncam, 9))
        for f, state in enumerate(states):
            self._pose(state)
            places[f], frames[f] = self._data.cam_xpos, self._data.cam_xmat
            for view in self.views:
                self._draw(view, images[view.camera], f)
        cameras = poses(places, frames)
        return {v.camera: Frames(images[v.camera], cameras[:, self._numbers[v.camera]]) for v in self.views}

    def _pose(self, state: NDArray[np.float64]) -> None:
        model, data = self._model, self._data
        mujoco.mj_setState(model, data, state, CONTROL)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        if model.ntendon:
            mujoco.mj_tendon(model, data)

    def _draw(self, view: View, images: dict[str, Array], f: int) -> None:
        if "rgb" in view.kinds:
            self._draw_colours(view, images["rgb"][f])
        if len(view.kinds) > ("rgb" in view.kinds):
            depth, things = self._measure(view)
            for kind, found in (("depth", depth), ("segmentation", things)):
                if kind in view.kinds:
                    images[kind][f] = found

    def _draw_colours(self, view: View, out: NDArray[np.uint8]) -> None:
        quality = PRESETS[self._preset]
        if quality is None:
            drawer = self._owner.filament()
            drawer.load(self._model)
            drawer.draw(self._data, self._gl_camera(view), out)
            return
        n = quality.finer
        size = (n * view.width, n * view.height)
        canvas = self._owner.canvas(quality, self._model, self._assets, size)
        drawn, _ = canvas.draw(self._data, self._numbers[view.camera], self._frusta[view.camera], size)
        if n == 1:
            out[:] = drawn[::-1]
        else:
            rows = drawn.reshape(view.height, n, view.width, n, 3)
            total = np.sum([rows[:, i, :, j] for i in range(n) for j in range(n)], axis=0, dtype=np.uint16)
            out[:] = np.flipud((total + n * n // 2) // (n * n))

    def _measure(self, view: View) -> tuple[Array, Array]:
        """Return depth (H, W), in quanta, and what is there (H, W)."""
        size, number, far = (view.width, view.height), self._numbers[view.camera], self.ranges[view.camera][1]
        if self._owner.backend == "rays":
            metres, things = raycast.cast(self._model, self._data, number, size, float(self.k[view.camera][0, 0]))
            return quantize_depth(metres, far), things
        canvas, frustum = self._owner.canvas(_EXACT, self._model, self._assets, size), self._frusta[view.camera]
        colours, depth = canvas.draw(self._data, number, frustum, size)
        metres = frustum.metres(depth)
        return quantize_depth(metres, far)[::-1], canvas.things(colours)[::-1]

    def _frustum(self, view: View) -> Frustum:
        near, far = self.ranges[view.camera]
        return Frustum(near, _BEYOND * far, view.height / 2 / float(self.k[view.camera][1, 1]))

    def _gl_camera(self, view: View) -> mujoco.MjvGLCamera:
        """Return the camera as OpenGL's conventions have it."""
        number = self._numbers[view.camera]
        frame = self._data.cam_xmat[number].reshape(3, 3)
        camera = mujoco.MjvGLCamera()
        camera.pos, camera.forward, camera.up = self._data.cam_xpos[number], -frame[:, 2], frame[:, 1]
        self._frusta[view.camera].put(camera)
        return camera

    def close(self) -> None:
        """Let go of the scene. Canvases stay, for the next film."""
        self.views = ()


def _blank(view: View, count: int) -> dict[str, Array]:
    """Return room for pictures, by kind."""
    shape = (count, view.height, view.width)
    return {k: np.empty((*shape, 3), np.uint8) if k == "rgb" else np.empty(shape, np.uint16) for k in view.kinds}
