"""Thrift's compact protocol, in which Parquet writes what it says of itself: only what is asked for is kept."""

from collections.abc import Mapping
from typing import Any

from generators.capped import FileError

I32, I64 = "i32", "i64"  # what may be asked for, besides structs and lists of structs
_KINDS = {I32: (5, 32), I64: (6, 64)}  # type in the protocol, and bits
_BOOLS, _BINARY, _STRUCT = (1, 2), 8, 12
_FIXED = {1: 0, 2: 0, 3: 1, 7: 8}  # bytes that a field of a type takes
_INTEGERS = {4: 16, 5: 32, 6: 64}  # bits of one
_LIST, _LISTS = 9, (9, 10)
_DEPTH = 8  # structs and lists in one another, of what is passed over

Wanted = Mapping[
    int, Any
]  # field -> I32, I64, what is wanted of a struct, or [what is wanted of each struct of a list]
Fields = dict[int, Any]


def read_struct(data: bytes, at: int, wanted: Wanted) -> tuple[Fields, int]:
    """Read a struct: the fields that are wanted and there, and where it ends.

    Raises:
        FileError: it is damaged, or a field that is wanted is of another type.
        IndexError: it goes on after the data.
    """
    out: Fields = {}
    field = 0
    while head := data[at]:
        field, at = _field(data, at, field)
        take, kind = wanted.get(field), head & 15
        if field in out:
            raise FileError("it says a thing of itself twice")
        if take is None:
            at = _skip(data, at, kind, _DEPTH)
        elif isinstance(take, dict) and kind == _STRUCT:
            out[field], at = read_struct(data, at, take)
        elif isinstance(take, list) and kind == _LIST:
            out[field], at = _structs(data, at, take[0])
        elif isinstance(take, str) and kind == _KINDS[take][0]:
            out[field], at = _integer(data, at, _KINDS[take][1])
        else:
            raise FileError(f"it has a field of type {kind}")
    return out, at + 1


def _integer(data: bytes, at: int, bits: int) -> tuple[int, int]:
    number, at = _varint(data, at, bits)
    return number >> 1 ^ -(number & 1), at


def _varint(data: bytes, at: int, bits: int) -> tuple[int, int]:
    """Read a number; one of more bits than it may have is refused, for Arrow would cut it."""
    value = data[at] & 127
    shift = 0
    while data[at] > 127:
        at, shift = at + 1, shift + 7
        value |= (data[at] & 127) << shift
        if value >> bits or shift > 63:
            raise FileError(f"it has a number of more than {bits} bits where fewer are written")
    return value, at + 1


def _field(data: bytes, at: int, last: int) -> tuple[int, int]:
    """Return a field's number, and where its value begins."""
    if step := data[at] >> 4:
        return last + step, at + 1
    return _integer(data, at + 1, 16)


def _structs(data: bytes, at: int, wanted: Wanted) -> tuple[list[Fields], int]:
    count, kind, at = _list(data, at)
    out: list[Fields] = []
    if count and kind != _STRUCT:
        raise FileError(f"it has a list of type {kind}")
    for _ in range(count):
        one, at = read_struct(data, at, wanted)
        out.append(one)
    return out, at


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """Return a list's length, the type of what is in it, and where that begins."""
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at, 31)
    if count > len(data) - at:  # each takes a byte or more
        raise FileError(f"it has a list of {count}")
    return count, kind, at


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """Return where a value ends."""
    if not depth:
        raise FileError("it is nested too deeply")
    if kind in _FIXED:
        return at + _FIXED[kind]
    if kind in _INTEGERS:
        return _varint(data, at, _INTEGERS[kind])[1]
    if kind == _BINARY:
        length, at = _varint(data, at, 31)
        return at + length
    if kind in _LISTS:
        return _skip_list(data, at, depth)
    if kind != _STRUCT:
        raise FileError(f"it has a field of type {kind}")
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
