"""Episodes as they are stored: facts, arrays and pictures, read from shards when they are asked for.

Shards are opened as they are needed, a few at a time, and as untrusted unless the caller says that they are its own.
"""

import collections
import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from generators.media.reader import MediaShard, Shots, open_media
from generators.reader import Shard, open_trusted, open_untrusted, readable
from generators.schema import DatasetError, Header
from sim.distributions import Value
from sim.episode import Episode, Outcome, Stream
from sim.errors import unknown
from sim.replay import Recorded

Array = NDArray[Any]
S = TypeVar("S", Shard, MediaShard)

MAX_OPEN = 64  # files open at a time


class StoredEpisode:
    """One episode of a dataset; facts and arrays are read when they are asked for, each as in `sim.episode.Episode`."""

    def __init__(self, shards: "Shards", number: int, row: int) -> None:
        self._shards, self._number, self._row = shards, number, row

    def __len__(self) -> int:
        """Number of control steps T."""
        with readable(f"{self.shard}: episodes/length"):
            return _count(int(self.fact("length")))

    def fact(self, name: str) -> Any:  # noqa: ANN401 - a number or text
        """Return the episode's value in a column of /episodes: "episode_id", "return", "instruction/en" ..."""
        with readable(f"{self.shard}: episodes/{name}"):
            return self._shard.index(name)[self._row].item()

    def array(self, column: str) -> Array:
        """Read the episode's rows of a column: "obs/x", "steps/action", "state/control", "streams/f/value" ..."""
        return self._shard.rows(column, self._row)

    @property
    def id(self) -> int:
        """Its number in the dataset."""
        return self.fact("episode_id")

    @property
    def seed(self) -> int:
        """What determines everything random about it."""
        return self.fact("episode_seed")

    @property
    def header(self) -> Header:
        """What its shard says of itself: the task, its version, the dataset."""
        return self._shard.header

    @property
    def attributes(self) -> Mapping[str, Any]:
        """All that its shard says of itself: features (of each column), phases, failures, control_hz ..."""
        return self._shard.attributes

    @property
    def task(self) -> str:
        """The task's name."""
        return self.header.task

    @property
    def shard(self) -> str:
        """The name of the file that holds it."""
        return self._shards.paths[self._number].name

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        with readable(f"{self.shard}: episodes/outcome"):
            return Outcome(self.fact("outcome"))

    @property
    def parameters(self) -> dict[str, Value]:
        """What was drawn, by dotted name."""
        shard = self._shard
        return {name: self.fact(f"params/{name}") for name in shard.under("episodes/params/")}

    @property
    def instruction(self) -> dict[str, str]:
        """The work order by language."""
        found = {language: str(self.fact(f"instruction/{language}")) for language in ("en", "ja")}
        return {language: text for language, text in found.items() if text}

    @property
    def observations(self) -> dict[str, Array]:
        """Name -> (T + 1, dim) float32."""
        return {name: self.array(path) for name, path in self._shard.under("obs/").items()} if len(self) else {}

    @property
    def actions(self) -> Array:
        """(T, nu) float32, as applied, in the actuators' units."""
        return self.array("steps/action")

    @property
    def rewards(self) -> Array:
        """(T,) float32."""
        return self.array("steps/reward")

    @property
    def streams(self) -> dict[str, Stream]:
        """Channel or signal -> its samples."""
        names = [n.removesuffix("/t_ns") for n in self._shard.under("streams/") if n.endswith("/t_ns")]
        read = self.array
        return {n: Stream(read(f"streams/{n}/value"), read(f"streams/{n}/t_ns")) for n in names} if len(self) else {}

    @property
    def model_xml(self) -> str:
        """The model, for people to read."""
        start = self.fact("model_xml/start")
        stored = self._shard.read("episodes/model_xml/value", start, start + self.fact("model_xml/count"))
        with readable(f"{self.shard}: episodes/model_xml"):
            return stored.tobytes().decode()

    @property
    def control_stride(self) -> int:
        """Every how many control steps there is a state in /state/control."""
        return self._shard.control_stride

    @property
    def control_ns(self) -> int:
        """How long a control step lasts."""
        known = self._shard.attributes
        with readable(f"{self.shard}: its control rate"):
            return int(known["substeps"]) * round(float(known["timestep_s"]) * 1e9)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose pictures were recorded."""
        return self._shards.cameras(self._number)

    def images(self, camera: str, kind: str = "rgb", start: int = 0, stop: int | None = None) -> Array:
        """Read pictures of a camera: (n, H, W, 3) uint8 of "rgb", (n, H, W) uint16 of "depth" and "segmentation".

        Args:
            camera: one of `cameras`.
            kind: what is to be seen.
            start: the first, counted in pictures.
            stop: the last + 1; None for all.
        """
        return self._shards.media(self._number, camera).images(self._row, kind, start, stop)

    def shots(self, camera: str) -> Shots:
        """Read what goes with a camera's pictures: step, time, K, pose, range of depth, meaning of segmentation."""
        return self._shards.media(self._number, camera).shots(self._row)

    def camera_facts(self, camera: str) -> dict[str, Any]:
        """Return how a camera recorded: width, height, rate_hz, encoding, preset, backend, device ..."""
        return dict(self._shards.media(self._number, camera).attributes)

    def recorded(self) -> Recorded:
        """Read what exact replay needs."""
        return Recorded(
            seed=self.seed,
            parameters=self.parameters,
            model_sha256=self.fact("model_sha256"),
            actions=self.actions,
            observations=self.observations,
            control=self.array("state/control"),
            control_stride=self._shard.control_stride,
            keyframe_steps=self.array("state/keyframe_step"),
            keyframes=self.array("state/integration"),
        )

    def load(self) -> Episode:
        """Read all of it, as it was when it was written (/state/control: at its stride)."""
        steps = ("phase", "terminated", "truncated", "success", "t_ns")
        known = {"phases" if n == "phase" else n: self.array(f"steps/{n}") for n in steps}
        recorded = self.recorded()
        return Episode(
            task=self.task,
            version=self.header.task_version,
            expert_mode=self.fact("expert_mode"),
            outcome=self.outcome,
            fail_code=self.fact("fail_code"),
            error=self.fact("error"),
            model_xml=self.model_xml,
            instruction=self.instruction,
            rewards=self.rewards,
            streams=self.streams,
            **known,
            **{f.name: getattr(recorded, f.name) for f in dataclasses.fields(Recorded) if f.name != "control_stride"},
        )

    @property
    def _shard(self) -> Shard:
        return self._shards.open(self._number)


class Shards:
    """A dataset's shards, opened as needed, a few at a time; each process opens its own.

    Args:
        paths: their files.
        media: of each shard, camera -> the file of its pictures.
        trusted: whether they are opened without being searched.
        root: the dataset's folder, out of which no link may lead, unless trusted; None for lone files.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        media: Mapping[int, Mapping[str, Path]],
        *,
        trusted: bool,
        root: Path | None = None,
    ) -> None:
        self.paths, self._media, self._trusted, self._root = tuple(paths), media, trusted, root
        self._open: collections.OrderedDict[tuple[int, str], Shard | MediaShard] = collections.OrderedDict()
        self._pid = os.getpid()

    def open(self, number: int) -> Shard:
        """Return a shard, open."""
        opener = open_trusted if self._trusted else open_untrusted
        return self._opened((number, ""), self.paths[number], opener)

    def cameras(self, number: int) -> tuple[str, ...]:
        """Return the cameras that recorded a shard."""
        return tuple(sorted(self._media.get(number, ())))

    def media(self, number: int, camera: str) -> MediaShard:
        """Return a camera's pictures of a shard, open.

        Raises:
            UnknownNameError: it recorded none.
        """
        if camera not in self.cameras(number):
            raise unknown("camera", camera, self.cameras(number))
        path = self._media[number][camera]
        return self._opened((number, camera), path, functools.partial(open_media, trusted=self._trusted))

    def _opened(self, key: tuple[int, str], path: Path, make: Callable[[Path], S]) -> S:
        if self._pid != os.getpid():  # HDF5's handles do not survive a fork; the parent's stay its own
            self._open, self._pid = collections.OrderedDict(), os.getpid()
        found: Any = self._open.pop(key, None)
        if found is None:
            self._check_place(path)
            found = make(path)
        self._open[key] = found
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return found

    def _check_place(self, path: Path) -> None:
        if not self._trusted and self._root is not None and not path.resolve().is_relative_to(self._root.resolve()):
            raise DatasetError(f"{path} is a link out of the dataset")

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            self._open.popitem()[1].close()

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Shards, trusted=self._trusted, root=self._root), (self.paths, self._media)


def _count(number: int) -> int:
    if number < 0:
        raise ValueError(f"it is {number}")
    return number


@contextlib.contextmanager
def shard_episodes(path: Path, *, trusted: bool) -> Generator[list[StoredEpisode]]:
    """Open a lone shard; its episodes can be read inside the block."""
    shards = Shards([path], {}, trusted=trusted)
    try:
        yield [StoredEpisode(shards, 0, row) for row in range(len(shards.open(0)))]
    finally:
        shards.close()
