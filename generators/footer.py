"""What a Parquet file says of its groups of rows, read without Arrow: some of what can stand there ends Arrow."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from generators.capped import FileError
from generators.page_headers import Chunk, varint

_END = 8  # bytes after it: its length, and the word below
_WORD = b"PAR1"
_BOOLS, _I64, _BINARY, _LIST, _STRUCT = (1, 2), 6, 8, 9, 12  # types of Thrift's compact protocol
_FIXED = {1: 0, 2: 0, 3: 1, 7: 8}  # bytes that a field of a type takes
_VARINTS, _LISTS = (4, 5, 6), (9, 10)
_DEPTH = 8  # structs and lists in one another
_NUMBER = "number"
_COLUMN = dict.fromkeys((5, 6, 7, 9, 11), _NUMBER)  # values, bytes unpacked, bytes, first page, dictionary
_WANTED = {4: [{1: [{3: _COLUMN}], 3: _NUMBER}]}  # groups of rows, each with columns and a number of rows


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
        found, _ = _struct(data, 0, _WANTED)
        return [_group(group) for group in found[4]]
    except (IndexError, KeyError):
        raise FileError("what it says of its groups of rows is not whole") from None


def _group(found: dict[int, Any]) -> Group:
    return Group(found[3], [_chunk(column[3]) for column in found[1]])


def _chunk(found: dict[int, Any]) -> Chunk:
    if found[5] == 0:  # values, and Arrow reads no page
        return Chunk(0, 0, 0, 0)
    start, dictionary = found[9], found.get(11, 0)
    return Chunk(dictionary if 0 < dictionary < start else start, found[7], found[6], found[5])


def _struct(data: bytes, at: int, wanted: dict[int, Any]) -> tuple[dict[int, Any], int]:
    """Read a struct: the fields that are wanted, and where it ends.

    Raises:
        IndexError: it goes on after the data.
    """
    out: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        field, at = _field(data, at, field)
        take, kind = wanted.get(field), head & 15
        if field in out:
            raise FileError("it says a thing of itself twice")
        if take is _NUMBER and kind == _I64:
            number, at = varint(data, at, 64)
            out[field] = number >> 1 ^ -(number & 1)
        elif isinstance(take, dict) and kind == _STRUCT:
            out[field], at = _struct(data, at, take)
        elif isinstance(take, list) and kind == _LIST:
            out[field], at = _structs(data, at, take[0])
        elif take is not None:
            raise FileError(f"what it says of itself has a field of type {kind}")
        else:
            at = _skip(data, at, kind, _DEPTH)
    return out, at + 1


def _field(data: bytes, at: int, last: int) -> tuple[int, int]:
    """Return a field's number, and where its value begins."""
    if step := data[at] >> 4:
        return last + step, at + 1
    number, at = varint(data, at + 1, 16)
    return number >> 1 ^ -(number & 1), at


def _structs(data: bytes, at: int, wanted: dict[int, Any]) -> tuple[list[dict[int, Any]], int]:
    count, kind, at = _list(data, at)
    out: list[dict[int, Any]] = []
    if count and kind != _STRUCT:
        raise FileError(f"what it says of itself has a list of type {kind}")
    for _ in range(count):
        one, at = _struct(data, at, wanted)
        out.append(one)
    return out, at


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """Return a list's length, the type of what is in it, and where that begins."""
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = varint(data, at, 31)
    if count > len(data) - at:  # each takes a byte or more
        raise FileError(f"what it says of itself has a list of {count}")
    return count, kind, at


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """Return where a value ends."""
    if not depth:
        raise FileError("what it says of itself is nested too deeply")
    if kind in _FIXED:
        return at + _FIXED[kind]
    if kind in _VARINTS:
        while data[at] > 127:
            at += 1
        return at + 1
    if kind == _BINARY:
        length, at = varint(data, at, 31)
        return at + length
    if kind in _LISTS:
        return _skip_list(data, at, depth)
    if kind != _STRUCT:
        raise FileError(f"what it says of itself has a field of type {kind}")
    while data[at]:
        kind = data[at] & 15
        _, at = _field(data, at, 0)
        at = _skip(data, at, kind, depth - 1)
    return at + 1


def _skip_list(data: bytes, at: int, depth: int) -> int:
    count, kind, at = _list(data, at)
    for _ in range(count):
        at = at + 1 if kind in _BOOLS else _skip(data, at, kind, depth - 1)
    return at
