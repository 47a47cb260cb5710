"""HDF5 from anywhere: what ours never hold is refused in one sentence that names the file, soon, and nothing else is opened."""

import os
import shutil
import zlib
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from generators.importing.robomimic import import_robomimic
from generators.media.reader import open_media
from generators.reader import open_untrusted
from generators.schema import DatasetError

SECRET = "secret.h5"


@pytest.fixture(scope="module")
def small(small_dataset):
    """A shard of a few steps."""
    return small_dataset / "shards" / "shard-00000.h5"


def link_at_the_root(file, place):
    file["there"] = h5py.ExternalLink(str(place / SECRET), "/x")


def link_in_the_middle(file, place):
    file.create_group("obs/deep")
    file["obs/deep/er"] = h5py.ExternalLink(str(place / SECRET), "/")


def link_among_the_episodes(file, place):
    file["episodes/params/more"] = h5py.ExternalLink(str(place / SECRET), "/x")


def link_instead_of_a_column(file, place):
    del file["steps/action"]
    file["steps/action"] = h5py.ExternalLink(str(place / SECRET), "/x")


def link_instead_of_a_group(file, place):
    del file["obs"]
    file["obs"] = h5py.ExternalLink(str(place / SECRET), "/")


def soft_link(file, place):
    file["obs/soft"] = h5py.SoftLink("/steps/action")


def dangling_link(file, place):
    file["obs/soft"] = h5py.SoftLink("/nowhere")


def link_to_itself(file, place):
    file["obs/soft"] = h5py.SoftLink("/obs/soft")


def external_storage(file, place):
    file.create_dataset("obs/raw", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def external_storage_in_pieces(file, place):
    pieces = [(str(place / SECRET), 0, 2), ("/etc/passwd", 0, 2)]
    file.create_dataset("obs/raw", (4,), "u1", external=pieces)


def virtual(file, place):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(place / SECRET), "x", (4,))
    file.create_virtual_dataset("obs/virtual", layout)


def virtual_of_many_files(file, place):
    layout = h5py.VirtualLayout((8,), "u1")
    for i in range(2):
        layout[4 * i : 4 * i + 4] = h5py.VirtualSource(str(place / f"secret-{i}.h5"), "x", (4,))
    file.create_virtual_dataset("obs/virtual", layout)


def virtual_of_itself(file, place):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(".", "/obs/virtual", (4,))
    file.create_virtual_dataset("obs/virtual", layout)


def filter_lzf(file, place):
    file.create_dataset("obs/f", data=np.zeros(4), chunks=(4,), compression="lzf")


def filter_scaleoffset(file, place):
    file.create_dataset("obs/f", data=np.zeros(4, int), chunks=(4,), scaleoffset=0)


def filter_blosc(file, place):
    file.create_dataset("obs/f", data=np.zeros(4), chunks=(4,), **hdf5plugin.Blosc())


def reference(file, place):
    file.create_dataset("obs/r", data=np.array([file.ref], h5py.ref_dtype))


def region_reference(file, place):
    node = file["steps/action"]
    file.create_dataset("obs/r", data=np.array([node.regionref[0:1]], h5py.regionref_dtype))


def reference_attribute(file, place):
    file["obs"].attrs["r"] = file.ref


def opaque(file, place):
    file.create_dataset("obs/o", data=np.zeros(2, "V8"))


def ragged_numbers(file, place):
    file.create_dataset("obs/v", (2,), h5py.vlen_dtype(np.int32))


def ragged_text(file, place):
    """One text of a megabyte, which a thousand rows name: 16 bytes a row, a gigabyte when read."""
    file.create_dataset("obs/v", data=["x" * 1000] * 10, dtype=h5py.string_dtype())


def compound(file, place):
    file.create_dataset("obs/c", data=np.zeros(3, [("a", "f4"), ("b", "i8")]))


def compound_with_ragged_parts(file, place):
    file.create_dataset("obs/c", (3,), np.dtype([("a", h5py.vlen_dtype("u1")), ("b", "i8")]))


def arrays_in_cells(file, place):
    kind = h5py.h5t.array_create(h5py.h5t.NATIVE_FLOAT, (1024,))
    h5py.h5d.create(file["obs"].id, b"a", kind, h5py.h5s.create_simple((3,)))


def named_type(file, place):
    file["obs/kind"] = np.dtype("f8")


def loop(file, place):
    file["obs/loop"] = file["/"]


def loop_of_two(file, place):
    file.create_group("a")
    file["a/b"] = file.create_group("b")
    file["b/a"] = file["a"]


def linked_twice(file, place):
    file["obs/again"] = file["steps/action"]


def petabytes_unwritten(file, place):
    file.create_dataset("obs/big", (1 << 50,), "u1", chunks=(1 << 16,))


def petabytes_in_many_directions(file, place):
    file.create_dataset("obs/big", (1 << 20,) * 6, "f8", chunks=(1, 1, 1, 1, 1, 1024))


def more_bytes_than_64_bits_count(file, place):
    space = h5py.h5s.create_simple((1 << 40, 1 << 20))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 1024))
    h5py.h5d.create(file["obs"].id, b"big", h5py.h5t.NATIVE_DOUBLE, space, plist)


def gigabytes_of_nothing_unallocated(file, place):
    file.create_dataset("obs/big", (5 << 30,), "u1", fillvalue=7, chunks=(1 << 20,), compression="gzip")


def bomb_packed_twice(file, place):
    """A chunk of zeros, deflated twice: 16 MB of them in a few hundred bytes, sixty-four times."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((16 << 20,))
    for _ in range(2):
        plist.set_deflate(9)
    space = h5py.h5s.create_simple((1 << 30,))
    node = h5py.h5d.create(file["obs"].id, b"bomb", h5py.h5t.NATIVE_UINT8, space, plist)
    packed = zlib.compress(zlib.compress(bytes(16 << 20), 9), 9)
    for at in range(0, 1 << 30, 16 << 20):
        node.write_direct_chunk((at,), packed)


def giant_chunk(file, place):
    file.create_dataset("obs/chunk", (1 << 28,), "u1", chunks=(1 << 28,), compression="gzip")


def ragged_attribute(file, place):
    h5py.h5a.create(file.id, b"a", h5py.h5t.vlen_create(h5py.h5t.NATIVE_INT32), h5py.h5s.create_simple((2,)))


def long_name(file, place):
    file["obs/" + "x" * 60_000] = np.zeros(2)


def deep_groups(file, place):
    file.create_group("/".join(["g"] * 600))


def another_format(file, place):
    file.attrs["format"] = "robomimic"


def no_format(file, place):
    del file.attrs["format"]


def a_later_version(file, place):
    file.attrs["format_version"] = "2.0"


def no_version(file, place):
    file.attrs["format_version"] = "one\ntwo"


def endless_version(file, place):
    file.attrs["format_version"] = "1." + "9" * 5000


def missing_header(file, place):
    del file.attrs["dataset_id"]


def header_of_arrays(file, place):
    del file.attrs["shard_index"]
    file.attrs["shard_index"] = np.arange(3)


def header_not_finite(file, place):
    del file.attrs["shard_index"]
    file.attrs["shard_index"] = np.inf


def attribute_nested_without_end(file, place):
    del file.attrs["features"]
    file.attrs["features"] = "[" * 60_000


def attribute_of_broken_json(file, place):
    file.attrs["phases"] = "[1, "


SHARDS = {
    link_at_the_root: "/there is a link to elsewhere",
    link_in_the_middle: "/obs/deep/er is a link to elsewhere",
    link_among_the_episodes: "/episodes/params/more is a link to elsewhere",
    link_instead_of_a_column: "/steps/action is a link to elsewhere",
    link_instead_of_a_group: "/obs is a link to elsewhere",
    soft_link: "/obs/soft is a link to elsewhere",
    dangling_link: "/obs/soft is a link to elsewhere",
    link_to_itself: "/obs/soft is a link to elsewhere",
    external_storage: "/obs/raw keeps its rows in another file",
    external_storage_in_pieces: "/obs/raw keeps its rows in another file",
    virtual: "/obs/virtual is a virtual dataset",
    virtual_of_many_files: "/obs/virtual is a virtual dataset",
    virtual_of_itself: "/obs/virtual is a virtual dataset",
    filter_lzf: "/obs/f uses filter 32000; known: deflate",
    filter_scaleoffset: "/obs/f uses filter 6; known: deflate",
    filter_blosc: "/obs/f uses filter 32001; known: deflate",
    reference: "/obs/r has a type",
    region_reference: "/obs/r has a type",
    reference_attribute: "/obs attribute 'r' has a type",
    opaque: "/obs/o has a type",
    ragged_numbers: "/obs/v has a type",
    ragged_text: "/obs/v holds text of variable length",
    compound: "/obs/c has a type",
    compound_with_ragged_parts: "/obs/c has a type",
    arrays_in_cells: "/obs/a has a type",
    named_type: "/obs/kind is a named type",
    loop: "/obs/loop is linked twice",
    loop_of_two: "is linked twice",
    linked_twice: "is linked twice",
    petabytes_unwritten: "/obs/big declares 1125899906842624 bytes but stores 0",
    petabytes_in_many_directions: "/obs/big declares 10633823966279326983230456482242756608 bytes",
    more_bytes_than_64_bits_count: "/obs/big declares 9223372036854775808 bytes",
    gigabytes_of_nothing_unallocated: "/obs/big declares 5368709120 bytes but stores 0",
    bomb_packed_twice: "/obs/bomb declares 1073741824 bytes but stores",
    giant_chunk: "/obs/chunk declares chunks of more than",
    ragged_attribute: "attribute 'a' has a type",
    long_name: "is a longer name than a shard contains",
    deep_groups: "is a longer name than a shard contains",
    another_format: "format is 'robomimic', expected 'genba'",
    no_format: "format is '', expected 'genba'",
    a_later_version: "format version 2.0 is later than 1.0",
    no_version: "is not of the form '1.0'",
    endless_version: "is not of the form '1.0'",
    missing_header: "lacks the attribute 'dataset_id'",
    header_of_arrays: "the attribute 'shard_index' is no int",
    header_not_finite: "cannot be read",
    attribute_nested_without_end: "cannot be read: maximum recursion depth exceeded",
    attribute_of_broken_json: "cannot be read: Expecting value",
}


@pytest.fixture
def place(tmp_path):
    """A folder with a file that nobody may open."""
    with h5py.File(tmp_path / SECRET, "w") as secret:
        secret["x"] = np.arange(4, dtype="u1")
    os.utime(tmp_path / SECRET, (1, 1))
    return tmp_path


@pytest.mark.parametrize("spoil", SHARDS, ids=lambda f: f.__name__)
def test_a_hostile_shard_is_refused(small, place, spoil, refused):
    path = Path(shutil.copy(small, place / "s.h5"))
    with h5py.File(path, "r+", libver="latest") as file:
        spoil(file, place)
    text = refused(lambda: open_untrusted(path))
    assert text.startswith("s.h5")
    assert SHARDS[spoil] in text


@pytest.mark.parametrize(
    "spoil",
    [link_in_the_middle, virtual, bomb_packed_twice, petabytes_unwritten, ragged_text],
    ids=lambda f: f.__name__,
)
def test_so_are_hostile_pictures_and_demonstrations(small_dataset, place, spoil, refused, write_demonstrations):
    pictures = next((small_dataset / "media").glob("*.h5"))
    media, demos = Path(shutil.copy(pictures, place / "m.h5")), write_demonstrations(place / "d.hdf5")
    for path in (media, demos):
        with h5py.File(path, "r+") as file:
            file.require_group("obs")
            if path == demos:
                file["steps/action"] = np.zeros(3)
            spoil(file, place)
    assert refused(lambda: open_media(media)).startswith("m.h5: /obs")
    assert refused(lambda: import_robomimic(demos, place / "out")).startswith("d.hdf5: /obs")
    assert not (place / "out").exists()


def test_a_mask_whose_rows_all_name_one_long_text_is_refused(place, write_demonstrations, refused):
    path = write_demonstrations(place / "d.hdf5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("mask/many", (100_000,), h5py.string_dtype(), fillvalue="x" * 1_000_000)
    assert "expected demo_0" in refused(lambda: import_robomimic(path, place / "out"))


def test_an_attribute_as_large_as_a_column_is_refused(small, place):
    path = Path(shutil.copy(small, place / "s.h5"))
    plist = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    plist.set_attr_phase_change(0, 0)
    with h5py.File(path, "r+", libver="latest") as file:
        group = h5py.h5g.create(file["obs"].id, b"group", gcpl=plist)
        h5py.h5a.create(group, b"a", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((80 << 20,)))
    with pytest.raises(DatasetError, match=r"^s\.h5: /obs/group attribute 'a' declares more than"):
        open_untrusted(path)
