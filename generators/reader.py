"""Reads datasets: a folder of shards as one sequence of episodes, whose arrays are read when they are asked for.

Callers never get HDF5's own objects. A file is opened as trusted only by who has just written it; every other one is
searched first for what a shard never contains: links, foreign storage, unknown filters and types, absurd sizes.
"""

import collections
import contextlib
import copy
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from generators.schema import (
    DERIVED,
    MANIFEST,
    MAX_COLUMN_BYTES,
    SHARDS,
    DatasetError,
    Header,
    check_structure,
    check_version,
    column_digest,
    content_digest,
    read_header,
)
from generators.stats import Stats
from sim.distributions import Value
from sim.episode import Episode, Outcome, Stream
from sim.errors import unknown
from sim.replay import Recorded

Array = NDArray[Any]

MAX_OPEN = 64  # shards open at a time
_LABELS = ("outcome", "failure", "mode")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FAULTS = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError, UnicodeError)


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
        with _readable(path.name):
            found: dict[str, Any] = dict(file.attrs)
            self.header = read_header(found, path.name)
            self.attributes = {k: json.loads(v) if str(v)[:1] in ("{", "[") else v for k, v in found.items()}
        self._index: dict[str, Array] = {}

    def __len__(self) -> int:
        """Number of episodes."""
        return self.shape("episodes/episode_id")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        """Every column's path, sorted; "obs/x"."""
        found: list[str] = []

        def visit(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset):
                found.append(name)

        with _readable(self.path.name):
            self._file.visititems(visit)
            return tuple(sorted(found))  # a name that is no text is found out here

    def under(self, prefix: str) -> dict[str, str]:
        """Return {name: path} of the columns of a group: "obs/" -> {"x": "obs/x"}."""
        return {p.removeprefix(prefix): p for p in self.paths if p.startswith(prefix)}

    def shape(self, column: str) -> tuple[int, ...]:
        """Return a column's shape, rows first."""
        return self._dataset(column).shape

    def facts(self, column: str) -> dict[str, Any]:
        """Return a column's attributes: unit, rate_hz, stride ..."""
        with _readable(f"{self.path.name}: {column}"):
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
                values = np.char.decode(values, "utf-8")
            self._index[name] = values
        return self._index[name]

    def span(self, column: str, row: int) -> tuple[int, int]:
        """Return the first and last + 1 row that an episode has in a column.

        Args:
            column: one outside /episodes.
            row: the episode's row in /episodes.
        """
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
        return max(1, int(self.facts("state/control").get("stride", 1)))

    def rows(self, column: str, row: int) -> Array:
        """Read one episode's rows of a column."""
        return self.read(column, *self.span(column, row))

    def digests(self) -> dict[str, str]:
        """Hash every column; reads all of them."""
        return {path: column_digest(path, self.read(path)) for path in self.paths}

    def _dataset(self, column: str) -> h5py.Dataset:
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
def _readable(where: str) -> Generator[None]:
    """Turn what HDF5 and JSON raise into one sentence."""
    try:
        yield
    except DatasetError:
        raise
    except _FAULTS as error:
        raise DatasetError(f"{where} cannot be read: {error}") from None


def open_trusted(path: Path) -> Shard:
    """Open a shard that this program has written itself.

    Raises:
        DatasetError: it is no shard, or of a later major version.
    """
    return _open(path, None)


def open_untrusted(path: Path, *, max_column_bytes: int = MAX_COLUMN_BYTES) -> Shard:
    """Open a shard from anywhere, once its structure is found to be a shard's.

    A file may still be damaged so that HDF5 itself fails; `generators.validate` reads such files in another process.

    Args:
        path: the file.
        max_column_bytes: how large one column may say that it is.

    Raises:
        DatasetError: it is no shard, contains what a shard never does, or is of a later major version.
    """
    return _open(path, max_column_bytes)


def _open(path: Path, max_column_bytes: int | None) -> Shard:
    file: h5py.File | None = None
    try:
        with _readable(path.name):
            with path.open("rb") as raw:
                if raw.read(len(_SIGNATURE)) != _SIGNATURE:
                    raise DatasetError(f"{path.name} is no HDF5 file")
            file = h5py.File(path, "r")
            if max_column_bytes is not None:
                check_structure(file, max_column_bytes)
        return Shard(path, file)
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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a dataset's dataset.json.

    Raises:
        DatasetError: it is missing, damaged, of a later version, or names a file outside the dataset.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        shards = [(s["name"], int(s["episodes"]), int(s["steps"])) for s in manifest["shards"]]
        version = str(manifest["format_version"])
    except FileNotFoundError:
        raise DatasetError(f"{folder} is no dataset: it has no {MANIFEST}") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from None
    check_version(version, str(path))
    for name, *_ in shards:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".h5") or name.startswith("."):
            raise DatasetError(f"{path} names the shard {name!r}; expected the name of a file in {SHARDS}/")
    return manifest


def read_statistics(shard: Shard) -> dict[str, Stats]:
    """Return a shard's statistics by column."""
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
    names: dict[str, tuple[str, list[str]]] = {
        "outcome": ("outcome", [o.name.lower() for o in Outcome]),
        "failure": ("fail_code", ["", *shard.attributes["failures"]]),
        "mode": ("expert_mode", ["nominal", *shard.attributes["degradations"]]),
    }
    column, words = names[what]
    with _readable(f"{shard.path.name}: episodes/{column}"):
        return np.array([words[code] for code in shard.index(column)], str)


class StoredEpisode:
    """One episode of a dataset; facts and arrays are read when they are asked for, each as in `sim.episode.Episode`."""

    def __init__(self, shards: "_Shards", number: int, row: int) -> None:
        self._shards, self._number, self._row = shards, number, row

    def __len__(self) -> int:
        """Number of control steps T."""
        return int(self.fact("length"))

    def fact(self, name: str) -> Any:  # noqa: ANN401 - a number or text
        """Return the episode's value in a column of /episodes: "episode_id", "return", "instruction/en" ..."""
        return self._shard.index(name)[self._row].item()

    def array(self, column: str) -> Array:
        """Read the episode's rows of a column: "obs/x", "steps/action", "state/control", "streams/f/value" ..."""
        return self._shard.rows(column, self._row)

    @property
    def id(self) -> int:
        """Its number in the dataset."""
        return self.fact("episode_id")

    @property
    def seed(self) -> int:
        """What determines everything random about it."""
        return self.fact("episode_seed")

    @property
    def header(self) -> Header:
        """What its shard says of itself: the task, its version, the dataset."""
        return self._shard.header

    @property
    def task(self) -> str:
        """The task's name."""
        return self.header.task

    @property
    def shard(self) -> str:
        """The name of the file that holds it."""
        return self._shards.paths[self._number].name

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return Outcome(self.fact("outcome"))

    @property
    def parameters(self) -> dict[str, Value]:
        """What was drawn, by dotted name."""
        shard = self._shard
        return {name: shard.index(f"params/{name}")[self._row].item() for name in shard.under("episodes/params/")}

    @property
    def instruction(self) -> dict[str, str]:
        """The work order by language."""
        found = {language: str(self.fact(f"instruction/{language}")) for language in ("en", "ja")}
        return {language: text for language, text in found.items() if text}

    @property
    def observations(self) -> dict[str, Array]:
        """Name -> (T + 1, dim) float32."""
        return {name: self.array(path) for name, path in self._shard.under("obs/").items()} if len(self) else {}

    @property
    def actions(self) -> Array:
        """(T, nu) float32, as applied, in the actuators' units."""
        return self.array("steps/action")

    @property
    def rewards(self) -> Array:
        """(T,) float32."""
        return self.array("steps/reward")

    @property
    def streams(self) -> dict[str, Stream]:
        """Channel or signal -> its samples."""
        names = [n.removesuffix("/t_ns") for n in self._shard.under("streams/") if n.endswith("/t_ns")]
        read = self.array
        return {n: Stream(read(f"streams/{n}/value"), read(f"streams/{n}/t_ns")) for n in names} if len(self) else {}

    @property
    def model_xml(self) -> str:
        """The model, for people to read."""
        start = self.fact("model_xml/start")
        stored = self._shard.read("episodes/model_xml/value", start, start + self.fact("model_xml/count"))
        return stored.tobytes().decode()

    def recorded(self) -> Recorded:
        """Read what exact replay needs."""
        return Recorded(
            seed=self.seed,
            parameters=self.parameters,
            model_sha256=self.fact("model_sha256"),
            actions=self.actions,
            observations=self.observations,
            control=self.array("state/control"),
            control_stride=self._shard.control_stride,
            keyframe_steps=self.array("state/keyframe_step"),
            keyframes=self.array("state/integration"),
        )

    def load(self) -> Episode:
        """Read all of it, as it was when it was written (/state/control: at its stride)."""
        steps = ("phase", "terminated", "truncated", "success", "t_ns")
        known = {"phases" if n == "phase" else n: self.array(f"steps/{n}") for n in steps}
        recorded = self.recorded()
        return Episode(
            task=self.task,
            version=self.header.task_version,
            expert_mode=self.fact("expert_mode"),
            outcome=self.outcome,
            fail_code=self.fact("fail_code"),
            error=self.fact("error"),
            model_xml=self.model_xml,
            instruction=self.instruction,
            rewards=self.rewards,
            streams=self.streams,
            **known,
            **{f.name: getattr(recorded, f.name) for f in dataclasses.fields(Recorded) if f.name != "control_stride"},
        )

    @property
    def _shard(self) -> Shard:
        return self._shards.open(self._number)


class _Shards:
    """A dataset's shards, opened as needed, a few at a time; each process opens its own."""

    def __init__(self, paths: Sequence[Path], *, trusted: bool) -> None:
        self.paths, self._trusted = tuple(paths), trusted
        self._open: collections.OrderedDict[int, Shard] = collections.OrderedDict()
        self._pid = os.getpid()

    def open(self, number: int) -> Shard:
        """Return a shard, open."""
        if self._pid != os.getpid():  # HDF5's handles do not survive a fork; the parent's stay its own
            self._open, self._pid = collections.OrderedDict(), os.getpid()
        shard = self._open.pop(number, None)
        if shard is None:
            shard = (open_trusted if self._trusted else open_untrusted)(self.paths[number])
        self._open[number] = shard
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return shard

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            self._open.popitem()[1].close()

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(_Shards, trusted=self._trusted), (self.paths,)


class Dataset:
    """A dataset's episodes as one sequence; a context manager.

    Args:
        folder: the one that holds dataset.json.
        trusted: whether to open shards without searching them for what a shard never contains.

    Raises:
        DatasetError: the folder holds no dataset, or one of a later major version.
    """

    def __init__(self, folder: Path, *, trusted: bool = False) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        shards = self.manifest["shards"]
        self._shards = _Shards([self.folder / SHARDS / s["name"] for s in shards], trusted=trusted)
        counts = [int(s["episodes"]) for s in shards]
        # (E, 2): shard and row of each episode
        self._places = np.array([(s, row) for s, count in enumerate(counts) for row in range(count)], int).reshape(
            -1, 2
        )

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self._places)

    def __getitem__(self, i: int) -> StoredEpisode:
        """Return an episode; nothing of it is read yet. Negative numbers count from the end."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"no episode {i}: there are {len(self)}")
        number, row = self._places[i].tolist()
        return StoredEpisode(self._shards, number, row)

    def __iter__(self) -> Iterator[StoredEpisode]:
        for i in range(len(self)):
            yield self[i]

    def where(self, **conditions: object) -> Self:
        """Return a view of the episodes that meet all conditions; it shares this dataset's open files.

        Args:
            conditions: name -> a value, or a function of a value that says whether it will do. Names are `task`,
                `outcome` ("success"), `failure`, `mode`, the parameters' (dotted ones as `**{"a.b": 1.0}`), and the
                columns of /episodes.

        Raises:
            UnknownNameError: no shard has such a name.
        """
        view = copy.copy(self)
        for name, wanted in conditions.items():
            values = view.values(name)
            if isinstance(wanted, Outcome):
                wanted = wanted.name.lower()
            good = [v is not None and bool(wanted(v) if callable(wanted) else v == wanted) for v in values]
            view._places = view._places[np.array(good, bool)]
        return view

    def values(self, name: str) -> list[Any]:
        """Return every episode's value of a name, as `where` knows them; None where its task lacks it."""
        found: list[Any] = [None] * len(self)
        known: set[str] = set()
        missing = True
        for number in np.unique(self._places[:, 0]).tolist():
            shard = self._shards.open(number)
            column = _named(shard, name)
            known.update(shard.under("episodes/params/"), shard.under("episodes/"), ("task", "outcome"), _LABELS)
            if column is not None:
                missing = False
                for i in np.flatnonzero(self._places[:, 0] == number).tolist():
                    found[i] = column[self._places[i, 1]].item()
        if missing and len(self):
            raise unknown("column or parameter", name, sorted(known))
        return found

    def recorded(self, i: int) -> Recorded:
        """Read what exact replay of an episode needs."""
        return self[i].recorded()

    def close(self) -> None:
        """Close the files, of this dataset and of its views."""
        self._shards.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _named(shard: Shard, name: str) -> Array | None:
    if name == "task":
        return np.full(len(shard), shard.header.task)
    if name in _LABELS:
        return labels(shard, name)
    for path in (f"params/{name}", name):
        if f"episodes/{path}" in shard.paths:
            return shard.index(path)
    return None
