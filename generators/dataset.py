"""Datasets: a folder of shards as one sequence of episodes, whose arrays are read when they are asked for."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.media.writer import MEDIA
from generators.reader import Shard, labels
from generators.schema import MANIFEST, SHARDS, DatasetError, check_version
from generators.stored import Shards, StoredEpisode
from sim.episode import Outcome
from sim.errors import unknown
from sim.replay import Recorded

Array = NDArray[Any]

_LABELS = ("outcome", "failure", "mode")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a dataset's dataset.json.

    Raises:
        DatasetError: it is missing, damaged, of a later version, or names a file outside the dataset.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        shards = [(s["name"], int(s["episodes"]), int(s["steps"])) for s in manifest["shards"]]
        media = [
            (c, s["name"], int(s["index"]), int(s["frames"]))
            for c, e in manifest.get("media", {}).items()
            for s in e["shards"]
        ]
        version = str(manifest["format_version"])
    except FileNotFoundError:
        raise DatasetError(f"{folder} is no dataset: it has no {MANIFEST}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from None
    check_version(version, str(path))
    for folder_name, names in ((SHARDS, [s[0] for s in shards]), (MEDIA, [m[1] for m in media])):
        for name in names:
            if not isinstance(name, str) or Path(name).name != name or not name.endswith(".h5") or name.startswith("."):
                raise DatasetError(f"{path} names the shard {name!r}; expected the name of a file in {folder_name}/")
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
        self._shards = Shards(paths, _media(self.folder, self.manifest), trusted=trusted)
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
