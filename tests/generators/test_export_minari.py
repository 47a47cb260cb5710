"""The layout that Minari reads: what tests/peers proves with Minari itself, without it."""

import json

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from generators.dataset import Dataset
from generators.export.content import Asked, ExportError
from generators.export.environment import find_environment
from generators.export.minari import export
from generators.schema import DatasetError

NAME = "genba/examples/push_billet-v0"


@pytest.fixture(scope="module")
def kinds_of_side(filmed):
    with Dataset(filmed) as data:
        return data[0].camera_facts("side")["kinds"]


@pytest.fixture(scope="module")
def made(filmed, filmed_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(filmed_folder)  # where the task is
        return export(filmed, out, Asked(cameras=("all",))), out


@pytest.fixture
def metadata(made):
    return json.loads((made[0].folder / "data" / "metadata.json").read_text())


def test_metadata_has_what_minari_asks_for(made, metadata, filmed):
    assert made[0].folder == made[1] / NAME
    with Dataset(filmed) as data:
        assert metadata["total_episodes"] == made[0].episodes == len(data)
        assert metadata["total_steps"] == made[0].steps == sum(len(e) for e in data)
    assert metadata["dataset_id"] == NAME
    assert metadata["minari_version"] == "0.5.4"
    assert metadata["data_format"] == "hdf5"
    assert metadata["jpeg_encoding"] is False


def test_spaces_are_those_of_the_environment_that_env_spec_makes(metadata):
    env = gymnasium.make(EnvSpec.from_json(metadata["env_spec"]))
    said = json.loads(metadata["observation_space"])["subspaces"]
    assert set(said) == set(env.observation_space.spaces)
    for name, space in env.observation_space.spaces.items():
        assert said[name]["dtype"] == str(space.dtype)
        assert np.array_equal(np.array(said[name]["low"], space.dtype), space.low)
        assert np.array_equal(np.array(said[name]["high"], space.dtype), space.high)
    action = json.loads(metadata["action_space"])
    assert (action["low"], action["high"], action["shape"]) == ([-1.0], [1.0], [1])
    env.close()


def test_rows_are_as_minari_counts_them(made, filmed, kinds_of_side):
    with Dataset(filmed) as data, h5py.File(made[0].folder / "data" / "main_data.hdf5") as file:
        assert len(file) == len(data)
        for i, episode in enumerate(data):
            group, length = file[f"episode_{i}"], len(episode)
            assert (group.attrs["id"], group.attrs["total_steps"]) == (i, length)
            assert group.attrs["options/episode_seed"] == episode.seed
            assert group.attrs["instruction/ja"] == episode.instruction["ja"]
            for name in ("actions", "rewards", "terminations", "truncations"):
                assert len(group[name]) == length
            assert {len(v) for v in group["observations"].values()} == {length + 1}
            assert len(group["infos/success"]) == len(group["infos/streams/force"]) == length + 1
            assert np.array_equal(group["observations/laser"], episode.observations["laser"])
            if "segmentation" in kinds_of_side:
                masks = group["observations/side_segmentation"]
                assert np.array_equal(masks[..., 0], episode.images("side", "segmentation"))


def test_actions_are_scaled_and_the_applied_ones_are_exact(made, filmed):
    with Dataset(filmed) as data, h5py.File(made[0].folder / "data" / "main_data.hdf5") as file:
        actions, applied = file["episode_0/actions"][:], file["episode_0/infos/action_applied"][:-1]
        assert np.array_equal(applied, data[0].actions)
        assert actions.dtype == np.float32
        assert np.allclose(0.25 + 0.75 * actions.astype(float), applied, rtol=0, atol=2.0**-24)


def test_a_name_that_is_taken_is_refused_and_others_stay(made, filmed):
    with pytest.raises(DatasetError, match="there already"):
        export(filmed, made[1], Asked())
    again = export(filmed, made[1], Asked(), name="genba/again-v1")
    assert again.folder.is_dir()
    assert made[0].folder.is_dir()


def test_a_task_that_is_not_here_leaves_the_spaces_and_says_why(dataset, tmp_path):
    made = export(dataset, tmp_path, Asked(streams=("none",)))
    metadata = json.loads((made.folder / "data" / "metadata.json").read_text())
    assert "env_spec" not in metadata
    assert "cannot be made here: no task 'tests/push'" in made.notes[-2]
    space = json.loads(metadata["observation_space"])["subspaces"]["x"]
    assert (space["low"], space["high"]) == ([-np.inf] * 3, [np.inf] * 3)


def test_an_actuator_without_a_range_is_refused(dataset, monkeypatch):
    from generators.export.content import choose

    with Dataset(dataset) as data:
        content = choose(data, Asked())
        monkeypatch.setitem(content.columns["steps/action"], "high", [None])
        with pytest.raises(ExportError, match="actuator 'drive' has no least or greatest command"):
            find_environment(content)


def test_a_task_is_never_looked_for_where_the_dataset_says(filmed, tmp_path, monkeypatch):
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "filmed", raising=False)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "filmed" not in p])
    made = export(filmed, tmp_path / "out", Asked())
    assert any("cannot be made here" in note for note in made.notes)


def test_the_command_tells_what_it_made(genba, dataset, tmp_path):
    result = genba("export", "minari", dataset, tmp_path / "out", "--only", 'outcome == "success"', "--json")
    assert result.code == 0, result.err
    said = json.loads(result.out)
    assert said["peer"] == "minari 0.5.4"
    assert (tmp_path / "out" / "genba" / "tests" / "push-v0" / "sidecar.json").is_file()
    again = genba("export", "minari", dataset, tmp_path / "out")
    assert again.code == 2
    assert "there already" in again.err
