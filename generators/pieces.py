"""What a shard contributes to the dataset's tables: its rows of episodes.parquet and its statistics.

Where shards lie in a store each worker leaves its piece beside them, so that nobody has to bring whole shards back.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from generators.capped import parse_json
from generators.parquet.reading import read_parquet
from generators.reader import open_trusted, open_untrusted, read_statistics, read_table
from generators.schema import DatasetError
from generators.stats import Stats, from_json, to_json
from sim.errors import describe_error

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


def read_piece(path: Path, task: str, *, trusted: bool) -> Piece:
    """Read the piece of a shard.

    Args:
        path: the shard.
        task: as dataset.json names it.
        trusted: whether this program has just written it.

    Raises:
        DatasetError: it is no shard.
    """
    with open_trusted(path) if trusted else open_untrusted(path) as file:
        return Piece(task, pa.table(read_table(file)), read_statistics(file))


def pack(piece: Piece) -> bytes:
    """Return a piece as one parquet file, with the statistics beside the schema."""
    found = json.dumps({name: to_json(part) for name, part in piece.statistics.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(piece.table.replace_schema_metadata({_STATISTICS: found}), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def unpack(path: Path, task: str, rows: int) -> Piece:
    """Return the piece that `pack` made, from a file that nobody has vouched for.

    Args:
        path: the file.
        task: as dataset.json names it.
        rows: episodes of the shard.

    Raises:
        DatasetError: it is none, or another shard's.
    """
    table = read_parquet(path, rows)
    try:
        found = parse_json((table.schema.metadata or {})[_STATISTICS].decode())
        statistics = {name: from_json(part) for name, part in found.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is no piece of a shard of {task!r}: {describe_error(error):.300}") from None
    return Piece(task, table.replace_schema_metadata(None), statistics)
