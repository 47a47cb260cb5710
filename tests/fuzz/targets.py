"""What is fuzzed: each target reads bytes as genba reads a file from anywhere, and lets only errors of ours pass.

A target returns whether the bytes were good. What it raises is a finding. Files lie in memory where there is such a
folder. Nothing here needs a fuzzer: the default tests replay the corpus through the same functions.

HDF5 is read as it always is: by a child first. What the child outlives is then done once more in this process, where a
fuzzer sees what it leads to; what ends the child is a refusal like any other, and counted.
"""

import collections
import contextlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa

from generators import examination, sandbox
from generators.commands.generate import parse_settings
from generators.config import load_yaml, make_config
from generators.curation.summary import read_stats
from generators.dataset import Dataset
from generators.governance.about import amend, default_governance, read_about
from generators.governance.card import card
from generators.homes import task_homes
from generators.importing.demonstrations import open_demonstrations
from generators.importing.facts import read_labels
from generators.importing.translation import translate
from generators.loading.normalization import normalization
from generators.media.reader import open_media
from generators.parquet.reading import parquet_names, read_parquet
from generators.plan import read_plan
from generators.query import mask
from generators.reader import labels, open_untrusted, read_statistics, read_table
from generators.seals import sealed
from generators.stored import shard_episodes
from generators.structure import check_file
from generators.tables import column_of
from generators.validate import validate
from generators.worker import finished
from sim.errors import GenbaError

MEMORY = Path("/dev/shm")
FILES = ("dataset.json", "plan.json", "split.json", "SHA256SUMS", "stats.json", "media/SHA256SUMS")
MOST = 1 << 20  # bytes that a column may have: hostile sizes are to be refused, not read
PICTURES = 4 << 20
ROWS = 3  # that a table must have
ENDED: collections.Counter[str] = collections.Counter()  # how inputs ended the child
PHYSICS = "0" * 64
TABLE = pa.table(
    {
        "outcome": ["success", "failure", "timeout"],
        "length": [10, 20, 30],
        "return": [1.5, None, float("nan")],
        "episode_seed": pa.array([2**63 + 5, 1, 2], pa.uint64()),
        "params.steel/crane.hook.friction": [0.1, None, 0.3],
        "params.steel/crane.steel": ["SS400", "SUS304", None],
    }
)
Target = Callable[[bytes], bool]


def folder() -> Path:
    """Make a folder in memory; it is removed when the process ends well."""
    path = Path(tempfile.mkdtemp(prefix="genba-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    _FOLDERS.append(path)
    return path


_FOLDERS: list[Path] = []


def clean() -> None:
    """Remove what was made."""
    for path in _FOLDERS:
        shutil.rmtree(path, ignore_errors=True)


def shard(place: Path) -> Target:
    """A shard: its structure, every column, every episode."""
    path = place / "shard-00000.h5"

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        with open_untrusted(path, max_column_bytes=MOST) as opened:
            for column in opened.paths:
                with contextlib.suppress(GenbaError):
                    opened.facts(column)
                    opened.read(column)
            for what in ("outcome", "failure", "mode"):
                with contextlib.suppress(GenbaError):
                    labels(opened, what)
            with contextlib.suppress(GenbaError):
                read_table(opened)
            with contextlib.suppress(GenbaError):
                read_statistics(opened)
        with shard_episodes(path, trusted=False) as episodes:
            for episode in episodes[:2]:
                for name in ("outcome", "parameters", "instruction", "observations", "streams", "model_xml"):
                    with contextlib.suppress(GenbaError):
                        getattr(episode, name)
                with contextlib.suppress(GenbaError):
                    episode.load()
        return True

    return run


def media(place: Path) -> Target:
    """A media shard: its structure, and the pictures of its first episodes."""
    path = place / "shard-00000.cam.h5"

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        with open_media(path) as opened:
            for row in range(min(2, len(opened))):
                with contextlib.suppress(GenbaError):
                    opened.shots(row)
                for kind in opened.shot.kinds[:3]:
                    with contextlib.suppress(GenbaError):
                        rows = max(1, PICTURES // max(1, 3 * opened.shot.height * opened.shot.width))
                        opened.images(row, kind, stop=min(rows, 8))
        return True

    return run


def described(place: Path) -> Target:
    """What describes a dataset: the first byte says which file, the rest is what is in it."""
    from_seeds = place / "whole"

    def run(data: bytes) -> bool:
        if not data:
            return False
        name = FILES[data[0] % len(FILES)]
        spoilt = from_seeds / name
        kept = spoilt.read_bytes() if spoilt.is_file() else None
        try:
            spoilt.write_bytes(data[1:])
            return _described(from_seeds)
        finally:
            spoilt.unlink() if kept is None else spoilt.write_bytes(kept)

    return run


def in_this_process(folder: Path, jobs: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Do what `sandbox.run_jobs` has children do: to start them takes longer than the jobs, and no coverage is seen."""
    for job in jobs:
        yield job, json.loads(json.dumps(sandbox.do_job(folder / job["name"], json.loads(json.dumps(job)))))


def _described(place: Path) -> bool:
    with mock.patch("generators.validate.run_jobs", in_this_process):
        good = validate(place).ok
    for read in (lambda: read_plan(place / "plan.json"), lambda: read_stats(place)):
        with contextlib.suppress(GenbaError):
            read()
    with Dataset(place) as opened:
        for read in (
            lambda: task_homes(place, opened.manifest),
            lambda: normalization(opened),
            lambda: opened.table(["outcome"]),
            lambda: [e.id for e in opened.choose(range(min(2, len(opened))))],
        ):
            with contextlib.suppress(GenbaError):
                read()
    return good


def robomimic(place: Path) -> Target:
    """A file of robomimic's: its structure, what it says, and how it would be translated."""
    path = place / "demo.hdf5"

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        with open_demonstrations(path) as found:
            known = translate(found, None)
            read_labels(found, known.facts)
            for number in found.numbers[:2]:
                found.texts(number)
                for name in list(found.survey[0])[:8]:
                    with contextlib.suppress(GenbaError):
                        found.read(number, name)
        return True

    return run


def config(place: Path) -> Target:
    """A configuration in YAML, and the value of a --set flag."""
    path = place / "config.yaml"

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        with contextlib.suppress(GenbaError, UnicodeDecodeError):
            parse_settings((f"x={data[:200].decode()}",))
        make_config(load_yaml(path)).entries()
        return True

    return run


def query(place: Path) -> Target:
    """A query."""
    del place

    def run(data: bytes) -> bool:
        mask(TABLE, data.decode("utf-8", "replace"))
        return True

    return run


def about(place: Path) -> Target:
    """What people say of a dataset, as YAML, and the card that is made of it."""
    path = place / "about.yaml"
    manifest: dict[str, Any] = json.loads((place / "whole" / "dataset.json").read_bytes())

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        said = amend(default_governance(), read_about(path))
        for language in ("en", "ja"):
            card(manifest | {"governance": said}, language, "made").encode()
        return True

    return run


def table(place: Path) -> Target:
    """A table of episodes: its names, some of its columns, all of them."""
    path = place / "episodes.parquet"

    def run(data: bytes) -> bool:
        path.write_bytes(data)
        names = parquet_names(path)
        with contextlib.suppress(GenbaError):
            read_parquet(path, ROWS, names[:1])
        found = read_parquet(path, ROWS)
        for name in names[:8]:
            column_of(found, name)
        return True

    return run


def log(place: Path) -> Target:
    """What a worker says of a shard that it has made."""
    made = next(iter((place / "whole" / "shards").glob("*.h5")))
    job: Any = SimpleNamespace(
        path=made,
        report_path=place / "report.json",
        plan=SimpleNamespace(physics_sha256=PHYSICS),
        shard=SimpleNamespace(count=2),
    )

    def run(data: bytes) -> bool:
        job.report_path.write_bytes(_with_seal(data))
        return finished(job) is not None

    return run


def _with_seal(data: bytes) -> bytes:
    """Return JSON with a seal, which would else stop nearly all of it; anything else as it is."""
    try:
        found = json.loads(data)
        return json.dumps(sealed(found)).encode() if isinstance(found, dict) else data
    except (ValueError, RecursionError):
        return data


TARGETS: dict[str, Callable[[Path], Target]] = {
    f.__name__: f for f in (shard, media, described, robomimic, table, config, query, about, log)
}
HDF5 = ("shard", "media", "robomimic")


def guarded(target: Target) -> Target:
    """Return a target that takes errors of ours for a refusal: one sentence, not a long one."""

    def run(data: bytes) -> bool:
        with warnings.catch_warnings(), mock.patch("generators.reader.examine", _examine):
            warnings.simplefilter("ignore")
            try:
                return target(data)
            except GenbaError as error:
                text = str(error)
                assert len(text) < 2000, f"a sentence of {len(text)} letters: {text[:100]}"
                return False

    return run


def _examine(path: Path, limits: Mapping[str, Any]) -> None:
    """Have the child examine a file, even one that it knows, and do the same here where it has outlived that."""
    examination._examined.clear()
    try:
        _REAL(path, limits)
    except examination.EndedError as error:
        ENDED[str(error).partition("reading it ")[2][:80]] += 1
        raise
    except GenbaError:
        with contextlib.suppress(Exception), examination.little_memory():
            check_file(path, limits)
        raise
    with contextlib.suppress(Exception), examination.little_memory():
        check_file(path, limits)


_REAL = examination.examine


def start_child(place: Path) -> None:
    """Have a child wait for questions: its start is no input's doing."""
    if examination._child is None:
        examination._examined.clear()
        _REAL(next(iter((place / "whole" / "shards").glob("*.h5"))), {})


def child_peak_mb() -> float:
    """Return how much memory the child has had at most; 0 where there is none."""
    with contextlib.suppress(OSError, AttributeError, StopIteration):
        lines = Path(f"/proc/{examination._child.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return 0.0
