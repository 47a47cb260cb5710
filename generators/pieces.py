"""What a shard contributes to the dataset's tables: its rows of episodes.parquet and its statistics.

Where shards lie in a store each worker leaves its piece beside them, so that nobody has to bring whole shards back.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from generators.reader import open_trusted, read_statistics, read_table
from generators.schema import DatasetError
from generators.stats import Stats, from_json, to_json

_STATISTICS = b"genba.statistics"


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A shard's part of the tables.

    Attributes:
        task: as dataset.json names it.
        table: one row an episode.
        statistics: column -> its statistics.
    """

    task: str
    table: pa.Table
    statistics: Mapping[str, Stats]


def read_piece(path: Path, task: str) -> Piece:
    """Read the piece of a shard that this program has written."""
    with open_trusted(path) as file:
        return Piece(task, pa.table(read_table(file)), read_statistics(file))


def pack(piece: Piece) -> bytes:
    """Return a piece as one parquet file, with the statistics beside the schema."""
    found = json.dumps({name: to_json(part) for name, part in piece.statistics.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(piece.table.replace_schema_metadata({_STATISTICS: found}), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def unpack(data: bytes, task: str) -> Piece:
    """Return the piece that `pack` made.

    Raises:
        DatasetError: it is none.
    """
    try:
        table = pq.read_table(pa.BufferReader(data))
        found = json.loads((table.schema.metadata or {})[_STATISTICS])
        statistics = {name: from_json(part) for name, part in found.items()}
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"the piece of a shard of {task!r} in the store is damaged: {error}") from None
    return Piece(task, table.replace_schema_metadata(None), statistics)
