"""What a Parquet file says of its groups of rows, read without Arrow: some of what can stand there ends Arrow."""

import os
from pathlib import Path
from typing import NamedTuple

from generators.capped import FileError
from generators.parquet.page_headers import Chunk
from generators.parquet.thrift import I64, Fields, read_struct

_END = 8  # bytes after it: its length, and the word below
_WORD = b"PAR1"
_COLUMN = dict.fromkeys((5, 6, 7, 9, 11), I64)  # values, bytes unpacked, bytes, first page, dictionary
_WANTED = {4: [{1: [{3: _COLUMN}], 3: I64}]}  # groups of rows, each with columns and a number of rows


class Group(NamedTuple):
    """A group of rows.

    Attributes:
        rows: how many.
        chunks: a column's part of it, for each column.
    """

    rows: int
    chunks: list[Chunk]


def read_groups(path: Path) -> list[Group]:
    """Return the groups of rows that a file of Parquet has.

    Raises:
        FileError: what it says is damaged.
        OSError: as the system says.
    """
    with path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        raw.seek(max(0, size - _END))
        end = raw.read(_END)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _WORD or length > size - _END - len(_WORD):
            raise FileError("it does not end as Parquet does")
        raw.seek(size - _END - length)
        data = raw.read(length)
    try:
        found, _ = read_struct(data, 0, _WANTED)
        return [_group(group) for group in found[4]]
    except FileError as error:
        raise FileError(f"what it says of its groups of rows is damaged: {error}") from None
    except (IndexError, KeyError):
        raise FileError("what it says of its groups of rows is not whole") from None


def _group(found: Fields) -> Group:
    return Group(found[3], [_chunk(column[3]) for column in found[1]])


def _chunk(found: Fields) -> Chunk:
    if found[5] == 0:  # values, and Arrow reads no page
        return Chunk(0, 0, 0, 0)
    start, dictionary = found[9], found.get(11, 0)
    return Chunk(dictionary if 0 < dictionary < start else start, found[7], found[6], found[5])
