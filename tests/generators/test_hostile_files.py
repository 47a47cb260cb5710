"""Files from anywhere that are no files of ours, that are cut, or that lead elsewhere: refused, and never waited for."""

import os
import shutil
from pathlib import Path

import h5py
import pytest

from generators.dataset import Dataset
from generators.importing.robomimic import import_robomimic
from generators.media.reader import open_media
from generators.reader import open_untrusted
from generators.schema import DatasetError
from generators.stored import shard_episodes


@pytest.fixture(scope="module")
def small(small_dataset):
    """A shard of a few steps."""
    return small_dataset / "shards" / "shard-00000.h5"


def _nothing(path):
    path.write_bytes(b"")


def _text(path):
    path.write_text("shard")


def _only_the_signature(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n")


def _folder(path):
    path.mkdir()


def _pipe(path):
    os.mkfifo(path)


def _device(path):
    path.symlink_to("/dev/zero")


def _tiny_file_of_a_terabyte(path):
    with path.open("wb") as file:
        file.write(b"\x89HDF\r\n\x1a\n")
        file.truncate(1 << 40)


def _a_megabyte_before_the_signature(path):
    path.write_bytes(bytes(1 << 20) + b"\x89HDF\r\n\x1a\n")


@pytest.mark.parametrize(
    "make",
    [
        _nothing,
        _text,
        _only_the_signature,
        _folder,
        _pipe,
        _device,
        _tiny_file_of_a_terabyte,
        _a_megabyte_before_the_signature,
    ],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize(
    "opener",
    [open_untrusted, open_media, lambda path: import_robomimic(path, path.parent / "o")],
    ids=["shard", "media", "demonstrations"],
)
def test_what_is_no_file_of_ours_is_refused(tmp_path, make, opener, refused):
    make(tmp_path / "s.h5")
    assert refused(lambda: opener(tmp_path / "s.h5")).startswith("s.h5")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_shard_cut_anywhere_is_refused(small, tmp_path, share, refused):
    data = small.read_bytes()
    (tmp_path / "s.h5").write_bytes(data[: int(len(data) * share)])
    assert refused(lambda: open_untrusted(tmp_path / "s.h5")).startswith("s.h5")


@pytest.mark.parametrize("name", ["shards", "shards/shard-00000.h5", "dataset.json"])
def test_a_link_out_of_the_dataset_is_not_followed(small_dataset, tmp_path, name, refused):
    shutil.copytree(small_dataset, tmp_path / "set")
    shutil.move(tmp_path / "set" / name, tmp_path / "elsewhere")
    (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere")

    def read():
        with Dataset(tmp_path / "set") as data:
            data[0].load()

    assert "is a link out of the dataset" in refused(read)


def test_links_inside_of_the_dataset_are(small_dataset, tmp_path):
    shutil.copytree(small_dataset, tmp_path / "set")
    (tmp_path / "set" / "shards").rename(tmp_path / "set" / "blobs")
    (tmp_path / "set" / "shards").symlink_to("blobs")
    with Dataset(tmp_path / "set") as data:
        assert len(data[0].load().rewards) == len(data[0])


def test_indices_that_lie_are_errors_of_ours(small, tmp_path):
    for column, value in (("length", 1 << 30), ("length", -5), ("step_start", 1 << 62), ("model_xml/count", 1 << 62)):
        path = Path(shutil.copy(small, tmp_path / "shard-00000.h5"))
        with h5py.File(path, "r+") as file:
            file[f"episodes/{column}"][0] = value
        with shard_episodes(path, trusted=False) as episodes, pytest.raises(DatasetError, match=r"^shard-00000\.h5"):
            episodes[0].load()


def test_a_heap_in_which_hdf5_would_turn_for_ever_is_refused(small, tmp_path, refused):
    data = bytearray(small.read_bytes())
    heap, free = data.find(b"GCOL\x01"), 0
    while heap >= 0 and not free:
        place, end = heap + 16, heap + int.from_bytes(data[heap + 8 : heap + 16], "little")
        while place + 16 <= end and data[place : place + 2] != bytes(2):
            place += 16 + -(-int.from_bytes(data[place + 8 : place + 16], "little") // 8) * 8
        free = place if place + 16 <= end else 0
        heap = data.find(b"GCOL\x01", heap + 4)
    data[free + 8 : free + 16] = bytes(8)
    (tmp_path / "s.h5").write_bytes(data)
    assert "free space of no size" in refused(lambda: open_untrusted(tmp_path / "s.h5"))
