"""Pages of a table that claim more than the file says of them at its end are refused before Arrow takes memory for them."""

import io
import json
import struct
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.parquet.page_headers import Chunk, check_pages
from generators.parquet.reading import parquet_names, read_parquet
from generators.schema import DatasetError

ROWS = 3000
MOST = 2**31 - 1


def table(rows=ROWS):
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "text": np.array(["success", "failure", ""])[rng.integers(0, 3, rows)],
            "id": [f"{i:032x}" for i in range(rows)],
            "number": rng.normal(size=rows),
            "seed": rng.integers(0, 2**63, rows).astype(np.uint64),
            "few": rng.integers(0, 5, rows),
            "flag": rng.random(rows) < 0.5,
            "none": pa.nulls(rows),
            "gaps": pa.array([None if i % 7 else float(i) for i in range(rows)]),
            "same": np.zeros(rows),
        }
    )


def written(path, rows=ROWS, **options):
    pq.write_table(table(rows), path, **options)
    return path


def _number(value, extra=0):
    """Write a number as Thrift does, in more bytes than it takes."""
    value, out = value << 1 ^ value >> 63, []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, *([value | 128] + [128] * (extra - 1) + [0] if extra else [value])])


def header(length, kind, sizes, inner):
    """Write a page's header of as many bytes."""
    which = {0: 5, 2: 7, 3: 8}.get(kind, 5)
    numbers = [(1, kind), *((1, s) for s in sizes), (which - 3, None), *((1, n) for n in inner)]

    def write(extra):
        out = b""
        for delta, value in numbers:
            more, extra = min(5, extra), max(0, extra - 5)
            out += bytes([delta << 4 | 12]) if value is None else bytes([delta << 4 | 5]) + _number(value, more)
            extra += more if value is None else 0
        return out + b"\0\0"

    room = length - len(write(0))
    assert room >= 0, f"the forged header is {-room} bytes too long"
    made = write(room)
    assert len(made) == length
    return made


def forge(path, *, dictionary, column=0, **claims):
    """Claim other numbers in the first page, or the dictionary, of a column."""
    plain = written(
        path, compression="none", write_page_checksum=True, write_statistics=False, use_dictionary=dictionary
    )
    data = bytearray(plain.read_bytes())
    found = pq.ParquetFile(plain).metadata.row_group(0).column(column)
    at = found.dictionary_page_offset if dictionary else found.data_page_offset
    honest, length = _read(data, at)
    honest |= claims
    inner = [honest[n] for n in ("values", "encoding", "levels", "repeats") if n in honest]
    data[at : at + length] = header(length, honest["kind"], (honest["unpacked"], honest["packed"]), inner)
    plain.write_bytes(data)
    return plain


def _read(data, at):
    """Read a header that Arrow has written: numbers of one struct within another, in their order."""
    names = iter(("kind", "unpacked", "packed", "crc", "values", "encoding", "levels", "repeats"))
    found, begin, depth = {}, at, 1
    while depth:
        head, at = data[at], at + 1
        if head == 0:
            depth -= 1
        elif head & 15 == 12:
            depth += 1
        elif head & 15 == 5:
            value, shift = 0, 0
            while data[at] > 127:
                value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
            value, at = value | data[at] << shift, at + 1
            found[next(names)] = value >> 1 ^ -(value & 1)
    del found["crc"]
    return found, at - begin


CLAIMS = {
    "a page of 2 GB": ({"unpacked": MOST}, False),
    "a dictionary of 2 GB": ({"unpacked": MOST}, True),
    "a dictionary of 2 billion texts": ({"values": MOST}, True),
    "a dictionary of one number a byte and one more": ({"values": 100}, True),
    "a page of 2 billion values": ({"values": MOST}, False),
    "one value too many": ({"values": ROWS + 1}, False),
    "one value too few": ({"values": ROWS - 1}, False),
    "fewer than no values": ({"values": -1}, False),
    "a size below nothing": ({"unpacked": -5}, False),
    "a page that goes back": ({"packed": -40}, False),
    "a page that goes on after its column": ({"packed": 1 << 20}, False),
    "an index instead of values": ({"kind": 1}, False),
    "an unknown kind of page": ({"kind": 77}, False),
    "a second dictionary": ({"kind": 2}, False),
    "texts that repeat others": ({"encoding": 7}, False),
    "an unknown encoding": ({"encoding": 99}, False),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_page_that_claims_what_its_column_does_not_is_refused(case, tmp_path, refused):
    claims, dictionary = CLAIMS[case]
    if case == "a second dictionary":
        claims = claims | {"levels": 0, "repeats": 0}
    path = forge(tmp_path / "episodes.parquet", dictionary=dictionary, **claims)
    text = refused(lambda: read_parquet(path, ROWS))
    assert text.startswith(str(path))
    assert "page" in text
    assert refused(lambda: read_parquet(path, ROWS, ["text"])) == text
    assert read_parquet(path, ROWS, ["number"]).num_rows == ROWS  # of which nothing is wrong


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_header_that_is_written_anew_without_other_claims_is_good(dictionary, tmp_path):
    assert read_parquet(forge(tmp_path / "episodes.parquet", dictionary=dictionary), ROWS).equals(table())


@pytest.mark.parametrize("bad", [0xFF, 0x00, 0x1C, 0x19, 0x15])
def test_a_header_that_is_none_is_refused(bad, tmp_path, refused):
    path = written(tmp_path / "episodes.parquet")
    data = bytearray(path.read_bytes())
    data[4:40] = bytes([bad]) * 36
    path.write_bytes(data)
    assert "header of" in refused(lambda: read_parquet(path, ROWS))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_tables_of_every_kind_are_read(compression, version, dictionary, tmp_path):
    options = {"compression": compression, "data_page_version": version, "use_dictionary": dictionary}
    path = tmp_path / "episodes.parquet"
    for more in (
        {},
        {"row_group_size": 700},
        {"data_page_size": 2000, "write_batch_size": 500},
        {"write_page_index": True},
    ):
        written(path, **options, **more)
        assert read_parquet(path, ROWS).equals(table())
        assert read_parquet(path, ROWS, ["gaps", "text"]).equals(table().select(["gaps", "text"]))
    written(path, 0, **options)
    assert read_parquet(path, 0).equals(table(0))


def test_long_statistics_do_not_make_a_header_bad(tmp_path):
    path = tmp_path / "episodes.parquet"
    pq.write_table(pa.table({"text": ["a" * 4000, "b" * 4000]}), path, data_page_version="2.0")
    assert read_parquet(path, 2).num_rows == 2


def test_a_small_file_of_much_is_refused(tmp_path, refused):
    path, rows = tmp_path / "episodes.parquet", 200_000
    pq.write_table(pa.table({f"c{i}": pa.nulls(rows, pa.int64()) for i in range(60)}), path)
    assert "columns would take" in refused(lambda: read_parquet(path, rows))
    pq.write_table(pa.table({"x": pa.array(["x" * (70 << 20)])}), path, compression="zstd", use_dictionary=False)
    assert "its pages would take" in refused(lambda: read_parquet(path, 1))


def test_a_list_longer_than_the_file_is_refused(tmp_path, refused):
    path = written(tmp_path / "episodes.parquet", 3)
    data = path.read_bytes()
    columns = len(table().column_names)
    end = len(data) - 8 - struct.unpack("<i", data[-8:-4])[0]
    at = data.index(bytes([0x19, columns << 4 | 12]), end + 40)  # field 1 of a group of rows: its columns
    for claimed in (b"\xfc\xff\xff\xff\xff\x07", b"\xfc\xc0\x84\x3d"):  # 2 billion, a million
        footer = data[end : at + 1] + claimed + data[at + 2 : -8]
        path.write_bytes(data[:end] + footer + struct.pack("<i", len(footer)) + b"PAR1")
        assert refused(lambda: read_parquet(path, 3)) == refused(lambda: parquet_names(path))


def test_many_pages_of_nothing_take_no_time(tmp_path, refused):
    path = tmp_path / "pages"
    empty = header(20, 0, (0, 0), (0, 0, 3, 3))
    path.write_bytes(empty * 100_000)
    with path.open("rb") as raw:
        begin = time.process_time()
        text = refused(lambda: check_pages(raw.fileno(), Chunk(0, 2_000_000, 2_000_000, 1000)))
        assert time.process_time() - begin < 0.1
    assert "its pages claim 0 values" in text


def test_what_is_walked_is_a_few_bytes_of_each_page(tmp_path, monkeypatch):
    path = written(tmp_path / "episodes.parquet", 100_000)
    asked = []
    real = __import__("os").pread
    monkeypatch.setattr("os.pread", lambda fd, n, at: asked.append(n) or real(fd, n, at))
    read_parquet(path, 100_000)
    assert 0 < sum(asked) < path.stat().st_size / 50


def test_a_table_that_genba_wrote_is_good_and_another_number_of_rows_is_not(small_dataset):
    path = small_dataset / "episodes.parquet"
    rows = json.loads((small_dataset / "dataset.json").read_bytes())["episodes"]
    assert read_parquet(path, rows).equals(pq.read_table(io.BytesIO(path.read_bytes())))
    with pytest.raises(DatasetError):
        read_parquet(path, rows + 1)
