"""Seeds: the smallest good file of each kind, made here, never stored."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from generators.importing.robomimic import import_robomimic
from generators.reader import file_sha256

CONFIGS = (
    "task: steel/crane_coil\nepisodes: 4\nseed: 3\nout: datasets/x\nworkers: 2\nexecutor: inline\n",
    "tasks:\n- {task: a/b, episodes: 3, degraded: 0.5}\n- {task: 'm:C', episodes: 1, cameras: [top]}\n",
    "task: a/b\ncameras: {top: {size: [32, 24], rate_hz: 5, kinds: [rgb, depth], encoding: png}}\n",
    "task: a/b\nparameters: {x: {kind: uniform, low: 0, high: 1.5}, y: [1, 2], z: &a 1, w: *a}\n",
    "task: a/b\nresources: {cpus: 0.5, gpus: 1, memory_gb: 4}\nray_address: auto\nepisodes_per_shard: 8\n",
    "base: &b {x: 1}\nmore: {<<: *b, y: 2001-12-14, z: 0x1F, t: 1:20, n: .inf, s: !!str 3}\n",
)
QUERIES = (
    'outcome == "success" and 0.1 <= friction < 0.3',
    'steel in ["SS400", ""] or not length > 3 + 2 * 4',
    "abs(return - 1) < 1e-3 and `params.steel/crane.hook.friction` != -0.5",
    "episode_seed % 2 == 1",
    "(((length)))",
)
ABOUTS = (
    "name: x\nversion: '1'\nlicense: CC-BY-4.0\ncreator: Acme\nurl: https://example.com\npublished: 2026-11-27\n",
    "name: {en: a, ja: b}\nasset_licenses: {arm: Apache-2.0 OR (MIT AND BSD-3-Clause)}\nlanguages: [en]\n",
    "creator: [{name: a, kind: person, url: https://a}, b]\nintended_use: [one, {en: two, ja: x}]\ncitation: '@x{}'\n",
    "personal_data:\ncustody: [<script>alert(1)</script>, '[a](javascript:b)', '| --- |']\nchanges: none\n",
)


def write_robomimic(path: Path, *, pictures: bool = True) -> Path:
    """Write two demonstrations of two and three steps."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20}})
        for number, length in enumerate((2, 3)):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"], demo.attrs["model_file"] = length, "<mujoco/>"
            demo["obs/eef"], demo["next_obs/eef"] = rng.normal(size=(2, length, 3))
            if pictures:
                demo["obs/cam"] = rng.integers(0, 9, (length, 8, 8, 3), np.uint8)
            demo["actions"] = rng.uniform(-1, 1, (length, 2))
            demo["rewards"] = np.arange(length) == length - 1
        file["mask/train"] = np.array(["demo_0"], "S")
    return path


def plan_text(name: str = "steel/crane_coil") -> str:
    """Return a plan of one shard."""
    task = {"name": name, "version": 1, "source_sha256": "0" * 64, "episodes": 2, "parameters": {}, "degraded": 0.1}
    shards = [{"index": 0, "task": name, "first": 0, "count": 2}]
    plan = {"plan_version": 1, "config": {"task": name}, "folder": "/nowhere", "seed": 0, "episodes_per_shard": 2}
    plan |= {"attempts": 2, "tasks": [task], "shards": shards, "genba_version": "0.1.0", "mujoco_version": "4.0.0"}
    return json.dumps(plan | {"physics_sha256": "0" * 64})


def write_tables() -> list[bytes]:
    """Write tables of three rows: dictionaries, plain values and gaps, in pages of both versions."""
    found = pa.table({"outcome": ["a", "b", "a"], "length": [1, 2, 3], "params.x": [0.5, None, 1.5]})
    out: list[bytes] = []
    for options in ({}, {"use_dictionary": False, "data_page_version": "2.0"}, {"row_group_size": 2}):
        for compression in ("zstd", "none"):
            sink = io.BytesIO()
            pq.write_table(found, sink, compression=compression, store_schema=False, **options)
            out.append(sink.getvalue())
    return out


def report_text(shard: Path) -> str:
    """Return what a worker says of a shard."""
    numbers = {"index": 0, "episodes": 2, "steps": 5, "bytes": 1, "wall_s": 0.5}
    texts = {"name": shard.name, "content_sha256": "0" * 64, "error": "", "host": "h", "physics_sha256": "0" * 64}
    return json.dumps(
        numbers | texts | {"file_sha256": file_sha256(shard), "outcomes": {"success": 2}, "stamp": [1, 2]}
    )


def make_whole(place: Path) -> Path:
    """Make PLACE/whole, a dataset of one shard with one camera."""
    import_robomimic(write_robomimic(place / "small.hdf5"), place / "whole")
    return place / "whole"


def seeds(target: str, place: Path, files: tuple[str, ...]) -> list[bytes]:
    """Return the seeds of a target.

    Args:
        target: its name.
        place: a folder with `make_whole`'s dataset.
        files: what the first byte of an input of `described` chooses from.
    """
    whole = place / "whole"
    if target == "described":
        parts = {"of": {"episodes": 2}, "parts": [{"name": "train", "episodes": 2, "dataset_id": "x"}]}
        made = {"plan.json": plan_text().encode(), "split.json": json.dumps(parts).encode()}
        found = {n: made.get(n) or (whole / n).read_bytes() for n in files}
        slim = json.loads(found["dataset.json"])
        slim |= {"governance": {}, "environment": {}, "imported": {}}
        found["dataset.json"] = json.dumps(slim).encode()
        out = [bytes([i]) + found[name] for i, name in enumerate(files)]
        entry = slim["shards"][0] | {"rows": [[0, 1]], "source": 0}
        source = {"dataset_id": "x", "tasks": slim["tasks"], "folder": "", "attempts": 2, "seed": 0, "generator": {}}
        derived = slim | {"shards": [entry], "sources": [source], "derived": {"activity": "filter", "of": []}}
        return [*out, b"\0" + json.dumps(derived).encode()]
    texts = {"config": CONFIGS, "query": QUERIES, "about": ABOUTS}
    if target in texts:
        return [text.encode() for text in texts[target]]
    if target == "robomimic":
        return [write_robomimic(place / "seed.hdf5", pictures=p).read_bytes() for p in (False, True)]
    if target == "table":
        return write_tables()
    if target == "log":
        return [report_text(next(iter((whole / "shards").glob("*.h5")))).encode()]
    folder = {"shard": "shards", "media": "media"}[target]
    return [path.read_bytes() for path in sorted((whole / folder).glob("*.h5"))]
