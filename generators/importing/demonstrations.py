"""Reads robomimic's HDF5, which nobody has vouched for: what is there, and which of it a dataset of ours can hold.

Nothing is believed: structure and sizes are checked before anything is read, counts against the arrays themselves.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.reader import open_file, readable
from generators.schema import DatasetError

Array = NDArray[Any]

MAX_OBJECTS = 1_000_000
MAX_BYTES = 2 << 30  # of one array of one demonstration
MAX_WIDTH = 4096  # numbers in one row of what is no picture
MAX_TEXT = 16 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """One array that every demonstration has, with as many rows as it has actions.

    Attributes:
        shape: of one row.
        dtype: its type.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def picture(self) -> bool:
        """Whether a row is a picture in colours."""
        return self.dtype == np.uint8 and len(self.shape) == 3 and self.shape[2] == 3

    @property
    def bytes(self) -> int:
        """How large a row is."""
        return self.width * self.dtype.itemsize

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return int(np.prod(self.shape, dtype=object))


class Demonstrations:
    """An open file of robomimic's; a context manager. Made by `open_demonstrations`.

    Attributes:
        path: the file.
        numbers: of the demonstrations, ascending.
        env_args: what the file says of its environment.
        masks: filter key -> numbers of its demonstrations.
    """

    def __init__(self, path: Path, file: Any) -> None:  # noqa: ANN401 - h5py's objects are not named outside of reader
        self.path, self._file = path, file
        with readable(path.name):
            if "data" not in file or hasattr(file["data"], "shape"):
                raise DatasetError(f"{path.name} is no file of robomimic's: it has no group /data")
            self._data: Any = file["data"]
            self.numbers = sorted(_number(name) for name in self._data)
            if not self.numbers:
                raise DatasetError(f"{path.name}: /data holds no demonstration")
            self.env_args = _json_text(self._data.attrs.get("env_args", "{}"), "/data attribute 'env_args'")
            self.masks = _masks(file["mask"]) if "mask" in file else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def length(self, number: int) -> int:
        """Return a demonstration's control steps T.

        Raises:
            DatasetError: it has no actions, or says another number of steps than it has.
        """
        demo, where = self._data[f"demo_{number}"], f"{self.path.name}: demo_{number}"
        with readable(where):
            if "actions" not in demo or not demo["actions"].shape:
                raise DatasetError(f"{where} has no actions")
            found, said = len(demo["actions"]), int(demo.attrs.get("num_samples", len(demo["actions"])))
            if found != said:
                raise DatasetError(f"{where}: num_samples is {said}, there are {found} actions")
            return found

    def read(self, number: int, name: str) -> Array:
        """Read an array of a demonstration."""
        with readable(f"{self.path.name}: demo_{number}/{name}"):
            return self._data[f"demo_{number}/{name}"][()]

    def last(self, number: int, name: str) -> Array | None:
        """Read the observation after the last action; None where the file leaves it out."""
        demo = self._data[f"demo_{number}"]
        with readable(f"{self.path.name}: demo_{number}/next_obs/{name}"):
            node = demo["next_obs"][name] if "next_obs" in demo and name in demo["next_obs"] else None
            return None if node is None or node.shape != demo[f"obs/{name}"].shape else node[-1]

    def texts(self, number: int) -> dict[str, Any]:
        """Return a demonstration's attributes."""
        with readable(f"{self.path.name}: demo_{number}"):
            return dict(self._data[f"demo_{number}"].attrs)

    @functools.cached_property
    def survey(self) -> tuple[dict[str, Held], dict[str, str]]:
        """Return what every demonstration has, by path ("obs/x", "rewards"), and why the rest does not go."""
        with readable(self.path.name):
            return self._survey()

    def _survey(self) -> tuple[dict[str, Held], dict[str, str]]:
        held: dict[str, Held] = {}
        gone: dict[str, str] = {}
        seen: dict[str, int] = {}
        for number in self.numbers:
            length = self.length(number)
            for name, shape, dtype in self._arrays(number):
                seen[name] = seen.get(name, 0) + 1
                mine = Held(shape[1:], dtype)
                if not shape or shape[0] != length:
                    gone[name] = "its rows are not one a control step"
                elif dtype.kind not in "fiub":
                    gone[name] = f"it is no number: {dtype}"
                elif held.setdefault(name, mine) != mine:
                    gone[name] = "its shape or type is not the same in every demonstration"
                elif not mine.picture and (len(mine.shape) > 2 or mine.width > MAX_WIDTH):
                    gone[name] = (
                        f"a row is {mine.shape} of {dtype}: neither a few numbers nor a picture in 8-bit colours"
                    )
        gone |= {
            n: "not every demonstration has it" for n, c in seen.items() if c < len(self.numbers) and n not in gone
        }
        return {name: one for name, one in held.items() if name not in gone}, gone

    def _arrays(self, number: int) -> Iterator[tuple[str, tuple[int, ...], np.dtype[Any]]]:
        """Yield path, shape and type of a demonstration's arrays, but for those of next_obs."""
        pending = [("", self._data[f"demo_{number}"])]
        while pending:
            prefix, group = pending.pop()
            for name in group:
                node = group[name]
                if hasattr(node, "shape"):
                    yield prefix + name, node.shape, node.dtype
                elif prefix + name != "next_obs":
                    pending.append((f"{prefix}{name}/", node))


def open_demonstrations(path: Path) -> Demonstrations:
    """Open a file of robomimic's, once its structure is found to be harmless.

    Raises:
        DatasetError: it is none, or contains what such a file never does: links, foreign storage, absurd sizes.
    """
    limits = {"what": "a file of demonstrations", "max_objects": MAX_OBJECTS, "ragged": "/mask/"}
    return open_file(path, limits | {"max_column_bytes": MAX_BYTES}, Demonstrations)


def _number(name: str) -> int:
    found = re.fullmatch(r"demo_(\d{1,9})", str(name))
    if found is None:
        raise DatasetError(f"/data holds {str(name)[:80]!r}; expected demo_0, demo_1 ...")
    return int(found[1])


def _json_text(value: object, where: str) -> dict[str, Any]:
    text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    if len(text) > MAX_TEXT:
        raise DatasetError(f"{where} has {len(text)} characters")
    try:
        found = json.loads(text)
        found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))  # whole characters only
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise DatasetError(f"{where} is {type(found).__name__}, expected an object")
    return found


def _masks(group: Any) -> Mapping[str, frozenset[int]]:  # noqa: ANN401 - a group of HDF5
    out: dict[str, frozenset[int]] = {}
    for key in group:
        node = group[key]
        if not hasattr(node, "shape") or len(node.shape) != 1 or node.dtype.kind not in "SO":
            raise DatasetError(f"/mask/{key} is no list of names")
        out[str(key)] = frozenset(_number(name) for name in _names(node, f"/mask/{key}"))
    return out


def _names(node: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - a list of names in HDF5
    """Yield a list's texts; some at a time, for each of them may be as long as the file."""
    size = 0
    step = 1 if node.dtype.kind == "O" else max(1, len(node))
    for start in range(0, len(node), step):
        for value in node[start : start + step].tolist():
            size += len(value)
            if size > MAX_TEXT:
                raise DatasetError(f"{where} has more than {MAX_TEXT} letters")
            yield value.decode("utf-8") if isinstance(value, bytes) else str(value)
