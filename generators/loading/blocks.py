"""Block shuffle: some whole episodes are read at a time, and their windows given in a random order.

Rule: the order is a pure function of the seed, the epoch and the number of ranks. Every rank has its own episodes;
together they have all. The position is a few numbers, exact to the window.
"""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.loading.reading import RAW, Steps
from generators.loading.windows import Window, Windows
from generators.schema import DatasetError

Array = NDArray[Any]
Ints = NDArray[np.int64]

_SINGLES = 256  # windows gathered at once where they are given one by one


@dataclasses.dataclass(eq=False)
class Blocks:
    """A dataset's windows in block-shuffled order: iterate over it, once an epoch.

    An iteration that is broken off goes on where it was with the next one; after the last window the next epoch begins.

    Attributes:
        windows: which; all of the episodes of a block, pictures included, are in memory at a time.
        batch_size: windows stacked into arrays (batch_size, rows, ...), the last one smaller; None: one by one.
        episodes: read at a time: more mix better and take more memory.
        seed: of the order.
        rank: which part is given.
        ranks: of how many: processes that train together, times the workers that read for each.
        even: whether every rank gives as many windows as the one that has the fewest, as training in step needs; which
            ones stay out differs from epoch to epoch.
        epoch: the one that is given.
        given: windows given of it.

    Raises:
        DatasetError: a number is out of range, or a raw stream, which cannot be stacked, is wanted.
    """

    windows: Windows
    _: dataclasses.KW_ONLY
    batch_size: int | None = None
    episodes: int = 16
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    even: bool = False
    epoch: int = dataclasses.field(default=0, init=False)
    given: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("episodes", 1), ("seed", 0), ("rank", 0), ("ranks", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise DatasetError(f"{name} must be at least {least}, got {value}")
        if self.rank >= self.ranks:
            raise DatasetError(f"rank must be less than ranks, {self.ranks}, got {self.rank}")
        raw = [name for name, method in self.windows.reader.wanted.streams.items() if method == RAW]
        if raw:
            raise DatasetError(
                f"stream {raw[0]!r} is wanted raw, which cannot be stacked: take windows by their numbers"
            )

    def __len__(self) -> int:
        """Number of batches, or of windows where they come one by one, in this epoch of this rank."""
        return -(-self.total // (self.batch_size or 1))

    @property
    def total(self) -> int:
        """Number of windows in this epoch of this rank."""
        sizes = [int(self.windows.counts[mine].sum()) for mine in self._shares()]
        return min(sizes) if self.even else sizes[self.rank]

    def part(self, number: int, of: int) -> Self:
        """Return one of several parts of this rank, at the beginning of this epoch: a worker's."""
        part = copy.copy(self)
        part.rank, part.ranks, part.given = self.rank * of + number, self.ranks * of, 0
        return part

    def __iter__(self) -> Iterator[Window]:
        one_by_one = self.batch_size is None
        for batch in self._batches(self.batch_size or _SINGLES):
            n = len(batch["step"])
            for window in ({k: v[i, ...] for k, v in batch.items()} for i in range(n)) if one_by_one else (batch,):
                self.given += 1 if one_by_one else n
                yield window
        self.epoch, self.given = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position, plain data for JSON, and what it is a position in."""
        return self._identity() | {"epoch": self.epoch, "given": self.given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a position up.

        Raises:
            DatasetError: it is one in another order or dataset.
        """
        check_state(state, self._identity(), ("epoch", "given"))
        self.epoch, self.given = int(state["epoch"]), int(state["given"])

    def _identity(self) -> dict[str, Any]:
        """Return what determines the order."""
        same = ("episodes", "seed", "rank", "ranks", "even")
        known = {"dataset_id": self.windows.dataset.manifest.get("dataset_id", ""), "windows": len(self.windows)}
        return known | {name: getattr(self, name) for name in same}

    def _shares(self) -> list[Ints]:
        """Return every rank's episodes in the order in which they are read."""
        mixed = np.random.default_rng([self.seed, self.epoch]).permutation(np.flatnonzero(self.windows.counts))
        return [mixed[rank :: self.ranks] for rank in range(self.ranks)]

    def _batches(self, size: int) -> Iterator[Window]:
        """Give what is left of the epoch."""
        pending: list[Window] = []
        have = 0
        for pool, order in self._pools():
            at = 0
            while at < len(order):
                part = order[at : at + size - have]
                pending.append(pool.take(part))
                at, have = at + len(part), have + len(part)
                if have == size:
                    yield _joined(pending)
                    pending, have = [], 0
        if pending:
            yield _joined(pending)

    def _pools(self) -> Iterator[tuple["_Pool", Ints]]:
        """Read the blocks that are left; with each, the order of its windows."""
        mine, skip, left = self._shares()[self.rank], self.given, self.total - self.given
        for block, first in enumerate(range(0, len(mine), self.episodes)):
            episodes = mine[first : first + self.episodes]
            count = int(self.windows.counts[episodes].sum())
            if skip >= count or left <= 0:
                skip -= count
                continue
            rng = np.random.default_rng([self.seed, self.epoch, self.rank, self.ranks, block])
            order = rng.permutation(count)[skip : skip + left]
            skip, left = 0, left - len(order)
            yield _Pool(self.windows, episodes), order


class _Pool:
    """Whole episodes in memory, and their windows by number.

    Args:
        windows: what is read.
        episodes: which.

    Raises:
        DatasetError: the episodes' arrays have other names or shapes, as those of several tasks may.
    """

    def __init__(self, windows: Windows, episodes: Ints) -> None:
        places = [windows.place(episode) for episode in episodes.tolist()]
        read = [windows.reader.read(place, 0, place.length) for place in places]
        self._episodes, self._first, self._stride = episodes, windows.first_step, windows.stride
        self._rows, self._ends = windows.rows, np.cumsum(windows.counts[episodes])
        self._length = np.array([place.length for place in places])
        self._start = np.cumsum(self._length) - self._length
        self._arrays = {name: _gathered(name, read) for name in read[0].arrays}
        self._shown = {name: _shown(name, read) for name in read[0].shown}

    def take(self, numbers: Ints) -> Window:
        """Return windows, stacked."""
        which = np.searchsorted(self._ends, numbers, side="right")
        before = np.concatenate([[0], self._ends])[which]
        step = self._first + (numbers - before) * self._stride
        rows = step[:, None] + self._rows
        last = self._length[which, None] - 1
        at = self._start[which, None] + rows.clip(0, last)
        seen = (self._start + np.arange(len(self._start)))[which, None] + rows.clip(0, last + 1)
        out: Window = {}
        for name, values in self._arrays.items():
            index = self._shown[name][at] if name in self._shown else seen if name.startswith("obs/") else at
            out[name] = values[index]
        return out | {"mask": (rows >= 0) & (rows <= last), "episode": self._episodes[which], "step": step}


def check_state(state: Mapping[str, Any], known: Mapping[str, Any], position: Sequence[str]) -> None:
    """Refuse a position in something else.

    Args:
        state: what was kept.
        known: what this is.
        position: the names of the position itself, numbers.

    Raises:
        DatasetError: something differs, or the position is missing or no number.
    """
    for name, value in known.items():
        if state.get(name) != value:
            raise DatasetError(f"the position is one with {name} {state.get(name)!r}, expected {value!r}")
    for name in position:
        value = state.get(name)
        if not isinstance(value, int) or value < 0:
            raise DatasetError(f"the position has {name} {value!r}, expected a number from 0")


def taken_of(batches: Ints, taken: int) -> tuple[Ints, int]:
    """Return how many batches were taken of each worker, and which worker's is next.

    A DataLoader takes one of each worker in turn, leaving out those that have no more.

    Args:
        batches: how many each worker has (workers,).
        taken: how many were taken of all.
    """
    low, high = 0, int(batches.max(initial=0)) + 1  # rounds in which every worker that had any was asked
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if np.minimum(batches, middle).sum() <= taken else (low, middle)
    given = np.minimum(batches, low)
    asked = np.flatnonzero(batches > low)
    rest = taken - int(given.sum())
    given[asked[:rest]] += 1
    return given, int(asked[rest]) if rest < len(asked) else 0


def _gathered(name: str, read: Sequence[Steps]) -> Array:
    try:
        return np.concatenate([steps.arrays[name] for steps in read])
    except (KeyError, ValueError):
        what = f"episodes of this dataset differ in {name!r}: name the observations that all have, or take one task's"
        raise DatasetError(what) from None


def _shown(name: str, read: Sequence[Steps]) -> Ints:
    """Return the row among all pictures of each step."""
    sizes = [len(steps.arrays[name]) for steps in read]
    return np.concatenate([steps.shown[name] + sum(sizes[:i]) for i, steps in enumerate(read)])


def _joined(parts: Sequence[Window]) -> Window:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
