"""Goes through the headers of a Parquet file's pages before any is unpacked: they must keep to what their chunk says.

A reader of Parquet takes memory for what a page's header claims, however little its chunk's metadata, at the end of the
file, admits to. So sizes and numbers of values are added up here, from a few bytes of each page.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from generators.capped import FileError
from generators.parquet.thrift import I32, Fields, read_struct

HEADER_BYTES = 64 << 10  # of one page; one with the longest statistics that Arrow writes has 17 kB
USUAL_BYTES = 256
FEWEST_VALUES = 256  # in a page, but for some; Arrow writes 20,000 or a megabyte
ENCODINGS = (0, 2, 3, 5, 6, 8, 9)  # all but 7: in DELTA_BYTE_ARRAY a few bytes may stand for a long text, in every row
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_HEADERS = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}  # the field that goes with a type of page
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_WANTED = dict.fromkeys((1, 2, 3), I32) | {_HEADERS[kind]: {1: I32, at: I32} for kind, at in _ENCODING.items()}


class Chunk(NamedTuple):
    """What the metadata says of a chunk: the pages of one column in one group of rows.

    Attributes:
        start: byte of the file at which its first page begins.
        size: bytes that it takes, headers and all.
        unpacked: bytes that its pages take when unpacked.
        values: how many it has.
    """

    start: int
    size: int
    unpacked: int
    values: int


def check_pages(fd: int, chunk: Chunk) -> None:
    """Refuse a chunk whose pages claim what its metadata does not.

    Args:
        fd: the open file.
        chunk: what is said of it.

    Raises:
        FileError: a header is damaged, or the pages do not have its values, its size, or its size when unpacked.
        OSError: as the system says.
    """
    end, values, unpacked = chunk.start + chunk.size, 0, 0
    if min(chunk) < 0 or end > os.fstat(fd).st_size:
        raise FileError(f"a column would have {chunk.size} bytes from {chunk.start} on, which are not in the file")
    for number, (kind, size, fields) in enumerate(_pages(fd, chunk.start, end)):
        count, encoding = fields.get(1, -1), fields.get(_ENCODING[kind])
        unpacked += size
        if not 0 <= count <= chunk.values or encoding not in ENCODINGS:
            raise FileError(f"a page claims {count} values in encoding {encoding}, of a column of {chunk.values}")
        if kind != _DICTIONARY:
            values += count
        elif number or count > size:
            raise FileError(f"page {number + 1} of a column is a dictionary of {count} values in {size} bytes")
        if unpacked > chunk.unpacked or values > chunk.values or number > 16 + chunk.values // FEWEST_VALUES:
            break
    else:
        if values == chunk.values:
            return
    raise FileError(
        f"its pages claim {values} values in {unpacked} bytes or more, its metadata {chunk.values} in {chunk.unpacked}"
    )


def _pages(fd: int, at: int, end: int) -> Iterator[tuple[int, int, Fields]]:
    """Yield each page's type, its size when unpacked, and the fields of the header for its type."""
    while at < end:
        found, length = _header(fd, at, end)
        kind, unpacked, packed = (found.get(i, -1) for i in (1, 2, 3))
        fields = found.get(_HEADERS[kind]) if kind in _HEADERS else None
        if fields is None:
            raise FileError(f"the header of the page at byte {at} is of no page that holds values")
        at += length + packed
        if min(unpacked, packed) < 0 or at > end:
            raise FileError(f"a page of {packed} bytes, {unpacked} when unpacked, is not within its column")
        yield kind, unpacked, fields


def _header(fd: int, at: int, end: int) -> tuple[Fields, int]:
    """Return the fields of the header at a byte, and its length."""
    for most in (USUAL_BYTES, HEADER_BYTES):
        data = os.pread(fd, min(most, end - at), at)
        try:
            return read_struct(data, 0, _WANTED)
        except FileError as error:
            raise FileError(f"the header of the page at byte {at} is damaged: {error}") from None
        except IndexError:
            if len(data) < most:
                break
    raise FileError(f"the header of the page at byte {at} does not end")
