"""What must hold after every trial: each episode once, right, and the same bytes as if nothing had happened."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from generators.reader import file_sha256
from generators.schema import CHECKSUMS, MANIFEST, TABLE
from generators.validate import validate

_SAME = (TABLE, CHECKSUMS, "stats.json")  # byte for byte


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A dataset that nobody disturbed.

    Attributes:
        folder: it.
        episodes: how many were promised.
        files: hash by name of each shard's file.
        contents: hash by name of each shard's decoded columns.
        unstable: how many episodes' physics diverged.
    """

    folder: Path
    episodes: int
    files: dict[str, str]
    contents: dict[str, str]
    unstable: int


def read_reference(folder: Path, episodes: int) -> Reference:
    """Read what the undisturbed dataset holds."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    outcomes = pq.read_table(folder / TABLE, columns=["outcome"])["outcome"].to_pylist()
    return Reference(
        folder=folder,
        episodes=episodes,
        files={s["name"]: s["file_sha256"] for s in manifest["shards"]},
        contents={s["name"]: s["content_sha256"] for s in manifest["shards"]},
        unstable=sum(outcome in ("unstable", 3) for outcome in outcomes),
    )


def broken_shards(folder: Path, reference: Reference) -> Iterator[str]:
    """Say which shards have their name and not what belongs in them."""
    for path in sorted((folder / "shards").glob("*.h5")):
        if file_sha256(path) != reference.files.get(path.name):
            yield f"{path.name} is there under its name and differs from the reference"


def broken(folder: Path, reference: Reference) -> list[str]:
    """Return, one sentence each, what does not hold of a dataset that is said to be finished."""
    return [*_episodes(folder, reference), *_bytes(folder, reference), *_leftovers(folder), *_validation(folder)]


def _episodes(folder: Path, reference: Reference) -> Iterator[str]:
    ids = pq.read_table(folder / TABLE, columns=["episode_id"])["episode_id"].to_pylist()
    if sorted(ids) != list(range(reference.episodes)):
        lost = len(set(range(reference.episodes)) - set(ids))
        yield f"of {reference.episodes} episodes {lost} are lost, and {len(ids) - len(set(ids))} are there twice"


def _bytes(folder: Path, reference: Reference) -> Iterator[str]:
    yield from broken_shards(folder, reference)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    contents = {s["name"]: s["content_sha256"] for s in manifest["shards"]}
    if contents != reference.contents:
        yield "the hashes of the shards' contents differ from the reference's"
    if not manifest["complete"]:
        yield f"{MANIFEST} does not say that the dataset is complete"
    for name in _SAME:
        if (folder / name).read_bytes() != (reference.folder / name).read_bytes():
            yield f"{name} differs from the reference's"


def _leftovers(folder: Path) -> Iterator[str]:
    for path in folder.rglob(".*.tmp"):
        yield f"{path.relative_to(folder)} was left behind"


def _validation(folder: Path) -> Iterator[str]:
    for finding in validate(folder).findings:
        yield f"validation: {finding}"
