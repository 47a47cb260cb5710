"""Windows: some control steps in a row of one episode, as arrays of equal length, by number.

Rule: which windows there are follows from the table of episodes alone; no shard is opened to count them. In a window,
`obs[t]` is what the policy saw before `action[t]`; rows beyond the episode repeat its first or last one, mask False.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.loading.normalization import Normalization
from generators.loading.reading import Place, Reader, Steps, Wanted
from generators.schema import DatasetError
from sim.errors import unknown

Array = NDArray[Any]
Window = dict[str, Array]

CACHE_BYTES = 64 << 20  # of unpacked chunks, a process


@dataclasses.dataclass(eq=False)
class Windows:
    """A dataset's windows as a sequence; each is read when it is asked for.

    A window begins at a control step of an episode and has `history` rows before it and `horizon` from it on:
    obs/<name> (rows, dim), action (rows, nu), reward (rows,), phase (rows,), streams/<name> (rows, dim),
    images/<camera> (rows, H, W, 3) uint8, or (rows, H, W) uint16 of depth and segmentation; mask (rows,), true inside
    of the episode; episode and step, numbers: its place in the dataset and the step that the window begins at.

    After the last action, obs/<name> repeats the observation that came of it. A picture is the newest one at a step. Of
    raw streams come all samples that arrived between the step before the first one and the last one, and their
    times as streams/<name>/t_ns: as many as there are.

    Attributes:
        dataset: its episodes; those without steps have no windows.
        horizon: rows from the window's step on.
        stride: every how many steps a window begins.
        history: rows before the window's step.
        pad: whether windows reach beyond an episode's ends; else those that would are left out.
        observations: names; None for all that an episode's task has.
        action: whether actions are read.
        streams: names, resampled by "previous", or name -> a method of `generators.resample` or "raw".
        cameras: names, for their rgb, or name -> "rgb", "depth" or "segmentation".
        normalize: applied to obs, action and streams; None for none.
        cache_bytes: how much of what was unpacked last is kept, in each process.

    Raises:
        DatasetError: a number is out of range, or the table of episodes is damaged.
        UnknownNameError: no such observation, stream, camera, method or kind of picture.
    """

    dataset: Dataset
    _: dataclasses.KW_ONLY
    horizon: int = 16
    stride: int = 1
    history: int = 0
    pad: bool = True
    observations: Sequence[str] | None = None
    action: bool = True
    streams: Sequence[str] | Mapping[str, str] = ()
    cameras: Sequence[str] | Mapping[str, str] = ()
    normalize: Normalization | None = None
    cache_bytes: int = CACHE_BYTES

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("stride", 1), ("history", 0), ("cache_bytes", 0)):
            if getattr(self, name) < least:
                raise DatasetError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if isinstance(self.observations, str):
            raise DatasetError(f"observations must be a sequence of names, got {self.observations!r}")
        wanted = Wanted(
            observations=None if self.observations is None else tuple(self.observations),
            action=self.action,
            streams=_named(self.streams, "streams", "previous"),
            cameras=_named(self.cameras, "cameras", "rgb"),
        )
        table = self.dataset.table(["length", "step_start", "obs_start"])
        length, *starts = (table[name].to_numpy().astype(np.int64, copy=False) for name in table.column_names)
        self._columns = (*self.dataset.places.T, *starts, length)
        begun = length if self.pad else length - self.horizon - self.history + 1
        self._counts = np.maximum(0, -(-begun // self.stride))
        self._ends = np.cumsum(self._counts)
        self._total = int(self._counts.sum())
        self._rows = np.arange(-self.history, self.horizon)
        self._check(wanted)
        self.reader = Reader(self.dataset.shards, wanted, self.normalize, self.cache_bytes)

    def __len__(self) -> int:
        """Number of windows."""
        return self._total

    def __getitem__(self, i: int) -> Window:
        """Read a window. Negative numbers count from the end."""
        episode, step = self.begin(i)
        place = self.place(episode)
        first, stop = max(0, step - self.history), min(place.length, step + self.horizon)
        steps = self.reader.read(place, first, stop)
        window = self._cut(steps, step - first, stop - first)
        window["episode"], window["step"] = np.array(episode), np.array(step)
        return window

    def __iter__(self) -> Iterator[Window]:
        for i in range(self._total):
            yield self[i]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of windows of each episode. Not to be written to."""
        return self._counts

    def begin(self, i: int) -> tuple[int, int]:
        """Return the episode and the step that a window begins at.

        Raises:
            IndexError: there is no such window.
        """
        if not -self._total <= i < self._total:
            raise IndexError(f"no window {i}: there are {self._total}")
        i %= self._total
        episode = int(np.searchsorted(self._ends, i, side="right"))
        number = i - int(self._ends[episode] - self._counts[episode])
        return episode, self.first_step + number * self.stride

    @property
    def first_step(self) -> int:
        """The step that an episode's first window begins at."""
        return 0 if self.pad else self.history

    @property
    def rows(self) -> NDArray[np.int64]:
        """Steps of a window's rows, counted from the step that it begins at (history + horizon,)."""
        return self._rows

    def place(self, episode: int) -> Place:
        """Return where an episode's rows are."""
        return Place(*self._places[episode].tolist())

    @functools.cached_property
    def _places(self) -> NDArray[np.int64]:
        """Fields of `Place` of every episode (E, 5); put side by side when the first is read."""
        return np.stack(self._columns, axis=1)

    def _cut(self, steps: Steps, lead: int, n: int) -> Window:
        """Take a window's rows of n steps that were read, `lead` of them before its own; beyond, the ends repeat."""
        numbers = {name: v for name, v in steps.arrays.items() if name not in steps.shown}
        if n == len(self._rows):
            window = {name: v[:n].copy() for name, v in numbers.items()}
            window |= {name: steps.arrays[name][shown] for name, shown in steps.shown.items()}
            window["mask"] = np.ones(n, bool)
        else:
            rows = self._rows + lead
            at, seen = rows.clip(0, n - 1), rows.clip(0, n)
            window = {name: v[seen if name.startswith("obs/") else at] for name, v in numbers.items()}
            window |= {name: steps.arrays[name][shown[at]] for name, shown in steps.shown.items()}
            window["mask"] = (rows >= 0) & (rows < n)
        return window | {name: values.copy() for name, values in steps.loose.items()}

    def _check(self, wanted: Wanted) -> None:
        """Refuse names that the first shard lacks; open it only where names are given."""
        if not len(self) or not (wanted.observations or wanted.streams or wanted.cameras):
            return
        number = self.place(int(np.flatnonzero(self._counts)[0])).number
        shard = self.dataset.shards.open(number)
        streams = [n.removesuffix("/t_ns") for n in shard.under("streams/") if n.endswith("/t_ns")]
        for kind, asked, known in (
            ("observation", wanted.observations or (), shard.under("obs/")),
            ("stream", wanted.streams, streams),
            ("camera", wanted.cameras, self.dataset.shards.cameras(number)),
        ):
            for name in asked:
                if name not in known:
                    raise unknown(kind, name, known)


def _named(given: Sequence[str] | Mapping[str, str], what: str, usual: str) -> dict[str, str]:
    """Return names with how each is wanted."""
    if isinstance(given, str):
        raise DatasetError(f"{what} must be a sequence of names or a mapping from names, got {given!r}")
    return dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, usual)
