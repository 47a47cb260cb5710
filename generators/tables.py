"""Names in the table of episodes: what a short name stands for, and its values.

A parameter goes by its dotted name, `params.crane.friction` or `crane.friction`, or by the end of it where that is
clear, `friction`. With several tasks it is the parameter of each episode's own task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.schema import DatasetError
from sim.errors import UnknownNameError, unknown

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]
Bools = NDArray[np.bool_]

PARAMS = "params."  # what the names of parameters begin with

_PARAMETER = re.compile(r"params\.(?:(?P<task>.*[/:][^.]*)\.)?(?P<name>.+)")  # tasks are "a/b" or "module:Class"


def task_and_name(column: str) -> tuple[str, str] | None:
    """Take a parameter's column apart: its task, "" where the dataset has one task, and its dotted name; else None."""
    match = _PARAMETER.fullmatch(column)
    return (match["task"] or "", match["name"]) if match else None


def column_of(table: pa.Table, name: str) -> tuple[Array, Bools]:
    """Return the values of a name as queries and groups know it, and where there are any.

    Args:
        table: one row an episode.
        name: a column, or a parameter's name or the end of it.

    Returns:
        (n,) numbers, or text as Python's own objects; (n,) whether the episode has a value.

    Raises:
        DatasetError: the column holds neither numbers nor text.
        UnknownNameError: there is no such name, or several parameters end so.
    """
    found: tuple[Array, Bools] | None = None
    for column in columns_of(table.column_names, name):
        values, known = _read(table, column)
        if found is None:
            found = values, known
        elif (found[0].dtype == object) != (values.dtype == object):
            raise DatasetError(f"{name!r} is text in one task and a number in another: give the whole column's name")
        else:
            found = np.where(known, values, found[0]), found[1] | known
    assert found is not None
    return found


def columns_of(names: Sequence[str], name: str) -> list[str]:
    """Return the columns that a name stands for: one, or one a task.

    Args:
        names: the table's columns.
        name: a column, or a parameter's name or the end of it.

    Raises:
        UnknownNameError: there is no such name, or several parameters end so.
    """
    if name in names:
        return [name]
    by_name: dict[str, list[str]] = {}
    for column in names:
        if parts := task_and_name(column):
            by_name.setdefault(parts[1], []).append(column)
    wanted = name.removeprefix(PARAMS)
    if wanted in by_name:
        return by_name[wanted]
    ends = [known for known in by_name if known.endswith(f".{wanted}")]
    if len(ends) > 1:
        raise UnknownNameError(f"{name!r} may be {' or '.join(sorted(ends))}: write which")
    if ends:
        return by_name[ends[0]]
    short = [known.rpartition(".")[2] for known in by_name]
    raise unknown("column or parameter", name, dict.fromkeys([*names, *by_name, *short]))


def _read(table: pa.Table, column: str) -> tuple[Array, Bools]:
    import pyarrow as pa

    found = table.column(column)
    kind = found.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values: Array = np.array([*found.to_pylist(), None], object)[:-1]
        return values, np.array([v is not None for v in values], bool)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DatasetError(f"column {column!r} holds {kind}, expected numbers or text")
    known = np.asarray(found.is_valid())
    numbers = np.asarray(found.fill_null(False if pa.types.is_boolean(kind) else 0))
    return numbers, known & ~np.isnan(numbers) if numbers.dtype.kind == "f" else known
