"""The commands list, describe, env and view: what they print, how they fail, and what they let others reach."""

import dataclasses
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import mujoco
import numpy as np
import pytest

from generators.commands import env, view
from generators.description import describe
from scenes import anchors
from scenes.catalog import load_task, task_names
from sim.errors import GenbaError, TaskError
from sim.model import CONTROL
from sim.rollout import rollout, rollouts

EXAMPLE = "new_scene:MyTask"


@pytest.mark.parametrize("command", ["list", "describe", "env", "view", "page", "bench"])
def test_help_has_an_example_that_runs_the_command(genba, command):
    result = genba(command, "--help")
    assert result.code == 0
    assert re.search(rf"Examples:\n  genba {command}", result.out)


def test_list_names_every_task_in_a_line_each(genba):
    result = genba("list")
    assert result.code == 0
    for name in task_names():
        assert re.search(rf"^{name} .* s .*,", result.out, re.MULTILINE)


def test_list_as_json(genba):
    rows = json.loads(genba("list", "--json").out)
    assert [row["name"] for row in rows] == list(task_names())
    assert all(row["phases"] and row["horizon_s"] > 0 and row["summary"] and not row["error"] for row in rows)


def test_a_task_that_cannot_be_loaded_is_listed_with_its_error(genba, monkeypatch):
    from generators.commands import list as command

    def broken(name):
        raise TaskError("importing 'x' failed: no luck")

    monkeypatch.setattr(command, "load_task", broken)
    result = genba("list")
    assert result.code == 0
    assert "no luck" in result.out


def test_describe_tells_all_that_the_author_declared(genba):
    result = genba("describe", EXAMPLE)
    assert result.code == 0
    for text in (
        "examples/push_billet v1",
        "Success: the billet's head rests within 5 mm",
        "approach, push, retract",
        "overshot, overload",
        "rushed, brakes_late",
        "Instruction (en): Push the 0.45 m billet",
        "Instruction (ja): 長さ0.45 m",
        "0.15 to 0.4, log scale",
        "0 ± 0.03, within -0.08 to 0.08",
        "-0.5 to 1",
    ):
        assert text in result.out
    assert re.search(r"^laser +1 +m +50 Hz +20 ms +noise 0.0005, dropout 0.01", result.out, re.MULTILINE)
    assert re.search(r"^force +1 +N +500 Hz +0 ms +noise 5 ", result.out, re.MULTILINE)


def test_describe_as_json_holds_the_same_and_is_strict_json(genba):
    facts = json.loads(genba("describe", EXAMPLE, "--json").out, parse_constant=lambda c: pytest.fail(c))
    assert facts["parameters"]["friction"]["distribution"] == {"kind": "log_uniform", "low": 0.15, "high": 0.4}
    assert facts["actions"]["drive"] == {"unit": "m/s", "low": -0.5, "high": 1.0, "doc": "commanded pusher speed"}
    assert facts["channels"]["laser"]["latency_s"] == 0.02
    assert list(facts["observations"]) == ["pusher", "laser", "force", "mark", "touched"]
    assert facts["signals"]["touched"]["dim"] == 1


def test_describe_measures_the_anchors_that_vouch_for_a_task(genba, monkeypatch):
    law = anchors.Law("weight", "W = m g", "statics", "N")
    found = [law.near(100.0, 101.0, rel=0.05), law.within(100.0, 100.5, -np.inf, 110.0, case="heavy")]
    monkeypatch.setattr(anchors, "vouching", lambda name: {"weights": "Weights."})
    monkeypatch.setattr(anchors, "measure", lambda name: iter(found))
    plain = genba("describe", EXAMPLE, "--json")
    assert json.loads(plain.out)["anchors"] == {"weights": "Weights."}
    assert "measured" not in json.loads(plain.out)
    assert "weights  Weights." in genba("describe", EXAMPLE).out

    result = genba("describe", EXAMPLE, "--anchors")
    facts = json.loads(genba("describe", EXAMPLE, "--anchors", "--json").out)

    assert result.code == 0
    assert re.search(r"^weight +N +100 +101 +± 5 \(5 %\) +holds +W = m g +statics$", result.out, re.MULTILINE)
    assert [(a["name"], a["low"], a["holds"]) for a in facts["measured"]] == [
        ("weight", 95.0, True),
        ("weight, heavy", None, True),
    ]
    found.append(law.near(100.0, 120.0, rel=0.05))
    assert genba("describe", EXAMPLE, "--anchors").code == 1


@pytest.mark.parametrize("name", task_names())
def test_every_task_is_described_with_units_and_words(name):
    facts = describe(load_task(name))
    json.dumps(facts, allow_nan=False)
    assert facts["doc"]
    assert set(facts["instruction"]) == {"en", "ja"}
    for parameter, known in facts["parameters"].items():
        is_word = isinstance(known["distribution"].get("values", [0])[0], str)
        assert known["unit"] or is_word, parameter


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("describe", "steel/crane_coal"), "did you mean 'steel/crane_coil'"),
        (("describe", "new_scen:MyTask"), "did you mean 'new_scene'"),
        (("describe", "new_scene:Task"), "is no subclass"),
        (("view", "steel/crane_coal"), "nor is there a folder"),
        (("view", "."), ". is no dataset: it has no dataset.json"),
        (("view", EXAMPLE, "--port", "99999"), "port 99999 is taken or not allowed"),
    ],
)
def test_bad_input_is_answered_in_one_sentence_with_exit_code_2(genba, args, says):
    result = genba(*args)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


@pytest.mark.parametrize("args", [("describe",), ("list", "extra"), ("env", "--jsn"), ("view", "x", "--seed", "a")])
def test_bad_flags_end_with_exit_code_2(genba, args):
    assert genba(*args).code == 2


def test_env_tells_versions_and_places(genba, root):
    result = genba("env", "--json")
    facts = json.loads(result.out)
    assert result.code == 0
    assert facts["versions"]["mujoco"].startswith("4.")
    assert facts["places"] == {name: str(root / name) for name in ("sim", "scenes", "generators")}
    assert facts["cpus"] >= 1
    assert re.search(rf"^sim +{root / 'sim'}$", genba("env").out, re.MULTILINE)


def test_env_fails_loudly_where_a_foreign_package_hides_ours(tmp_path, root):
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__init__.py").write_text("")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]; from generators.commands import env; sys.exit(env.main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert f"package 'sim' is not genba's but another one at {tmp_path / 'sim'}" in done.stderr


def test_listening_sockets_are_found_by_address_and_port():
    before = env.listening(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("0.0.0.0", 0)) as everywhere:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))  # bound is not listening
        found = set(env.listening(os.getpid())) - set(before)
        bound.close()
        assert found == {("127.0.0.1", here.getsockname()[1]), ("0.0.0.0", everywhere.getsockname()[1])}
    if socket.has_ipv6:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
            assert ("::1", six.getsockname()[1]) in env.listening(os.getpid())
    assert env.listening(os.getpid()) == before


def test_env_lists_what_listens(genba):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"listening    127.0.0.1:{port} (genba, process {os.getpid()})" in genba("env").out


def test_a_recording_of_a_task_is_the_rollout_of_its_seed(root):
    task = load_task(EXAMPLE, root / "examples")
    episode = rollout(task, 3)
    recording = view.make_recording(task, episode, "title")
    np.testing.assert_array_equal(recording.states, episode.control)
    assert recording.title == f"title: success after {len(episode) / 20:.2f} s"


def test_a_recording_says_how_a_worse_expert_ended(root):
    task = load_task(EXAMPLE, root / "examples")
    titles = [view.make_recording(task, e, "t").title for e in rollouts(task, range(12), degraded=1.0)]
    assert any("failure (overshot) with a degraded expert (brakes_late)" in t for t in titles)


def test_an_episode_of_another_model_or_without_states_is_not_shown(root):
    task = load_task(EXAMPLE, root / "examples")
    episode = rollout(task, 3)
    with pytest.raises(GenbaError, match="different model"):
        view.make_recording(task, dataclasses.replace(episode, model_sha256="0"), "title")
    with pytest.raises(GenbaError, match="nothing to show"):
        view.make_recording(task, dataclasses.replace(episode, control=np.zeros((0, 0))), "title")


def test_an_episode_of_a_dataset_is_shown(genba, tmp_path, monkeypatch):
    out = tmp_path / "data"
    assert genba("generate", EXAMPLE, "--episodes", 2, "--executor", "inline", "--out", out).code == 0
    recording = view.record(view.Options(str(out), episode=1))
    assert recording.title.startswith(f"examples/push_billet, episode 1 of {out}: ")
    assert recording.states.shape[0] > 20
    result = genba("view", out, "--episode", 2)
    assert (result.code, result.err) == (2, f"genba: {out} has episodes 0 to 1, not 2\n")


def test_the_first_free_port_is_taken_and_a_taken_one_refused():
    with view.loopback_socket() as first:
        first.listen()
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(GenbaError, match=f"port {port} is taken"):
            view.loopback_socket(port)
        with view.loopback_socket() as second:
            assert second.getsockname()[1] > port


@pytest.fixture
def viewer(root):
    """A running `genba view` of the example; its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    args = [sys.executable, "-m", "generators.cli", "view", EXAMPLE, "--seed", "3", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    process = subprocess.Popen(
        args, cwd=root / "examples", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if port in [p for _, p in env.listening(process.pid)]:
            break
        time.sleep(0.1)
    yield process, port
    if process.poll() is None:
        process.kill()
    process.stdout.close()
    process.wait()


def test_the_viewer_listens_on_loopback_only_serves_its_page_and_ends_on_interrupt(viewer):
    process, port = viewer
    sockets = env.listening(process.pid)
    assert ("127.0.0.1", port) in sockets
    assert all(ipaddress.ip_address(address).is_loopback for address, _ in sockets)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
        assert b"<html" in page.read().lower()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/model", timeout=30) as model:
        assert len(model.read()) > 1000
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert out.startswith("examples/push_billet, seed 3: success after ")
    assert f"http://127.0.0.1:{port}/" in out
    assert f"ssh -L {port}:127.0.0.1:{port} " in out
    assert "Remote:" not in out
    assert "Traceback" not in out


def test_a_viewer_that_could_be_reached_from_elsewhere_is_stopped():
    from generators.commands import _studio

    with socket.create_server(("0.0.0.0", 0)), pytest.raises(GenbaError, match="which others can reach"):
        _studio._private()


class Handle:
    """What a plugin is given to talk to the viewer with."""

    def __init__(self):
        self.sent = []

    def send_to_viewer(self, message):
        self.sent.append(message)


@pytest.fixture
def playing(root, monkeypatch):
    """A playback of the example with a clock that the test turns: (playback, step, clock)."""
    from mujoco.studio import messages

    from generators.commands import _studio

    clock = [100.0]
    monkeypatch.setattr(_studio.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_studio.time, "sleep", lambda s: None)
    task = load_task(EXAMPLE, root / "examples")
    recording = view.make_recording(task, rollout(task, 3), "title")
    playback = _studio.Playback(recording)
    playback._handle = Handle()
    data = mujoco.MjData(recording.model)

    def step(seconds):
        clock[0] += seconds
        playback._on_step(messages.StepEvent(model=recording.model, data=data))
        return data

    return playback, step, recording


def test_playback_shows_the_recorded_states_at_their_time_and_begins_anew(playing):
    playback, step, recording = playing
    assert step(0.0).time == 0.0
    for seconds in (0.05, 0.5, 1.2):
        now = playback._clock + seconds
        data = step(seconds)
        frame = int(now / 0.05 + 1e-6)
        shown = np.empty(recording.states.shape[1])
        mujoco.mj_getState(recording.model, data, shown, CONTROL)
        np.testing.assert_array_equal(shown, recording.states[frame])
    end = recording.states[-1, 0]
    assert step(end - playback._clock + 0.5).time == end
    assert step(1.0).time == 0.0


def test_playback_pauses_steps_scrubs_changes_speed_and_resets(playing):
    from mujoco.studio import messages, sim, sim_history

    playback, step, recording = playing
    step(0.2)
    playback._on_pause(messages.RequestPauseEvent(pause_state=sim.PauseState.NORMAL_PAUSED))
    assert step(1.0).time == pytest.approx(0.2)
    playback._on_single_step(messages.SingleStepEvent())
    assert step(1.0).time == pytest.approx(0.25)
    playback._on_scrub(sim_history.SimHistorySnapshot(index=-1))
    assert step(1.0).time == pytest.approx(recording.states[-2, 0])
    playback._on_reset(messages.ResetEvent())
    assert step(0.0).time == 0.0
    playback._on_step_control(messages.StepControlSnapshot(pause_state=sim.PauseState.UNPAUSED, speed=50.0))
    assert step(1.0).time == pytest.approx(0.5)
    assert playback._on_load(messages.LoadModelEvent(path="evil.xml")) is True
