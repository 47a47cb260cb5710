"""Reads consecutive steps of one episode: rows of columns, streams at the steps' times, the asked cameras' pictures.

Rule: only what is asked for is read, chunk by chunk, and the chunks that were unpacked last are kept: neighbouring
windows, and columns so narrow that a chunk holds many episodes, are unpacked once.
"""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generators.loading.normalization import Normalization
from generators.resample import METHODS, resample
from generators.schema import DatasetError
from generators.stored import Shards
from sim.episode import Stream
from sim.errors import unknown

Array = NDArray[Any]

RAW = "raw"
KINDS = ("rgb", "depth", "segmentation")
STEPS = ("reward", "phase")  # columns of /steps in every window


class Place(NamedTuple):
    """Where an episode's rows are.

    Attributes:
        number: its shard, as numbered in the manifest.
        row: its row in /episodes.
        step_start: its first row in /steps.
        obs_start: its first row in /obs.
        length: its control steps T, at least 1.
    """

    number: int
    row: int
    step_start: int
    obs_start: int
    length: int


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of each step.

    Attributes:
        observations: names; None for all that the episode's shard has.
        action: whether actions are read.
        streams: channel or signal -> method of `generators.resample`, or "raw".
        cameras: camera -> kind of picture.
    """

    observations: tuple[str, ...] | None
    action: bool
    streams: Mapping[str, str]
    cameras: Mapping[str, str]

    def __post_init__(self) -> None:
        for method in self.streams.values():
            if method not in (RAW, *METHODS):
                raise unknown("method of resampling", method, (RAW, *METHODS))
        for kind in self.cameras.values():
            if kind not in KINDS:
                raise unknown("kind of picture", kind, KINDS)


class Steps(NamedTuple):
    """Consecutive steps of an episode.

    Attributes:
        arrays: by name; n rows, but n + 1 of "obs/...": the last one is what the last action led to. May be what
            others are given too: not to be written to.
        loose: raw streams, whose rows are samples.
        shown: of each "images/...", the row in it of each step (n,): a camera is slower than the control.
    """

    arrays: dict[str, Array]
    loose: dict[str, Array]
    shown: dict[str, NDArray[np.int64]]


class Chunks:
    """Rows of columns, unpacked chunk by chunk; those used last are kept.

    Args:
        shards: the files.
        limit: how many bytes are kept; each process keeps its own.
    """

    def __init__(self, shards: Shards, limit: int) -> None:
        self._shards, self._limit = shards, limit
        self._kept: collections.OrderedDict[tuple[int, str, int], Array] = collections.OrderedDict()
        self._bytes = 0
        self._sizes: dict[tuple[int, str], tuple[int, int]] = {}

    def rows(self, number: int, column: str, start: int, stop: int) -> Array:
        """Return rows of a column of a shard, start < stop; not to be written to.

        Raises:
            DatasetError: there is no such column, it has no such rows, or it is damaged.
        """
        size = self._size(number, column)[0]
        first, last = start // size, (stop - 1) // size
        if first == last:
            part = self._chunk(number, column, first, size)[start - first * size : stop - first * size]
        else:
            parts = [self._chunk(number, column, n, size) for n in range(first, last + 1)]
            part = np.concatenate(parts)[start - first * size : stop - first * size]
        if len(part) != stop - start:
            name = self._shards.paths[number].name
            raise DatasetError(
                f"{name}: column {column!r} has no rows {start} to {stop}; is episodes.parquet another's?"
            )
        return part

    def _chunk(self, number: int, column: str, n: int, size: int) -> Array:
        key = number, column, n
        found = self._kept.pop(key, None)
        if found is None:
            stop = min((n + 1) * size, self._size(number, column)[1])
            found = self._shards.open(number).read(column, min(n * size, stop), stop)
            found.flags.writeable = False
            self._bytes += found.nbytes
        self._kept[key] = found
        while self._bytes > self._limit and self._kept:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return found

    def _size(self, number: int, column: str) -> tuple[int, int]:
        """Return how many rows a chunk has, and how many the column."""
        found = self._sizes.get((number, column))
        if found is None:
            shard = self._shards.open(number)
            found = self._sizes[number, column] = shard.chunk_rows(column), shard.shape(column)[0]
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Chunks, (self._shards, self._limit)


class Reader:
    """Reads what is wanted of a dataset's episodes.

    Args:
        shards: the dataset's files.
        wanted: what.
        normalize: applied to what is read; None for none.
        cache_bytes: see `Chunks`.
    """

    def __init__(self, shards: Shards, wanted: Wanted, normalize: Normalization | None, cache_bytes: int) -> None:
        self._shards, self.wanted, self._normalize = shards, wanted, normalize
        self._chunks = Chunks(shards, cache_bytes)
        self._names: dict[int, tuple[str, ...]] = {}

    def read(self, place: Place, start: int, stop: int) -> Steps:
        """Read the steps start <= t < stop of an episode.

        Raises:
            DatasetError: a column or picture cannot be read.
            UnknownNameError: no such observation, stream or camera was recorded.
        """
        number, wanted = place.number, self.wanted
        at, seen = place.step_start + start, place.obs_start + start
        n = stop - start
        rows = self._chunks.rows
        arrays = {name: rows(number, name, seen, seen + n + 1) for name in self._observations(number)}
        if wanted.action:
            arrays["action"] = rows(number, "steps/action", at, at + n)
        for name in STEPS:
            arrays[name] = rows(number, f"steps/{name}", at, at + n)
        loose: dict[str, Array] = {}
        if wanted.streams:
            self._add_streams(place, start, stop, arrays, loose)
        shown = self._add_pictures(place, start, stop, arrays) if wanted.cameras else {}
        if self._normalize is not None:
            arrays, loose = ({k: self._normalize.apply(k, v) for k, v in part.items()} for part in (arrays, loose))
        return Steps(arrays, loose, shown)

    def _observations(self, number: int) -> tuple[str, ...]:
        """Return the columns of the wanted observations."""
        found = self._names.get(number)
        if found is None:
            names = self.wanted.observations
            known = self._shards.open(number).under("obs/")
            found = self._names[number] = tuple(f"obs/{name}" for name in (known if names is None else names))
        return found

    def _add_streams(
        self, place: Place, start: int, stop: int, arrays: dict[str, Array], loose: dict[str, Array]
    ) -> None:
        """Add streams at the steps' times; raw ones as they arrived since the step before."""
        first = max(0, start - 1)
        times = self._chunks.rows(place.number, "steps/t_ns", place.step_start + first, place.step_start + stop)
        for name, method in self.wanted.streams.items():
            stream = self._stream(place, name, times)
            if method == RAW:
                after = -1 if start == 0 else times[0]
                low, high = np.searchsorted(stream.t_ns, [after, times[-1]], side="right")
                loose[f"streams/{name}"], loose[f"streams/{name}/t_ns"] = stream.value[low:high], stream.t_ns[low:high]
            else:
                arrays[f"streams/{name}"] = resample(stream, times, method)[start - first :]

    def _stream(self, place: Place, name: str, times: Array) -> Stream:
        """Read the samples around some times: from the last one before them to the first one after."""
        shard, path = self._shards.open(place.number), f"streams/{name}"
        streams = sorted({n.rpartition("/")[0] for n in shard.under("streams/")})
        if name not in streams:
            raise unknown("stream", name, streams)
        begin, count = int(shard.index(f"{path}/start")[place.row]), int(shard.index(f"{path}/count")[place.row])
        if not count:
            raise DatasetError(f"{shard.path.name}: row {place.row} has no sample of stream {name!r} to resample")

        def arrived(sample: int) -> int:
            return int(self._chunks.rows(place.number, f"{path}/t_ns", begin + sample, begin + sample + 1)[0])

        low = _last_before(arrived, count, int(times[0]))
        high = min(count, _last_before(arrived, count, int(times[-1])) + 2)  # and one after, for "linear"
        rows = [self._chunks.rows(place.number, f"{path}/{n}", begin + low, begin + high) for n in ("value", "t_ns")]
        return Stream(*rows)

    def _add_pictures(self, place: Place, start: int, stop: int, arrays: dict[str, Array]) -> dict[str, Array]:
        """Add the pictures that are the newest at some of the steps; return which one is at each step."""
        shown: dict[str, Array] = {}
        for camera, kind in self.wanted.cameras.items():
            media = self._shards.media(place.number, camera)
            step = media.column("step", *media.span(place.row))
            if not len(step):
                raise DatasetError(f"{media.path.name}: row {place.row} has no picture from camera {camera!r}")
            newest = np.maximum(np.searchsorted(step, np.arange(start, stop), side="right") - 1, 0)
            first, last = int(newest[0]), int(newest[-1])
            arrays[f"images/{camera}"] = media.images(place.row, kind, first, last + 1)
            shown[f"images/{camera}"] = newest - first
        return shown


def _last_before(arrived: Callable[[int], int], count: int, time_ns: int) -> int:
    """Return the last sample that had arrived by a time, or 0: by halving what is left, for samples may be missing."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if arrived(middle) <= time_ns else (low, middle)
    return low
