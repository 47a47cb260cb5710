"""Writes a dataset of ours from episodes that no task of ours made: shards, pictures, tables, sums and dataset.json."""

import collections
import dataclasses
import importlib.metadata
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.contents import Contents
from generators.files import write_whole
from generators.governance.facts import default_governance, environment, file_facts, now
from generators.governance.write import write_metadata
from generators.manifest import write_sums, write_tables
from generators.media.background import Background
from generators.media.shots import Shot
from generators.media.writer import IMPORTED, MEDIA, MediaHeader, MediaWriter, Optics
from generators.media_manifest import write_media_sums
from generators.pieces import read_piece
from generators.reader import file_sha256
from generators.schema import FORMAT, MANIFEST, MANIFEST_VERSION, SHARDS, Header
from generators.writer import ShardFile, ShardWriter
from sim.episode import Episode

Array = NDArray[Any]
Entry = dict[str, Any]

SHARD_BYTES = 256_000_000
SHARD_EPISODES = 256
DRAWN_BY = (IMPORTED, "not known")
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """Episodes of elsewhere.

    Attributes:
        contents: what their shards hold.
        numbers: the episodes, by which they are asked for; here they are numbered from 0.
        lengths: control steps of each.
        row_bytes: size of a control step.
        make: makes an episode, by number.
        shots: the cameras whose pictures go.
        images: reads the pictures (T + 1, H, W, 3) of an episode, by number and camera.
        origin: what dataset.json says of where they come from; `sha256` identifies it.
    """

    contents: Contents
    numbers: Sequence[int]
    lengths: Sequence[int]
    row_bytes: int
    make: Callable[[int], Episode]
    shots: Sequence[Shot]
    images: Callable[[int, str], Array]
    origin: Mapping[str, Any]

    @property
    def dataset_id(self) -> str:
        """A name for the data, from its bytes."""
        return f"{self.origin['format']}-{str(self.origin['sha256'])[:16]}"


def write_dataset(folder: Path, foreign: Foreign, done: Callable[[float], None]) -> dict[str, Any]:
    """Write a dataset into an empty folder; return its dataset.json."""
    (folder / SHARDS).mkdir()
    shards: list[Entry] = []
    media: dict[str, list[Entry]] = {}
    for index, rows in enumerate(_groups(foreign)):
        shards.append(_write_shard(folder, foreign, index, rows))
        for shot in foreign.shots:
            media.setdefault(shot.camera, []).append(_write_pictures(folder, foreign, shot, index, rows))
        done(rows.stop / len(foreign.numbers))
    write_tables(folder, (read_piece(folder / SHARDS / s["name"], foreign.contents.task, trusted=True) for s in shards))
    write_sums(folder, {f"{SHARDS}/{s['name']}": s["file_sha256"] for s in shards})
    entries = _media_entries(foreign, media)
    write_media_sums(folder, entries)
    manifest = _manifest(foreign, shards) | file_facts(folder) | {"media": entries}
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    write_metadata(folder)
    return manifest


def _groups(foreign: Foreign) -> list[range]:
    """Put episodes into shards of bounded size, in their order."""
    starts, size = [0], 0
    for row, length in enumerate(foreign.lengths):
        mine = (length + 1) * foreign.row_bytes
        if row > starts[-1] and (size + mine > SHARD_BYTES or row - starts[-1] == SHARD_EPISODES):
            starts.append(row)
            size = 0
        size += mine
    return [range(a, b) for a, b in itertools.pairwise([*starts, len(foreign.lengths)])]


def _write_shard(folder: Path, foreign: Foreign, index: int, rows: range) -> Entry:
    path = folder / SHARDS / f"shard-{index:05d}.h5"
    outcomes: collections.Counter[str] = collections.Counter()
    with ShardWriter.of_contents(path, _header(foreign, index), foreign.contents) as writer:
        for row in rows:
            episode = foreign.make(foreign.numbers[row])
            writer.append(row, episode)
            outcomes[episode.outcome.name.lower()] += 1
        file: ShardFile = writer.close()
    known = {"name": path.name, "episodes": file.n_episodes, "steps": file.n_steps}
    hashes = {k: getattr(file, k) for k in ("bytes", "file_sha256", "content_sha256")}
    return known | hashes | {"outcomes": dict(sorted(outcomes.items()))}


def _header(foreign: Foreign, index: int) -> Header:
    return Header(
        dataset_id=foreign.dataset_id,
        physics_sha256=str(foreign.origin["sha256"]),
        shard_index=index,
        task=foreign.contents.task,
        task_version=foreign.contents.version,
        mujoco_version=UNKNOWN,
        genba_version=importlib.metadata.version("genba"),
    )


def _write_pictures(folder: Path, foreign: Foreign, shot: Shot, index: int, rows: range) -> Entry:
    header = MediaHeader(
        dataset_id=foreign.dataset_id,
        physics_sha256=str(foreign.origin["sha256"]),
        shard=index,
        task=foreign.contents.task,
        camera=shot.camera,
        genba_version=importlib.metadata.version("genba"),
        mujoco_version=UNKNOWN,
    )
    frames = sum(foreign.lengths[row] + 1 for row in rows)
    path = folder / MEDIA / header.name
    path.parent.mkdir(exist_ok=True)
    control_ns = round(foreign.contents.timestep_s * 1e9) * foreign.contents.substeps
    with ExitStack() as files, Background() as background:
        new = MediaWriter(path, header, shot, frames=frames, background=background, drawn_by=DRAWN_BY)
        writer = files.enter_context(new)
        for row in rows:
            steps = np.arange(foreign.lengths[row] + 1)
            poses = np.broadcast_to(np.eye(4), (len(steps), 4, 4))
            writer.begin(row, Optics(np.zeros((3, 3)), 0.0, 0.0, ()))
            writer.append({"rgb": foreign.images(foreign.numbers[row], shot.camera)}, poses, steps, steps * control_ns)
            writer.end()
        writer.finish()
    named = {"name": path.name, "index": index, "task": foreign.contents.task}
    return named | {"bytes": path.stat().st_size, "file_sha256": file_sha256(path), "frames": frames}


def _media_entries(foreign: Foreign, media: Mapping[str, Sequence[Entry]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for shot in foreign.shots:
        shards = media[shot.camera]
        out[shot.camera] = {
            "complete": True,
            "settings": {foreign.contents.task: shot.to_json()},
            "drawn_by": [dict(zip(("backend", "device"), DRAWN_BY, strict=True))],
            "frames": sum(s["frames"] for s in shards),
            "bytes": sum(s["bytes"] for s in shards),
            "shards": list(shards),
        }
    return out


def _manifest(foreign: Foreign, shards: Sequence[Entry]) -> dict[str, Any]:
    contents = foreign.contents
    outcomes: collections.Counter[str] = collections.Counter()
    for shard in shards:
        outcomes.update(shard["outcomes"])
    task = {
        "name": contents.task,
        "task": contents.task,
        "version": contents.version,
        "source_sha256": "",
        "episodes": len(foreign.numbers),
        "parameters": {},
        "degraded": 0.0,
        "control_hz": contents.control_hz,
        "horizon_s": max(foreign.lengths) / contents.control_hz,
        "phases": contents.phases,
        "failures": contents.failures,
        "degradations": contents.degradations,
        "outcomes": dict(sorted(outcomes.items())),
    }
    return {
        "format": FORMAT,
        "format_version": MANIFEST_VERSION,
        "dataset_id": foreign.dataset_id,
        "physics_sha256": foreign.origin["sha256"],
        "complete": True,
        "synthetic": UNKNOWN,
        "generator": {"genba": importlib.metadata.version("genba"), "mujoco": UNKNOWN},
        "seed": None,
        "episodes": len(foreign.numbers),
        "steps": sum(foreign.lengths),
        "bytes": sum(s["bytes"] for s in shards),
        "outcomes": dict(sorted(outcomes.items())),
        "languages": [],
        "tasks": [task],
        "shards": list(shards),
        "imported": dict(foreign.origin),
        "created": now(),
        "environment": environment(),
        "governance": default_governance() | _NOTHING_SAID,
    }


_NOTHING_SAID: dict[str, Any] = {  # what holds of data of ours, and is not known of others'
    "personal_data": [],
    "sim_to_real_gaps": [],
    "languages": [],
    "evaluator": None,
}
