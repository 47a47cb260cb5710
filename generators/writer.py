"""Writes shards: episodes are gathered in memory and become one file at once, or none.

The file is built in memory because a full disk would otherwise end the process inside HDF5; it appears under its name
only when it is whole and on the disk. Its bytes depend on the header, the task and the episodes alone.
"""

import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from generators import stats
from generators.contents import Contents, task_contents
from generators.files import write_whole
from generators.schema import Column, DatasetError, Header, column_digest, content_digest
from sim.episode import Episode
from sim.errors import nearest
from sim.parameters import Parameter
from sim.task import Task

Array = NDArray[Any]

CHUNK_ROWS = 64
CHUNK_BYTES = 16 << 10  # a 16-step window reads one chunk; smaller ones cost 10 us each to write
_SUMMARIZED = ("obs/", "steps/action", "steps/reward", "streams/")


@dataclasses.dataclass(frozen=True, slots=True)
class ShardFile:
    """What was written.

    Attributes:
        file_sha256: hash of the bytes, for transport.
        content_sha256: hash of the decoded columns, the same whatever compressed them.
        bytes: size of the file.
        n_episodes: episodes in it.
        n_steps: control steps in it.
    """

    file_sha256: str
    content_sha256: str
    bytes: int
    n_episodes: int
    n_steps: int


class ShardWriter:
    """Gathers episodes of one task; `close` writes them, leaving the `with` block by an exception discards them.

    Args:
        path: the file; one that exists is replaced when the shard is whole.
        header: what the shard says of itself.
        task: whose episodes these are.
        parameters: the task's parameters as overridden, from `sim.parameters.describe`.
        control_stride: every how many control steps /state/control is kept.

    Raises:
        DatasetError: the header names another task, or the stride is less than 1.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        task: Task,
        parameters: Mapping[str, Parameter],
        *,
        control_stride: int = 1,
    ) -> None:
        if control_stride < 1:
            raise DatasetError(f"control_stride must be at least 1, got {control_stride}")
        _check_names(path, header, task.name, task.version)
        self._begin(path, header, task_contents(task, parameters, control_stride))

    @classmethod
    def of_contents(cls, path: Path, header: Header, contents: Contents) -> Self:
        """Make a writer of episodes that come from no task of ours.

        Raises:
            DatasetError: the header names another task.
        """
        _check_names(path, header, contents.task, contents.version)
        writer = cls.__new__(cls)
        writer._begin(path, header, contents)
        return writer

    def _begin(self, path: Path, header: Header, contents: Contents) -> None:
        self._path, self._header, self._contents = path, header, contents
        self._stride, self._columns = contents.control_stride, contents.columns
        self._parts: dict[str, list[Any]] = {path: [] for path in self._columns}
        self._rows = dict.fromkeys(("step", "observation", "control", "keyframe", "byte"), 0)
        self._samples = {p.split("/")[1]: 0 for p in self._columns if p.startswith("streams/")}
        self._file: ShardFile | None = None

    def append(self, episode_id: int, episode: Episode) -> None:
        """Add one episode; an episode of length 0 leaves nothing but its row in /episodes.

        Args:
            episode_id: its number in the dataset.
            episode: of the writer's task.

        Raises:
            DatasetError: a column is missing, unknown or has another shape or type than the task's layout says.
        """
        if self._file is not None:
            raise DatasetError(f"{self._path.name} is closed; episode {episode_id} comes too late")
        where = f"{self._path.name}, episode {episode_id}"
        if (episode.task, episode.version) != (self._contents.task, self._contents.version):
            raise DatasetError(
                f"{where} is of {episode.task} version {episode.version}, expected {self._contents.task}"
            )
        rows = _rows(episode, self._stride) if len(episode) else {}
        xml = episode.model_xml.encode()
        facts = self._facts(episode, episode_id, len(xml), rows)
        self._check(where, {**facts, **rows})
        for path, value in facts.items():
            self._parts[path].append(value)
        for path, value in rows.items():
            self._parts[path].append(np.asarray(value, self._columns[path].dtype))
        self._parts["episodes/model_xml/value"].append(np.frombuffer(xml, np.uint8))
        self._advance(rows, len(xml))

    def close(self) -> ShardFile:
        """Write the shard; a second call returns the same.

        Raises:
            OSError: the disk is full or the folder cannot be written; no file is left behind.
        """
        if self._file is None:
            image, content = self._image()
            with image.getbuffer() as data:
                write_whole(self._path, data)
                file_sha256, size = hashlib.sha256(data).hexdigest(), len(data)
            n_episodes = len(self._parts["episodes/episode_id"])
            self._file = ShardFile(file_sha256, content, size, n_episodes, self._rows["step"])
            self._parts.clear()
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            self.close()

    def _facts(self, episode: Episode, episode_id: int, xml_bytes: int, rows: Mapping[str, Array]) -> dict[str, Any]:
        """Return the episode's row of every column of /episodes."""
        at = self._rows
        facts = {
            "episode_id": episode_id,
            "episode_seed": episode.seed,
            "expert_mode": episode.expert_mode,
            "model_sha256": episode.model_sha256,
            "step_start": at["step"],
            "obs_start": at["observation"],
            "control_start": at["control"],
            "keyframe_start": at["keyframe"],
            "keyframe_count": len(rows.get("state/integration", ())),
            "length": len(episode),
            "task_index": self._header.task_index,
            "outcome": int(episode.outcome),
            "fail_code": episode.fail_code,
            "return": float(np.sum(episode.rewards, dtype=np.float64)),
            "error": episode.error,
            "instruction/en": episode.instruction.get("en", ""),
            "instruction/ja": episode.instruction.get("ja", ""),
            "model_xml/start": at["byte"],
            "model_xml/count": xml_bytes,
        }
        facts |= {f"params/{name}": value for name, value in episode.parameters.items()}
        for name, start in self._samples.items():
            facts[f"streams/{name}/start"] = start
            facts[f"streams/{name}/count"] = len(rows.get(f"streams/{name}/t_ns", ()))
        return {f"episodes/{name}": value for name, value in facts.items()}

    def _check(self, where: str, found: Mapping[str, Any]) -> None:
        for path in found:
            if path not in self._columns:
                raise DatasetError(f"{where}: the task's layout has no column {path!r}{nearest(path, self._columns)}")
        whole = "steps/reward" in found
        for path, column in self._columns.items():
            if path not in found:
                if column.row == "byte" or (column.row != "episode" and not whole):
                    continue
                raise DatasetError(f"{where}: column {path!r} is missing")
            if column.row != "episode":
                _check_rows(where, column, np.asarray(found[path]), _expected(column, found, self._stride))

    def _advance(self, rows: Mapping[str, Array], xml_bytes: int) -> None:
        self._rows["byte"] += xml_bytes
        for path, value in rows.items():
            column = self._columns[path]
            if column.row == "sample" and path.endswith("/t_ns"):
                self._samples[path.split("/")[1]] += len(value)
        if rows:
            self._rows["step"] += len(rows["steps/reward"])
            self._rows["observation"] += len(rows["steps/reward"]) + 1
            self._rows["control"] += len(rows["state/control"])
            self._rows["keyframe"] += len(rows["state/integration"])

    def _image(self) -> tuple[io.BytesIO, str]:
        """Build the file in memory; return it and its content hash."""
        image = io.BytesIO()
        digests: dict[str, str] = {}
        with h5py.File(image, "w", libver=("earliest", "v110")) as file:
            file.attrs.update(dataclasses.asdict(self._header) | self._contents.attributes())
            file.attrs["n_episodes"] = len(self._parts["episodes/episode_id"])
            file.attrs["n_steps"] = self._rows["step"]
            file.create_group("stats").attrs["rows"] = json.dumps(stats.ROWS)
            for path, column in sorted(self._columns.items()):
                values = _gathered(column, self._parts[path])
                digests[path] = column_digest(path, values)
                write_column(file, column, values)
                if column.dtype == "<f4" and path.startswith(_SUMMARIZED):
                    rows = stats.summarize(values).rows()
                    write_column(file, Column(f"stats/{path}", "<f8", "statistic", rows.shape[1:]), rows)
        return image, content_digest(digests)


def _check_names(path: Path, header: Header, task: str, version: int) -> None:
    if (header.task, header.task_version) != (task, version):
        given, expected = f"{header.task} version {header.task_version}", f"{task} version {version}"
        raise DatasetError(f"{path.name}: the header names {given}, the task is {expected}")


def _rows(episode: Episode, stride: int) -> dict[str, Array]:
    """Return an episode's rows of every column outside /episodes."""
    rows: dict[str, Array] = {
        "steps/action": episode.actions,
        "steps/reward": episode.rewards,
        "steps/terminated": episode.terminated,
        "steps/truncated": episode.truncated,
        "steps/success": episode.success,
        "steps/phase": episode.phases,
        "steps/t_ns": episode.t_ns,
        "state/control": episode.control[::stride],
        "state/integration": episode.keyframes,
        "state/keyframe_step": episode.keyframe_steps,
    }
    rows |= {f"obs/{name}": value for name, value in episode.observations.items()}
    for name, stream in episode.streams.items():
        rows |= {f"streams/{name}/value": stream.value, f"streams/{name}/t_ns": stream.t_ns}
    return rows


def _expected(column: Column, found: Mapping[str, Any], stride: int) -> int:
    """Return how many rows of a column an episode must have."""
    length = len(found["steps/reward"])
    if column.row == "sample":
        return len(found[f"streams/{column.path.split('/')[1]}/t_ns"])
    counts = {"step": length, "observation": length + 1, "control": length // stride + 1}
    return counts.get(column.row, len(found["state/keyframe_step"]))


def _check_rows(where: str, column: Column, value: Array, rows: int) -> None:
    if value.shape != (rows, *column.shape):
        raise DatasetError(f"{where}: {column.path!r} has shape {value.shape}, expected {(rows, *column.shape)}")
    if value.dtype != np.dtype(column.dtype):
        raise DatasetError(f"{where}: {column.path!r} is {value.dtype}, expected {np.dtype(column.dtype)}")


def _gathered(column: Column, parts: list[Any]) -> Array:
    """Join the episodes' rows into one little-endian array and let go of them."""
    if column.row == "episode":
        if column.dtype != "S":
            return np.array(parts, column.dtype)
        encoded = [part.encode() for part in parts]
        return np.array(encoded, h5py.string_dtype("utf-8", max(1, *map(len, encoded), 1)))
    values = np.concatenate(parts) if parts else np.zeros((0, *column.shape), column.dtype)
    if column.path != "episodes/episode_id":
        parts.clear()
    return values


def write_column(file: h5py.Group, column: Column, values: Array) -> None:
    """Write a column at once; one without numbers has no chunks, which HDF5 forbids to be empty."""
    options: dict[str, Any] = {}
    if values.size:
        per_row = values.nbytes // len(values)
        rows = min(len(values), max(CHUNK_ROWS, CHUNK_BYTES // per_row))
        options = {"chunks": (rows, *values.shape[1:]), "fletcher32": True}
        if not column.path.startswith("state/") or column.dtype != "<f8":  # states do not compress
            options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = file.create_dataset(column.path, data=values, track_times=False, **options)
    facts = {"unit": column.unit, "frame": column.frame, "rate_hz": column.rate_hz, "doc": column.doc}
    for name, value in facts.items():
        if value or (name == "unit" and column.row != "statistic"):
            dataset.attrs[name] = value
    for name, value in column.extra.items():
        dataset.attrs[name] = value if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)
