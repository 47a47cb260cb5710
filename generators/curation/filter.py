"""Keep the episodes of a dataset that a query describes."""

from pathlib import Path
from typing import Any

import numpy as np

from generators.curation.choice import Piece
from generators.curation.derive import derive
from generators.curation.statistics import Done
from generators.dataset import Dataset
from generators.schema import DatasetError


def filter_dataset(
    folder: Path, query: str, out: Path, *, pictures: bool = True, done: Done | None = None
) -> dict[str, Any]:
    """Write a dataset of the episodes that a query describes.

    Args:
        folder: the dataset.
        query: which episodes, as in `generators.query`.
        out: the folder to make; absent or empty.
        pictures: whether the pictures go with the shards.
        done: called with the share that is done.

    Returns:
        The new dataset.json.

    Raises:
        DatasetError: the dataset is incomplete or damaged, or no episode is meant.
        QueryError: the text is no query.
    """
    with Dataset(folder) as data:
        rows = np.flatnonzero(data.meets(query))
        if not len(rows):
            raise DatasetError(f"none of the {len(data)} episodes of {folder} meets {query!r}")
    facts = {"activity": "filter", "query": query}
    return derive([Piece(Path(folder), rows)], Path(out), facts, pictures=pictures, done=done)
