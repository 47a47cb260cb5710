"""Configurations: what is refused, how, and what wins."""

import pytest

from generators.commands.generate import Options, configure, parse_settings
from generators.config import ConfigError, load_yaml, make_config


def test_an_unknown_key_gets_the_nearest_right_one():
    with pytest.raises(ConfigError, match=r"no key 'episods'.*did you mean 'episodes'"):
        make_config({"task": "steel/crane_coil", "episods": 3})


def test_flags_win_over_the_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("task: steel/crane_coil\nepisodes: 5\nseed: 7\nparameters: {a: 1, b: 2}\n")
    config, folder = configure(Options(str(path), episodes=9, set=("b=3", "c.low=0.1")))
    assert (config.episodes, config.seed, folder) == (9, 7, tmp_path)
    assert config.parameters == {"a": 1, "b": 3, "c.low": 0.1}


def test_settings_are_numbers_words_or_lists():
    assert parse_settings(("a=1.5", "b=word", "c={low: 1}", "d=[1, 2]")) == {
        "a": 1.5,
        "b": "word",
        "c": {"low": 1},
        "d": [1, 2],
    }


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("task: a/b\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match="'seed' is given twice"):
        load_yaml(path)


def test_several_tasks_inherit_the_datasets_parameters_and_share():
    config = make_config(
        {
            "tasks": [
                {"task": "a/b", "episodes": 2},
                {"task": "a/c", "episodes": 3, "degraded": 0, "parameters": {"x": 2}},
            ],
            "parameters": {"x": 1},
            "degraded": 0.5,
        }
    )
    first, second = config.entries()
    assert (first.degraded, first.parameters) == (0.5, {"x": 1})
    assert (second.degraded, second.parameters) == (0, {"x": 2})
