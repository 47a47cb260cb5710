"""What an export carries of a dataset, and the record of what it does not: the same for every peer.

An export holds episodes of one task, with one row a control step. Beside the peer's own files lie sidecar.json (where
every column went, its unit and names, how streams were resampled, what is left out and why), episodes.parquet (seed,
outcome, parameters of each exported episode) and, with pictures, cameras.npz (K and pose of every picture).
"""

import dataclasses
import importlib.metadata
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.export.sidecar import camera_arrays, camera_record, left_out
from generators.files import write_whole
from generators.resample import METHODS, resample
from generators.schema import TABLE
from generators.stored import StoredEpisode
from sim.env_images import observation_name
from sim.errors import GenbaError, unknown

Array = NDArray[Any]
Done = Callable[[float], None]

SIDECAR = "sidecar.json"
SIDECAR_VERSION = "1.0"
CAMERAS = "cameras.npz"
ALL, NONE = "all", "none"


class ExportError(GenbaError, ValueError):
    """A dataset, or a part of one, that a peer's layout cannot hold."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of a dataset.

    Attributes:
        observations: names of observations; "all" or "none" stands alone.
        streams: names of channels and signals, resampled onto the control steps; "all" or "none" stands alone.
        cameras: "side" for its colours, "side:depth" or "side:segmentation"; "all" or "none" stands alone.
        method: one of `generators.resample.METHODS`.
        only: a query that chooses episodes, as in `generators.query`; "" for all.
    """

    observations: tuple[str, ...] = (ALL,)
    streams: tuple[str, ...] = (ALL,)
    cameras: tuple[str, ...] = ()
    method: str = "previous"
    only: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One kind of picture of one camera.

    Attributes:
        camera: the camera.
        kind: rgb, depth or segmentation.
        shape: (H, W, 3) of rgb, uint8; else (H, W), uint16.
    """

    camera: str
    kind: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name among observations, as environments have it: "side", "side_depth", "side_segmentation"."""
        return observation_name(self.camera, self.kind)


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What goes into an export; made by `choose`.

    Attributes:
        data: a view of the episodes that go; all of one task, none of length 0.
        asked: what was asked for.
        task: the task's name, as dataset.json has it: "steel/crane_coil", "module:Class".
        columns: what the shards say of each column, by path: dtype, shape, unit, frame, names, rate_hz, doc, low, high.
        observations: names of the observations that go.
        streams: names of the streams that go.
        pictures: the pictures that go.
        empty: numbers of the episodes that have no step and hence do not go.
    """

    data: Dataset
    asked: Asked
    task: str
    columns: Mapping[str, Mapping[str, Any]]
    observations: tuple[str, ...]
    streams: tuple[str, ...]
    pictures: tuple[Picture, ...]
    empty: tuple[int, ...]

    def walk(self, done: Done) -> Iterator[tuple[int, StoredEpisode]]:
        """Yield (number in the export, episode), and say which share is done after each."""
        for i, episode in enumerate(self.data):
            yield i, episode
            done((i + 1) / len(self.data))

    def times(self, episode: StoredEpisode) -> NDArray[np.int64]:
        """Return the times (T + 1,) of an episode's observations, ns."""
        t_ns = episode.array("steps/t_ns")
        return np.append(t_ns, t_ns[-1] + episode.control_ns)

    def resampled(self, episode: StoredEpisode) -> dict[str, Array]:
        """Return the streams that go, at the times of the observations: name -> (T + 1, dim).

        Raises:
            ExportError: a stream has no samples in this episode.
        """
        times, found = self.times(episode), episode.streams if self.streams else {}
        for name in self.streams:
            if not len(found[name].t_ns):
                raise ExportError(f"episode {episode.id} has no samples of stream {name!r}: leave it out by --streams")
        return {name: resample(found[name], times, self.asked.method) for name in self.streams}

    def images(self, episode: StoredEpisode, picture: Picture) -> Array:
        """Return the picture (T + 1, *shape) at each observation: the latest that had been taken."""
        taken = episode.shots(picture.camera).step
        last = np.searchsorted(taken, np.arange(len(episode) + 1), side="right") - 1
        return episode.images(picture.camera, picture.kind)[last]

    def write_sidecar(
        self,
        folder: Path,
        peer: str,
        carried: Mapping[str, str],
        facts: Mapping[str, Any] | None = None,
        first: int = 0,
    ) -> None:
        """Write sidecar.json, episodes.parquet and, with pictures, cameras.npz.

        Args:
            folder: the export's.
            peer: the layout and its version: "minari 0.5.4".
            carried: the peer's name of each column that went -> our path, "obs/x", "streams/f/value", "media/side/rgb".
            facts: what else this export has to say, such as how actions are scaled.
            first: the first episode's number in the export.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        manifest = self.data.manifest
        cameras = {name: self.data[0].camera_facts(name) for name in self.data[0].cameras}
        pictures = [f"media/{name}/{kind}" for name, known in cameras.items() for kind in known["kinds"]]
        record = {
            "sidecar_version": SIDECAR_VERSION,
            "peer": peer,
            "genba": importlib.metadata.version("genba"),
            "dataset_id": manifest.get("dataset_id", ""),
            "task": self.task,
            "asked": dataclasses.asdict(self.asked),
            "episodes": len(self.data),
            "carried": {name: {"from": path} | self._facts(path) for name, path in carried.items()},
            "resampling": {"method": self.asked.method, "doc": METHODS[self.asked.method]} if self.streams else None,
            "pictures_between": "where a camera took none at a step, its latest one" if self.pictures else None,
            "not_carried": left_out([*self.columns, *pictures], set(carried.values())),
            "episodes_without_steps": list(self.empty),
            "cameras": {name: camera_record(known) for name, known in cameras.items()},
        }
        text = json.dumps(record | dict(facts or {}), indent=1, ensure_ascii=False)
        write_whole(folder / SIDECAR, f"{text}\n".encode())
        table = self.data.table()
        sink = pa.BufferOutputStream()
        table = table.add_column(0, "index", pa.array(np.arange(first, first + len(table))))
        pq.write_table(table, sink, compression="zstd")
        write_whole(folder / TABLE, sink.getvalue().to_pybytes())
        if self.pictures:
            arrays: dict[str, Any] = camera_arrays(self.data, sorted({p.camera for p in self.pictures}))
            with (folder / CAMERAS).open("wb") as file:
                np.savez(file, **arrays)

    def _facts(self, path: str) -> dict[str, Any]:
        known = self.columns.get(path, {})
        return {
            k: known[k] for k in ("unit", "frame", "names", "rate_hz", "doc", "low", "high", "units") if known.get(k)
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Exported:
    """What was made.

    Attributes:
        peer: the layout and its version: "minari 0.5.4".
        folder: where it is.
        episodes: how many there are.
        steps: how many control steps.
        bytes: how much is on the disk.
        notes: what whoever uses it should know, one sentence each.
    """

    peer: str
    folder: Path
    episodes: int
    steps: int
    bytes: int
    notes: tuple[str, ...] = ()


def exported(peer: str, folder: Path, contents: Content | Sequence[Content], notes: Sequence[str] = ()) -> Exported:
    """Say what was made of a content, or of several."""
    parts = [contents] if isinstance(contents, Content) else contents
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    steps = sum(int(lengths_of(part.data).sum()) for part in parts)
    if empty := sum(len(part.empty) for part in parts):
        notes = [*notes, f"{empty} episodes without a step were left out"]
    return Exported(peer, folder, sum(len(part.data) for part in parts), steps, size, tuple(notes))


def choose(data: Dataset, asked: Asked) -> Content:
    """Work out what goes into an export, before anything is written.

    Raises:
        ExportError: nothing is left to export, it is of several tasks, or its shards differ.
        UnknownNameError: an observation, stream, camera, method or task that does not exist.
        GenbaError: the query makes no sense.
    """
    if asked.method not in METHODS:
        raise unknown("method of resampling", asked.method, METHODS)
    if asked.only:
        from generators.query import mask

        data = data.choose(np.flatnonzero(mask(data.table(), asked.only)))
    lengths = lengths_of(data)
    empty = tuple(data[i].id for i in np.flatnonzero(lengths == 0).tolist())
    data = data.choose(np.flatnonzero(lengths))
    if not len(data):
        raise ExportError(f"{data.folder}: no episode with a step is left to export")
    name = _one_task(data)
    columns = _columns(data)
    return Content(
        data=data,
        asked=asked,
        task=name,
        columns=columns,
        observations=_named("observation", asked.observations, _under(columns, "obs/")),
        streams=_named("stream", asked.streams, [n[:-6] for n in _under(columns, "streams/") if n.endswith("/value")]),
        pictures=_pictures(data, asked.cameras),
        empty=empty,
    )


def lengths_of(data: Dataset) -> NDArray[np.int64]:
    """Return the number of control steps (n,) of each episode."""
    return data.table(["length"])["length"].to_numpy().astype(np.int64)


def _one_task(data: Dataset) -> str:
    found = sorted(set(data.table(["task"])["task"].to_pylist()))
    if len(found) > 1:
        query = f"""--only 'task == "{found[0]}"'"""
        raise ExportError(f"an export holds one task, the dataset has {', '.join(found)}: choose by {query}")
    known = {t.get("task", t["name"]): t["name"] for t in data.manifest.get("tasks", ())}
    return known.get(found[0], found[0])


def _columns(data: Dataset) -> dict[str, Any]:
    """Return what the shards say of their columns; all must say the same."""
    first: dict[str, Any] = {}
    for number in np.unique(data.places[:, 0]).tolist():
        episode = data[int(np.flatnonzero(data.places[:, 0] == number)[0])]
        mine = {p: f for p, f in episode.attributes["features"].items() if not p.startswith("episodes/")}
        first = first or mine
        if mine != first:
            wrong = next(p for p in sorted({*mine, *first}) if mine.get(p) != first.get(p))
            raise ExportError(f"{episode.shard}: column {wrong!r} is not as in the other shards: export them apart")
    return first


def _under(columns: Mapping[str, Any], prefix: str) -> list[str]:
    return [p.removeprefix(prefix) for p in columns if p.startswith(prefix)]


def _named(kind: str, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    if tuple(asked) in ((ALL,), (NONE,), ()):
        return tuple(known) if tuple(asked) == (ALL,) else ()
    for name in asked:
        if name not in known:
            raise unknown(kind, name, known)
    return tuple(dict.fromkeys(asked))


def _pictures(data: Dataset, asked: Sequence[str]) -> tuple[Picture, ...]:
    """Return the pictures of "side", "side:depth" ...; every episode must have them."""
    known: dict[str, Picture] = {}
    for number in np.unique(data.places[:, 0]).tolist() if asked else ():
        episode = data[int(np.flatnonzero(data.places[:, 0] == number)[0])]
        mine: dict[str, Picture] = {}
        for camera in episode.cameras:
            facts = episode.camera_facts(camera)
            for kind in facts["kinds"]:
                size = (int(facts["height"]), int(facts["width"]))
                name = camera if kind == "rgb" else f"{camera}:{kind}"
                mine[name] = Picture(camera, kind, (*size, 3) if kind == "rgb" else size)
        known = known or mine
        if mine != known:
            raise ExportError(f"{episode.shard} has other pictures than the shards before: export them apart")
    return tuple(known[name] for name in _named("picture", asked, list(known)))
