"""Minari's own loader gives back every array of an export, filters and samples it, and recovers its environment."""

import minari
import numpy as np
import pytest

from generators.dataset import Dataset
from generators.export.content import Asked
from generators.export.minari import export
from generators.resample import resample
from sim.cameras import LEVELS

NAME = "genba/examples/push_billet-v0"
ALL = Asked(cameras=("all",))


@pytest.fixture(scope="module")
def root(tmp_path_factory, filmed):
    out = tmp_path_factory.mktemp("minari")
    export(filmed, out, ALL)
    export(filmed, out, Asked(cameras=("side", "side:depth", "side:segmentation")), name="genba/side-v3")
    return out


@pytest.fixture(autouse=True)
def _path(root, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))


def test_both_datasets_are_listed():
    assert set(minari.list_local_datasets()) == {NAME, "genba/side-v3"}


def test_every_array_is_what_the_dataset_holds(data):
    found = minari.load_dataset(NAME)
    assert (found.total_episodes, found.total_steps) == (len(data), sum(len(e) for e in data))
    for episode, mine in zip(found.iterate_episodes(), data, strict=True):
        for name, values in mine.observations.items():
            assert np.array_equal(episode.observations[name], values)
        applied = (np.array([-0.5]) + np.array([1.0])) / 2 + episode.actions.astype(float) * 0.75
        assert np.abs(applied - mine.actions).max() <= 2.0**-24  # float32 in [-1, 1], times half a range under 1
        assert np.array_equal(episode.infos["action_applied"][:-1], mine.actions)
        assert np.array_equal(episode.rewards, mine.rewards)
        assert np.array_equal(episode.terminations, mine.array("steps/terminated"))
        assert np.array_equal(episode.truncations, mine.array("steps/truncated"))
        assert np.array_equal(episode.infos["success"][1:], mine.array("steps/success"))
        assert np.array_equal(episode.infos["phase"][:-1], mine.array("steps/phase"))
        times = np.append(mine.array("steps/t_ns"), len(mine) * mine.control_ns)
        assert set(episode.infos["streams"]) == set(mine.streams)
        for name, stream in mine.streams.items():
            assert np.array_equal(episode.infos["streams"][name], resample(stream, times))


def test_pictures_are_the_datasets_and_masks_are_exact(data):
    found = minari.load_dataset(NAME)
    for episode, mine in zip(found.iterate_episodes(), data, strict=True):
        seen = episode.observations
        assert np.array_equal(seen["side"], mine.images("side"))
        assert np.array_equal(seen["side_segmentation"][..., 0], mine.images("side", "segmentation"))
        for camera, stride in (("side", 1), ("hand", 4)):
            levels = np.rint(seen[f"{camera}_depth"][..., 0].astype(float) / mine.shots(camera).far * LEVELS)
            assert np.array_equal(levels, mine.images(camera, "depth")[np.arange(len(mine) + 1) // stride])


def test_texts_seeds_and_outcomes_are_intact(data):
    found = minari.load_dataset(NAME)
    for known, mine in zip(found.storage.get_episode_metadata(range(len(data))), data, strict=True):
        assert known["instruction"] == mine.instruction
        assert "ビレット" in known["instruction"]["ja"]
        assert known["options"]["episode_seed"] == mine.seed
        assert known["outcome"] == mine.outcome.name.lower()
        assert known["parameters"] == mine.parameters


def test_it_filters_and_samples(data):
    found = minari.load_dataset(NAME)
    good = found.filter_episodes(lambda episode: bool(episode.infos["success"][-1]))
    expected = [i for i, e in enumerate(data) if e.array("steps/success")[-1]]
    assert 0 < len(expected) < len(data)
    assert good.episode_indices.tolist() == expected
    found.set_seed(0)
    assert {len(e) for e in found.sample_episodes(3)} <= {len(e) for e in data}


def test_the_recovered_environment_has_its_spaces_and_repeats_its_episodes(data):
    found = minari.load_dataset("genba/side-v3")
    env = found.recover_environment()
    assert env.observation_space == found.observation_space
    assert env.action_space == found.action_space
    for known, episode in zip(
        found.storage.get_episode_metadata(range(2)), found.iterate_episodes(range(2)), strict=True
    ):
        exactly = (episode.infos["action_applied"][:-1].astype(float) - 0.25) / 0.75
        seen = [env.reset(options=known["options"])[0]]
        seen += [env.step(action)[0] for action in exactly]
        for name, values in episode.observations.items():
            assert np.array_equal(np.array([s[name] for s in seen]), values), name
    env.close()


@pytest.mark.parametrize("task", ["steel/roller_slab"])
def test_a_task_of_the_package_is_recovered_by_its_registered_name(tmp_path, monkeypatch, make, task):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    folder = make(tmp_path / "set", task, tmp_path, {}, episodes=1)
    export(folder, tmp_path)
    found = minari.load_dataset(f"genba/{task}-v0")
    env = found.recover_environment()
    assert env.spec.id == "genba/RollerSlab-v0"
    assert env.observation_space == found.observation_space
    with Dataset(folder) as mine:
        episode = found[0]
        seen = [env.reset(options={"episode_seed": mine[0].seed})[0]]
        seen += [env.step(action)[0] for action in episode.actions[:20]]
        for name, values in mine[0].observations.items():
            assert np.allclose([s[name] for s in seen], values[:21], rtol=1e-4, atol=1e-4), name  # float32 actions
    env.close()
