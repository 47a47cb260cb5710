"""Pictures for LeRobot v3.0, whose pictures have three colours of 8 bits: the latest at each step, a few at a time.

Depth and segmentation have 16 bits a pixel. They go as PNG, exactly: red is the low byte, green the high one, blue 0;
never through a video, whose codec would change them. `unpack` turns them back.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.export.content import Picture
from generators.stored import StoredEpisode

Array = NDArray[Any]

_BLOCK_BYTES = 32 << 20


def pack(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return 16-bit pictures (..., H, W) as colours (..., H, W, 3)."""
    low, high = values & 255, values >> 8
    return np.stack([low, high, np.zeros_like(low)], axis=-1).astype(np.uint8)


def unpack(colours: Array) -> NDArray[np.uint16]:
    """Return the 16-bit pictures that `pack` made into colours.

    Args:
        colours: (..., 3, H, W) in [0, 1], as LeRobot's loader gives them, or (..., H, W, 3) uint8.
    """
    if colours.dtype == np.uint8:
        low, high = colours[..., 0], colours[..., 1]
    else:
        low, high = np.moveaxis(np.rint(np.asarray(colours, np.float64) * 255)[..., :2, :, :], -3, 0)
    return (low.astype(np.uint16) | high.astype(np.uint16) << 8).astype(np.uint16)


def picture_at(episode: StoredEpisode, picture: Picture) -> NDArray[np.int64]:
    """Return which of a camera's pictures was the latest at each step (T,)."""
    taken = episode.shots(picture.camera).step
    return np.searchsorted(taken, np.arange(len(episode)), side="right") - 1


def colours(episode: StoredEpisode, picture: Picture, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the first pictures of an episode, each (H, W, 3) of colours.

    Args:
        episode: the episode.
        picture: the camera and the kind.
        count: how many pictures.
    """
    block = max(1, _BLOCK_BYTES // int(np.prod((*picture.shape[:2], 3))))
    for start in range(0, count, block):
        images = episode.images(picture.camera, picture.kind, start, min(start + block, count))
        yield from images if picture.kind == "rgb" else pack(images)
