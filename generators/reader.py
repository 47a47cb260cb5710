"""Reads shards: columns, the rows of one episode, hashes, and the tables that a dataset is described by.

Callers never get HDF5's own objects. A file is opened as trusted only by who has just written it; every other one is
searched first for what a shard never contains: links, foreign storage, unknown filters and types, absurd sizes.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from generators.capped import FileError, check_plain
from generators.examination import examine
from generators.schema import (
    DERIVED,
    DatasetError,
    column_digest,
    content_digest,
    read_header,
)
from generators.stats import Stats
from generators.structure import MAX_COLUMN_BYTES
from sim.episode import Outcome
from sim.errors import GenbaError, unknown

Array = NDArray[Any]
T = TypeVar("T")

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FAULTS = (OSError, RuntimeError, ValueError, LookupError, TypeError, OverflowError, MemoryError, AttributeError)


class ColumnError(DatasetError):
    """A column that cannot be read.

    Attributes:
        column: its path.
        checksum: whether its own bytes are damaged, rather than what the file says about it.
    """

    def __init__(self, where: str, column: str, error: Exception) -> None:
        super().__init__(f"{where}: column {column!r} cannot be read: {error}")
        self.column, self.checksum = column, "filter returned failure" in str(error)


class Shard:
    """An open shard; a context manager. Made by `open_trusted` and `open_untrusted`.

    Attributes:
        path: the file.
        header: what it says of itself.
        attributes: all of the root's, those in JSON decoded.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._file, self.path = file, path
        with readable(path.name):
            found: dict[str, Any] = dict(file.attrs)
            self.header = read_header(found, path.name)
            self.attributes = {k: json.loads(v) if str(v)[:1] in ("{", "[") else v for k, v in found.items()}
        self._index: dict[str, Array] = {}
        self._nodes: dict[str, h5py.Dataset] = {}

    def __len__(self) -> int:
        """Number of episodes."""
        with readable(f"{self.path.name}: episodes/episode_id"):
            return self.shape("episodes/episode_id")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._nodes.clear()
        self._file.close()

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        """Every column's path, sorted; "obs/x"."""
        found: list[str] = []

        def visit(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset):
                found.append(name)

        with readable(self.path.name):
            self._file.visititems(visit)
            return tuple(sorted(found))  # a name that is no text is found out here

    def under(self, prefix: str) -> dict[str, str]:
        """Return {name: path} of the columns of a group: "obs/" -> {"x": "obs/x"}."""
        return {p.removeprefix(prefix): p for p in self.paths if p.startswith(prefix)}

    def shape(self, column: str) -> tuple[int, ...]:
        """Return a column's shape, rows first."""
        return self._dataset(column).shape

    def dtype(self, column: str) -> np.dtype[Any]:
        """Return a column's type as it is stored."""
        return self._dataset(column).dtype

    def chunk_rows(self, column: str) -> int:
        """Return how many rows of a column are packed together; all of them where none are packed."""
        dataset = self._dataset(column)
        return dataset.chunks[0] if dataset.chunks else max(1, len(dataset))

    def facts(self, column: str) -> dict[str, Any]:
        """Return a column's attributes: unit, rate_hz, stride ..."""
        with readable(f"{self.path.name}: {column}"):
            return dict(self._dataset(column).attrs)

    def read(self, column: str, start: int = 0, stop: int | None = None) -> Array:
        """Read rows of a column; text comes as bytes.

        Raises:
            ColumnError: there is none, it has no such rows, or it is damaged.
        """
        dataset = self._dataset(column)
        try:
            rows = len(dataset)
            stop = rows if stop is None else stop
            if not 0 <= start <= stop <= rows:
                raise ValueError(f"it has {rows} rows, asked for rows {start} to {stop}")
            return dataset[start:stop]
        except _FAULTS as error:
            raise ColumnError(self.path.name, column, error) from None

    def index(self, name: str) -> Array:
        """Return a column of /episodes, text decoded; read once, then remembered. Not to be written to."""
        if name not in self._index:
            values = self.read(f"episodes/{name}")
            if values.dtype.kind == "S":
                with readable(f"{self.path.name}: episodes/{name}"):
                    values = np.char.decode(values, "utf-8")
            self._index[name] = values
        return self._index[name]

    def span(self, column: str, row: int) -> tuple[int, int]:
        """Return the first and last + 1 row that an episode has in a column.

        Args:
            column: one outside /episodes.
            row: the episode's row in /episodes.
        """
        with readable(f"{self.path.name}: where an episode is in {column!r}"):
            return self._span(column, row)

    def _span(self, column: str, row: int) -> tuple[int, int]:
        kind, _, rest = column.partition("/")
        length = int(self.index("length")[row])
        if kind == "streams":
            name = f"streams/{rest.rpartition('/')[0]}"
            start, count = self.index(f"{name}/start")[row], self.index(f"{name}/count")[row]
        elif kind == "steps":
            start, count = self.index("step_start")[row], length
        elif kind == "obs":
            start, count = self.index("obs_start")[row], length + 1 if length else 0
        elif column == "state/control":
            start, count = self.index("control_start")[row], length // self.control_stride + 1 if length else 0
        else:
            start, count = self.index("keyframe_start")[row], self.index("keyframe_count")[row]
        return int(start), int(start + count)

    @functools.cached_property
    def control_stride(self) -> int:
        """Every how many control steps /state/control is kept."""
        with readable(f"{self.path.name}: state/control's stride"):
            return max(1, int(self.facts("state/control").get("stride", 1)))

    def rows(self, column: str, row: int) -> Array:
        """Read one episode's rows of a column."""
        return self.read(column, *self.span(column, row))

    def digests(self) -> dict[str, str]:
        """Hash every column; reads all of them."""
        return {path: column_digest(path, self.read(path)) for path in self.paths}

    def _dataset(self, column: str) -> h5py.Dataset:
        """Return a column, kept open: opening takes as long as reading a few rows."""
        found = self._nodes.get(column)
        if found is None:
            found = self._nodes[column] = self._found(column)
        return found

    def _found(self, column: str) -> h5py.Dataset:
        try:
            node = self._file[column]
        except _FAULTS as error:
            if isinstance(error, KeyError) and column not in self.paths:
                raise DatasetError(f"{self.path.name}: {unknown('column', column, self.paths)}") from None
            raise ColumnError(self.path.name, column, error) from None
        if not isinstance(node, h5py.Dataset):
            raise DatasetError(f"{self.path.name}: {column!r} is a group, not a column")
        return node


@contextlib.contextmanager
def readable(where: str) -> Generator[None]:
    """Turn what HDF5 and JSON raise into one sentence."""
    try:
        yield
    except FileError as error:
        raise DatasetError(f"{where} cannot be read: {error}") from None
    except GenbaError:
        raise
    except _FAULTS as error:
        raise DatasetError(f"{where} cannot be read: {error}") from None


def open_trusted(path: Path) -> Shard:
    """Open a shard that this program has written itself.

    Raises:
        DatasetError: it is no shard, or of a later major version.
    """
    return open_file(path, None, Shard)


def open_untrusted(path: Path, *, max_column_bytes: int = MAX_COLUMN_BYTES) -> Shard:
    """Open a shard from anywhere, once its structure is found to be a shard's.

    Another process does first what may make HDF5 itself fail: see `generators.examination`.

    Args:
        path: the file.
        max_column_bytes: how large one column may say that it is.

    Raises:
        DatasetError: it is no shard, contains what a shard never does, or is of a later major version.
    """
    return open_file(path, {"max_column_bytes": max_column_bytes}, Shard)


def open_file(path: Path, limits: Mapping[str, Any] | None, make: Callable[[Path, h5py.File], T]) -> T:
    """Open an HDF5 file of ours.

    Args:
        path: the file.
        limits: what does not belong in it, arguments of `check_structure`; None for one that this program has written
            itself.
        make: makes the result of the open file.

    Raises:
        DatasetError: it is none of ours, or contains what ours never do.
    """
    file: h5py.File | None = None
    try:
        with readable(path.name):
            check_plain(path)
            with path.open("rb") as raw:
                if raw.read(len(_SIGNATURE)) != _SIGNATURE:
                    raise DatasetError(f"{path.name} is no HDF5 file")
            if limits is not None:
                examine(path, limits)
            file = h5py.File(path, "r")
        return make(path, file)
    except DatasetError as error:
        if file is not None:
            file.close()
        raise error if str(error).startswith(path.name) else DatasetError(f"{path.name}: {error}") from None


def file_sha256(path: Path) -> str:
    """Hash a file as it is on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: Path) -> str:
    """Hash a shard's decoded columns in the order of their paths: the same whatever compressed them."""
    with open_untrusted(path) as shard:
        return content_digest(shard.digests())


def find_damage(path: Path) -> list[tuple[str, str]]:
    """Try to read every column of a damaged shard.

    Returns:
        (column, message): the columns whose own bytes are damaged; ("", why) for what cannot be read otherwise.
    """
    found: list[tuple[str, str]] = []
    try:
        with open_untrusted(path) as shard:
            for column in shard.paths:
                try:
                    shard.read(column)
                except ColumnError as error:
                    found.append((column if error.checksum else "", str(error)))
    except DatasetError as error:
        found.append(("", str(error)))
    return found


def read_statistics(shard: Shard) -> dict[str, Stats]:
    """Return a shard's statistics by column."""
    with readable(f"{shard.path.name}: its statistics"):
        return {name: Stats.from_rows(shard.read(path)) for name, path in shard.under(DERIVED).items()}


def read_table(shard: Shard, prefix: str = "") -> dict[str, Array]:
    """Return one row per episode of a shard, as the dataset's table of episodes has them.

    Args:
        shard: the shard.
        prefix: the task's name where the dataset has several, put into the parameters' names.
    """
    n = len(shard)
    same = ("episode_id", "episode_seed", "expert_mode", "length", "fail_code", "return", "error", "model_sha256")
    table: dict[str, Array] = {
        "task": np.full(n, shard.header.task),
        "outcome": labels(shard, "outcome"),
        "failure": labels(shard, "failure"),
        "shard": np.full(n, shard.path.name),
        "instruction_en": shard.index("instruction/en"),
        "instruction_ja": shard.index("instruction/ja"),
    }
    table |= {name: shard.index(name) for name in (*same, "step_start", "obs_start")}
    start = f"params.{prefix}." if prefix else "params."
    return table | {start + name: shard.index(f"params/{name}") for name in shard.under("episodes/params/")}


def labels(shard: Shard, what: str) -> Array:
    """Return the words for a coded column of /episodes: outcome, failure ("" for none) or mode."""
    column = {"outcome": "outcome", "failure": "fail_code", "mode": "expert_mode"}[what]
    with readable(f"{shard.path.name}: episodes/{column}"):
        words = {
            "outcome": lambda: [o.name.lower() for o in Outcome],
            "failure": lambda: ["", *map(str, shard.attributes["failures"])],
            "mode": lambda: ["nominal", *map(str, shard.attributes["degradations"])],
        }[what]()
        return np.array([words[code] for code in shard.index(column).tolist()], str)
