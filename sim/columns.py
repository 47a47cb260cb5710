"""Named columns of one table: what is observed or signalled at control rate, side by side in a row a simulation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.errors import TaskError

Array = NDArray[Any]
Bounds = Mapping[str, tuple[ArrayLike, ArrayLike]]


class Columns:
    """Where each named value is in a row, and between which bounds.

    Args:
        values: name -> (nsim, ...), as first seen; later ones must have the same names, order and shapes.
        bounds: name -> lowest and highest value, of all components or each; unbounded where it is not named.
    """

    def __init__(self, values: Mapping[str, Array], bounds: Bounds) -> None:
        self.shapes = {n: v.shape[1:] for n, v in values.items()}
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes.values())]).tolist()
        self.slices = {n: slice(a, b) for n, a, b in zip(values, ends[:-1], ends[1:], strict=True)}
        self.low, self.high = np.full(ends[-1], -np.inf, np.float32), np.full(ends[-1], np.inf, np.float32)
        for name, (low, high) in bounds.items():
            if name in self.slices:
                self.low[self.slices[name]], self.high[self.slices[name]] = low, high
        self.bounded = bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    def pack(self, values: Mapping[str, Array]) -> NDArray[np.float32]:
        """Return values as rows (nsim, width) of their own, inside their bounds.

        Raises:
            TaskError: names or shapes are not those of the first time.
        """
        shapes = {n: v.shape[1:] for n, v in values.items()}
        if list(shapes.items()) != list(self.shapes.items()):
            raise TaskError(
                f"observations and signals must keep names, order and shape: got {shapes}, were {self.shapes}"
            )
        parts = [v.reshape(len(v), -1) for v in values.values()]
        if not parts:
            return np.zeros((0, 0), np.float32)
        rows = np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")
        return np.clip(rows, self.low, self.high, out=rows) if self.bounded else rows

    def split(self, rows: Array) -> dict[str, Array]:
        """Return the columns (..., dim) of rows (..., width) by name."""
        return {n: rows[..., s] for n, s in self.slices.items()}
