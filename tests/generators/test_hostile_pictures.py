"""Pictures from anywhere: no size, packing or kind that a media shard claims costs more than its pictures may."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from generators.media.codecs import decode_picture, decompress
from generators.media.reader import open_media
from generators.validate import validate

SHAPE = (64, 64, 3)


@pytest.fixture
def path(small_dataset, tmp_path):
    """A media shard that a test may spoil."""
    return Path(shutil.copy(next((small_dataset / "media").glob("*.h5")), tmp_path / "m.h5"))


def setting(**changes):
    def spoil(file):
        for name, value in changes.items():
            file["cam"].attrs[name] = value

    return spoil


def index(**changes):
    def spoil(file):
        for name, value in changes.items():
            file[f"episodes/{name}"][0] = value

    return spoil


def without_its_filter(file):
    node = file["cam/rgb"]
    node.id.write_direct_chunk((0, 0, 0, 0), bytes(10), filter_mask=1)


def chunk_that_unpacks_to_more(file):
    file["cam/rgb"].id.write_direct_chunk((0, 0, 0, 0), pa.Codec("zstd").compress(bytes(1 << 28), asbytes=True))


def chunk_of_rubbish(file):
    file["cam/rgb"].id.write_direct_chunk((0, 0, 0, 0), b"\x28\xb5\x2f\xfd" + bytes(64))


def other_encoding(file):
    file["cam/rgb"].attrs["encoding"] = "gif"


def no_pictures(file):
    del file["cam/rgb"]


CASES = {
    "a picture of a terapixel": (setting(width=1 << 20, height=1 << 20), "read fewer at a time"),
    "a picture wider than integers": (setting(width=1 << 62, height=1 << 62), "read fewer at a time"),
    "a picture of no size": (setting(width=-1), "m.h5"),
    "another size": (setting(width=9), "expected pictures"),
    "billions of pictures": (index(frame_count=1 << 40), "read fewer at a time"),
    "pictures before the first": (index(frame_start=-(1 << 40)), "m.h5"),
    "pictures after the last": (index(frame_start=1 << 40), "m.h5"),
    "a chunk without its filter": (
        without_its_filter,
        "m.h5: cam/rgb cannot be read: a chunk is stored without its filter",
    ),
    "a chunk that unpacks to 256 MB": (chunk_that_unpacks_to_more, "a chunk of frames is damaged"),
    "a chunk of rubbish": (chunk_of_rubbish, "a chunk of frames is damaged"),
    "an encoding that is not known": (other_encoding, "m.h5: cam/rgb"),
    "no pictures": (no_pictures, "m.h5: cam/rgb"),
}
HEADERS = {
    "kinds as a number": ({"kinds": 7}, "m.h5 cannot be read"),
    "a rate as text": ({"rate_hz": "fast"}, "m.h5 cannot be read"),
    "width as text": ({"width": "wide"}, "m.h5 cannot be read"),
    "segments of numbers": ({"segments": "[1, 2]"}, "m.h5 cannot be read"),
    "nested segments": ({"segments": "[" * 50_000}, "m.h5 cannot be read"),
}


@pytest.mark.parametrize("case", CASES)
def test_hostile_pictures_are_refused(path, case, refused):
    spoil, words = CASES[case]
    with h5py.File(path, "r+") as file:
        spoil(file)

    def read():
        with open_media(path) as media:
            media.images(0, "rgb")

    text = refused(read)
    assert text.startswith("m.h5")
    assert words in text


@pytest.mark.parametrize("case", HEADERS)
def test_hostile_settings_are_refused(path, case, refused):
    changes, words = HEADERS[case]
    with h5py.File(path, "r+") as file:
        setting(**changes)(file)
    assert words in refused(lambda: open_media(path))


def test_a_kind_that_was_not_recorded_is_refused(path, refused):
    with h5py.File(path, "r+") as file:
        file["cam"].attrs["kinds"] = json.dumps(["rgb", "x-ray"])
    with open_media(path) as media:
        assert "no kind of picture 'heat'" in refused(lambda: media.images(0, "heat"))
        assert "m.h5" in refused(lambda: media.images(0, "x-ray"))


def png(width, height, rows, extra=b""):
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + part(b"IDAT", zlib.compress(rows, 9)) + part(b"IEND", b"")


def text_bomb():
    data = b"Comment\0\0" + zlib.compress(bytes(100 << 20), 9)
    return struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))


PICTURES = {
    "a gigapixel": ("png", png(50_000, 50_000, b"")),
    "no rows": ("png", png(64, 64, b"")),
    "no picture": ("png", b"GIF89a"),
    "a text of 100 MB": ("png", png(64, 64, bytes(64 * 193), text_bomb())),
    "half a jpeg": ("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    "a jpeg of 65535 x 65535": (
        "jpeg",
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9",
    ),
    "another format under its name": ("jpeg", png(64, 64, b"")),
}


@pytest.mark.parametrize("case", PICTURES)
def test_a_hostile_picture_is_refused(case, refused):
    encoding, data = PICTURES[case]
    assert refused(lambda: decode_picture(data, encoding, SHAPE)).startswith("a picture is damaged")


def test_a_chunk_unpacks_to_what_its_shape_needs_or_to_nothing(refused):
    bomb = pa.Codec("zstd").compress(bytes(1 << 28), asbytes=True)
    assert "damaged" in refused(lambda: decompress(bomb, SHAPE, np.dtype("u1")))


def test_pictures_that_are_damaged_are_found_by_validation(small_dataset, tmp_path):
    place = shutil.copytree(small_dataset, tmp_path / "set")
    media = next((place / "media").glob("*.h5"))
    media.write_bytes(media.read_bytes()[:-700])
    assert {(f.shard, f.lint) for f in validate(place).findings} == {(f"media/{media.name}", "hash")}
