"""Read a genba dataset with nothing but h5py and numpy: copy this file, genba itself is not needed.

    python read_dataset.py DATASET          # print what is in it

A dataset is a folder with dataset.json and shards/*.h5. A shard is columns, not one group per episode:

    /episodes/<name>            one row per episode: outcome, seed, parameters, instruction, where its rows are
    /steps/<name>               T rows per episode, from step_start: action, reward, terminated, truncated, ...
    /obs/<name>                 T + 1 rows, from obs_start: obs[t] was seen before action[t]
    /streams/<channel>/value    telemetry at its own rate, from episodes/streams/<channel>/start, `count` rows
    /streams/<channel>/t_ns     when each sample arrived, ns since the episode's start
    /state/control              float64 physics states, for rendering; /state/integration: for exact replay

Pictures, if any, are in media/<shard>.<camera>.h5: /<camera>/{rgb,depth,segmentation,K,T_world_cam,t_ns,step}.
An episode of length 0 (its scene could not be built, or nothing came of it) has its row in /episodes only.
Units, frames and names of a column's numbers are in the root attribute "features", JSON by path.
Everything is in SI units; quaternions are wxyz; +z is up.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

OUTCOMES = ("failure", "success", "timeout", "unstable", "expert_error", "task_error")


def listed(folder: str | Path) -> dict[Path, str]:
    """Return the hash of every shard by its path, in order."""
    manifest = json.loads((Path(folder) / "dataset.json").read_text(encoding="utf-8"))
    if manifest["format"] != "genba" or int(manifest["format_version"].split(".")[0]) > 1:
        raise SystemExit(f"{folder}: this program reads version 1, not {manifest['format_version']}")
    return {Path(folder) / "shards" / shard["name"]: shard["file_sha256"] for shard in manifest["shards"]}


def verify(folder: str | Path) -> list[str]:
    """Compare every shard's hash with the manifest's; return the names of those that differ."""
    return [p.name for p, digest in listed(folder).items() if hashlib.sha256(p.read_bytes()).hexdigest() != digest]


def columns(group: h5py.Group, prefix: str = "") -> dict[str, h5py.Dataset]:
    """Return every dataset below a group by path: {"streams/force/start": dataset}."""
    out = {}
    for name, node in group.items():
        if isinstance(node, h5py.Group):
            out.update(columns(node, f"{prefix}{name}/"))
        else:
            out[prefix + name] = node
    return out


def read_index(file: h5py.File) -> dict[str, np.ndarray]:
    """Read all of /episodes: name -> one value per episode, text decoded."""
    out = {}
    for name, column in columns(file["episodes"]).items():
        if name != "model_xml/value":  # the models as text: bytes, not rows
            values = column[:]
            out[name] = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    return out


def read_episode(file: h5py.File, index: dict[str, np.ndarray], row: int) -> dict:
    """Read one episode.

    Args:
        file: an open shard.
        index: from `read_index`.
        row: the episode's row.

    Returns:
        its facts by name, and: obs, steps (name -> array), streams (channel -> {"value", "t_ns"}), parameters.
    """
    facts = {name: values[row].item() for name, values in index.items()}
    length, step, seen = facts["length"], facts["step_start"], facts["obs_start"]
    episode = {name: value for name, value in facts.items() if "/" not in name and not name.endswith("_start")}
    episode["outcome"] = OUTCOMES[facts["outcome"]]
    episode["parameters"] = {n.removeprefix("params/"): v for n, v in facts.items() if n.startswith("params/")}
    episode["instruction"] = {n.removeprefix("instruction/"): v for n, v in facts.items() if n.startswith("instr")}
    episode["steps"] = {name: column[step : step + length] for name, column in file["steps"].items()}
    rows = slice(seen, seen + length + 1 if length else seen)
    episode["obs"] = {name: column[rows] for name, column in file["obs"].items()}
    episode["streams"] = {}
    for name, stream in file.get("streams", {}).items():
        start, count = facts[f"streams/{name}/start"], facts[f"streams/{name}/count"]
        episode["streams"][name] = {part: column[start : start + count] for part, column in stream.items()}
    return episode


def pictures(shard: Path, camera: str, row: int, kind: str = "rgb") -> np.ndarray:
    """Read the pictures that a camera took of one episode of a shard, where they are stored as zstd or raw.

    Returns:
        (n, H, W, 3) of "rgb"; (n, H, W) of "depth", times the attribute depth_scale_m in m, and of "segmentation".
    """
    import hdf5plugin  # noqa: F401 - HDF5 finds zstd in it; nothing else here needs it

    with h5py.File(shard.parents[1] / "media" / f"{shard.stem}.{camera}.h5", "r") as file:
        start, count = (int(file[f"episodes/{name}"][row]) for name in ("frame_start", "frame_count"))
        return file[f"{camera}/{kind}"][start : start + count]


def episodes(folder: str | Path) -> Iterator[dict]:
    """Yield every episode of a dataset as a dict, see `read_episode`."""
    for path in listed(folder):
        with h5py.File(path, "r") as file:
            index = read_index(file)
            for row in range(len(index["episode_id"])):
                yield read_episode(file, index, row)


def summary(folder: str | Path) -> str:
    """Return a few lines about a dataset."""
    outcomes, tasks, steps, shapes, order = Counter(), set(), 0, {}, ""
    for path in listed(folder):
        with h5py.File(path, "r") as file:
            index = read_index(file)
            features = json.loads(file.attrs["features"])
            tasks.add(file.attrs["task"])
            outcomes.update(OUTCOMES[code] for code in index["outcome"])
            steps += int(index["length"].sum())
            order = order or next(filter(None, index["instruction/en"].tolist()), "")
            for name, feature in features.items():
                shapes[name] = f"{feature['dtype']} {tuple(feature['shape'])} {feature['unit']}".rstrip()
    lines = [f"{folder}: {outcomes.total()} episodes, {steps} steps, tasks {', '.join(sorted(tasks))}"]
    lines += [f"  {name}: {count}" for name, count in sorted(outcomes.items())]
    lines += [f"  /{name}: {shape}" for name, shape in sorted(shapes.items())]
    return "\n".join([*lines, f"  for example: {order}"])


def main() -> None:
    """Print a summary of the dataset named on the command line, and its first episode's shapes."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python read_dataset.py DATASET")
    folder = sys.argv[1]
    if damaged := verify(folder):
        raise SystemExit(f"{folder}: damaged: {', '.join(damaged)}")
    print(summary(folder))
    first = next((e for e in episodes(folder) if e["length"]), None)
    if first is not None:
        print(f"episode {first['episode_id']}: {first['outcome']}, return {first['return']:.3f}")
        print("\n".join(f"  {name}: {values.shape}" for name, values in first["obs"].items()))


if __name__ == "__main__":
    main()
