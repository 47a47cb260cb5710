"""Reads media shards: pictures as arrays, the camera's geometry, which picture belongs to which step.

Chunks are unpacked here, never into more memory than their shape needs, and at most a few GB at a time.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from generators.media.codecs import CHUNKED, VIDEO, chunk_frames, decode_picture, decode_video, decompress
from generators.media.shots import Shot, shot_from_json
from generators.media.writer import FORMAT, FORMAT_VERSION, MediaHeader
from generators.reader import open_file, readable
from generators.schema import DatasetError, check_version, read_fields
from generators.structure import MAX_COLUMN_BYTES
from sim.errors import unknown

Array = NDArray[Any]


class Shots(NamedTuple):
    """What goes with an episode's n pictures from one camera.

    Attributes:
        step: (n,) control step of each: the row of the observations that were seen with it.
        t_ns: (n,) time of each since the episode's start.
        k: K (3, 3), pixels, convention "opencv".
        t_world_cam: (n, 4, 4) pose of each, m, from the camera's frame to the world's.
        near: what is nearer is not seen, m.
        far: the end of the range of depth, m: metres = value * far / 65535, 0 where nothing is in range.
        segments: (name, class) of each number in a segmentation.
    """

    step: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    k: NDArray[np.float64]
    t_world_cam: NDArray[np.float64]
    near: float
    far: float
    segments: tuple[tuple[str, str], ...]


class MediaShard:
    """One camera's pictures of a shard; a context manager. Made by `open_media`.

    Attributes:
        path: the file.
        header: what it says of itself.
        shot: how it was recorded.
        attributes: those of the camera: near, far, backend, device ...
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._file, self.path = file, path
        with readable(path.name):
            root = dict(file.attrs)
            if root.get("format") != FORMAT:
                raise DatasetError(f"{path.name}: format is {root.get('format', '')!r}, expected {FORMAT!r}")
            check_version(str(root.get("format_version", "")), path.name, FORMAT_VERSION)
            self.header = read_fields(MediaHeader, root, path.name)
            nodes = cast(Any, file)
            self._group: Any = nodes[self.header.camera]
            self.attributes: dict[str, Any] = {k: _plain(v) for k, v in self._group.attrs.items()}
            self.shot: Shot = shot_from_json(self.header.camera, self.attributes)
            self._index = {n: nodes[f"episodes/{n}"][:] for n in ("episode_id", "frame_start", "frame_count")}
            segments = self.attributes["segments"]
            self.segments = tuple((str(name), str(label)) for name, label in segments)

    def __len__(self) -> int:
        """Number of episodes."""
        with readable(f"{self.path.name}: episodes/episode_id"):
            return len(self._index["episode_id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def index(self, name: str) -> Array:
        """Return a column of /episodes: episode_id, frame_start or frame_count. Not to be written to."""
        return self._index[name]

    @property
    def frames(self) -> int:
        """Number of pictures."""
        with readable(self.path.name):
            return len(self._group["step"])

    def rows(self, kind: str) -> int:
        """Return how many entries a kind of picture has: pictures, or videos."""
        with readable(f"{self.path.name}: {self.header.camera}/{kind}"):
            node = self._group[kind]
            return len(node) if isinstance(node, h5py.Dataset) else len(node["count"])

    def column(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Read rows of K, T_world_cam, t_ns or step."""
        with readable(f"{self.path.name}: {self.header.camera}/{name}"):
            return self._group[name][start:stop]

    def shots(self, row: int) -> Shots:
        """Read what goes with an episode's pictures.

        Args:
            row: the episode's row in /episodes.
        """
        start, stop = self.span(row)
        step, t_ns, poses = (self.column(n, start, stop) for n in ("step", "t_ns", "T_world_cam"))
        with readable(f"{self.path.name}: {self.header.camera}"):
            near, far = float(self.attributes["near"]), float(self.attributes["far"])
            return Shots(step, t_ns, self.column("K", row, row + 1)[0], poses, near, far, self.segments)

    def span(self, row: int) -> tuple[int, int]:
        """Return the first and last + 1 picture of an episode."""
        with readable(f"{self.path.name}: where an episode's pictures are"):
            start, count = int(self._index["frame_start"][row]), int(self._index["frame_count"][row])
            if min(start, count) < 0:
                raise ValueError(f"{count} from {start} on")
            return start, start + count

    def images(self, row: int, kind: str, start: int = 0, stop: int | None = None) -> Array:
        """Read pictures of an episode.

        Args:
            row: the episode's row in /episodes.
            kind: "rgb", "depth" or "segmentation".
            start: the first, counted from the episode's first.
            stop: the last + 1; None for all.

        Returns:
            (n, H, W, 3) uint8 of rgb, else (n, H, W) uint16.

        Raises:
            DatasetError: they are damaged, or too many to be read at once.
            UnknownNameError: no such kind was recorded.
        """
        if kind not in self.shot.kinds:
            raise unknown("kind of picture", kind, self.shot.kinds)
        first, end = self.span(row)
        start, stop, _ = slice(start, stop).indices(end - first)
        shape = (max(0, stop - start), *self.shape(kind))
        if (size := int(np.prod(shape, dtype=object)) * _dtype(kind).itemsize) > MAX_COLUMN_BYTES:
            raise DatasetError(f"{self.path.name}: these pictures have {size / 1e9:.1f} GB; read fewer at a time")
        where = f"{self.path.name}: {self.header.camera}/{kind}"
        if not shape[0]:
            return np.zeros(shape, _dtype(kind))
        try:
            with readable(where):
                read = self._chunked if self.encoding(kind) in CHUNKED else self._pieces
                return read(row, kind, first + start, first + stop)
        except DatasetError as error:
            raise error if str(error).startswith(where) else DatasetError(f"{where}: {error}") from None

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of one picture."""
        return (self.shot.height, self.shot.width, *((3,) if kind == "rgb" else ()))

    def encoding(self, kind: str) -> str:
        """Return how a kind of picture is stored."""
        with readable(f"{self.path.name}: {self.header.camera}/{kind}"):
            return str(self._group[kind].attrs["encoding"])

    def stored_bytes(self) -> dict[str, int]:
        """Return how many bytes each kind of picture takes."""
        out: dict[str, int] = {}
        with readable(self.path.name):
            for kind in self.shot.kinds:
                node = self._group[kind]
                found = node if isinstance(node, h5py.Dataset) else node["value"]
                out[kind] = int(found.id.get_storage_size())
        return out

    def _chunked(self, row: int, kind: str, first: int, end: int) -> Array:
        del row  # episodes follow each other
        dataset, shape, dtype = self._group[kind], self.shape(kind), _dtype(kind)
        if dataset.shape[1:] != shape or dataset.dtype != dtype or end > len(dataset):
            raise ValueError(f"its shape is {dataset.shape} of {dataset.dtype}, expected pictures {shape} of {dtype}")
        if self.encoding(kind) == "raw":
            return dataset[first:end]
        size = chunk_frames(int(np.prod(shape)) * dtype.itemsize) if dataset.chunks is None else dataset.chunks[0]
        out = np.empty((end - first, *shape), dtype)
        for at in range(first // size * size, end, size):
            mask, data = dataset.id.read_direct_chunk((at, *(0,) * len(shape)))
            if mask:
                raise ValueError("a chunk is stored without its filter")
            frames = decompress(data, (size, *shape), dtype)
            low, high = max(first, at), min(end, at + size)
            out[low - first : high - first] = frames[low - at : high - at]
        return out

    def _pieces(self, row: int, kind: str, first: int, end: int) -> Array:
        group, shape, encoding = self._group[kind], self.shape(kind), self.encoding(kind)
        if encoding == VIDEO:
            begin = self.span(row)[0]
            return decode_video(self._piece(group, row), shape, first - begin, end - begin)
        return np.array([decode_picture(self._piece(group, i), encoding, shape) for i in range(first, end)])

    def _piece(self, group: Any, i: int) -> bytes:  # noqa: ANN401 - a group of HDF5
        start, count = int(group["start"][i]), int(group["count"][i])
        if not 0 <= start <= start + count <= len(group["value"]):
            raise ValueError(f"piece {i} is outside of value")
        return group["value"][start : start + count].tobytes()


def open_media(path: Path, *, trusted: bool = False) -> MediaShard:
    """Open a media shard.

    Args:
        path: the file.
        trusted: whether this program has written it itself; else it is examined first.

    Raises:
        DatasetError: it is none, contains what one never does, or is of a later major version.
    """
    return open_file(path, None if trusted else {"media": True}, MediaShard)


def _plain(value: Any) -> Any:  # noqa: ANN401 - an attribute
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def _dtype(kind: str) -> np.dtype[Any]:
    return np.dtype("|u1" if kind == "rgb" else "<u2")
