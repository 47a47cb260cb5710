"""The pictures inside a media shard: chunks of frames, or pieces that each stand for a picture or a video.

What is written is worked out and written in the background, in an order that the pictures alone decide.
"""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from generators.media.background import Background
from generators.media.codecs import VIDEO, ZSTD_LEVEL, VideoEncoder, chunk_frames, compress, encode_picture
from generators.media.shots import Shot
from generators.schema import Column
from generators.writer import write_column

Array = NDArray[Any]

_BLOCK = 1 << 18  # bytes of a chunk of encoded pictures


def encoding_of(shot: Shot, kind: str) -> str:
    """Return how a kind of picture is stored: depth and segmentation never with losses."""
    return shot.encoding if kind == "rgb" or shot.encoding == "raw" else "zstd"


class Chunks:
    """A dataset of frames, compressed in whole chunks; the last is filled up with zeros.

    Args:
        group: where it is made.
        kind: its name.
        shape: of all frames.
        shot: how the camera is recorded.
        background: where it is compressed and written.
    """

    def __init__(
        self, group: h5py.Group, kind: str, shape: tuple[int, ...], shot: Shot, background: Background
    ) -> None:
        import hdf5plugin  # HDF5 asks for its filter when the dataset is made

        self._encoding, self._background = encoding_of(shot, kind), background
        dtype = np.dtype("|u1" if kind == "rgb" else "<u2")
        frames = min(chunk_frames(int(np.prod(shape[1:])) * dtype.itemsize), max(1, shape[0]))
        self._shape = (frames, *shape[1:])
        options: dict[str, Any] = {}
        if shape[0]:
            options["chunks"] = self._shape
            if self._encoding == "zstd":
                options |= dict(hdf5plugin.Zstd(clevel=ZSTD_LEVEL))
        self._dataset = group.create_dataset(kind, shape, dtype, track_times=False, **options)
        self._buffer, self._filled, self._at = np.empty(self._shape, dtype), 0, 0

    def add(self, frames: Array) -> None:
        """Add frames, which must not change afterwards."""
        size = len(self._buffer)
        while len(frames):
            if not self._filled and len(frames) >= size:  # a whole chunk needs no copy
                self._send(frames[:size])
                frames = frames[size:]
                continue
            part = frames[: size - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            frames = frames[len(part) :]
            if self._filled == size:
                self._flush()

    def end(self) -> None:
        """Do nothing: episodes follow each other."""

    def finish(self) -> None:
        """Have what is left written."""
        if self._filled:
            self._buffer[self._filled :] = 0
            self._flush()

    def _flush(self) -> None:
        self._send(self._buffer)
        self._buffer, self._filled = np.empty_like(self._buffer), 0

    def _send(self, frames: Array) -> None:
        at = (self._at, *(0,) * (frames.ndim - 1))
        self._at += len(frames)

        def write() -> None:
            data = compress(frames) if self._encoding == "zstd" else np.ascontiguousarray(frames).tobytes()
            self._dataset.id.write_direct_chunk(at, data)

        self._background.put(write)


class Pieces:
    """A group of encoded pictures, or of one video an episode: their bytes one after the other."""

    def __init__(self, group: h5py.Group, kind: str, shot: Shot, background: Background) -> None:
        self._shot, self._background = shot, background
        self._group = group.create_group(kind)
        self._value = self._group.create_dataset(
            "value", (0,), "|u1", maxshape=(None,), chunks=(_BLOCK,), track_times=False
        )
        self._counts: list[int] = []
        self._left, self._at = bytearray(), 0
        self._video: VideoEncoder | None = None

    def add(self, frames: Array) -> None:
        """Add pictures, which must not change afterwards."""

        def work() -> None:
            for frame in frames:
                if self._shot.encoding != VIDEO:
                    self._put(encode_picture(frame, self._shot.encoding))
                    continue
                if self._video is None:
                    self._video = VideoEncoder(self._shot.width, self._shot.height, self._shot.rate_hz)
                self._video.add(frame)

        self._background.put(work)

    def end(self) -> None:
        """End an episode."""

        def work() -> None:
            if self._shot.encoding == VIDEO:
                self._put(self._video.finish() if self._video else b"")
                self._video = None

        self._background.put(work)

    def finish(self) -> None:
        """Have what is left written."""
        self._background.put(self._close)

    def _put(self, data: bytes) -> None:
        self._counts.append(len(data))
        self._left += data
        while len(self._left) >= _BLOCK:
            self._write(bytes(self._left[:_BLOCK]))
            del self._left[:_BLOCK]

    def _write(self, block: bytes) -> None:
        self._value.resize((self._at + len(block),))
        self._value.id.write_direct_chunk((self._at,), block.ljust(_BLOCK, b"\0"))
        self._at += len(block)

    def _close(self) -> None:
        if self._left:
            self._write(bytes(self._left))
        counts = np.array(self._counts, np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64) if len(counts) else counts
        for name, values in (("start", starts), ("count", counts)):
            write_column(self._group, Column(name, "<i8", "piece", doc=f"{name} of its bytes in value"), values)
