"""How pictures become bytes and come back: chunks of frames, single pictures, one video an episode.

Lossless are zstd, raw and png. Nothing here adds noise: that belongs to loading.
"""

import fractions
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from generators.schema import DatasetError
from sim.errors import GenbaError, MissingExtraError

Array = NDArray[Any]

CHUNKED = ("zstd", "raw")  # frames side by side; the other encodings give each picture or video its own bytes
LOSSLESS = (*CHUNKED, "png")
VIDEO = "mp4"
CHUNK_FRAMES = 16
CHUNK_BYTES = 16 << 20  # fewer frames where they are large
ZSTD_LEVEL = 1
_QUALITY = 95  # of jpeg, with 4:4:4 colours
_SIGNATURES = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
_CRF, _GROUP = "18", 10  # of mp4: quality, and frames from one whole picture to the next
_SAME_BYTES = "mbtree=0"  # which with AVX-512 reads memory that nobody wrote: other bytes each time
_FAULTS = (OSError, ValueError, RuntimeError, KeyError, IndexError, SyntaxError, EOFError, TypeError, MemoryError)


class EncodingError(GenbaError, ValueError):
    """An encoding that does not fit what is asked for."""


def check_encoding(encoding: str, width: int, height: int, kinds: Sequence[str]) -> None:
    """Refuse an encoding of rgb that cannot be had.

    Raises:
        EncodingError: the size does not fit.
        MissingExtraError: a package is not installed.
    """
    if encoding == VIDEO and "rgb" in kinds:
        _av()
        if width % 2 or height % 2:
            raise EncodingError(f"mp4 needs an even width and height, got {width} x {height}")


def chunk_frames(frame_bytes: int) -> int:
    """Return how many frames a chunk holds: a power of two, so that chunks of all kinds end together."""
    return 1 << (max(1, min(CHUNK_FRAMES, CHUNK_BYTES // max(1, frame_bytes))).bit_length() - 1)


def compress(frames: Array) -> bytes:
    """Return a chunk of frames as one zstd frame; another thread may run meanwhile."""
    return pa.Codec("zstd", ZSTD_LEVEL).compress(np.ascontiguousarray(frames).data.cast("B"), asbytes=True)


def decompress(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a chunk's frames; never more than the shape needs, whatever the bytes claim.

    Raises:
        DatasetError: they are damaged, or not that many.
    """
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        found = pa.Codec("zstd").decompress(data, decompressed_size=size)
        return np.frombuffer(found, dtype).reshape(shape)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(f"a chunk of frames is damaged: {error}") from None


def encode_picture(frame: Array, encoding: str) -> bytes:
    """Return a picture (H, W, 3) as the bytes of a jpeg or png."""
    import imageio.v3 as iio

    if encoding == "jpeg":
        return iio.imwrite("<bytes>", frame, extension=".jpg", plugin="pillow", quality=_QUALITY, subsampling=0)
    return iio.imwrite("<bytes>", frame, extension=".png", plugin="pillow", compress_level=6)


def decode_picture(data: bytes, encoding: str, shape: tuple[int, ...]) -> Array:
    """Return a picture of a known shape (H, W, 3).

    Raises:
        DatasetError: it is damaged, or of another shape.
    """
    import imageio.v3 as iio

    try:
        if not data.startswith(_SIGNATURES[encoding]):
            raise ValueError(f"it is no {encoding}")
        with iio.imopen(data, "r", plugin="pillow") as file:
            if file.properties(index=0).shape != shape:  # before it is unpacked
                raise ValueError(f"its shape is {file.properties(index=0).shape}, expected {shape}")
            return np.asarray(file.read(index=0))
    except _FAULTS as error:
        raise DatasetError(f"a picture is damaged: {error}") from None


class VideoEncoder:
    """One episode's pictures as the bytes of an mp4, H.264: the same bytes each time, from one thread."""

    def __init__(self, width: int, height: int, rate_hz: float) -> None:
        av = _av()
        self._av, self._bytes = av, io.BytesIO()
        self._file = av.open(self._bytes, "w", format="mp4", options={"fflags": "+bitexact"})
        rate = fractions.Fraction(rate_hz).limit_denominator(10_000)
        options = {"crf": _CRF, "preset": "veryfast", "x264-params": _SAME_BYTES}
        self._stream = self._file.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.gop_size = _GROUP
        self._stream.codec_context.thread_count = 1

    def add(self, frame: Array) -> None:
        """Encode the next picture (H, W, 3)."""
        self._file.mux(self._stream.encode(self._av.VideoFrame.from_ndarray(frame, format="rgb24")))

    def finish(self) -> bytes:
        """Return the whole video."""
        self._file.mux(self._stream.encode(None))
        self._file.close()
        return self._bytes.getvalue()


def decode_video(data: bytes, shape: tuple[int, ...], start: int, stop: int) -> Array:
    """Return pictures start to stop of a video, whose pictures have a known shape (H, W, 3).

    Raises:
        DatasetError: it is damaged, shorter, or of another shape.
        MissingExtraError: the package av is not installed.
    """
    av = _av()
    out = np.empty((stop - start, *shape), np.uint8)
    at = -1
    try:
        with av.open(io.BytesIO(data), format="mp4") as file:
            stream = file.streams.video[0]
            if (stream.height, stream.width) != shape[:2]:
                raise ValueError(f"its pictures have {stream.width} x {stream.height} pixels")
            for at, frame in enumerate(file.decode(stream)):
                if at >= stop:
                    break
                if at >= start:
                    out[at - start] = frame.to_ndarray(format="rgb24")
            else:
                if at + 1 < stop:
                    raise ValueError(f"it has {at + 1} pictures, expected {stop}")
    except (*_FAULTS, av.FFmpegError) as error:
        raise DatasetError(f"a video is damaged: {error}") from None
    return out


def _av() -> Any:  # noqa: ANN401 - a module
    try:
        import av
    except ImportError:
        raise MissingExtraError("mp4 needs the package av: pip install 'genba[video]'") from None
    return av
