"""Datasets: a folder of shards as one sequence of episodes, whose arrays are read when they are asked for.

Shards are opened as they are needed, a few at a time, and as untrusted unless the caller says that they are its own.
"""

import collections
import copy
import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generators.reader import Shard, labels, open_trusted, open_untrusted
from generators.schema import MANIFEST, SHARDS, DatasetError, Header, check_version
from sim.distributions import Value
from sim.episode import Episode, Outcome, Stream
from sim.errors import unknown
from sim.replay import Recorded

Array = NDArray[Any]

MAX_OPEN = 64  # shards open at a time
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
