"""Put datasets together into one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.curation.choice import Duplicates, Piece
from generators.curation.derive import derive
from generators.curation.statistics import Done
from generators.schema import DatasetError


def merge(
    folders: Sequence[Path],
    out: Path,
    *,
    duplicates: Duplicates = "refuse",
    pictures: bool = True,
    done: Done | None = None,
) -> dict[str, Any]:
    """Write a dataset of all episodes of several, in their order.

    Args:
        folders: the datasets, each once.
        out: the folder to make; absent or empty.
        duplicates: what to do with episodes that an earlier dataset has too: of the same task, seed and model.
        pictures: whether the pictures go with the shards.
        done: called with the share that is done.

    Returns:
        The new dataset.json.

    Raises:
        DatasetError: one is incomplete or damaged, two do not go together, or there are duplicates.
    """
    known: set[Path] = set()
    for folder in folders:
        if Path(folder).resolve() in known:
            raise DatasetError(f"{folder} is named twice")
        known.add(Path(folder).resolve())
    if not known:
        raise DatasetError("nothing to merge: name at least one dataset")
    pieces = [Piece(Path(folder)) for folder in folders]
    facts = {"activity": "merge", "duplicates": duplicates}
    return derive(pieces, Path(out), facts, pictures=pictures, duplicates=duplicates, done=done)
