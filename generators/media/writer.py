"""Writes media shards: one camera's pictures of one physics shard, as they come, in one file or none.

    /                attrs: format, format_version, dataset_id, physics_sha256, shard, task, camera, versions
    /<camera>/       attrs: how it was recorded (encoding, width, height, rate_hz ...), near, far, segments, convention
      rgb            (F, H, W, 3) u1 in chunks; for jpeg, png and mp4 a group: value (bytes), start, count
      depth          (F, H, W) u2: metres = value * depth_scale_m, 0 where there is nothing in range
      segmentation   (F, H, W) u2: numbers of the attribute segments, [[name, class], ...]
      K              (E, 3, 3), pixels; zero for an episode without pictures
      T_world_cam    (F, 4, 4), m; t_ns (F,), step (F,)
    /episodes/       episode_id, frame_start, frame_count (E,)

Pictures are derived data: the states in the physics shard are what they are drawn from. The bytes depend on the
pictures alone. Chunks are compressed here, in another thread than draws, and written as they are.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from generators.files import PatientFile, whole_file
from generators.media.background import Background
from generators.media.codecs import CHUNKED, chunk_frames
from generators.media.columns import Chunks, Pieces, encoding_of
from generators.media.shots import Shot
from generators.schema import Column, DatasetError
from generators.writer import write_column
from sim.cameras import LEVELS

Array = NDArray[Any]

FORMAT = "genba-media"
FORMAT_VERSION = "1.0"
MEDIA = "media"  # the folder of a dataset that holds them
IMPORTED = "imported"  # as a backend: somebody else drew them, and geometry is not known (K zero, poses the identity)


@dataclasses.dataclass(frozen=True, slots=True)
class MediaHeader:
    """What a media shard says of itself, in the root's attributes."""

    dataset_id: str
    physics_sha256: str
    shard: int
    task: str
    camera: str
    genba_version: str
    mujoco_version: str
    format: str = FORMAT
    format_version: str = FORMAT_VERSION

    @property
    def name(self) -> str:
        """The file's name."""
        return media_name(self.shard, self.camera)


@dataclasses.dataclass(frozen=True, slots=True)
class Optics:
    """What an episode's camera was, besides its settings.

    Attributes:
        k: K (3, 3), pixels.
        near: what is nearer is not seen, m.
        far: the end of the range of depth, m.
        segments: (name, class) of each number in a segmentation.
    """

    k: Array
    near: float
    far: float
    segments: tuple[tuple[str, str], ...]


def media_name(shard: int, camera: str) -> str:
    """Return the name of the file with a camera's pictures of a shard."""
    return f"shard-{shard:05d}.{camera}.h5"


class MediaWriter:
    """Writes one media shard; a context manager that leaves a whole file, or, where its block raises, none.

    Args:
        path: the file; one that exists is replaced when this one is whole.
        header: what it says of itself.
        shot: how the camera is recorded.
        frames: how many pictures there will be.
        background: where they are compressed and written.
        drawn_by: the renderer's backend and device.
    """

    def __init__(
        self,
        path: Path,
        header: MediaHeader,
        shot: Shot,
        *,
        frames: int,
        background: Background,
        drawn_by: tuple[str, str],
    ) -> None:
        self._path, self._header, self._shot, self._frames = path, header, shot, frames
        self._background, self._drawn_by = background, drawn_by
        self._whole = whole_file(path)
        self._episodes: list[tuple[int, int, int]] = []
        self._k: list[Array] = []
        self._rows: dict[str, list[Array]] = {"T_world_cam": [], "t_ns": [], "step": []}
        self._optics: Optics | None = None
        self._sinks: dict[str, Chunks | Pieces] = {}
        self._unit = chunk_frames(shot.width * shot.height * 3)

    def __enter__(self) -> Self:
        self._raw: PatientFile = self._whole.__enter__()
        self._file = h5py.File(self._raw, "w", libver=("earliest", "v110"))
        try:
            self._group = self._file.create_group(self._shot.camera)
            for kind in self._shot.kinds:
                self._sinks[kind] = self._sink(kind)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def begin(self, episode_id: int, optics: Optics | None) -> None:
        """Start an episode; None where nothing of it can be drawn.

        Raises:
            DatasetError: the camera's range, or what there is to see, is not that of the episodes before.
        """
        start = sum(count for *_, count in self._episodes)
        self._episodes.append((episode_id, start, 0))
        self._k.append(np.zeros((3, 3)) if optics is None else optics.k)
        if optics is None:
            return
        if self._optics is None:
            self._optics = optics
        known = self._optics
        if (known.near, known.far, known.segments) != (optics.near, optics.far, optics.segments):
            raise DatasetError(
                f"{self._path.name}: camera {self._shot.camera!r} of episode {episode_id} has another range or other"
                " things to see than before: a task's parameters may not change these"
            )

    def append(self, images: Mapping[str, Array], t_world_cam: Array, steps: Array, t_ns: Array) -> None:
        """Add pictures to the episode that was begun last.

        Args:
            images: kind -> pictures (n, H, W) or (n, H, W, 3); not to be changed afterwards.
            t_world_cam: (n, 4, 4) poses.
            steps: (n,) control steps.
            t_ns: (n,) times since the episode's start.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        self._raw.check()
        number, start, count = self._episodes[-1]
        self._episodes[-1] = number, start, count + len(steps)
        for name, rows in zip(self._rows, (t_world_cam, t_ns, steps), strict=True):
            self._rows[name].append(rows)
        at, stop = start + count, start + count + len(steps)
        while at < stop:  # by whole chunks, so that their order in the file does not depend on how pictures come
            end = min(stop, (at // self._unit + 1) * self._unit)
            part = slice(at - start - count, end - start - count)
            for kind, sink in self._sinks.items():
                sink.add(images[kind][part])
            at = end

    def end(self) -> None:
        """End the episode that was begun last."""
        for sink in self._sinks.values():
            sink.end()

    def finish(self) -> None:
        """Have written what is left; the background must be done before the block ends."""
        for sink in self._sinks.values():
            sink.finish()
        self._background.put(self._describe)

    def __exit__(self, kind: type[BaseException] | None, *exc: Any) -> None:  # noqa: ANN401
        try:
            self._file.close()
        except Exception:
            if self._raw.error is None:
                raise
        self._whole.__exit__(kind, *exc)

    def _sink(self, kind: str) -> "Chunks | Pieces":
        shot = self._shot
        shape = (self._frames, shot.height, shot.width, *((3,) if kind == "rgb" else ()))
        if encoding_of(shot, kind) in CHUNKED:
            return Chunks(self._group, kind, shape, shot, self._background)
        return Pieces(self._group, kind, shot, self._background)

    def _describe(self) -> None:
        """Write all but the pictures."""
        self._file.attrs.update(dataclasses.asdict(self._header))
        self._group.attrs.update(self._attributes())
        numbers = np.array(self._episodes, np.int64).reshape(-1, 3).T
        for name, dtype, values in zip(
            ("episode_id", "frame_start", "frame_count"), ("<u8", "<i8", "<i8"), numbers, strict=True
        ):
            write_column(self._file, Column(f"episodes/{name}", dtype, "episode"), values.astype(dtype))
        k = np.array(self._k, np.float64).reshape(-1, 3, 3)
        self._column("K", k, unit="px", doc="zero for an episode without pictures")
        poses = _joined(self._rows["T_world_cam"], (4, 4), np.float64)
        self._column("T_world_cam", poses, unit="m", frame="world", doc="from the camera's frame")
        self._column("t_ns", _joined(self._rows["t_ns"], (), np.int64), unit="ns", doc="since the episode's start")
        self._column("step", _joined(self._rows["step"], (), np.int64), doc="control step: as the row of /obs")
        for kind in self._sinks:
            node = self._group[kind]
            node.attrs["encoding"] = encoding_of(self._shot, kind)
            if kind == "depth" and self._optics is not None:
                node.attrs.update({"depth_scale_m": self._optics.far / LEVELS, "depth_clip_m": self._optics.far})

    def _column(self, name: str, values: Array, *, unit: str = "", frame: str = "", doc: str = "") -> None:
        path = f"{self._shot.camera}/{name}"
        write_column(self._file, Column(path, values.dtype.str, "frame", unit=unit, frame=frame, doc=doc), values)

    def _attributes(self) -> dict[str, Any]:
        optics = self._optics or Optics(np.zeros((3, 3)), 0.0, 0.0, ())
        settings = self._shot.to_json() | {"kinds": json.dumps(self._shot.kinds)}
        backend, device = self._drawn_by
        return settings | {
            "near": optics.near,
            "far": optics.far,
            "segments": json.dumps(optics.segments, ensure_ascii=False),
            "convention": "opencv",
            "color": "RGB",
            "backend": backend,
            "device": device,
        }


def _joined(parts: Sequence[Array], shape: tuple[int, ...], dtype: type) -> Array:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros((0, *shape), dtype)
