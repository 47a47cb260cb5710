"""The datasets that another one is made of: opened, found to be whole, and asked where they came from themselves.

What is compared here is cheap: sizes of the shards, hashes of the tables. `genba validate` compares every byte.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from generators.capped import read_capped
from generators.dataset import Dataset
from generators.manifest import STATISTICS
from generators.media.writer import MEDIA
from generators.plan import read_plan
from generators.reader import file_sha256
from generators.schema import CHECKSUMS, MANIFEST, SHARDS, TABLE, DatasetError
from sim.errors import GenbaError

_NEEDED = ("dataset_id", "tasks", "shards", "generator")  # keys of dataset.json
_NEEDED_OF_TASK = ("name", "version")
_NEEDED_OF_SHARD = ("name", "episodes", "steps", "bytes", "file_sha256", "content_sha256")
_OF_SOURCE = ("name", "task", "version", "source_sha256", "episodes", "parameters", "degraded")


class Source:
    """A dataset that another one is made of; made by `open_source`.

    Attributes:
        data: it, open.
        manifest: its dataset.json.
        table: one row an episode, `source` included.
        origins: what `sources` of a derived dataset says of the datasets it comes from, itself where it was generated.
    """

    def __init__(self, data: Dataset) -> None:
        self.data, self.manifest = data, data.manifest
        self.origins = _origins(data.folder, self.manifest)
        self.table = self._table()

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.data.folder

    @functools.cached_property
    def tasks(self) -> dict[str, Mapping[str, Any]]:
        """What dataset.json says of each task, by the task's own name."""
        return {str(t.get("task", t["name"])): t for t in self.manifest["tasks"]}

    def origin(self, shard: int) -> Mapping[str, Any]:
        """Return what a shard came from."""
        return self.origins[int(self.manifest["shards"][shard].get("source", 0))]

    @functools.cached_property
    def pictures(self) -> dict[int, dict[str, Mapping[str, Any]]]:
        """What dataset.json lists of pictures: shard -> camera -> entry of the file."""
        numbers = {shard["name"]: number for number, shard in enumerate(self.manifest["shards"])}
        out: dict[int, dict[str, Mapping[str, Any]]] = {}
        for camera, entry in sorted(self.manifest.get("media", {}).items()):
            for file in entry["shards"]:
                number = numbers.get(f"shard-{int(file['index']):05d}.h5")
                if number is not None:
                    out.setdefault(number, {})[camera] = file
        return out

    def parameter(self, column: str) -> tuple[str, str] | None:
        """Return the task's own name and the parameter's of a column of the table; None for any other column."""
        if not column.startswith("params."):
            return None
        rest = column.removeprefix("params.")
        if len(self.tasks) == 1:
            return next(iter(self.tasks)), rest
        known = {name: task for task, t in self.tasks.items() for name in (task, str(t["name"]))}
        fits = [name for name in known if rest.startswith(f"{name}.")]
        if not fits:
            raise DatasetError(f"{self.folder / TABLE}: column {column!r} belongs to no task of {MANIFEST}")
        longest = max(fits, key=len)
        return known[longest], rest[len(longest) + 1 :]

    def _table(self) -> pa.Table:
        table = self.data.table()
        if "source" in table.column_names:
            return table
        if len(self.origins) > 1:
            raise DatasetError(f"{self.folder / TABLE} lacks the column 'source', which a derived dataset has")
        named = pa.array([str(self.origins[0]["dataset_id"])] * len(table), pa.string())
        return table.append_column("source", named)


def open_source(folder: Path, *, pictures: bool = True) -> Source:
    """Open a dataset that another one is to be made of. The caller closes its `data`.

    Args:
        folder: the dataset's.
        pictures: whether its pictures are used too.

    Raises:
        DatasetError: it is none, incomplete or damaged.
    """
    data = Dataset(folder)
    try:
        _check_described(data.folder, data.manifest)
        _check_complete(data.folder, data.manifest, pictures=pictures)
        _check_files(data.folder, data.manifest, pictures=pictures)
        return Source(data)
    except BaseException:
        data.close()
        raise


def _check_described(folder: Path, manifest: Mapping[str, Any]) -> None:
    shards, tasks = manifest.get("shards", ()), manifest.get("tasks", ())
    needs = [("", manifest, _NEEDED)]
    needs += [(f"tasks[{i}].", task, _NEEDED_OF_TASK) for i, task in enumerate(tasks)]
    needs += [(f"shards[{i}].", shard, _NEEDED_OF_SHARD) for i, shard in enumerate(shards)]
    for where, found, names in needs:
        for name in names:
            if name not in found:
                raise DatasetError(f"{folder / MANIFEST} lacks {where}{name}: nothing can be derived from it")
    sources = manifest.get("sources", (None,))
    if any(not 0 <= int(shard.get("source", 0)) < len(sources) for shard in shards):
        raise DatasetError(f"{folder / MANIFEST}: a shard's source is not among its {len(sources)} sources")


def _check_complete(folder: Path, manifest: Mapping[str, Any], *, pictures: bool) -> None:
    if not manifest.get("complete", False):
        raise DatasetError(f"{folder} is incomplete; finish it first: genba resume {folder}")
    for camera, entry in manifest.get("media", {}).items() if pictures else ():
        if not entry.get("complete", False):
            raise DatasetError(
                f"{folder}: camera {camera!r} is incomplete; finish it first: genba render {folder},"
                " or leave the pictures out: --no-pictures"
            )


def _check_files(folder: Path, manifest: Mapping[str, Any], *, pictures: bool) -> None:
    """Refuse missing and cut shards, and tables that are not those of SHA256SUMS."""
    listed = [(folder / SHARDS / s["name"], int(s["bytes"])) for s in manifest["shards"]]
    for entry in manifest.get("media", {}).values() if pictures else ():
        listed += [(folder / MEDIA / s["name"], int(s["bytes"])) for s in entry["shards"]]
    for path, size in listed:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DatasetError(f"{path} is a link out of the dataset")
        if not path.is_file():
            raise DatasetError(f"{path} is missing; genba validate {folder} tells more")
        if path.stat().st_size != size:
            raise DatasetError(f"{path} has {path.stat().st_size} bytes, {MANIFEST} says {size}: it is damaged")
    for name, digest in _sums(folder / CHECKSUMS).items():
        if name in (TABLE, STATISTICS) and file_sha256(folder / name) != digest:
            raise DatasetError(f"{folder / name} is damaged: its hash is not the one in {CHECKSUMS}")


def _sums(path: Path) -> dict[str, str]:
    try:
        lines = read_capped(path, within=path.parent).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    found = [re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in lines]
    return {match[2]: match[1] for match in found if match}


def _origins(folder: Path, manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "sources" in manifest:
        return list(manifest["sources"])
    home, attempts = "", int(manifest.get("episodes", sum(int(s["episodes"]) for s in manifest["shards"])))
    try:
        plan = read_plan(folder / "plan.json")
        attempts = plan.attempts
        if any(":" in task.name for task in plan.tasks):  # genba's own are found without
            home = plan.folder
    except GenbaError:
        pass  # what was imported has none
    tasks = [{k: task[k] for k in _OF_SOURCE if k in task} for task in manifest["tasks"]]
    facts = {k: manifest.get(k) for k in ("dataset_id", "physics_sha256", "seed")}
    more = {k: manifest[k] for k in ("environment", "imported", "created") if k in manifest}
    facts |= {"attempts": attempts, "generator": manifest["generator"], "tasks": tasks, "folder": home}
    return [facts | more]


def check_same_tasks(sources: Sequence[Source]) -> None:
    """Refuse sources whose tasks do not mean the same.

    Raises:
        DatasetError: a task in two versions, or with other names of its phases and failures; one name for two tasks.
    """
    first: dict[str, tuple[Source, Mapping[str, Any]]] = {}
    names: dict[str, str] = {}
    for source in sources:
        for own, task in source.tasks.items():
            other, known = first.setdefault(own, (source, task))
            if known["version"] != task["version"]:
                raise DatasetError(
                    f"task {own!r} is version {known['version']} in {other.folder} and {task['version']} in"
                    f" {source.folder}: episodes of two versions are not put together"
                )
            for fact in ("control_hz", "phases", "failures", "degradations"):
                if known.get(fact) != task.get(fact):
                    raise DatasetError(f"task {own!r} has other {fact} in {source.folder} than in {other.folder}")
            if names.setdefault(str(task["name"]), own) != own:
                raise DatasetError(f"{task['name']!r} is the name of two tasks, {names[task['name']]!r} and {own!r}")
