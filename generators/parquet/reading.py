"""Reads episodes.parquet, which nobody has vouched for: flat columns of numbers and text, a row for each episode.

What the file says of its sizes, at its end and before every page, is compared before anything is unpacked, and the
table is made only where it stays in proportion to the file: a megabyte of text may be named in every row.
"""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.capped import FileError, check_plain
from generators.parquet.footer import Group, read_groups
from generators.parquet.page_headers import HEADER_BYTES, check_pages
from generators.schema import DatasetError
from sim.errors import describe_error, unknown

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_COLUMNS = 10_000
MIN_BYTES = 64 << 20  # that a table may have, however small the file: in its pages, in numbers, and in text
MAX_RATIO = 256  # bytes of each of them for each byte of the file
_END = 8  # bytes, at the end of a file: how long what it says of itself is, and what it is


def parquet_names(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        DatasetError: the file is damaged, or holds what such a table never does.
        FileNotFoundError: there is none.
    """
    return list(parquet_types(path))


def parquet_types(path: Path) -> dict[str, str]:
    """Return the names of a table's columns, and Arrow's names of what they hold.

    Raises:
        DatasetError: the file is damaged, or holds what such a table never does.
        FileNotFoundError: there is none.
    """
    with _readable(path):
        check_plain(path, path.parent)
        schema = _open(path).schema_arrow
        _text_columns(schema)
        return {field.name: str(field.type) for field in schema}


def read_parquet(path: Path, rows: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table.

    Args:
        path: the file.
        rows: how many it must have.
        columns: which; None for all.

    Raises:
        DatasetError: it is damaged, has another number of rows, or holds what such a table never does.
        FileNotFoundError: there is none.
        UnknownNameError: it has no such column.
    """
    with _readable(path):
        check_plain(path, path.parent)
        file = _open(path)
        names = file.schema_arrow.names
        for name in columns or ():
            if name not in names:
                raise unknown("column", name, names)
        texts = _text_columns(file.schema_arrow)
        if file.metadata.num_rows != rows:
            raise DatasetError(f"{path} has {file.metadata.num_rows} rows, the dataset has {rows} episodes")
        groups = read_groups(path)
        _check_rows(groups, rows, len(names))
        chosen = None if columns is None else list(columns)
        _check_sizes(path, groups, rows, [names.index(name) for name in (names if chosen is None else chosen)])
        file = _open(path, metadata=file.metadata, read_dictionary=texts)
        table: pa.Table = file.read(columns=chosen, use_threads=not chosen)  # threads start slower than that
        table.validate(full=True)
        return _written_out(table, _most(path))


def _open(path: Path, **options: Any) -> pq.ParquetFile:  # noqa: ANN401 - of ParquetFile
    """Open a table; lists that claim more than the whole of what the file says of itself are refused by Arrow."""
    import pyarrow.parquet as pq

    with path.open("rb") as raw:
        raw.seek(-min(_END, path.stat().st_size), os.SEEK_END)
        length = max(1, int.from_bytes(raw.read(_END)[:4], "little", signed=True))
    lists, texts = min(length, 2 * MAX_COLUMNS), max(length, HEADER_BYTES)
    return pq.ParquetFile(path, thrift_container_size_limit=lists, thrift_string_size_limit=texts, **options)


def _most(path: Path) -> int:
    return max(MIN_BYTES, MAX_RATIO * path.stat().st_size)


@contextlib.contextmanager
def _readable(path: Path) -> Generator[None]:
    import pyarrow as pa

    try:
        yield
    except (FileNotFoundError, DatasetError):
        raise
    except FileError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read: {describe_error(error):.300}") from None


def _text_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold text; refuse those that hold neither text nor numbers."""
    import pyarrow as pa

    if len(schema) > MAX_COLUMNS:
        raise FileError(f"it has {len(schema)} columns")
    if len(set(schema.names)) < len(schema):
        name = collections.Counter(schema.names).most_common(1)[0][0]
        raise FileError(f"it has two columns {name[:80]!r}")
    texts: list[str] = []
    for field in schema:
        kind = field.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            texts.append(field.name)
        elif not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or kind == pa.null()
        ):
            raise FileError(f"column {field.name[:80]!r} holds {kind}, which is neither numbers nor text")
    return texts


def _check_rows(groups: Sequence[Group], rows: int, columns: int) -> None:
    """Refuse another number of rows, wherever in the file it is said."""
    if len(groups) > rows + 1:
        raise FileError(f"it has {len(groups)} groups of rows")
    for group in groups:
        if len(group.chunks) != columns:
            raise FileError(f"a group of rows has {len(group.chunks)} columns, the table {columns}")
        for j, chunk in enumerate(group.chunks):
            if group.rows < 0 or chunk.values != group.rows:
                raise FileError(f"column {j} has {chunk.values} values in {group.rows} rows")
    if sum(group.rows for group in groups) != rows:
        raise FileError(f"its groups do not have {rows} rows together")


def _check_sizes(path: Path, groups: Sequence[Group], rows: int, chosen: Sequence[int]) -> None:
    """Refuse columns whose pages claim more than is said of them, or that would take much for so small a file."""
    most = _most(path)
    if (size := 8 * rows * len(chosen)) > most:
        raise FileError(f"its {len(chosen)} columns would take {size} bytes")
    size = 0
    with path.open("rb") as raw:
        for group in groups:
            for chunk in (group.chunks[j] for j in chosen):
                size += chunk.unpacked
                if size > most:
                    raise FileError(f"its pages would take {size} bytes or more")
                check_pages(raw.fileno(), chunk)


def _written_out(table: pa.Table, most: int) -> pa.Table:
    """Return a table whose columns of text hold the text itself, where that is not too much."""
    import pyarrow as pa

    coded = [i for i, field in enumerate(table.schema) if pa.types.is_dictionary(field.type)]
    if not coded:
        return table
    import pyarrow.compute as pc  # takes a while, and much memory

    size = 0
    for i in coded:
        for chunk in table.column(i).chunks:
            size += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
    if size > most:
        raise FileError(f"its text would take {size} bytes")
    for i in coded:
        column, field = table.column(i), table.schema.field(i)
        plain = pa.chunked_array([c.dictionary_decode() for c in column.chunks], field.type.value_type)
        table = table.set_column(i, pa.field(field.name, field.type.value_type, metadata=field.metadata), plain)
    return table
