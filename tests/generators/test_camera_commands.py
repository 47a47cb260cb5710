"""Cameras on the command line and in YAML: what is taken, what wins, what is refused and how."""

import json
import shutil

import pytest

from generators.commands._cameras import flagged_cameras
from generators.commands.generate import Options
from generators.config import ConfigError, make_config


@pytest.fixture
def here(filmed_folder, genba, monkeypatch):
    """Run `genba ...` in the folder of the filmed scene."""
    monkeypatch.chdir(filmed_folder)
    return genba


def cameras(given):
    return make_config({"task": "x", "cameras": given}).cameras


def test_cameras_are_a_list_of_names_or_a_mapping_to_settings():
    assert cameras(["a", "b"]) == cameras({"a": None, "b": {}})
    found = cameras({"a": {"size": [64, 48], "rate_hz": 5, "kinds": ["depth"]}, "b": {"size": 32}})
    assert found["a"].size == (64, 48)
    assert found["b"].size == (32, 32)
    assert (found["b"].kinds, found["b"].preset, found["b"].encoding) == (("rgb",), "fast", "zstd")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", "a"], "'a' is named twice"),
        ("a", "need a list of names, or a mapping"),
        ({"a": {"siz": 3}}, "no key 'siz' in the settings of camera 'a'; did you mean 'size'"),
        ({"a": {"size": 0}}, "cameras.a.size"),
        ({"a": {"size": [1, 2, 3]}}, "cameras.a.size"),
        ({"a": {"size": 5000}}, "less than or equal to 4096"),
        ({"a": {"kinds": ["rgb", "depht"]}}, "'rgb', 'depth' or 'segmentation', got 'depht'"),
        ({"a": {"kinds": []}}, "cameras.a.kinds"),
        ({"a": {"preset": "best"}}, "'fast', 'fine' or 'pbr', got 'best'"),
        ({"a": {"encoding": "gif"}}, "'zstd', 'raw', 'jpeg', 'png' or 'mp4', got 'gif'"),
        ({"a": {"rate_hz": 0}}, "greater than 0"),
        ({"a": {"rate_hz": float("inf")}}, "finite"),
        ({"a": 3}, "cameras.a"),
    ],
)
def test_bad_cameras_are_refused_in_one_sentence(given, message):
    with pytest.raises(ConfigError, match=message) as refused:
        cameras(given)
    assert "\n" not in str(refused.value)


def test_each_task_has_the_common_cameras_and_its_own():
    tasks = [{"task": "x", "episodes": 1, "cameras": ["b"]}, {"task": "y", "episodes": 1}]
    first, second = make_config({"tasks": tasks, "cameras": {"a": {"size": 8}}}).entries()
    assert sorted(first.cameras) == ["a", "b"]
    assert sorted(second.cameras) == ["a"]


def test_flags_win_over_the_file_and_name_the_cameras_to_keep():
    given = {"a": {"size": 8, "preset": "fine"}, "b": None}
    assert flagged_cameras(Options("x", size="64x48"), given) == {
        "a": {"size": [64, 48], "preset": "fine"},
        "b": {"size": [64, 48]},
    }
    named = flagged_cameras(Options("x", camera=("a", "c"), kinds="rgb, depth", rate_hz=5.0), given)
    assert named["a"] == {"size": 8, "preset": "fine", "kinds": ["rgb", "depth"], "rate_hz": 5.0}
    assert named["c"] == {"kinds": ["rgb", "depth"], "rate_hz": 5.0}
    assert flagged_cameras(Options("x")) == {}


@pytest.mark.parametrize("size", ["x", "12x", "1x2x3", "-4", "3.5", ""])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match="--size needs a number of pixels, or WIDTHxHEIGHT"):
        flagged_cameras(Options("x", camera=("a",), size=size))


def test_generate_render_info_and_validate_together(here, tmp_path):
    out = tmp_path / "set"
    flags = ("--camera", "side", "--size", "16x12", "--kinds", "depth,segmentation")
    run = ("generate", "filmed:MyTask", "--episodes", 2, "--executor", "inline", "--out", out, "--json")
    made = here(*run, *flags)
    assert made.code == 0
    assert json.loads(made.out)["frames"] > 40
    drawn = here("render", out, "--camera", "hand", "--size", 8, "--rate-hz", 2, "--kinds", "depth", "--json")
    assert drawn.code == 0
    assert json.loads(drawn.out)["cameras"] == ["hand"]
    told = here("info", out).out
    assert "camera hand: " in told
    assert "filmed:MyTask: 16x12 at 20 Hz: depth, segmentation; preset fast" in told
    assert " kB a frame" in told
    assert "drawn by " in told
    checked = here("validate", out, "--deep", "--replay", "all", "--workers", 1)
    assert checked.code == 0
    assert "pictures drawn again" in checked.out
    assert here("resume", out).code == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--camera", "sid"), 2, "no camera 'sid' in"),
        ((), 2, "nothing is left to draw; name a camera with --camera (its scene has hand, side)"),
        (("--size", "8"), 2, "--size is for cameras: name one with --camera"),
        (("--camera", "side", "--rate-hz", "3"), 2, "3 Hz does not divide the 20 Hz"),
        (("--camera", "side", "--preset", "fin"), 2, "'fast', 'fine' or 'pbr', got 'fin'"),
    ],
)
def test_render_refuses_in_one_sentence(here, filmed, args, code, says):
    result = here("render", filmed, *args)
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert result.err.count("\n") == 1


def test_render_without_flags_finishes_what_is_left(here, filmed, tmp_path):
    out = tmp_path / "set"
    shutil.copytree(filmed, out)
    manifest = json.loads((out / "dataset.json").read_text())
    manifest["media"]["hand"] |= {"complete": False, "shards": []}
    (out / "dataset.json").write_text(json.dumps(manifest))
    (out / "media" / "shard-00001.hand.h5").unlink()
    assert "camera hand" in here("info", out).out
    assert "incomplete: genba render" in here("info", out).out
    result = here("render", out, "--executor", "inline", "--json")
    assert result.code == 0
    assert json.loads(result.out)["cameras"] == ["hand"]
    assert (out / "dataset.json").read_text() == (filmed / "dataset.json").read_text()


def test_a_machine_without_opengl_is_exit_code_3_before_anything_runs(here, tmp_path, monkeypatch):
    from sim import render

    blind = render.renderer("rays")
    monkeypatch.setattr(render, "renderer", lambda *_: blind)
    result = here("generate", "filmed:MyTask", "--camera", "side", "--out", tmp_path / "set")
    assert (result.code, result.out) == (3, "")
    assert "rgb needs OpenGL" in result.err
    assert "depth and segmentation can be had without" in result.err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("command", ["generate", "render"])
def test_help_teaches_cameras(genba, command):
    told = genba(command, "--help")
    assert told.code == 0
    assert "--camera overview" in told.out
    assert "640x480" in told.out


def test_describe_tells_a_tasks_cameras(here):
    told = here("describe", "filmed:MyTask").out
    assert "Cameras" in told
    assert "640 x 640" in told
    assert "74 x 74 deg" in told
    assert json.loads(here("describe", "filmed:MyTask", "--json").out)["cameras"]["side"]["far_m"] == 8.0


def test_env_tells_what_draws(genba):
    from sim.render import renderer

    assert json.loads(genba("env", "--json").out)["rendering"]["backend"] == renderer().backend
