"""Find what two parts of a split share: groups, seeds with their models, and episodes that are the same to the byte."""

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from generators.curation.groups import SCENE, group_keys, identities
from generators.dataset import Dataset
from generators.schema import DatasetError
from generators.stored import StoredEpisode


@dataclasses.dataclass(frozen=True, slots=True)
class Leak:
    """Something that two parts of a split share.

    Attributes:
        what: "group"; "seed" for task, seed and model; "contents" for actions and observations.
        parts: the two folders' names.
        count: how many of them.
        example: the first, for people.
    """

    what: str
    parts: tuple[str, str]
    count: int
    example: str

    def __str__(self) -> str:
        words = {
            "group": "groups",
            "seed": "episodes of the same task, seed and model",
            "contents": "episodes with the same actions and observations",
        }[self.what]
        return f"{self.parts[0]} and {self.parts[1]} share {self.count} {words}, the first is {self.example}"


def leaks(folders: Sequence[Path], *, contents: bool = True) -> list[Leak]:
    """Find what parts of a split share; [] where they share nothing.

    Args:
        folders: the parts, each a dataset.
        contents: whether to compare also actions and observations, which are read for this.

    Raises:
        DatasetError: a folder is no dataset, or the parts were split by different things.
    """
    names = _names(folders)
    out: list[Leak] = []
    tables = []
    for folder in folders:
        with Dataset(folder) as data:
            tables.append((data.manifest.get("derived", {}).get("split", {}), data.table()))
    hows = [(tuple(how.get("by", (SCENE,))), how.get("edges", {})) for how, _ in tables]
    if any(how != hows[0] for how in hows):
        raise DatasetError(f"{', '.join(names)} were not split by the same groups: they are no parts of one split")
    groups = [group_keys(table, *hows[0]) for _, table in tables]
    out += _shared("group", names, groups)
    out += _shared("seed", names, [identities(table) for _, table in tables])
    return out + (_same_contents(folders, names) if contents else [])


def content_hash(episode: StoredEpisode) -> str:
    """Hash an episode's actions and observations; "" where it has none."""
    if not len(episode):
        return ""
    digest = hashlib.sha256(episode.actions.tobytes())
    for name, values in sorted(episode.observations.items()):
        digest.update(name.encode() + b"\0" + values.tobytes())
    return digest.hexdigest()


def _names(folders: Sequence[Path]) -> list[str]:
    short = [Path(folder).name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _shared(what: str, names: Sequence[str], keys: Sequence[Sequence[Hashable]]) -> Iterator[Leak]:
    sets = [dict.fromkeys(part) for part in keys]
    for (a, one), (b, other) in itertools.combinations(zip(names, sets, strict=True), 2):
        both = [key for key in one if key in other and key != ""]
        if both:
            yield Leak(what, (a, b), len(both), str(both[0]))


def _same_contents(folders: Sequence[Path], names: Sequence[str]) -> list[Leak]:
    """Hash the episodes whose task and length another part has too, and compare."""
    lengths: list[list[tuple[str, int]]] = []
    for folder in folders:
        with Dataset(folder) as data:
            table = data.table(["task", "length"])
            lengths.append(list(zip(*(table.column(n).to_pylist() for n in ("task", "length")), strict=True)))
    parts = collections.Counter(key for part in lengths for key in set(part))
    found: list[list[str]] = []
    for folder, keys in zip(folders, lengths, strict=True):
        with Dataset(folder) as data:
            found.append([content_hash(data[i]) for i, key in enumerate(keys) if parts[key] > 1])
    return list(_shared("contents", names, found))
