"""Statistics as LeRobot v3.0 keeps them, of each episode and of the whole: min, max, mean, std, count, quantiles.

Means and deviations are float64 and exact to rounding; the peer's own come from float32 sums and sampled pictures.
Quantiles of the whole are of all rows up to 65,536, then of evenly spaced ones; those of pictures are always exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.stats import Stats, merge, summarize

Array = NDArray[Any]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
NAMES = ("min", "max", "mean", "std", "count", *QUANTILES)
_KEPT = 1 << 16  # rows for the quantiles of the whole
_VALUES = np.arange(256.0)


class NumberStats:
    """Statistics of a feature of numbers; NaN is left out."""

    def __init__(self) -> None:
        self._total: Stats | None = None
        self._kept: list[Array] = []
        self._every, self._seen, self._count = 1, 0, 0

    def add(self, values: Array) -> dict[str, Any]:
        """Take in an episode's values (T, dim); return its own statistics, lists of dim numbers."""
        found = summarize(values)
        self._total = found if self._total is None else merge(self._total, found)
        self._keep(values)
        return _record(found, len(values), values)

    def whole(self) -> dict[str, Any]:
        """Return the statistics of everything."""
        assert self._total is not None
        return _record(self._total, self._seen, np.concatenate(self._kept))

    def _keep(self, values: Array) -> None:
        mine = values[-self._seen % self._every :: self._every]
        self._kept.append(mine)
        self._count += len(mine)
        self._seen += len(values)
        while self._count > _KEPT:
            self._kept = [np.concatenate(self._kept)[::2]]
            self._count, self._every = len(self._kept[0]), 2 * self._every


class PictureStats:
    """Statistics of a camera's pictures, of each colour over all pixels, in [0, 1]; from counts of the 256 values."""

    def __init__(self) -> None:
        self._counts = np.zeros((3, 256), np.int64)
        self._frames = 0
        self._episode = (self._counts.copy(), 0)

    def see(self, picture: Array, frames: int) -> None:
        """Take in a picture (H, W, 3) uint8 that some frames of the current episode show."""
        counts, before = self._episode
        flat = picture.reshape(-1, 3)
        counts += frames * np.array([np.bincount(flat[:, colour], minlength=256) for colour in range(3)])
        self._episode = (counts, before + frames)

    def end_episode(self) -> dict[str, Any]:
        """Return the statistics of what was seen since the last call, lists of shape (3, 1, 1)."""
        counts, frames = self._episode
        self._counts, self._frames = self._counts + counts, self._frames + frames
        self._episode = (np.zeros((3, 256), np.int64), 0)
        return _pixels(counts, frames)

    def whole(self) -> dict[str, Any]:
        """Return the statistics of everything."""
        return _pixels(self._counts, self._frames)


def _record(found: Stats, count: int, rows: Array) -> dict[str, Any]:
    values = {"min": found.minimum, "max": found.maximum, "mean": found.mean, "std": found.std}
    known = found.count > 0
    levels = np.full((len(QUANTILES), len(known)), np.nan)
    levels[:, known] = np.nanquantile(rows[:, known].astype(np.float64), list(QUANTILES.values()), axis=0)
    values |= dict(zip(QUANTILES, levels, strict=True))
    return {name: value.tolist() for name, value in values.items()} | {"count": [count]}


def _pixels(counts: Array, frames: int) -> dict[str, Any]:
    n = counts.sum(axis=1)
    mean = counts @ _VALUES / n
    variance = (counts * (_VALUES - mean[:, None]) ** 2).sum(axis=1) / n
    below = counts.cumsum(axis=1)
    values = {"min": (counts > 0).argmax(axis=1), "max": 255 - (counts[:, ::-1] > 0).argmax(axis=1)}
    values |= {"mean": mean, "std": np.sqrt(variance)}
    values |= {name: (below < np.ceil(q * n)[:, None]).sum(axis=1) for name, q in QUANTILES.items()}
    return {name: (value / 255.0).reshape(3, 1, 1).tolist() for name, value in values.items()} | {"count": [frames]}
