"""The layout that robomimic reads: what tests/peers proves with robomimic itself, without it."""

import json

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from generators.dataset import Dataset
from generators.export.content import Asked, ExportError
from generators.export.robomimic import export


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    return export(dataset, tmp_path_factory.mktemp("robomimic") / "set")


@pytest.fixture
def file(made):
    with h5py.File(made.folder / "demo.hdf5") as found:
        yield found


@pytest.fixture
def data(dataset):
    with Dataset(dataset) as found:
        yield found.choose([i for i, e in enumerate(found) if len(e)])


def test_demonstrations_follow_each_other_and_are_counted(file, data):
    assert set(file["data"]) == {f"demo_{i}" for i in range(len(data))}
    assert file["data"].attrs["total"] == sum(len(e) for e in data)
    for i, episode in enumerate(data):
        assert file[f"data/demo_{i}"].attrs["num_samples"] == len(episode)


def test_every_array_has_one_row_an_action_and_next_obs_is_one_row_on(file, data):
    for i, episode in enumerate(data):
        demo = file[f"data/demo_{i}"]
        for name, values in episode.observations.items():
            assert np.array_equal(demo[f"obs/{name}"], values[:-1])
            assert np.array_equal(demo[f"next_obs/{name}"], values[1:])
        assert np.array_equal(demo["action_applied"], episode.actions)
        assert np.array_equal(demo["actions"], episode.actions)  # the drive's range is -1 to 1
        assert np.array_equal(demo["states"], episode.array("state/control")[:-1])
        assert demo["dones"][:].tolist() == [0] * (len(episode) - 1) + [1]
        assert len(demo["streams/force"]) == len(episode)


def test_masks_choose_outcomes_and_failures(file, data):
    found = {key: [int(v.decode()[5:]) for v in names] for key, names in file["mask"].items()}
    outcomes = [e.outcome.name.lower() for e in data]
    assert set(outcomes) <= set(found)
    for outcome in set(outcomes):
        assert found[outcome] == [i for i, o in enumerate(outcomes) if o == outcome]
    past = [i for i, e in enumerate(data) if e.fact("fail_code") == 1]
    assert found.get("failure_past", []) == past
    assert file["mask/success"].dtype.kind == "S"


def test_the_parts_of_a_split_become_filters_of_one_file(dataset, kit, tmp_path):
    for name, ids in (("train", range(6)), ("valid", range(6, 9))):
        kit.make_dataset(tmp_path / "split" / name, kit.episodes_of(ids))
    (tmp_path / "split" / "split.json").write_text("{}")
    made = export(tmp_path / "split", tmp_path / "out")
    assert made.episodes == 9
    with h5py.File(made.folder / "demo.hdf5") as file:
        assert file["mask/train"][:].tolist() == [f"demo_{i}".encode() for i in range(6)]
        assert file["mask/valid"][:].tolist() == [b"demo_6", b"demo_7", b"demo_8"]
        with Dataset(tmp_path / "split" / "valid") as data:
            assert np.array_equal(file["data/demo_7/action_applied"], data[1].actions)
    table = pq.read_table(made.folder / "valid" / "episodes.parquet")
    assert table["index"].to_pylist() == [6, 7, 8]
    (tmp_path / "split" / "train" / "dataset.json").unlink()
    (tmp_path / "split" / "valid" / "dataset.json").unlink()
    with pytest.raises(ExportError, match="is a split without parts"):
        export(tmp_path / "split", tmp_path / "more")


def test_the_environment_and_the_scaling_are_told(file):
    said = json.loads(file["data"].attrs["env_args"])
    assert (said["env_name"], said["type"]) == ("tests/push", 2)
    assert said["genba"]["actions"]["low"] == [-1.0]
    assert said["genba"]["failures"] == ["past"]


def test_texts_seeds_and_parameters_are_attributes(file, data):
    for i, episode in enumerate(data):
        attributes = file[f"data/demo_{i}"].attrs
        assert attributes["instruction_ja"] == episode.instruction["ja"]
        assert int(attributes["episode_seed"]) == episode.seed
        assert json.loads(attributes["parameters"]) == episode.parameters


def test_exporting_twice_gives_the_same_bytes(dataset, made, tmp_path):
    again = export(dataset, tmp_path / "again")
    assert (again.folder / "demo.hdf5").read_bytes() == (made.folder / "demo.hdf5").read_bytes()


def test_no_filter_but_gzip_is_used(filmed, tmp_path):
    made = export(filmed, tmp_path / "out", Asked(cameras=("all",)))
    compressions = set()
    with h5py.File(made.folder / "demo.hdf5") as file:
        file.visititems(lambda _, node: compressions.add(getattr(node, "compression", None)))
    assert compressions == {None, "gzip"}


def test_the_sidecar_says_where_everything_went(made):
    said = json.loads((made.folder / "sidecar.json").read_text())
    assert said["carried"]["states"]["from"] == "state/control"
    assert "state/integration" in said["not_carried"]
    assert said["episodes_without_steps"]


def test_a_full_disk_leaves_nothing_behind(dataset, tmp_path, monkeypatch):
    from generators.files import PatientFile

    def full(self, data):
        self.error = OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr(PatientFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        export(dataset, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
