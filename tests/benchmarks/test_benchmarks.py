"""The benchmarks run and give sensible figures; how fast this machine is, is no test (`genba bench` prints it)."""

import math

import pytest

from generators.speed import pictures, ratios
from generators.speed.ratios import Ratio, Size

TINY = Size(episodes=1, rounds=1, shards=1, steps=4)


@pytest.mark.parametrize(
    "figure",
    [ratios.generation, ratios.recording, ratios.reset, ratios.pooled_reset, ratios.vector_step],
)
def test_a_figure_of_a_task_is_measured(figure, root, monkeypatch):
    monkeypatch.chdir(root / "examples")
    ratio = figure("new_scene:MyTask", TINY)
    assert math.isfinite(ratio.value)
    assert ratio.value > 0


def test_figures_of_pictures_are_measured():
    for figure in pictures.measure_images("steel/crane_transport", TINY):
        assert math.isfinite(figure.value)
        assert figure.value > 0


def test_a_target_is_met_on_its_own_side():
    assert Ratio("a / b", 0.9, ">= 0.88", "").met
    assert not Ratio("a / b", 1.05, "<= 1.04", "").met
