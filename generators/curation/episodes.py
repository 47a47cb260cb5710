"""The table of episodes of a derived dataset: rows of its sources' tables, in its own order.

The sources' names for parameters carry the task where there are several; the derived dataset's do where it has several.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from generators.curation.choice import ChosenShard
from generators.curation.sources import Source
from generators.schema import DatasetError


def shard_name(number: int) -> str:
    """Return the file's name of a dataset's shard."""
    return f"shard-{number:05d}.h5"


def compose(sources: Sequence[Source], shards: Sequence[ChosenShard], names: Mapping[str, str]) -> pa.Table:
    """Return one row per chosen episode.

    Args:
        sources: the datasets.
        shards: what is chosen of them.
        names: the tasks that have episodes here: own name -> name in dataset.json.
    """
    tables = [_renamed(source, names) for source in sources]
    starts = np.concatenate([[0], np.cumsum([len(t) for t in tables])])
    places = np.concatenate([s.places for s in shards])
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DatasetError(f"the datasets' tables of episodes do not fit together: {error}") from None
    table = whole.take(pa.array(starts[places[:, 0]] + places[:, 1]))
    named = np.repeat([shard_name(i) for i in range(len(shards))], [len(s.rows) for s in shards])
    table = table.set_column(table.column_names.index("shard"), "shard", pa.array(named.tolist(), pa.string()))
    return table.select(sorted(table.column_names, key=lambda n: n.startswith("params.")))  # a stable sort


def packed(table: pa.Table) -> bytes:
    """Return a table as the bytes of episodes.parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _renamed(source: Source, names: Mapping[str, str]) -> pa.Table:
    """Return a source's table with the derived dataset's names of parameters; others' parameters are left out."""
    columns: dict[str, pa.ChunkedArray] = {}
    for column in source.table.column_names:
        parts = source.parameter(column)
        if parts is None:
            columns[column] = source.table.column(column)
        elif parts[0] in names:
            prefix = f"{names[parts[0]]}." if len(names) > 1 else ""
            columns[f"params.{prefix}{parts[1]}"] = source.table.column(column)
    return pa.table(columns)
