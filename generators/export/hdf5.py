"""Writes HDF5 files of groups within groups, as peers lay them out: whole or not at all, the same bytes every time."""

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from generators.files import whole_file

_LARGE = 1 << 16  # bytes from which a dataset is worth chunks and compression
_CHUNK = 1 << 20


@contextlib.contextmanager
def new_file(path: Path) -> Generator[Any]:
    """Open a new file to write; it gets its name where the block ends well.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    with whole_file(path) as raw, h5py.File(raw, "w", libver=("earliest", "v110")) as file:
        yield file


def write_tree(group: Any, tree: Mapping[str, Any], *, compress: bool = True) -> None:  # noqa: ANN401 - a group of HDF5
    """Write arrays as datasets and mappings as groups; an empty mapping is an empty group.

    Args:
        group: where.
        tree: name -> array, or mapping of the same kind.
        compress: whether large arrays are compressed (gzip), rather than stored as they are.
    """
    for name, value in tree.items():
        if isinstance(value, Mapping):
            write_tree(group.create_group(name), value, compress=compress)
            continue
        array = np.asarray(value)
        options: dict[str, Any] = {}
        if compress and array.nbytes >= _LARGE:
            rows = max(1, min(len(array), _CHUNK * len(array) // array.nbytes))
            options = {
                "chunks": (rows, *array.shape[1:]),
                "compression": "gzip",
                "compression_opts": 1,
                "shuffle": True,
            }
        group.create_dataset(name, data=array, track_times=False, **options)
