"""Split a dataset into parts for training, validation and test: by groups, never by frame."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.curation.choice import Piece
from generators.curation.derive import write_derived
from generators.curation.groups import SCENE, bin_edges, group_keys, put_into_parts
from generators.curation.statistics import Done
from generators.dataset import Dataset
from generators.files import whole_folder, write_whole
from generators.schema import FORMAT, MANIFEST_VERSION, DatasetError

SPLIT = "split.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def split(  # noqa: PLR0913 - each by name
    folder: Path,
    out: Path,
    shares: Mapping[str, float],
    *,
    by: Sequence[str] = (SCENE,),
    seed: int = 0,
    pictures: bool = True,
    done: Done | None = None,
) -> dict[str, Any]:
    """Write each part of a dataset as a dataset of its own, OUT/<part>, and OUT/split.json.

    Args:
        folder: the dataset.
        out: the folder to make; absent or empty.
        shares: part -> its share of the episodes, {"train": 0.8, "val": 0.1, "test": 0.1}; met as well as groups allow.
        by: what makes a group, which stays whole: "scene" (one task with one model), names of columns or parameters,
            "friction:10" for ten bins of equal width.
        seed: another one, another split.
        pictures: whether the pictures go with the shards.
        done: called with the share that is done.

    Returns:
        What split.json says: of each part its episodes, groups and outcomes.

    Raises:
        DatasetError: shares or groups that cannot be, fewer groups than parts, an incomplete or damaged dataset.
        UnknownNameError: there is no column or parameter to group by.
    """
    _check_shares(shares)
    folder, out = Path(folder), Path(out)
    if out.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{out} is inside of the dataset {folder}: give a folder outside of it")
    with Dataset(folder) as data:
        table = data.table()
        edges = bin_edges(table, by)
        keys = group_keys(table, by, edges)
        of = {"dataset_id": data.manifest.get("dataset_id"), "episodes": len(data)}
    parts = put_into_parts(keys, shares, seed)
    how = {"by": list(by), "edges": edges, "seed": seed, "shares": dict(shares)}
    said: list[dict[str, Any]] = []
    with whole_folder(out) as whole:
        for number, name in enumerate(shares):
            rows = np.flatnonzero(parts == number)
            facts = {"activity": "split", "split": {"name": name} | how}
            (whole / name).mkdir()
            manifest = write_derived([Piece(folder, rows)], whole / name, facts, pictures=pictures)
            groups = len({keys[row] for row in rows.tolist()})
            said.append({"name": name, "groups": groups} | {k: manifest[k] for k in _SAID})
            if done is not None:
                done((number + 1) / len(shares))
        record = {"format": FORMAT, "format_version": MANIFEST_VERSION, "of": of} | how | {"parts": said}
        write_whole(whole / SPLIT, (json.dumps(record, indent=1) + "\n").encode())
    return record


_SAID = ("dataset_id", "episodes", "steps", "outcomes")


def _check_shares(shares: Mapping[str, float]) -> None:
    if not shares:
        raise DatasetError("no parts: give shares, train=0.8,val=0.1,test=0.1")
    for name, share in shares.items():
        if not _NAME.fullmatch(name):
            raise DatasetError(f"a part cannot be called {name!r}: letters, digits, '-' and '_' make its folder's name")
        if not (math.isfinite(share) and share > 0):
            raise DatasetError(f"the share of {name!r} is {share}, expected a positive number")
    total = math.fsum(shares.values())
    if abs(total - 1) > 1e-6:
        raise DatasetError(f"the shares sum to {total:g}, expected 1")
