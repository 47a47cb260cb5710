"""How fast windows are loaded, as ratios to the same numbers in a file with a group per episode, in the same run.

A window of that file is one slice of a dataset in its group, and nothing more is done with it; ours are whole windows,
with rewards, phases and mask. The files lie in the system's cache: what is measured is reading, not the disk.
"""

import dataclasses
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.loading.blocks import Blocks
from generators.loading.windows import CACHE_BYTES, Windows
from generators.schema import FORMAT, MANIFEST, MANIFEST_VERSION, SHARDS, TABLE, Column, Header
from generators.speed.ratios import Ratio, alternate, timed
from generators.writer import write_column

Array = NDArray[Any]

HORIZON = 16  # steps in a window
_GROUPS: dict[str, dict[str, Any]] = {  # how episodes are written in groups
    "plain": {},  # as robomimic's and Minari's tools do unless they are asked to compress
    "gzip": {"compression": "gzip"},
}
_INDEXED = 100_000  # episodes of the index
_OPENING = """
import json, sys, time, tracemalloc
from pathlib import Path
import pyarrow, pyarrow.parquet
from generators.dataset import Dataset
from generators.loading.windows import Windows
start = time.perf_counter()
windows = Windows(Dataset(Path(sys.argv[1])))
spent = (time.perf_counter() - start) * 1e3
tracemalloc.start()
again = Windows(Dataset(Path(sys.argv[1])))
peak = tracemalloc.get_traced_memory()[1] + pyarrow.default_memory_pool().max_memory()
print(json.dumps([spent, peak / 1e6, len(windows)]))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """How much is loaded.

    Attributes:
        episodes: in the dataset.
        steps: of each.
        dim: float32 numbers of each observation.
        windows: read in a round.
        rounds: of each pair.
    """

    episodes: int = 2000
    steps: int = 200
    dim: int = 64
    windows: int = 4096
    rounds: int = 5


def measure_loading(load: Load) -> Iterator[Ratio]:
    """Measure everything about loading, figure by figure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = np.random.default_rng(0).normal(0.0, 0.01, (load.episodes * load.steps, load.dim)).astype(np.float32)
        values = np.cumsum(values, axis=0, dtype=np.float32)  # a random walk: smooth, as signals are
        write_dataset(folder / "ours", values, load.episodes)
        for kind in _GROUPS:
            _write_groups(folder / f"{kind}.h5", values, load.episodes, kind)
        with Dataset(folder / "ours", trusted=True) as dataset:
            for kind in _GROUPS:
                with h5py.File(folder / f"{kind}.h5", "r") as file:
                    theirs = functools.partial(_slices, file, load)
                    yield _random(dataset, theirs, kind, load)
                    yield _shuffled(dataset, theirs, kind, load)
        del values
        yield from index(folder / "index", load.rounds)


def write_dataset(folder: Path, values: Array, episodes: int) -> None:
    """Write a dataset of one shard whose observation is given, as far as windows need it.

    Args:
        folder: the dataset's.
        values: (episodes * steps, dim) float32; the observation after the last action repeats the last row.
        episodes: how many.
    """
    steps = len(values) // episodes
    (folder / SHARDS).mkdir(parents=True)
    length, number = np.full(episodes, steps, np.int32), np.arange(episodes)
    seen = np.minimum(np.arange(steps + 1), steps - 1) + steps * number[:, None]
    facts = {"episode_id": number, "length": length, "step_start": number * steps, "obs_start": number * (steps + 1)}
    rows = {"obs/x": values[seen.reshape(-1)]} | {f"episodes/{name}": column for name, column in facts.items()}
    rows["steps/reward"] = values[:, 0]
    rows["steps/phase"] = np.repeat(number % 4, steps).astype(np.int16)
    with h5py.File(folder / SHARDS / "shard-00000.h5", "w") as file:
        file.attrs.update(dataclasses.asdict(Header("bench", "", 0, "bench", 1, "", "")))
        for path, column in rows.items():
            write_column(file, Column(path, column.dtype.str, path.split("/")[0], column.shape[1:]), column)
    _describe(folder, facts, shards=1)


def index(folder: Path, rounds: int) -> Iterator[Ratio]:
    """Measure opening windows over 100,000 episodes, in other processes, imports not counted."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    length = rng.integers(50, 400, _INDEXED).astype(np.int32)
    start = np.cumsum(length) - length
    texts = {name: np.full(_INDEXED, f"{name} of an episode") for name in ("task", "outcome", "instruction_en")}
    numbers = {f"params.p{i}": rng.random(_INDEXED) for i in range(24)}
    _describe(folder, {"length": length, "step_start": start, "obs_start": start} | texts | numbers, shards=500)
    found = [_opening(folder) for _ in range(rounds)]
    milliseconds, megabytes = np.min(found, axis=0)[:2]  # what else runs makes it longer, never shorter
    note = f"{found[0][2]:.0f} windows; the least of {rounds}, the imports not counted"
    yield Ratio("opening 100,000 episodes, ms", float(milliseconds), "<= 50", note)
    yield Ratio("opening 100,000 episodes, MB at the peak", float(megabytes), "<= 50", note)


def _opening(folder: Path) -> list[float]:
    command = [sys.executable, "-c", _OPENING, str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def _describe(folder: Path, columns: dict[str, Array], *, shards: int) -> None:
    """Write the manifest and the table of episodes."""
    episodes = len(columns["length"]) // shards
    steps = int(columns["length"].sum()) // shards
    listed = [{"name": f"shard-{n:05d}.h5", "episodes": episodes, "steps": steps} for n in range(shards)]
    manifest = {"format": FORMAT, "format_version": MANIFEST_VERSION, "dataset_id": "bench", "shards": listed}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    pq.write_table(pa.table(columns), folder / TABLE, compression="zstd")


def _write_groups(path: Path, values: Array, episodes: int, kind: str) -> None:
    with h5py.File(path, "w") as file:
        for n, rows in enumerate(np.split(values, episodes)):
            file.create_dataset(f"data/demo_{n}/obs/x", data=rows, **_GROUPS[kind])


def _slices(file: h5py.File, load: Load) -> None:
    """Read random windows of the group-per-episode file."""
    rng = np.random.default_rng(1)
    episodes = rng.integers(0, load.episodes, load.windows).tolist()
    for episode, start in zip(episodes, rng.integers(0, load.steps - HORIZON, load.windows).tolist(), strict=True):
        node: Any = file[f"data/demo_{episode}/obs/x"]
        node[start : start + HORIZON]


def _random(dataset: Dataset, theirs: Callable[[], object], kind: str, load: Load) -> Ratio:
    windows = Windows(dataset, horizon=HORIZON, action=False)
    megabytes = load.episodes * load.steps * load.dim * 4e-6
    small = dataclasses.replace(windows, cache_bytes=int(megabytes * 1e5))
    rng = np.random.default_rng(2)

    def ours(windows: Windows = windows) -> None:
        for i in rng.integers(0, len(windows), load.windows).tolist():  # others in every round
            windows[i]

    ours(small)
    rate = load.windows / timed(lambda: ours(small))
    note = f"{CACHE_BYTES >> 20} MB of cache for {megabytes:.0f} MB of numbers; with a tenth of them {rate:.0f}"
    return _ratio("random windows", (ours, theirs), kind, load, (">= 1.7", note))


def _shuffled(dataset: Dataset, theirs: Callable[[], object], kind: str, load: Load) -> Ratio:
    blocks = Blocks(Windows(dataset, horizon=HORIZON, action=False, cache_bytes=0), batch_size=64)
    batches = iter(blocks)

    def ours() -> None:
        nonlocal batches
        for _ in range(load.windows // 64):
            if next(batches, None) is None:
                batches = iter(blocks)

    return _ratio(
        "block-shuffled windows", (ours, theirs), kind, load, (">= 3", "batches of 64, blocks of 16 episodes")
    )


def _ratio(
    name: str, pair: tuple[Callable[[], object], Callable[[], object]], kind: str, load: Load, target: tuple[str, str]
) -> Ratio:
    slow, fast = alternate(pair[1], pair[0], load.rounds)
    note = f"{load.windows / fast:.0f} windows/s, {load.windows / slow:.0f}; {target[1]}"
    return Ratio(f"{name} / a group per episode, {kind}", slow / fast, target[0], note)
