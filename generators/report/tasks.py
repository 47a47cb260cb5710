"""What a dataset's table says of the episodes of each task, as columns; and what its shards declare about the task."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset, StoredEpisode
from generators.report.drawn import Declared
from generators.schema import DatasetError
from sim import distributions
from sim.errors import GenbaError

Array = NDArray[Any]

_COLUMNS = ("task", "outcome", "failure", "expert_mode", "length", "return")


@dataclasses.dataclass(frozen=True, slots=True)
class Episodes:
    """The episodes of one task.

    Attributes:
        task: its name.
        rows: (n,) their places in the dataset.
        endings: (n,) "success", the failure's name, or another outcome.
        modes: (n,) how the expert was made worse, "" where it was not.
        seconds: (n,) how long they took.
        returns: (n,) sums of rewards.
        parameters: name -> (n,) numbers or words.
        declared: name -> how it was asked for.
        about: the attributes of the first shard: phases, failures, features ...; less where none can be read.
        shown: (n,) whether there is anything to show of an episode: it has steps, and its file is whole.
        problem: why no shard can be read, "" where one can.
    """

    task: str
    rows: Array
    endings: Array
    modes: Array
    seconds: Array
    returns: Array
    parameters: Mapping[str, Array]
    declared: Mapping[str, Declared]
    about: Mapping[str, Any]
    shown: Array
    problem: str = ""

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.rows)

    @property
    def successes(self) -> int:
        """Number of episodes that succeeded."""
        return int((self.endings == "success").sum())


def read_tasks(dataset: Dataset, damaged: Collection[str] = ()) -> list[Episodes]:
    """Read the table and put its rows together by task, in the order in which tasks first come.

    Args:
        dataset: the dataset.
        damaged: names of shards that are not to be opened.
    """
    if not len(dataset):
        return []
    table = dataset.table()
    names = [n for n in table.column_names if n in _COLUMNS or n.startswith("params.")]
    columns = {n: table.column(n).to_numpy(zero_copy_only=False) for n in names}
    tasks = columns["task"].astype(str)
    found, first = np.unique(tasks, return_index=True)
    whole = np.array([s["name"] not in damaged for s in dataset.manifest["shards"]])[dataset.places[:, 0]]
    return [_task(dataset, columns, str(found[k]), whole) for k in np.argsort(first).tolist()]


def task_names(dataset: Dataset, task: str) -> list[str]:
    """Return the names that a task goes by: its own, and the one that it was asked for by, "module:Class"."""
    entries: Sequence[Mapping[str, Any]] = dataset.manifest.get("tasks", ())
    return [task, *(str(t["name"]) for t in entries if t.get("task") == task and t.get("name") not in (None, task))]


def _task(dataset: Dataset, columns: Mapping[str, Array], task: str, whole: Array) -> Episodes:
    rows = np.flatnonzero(columns["task"].astype(str) == task)
    good = rows[whole[rows]]
    about, problem = _about(dataset, task, good)
    several = len(dataset.manifest.get("tasks", ())) > 1
    prefixes = [f"params.{name}." for name in task_names(dataset, task)] if several else ["params."]
    prefix = next((p for p in prefixes if any(n.startswith(p) for n in columns)), prefixes[0])
    values = {n.removeprefix(prefix): _plain(c[rows]) for n, c in columns.items() if n.startswith(prefix)}
    failures = columns["failure"][rows].astype(str) if "failure" in columns else np.full(len(rows), "")
    outcomes = columns["outcome"][rows].astype(str)
    modes = np.array(["", *about.get("degradations", ())], str)
    codes = np.asarray(columns["expert_mode"][rows], int) if "expert_mode" in columns else np.zeros(len(rows), int)
    hz = float(about.get("control_hz") or 1.0)
    return Episodes(
        task,
        rows,
        np.where((outcomes == "failure") & (failures != ""), failures, outcomes),
        np.where(codes < len(modes), modes[np.minimum(codes, len(modes) - 1)], codes.astype(str)),
        np.asarray(columns["length"][rows], float) / hz,
        np.asarray(columns["return"][rows], float),
        values,
        _declared(dataset, good, list(values)) if not problem else {n: Declared("", "", ()) for n in values},
        about,
        whole[rows] & (np.asarray(columns["length"][rows], int) > 0),
        problem,
    )


def _plain(values: Array) -> Array:
    return (
        values.astype(float) if values.dtype.kind in "fiub" else np.array(["" if v is None else str(v) for v in values])
    )


def _about(dataset: Dataset, task: str, rows: Array) -> tuple[Mapping[str, Any], str]:
    """Return what the first shard says of itself, else what the manifest says of the task, and why."""
    problem = "all of its files are damaged"
    if len(rows):
        try:
            return dataset[int(rows[0])].attributes, ""
        except DatasetError as error:
            problem = str(error)
    entries: Sequence[Mapping[str, Any]] = dataset.manifest.get("tasks", ())
    return next((t for t in entries if task in (t.get("task"), t.get("name"))), {}), problem


def _declared(dataset: Dataset, rows: Array, names: Sequence[str]) -> dict[str, Declared]:
    """Read how parameters were asked for: in one shard of each source, as all of a source's are alike."""
    shards = dataset.manifest["shards"]
    sources = np.array([s.get("source") or 0 for s in shards])[dataset.places[rows, 0]]
    found, first, counts = np.unique(sources, return_index=True, return_counts=True)
    del found
    parts = [(int(n) / len(rows), dataset[int(rows[at])]) for at, n in zip(first, counts, strict=True)]
    return {name: _declared_one(parts, name) for name in names}


def _declared_one(parts: Sequence[tuple[float, StoredEpisode]], name: str) -> Declared:
    unit, doc = "", ""
    mixture: list[tuple[float, distributions.Distribution]] = []
    for share, episode in parts:
        try:
            facts = episode._shard.facts(f"episodes/params/{name}")
            unit, doc = unit or str(facts.get("unit", "")), doc or str(facts.get("doc", ""))
            mixture.append((share, distributions.from_json(json.loads(facts["distribution"]))))
        except (GenbaError, KeyError, ValueError, TypeError):
            return Declared(unit, doc, ())
    return Declared(unit, doc, tuple(mixture))
