"""robomimic's own SequenceDataset gives back every array of an export, and its behaviour cloning learns from it."""

import json
import runpy

import numpy as np
import pytest
import robomimic.utils.file_utils as file_utils
import robomimic.utils.obs_utils as obs_utils
import torch
from robomimic.algo import algo_factory
from robomimic.config import config_factory
from robomimic.utils import train_utils
from robomimic.utils.dataset import SequenceDataset

from generators.export.content import Asked
from generators.export.robomimic import export
from generators.resample import resample
from sim.cameras import LEVELS

NUMBERS = ["pusher", "laser", "force", "mark", "touched"]
PICTURES = ["side", "side_depth", "side_segmentation", "hand_depth"]
STEPS = ["actions", "action_applied", "rewards", "dones", "states", "success", "terminated", "truncated", "phase"]


@pytest.fixture(scope="module")
def file(tmp_path_factory, filmed):
    out = tmp_path_factory.mktemp("robomimic") / "set"
    export(filmed, out, Asked(cameras=("all",)))
    return out / "demo.hdf5"


@pytest.fixture(autouse=True)
def _modalities():
    obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": [*NUMBERS, *PICTURES[1:]], "rgb": PICTURES[:1]}})


def sequences(file, keys, cache, length, **options):
    return SequenceDataset(
        str(file), obs_keys=keys, dataset_keys=STEPS, seq_length=length, hdf5_cache_mode=cache, **options
    )


def expected(episode):
    """Every array of an episode, T rows of observations and of next ones."""
    seen = dict(episode.observations) | {"side": episode.images("side")}
    seen["side_segmentation"] = episode.images("side", "segmentation")[..., None]
    for camera, stride in (("side", 1), ("hand", 4)):
        levels = episode.images(camera, "depth")[np.arange(len(episode) + 1) // stride]
        seen[f"{camera}_depth"] = (levels[..., None] * (episode.shots(camera).far / LEVELS)).astype(np.float32)
    rows = {name: episode.array(f"steps/{name}") for name in ("success", "terminated", "truncated", "phase")}
    rows |= {"action_applied": episode.actions, "rewards": episode.rewards}
    rows["actions"] = ((episode.actions.astype(float) - 0.25) / 0.75).astype(np.float32)
    rows["dones"] = rows["terminated"] | rows["truncated"]
    rows["states"] = episode.array("state/control")[:-1]
    return seen, rows


@pytest.mark.parametrize("cache", ["low_dim", "all", None])
def test_every_array_is_what_the_dataset_holds(file, data, cache):
    found = sequences(file, NUMBERS + PICTURES, cache, 1)
    assert len(found) == sum(len(e) for e in data)
    i = 0
    for episode in data:
        seen, rows = expected(episode)
        for t in range(len(episode)):
            got = found[i]
            i += 1
            for name, values in seen.items():
                assert np.array_equal(got["obs"][name][0], values[t]), name
                assert np.array_equal(got["next_obs"][name][0], values[t + 1]), name
            for name, values in rows.items():
                exact = values if cache is None else values.astype(np.float32)  # its cache makes all float32
                assert np.array_equal(got[name][0], exact[t]), name


def test_sequences_are_padded_as_robomimic_does(file, data):
    found = sequences(file, NUMBERS, "low_dim", 10)
    got = found[len(data[0]) - 1]["actions"]
    last = expected(data[0])[1]["actions"][-1]
    assert np.array_equal(got, np.repeat(last[None], 10, axis=0))


def test_filters_choose_outcomes(file, data):
    good = sequences(file, NUMBERS, "low_dim", 1, filter_by_attribute="success")
    expected_demos = [f"demo_{i}" for i, e in enumerate(data) if e.outcome.name == "SUCCESS"]
    assert 0 < len(expected_demos) < len(data)
    assert good.demos == expected_demos


def test_texts_seeds_streams_and_scaling_are_intact(file, data):
    about = file_utils.get_env_metadata_from_dataset(str(file))
    assert about["type"] == 2
    scaling = about["genba"]["actions"]
    assert (scaling["low"], scaling["high"]) == ([-0.5], [1.0])
    with sequences(file, NUMBERS, None, 1).hdf5_file_opened() as opened:
        for i, episode in enumerate(data):
            demo = opened[f"data/demo_{i}"]
            assert demo.attrs["instruction_ja"] == episode.instruction["ja"]
            assert "ビレット" in demo.attrs["instruction_ja"]
            assert int(demo.attrs["episode_seed"]) == episode.seed
            assert json.loads(demo.attrs["parameters"]) == episode.parameters
            for name, stream in episode.streams.items():
                held = resample(stream, episode.array("steps/t_ns"))
                assert np.array_equal(demo[f"streams/{name}"][()], held)


def test_its_own_check_of_a_file_passes(file, data, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["get_dataset_info", "--dataset", str(file), "--verbose"])
    runpy.run_module("robomimic.scripts.get_dataset_info", run_name="__main__")  # raises where an action exceeds 1
    said = capsys.readouterr().out
    assert f"total transitions: {sum(len(e) for e in data)}" in said
    assert "filter key success with" in said


def test_three_epochs_of_behaviour_cloning_halve_the_loss(file):
    torch.manual_seed(0)
    config = config_factory("bc")
    with config.values_unlocked():
        config.observation.modalities.obs.low_dim = NUMBERS
    obs_utils.initialize_obs_utils_with_config(config)
    about = file_utils.get_shape_metadata_from_dataset(str(file), all_obs_keys=NUMBERS)
    assert about["ac_dim"] == 1
    found = SequenceDataset(str(file), NUMBERS, ["actions"], hdf5_cache_mode="all", hdf5_normalize_obs=True)
    model = algo_factory("bc", config, about["all_shapes"], about["ac_dim"], torch.device("cpu"))
    loader = torch.utils.data.DataLoader(found, batch_size=32, shuffle=True, drop_last=True)
    logs = [train_utils.run_epoch(model, loader, epoch) for epoch in (1, 2, 3)]
    assert all(np.isfinite(log["Loss"]) for log in logs)
    assert logs[-1]["Loss"] < 0.5 * logs[0]["Loss"]
