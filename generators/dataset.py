"""Datasets: a folder of shards as one sequence of episodes, whose arrays are read when they are asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.capped import FileError, read_json
from generators.media.writer import MEDIA
from generators.parquet.reading import parquet_names, read_parquet
from generators.query import columns_used, mask
from generators.reader import Shard, labels, read_table
from generators.schema import MANIFEST, MANIFEST_VERSION, SHARDS, TABLE, DatasetError, check_version
from generators.shape import check_shape
from generators.stored import Shards, StoredEpisode
from sim.episode import Outcome
from sim.errors import describe_error, unknown
from sim.replay import Recorded

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]

MAX_NAME = 200  # letters of a file's name
MAX_UNSEEN = 100_000  # episodes that dataset.json may list whatever the size of the shards
_LABELS = ("outcome", "failure", "mode")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a dataset's dataset.json.

    Raises:
        DatasetError: it is missing, damaged, of a later version, or names a file outside the dataset.
    """
    path = folder / MANIFEST
    try:
        manifest = read_json(path, within=folder)
        check_shape(manifest)
        for shard in manifest["shards"]:
            _check_rows(shard)
    except FileNotFoundError:
        raise DatasetError(f"{folder} is no dataset: it has no {MANIFEST}") from None
    except FileError as error:
        raise DatasetError(f"{path} is damaged: {error}") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {describe_error(error):.300}") from None
    check_version(manifest["format_version"], str(path), MANIFEST_VERSION)
    media = [s["name"] for camera in manifest.get("media", {}).values() for s in camera["shards"]]
    for folder_name, names in ((SHARDS, [s["name"] for s in manifest["shards"]]), (MEDIA, media)):
        for name in names:
            plain = name.isprintable() and len(name) < MAX_NAME and Path(name).name == name
            if not plain or not name.endswith(".h5") or name.startswith("."):
                raise DatasetError(
                    f"{path} names the shard {name!r:.80}; expected the name of a file in {folder_name}/"
                )
    return manifest


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
        paths = [self.folder / SHARDS / s["name"] for s in shards]
        _check_claims(self.folder, shards, paths)
        self._shards = Shards(paths, _media(self.folder, self.manifest), trusted=trusted, root=self.folder)
        self._places = _places(shards)
        self._chosen = np.arange(len(self._places))  # of a view; the rows of episodes.parquet

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self._chosen)

    def __getitem__(self, i: int) -> StoredEpisode:
        """Return an episode; nothing of it is read yet. Negative numbers count from the end."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"no episode {i}: there are {len(self)}")
        number, row = self._places[self._chosen[i]].tolist()
        return StoredEpisode(self._shards, number, row)

    def __iter__(self) -> Iterator[StoredEpisode]:
        for i in range(len(self)):
            yield self[i]

    def where(self, query: str = "", /, **conditions: object) -> Self:
        """Return a view of the episodes that meet all conditions; it shares this dataset's open files.

        Args:
            query: a text as in `generators.query`, 'outcome == "success" and friction < 0.3'; "" for none.
            conditions: name -> a value, or a function of a value that says whether it will do. Names are `task`,
                `outcome` ("success"), `failure`, `mode`, the parameters' (dotted ones as `**{"a.b": 1.0}`), and the
                columns of /episodes.

        Raises:
            QueryError: the text is no query.
            UnknownNameError: no shard has such a name.
        """
        view = self.choose(np.flatnonzero(self.meets(query))) if query else copy.copy(self)
        for name, wanted in conditions.items():
            values = view.values(name)
            if isinstance(wanted, Outcome):
                wanted = wanted.name.lower()
            good = [v is not None and bool(wanted(v) if callable(wanted) else v == wanted) for v in values]
            view = view.choose(np.flatnonzero(good))
        return view

    def meets(self, query: str) -> NDArray[np.bool_]:
        """Return whether each episode (len(self),) meets a query; only the columns that it names are read.

        Raises:
            DatasetError: the table of episodes is damaged.
            QueryError: the text is no query.
            UnknownNameError: it names no column or parameter.
        """
        try:
            names = parquet_names(self.folder / TABLE)
        except FileNotFoundError:
            return mask(self.table(), query)
        return mask(self.table(columns_used(names, query) or names[:1]), query)

    def choose(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Self:
        """Return a view of the episodes at some places, in that order; it shares this dataset's open files."""
        view = copy.copy(self)
        view._chosen = self._chosen[np.asarray(rows, int)]
        return view

    @property
    def places(self) -> NDArray[np.int64]:
        """Shard and row in it of each episode (len(self), 2); the shard as numbered in the manifest."""
        return self._places[self._chosen]

    @property
    def shards(self) -> Shards:
        """The files of this dataset and of its views, numbered as in the manifest; opened as they are needed."""
        return self._shards

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return what is known of each episode, one row each: episodes.parquet, or the shards where there is none.

        Args:
            columns: which; None for all.

        Raises:
            DatasetError: the table is damaged, or has another number of rows than the dataset has episodes.
            UnknownNameError: it has no such column.
        """
        import pyarrow as pa

        try:
            table = read_parquet(self.folder / TABLE, len(self._places), columns)
        except FileNotFoundError:
            table = self._table_of_shards()
            table = table if columns is None else table.select(list(columns))
        whole = len(self) == len(table) and bool((self._chosen == np.arange(len(table))).all())
        return table if whole else table.take(pa.array(self._chosen))

    def _table_of_shards(self) -> pa.Table:
        import pyarrow as pa

        several = len(self.manifest.get("tasks", ())) > 1
        tables: list[pa.Table] = []
        for number in range(len(self.manifest["shards"])):
            shard = self._shards.open(number)
            found = pa.table(read_table(shard, prefix=shard.header.task if several else ""))
            tables.append(found.take(pa.array(self._places[self._places[:, 0] == number, 1])))
        return pa.concat_tables(tables, promote_options="default")

    def values(self, name: str) -> list[Any]:
        """Return every episode's value of a name, as `where` knows them; None where its task lacks it."""
        found: list[Any] = [None] * len(self)
        known: set[str] = set()
        missing = True
        places = self.places
        for number in np.unique(places[:, 0]).tolist():
            shard = self._shards.open(number)
            column = _named(shard, name)
            known.update(shard.under("episodes/params/"), shard.under("episodes/"), ("task", "outcome"), _LABELS)
            if column is not None:
                missing = False
                for i in np.flatnonzero(places[:, 0] == number).tolist():
                    found[i] = column[places[i, 1]].item()
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


def _check_claims(folder: Path, shards: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> None:
    """Refuse to count episodes that the files cannot hold: an episode takes more than a byte."""
    said = sum(int(s["episodes"]) for s in shards)
    if said <= MAX_UNSEEN:
        return
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if said > max(size, MAX_UNSEEN):
        raise DatasetError(f"{folder / MANIFEST} lists {said} episodes, its shards have {size} bytes")


def _places(shards: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Return the shard and the row of each episode (E, 2): all of a shard's, or those of its `rows`."""
    runs = [np.array(s.get("rows", [(0, int(s["episodes"]))]), np.int64).reshape(-1, 2) for s in shards]
    numbers = np.repeat(np.arange(len(shards)), [len(r) for r in runs])
    starts, stops = np.concatenate([np.zeros((0, 2), np.int64), *runs]).T
    counts = stops - starts
    first = np.cumsum(counts) - counts
    rows = np.arange(counts.sum()) + np.repeat(starts - first, counts)
    return np.stack([np.repeat(numbers, counts), rows], axis=1)


def _check_rows(shard: Mapping[str, Any]) -> None:
    """Refuse a list of rows that do not follow each other inside of the shard."""
    rows = shard.get("rows", [])
    if not rows:
        return
    cuts = np.array(rows)
    good = cuts.dtype.kind == "i" and cuts.ndim == 2 and cuts.shape[1] == 2
    if not good or cuts.min() < 0 or cuts.max() > int(shard["episodes"]) or not _follow(cuts):
        raise ValueError(f"shard {shard['name']!r:.80} has {shard['episodes']} episodes, its rows are {rows!r:.80}")


def _follow(cuts: NDArray[np.integer[Any]]) -> bool:
    return bool((cuts[:, 0] < cuts[:, 1]).all() and (cuts[1:, 0] >= cuts[:-1, 1]).all())


def _media(folder: Path, manifest: Mapping[str, Any]) -> dict[int, dict[str, Path]]:
    """Return the media shards of each shard by camera."""
    numbers = {shard["name"]: number for number, shard in enumerate(manifest["shards"])}
    out: dict[int, dict[str, Path]] = {}
    for camera, entry in manifest.get("media", {}).items():
        for media in entry["shards"]:
            number = numbers.get(f"shard-{int(media['index']):05d}.h5")
            if number is not None:
                out.setdefault(number, {})[camera] = folder / MEDIA / media["name"]
    return out


def _named(shard: Shard, name: str) -> Array | None:
    if name == "task":
        return np.full(len(shard), shard.header.task)
    if name in _LABELS:
        return labels(shard, name)
    for path in (f"params/{name}", name):
        if f"episodes/{path}" in shard.paths:
            return shard.index(path)
    return None
