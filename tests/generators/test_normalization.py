"""Numbers are scaled by the dataset's own statistics and come back."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.dataset import Dataset
from generators.loading.normalization import METHODS, Normalization, normalization
from generators.loading.windows import Windows
from generators.schema import DatasetError
from generators.stats import summarize, to_json
from sim.errors import UnknownNameError


@pytest.fixture
def opened(filmed):
    with Dataset(filmed) as found:
        yield found


def columns(dataset):
    """Return every column that windows have, whole."""
    parts = {}
    for episode in dataset:
        for name, value in episode.observations.items():
            parts.setdefault(f"obs/{name}", []).append(value)
        parts.setdefault("action", []).append(episode.actions)
        for name, stream in episode.streams.items():
            parts.setdefault(f"streams/{name}", []).append(stream.value)
    return {name: np.concatenate(part).astype(np.float64) for name, part in parts.items()}


def test_mean_and_deviation_become_0_and_1(opened):
    scaling = normalization(opened)
    for name, values in columns(opened).items():
        found = (values - scaling.offset[name]) / scaling.scale[name]
        varied = values.std(axis=0) > 0
        # statistics are exact to rounding in float64
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(found.std(axis=0)[varied], 1, rtol=1e-9)
        assert varied.any()


@pytest.mark.parametrize("method", METHODS)
def test_what_never_varied_becomes_0_and_is_not_scaled(opened, tmp_path, method):
    values = np.array([[3e4, 1.0], [3e4, 2.0], [3e4, 3.0]])
    (tmp_path / "dataset.json").write_bytes((opened.folder / "dataset.json").read_bytes())
    (tmp_path / "stats.json").write_text(json.dumps({"a": {"obs/x": to_json(summarize(values))}}))
    scaling = normalization(Dataset(tmp_path), method)
    np.testing.assert_array_equal(scaling.apply("obs/x", values)[:, 0], 0)
    np.testing.assert_array_equal(scaling.apply("obs/x", values + 5)[:, 0], 5)
    least, middle, greatest = scaling.apply("obs/x", values)[:, 1]
    assert (-least, middle) == (greatest, 0)
    assert greatest == pytest.approx(1.0 if method == "min_max" else 1.5**0.5)


def test_least_and_greatest_become_minus_1_and_1(opened):
    scaling = normalization(opened, "min_max")
    for name, values in columns(opened).items():
        found = (values - scaling.offset[name]) / scaling.scale[name]
        varied = values.std(axis=0) > 0
        np.testing.assert_allclose(found.min(axis=0)[varied], -1, rtol=1e-12)
        np.testing.assert_allclose(found.max(axis=0)[varied], 1, rtol=1e-12)


def test_windows_are_normalized_but_for_rewards_and_mask(opened):
    scaling = normalization(opened)
    plain = Windows(opened, streams=list(opened[0].streams))
    scaled = dataclasses.replace(plain, normalize=scaling)
    for name, value in plain[7].items():
        wanted = scaling.apply(name, value) if name in scaling.offset else value
        np.testing.assert_array_equal(scaled[7][name], wanted)
        assert scaled[7][name].dtype == value.dtype
    assert not np.array_equal(plain[7]["action"], scaled[7]["action"])


@pytest.mark.parametrize("method", METHODS)
def test_undo_gives_the_actions_back_to_a_part_in_a_million(opened, method):
    scaling = normalization(opened, method)
    actions = opened[0].actions
    back = scaling.undo("action", scaling.apply("action", actions))
    np.testing.assert_allclose(back, actions, rtol=1e-6, atol=1e-6)  # both are rounded to float32


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_json_keeps_every_number_to_the_bit(numbers):
    scaling = Normalization("mean_std", {"obs/x": np.array(numbers)}, {"obs/x": np.abs(numbers) + 1})
    again = Normalization.from_json(scaling.to_json())
    assert again.method == "mean_std"
    for part in ("offset", "scale"):
        np.testing.assert_array_equal(getattr(again, part)["obs/x"], getattr(scaling, part)["obs/x"])


def test_what_has_no_finite_value_passes_as_it_is(opened, tmp_path):
    found = json.loads((opened.folder / "stats.json").read_text())
    (task,) = found
    name = next(n for n in found[task] if n.startswith("obs/"))
    for part in ("mean", "std", "min", "max"):
        found[task][name][part] = [None] * len(found[task][name][part])
    for file in ("dataset.json", "episodes.parquet"):
        (tmp_path / file).write_bytes((opened.folder / file).read_bytes())
    (tmp_path / "stats.json").write_text(json.dumps(found))
    scaling = normalization(Dataset(tmp_path))
    assert (scaling.offset[name] == 0).all()
    assert (scaling.scale[name] == 1).all()


def test_a_wrong_method_task_or_name_is_refused_with_the_nearest(opened):
    with pytest.raises(UnknownNameError, match="no method of normalization 'minmax'; did you mean 'min_max'"):
        normalization(opened, "minmax")
    with pytest.raises(UnknownNameError, match="no task 'filmed:YourTask'; did you mean 'filmed:MyTask'"):
        normalization(opened, task="filmed:YourTask")
    with pytest.raises(UnknownNameError, match="no normalized name 'actions'; did you mean 'action'"):
        normalization(opened).undo("actions", np.zeros(2))


def test_statistics_that_are_missing_or_of_several_tasks_are_an_error(opened, tmp_path):
    (tmp_path / "dataset.json").write_bytes((opened.folder / "dataset.json").read_bytes())
    dataset = Dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"has no stats\.json"):
        normalization(dataset)
    (tmp_path / "stats.json").write_text(json.dumps({"a": {}, "b": {}}))
    with pytest.raises(DatasetError, match="has 2 tasks; say whose statistics: a, b"):
        normalization(dataset)
    (tmp_path / "stats.json").write_text("{")
    with pytest.raises(DatasetError, match=r"stats\.json is damaged"):
        normalization(dataset)
    with pytest.raises(DatasetError, match="this is no normalization"):
        Normalization.from_json("[]")
