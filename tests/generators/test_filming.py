"""Pictures of a dataset: drawn with it or afterwards, they are the same, and its physics never knows."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators import driver
from generators.config import ConfigError, make_config
from generators.dataset import Dataset
from generators.executors import run_inline, run_processes
from generators.filming import film_shard
from generators.governance.write import write_metadata
from generators.media.shots import DrawError, check_drawable, make_shots
from generators.media_manifest import planned_media, wanted_media
from generators.on_ray import run_ray
from generators.plan import read_plan
from generators.schema import DatasetError
from generators.states import rebuild, states_at
from generators.validate import validate
from scenes.catalog import load_task
from sim import render
from sim.cameras import project
from sim.errors import UnknownNameError

HAND = {"hand": {"size": 16, "rate_hz": 5, "kinds": ["depth"]}}


def sums(out):
    return {p.name: p.read_bytes() for p in (out / "media").glob("*.h5")}


def manifest(out):
    return json.loads((out / "dataset.json").read_text())


def draw(out, cameras, executor=run_inline, **options):
    plan = read_plan(out / "plan.json")
    config = make_config(plan.config | {"cameras": cameras})
    name = plan.tasks[0].name
    shots = {name: make_shots(load_task(name, Path(plan.folder)), name, config.cameras)}
    return driver.render(out, plan, shots, executor=executor, on_report=lambda _: None, **options)


@pytest.fixture
def copy(filmed, tmp_path):
    shutil.copytree(filmed, tmp_path / "set")
    return tmp_path / "set"


def test_pictures_change_no_byte_of_the_physics(filmed, make_filmed, tmp_path):
    make_filmed(tmp_path / "bare")
    assert (tmp_path / "bare" / "SHA256SUMS").read_text() == (filmed / "SHA256SUMS").read_text()
    assert manifest(tmp_path / "bare")["physics_sha256"] == manifest(filmed)["physics_sha256"]
    assert manifest(tmp_path / "bare")["media"] == {}


def test_pictures_drawn_afterwards_are_those_drawn_at_once(filmed, make_filmed, kinds, tmp_path):
    """Also one camera after the other, and in other processes."""
    make_filmed(tmp_path / "set")
    draw(tmp_path / "set", {"side": {"size": [32, 24], "kinds": kinds}})
    draw(tmp_path / "set", HAND, functools.partial(run_processes, workers=2))
    assert sums(tmp_path / "set") == sums(filmed)
    assert manifest(tmp_path / "set")["media"] == manifest(filmed)["media"]
    assert (tmp_path / "set/media/SHA256SUMS").read_text() == (filmed / "media/SHA256SUMS").read_text()


def test_processes_draw_the_same_bytes_as_inline(filmed, make_filmed, kinds, tmp_path):
    cameras = {"side": {"size": [32, 24], "kinds": kinds}} | HAND
    make_filmed(tmp_path / "set", cameras, functools.partial(run_processes, workers=2))
    assert sums(tmp_path / "set") == sums(filmed)


def test_ray_draws_the_same_bytes_as_inline(filmed, make_filmed, kinds, tmp_path):
    cameras = {"side": {"size": [32, 24], "kinds": kinds}} | HAND
    make_filmed(tmp_path / "set", cameras, functools.partial(run_ray, workers=1))
    assert sums(tmp_path / "set") == sums(filmed)


def test_an_episode_has_its_pictures_with_their_steps(filmed, kinds):
    with Dataset(filmed) as data:
        for episode in data:
            steps = len(episode)
            assert episode.cameras == ("hand", "side")
            assert np.array_equal(episode.shots("side").step, np.arange(steps + 1))
            assert np.array_equal(episode.shots("hand").step, np.arange(0, steps + 1, 4))
            assert np.array_equal(episode.shots("side").t_ns[:-1], episode.array("steps/t_ns"))
            for kind in kinds:
                assert episode.images("side", kind).shape[:3] == (steps + 1, 24, 32)
            assert episode.images("hand", "depth", 1, 3).shape == (2, 16, 16)
            assert episode.camera_facts("side")["backend"] == render.renderer().backend
            with pytest.raises(UnknownNameError, match="did you mean 'side'"):
                episode.images("sid", "depth")


def test_a_known_point_is_where_its_segment_is_and_as_far_as_depth_says(filmed, filmed_folder):
    """The middle of the billet, seen by the camera that moves and the one that does not."""
    task = load_task("filmed:MyTask", filmed_folder)
    with Dataset(filmed) as data:
        episode = data[0]
        assert ("billet", "billet") in episode.shots("side").segments
        shots, depth = episode.shots("side"), episode.images("side", "depth")
        numbers = episode.images("side", "segmentation")
        billet = shots.segments.index(("billet", "billet"))
        found = rebuild(task, episode)
        positions = states_at(task, found, episode, shots.step)
        import mujoco

        from sim.model import CONTROL

        mj = mujoco.MjData(found.model)
        for i in (0, len(shots.step) - 1):
            mujoco.mj_setState(found.model, mj, positions[i], CONTROL)
            mujoco.mj_kinematics(found.model, mj)
            u, v, ahead = project(mj.body("billet").xpos, shots.k, shots.t_world_cam[i])
            row, column = round(float(v)), round(float(u))
            assert numbers[i, row, column] == billet
            metres = depth[i, row, column] * shots.far / 65535
            assert 0 < ahead - metres < 0.15  # the surface is nearer than the middle, by half a billet's width or so


def test_states_between_recorded_ones_are_simulated_again(filmed, filmed_folder, tmp_path, monkeypatch):
    """As if /state/control had been kept at every seventh step only."""
    task = load_task("filmed:MyTask", filmed_folder)
    with Dataset(filmed) as data:
        episode = data[1]
        found, steps = rebuild(task, episode), np.arange(len(episode) + 1)
        whole = episode.array("state/control")
        monkeypatch.setattr(type(episode), "control_stride", 7)
        assert states_at(task, found, episode, steps).tobytes() == whole.tobytes()
        assert states_at(task, found, episode, steps[20:23]).tobytes() == whole[20:23].tobytes()


def test_a_task_that_builds_another_scene_now_is_a_different_model(copy, tmp_path):
    plan = read_plan(copy / "plan.json")
    changed = (
        (Path(plan.folder) / "filmed.py").read_text().replace("rgba=[0.9, 0.6, 0.1, 1]", "rgba=[0.1, 0.6, 0.9, 1]")
    )
    (tmp_path / "filmed_anew.py").write_text(changed)
    text = (copy / "plan.json").read_text().replace(json.dumps(plan.folder), json.dumps(str(tmp_path)))
    (copy / "plan.json").write_text(text.replace("filmed:MyTask", "filmed_anew:MyTask"))
    with pytest.raises(DatasetError, match=r"shard-00000\.h5, episode 0: different model"):
        draw(copy, HAND, again=True)


def test_drawing_reads_the_physics_only(copy):
    before = {p.name: p.read_bytes() for p in (copy / "shards").iterdir()}
    for path in [*(copy / "shards").iterdir(), copy / "shards"]:
        path.chmod(0o555)
    draw(copy, {"side": {"size": 8, "kinds": ["depth"]}})
    assert {p.name: p.read_bytes() for p in (copy / "shards").iterdir()} == before


def test_a_damaged_shard_is_not_drawn(copy):
    path = copy / "shards" / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match=r"shard-00001\.h5 is damaged"):
        draw(copy, {"side": {"size": 8, "kinds": ["depth"]}})


def test_other_settings_replace_a_cameras_pictures_and_keep_the_others(copy):
    hand = {n: b for n, b in sums(copy).items() if "hand" in n}
    draw(copy, {"side": {"size": [20, 10], "rate_hz": 10, "kinds": ["depth"]}})
    with Dataset(copy) as data:
        assert data[3].images("side", "depth").shape == (len(data[3]) // 2 + 1, 10, 20)
    assert {n: b for n, b in sums(copy).items() if "hand" in n} == hand
    assert validate(copy, deep=True).ok


def test_an_interrupted_drawing_never_looks_whole_and_goes_on(copy, filmed, kinds):
    """The second shard fails; the first has new pictures already, and the manifest lists no old ones beside them."""

    def stumble(work, jobs):
        yield work(jobs[0])
        raise KeyboardInterrupt

    small = {"side": {"size": [20, 10], "kinds": ["depth"]}}
    with pytest.raises(KeyboardInterrupt):
        draw(copy, small, stumble)
    entry = manifest(copy)["media"]["side"]
    assert (entry["complete"], [s["index"] for s in entry["shards"]]) == (False, [0])
    with Dataset(copy) as data:
        assert data[0].cameras == ("hand", "side")
        assert data[3].cameras == ("hand",)
    found = validate(copy)
    assert any("camera 'side' is incomplete" in str(f) for f in found.findings)
    reports = draw(copy, small)
    assert [r.resumed for r in reports] == [True, False]
    assert validate(copy, deep=True).ok
    draw(copy, {"side": {"size": [32, 24], "kinds": kinds}})
    assert sums(copy) == sums(filmed)


def test_resume_makes_missing_and_damaged_pictures(copy, filmed):
    (copy / "media" / "shard-00000.side.h5").unlink()
    damaged = copy / "media" / "shard-00001.hand.h5"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (copy / "media" / ".shard-00000.side.h5.1.tmp").write_bytes(b"half")
    plan = driver.reopen(copy)
    driver.run(copy, plan, executor=run_inline, on_report=lambda _: None)
    assert sums(copy) == sums(filmed)
    assert manifest(copy) == manifest(filmed)
    assert not list(copy.rglob("*.tmp"))


def test_a_kill_while_pictures_are_written_loses_nothing(make_filmed, filmed_folder, tmp_path):
    cameras = {"side": {"size": 64, "kinds": ["depth", "segmentation"]}}
    make_filmed(tmp_path / "whole", cameras, episodes=12, episodes_per_shard=4)
    out = tmp_path / "killed"
    config = make_config(
        {"task": "filmed:MyTask", "episodes": 12, "episodes_per_shard": 4, "seed": 3, "out": str(out)}
        | {"cameras": cameras, "executor": "inline"}
    )
    driver.start(config, filmed_folder)
    script = f"import sys; from generators.cli import main; sys.exit(main(['resume', {str(out)!r}]))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("media/.*.tmp")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = sums(tmp_path / "whole")
    assert {n: whole[n] for n in sums(out)} == sums(out)
    driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert sums(out) == whole
    assert not list(out.rglob("*.tmp"))


def test_resume_goes_by_the_manifest_where_it_was_drawn_anew(copy):
    draw(copy, {"side": {"size": 8, "kinds": ["depth"]}})
    assert wanted_media(copy, read_plan(copy / "plan.json"))["filmed:MyTask"][1].width == 8
    assert planned_media(read_plan(copy / "plan.json"))["filmed:MyTask"][1].width == 32


def test_a_cut_manifest_forgets_no_camera_that_was_drawn_since(copy):
    before = draw(copy, {"hand": {"size": 8, "kinds": ["depth"]}, "side": {"size": 24, "kinds": ["depth"]}})
    (copy / "logs" / "shard-00000.other.json").write_text('{"camera": "../other"')
    known, pictures = manifest(copy), sums(copy)
    (copy / "dataset.json").write_text((copy / "dataset.json").read_text()[:-9])
    (report,) = driver.run(copy, driver.reopen(copy), executor=run_inline, on_report=lambda _: None)[:1]
    assert [m.camera for m in report.media] == [r.camera for r in before[:2]] == ["hand", "side"]
    assert manifest(copy)["media"] == known["media"]
    assert sums(copy) == pictures


def test_a_camera_that_would_be_a_path_is_refused(copy):
    text = (copy / "dataset.json").read_text()
    (copy / "dataset.json").write_text(text.replace('"side"', '"../../side"'))
    with pytest.raises(DatasetError, match=r"a camera's name has no '/', got '\.\./\.\./side'"):
        driver.reopen(copy)


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ({"a/b": {}}, "files are named after cameras, and 'a/b' has a '/' in it"),
        ({"sid": {}}, "has no camera 'sid'; did you mean 'side'"),
        ({"side": {"rate_hz": 7}}, r"7 Hz does not divide the 20 Hz .*; the nearest that does is 6\.66667 Hz"),
        ({"side": {"rate_hz": 40}}, r"40 Hz does not divide the 20 Hz .*; the nearest that does is 20 Hz"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(cameras, message, make_filmed, tmp_path):
    with pytest.raises(ConfigError, match=message):
        make_filmed(tmp_path / "set", cameras)
    assert not (tmp_path / "set").exists()


def test_colours_without_opengl_are_refused_before_anything_runs(make_filmed, tmp_path, monkeypatch):
    blind = render.renderer("rays")
    monkeypatch.setattr(render, "renderer", lambda *_: blind)
    with pytest.raises(DrawError, match=r"rgb needs OpenGL .*; depth and segmentation can be had without"):
        make_filmed(tmp_path / "set", ["side"])
    assert DrawError.exit_code == 3
    assert not (tmp_path / "set").exists()
    make_filmed(tmp_path / "set", {"side": {"size": 8, "kinds": ["depth", "segmentation"]}})
    assert manifest(tmp_path / "set")["media"]["side"]["drawn_by"] == [{"backend": "rays", "device": "mj_multiRay"}]


def test_several_tasks_share_cameras_and_have_their_own(filmed_folder, tmp_path):
    (tmp_path / "filmed_too.py").write_text((filmed_folder / "filmed.py").read_text())
    (tmp_path / "other.py").write_text(
        "from filmed_too import MyTask\nfrom sim.task import Task\n"
        "skip = ('__dict__', '__weakref__', '_abc_impl', '__abstractmethods__')\n"
        "Other = type('Other', (Task,), {k: v for k, v in vars(MyTask).items() if k not in skip}"
        " | {'name': 'examples/other', '__module__': __name__})\n"
    )
    depth = {"size": 8, "kinds": ["depth"]}
    tasks = [
        {"task": "filmed_too:MyTask", "episodes": 2, "cameras": {"hand": depth}},
        {"task": "other:Other", "episodes": 2, "cameras": {"side": depth | {"size": 12}}},
    ]
    config = {"tasks": tasks, "cameras": {"side": depth}, "out": str(tmp_path / "set"), "workers": 1}
    driver.generate(make_config(config), tmp_path)
    with Dataset(tmp_path / "set") as data:
        assert [e.cameras for e in data] == [("hand", "side")] * 2 + [("side",)] * 2
        assert data[0].images("side", "depth").shape[1:] == (8, 8)
        assert data[3].images("side", "depth").shape[1:] == (12, 12)
    assert validate(tmp_path / "set", deep=True).ok


def test_an_episode_without_states_has_no_pictures(make_filmed, filmed_folder, tmp_path):
    source = (filmed_folder / "filmed.py").read_text()
    line = '        spec = new_spec("push_billet", timestep=0.002)\n'
    assert line in source
    broken = source.replace(line, "        if p.length < 0.4:\n            raise ValueError('no such billet')\n" + line)
    (tmp_path / "breaking.py").write_text(broken)
    config = {"task": "breaking:MyTask", "episodes": 6, "episodes_per_shard": 6, "workers": 1}
    out = tmp_path / "set"
    driver.generate(make_config(config | {"out": str(out), "cameras": HAND}), tmp_path)
    with Dataset(out) as data:
        lengths = [len(e) for e in data]
        assert 0 in lengths
        assert max(lengths) > 0
        for episode in data:
            assert len(episode.images("hand", "depth")) == (len(episode) // 4 + 1 if len(episode) else 0)
    assert validate(out, deep=True).ok


def test_validation_finds_what_is_wrong_with_pictures(copy, filmed, filmed_folder):
    finder = functools.partial(load_task, folder=filmed_folder)
    report = validate(copy, deep=True, replay=2, load_task=finder)
    assert report.ok
    assert (report.shards_read, report.replayed, report.redrawn) == (6, 2, 12)
    side = copy / "media" / "shard-00000.side.h5"
    data = side.read_bytes()
    with h5py.File(side) as file:
        at = file["side/depth"].id.get_chunk_info(0).byte_offset
    side.write_bytes(data[: at + 20] + b"\xff" * 40 + data[at + 60 :])
    (copy / "media" / "shard-00000.hand.h5").unlink()
    (copy / "media" / "stray.h5").write_bytes(b"")
    found = [str(f) for f in validate(copy).findings]
    assert any(f.startswith("media/shard-00000.side.h5: side/depth: the file is damaged here") for f in found)
    assert "media/shard-00000.hand.h5: it is missing" in found
    assert any(f.startswith("media/stray.h5: it belongs to no shard") for f in found)
    assert len(found) == 3


def rewrite(out, name, change):
    """Change a media shard and everything that holds its hash: only reading it through can tell."""
    from generators.reader import file_sha256

    path = out / "media" / name
    old = file_sha256(path)
    with h5py.File(path, "r+") as file:
        change(file)
    for text in (out / "dataset.json", out / "media" / "SHA256SUMS"):
        text.write_text(text.read_text().replace(old, file_sha256(path)))
    write_metadata(out)


def bad_pose(file):
    file["side/T_world_cam"][3, 0, 0] = np.nan


def bad_rotation(file):
    file["side/T_world_cam"][3, 0, 0] += 0.1


def bad_k(file):
    file["side/K"][1] = 0


def bad_counts(file):
    file["episodes/frame_count"][0] -= 1


def bad_step(file):
    file["side/step"][2] += 1


def bad_shard(file):
    file.attrs["shard"] = 1


def bad_settings(file):
    file["side"].attrs["preset"] = "fine"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (bad_pose, "side/T_world_cam: a pose is not finite"),
        (bad_rotation, "side/T_world_cam: a pose is no rotation"),
        (bad_k, "side/K: an episode's focal length"),
        (bad_counts, "episodes/frame_count: the pictures are not as many"),
        (bad_step, "side/step: the pictures are not at the steps"),
        (bad_shard, "it was drawn from shard 1"),
        (bad_settings, "preset is 'fine', dataset.json says 'fast'"),
    ],
)
def test_a_media_shard_that_is_wrong_in_itself_is_found(change, finding, copy):
    rewrite(copy, "shard-00000.side.h5", change)
    assert validate(copy).ok
    found = [str(f) for f in validate(copy, deep=True).findings]
    assert len(found) == 1
    assert found[0].startswith(f"media/shard-00000.side.h5: {finding}")


def test_pictures_that_are_not_of_these_states_are_found_by_drawing_again(copy, filmed_folder):
    def swap(file):
        file["hand/T_world_cam"][...] = file["hand/T_world_cam"][:][::-1]

    rewrite(copy, "shard-00000.hand.h5", swap)
    assert validate(copy, deep=True).ok
    finder = functools.partial(load_task, folder=filmed_folder)
    found = [str(f) for f in validate(copy, replay=-1, load_task=finder).findings]
    assert len(found) == 2
    assert "shard-00000.h5: episode 0, camera hand: drawn again, T_world_cam differ" in found


def test_pictures_of_another_device_are_not_compared_and_that_is_said(copy, filmed_folder, monkeypatch):
    other = render.renderer("rays")
    if render.renderer().backend == "rays":
        pytest.skip("this machine has no other backend")
    monkeypatch.setattr(render, "renderer", lambda *_: other)
    finder = functools.partial(load_task, folder=filmed_folder)
    report = validate(copy, replay=1, load_task=finder)
    assert report.ok
    assert report.redrawn == 0
    assert len(report.notes) == 2
    assert all("here draws rays on mj_multiRay" in note for note in report.notes)


def test_jobs_draw_nothing_that_is_there(copy):
    plan = read_plan(copy / "plan.json")
    jobs = []
    driver.render(
        copy,
        plan,
        wanted_media(copy, plan),
        executor=lambda work, todo: (jobs.extend(todo), run_inline(work, todo))[1],
        on_report=lambda _: None,
    )
    assert all(report.resumed for job in jobs for report in film_shard(job))


def test_a_preset_or_size_that_cannot_be_stored_is_refused(filmed_folder):
    task = load_task("filmed:MyTask", filmed_folder)
    config = make_config({"task": "x", "cameras": {"side": {"size": 33, "encoding": "mp4"}}})
    with pytest.raises(ValueError, match="even width and height"):
        check_drawable(make_shots(task, "x", config.cameras))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"width": 32', '"width": "wide"'),
        ('"shard-00000.side.h5"', '"../../shard-00000.side.h5"'),
        ('"stride": 4', '"strid": 4'),
        ('"frames": ', '"framez": '),
    ],
)
def test_a_manifest_whose_pictures_make_no_sense_is_a_finding(copy, old, new):
    path = copy / "dataset.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    found = validate(copy, deep=True).findings
    assert [f.shard for f in found] == ["dataset.json"]
