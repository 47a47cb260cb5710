"""Clips: an episode in a few seconds, as pictures that move in every browser and need no player.

A clip is an animated WebP of the recorded pictures, or of ones drawn from the recorded states, above a bar of the
phases that fills while it plays.
"""

import base64
import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from generators.dataset import Dataset, StoredEpisode
from generators.homes import task_finder
from generators.preview.drawing import enlarge, nearest_picture, spans
from generators.preview.facts import Phase
from generators.preview.footage import Drawn, Pane, open_panes
from generators.preview.palette import CARD, FAINT, phase_colour, tint
from generators.report.moments import read_phases
from generators.report.words import Text
from scenes.catalog import load_task, task_names
from sim.errors import GenbaError, RenderError, UnknownNameError, describe_error
from sim.task import Task

BUDGET = 5_000_000  # bytes of all clips of a report
_WIDTHS = 160, 288  # pixels across, at least and at most
_CLOSE = ("close",)  # the camera that tells most of the work, where there is one
_BAR = 6  # height of the bar of phases
_MOST, _LEAST = 36, 2  # pictures in a clip
_SECONDS = 2.0, 5.0  # that it plays
_END_MS = 1500  # that its end stays
_QUALITY = 62  # of WebP


class Clip(NamedTuple):
    """A clip inside the report.

    Attributes:
        row: the episode's place in the dataset.
        ending: how it ended.
        mode: how the expert was made worse, or "".
        seconds: how long the episode took.
        speed: how much faster than in reality it plays.
        camera: whose pictures they are.
        drawn: whether they were drawn from the recorded states.
        moving: the animation, as data.
        still: its last picture, as data.
        width: pixels across.
        height: pixels down.
    """

    row: int
    ending: str
    mode: str
    seconds: float
    speed: float
    camera: str
    drawn: bool
    moving: str
    still: str
    width: int
    height: int

    @property
    def bytes(self) -> int:
        """What it adds to the report."""
        return len(self.moving) + len(self.still)


class Clips(NamedTuple):
    """The clips of a task.

    Attributes:
        successes: episodes that succeeded.
        others: episodes that did not.
        drawn: whether pictures were drawn from the recorded states.
        notes: why there are none, or not all.
    """

    successes: tuple[Clip, ...] = ()
    others: tuple[Clip, ...] = ()
    drawn: bool = False
    notes: tuple[Text, ...] = ()


class Studio:
    """Makes clips until the room for them is used up.

    Args:
        dataset: the dataset, open.
        draw: whether a task that is not one of genba's own is imported to draw what was not recorded.
    """

    def __init__(self, dataset: Dataset, *, draw: bool) -> None:
        self._dataset, self._draw, self._left = dataset, draw, BUDGET
        self._tasks: dict[str, Task | None] = {}

    def film(self, row: int, about: tuple[str, str, float]) -> Clip | Text:
        """Make an episode's clip, or say why there is none.

        Args:
            row: its place in the dataset.
            about: ending, mode and duration.
        """
        episode = self._dataset[row]
        try:
            imported = "imported" in self._dataset.manifest
            task = None if episode.cameras or imported else self._task(episode)
            if imported and not episode.cameras:
                return Text(
                    "No pictures came with the data, and imported data cannot be drawn.",
                    "画像が含まれていません。取り込んだデータからは描画できません。",
                )
            if task is None and not episode.cameras:
                return Text(
                    f"No pictures were recorded, and the task {episode.task} is not one of genba's own:"
                    " --draw imports it to draw them.",
                    f"画像は記録されていません。{episode.task} は genba 標準のタスクではないため、"
                    "描画するには --draw を付けてください。",
                )
            clip = make_clip(_best_pane(episode, task), read_phases(episode), row, about)
        except (GenbaError, ImportError, OSError) as error:
            why = describe_error(error)
            return Text(f"Episode {row} has no pictures: {why}.", f"エピソード {row} の画像を作れません：{why}")
        if clip.bytes > self._left:
            return Text(
                "More clips would make this file too large.",
                "これ以上の動画はファイルが大きくなりすぎるため省きました。",
            )
        self._left -= clip.bytes
        return clip

    def _task(self, episode: StoredEpisode) -> Task | None:
        if episode.task not in self._tasks:
            self._tasks[episode.task] = self._load(episode.task)
        return self._tasks[episode.task]

    def _load(self, name: str) -> Task | None:
        if name in task_names():
            return load_task(name)
        if not self._draw:
            return None
        return task_finder(self._dataset.folder, self._dataset.manifest)(name)


def _best_pane(episode: StoredEpisode, task: Task | None) -> Pane:
    """Open the pictures of the camera that tells most."""
    for cameras in (_CLOSE, ()):
        with contextlib.suppress(UnknownNameError):
            return open_panes(episode, task, cameras, ())[0]
    raise RenderError(f"episode {episode.id} has no camera")


def make_clip(pane: Pane, phases: Sequence[Phase], row: int, about: tuple[str, str, float]) -> Clip:
    """Make a clip of a camera's pictures of an episode.

    Args:
        pane: the pictures, one or more.
        phases: the episode's.
        row: its place in the dataset.
        about: ending, mode and duration.
    """
    duration = about[2]
    moments = np.linspace(0.0, duration, max(_LEAST, min(_MOST, len(pane.seconds)))).tolist()
    frames = [_frame(pane, phases, second, duration) for second in moments]
    plays = min(_SECONDS[1], max(_SECONDS[0], duration))
    step = max(40, round(1000 * plays / len(frames)))
    out = io.BytesIO()
    times = [step] * (len(frames) - 1) + [_END_MS]
    frames[0].save(
        out, "WEBP", save_all=True, append_images=frames[1:], duration=times, loop=0, quality=_QUALITY, method=4
    )
    still = io.BytesIO()
    frames[-1].save(still, "WEBP", quality=_QUALITY, method=4)
    speed = duration / (step * len(frames) / 1000)
    size = frames[0].size
    return Clip(row, *about, speed, pane.camera, isinstance(pane, Drawn), _uri(out), _uri(still), *size)


def _frame(pane: Pane, phases: Sequence[Phase], second: float, duration: float) -> Image.Image:
    picture = pane.picture(nearest_picture(pane.seconds, second))
    height, width = picture.shape[:2]
    scale = min(max(1.0, _WIDTHS[0] / width), _WIDTHS[1] / width) if width < _WIDTHS[1] else _WIDTHS[1] / width
    size = max(2, round(width * scale)), max(2, round(height * scale))
    frame = Image.new("RGB", (size[0], size[1] + _BAR), CARD)
    frame.paste(enlarge(picture, size, pane.kind), (0, 0))
    now = round(size[0] * (second / duration if duration > 0 else 1.0))
    stretches = spans(phases, duration, size[0]) if phases else [(0, size[0], Phase("", -1, 0.0, duration))]
    for first, end, phase in stretches:
        colour = phase_colour(phase.code)
        frame.paste(tint(colour, 0.3) if phase.code >= 0 else FAINT, (first, size[1] + 1, end, size[1] + _BAR))
        if now > first:
            frame.paste(colour, (first, size[1] + 1, min(end, now), size[1] + _BAR))
    return frame


def _uri(data: io.BytesIO) -> str:
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
