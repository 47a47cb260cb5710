"""Which shards a derived dataset has, and which of their rows: made of pieces of other datasets, without copying any.

A shard of which two pieces want different rows is one shard again, as when the parts of a split are merged.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generators.curation.groups import identities
from generators.curation.sources import Source
from generators.schema import DatasetError

Ints = NDArray[np.int64]
Duplicates = Literal["refuse", "keep", "drop"]


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """Episodes of a dataset.

    Attributes:
        folder: the dataset's.
        rows: (n,) places of the episodes in it, ascending; None for all.
    """

    folder: Path
    rows: NDArray[np.integer[Any]] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ChosenShard:
    """A shard of the derived dataset.

    Attributes:
        source: number of the dataset that it is taken from.
        shard: its number there.
        rows: (n,) episodes of it that belong to the derived dataset, ascending.
        places: (n, 2) where each is in the sources: source, row of its table.
        episodes: how many the file has.
    """

    source: int
    shard: int
    rows: Ints
    places: Ints
    episodes: int

    @property
    def whole(self) -> bool:
        """Whether all of the file is meant."""
        return len(self.rows) == self.episodes

    @property
    def runs(self) -> list[list[int]]:
        """The rows as [start, stop) one after the other, as dataset.json has them."""
        cuts = np.flatnonzero(np.diff(self.rows) > 1) + 1
        return [[int(run[0]), int(run[-1]) + 1] for run in np.split(self.rows, cuts)]


def choose_shards(sources: Sequence[Source], rows: Sequence[Ints]) -> list[ChosenShard]:
    """Return the shards of which anything is chosen, in the order of the sources.

    Args:
        sources: the datasets.
        rows: of each, the places of the episodes, ascending.
    """
    out: list[ChosenShard] = []
    known: dict[tuple[Any, ...], int] = {}
    for number, (source, chosen) in enumerate(zip(sources, rows, strict=True)):
        places = source.data.places[chosen]
        for shard in np.unique(places[:, 0]).tolist():
            mine = places[:, 0] == shard
            both = np.stack([np.full(int(mine.sum()), number), chosen[mine]], axis=1)
            episodes = int(source.manifest["shards"][shard]["episodes"])
            found = ChosenShard(number, shard, places[mine, 1], both, episodes)
            at = known.setdefault(_same_file(source, shard), len(out))
            if at < len(out) and not np.isin(found.rows, out[at].rows).any():
                out[at] = _joined(out[at], found)
            else:  # a new file, or the same episodes again, which the caller wants
                out.append(found)
    return out


def without_duplicates(sources: Sequence[Source], rows: Sequence[Ints], policy: Duplicates) -> list[Ints]:
    """Find episodes that an earlier source has too: of the same task, seed and model.

    Args:
        sources: the datasets.
        rows: of each, the places of the episodes.
        policy: what to do with them.

    Returns:
        The rows, without those to drop.

    Raises:
        DatasetError: there are some, and they are neither to be kept nor dropped.
    """
    if policy == "keep":
        return list(rows)
    out: list[Ints] = []
    seen: set[tuple[Any, ...]] = set()
    count = 0
    for source, chosen in zip(sources, rows, strict=True):
        known = identities(source.table)
        keys = [known[row] for row in chosen.tolist()]
        new = np.array([key not in seen for key in keys], bool)
        seen.update(keys)
        count += int((~new).sum())
        out.append(chosen[new])
    if count and policy == "refuse":
        raise DatasetError(
            f"{count} episodes are in an earlier one of these datasets too (the same task, seed and model): leave them"
            " out with --drop-duplicates, or keep them with --allow-duplicates"
        )
    return out


def dataset_id(sources: Sequence[Source], shards: Sequence[ChosenShard]) -> str:
    """Return a name for the data that is the same wherever it is put together."""
    digest = hashlib.sha256()
    for chosen in shards:
        content = sources[chosen.source].manifest["shards"][chosen.shard]["content_sha256"]
        digest.update(f"{content} {'all' if chosen.whole else json.dumps(chosen.runs)}\n".encode())
    return f"genba-{digest.hexdigest()[:16]}"


def _same_file(source: Source, shard: int) -> tuple[Any, ...]:
    pictures = {camera: file["file_sha256"] for camera, file in source.pictures.get(shard, {}).items()}
    entry = source.manifest["shards"][shard]
    return source.origin(shard)["dataset_id"], entry["file_sha256"], tuple(sorted(pictures.items()))


def _joined(a: ChosenShard, b: ChosenShard) -> ChosenShard:
    rows = np.concatenate([a.rows, b.rows])
    order = np.argsort(rows)
    return dataclasses.replace(a, rows=rows[order], places=np.concatenate([a.places, b.places])[order])
