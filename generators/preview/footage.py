"""The pictures that a preview shows of an episode, as colours: recorded ones, or drawn from the recorded states."""

from collections.abc import Sequence
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from generators.dataset import StoredEpisode
from generators.preview.palette import RGB, class_colours, depth_legend, depth_picture
from generators.schema import DatasetError
from generators.states import rebuild
from sim.cameras import KINDS, LEVELS, Lens, View, add_camera, camera_names, depth_range, segments
from sim.errors import RenderError, unknown
from sim.model import compile_model
from sim.parameters import unflatten
from sim.task import Task

Array = NDArray[Any]

DRAWN = (480, 360)  # pixels, at most, of what is drawn here
_BLOCK = 16  # pictures read at a time
_PROBES = 5  # pictures that the range of colours is found in


class Pane(Protocol):
    """One camera's pictures of an episode as colours."""

    camera: str
    kind: str
    seconds: NDArray[np.float64]
    legend: tuple[tuple[str, RGB], ...]

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Return picture i (H, W, 3)."""
        ...


def open_panes(
    episode: StoredEpisode, task: Task | None, cameras: Sequence[str], kinds: Sequence[str], preset: str = "fast"
) -> tuple[Pane, ...]:
    """Open an episode's pictures.

    Args:
        episode: the episode, of one step or more.
        task: the task, needed where no pictures were recorded.
        cameras: which; none: the one named overview, or the first.
        kinds: rgb, depth, segmentation; none: rgb, or both others where there is none.
        preset: how colours are drawn where none were recorded.

    Raises:
        UnknownNameError: there is no such camera or kind.
        GenbaError: the scene cannot be rebuilt, or what is wanted cannot be drawn.
    """
    if episode.cameras:
        names = _cameras(cameras, episode.cameras)
        return tuple(
            Recorded(episode, name, kind) for name in names for kind in _kinds(kinds, _recorded(episode, name))
        )
    if task is None:
        raise DatasetError(f"episode {episode.id} has no pictures, and its task cannot be loaded to draw them")
    return draw_panes(episode, task, cameras, kinds, preset)


class Recorded:
    """Recorded pictures; a few are kept in memory."""

    def __init__(self, episode: StoredEpisode, camera: str, kind: str) -> None:
        shots = episode.shots(camera)
        self.camera, self.kind = camera, kind
        self.seconds: NDArray[np.float64] = np.asarray(shots.t_ns, float) / 1e9
        self._episode, self._first, self._block = episode, 0, np.zeros((0,))
        probes = np.unique(np.linspace(0, len(self.seconds) - 1, _PROBES).astype(int)).tolist()
        self._colours = Colours(kind, [self._raw(i) for i in probes], shots.far, shots.segments)
        self.legend = self._colours.legend

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Return picture i (H, W, 3)."""
        return self._colours.apply(self._raw(i))

    def _raw(self, i: int) -> Array:
        if not self._first <= i < self._first + len(self._block):
            self._first = i // _BLOCK * _BLOCK
            self._block = self._episode.images(self.camera, self.kind, self._first, self._first + _BLOCK)
        return self._block[i - self._first]


class Drawn:
    """Pictures drawn from the recorded states, each when it is asked for."""

    def __init__(self, film: Any, states: NDArray[np.float64], view: View, kind: str, about: tuple[Any, ...]) -> None:  # noqa: ANN401
        self.camera, self.kind = view.camera, kind
        self._film, self._states = film, states
        self.seconds: NDArray[np.float64] = states[:, 0] - states[0, 0]
        probes = np.unique(np.linspace(0, len(states) - 1, _PROBES).astype(int)).tolist()
        self._colours = Colours(kind, [self._raw(i) for i in probes] if kind != "rgb" else [], *about)
        self.legend = self._colours.legend

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Return picture i (H, W, 3)."""
        return self._colours.apply(self._raw(i))

    def _raw(self, i: int) -> Array:
        return self._film.shoot(self._states[i : i + 1])[self.camera].images[self.kind][0]


class Colours:
    """How the pictures of one kind are coloured: the same way for all of an episode's.

    Attributes:
        legend: words and their colours.
    """

    def __init__(self, kind: str, probes: Sequence[Array], far: float, known: Sequence[tuple[str, str]]) -> None:
        self._kind, self._low, self._high = kind, 0, LEVELS
        self.legend: tuple[tuple[str, RGB], ...] = ()
        if kind == "depth":
            there = np.concatenate([p[p > 0] for p in probes])
            if len(there):
                self._low, self._high = (int(q) for q in np.percentile(there, [1, 99]))
            self.legend = depth_legend(self._low, self._high, far)
        elif kind == "segmentation":
            self._table, classes = class_colours(known)
            seen = {known[n][1] for p in probes for n in np.unique(p).tolist() if n < len(known)}
            self.legend = tuple((label, colour) for label, colour in classes.items() if label in seen)

    def apply(self, picture: Array) -> NDArray[np.uint8]:
        """Return a picture in colours (H, W, 3)."""
        if self._kind == "depth":
            return depth_picture(picture, self._low, self._high)
        if self._kind == "segmentation":
            return self._table[np.minimum(picture, len(self._table) - 1)]
        return picture


def draw_panes(
    episode: StoredEpisode, task: Task, cameras: Sequence[str], kinds: Sequence[str], preset: str
) -> tuple[Pane, ...]:
    """Draw an episode's pictures from its recorded states; arguments and errors as of `open_panes`."""
    from sim.render import renderer  # starts OpenGL

    model = rebuild(task, episode).model
    if not model.ncam:
        model = _with_camera(task, episode, model)
    names = _cameras(cameras, camera_names(model))
    drawer = renderer()
    shown = _kinds(kinds, drawer.kinds) if set(kinds) <= set(drawer.kinds) else tuple(kinds)
    views = [View(name, *_size(model, name), kinds=(kind,)) for name in names for kind in shown]
    states = episode.array("state/control")
    things = [(s.name, s.label) for s in segments(model)]
    out: list[Pane] = []
    for view in views:
        film = drawer.film(model, [view], preset)
        out.append(Drawn(film, states, view, view.kinds[0], (depth_range(model, view.camera)[1], things)))
    return tuple(out)


def _with_camera(task: Task, episode: StoredEpisode, model: mujoco.MjModel) -> mujoco.MjModel:
    """Return the scene with a camera, for a task that has none."""
    spec = task.build(unflatten(task.Params, episode.parameters))
    centre, extent = np.array(model.stat.center), float(model.stat.extent)
    lens = Lens(0.006, (0.0064, 0.0048), (640, 480), extent / 100, extent * 10)
    add_camera(spec.worldbody, "overview", lens, centre + extent * np.array([0.3, -0.85, 0.5]), centre)
    return compile_model(spec, task.memory)


def _size(model: mujoco.MjModel, camera: str) -> tuple[int, int]:
    """Return a camera's own size, made smaller to fit, and even."""
    width, height = model.cam_resolution[model.camera(camera).id].tolist()
    if width < 2 or height < 2:
        width, height = DRAWN
    scale = min(1.0, DRAWN[0] / width, DRAWN[1] / height)
    return max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)


def _cameras(asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for name in asked:
        if name not in known:
            raise unknown("camera", name, known)
    return tuple(asked) or (("overview",) if "overview" in known else tuple(known[:1]))


def _recorded(episode: StoredEpisode, camera: str) -> tuple[str, ...]:
    return tuple(k for k in KINDS if k in episode._shards.media(episode._number, camera).shot.kinds)


def _kinds(asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for kind in asked:
        if kind not in known:
            raise unknown("kind of picture", kind, known)
    if not known:
        raise RenderError("there are no pictures of any kind")
    return tuple(asked) or (("rgb",) if "rgb" in known else tuple(known))
