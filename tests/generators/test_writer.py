"""The shard writer: the layout that is promised, whole files or none, and the same bytes everywhere."""

import dataclasses
import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators import schema, writer
from generators.files import PatientFile, write_whole
from generators.schema import DatasetError
from generators.writer import ShardWriter
from sim import parameters

CONFTEST = Path(__file__).with_name("conftest.py")


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def shard(dataset):
    with h5py.File(dataset / "shards" / "shard-00000.h5", "r") as file:
        yield file


@pytest.fixture
def eight(episodes):
    return episodes[:8]


def test_rows_are_t_steps_and_one_more_observation_but_none_for_length_0(shard, eight):
    lengths = [len(e) for e in eight]
    assert 0 in lengths
    assert shard["episodes/length"][:].tolist() == lengths
    assert len(shard["steps/reward"]) == sum(lengths)
    for name in ("x", "pos"):
        assert len(shard["obs"][name]) == sum(n + 1 for n in lengths if n)
    assert shard["obs/x"][shard["episodes/obs_start"][2]].tolist() == eight[2].observations["x"][0].tolist()


def test_episodes_of_length_0_have_no_samples_and_keep_their_reason(shard, eight):
    row = [len(e) for e in eight].index(0)
    for channel in ("pos", "force", "peak"):
        assert shard[f"episodes/streams/{channel}/count"][row] == 0
    assert shard["episodes/keyframe_count"][row] == 0
    assert shard["episodes/error"][row].decode() == eight[row].error != ""


def test_words_are_stored_as_utf8_with_the_model(shard, eight):
    row = next(i for i, e in enumerate(eight) if e.model_xml)
    assert shard["episodes/instruction/ja"][row].decode() == eight[row].instruction["ja"]
    start, count = shard["episodes/model_xml/start"][row], shard["episodes/model_xml/count"][row]
    assert shard["episodes/model_xml/value"][start : start + count].tobytes().decode() == eight[row].model_xml


def test_columns_say_their_unit_and_origin(shard):
    mass = shard["episodes/params/mass"].attrs
    assert (mass["unit"], mass["doc"]) == ("kg", "of the box")
    assert json.loads(mass["distribution"]) == {"kind": "uniform", "low": 1, "high": 3}
    pos = shard["streams/pos/value"].attrs
    assert [pos[n] for n in ("unit", "rate_hz", "latency_s", "frame", "doc")] == ["m", 50, 0.04, "world", "laser"]
    features = json.loads(shard.attrs["features"])
    assert features["steps/action"]["names"] == ["drive"]
    assert (features["steps/action"]["low"], features["steps/action"]["high"]) == ([-1], [1])
    x = features["obs/x"]
    assert (x["dtype"], x["shape"], x["frame"], x["names"]) == ("<f4", [3], "world", ["x", "y", "z"])
    for path, feature in features.items():
        assert shard[path].dtype == np.dtype(feature["dtype"])
        assert list(shard[path].shape[1:]) == feature["shape"]


def test_every_column_has_checksums_and_only_states_are_not_compressed(shard):
    seen = []

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and node.size:
            seen.append(name)
            assert node.fletcher32, name
            is_state = name in ("state/control", "state/integration")
            assert (node.compression, node.shuffle) == ((None, False) if is_state else ("gzip", True)), name

    shard.visititems(visit)
    assert len(seen) > 40


def test_a_shard_of_nothing_has_empty_columns(tmp_path, kit):
    file = kit.write_shard(tmp_path / "a.h5", [])
    assert (file.n_episodes, file.n_steps) == (0, 0)
    with h5py.File(tmp_path / "a.h5") as shard:
        assert shard["steps/action"].shape == (0, 1)
        assert shard["state/control"].shape[0] == 0
        assert shard["episodes/outcome"].shape == (0,)


def test_a_stride_keeps_every_nth_control_state(tmp_path, kit, episodes):
    kept = [e for e in episodes if len(e)]
    kit.write_shard(tmp_path / "a.h5", enumerate(kept), overrides=kit.TROUBLE, control_stride=3)
    with h5py.File(tmp_path / "a.h5") as shard:
        assert shard["state/control"].attrs["stride"] == 3
        start = shard["episodes/control_start"][1]
        expected = kept[1].control[::3]
        assert np.array_equal(shard["state/control"][start : start + len(expected)], expected)


def test_reported_hashes_and_counts_are_those_of_the_file(tmp_path, kit, episodes):
    path = tmp_path / "a.h5"
    file = kit.write_shard(path, enumerate(episodes), overrides=kit.TROUBLE)
    raw = path.read_bytes()
    assert (file.file_sha256, file.bytes) == (hashlib.sha256(raw).hexdigest(), len(raw))
    assert (file.n_episodes, file.n_steps) == (len(episodes), sum(map(len, episodes)))
    assert names(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_another_process_writes_the_same_bytes(tmp_path, dataset, hash_seed):
    program = (
        f"import runpy; m = runpy.run_path({str(CONFTEST)!r}); from pathlib import Path\n"
        f"e = m['episodes_of'](range(8), m['TROUBLE'])\n"
        f"m['write_shard'](Path({str(tmp_path / 'a.h5')!r}), enumerate(e), overrides=m['TROUBLE'])"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"TZ": "Asia/Tokyo", "MALLOC_PERTURB_": hash_seed}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "a.h5").read_bytes() == (dataset / "shards" / "shard-00000.h5").read_bytes()


def test_content_hash_does_not_depend_on_the_compression(tmp_path, kit, episodes, monkeypatch):
    plain = kit.write_shard(tmp_path / "a.h5", enumerate(episodes), overrides=kit.TROUBLE)
    monkeypatch.setattr(writer, "CHUNK_BYTES", 1 << 10)
    other = kit.write_shard(tmp_path / "b.h5", enumerate(episodes), overrides=kit.TROUBLE)
    assert other.file_sha256 != plain.file_sha256
    assert other.content_sha256 == plain.content_sha256


def test_content_hash_changes_with_one_bit(tmp_path, kit, episodes):
    plain = kit.write_shard(tmp_path / "a.h5", enumerate(episodes), overrides=kit.TROUBLE)
    index = next(i for i, e in enumerate(episodes) if len(e))
    rewards = episodes[index].rewards.copy()
    rewards.view(np.uint32)[0] ^= 1
    changed = [dataclasses.replace(e, rewards=rewards) if i == index else e for i, e in enumerate(episodes)]
    assert kit.write_shard(tmp_path / "b.h5", enumerate(changed), overrides=kit.TROUBLE) != plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rewards": np.zeros(3, np.float32)}, r"'steps/\w+' has shape"),
        ({"observations": {}}, "column 'obs/x' is missing"),
        ({"task": "tests/pull"}, "is of tests/pull version 2, expected tests/push"),
        ({"parameters": {"mas": 1.0}}, r"no column 'episodes/params/mas'; did you mean 'episodes/params/mass'\?"),
    ],
)
def test_an_episode_of_another_layout_is_refused_by_name(tmp_path, kit, episodes, change, message):
    episode = next(e for e in episodes if len(e) > 5)
    with pytest.raises(DatasetError, match=message):
        kit.write_shard(tmp_path / "a.h5", [(7, dataclasses.replace(episode, **change))], overrides=kit.TROUBLE)
    assert names(tmp_path) == []


def test_float64_observations_are_refused_and_not_cast(tmp_path, kit, episodes):
    episode = next(e for e in episodes if len(e))
    wide = {n: v.astype(float) for n, v in episode.observations.items()}
    with pytest.raises(DatasetError, match="'obs/x' is float64, expected float32"):
        kit.write_shard(tmp_path / "a.h5", [(0, dataclasses.replace(episode, observations=wide))])


def test_a_refused_episode_leaves_the_writer_as_it_was(tmp_path, kit, episodes):
    episode = next(e for e in episodes if len(e))
    described = parameters.describe(kit.Params)
    with ShardWriter(tmp_path / "a.h5", kit.header(), kit.Push(), described) as shard:
        with pytest.raises(DatasetError):
            shard.append(0, dataclasses.replace(episode, observations={}))
        shard.append(0, episode)
    assert shard.close() == kit.write_shard(tmp_path / "b.h5", [(0, episode)])


def test_the_header_must_name_the_task(tmp_path, kit):
    other = dataclasses.replace(kit.header(), task_version=9)
    with pytest.raises(DatasetError, match="names tests/push version 9, the task is tests/push version 2"):
        ShardWriter(tmp_path / "a.h5", other, kit.Push(), {})


def test_names_that_would_make_groups_are_refused(tmp_path, kit, monkeypatch):
    monkeypatch.setattr(kit.Push, "signals", lambda self, s: {"motor/peak": s.memory("peak")})
    with pytest.raises(DatasetError, match=r"'motor/peak' cannot be a column's name, for its '/'; use '\.'"):
        ShardWriter(tmp_path / "a.h5", kit.header(), kit.Push(), {})


def test_a_closed_writer_takes_no_more(tmp_path, kit, episodes):
    with ShardWriter(tmp_path / "a.h5", kit.header(), kit.Push(), parameters.describe(kit.Params)) as shard:
        shard.close()
        with pytest.raises(DatasetError, match="episode 5 comes too late"):
            shard.append(5, episodes[0])


def test_leaving_by_an_exception_writes_nothing(tmp_path, kit):
    described = parameters.describe(kit.Params)
    with (
        pytest.raises(KeyboardInterrupt),
        ShardWriter(tmp_path / "a.h5", kit.header(), kit.Push(), described),
    ):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_full_disk_leaves_nothing_and_the_old_file_whole(tmp_path, kit, monkeypatch, call):
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr({"fsync": os, "replace": Path, "write": PatientFile}[call], call, fail)
    with pytest.raises(OSError, match="No space left"):
        kit.write_shard(path, [])
    monkeypatch.undo()
    assert names(tmp_path) == ["a.h5"]
    assert path.read_bytes() == b"old"


def test_a_file_that_may_not_grow_ends_in_an_oserror_and_nothing_is_left(tmp_path):
    program = (
        f"import resource, runpy; m = runpy.run_path({str(CONFTEST)!r}); from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"m['write_shard'](Path({str(tmp_path / 'a.h5')!r}), enumerate(m['episodes_of'](range(2))))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert found.stderr.splitlines()[-1].startswith("OSError: [Errno 27]")
    assert names(tmp_path) == []


def test_a_missing_folder_is_an_oserror(tmp_path, kit):
    with pytest.raises(FileNotFoundError):
        kit.write_shard(tmp_path / "none" / "a.h5", [])


def test_write_whole_replaces_a_file(tmp_path):
    for text in (b"one", b"other"):
        write_whole(tmp_path / "a", text)
        assert (tmp_path / "a").read_bytes() == text
    assert names(tmp_path) == ["a"]


def test_statistics_are_kept_of_what_policies_and_instruments_give(shard):
    kept = {"obs/x", "obs/pos", "steps/action", "steps/reward"}
    kept |= {f"streams/{n}/value" for n in ("pos", "force", "peak")}
    found = set()
    shard["stats"].visititems(lambda name, node: found.add(name) if isinstance(node, h5py.Dataset) else None)
    assert found == kept
    rows = json.loads(shard["stats"].attrs["rows"])
    assert shard["stats/obs/x"].shape == (len(rows), 3)
    assert shard["stats/obs/x"][rows.index("mean")] == pytest.approx(shard["obs/x"][:].astype(float).mean(axis=0))


def test_format_is_version_1(shard):
    assert (shard.attrs["format"], shard.attrs["format_version"]) == (schema.FORMAT, "1.0")
