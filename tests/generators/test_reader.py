"""The reader: what was written comes back, and a hostile file is refused in one sentence."""

import dataclasses
import hashlib
import json
import multiprocessing
import pickle
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators.dataset import Dataset, read_manifest
from generators.reader import (
    content_sha256,
    file_sha256,
    open_trusted,
    open_untrusted,
    read_statistics,
    read_table,
)
from generators.schema import DatasetError, DatasetWarning
from generators.stats import merge_all, summarize
from sim.episode import Episode, Outcome
from sim.errors import UnknownNameError
from sim.replay import recorded, replays

EXAMPLE = Path(__file__).parents[2] / "examples" / "read_dataset.py"


@pytest.fixture
def data(dataset):
    with Dataset(dataset) as opened:
        yield opened


@pytest.fixture
def copy(dataset, tmp_path):
    """A shard that a test may spoil."""
    return Path(shutil.copy(dataset / "shards" / "shard-00000.h5", tmp_path / "s.h5"))


def assert_same(found, expected):
    if dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, dict):
        assert set(found) == set(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    else:
        assert found == expected


def test_writing_then_reading_is_the_identity(data, episodes):
    assert len(data) == len(episodes)
    for stored, episode in zip(data, episodes, strict=True):
        assert len(stored) == len(episode)
        loaded = stored.load()
        assert isinstance(loaded, Episode)
        if len(episode):
            assert_same(loaded, episode)
        else:
            facts = ("seed", "outcome", "fail_code", "error", "model_sha256", "model_xml", "instruction", "expert_mode")
            assert [getattr(loaded, n) for n in facts] == [getattr(episode, n) for n in facts]
            assert dict(loaded.parameters) == dict(episode.parameters)
            assert loaded.observations == loaded.streams == {}


def test_episodes_are_found_from_both_ends_and_no_further(data):
    assert [e.id for e in data] == list(range(16))
    assert (data[0].id, data[-1].id) == (0, 15)
    for i in (16, -17):
        with pytest.raises(IndexError, match=f"no episode {i}: there are 16"):
            data[i]


def test_stored_episodes_replay_bit_for_bit(data, kit):
    with_steps = [i for i, e in enumerate(data) if len(e)]
    assert replays(kit.Push(), [data.recorded(i) for i in with_steps]) == [""] * len(with_steps)


def test_a_control_stride_is_replayed_and_reported(tmp_path, kit, episodes):
    kept = [e for e in episodes if len(e)][:3]
    (tmp_path / "shards").mkdir()
    path = tmp_path / "shards" / "shard-00000.h5"
    file = kit.write_shard(path, enumerate(kept), overrides=kit.TROUBLE, control_stride=4)
    kit.describe_dataset(tmp_path, {path.name: file}, 3)
    with Dataset(tmp_path) as data:
        found = data.recorded(1)
    assert_same(found, dataclasses.replace(recorded(kept[1]), control=kept[1].control[::4], control_stride=4))
    assert replays(kit.Push(), [found]) == [""]


def test_where_finds_episodes_by_what_is_known_of_them(data, episodes):
    def ids(**conditions):
        return [e.id for e in data.where(**conditions)]

    def expected(condition):
        return [i for i, e in enumerate(episodes) if condition(e)]

    succeeded = expected(lambda e: e.outcome is Outcome.SUCCESS)
    assert 0 < len(succeeded) < len(episodes)
    assert ids(outcome="success") == ids(outcome=Outcome.SUCCESS) == succeeded
    assert ids(failure="past") == expected(lambda e: e.fail_code == 1) != []
    assert ids(mode="lazy") == expected(lambda e: e.expert_mode == 2) != []
    assert ids(length=0) == expected(lambda e: not len(e)) != []
    light = {"floor.friction": lambda mu: mu < 0.2}
    assert ids(**light) == expected(lambda e: e.parameters["floor.friction"] < 0.2) != []
    assert ids(outcome="success", mass=lambda m: 1.5 < m < 2.5) == expected(
        lambda e: e.outcome is Outcome.SUCCESS and 1.5 < e.parameters["mass"] < 2.5
    )
    assert ids(trouble="build") == expected(lambda e: e.parameters["trouble"] == "build")


def test_views_narrow_further_and_leave_the_dataset_alone(data):
    view = data.where(outcome="success").where(mass=lambda m: m < 2)
    assert 0 < len(view) < len(data.where(outcome="success")) < len(data) == 16
    assert view[0].outcome is Outcome.SUCCESS


def test_an_unknown_condition_names_the_nearest(data):
    with pytest.raises(UnknownNameError, match=r"'frictoin'.*'floor.friction'"):
        data.where(frictoin=0.2)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of forks beside NumPy's threads
def test_a_dataset_travels_to_another_process(data):
    first = data[0].seed
    assert pickle.loads(pickle.dumps(data))[0].seed == first
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put([e.load().seed for e in data]))
    child.start()
    assert queue.get(timeout=60) == [e.seed for e in data]
    child.join()


def test_tables_have_one_typed_row_per_episode(data, dataset, episodes):
    with open_trusted(dataset / "shards" / "shard-00001.h5") as shard:
        table, prefixed = read_table(shard), read_table(shard, prefix="tests/push")
    assert {len(v) for v in table.values()} == {8}
    assert table["outcome"].tolist() == [e.outcome.name.lower() for e in episodes[8:]]
    assert table["params.mass"].tolist() == [e.parameters["mass"] for e in episodes[8:]]
    assert table["instruction_ja"].tolist() == [e.instruction.get("ja", "") for e in episodes[8:]]
    assert table["shard"][0] == "shard-00001.h5"
    assert prefixed["params.tests/push.mass"].tolist() == table["params.mass"].tolist()


def test_shards_statistics_merge_to_the_datasets(dataset, episodes):
    parts = []
    for name in ("shard-00000.h5", "shard-00001.h5"):
        with open_trusted(dataset / "shards" / name) as shard:
            parts.append(read_statistics(shard)["obs/x"])
    whole = summarize(np.concatenate([e.observations["x"] for e in episodes if len(e)]))
    merged = merge_all(parts)
    assert merged.mean == pytest.approx(whole.mean)
    assert merged.std == pytest.approx(whole.std)


def test_hashes_are_the_manifests(dataset):
    for entry in read_manifest(dataset)["shards"]:
        path = dataset / "shards" / entry["name"]
        assert file_sha256(path) == entry["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert content_sha256(path) == entry["content_sha256"]


def test_rows_out_of_range_and_unknown_columns_are_refused(dataset):
    with open_trusted(dataset / "shards" / "shard-00000.h5") as shard:
        with pytest.raises(DatasetError, match="asked for rows 3 to 99999"):
            shard.read("obs/x", 3, 99999)
        with pytest.raises(DatasetError, match="no column 'obs/y'; did you mean 'obs/x'"):
            shard.read("obs/y")
        with pytest.raises(DatasetError, match="'obs' is a group"):
            shard.read("obs")


def test_a_higher_major_version_is_refused_and_a_higher_minor_read_with_a_warning(copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["format_version"] = "1.7"
        file.attrs["new_in_1_7"] = 3
    with pytest.warns(DatasetWarning, match=r"s\.h5: format version 1\.7"), open_untrusted(copy) as shard:
        assert len(shard) == 8
    with h5py.File(copy, "r+") as file:
        file.attrs["format_version"] = "2.0"
    for opener in (open_trusted, open_untrusted):
        with pytest.raises(DatasetError, match=r"^s\.h5: format version 2\.0 is later than 1\.0: update genba"):
            opener(copy)


def external_link(file, folder):
    file["obs/there"] = h5py.ExternalLink(str(folder / "secret.h5"), "/x")


def external_group(file, folder):
    file["deep"] = h5py.ExternalLink(str(folder / "secret.h5"), "/")


def external_storage(file, folder):
    file.create_dataset("obs/raw", (4,), "u1", external=[(str(folder / "secret.h5"), 0, 4)])


def virtual_dataset(file, folder):
    virtual = h5py.VirtualLayout((4,), "u1")
    virtual[:] = h5py.VirtualSource(str(folder / "secret.h5"), "x", (4,))
    file.create_virtual_dataset("obs/virtual", virtual)


def reference(file, folder):
    file.create_dataset("obs/r", data=np.array([file.ref], h5py.ref_dtype))


def reference_attribute(file, folder):
    file.attrs["r"] = file.ref


def unknown_filter(file, folder):
    file.create_dataset("obs/lzf", data=np.zeros(4), chunks=(4,), compression="lzf")


def shape_bomb(file, folder):
    file.create_dataset("obs/big", (1 << 40,), "u1", chunks=(1 << 16,), compression="gzip")


def chunk_bomb(file, folder):
    file.create_dataset("obs/chunk", (1 << 28,), "u1", chunks=(1 << 28,), compression="gzip")


def loop(file, folder):
    file["obs/loop"] = file["/"]


def soft_link(file, folder):
    file["obs/soft"] = h5py.SoftLink("/obs/x")


def named_type(file, folder):
    file["obs/kind"] = np.dtype("f8")


def opaque(file, folder):
    file.create_dataset("obs/opaque", data=np.zeros(2, "V8"))


def ragged(file, folder):
    file.create_dataset("obs/ragged", (2,), h5py.vlen_dtype(np.int32))


def another_format(file, folder):
    file.attrs["format"] = "robomimic"


HOSTILE = {
    external_link: "/obs/there is a link to elsewhere",
    external_group: "/deep is a link to elsewhere",
    external_storage: "/obs/raw keeps its rows in another file",
    virtual_dataset: "/obs/virtual is a virtual dataset",
    reference: "/obs/r has a type",
    reference_attribute: "attribute 'r' has a type",
    unknown_filter: "/obs/lzf uses filter 32000; known: deflate, shuffle, fletcher32, zstd",
    shape_bomb: "/obs/big declares 1099511627776 bytes",
    chunk_bomb: "/obs/chunk declares chunks",
    loop: "is linked twice",
    soft_link: "/obs/soft is a link to elsewhere",
    named_type: "/obs/kind is a named type",
    opaque: "/obs/opaque has a type",
    ragged: "/obs/ragged has a type",
    another_format: "format is 'robomimic', expected 'genba'",
}


@pytest.mark.parametrize(("spoil", "message"), HOSTILE.items(), ids=[f.__name__ for f in HOSTILE])
def test_what_a_shard_never_contains_is_refused(copy, tmp_path, spoil, message):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["x"] = np.arange(4, dtype="u1")
    with h5py.File(copy, "r+") as file:
        spoil(file, tmp_path)
    with pytest.raises(DatasetError) as caught:
        open_untrusted(copy)
    text = str(caught.value)
    assert text.startswith("s.h5: ")
    assert message in text
    assert "\n" not in text


def test_a_column_whose_name_is_no_text_is_refused(copy):
    with h5py.File(copy, "r+") as file:
        file[b"obs/\xff\xfe"] = np.arange(4)
    with pytest.raises(DatasetError, match=r"^s\.h5"), open_untrusted(copy) as shard:
        shard.digests()


def test_zstd_is_an_allowed_filter(copy):
    hdf5plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(copy, "r+") as file:
        file.create_dataset("obs/more", data=np.arange(64.0), chunks=(64,), **hdf5plugin.Zstd())
    with open_untrusted(copy) as shard:
        assert shard.read("obs/more").sum() == 2016


@pytest.mark.parametrize("size", [0, 7, 8, 100, 2000, 50_000])
def test_a_truncated_file_is_refused(copy, size):
    copy.write_bytes(copy.read_bytes()[:size])
    with pytest.raises(DatasetError, match=r"^s\.h5"):
        open_untrusted(copy)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.h5", "/x.h5", ".h5", "x.txt", "\x1b[2J.h5", ""])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path, name):
    manifest = {"format_version": "1.0", "shards": [{"name": name, "episodes": 1, "steps": 1}]}
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="expected the name of a file in shards/"):
        Dataset(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"shards": 3}', '{"shards": []}', "\x00\xff"])
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match="is damaged"):
        read_manifest(tmp_path)


def test_a_folder_without_manifest_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match=r"is no dataset: it has no dataset\.json"):
        Dataset(tmp_path)


def test_the_example_reader_agrees_with_the_episodes(dataset, episodes):
    example = runpy.run_path(str(EXAMPLE))
    found = list(example["episodes"](dataset))
    assert len(found) == len(episodes)
    for read, episode in zip(found, episodes, strict=True):
        assert read["outcome"] == episode.outcome.name.lower()
        assert read["parameters"] == dict(episode.parameters)
        assert {k: v for k, v in read["instruction"].items() if v} == dict(episode.instruction)
        assert len(read["steps"]["reward"]) == len(episode)
        for name, seen in episode.observations.items() if len(episode) else ():
            assert np.array_equal(read["obs"][name], seen)
        for name, stream in episode.streams.items() if len(episode) else ():
            assert np.array_equal(read["streams"][name]["value"], stream.value)


def test_the_example_reader_runs_alone_and_is_short(dataset, tmp_path):
    assert len(EXAMPLE.read_text().splitlines()) <= 150
    alone = shutil.copy(EXAMPLE, tmp_path)
    command = [sys.executable, "-I", str(alone), str(dataset)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert "16 episodes" in found
    assert "/obs/x: <f4 (3,) m" in found
    assert "for example: Push the box of" in found


def test_the_example_reader_names_damaged_shards(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "set")
    path = tmp_path / "set" / "shards" / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:-1])
    assert runpy.run_path(str(EXAMPLE))["verify"](tmp_path / "set") == ["shard-00001.h5"]
