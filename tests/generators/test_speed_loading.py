"""The measurement of loading reads the same numbers from both files; what it measures is published, not asserted."""

import h5py
import numpy as np
import pytest

from generators.cli import main
from generators.dataset import Dataset
from generators.loading.windows import Windows
from generators.speed.loading import Load, _write_groups, measure_loading, write_dataset


def test_both_files_hold_the_same_windows(tmp_path):
    values = np.random.default_rng(0).normal(size=(5 * 40, 3)).astype(np.float32)
    write_dataset(tmp_path / "ours", values, 5)
    _write_groups(tmp_path / "theirs.h5", values, 5, "gzip")
    with Dataset(tmp_path / "ours") as dataset, h5py.File(tmp_path / "theirs.h5") as file:
        windows = Windows(dataset, horizon=16, action=False, pad=False)
        assert len(windows) == 5 * 25
        for window in windows:
            group = file[f"data/demo_{window['episode']}/obs/x"]
            np.testing.assert_array_equal(window["obs/x"], group[window["step"] : window["step"] + 16])


@pytest.mark.timeout(60)
def test_every_figure_of_the_issue_is_measured():
    ratios = list(measure_loading(Load(episodes=40, steps=60, dim=8, windows=512, rounds=1)))
    names = [ratio.name for ratio in ratios]
    assert [name.split(" /")[0] for name in names[:4]] == ["random windows", "block-shuffled windows"] * 2
    assert names[4:] == ["opening 100,000 episodes, ms", "opening 100,000 episodes, MB at the peak"]
    assert [ratio.target for ratio in ratios] == [">= 1.7", ">= 3"] * 2 + ["<= 50"] * 2
    assert all(ratio.value > 0 for ratio in ratios)
    assert ratios[1].met, "block-shuffled windows are some ten times as fast"
    assert ratios[5].met, "the index is some MB, whatever the machine"


def test_the_command_says_what_it_measures(capsys):
    assert main(["bench", "--help"]) == 0
    assert "--loading" in capsys.readouterr().out
