"""Normalization: scales numbers by a dataset's own statistics, and back; plain data, to be kept beside a policy.

Rule: what never varied is shifted to 0 but not scaled, for nothing is known of its scale.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.capped import read_json
from generators.dataset import Dataset
from generators.schema import DatasetError
from sim.errors import unknown

Array = NDArray[Any]
Floats = NDArray[np.float64]

STATISTICS = "stats.json"
METHODS = {
    "mean_std": "to mean 0 and standard deviation 1",
    "min_max": "so that the least value is -1 and the greatest 1",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Normalization:
    """What is taken off each number, and what the rest is divided by.

    Attributes:
        method: one of `METHODS`.
        offset: (dim,) by the names in windows: "obs/x", "action", "streams/force".
        scale: (dim,) by the same names; 1 where the number never varied.
    """

    method: str
    offset: Mapping[str, Floats]
    scale: Mapping[str, Floats]

    def apply(self, name: str, values: Array) -> NDArray[np.float32]:
        """Return values (..., dim) normalized; as they are where the name has no statistics."""
        if name not in self.offset:
            return values
        return ((values - self.offset[name]) / self.scale[name]).astype(np.float32)

    def undo(self, name: str, values: Array) -> NDArray[np.float32]:
        """Return normalized values (..., dim) in their units: what a policy's actions mean.

        Raises:
            UnknownNameError: the name has no statistics.
        """
        if name not in self.offset:
            raise unknown("normalized name", name, self.offset)
        return (values * self.scale[name] + self.offset[name]).astype(np.float32)

    def to_json(self) -> str:
        """Return it as JSON; `from_json` gives the same numbers to the bit."""
        parts = {part: {name: v.tolist() for name, v in getattr(self, part).items()} for part in ("offset", "scale")}
        return json.dumps({"method": self.method, **parts}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make it from `to_json`'s text.

        Raises:
            DatasetError: the text is something else.
        """
        try:
            data = json.loads(text)
            parts = [{name: np.array(v, np.float64) for name, v in data[part].items()} for part in ("offset", "scale")]
            return cls(str(data["method"]), *parts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"this is no normalization: {type(error).__name__}: {error}") from None


def normalization(dataset: Dataset, method: str = "mean_std", *, task: str = "") -> Normalization:
    """Make the normalization of a dataset from its stats.json, which covers all of its episodes.

    Args:
        dataset: one with statistics.
        method: one of `METHODS`.
        task: which task's; not needed where the dataset has one.

    Raises:
        DatasetError: there are no statistics, or they are damaged.
        UnknownNameError: no such method or task.
    """
    if method not in METHODS:
        raise unknown("method of normalization", method, METHODS)
    columns = _statistics(dataset.folder / STATISTICS, task)
    offset, scale = {}, {}
    try:
        for path, found in columns.items():
            if path == "steps/reward":
                continue  # what is learned from is not rescaled behind the learner's back
            offset[_name(path)], scale[_name(path)] = _of(found, method)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{dataset.folder / STATISTICS} is damaged: {type(error).__name__}: {error}") from None
    return Normalization(method, offset, scale)


def _statistics(path: Path, task: str) -> dict[str, Any]:
    """Return the statistics of a task by column."""
    try:
        tasks = read_json(path, within=path.parent)
        names = list(tasks.keys())
    except FileNotFoundError:
        raise DatasetError(f"{path.parent} has no {path.name}, from which numbers are normalized") from None
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from None
    if not task and len(names) == 1:
        return tasks[names[0]]
    if not task:
        raise DatasetError(f"{path.parent} has {len(names)} tasks; say whose statistics: {', '.join(names) or 'none'}")
    if task not in tasks:
        raise unknown("task", task, names)
    return tasks[task]


def _name(path: str) -> str:
    """Return the name in windows of a column: "steps/action" is "action", "streams/f/value" is "streams/f"."""
    return path.removeprefix("steps/").removesuffix("/value")


def _of(found: Mapping[str, Any], method: str) -> tuple[Floats, Floats]:
    low, high = (np.array(found[k], np.float64) for k in (("mean", "std") if method == "mean_std" else ("min", "max")))
    offset, scale = (low, high) if method == "mean_std" else ((low + high) / 2, (high - low) / 2)
    still = np.array(found["constant"], bool) | ~np.isfinite(scale) | (scale == 0)
    return np.nan_to_num(offset, nan=0.0), np.where(still, 1.0, scale)
