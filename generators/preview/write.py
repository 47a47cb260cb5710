"""Previews: a contact sheet and videos of chosen episodes of a dataset.

Pictures that were recorded are shown; where there are none, they are drawn from the recorded states.
"""

import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from generators.dataset import Dataset, StoredEpisode
from generators.files import write_whole
from generators.homes import task_finder
from generators.preview.board import Board
from generators.preview.facts import Facts, read_facts, read_traces
from generators.preview.footage import open_panes
from generators.preview.sheet import Row, draw_sheet
from generators.schema import DatasetError
from sim.errors import GenbaError, unknown
from sim.task import Task

MOST = 8  # episodes, where none is chosen
LONGEST_S = 30.0  # of a video, where no speed is chosen
HOLD_S = 1.5  # how long a video stays at the end
_SPEEDS = (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 100)


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What to show.

    Attributes:
        episodes: their numbers; none: those that `choose_episodes` chooses.
        cameras: none: the overview, or the first.
        kinds: rgb, depth, segmentation; none: rgb, or the others where there is none.
        channels: telemetry; none: what tells most.
        columns: pictures in a line of the sheet.
        preset: how pictures are drawn that were not recorded.
        speed: of videos, times real time; 0: real time, or faster for a long episode.
        fps: pictures a second in videos.
    """

    episodes: tuple[int, ...] = ()
    cameras: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    columns: int = 6
    preset: str = "fast"
    speed: float = 0.0
    fps: float = 25.0


class Source:
    """A dataset's episodes with their tasks, which are imported only to draw what was not recorded.

    Args:
        dataset: the dataset, open.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._tasks: dict[str, Task] = {}

    def task(self, episode: StoredEpisode) -> Task | None:
        """Return the task to draw an episode with; None where its pictures were recorded."""
        if episode.cameras:
            return None
        if episode.task not in self._tasks:
            find = task_finder(self.dataset.folder, self.dataset.manifest)
            self._tasks[episode.task] = find(episode.task)
        return self._tasks[episode.task]

    def episode(self, number: int) -> StoredEpisode:
        """Return an episode.

        Raises:
            DatasetError: there is none of this number.
        """
        if not 0 <= number < len(self.dataset):
            raise DatasetError(f"{self.dataset.folder} has episodes 0 to {len(self.dataset) - 1}, not {number}")
        return self.dataset[number]


def choose_episodes(dataset: Dataset, count: int = MOST) -> list[int]:
    """Choose episodes that show what there is: one of each way to end, successes first, then the next of each.

    Args:
        dataset: the dataset.
        count: how many at the most.

    Returns:
        Their numbers: successes before failures, of each kind the earliest.
    """
    kinds: dict[tuple[str, str], list[int]] = {}
    outcomes, failures, lengths = (dataset.values(n) for n in ("outcome", "failure", "length"))
    for i, kind in enumerate(zip(outcomes, failures, strict=True)):
        if lengths[i]:
            kinds.setdefault(kind, []).append(i)
    order = sorted(kinds, key=lambda k: (k[0] != "success", k))
    chosen: list[tuple[int, int]] = []
    for turn in range(count):
        chosen += [(place, kinds[kind][turn]) for place, kind in enumerate(order) if turn < len(kinds[kind])]
    return [number for _, number in sorted(chosen[:count])]


def choose_speed(duration: float, longest: float = LONGEST_S) -> float:
    """Return the least usual speed at which a video is not too long: 1 for a short episode.

    Args:
        duration: of the episode, s.
        longest: that the video may be, s.
    """
    return float(next((s for s in _SPEEDS if duration / s <= longest), _SPEEDS[-1]))


def make_sheet(source: Source, numbers: Sequence[int], wanted: Wanted, done: Callable[[], None]) -> bytes:
    """Draw the contact sheet.

    Args:
        source: the dataset.
        numbers: the episodes'.
        wanted: what to show of them.
        done: called after each episode.

    Returns:
        The PNG: the same bytes for the same dataset, fonts and versions.
    """
    rows: list[Row] = []
    drawn = False
    for number in numbers:
        episode = source.episode(number)
        drawn |= not episode.cameras
        panes = ()
        if len(episode):
            panes = open_panes(episode, source.task(episode), wanted.cameras, wanted.kinds, wanted.preset)
        rows.append(Row(read_facts(episode), panes))
        done()
    image = draw_sheet(rows, wanted.columns, "drawn from the recorded states" if drawn else "as recorded")
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()


def make_video(source: Source, number: int, wanted: Wanted, done: Callable[[float], None]) -> bytes:
    """Draw an episode's video.

    Args:
        source: the dataset.
        number: the episode's.
        wanted: what to show of it.
        done: called with the share that is done.

    Returns:
        The mp4, H.264.

    Raises:
        MissingExtraError: the package av is not installed.
    """
    from generators.media.codecs import VideoEncoder

    episode = source.episode(number)
    facts = read_facts(episode)
    speed = wanted.speed or choose_speed(facts.duration)
    panes = open_panes(episode, source.task(episode), wanted.cameras, wanted.kinds, wanted.preset)
    board = Board(facts, read_traces(episode, wanted.channels), panes, speed)
    encoder = VideoEncoder(*board.layout.size, wanted.fps)
    seconds = video_times(facts.duration, speed, wanted.fps)
    for k, second in enumerate(seconds):
        encoder.add(board.at(second))
        done((k + 1) / len(seconds))
    return encoder.finish()


def video_times(duration: float, speed: float, fps: float) -> list[float]:
    """Return the moment that each picture of a video shows; the end stays for a while."""
    running = np.arange(0.0, duration, speed / fps).tolist()
    return [*running, *[duration] * max(1, round(HOLD_S * fps))]


def check(source: Source, numbers: Sequence[int], wanted: Wanted) -> list[Facts]:
    """Find out before anything is drawn whether it can be; return what is said of the episodes.

    Raises:
        GenbaError: an episode, camera, kind or channel that there is not.
    """
    out: list[Facts] = []
    if not numbers:
        raise DatasetError(f"{source.dataset.folder} has no episodes to show")
    for number in numbers:
        episode = source.episode(number)
        out.append(read_facts(episode))
        if len(episode):
            read_traces(episode, wanted.channels)
            for camera in wanted.cameras if episode.cameras else ():
                if camera not in episode.cameras:
                    raise unknown("camera", camera, episode.cameras)
    return out


def save(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        GenbaError: there is no room, or no permission.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise GenbaError(f"{path.parent} is no folder") from None
    write_whole(path, data)
