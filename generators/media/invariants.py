"""What must hold of a media shard besides its hash: it belongs to its shard, every picture has its place and opens.

Findings are (lint, column, message), returned, never raised: what cannot be read is one of them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from generators.media.reader import MediaShard, open_media
from generators.media.writer import IMPORTED
from generators.reader import Shard, open_untrusted
from generators.schema import DatasetError, VersionError
from sim.errors import describe_error

_BLOCK_BYTES = 64 << 20  # pictures opened at a time
_ORTHONORMAL = 1e-6  # rotation matrices of float64, from quaternions normalized by MuJoCo

Found = Iterator[tuple[str, str, str]]


def check_media(path: Path, shard_path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read a media shard through and check what must hold of it.

    Args:
        path: the media shard.
        shard_path: the shard whose states it was drawn from.
        settings: how dataset.json says that it was recorded.

    Returns:
        findings, (lint, column, message) each; and where it can be read the number of pictures.
    """
    try:
        with open_media(path) as media, open_untrusted(shard_path) as shard:
            found = [*_belonging(media, shard, settings), *_index_findings(media, shard)]
            if not found:  # what follows would stumble over it
                found = [*_pose_findings(media), *_picture_findings(media)]
            return {"findings": found, "frames": media.frames}
    except VersionError as error:
        return {"findings": [("version", "", str(error))]}
    except (DatasetError, LookupError, TypeError, ValueError, MemoryError) as error:
        return {"findings": [("structure", "", describe_error(error))]}


def find_media_damage(path: Path) -> list[tuple[str, str]]:
    """Try to open every picture of a damaged media shard; return (column, message) of what cannot be."""
    try:
        with open_media(path) as media:
            return [(column, message) for _, column, message in _picture_findings(media)]
    except (DatasetError, LookupError, TypeError, ValueError, MemoryError) as error:
        return [("", str(error))]


def _belonging(media: MediaShard, shard: Shard, settings: Mapping[str, Any]) -> Found:
    for name in ("dataset_id", "physics_sha256", "task"):
        mine, theirs = getattr(media.header, name), getattr(shard.header, name)
        if mine != theirs:
            yield "media-origin", "", f"{name} is {mine!r}, its shard has {theirs!r}"
    if media.header.shard != shard.header.shard_index:
        yield "media-origin", "", f"it was drawn from shard {media.header.shard}, not from {shard.header.shard_index}"
    said = media.shot.to_json()
    for name in sorted(said):
        if settings.get(name, said[name]) != said[name]:
            yield "media-origin", "", f"{name} is {said[name]!r}, dataset.json says {settings[name]!r}"


def _index_findings(media: MediaShard, shard: Shard) -> Found:
    """Check that every episode has its pictures, at the steps and times of its states."""
    if not np.array_equal(media.index("episode_id"), shard.index("episode_id")):
        yield "media-origin", "episodes/episode_id", "they are not the episodes of its shard"
        return
    length, stride = shard.index("length").astype(np.int64), media.shot.stride
    counts = np.where(length > 0, length // stride + 1, 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    if not np.array_equal(media.index("frame_count"), counts):
        yield "missing-media", "episodes/frame_count", "the pictures are not as many as the episodes' steps ask for"
        return
    if not np.array_equal(media.index("frame_start"), starts[:-1]):
        yield "missing-media", "episodes/frame_start", "the episodes' pictures do not follow each other"
    total, camera = int(starts[-1]), media.header.camera
    for kind in media.shot.kinds:
        rows = media.rows(kind)
        wanted = len(counts) if media.encoding(kind) == "mp4" else total
        if rows != wanted:
            yield "missing-media", f"{camera}/{kind}", f"it has {rows} entries, expected {wanted}"
    steps = np.concatenate([np.arange(n) * stride for n in counts] or [np.zeros(0, np.int64)])
    control_ns = int(shard.attributes["substeps"]) * round(float(shard.attributes["timestep_s"]) * 1e9)
    for name, expected in (("step", steps), ("t_ns", steps * control_ns)):
        if not np.array_equal(media.column(name), expected):
            yield "media-step", f"{camera}/{name}", "the pictures are not at the steps that their rate gives"


def _pose_findings(media: MediaShard) -> Found:
    camera = media.header.camera
    k, poses = media.column("K"), media.column("T_world_cam")
    if k.shape != (len(media), 3, 3) or poses.shape != (media.frames, 4, 4):
        yield "media-pose", f"{camera}/K", f"shapes are {k.shape} and {poses.shape}"
        return
    seen = (media.index("frame_count") > 0) & (media.attributes.get("backend") != IMPORTED)
    if not np.isfinite(k).all() or not (k[seen][:, [0, 1], [0, 1]] > 0).all():
        yield "media-pose", f"{camera}/K", "an episode's focal length is no positive number"
    if not np.isfinite(poses).all():
        yield "media-pose", f"{camera}/T_world_cam", "a pose is not finite"
        return
    turned = poses[:, :3, :3]
    if np.abs(turned @ turned.transpose(0, 2, 1) - np.eye(3)).max(initial=0.0) > _ORTHONORMAL:
        yield "media-pose", f"{camera}/T_world_cam", "a pose is no rotation and translation"


def _picture_findings(media: MediaShard) -> Found:
    """Open every picture; name the first of each kind that does not open."""
    for kind in media.shot.kinds:
        column = f"{media.header.camera}/{kind}"
        frame = int(np.prod(media.shape(kind))) * (1 if kind == "rgb" else 2)
        size = max(1, _BLOCK_BYTES // frame)
        try:
            for row, count in enumerate(media.index("frame_count").tolist()):
                for start in range(0, count, size):
                    pictures = media.images(row, kind, start, start + size)
                    if kind == "segmentation" and pictures.size and int(pictures.max()) >= len(media.segments):
                        raise DatasetError(f"a number is {pictures.max()}, there are {len(media.segments)} things")
        except DatasetError as error:
            yield "media-picture", column, str(error)
