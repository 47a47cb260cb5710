"""Files of LeRobot v3.0: tables and videos that hold many episodes each, and end before they grow too large.

An episode is never cut: a file ends where the next episode would make it larger than its limit. Nothing but the rows
that wait to be written is kept in memory.
"""

import fractions
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim.errors import MissingExtraError

Array = NDArray[Any]

CHUNK = "chunk-{chunk_index:03d}/file-{file_index:03d}"
FILES_PER_CHUNK = 1000
DATA_MB, VIDEO_MB, MB = 100, 200, 1 << 20
CODEC, PIXELS = "h264", "yuv420p"
_GROUP_BYTES = 8 << 20  # of a group of rows, at most
_CRF, _GROUP = "18", "2"  # quality, and frames from one whole picture to the next, as LeRobot has it
_VIDEO_S = 1000.0  # LeRobot compares times in float32 to 0.1 ms, which ends at 1024 s


class Places:
    """Counts files: which one comes next, and the path that it has.

    Args:
        folder: the export's.
        pattern: of the paths below it, with chunk_index and file_index.

    Attributes:
        chunk: number of the folder.
        file: number in it.
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder, self._pattern = folder, pattern
        self.chunk, self.file = 0, -1

    def next(self) -> Path:
        """Go on to the next file; return its path, whose folder is there."""
        self.chunk, self.file = (self.chunk, self.file + 1) if self.file + 1 < FILES_PER_CHUNK else (self.chunk + 1, 0)
        path = self._folder / self._pattern.format(chunk_index=self.chunk, file_index=self.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def record(self, prefix: str) -> dict[str, int]:
        """Return what a row of episodes says of the file."""
        return {f"{prefix}/chunk_index": self.chunk, f"{prefix}/file_index": self.file}


class TableFiles:
    """A table in as many parquet files as it takes.

    Args:
        places: where they go.
        schema: of the table.
        limit: bytes of a file; one episode may be larger.
        group: episodes in a group of rows, at most.
    """

    def __init__(self, places: Places, schema: pa.Schema, limit: float, group: int = 128) -> None:
        self.places, self._schema, self._limit, self._group = places, schema, limit, group
        self._file: IO[bytes] | None = None
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._bytes = 0  # of what waits

    def make_room(self, size: int) -> None:
        """Go on to the next file where this one has no room for that many bytes."""
        if self._file is None or (self._size() and self._size() + size > self._limit):
            self.close()
            self._file = self.places.next().open("wb")
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="snappy")

    def add(self, table: pa.Table) -> None:
        """Append an episode's rows to the file that `make_room` has chosen."""
        self._waiting.append(table)
        self._bytes += table.nbytes
        if self._bytes > _GROUP_BYTES or len(self._waiting) >= self._group:
            self._flush()

    def close(self) -> None:
        """Write what waits and end the file; a second call does nothing."""
        self._flush()
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
        self._writer = self._file = None

    def _size(self) -> int:
        """Return how large the file is at most, once what waits is written."""
        written = self._file.tell() if self._file is not None and self._file.tell() > 4 else 0
        return written + self._bytes

    def _flush(self) -> None:
        if self._writer is not None and self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting.clear()
        self._bytes = 0


class VideoFiles:
    """A camera's pictures in as many mp4 files as it takes, H.264, episodes one after the other.

    Args:
        places: where they go.
        shape: (H, W, 3) of a picture; both are even.
        fps: pictures per second.
        limit: bytes of a file; one episode may be larger.
    """

    def __init__(self, places: Places, shape: tuple[int, ...], fps: float, limit: float) -> None:
        self.places, self._shape, self._limit = places, shape, limit
        self._rate = fractions.Fraction(fps).limit_denominator(10_000)
        self._bytes: IO[bytes] | None = None
        self._container: Any = None
        self._stream: Any = None
        self._frames = 0  # in this file
        self._picture: Callable[[Array], Any] | None = None

    def make_room(self, frames: int) -> float:
        """Go on to the next file where this one has no room for an episode; return the time that it begins at, s."""
        if self._bytes is not None and self._frames:
            size = self._bytes.tell() * (1 + frames / self._frames)
            if size > self._limit or (self._frames + frames) / self._rate > _VIDEO_S:
                self.close()
        if self._container is None:
            self._open(self.places.next())
        return float(self._frames / self._rate)

    def add(self, picture: Array) -> None:
        """Append a picture (H, W, 3)."""
        assert self._picture is not None
        frame = self._picture(np.ascontiguousarray(picture))
        frame.pts, frame.time_base = self._frames, 1 / self._rate
        self._container.mux(self._stream.encode(frame))
        self._frames += 1

    def close(self) -> None:
        """End the file; a second call does nothing."""
        if self._container is not None and self._bytes is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._bytes.close()
        self._container = self._stream = self._bytes = None
        self._frames = 0

    def _open(self, path: Path) -> None:
        av = _av()
        self._picture = lambda picture: av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._bytes = path.open("wb")
        self._container = av.open(self._bytes, "w", format="mp4", options={"fflags": "+bitexact"})
        options = {"crf": _CRF, "preset": "veryfast", "g": _GROUP, "bf": "0"}
        self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        self._stream.height, self._stream.width = self._shape[:2]
        self._stream.pix_fmt, self._stream.time_base = PIXELS, 1 / self._rate
        self._stream.codec_context.thread_count = 1  # the same bytes each time


def _av() -> Any:  # noqa: ANN401 - a module
    try:
        import av
    except ImportError:
        raise MissingExtraError("mp4 needs the package av: pip install 'genba[video]'") from None
    return av
