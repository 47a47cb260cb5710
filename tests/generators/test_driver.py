"""Datasets: the same bytes whoever makes them, in whatever order, however often it is killed."""

import contextlib
import functools
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from generators import driver
from generators.config import ConfigError, make_config
from generators.executors import results, run_inline, run_processes
from generators.jobs import ExecutorError, Lost
from generators.on_ray import run_ray
from generators.places import lock
from generators.reader import file_sha256
from generators.validate import validate
from scenes.catalog import load_task

EXAMPLES = Path(__file__).parents[2] / "examples"
TASK = "new_scene:MyTask"


def sums(out):
    return (out / "SHA256SUMS").read_text()


def make(out, executor=run_inline, order=list, **changes):
    config = make_config({"task": TASK, "episodes": 9, "episodes_per_shard": 2, "seed": 3, "out": str(out)} | changes)
    plan = driver.start(config, EXAMPLES)
    reports = driver.run(config.out, plan, executor=executor, on_report=lambda _: None, order=order)
    assert [r.index for r in reports] == list(range(5))
    return sums(out)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return make(tmp_path_factory.mktemp("reference") / "data")


def test_processes_give_the_same_bytes_as_inline(reference, tmp_path):
    for workers in (1, 2):
        assert make(tmp_path / str(workers), functools.partial(run_processes, workers=workers)) == reference


def test_ray_gives_the_same_bytes_as_inline(reference, tmp_path):
    for workers in (1, 2):
        assert make(tmp_path / str(workers), functools.partial(run_ray, workers=workers)) == reference


def test_shards_made_in_reverse_order_are_the_same(reference, tmp_path):
    assert make(tmp_path / "data", order=lambda jobs: list(reversed(jobs))) == reference


def test_several_tasks_share_a_dataset_and_each_keeps_its_parameters(tmp_path):
    """One table holds both, with columns of their own."""
    (tmp_path / "second_scene.py").write_text(
        "from first_scene import MyTask\nfrom sim.task import Task\n"
        "skip = ('__dict__', '__weakref__', '_abc_impl', '__abstractmethods__')\n"
        "Second = type('Second', (Task,), {k: v for k, v in vars(MyTask).items() if k not in skip}"
        " | {'name': 'examples/second', '__module__': __name__})\n"
    )
    (tmp_path / "first_scene.py").write_text((EXAMPLES / "new_scene.py").read_text())
    tasks = [
        {"task": "first_scene:MyTask", "episodes": 3},
        {"task": "second_scene:Second", "episodes": 2, "parameters": {"friction": 0.3}},
    ]
    out = tmp_path / "data"
    reports = driver.generate(make_config({"tasks": tasks, "out": str(out), "workers": 1}), tmp_path)
    assert [r.episodes for r in reports] == [2, 1, 2]
    table = pq.read_table(out / "episodes.parquet").to_pylist()
    assert [row["task"] for row in table] == ["examples/push_billet"] * 3 + ["examples/second"] * 2
    names = [n for n in table[0] if n.startswith("params.") and n.endswith(".friction")]
    assert len(names) == 2
    assert [row[names[1]] for row in table] == [None, None, None, 0.3, 0.3]
    finder = functools.partial(load_task, folder=tmp_path)
    assert validate(out, deep=True, replay=-1, load_task=finder).ok


def test_another_seed_gives_other_bytes(reference, tmp_path):
    assert make(tmp_path / "data", seed=4) != reference


def start_resume(out):
    """Resume a dataset in a process group of its own."""
    script = f"import sys; from generators.cli import main; sys.exit(main(['resume', {str(out)!r}]))"
    return subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.faults)])
def test_random_kills_of_the_whole_group_lose_nothing(kills, tmp_path):
    """Kill -9 at random moments, resume; what is there under a final name is whole, and the end is the same."""
    size = {"episodes": 60, "episodes_per_shard": 3, "executor": "processes", "workers": 2}
    whole = tmp_path / "whole"
    config = make_config({"task": TASK, "seed": 3, "out": str(whole)} | size)
    plan = driver.start(config, EXAMPLES)
    finished = driver.run(whole, plan, executor=run_inline, on_report=lambda _: None)
    hashes = {r.name: r.file_sha256 for r in finished}

    out = tmp_path / "killed"
    driver.start(make_config({"task": TASK, "seed": 3, "out": str(out)} | size), EXAMPLES)
    rng = random.Random(kills)
    for _ in range(kills):
        process = start_resume(out)
        time.sleep(rng.uniform(1.0, 3.5))
        kill_group(process)
        for path in (out / "shards").glob("*.h5"):
            assert file_sha256(path) == hashes[path.name]
    process = start_resume(out)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    assert sums(out) == sums(whole)
    assert not list(out.rglob("*.tmp"))


def test_workers_of_a_killed_driver_end_by_themselves(tmp_path):
    out = tmp_path / "data"
    config = {
        "task": TASK,
        "episodes": 400,
        "episodes_per_shard": 200,
        "out": str(out),
        "executor": "processes",
        "workers": 2,
    }
    driver.start(make_config(config), EXAMPLES)
    process = start_resume(out)
    deadline = time.monotonic() + 60
    while not (children := descendants(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    children = descendants(process.pid)
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while any(alive(p) for p in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [p for p in children if alive(p)]
    assert not list((out / "shards").glob("*.h5"))


def descendants(pid):
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                found += [child, *descendants(child)]
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_leaves_whole_shards_and_a_plan_that_resumes(tmp_path):
    out = tmp_path / "data"
    config = {
        "task": TASK,
        "episodes": 60,
        "episodes_per_shard": 2,
        "out": str(out),
        "executor": "processes",
        "workers": 2,
    }
    driver.start(make_config(config), EXAMPLES)
    process = start_resume(out)
    deadline = time.monotonic() + 60
    while not list((out / "shards").glob("*.h5")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "genba resume" in err.decode()
    assert "Traceback" not in err.decode()
    assert driver.reopen(out).attempts == 60


def test_two_drivers_cannot_write_one_dataset(tmp_path):
    out = tmp_path / "data"
    config = make_config({"task": TASK, "episodes": 2, "out": str(out)})
    plan = driver.start(config, EXAMPLES)
    with lock(out), pytest.raises(ConfigError, match="another genba is writing"):
        driver.run(out, plan, executor=run_inline, on_report=lambda _: None)


def test_resume_goes_to_the_ray_cluster_that_it_is_given(genba, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    driver.start(make_config({"task": "new_scene:MyTask", "episodes": 2, "out": str(tmp_path / "data")}), EXAMPLES)
    result = genba("resume", tmp_path / "data", "--executor", "ray", "--ray-address", "203.0.113.9:6379")
    assert result.code == 3
    assert "Ray at 203.0.113.9:6379 is on another machine: set RAY_AUTH_TOKEN" in result.err


def test_resume_refuses_a_task_whose_source_has_changed(tmp_path):
    source = (EXAMPLES / "new_scene.py").read_text()
    (tmp_path / "changing_scene.py").write_text(source)
    out = tmp_path / "data"
    driver.start(make_config({"task": "changing_scene:MyTask", "episodes": 2, "out": str(out)}), tmp_path)
    (tmp_path / "changing_scene.py").write_text(source + "\n# changed\n")
    with pytest.raises(ConfigError, match=r"source of task .* has changed"):
        driver.reopen(out)


def test_resume_refuses_an_edited_plan(tmp_path):
    out = tmp_path / "data"
    driver.start(make_config({"task": TASK, "episodes": 2, "out": str(out)}), EXAMPLES)
    plan = out / "plan.json"
    plan.write_text(plan.read_text().replace('"mujoco_version": "', '"mujoco_version": "9.'))
    with pytest.raises(ConfigError, match="mujoco 9"):
        driver.reopen(out)


def test_a_job_that_kills_its_worker_is_set_aside_and_the_others_finish():
    found = list(run_processes(_die_on_two, [0, 1, 2, 3, 4], workers=2))
    (lost,) = [r for r in found if isinstance(r, Lost)]
    assert lost.job == 2
    assert "died 3 times" in lost.error
    assert sorted(r for r in found if not isinstance(r, Lost)) == [0, 1, 3, 4]
    with pytest.raises(ExecutorError, match=r"2: its worker process died 3 times"):
        list(results(iter(found)))


def test_a_ray_job_that_kills_its_worker_is_set_aside_and_the_others_finish():
    found = list(run_ray(_die_on_two, [0, 1, 2], workers=1))
    (lost,) = [r for r in found if isinstance(r, Lost)]
    assert lost.job == 2
    assert "3 attempts" in lost.error
    assert sorted(r for r in found if not isinstance(r, Lost)) == [0, 1]


@pytest.mark.parametrize("run", [run_inline, functools.partial(run_processes, workers=2)])
def test_an_executor_that_is_told_to_stop_finishes_what_is_under_way_and_begins_nothing(run):
    asked = itertools.count()
    done = list(run(_square, list(range(20)), stop=lambda: next(asked) >= 6))
    assert 1 <= len(done) <= 6


def test_shards_that_kill_their_workers_are_named_and_resume_makes_them(tmp_path, reference):
    """The other shards are made and described; who resumes gets the same bytes as if nothing had happened."""
    out = tmp_path / "data"
    config = make_config({"task": TASK, "episodes": 9, "episodes_per_shard": 2, "seed": 3, "out": str(out)})
    plan = driver.start(config, EXAMPLES)

    def deadly(work, jobs):
        for job in jobs:
            yield Lost(job, "its worker process died") if job.shard.index == 1 else work(job)

    with pytest.raises(driver.UnfinishedError, match=r"shard-00001.h5: its worker process died.*4 of 5.*genba resume"):
        driver.run(out, plan, executor=deadly, on_report=lambda _: None)
    assert len(list((out / "shards").glob("*.h5"))) == 4
    assert not json.loads((out / "dataset.json").read_text())["complete"]
    driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert sums(out) == reference


def test_resume_hashes_no_shard_that_nobody_has_touched_and_begins_no_job_for_it(tmp_path, reference, monkeypatch):
    assert make(tmp_path / "data") == reference
    monkeypatch.setattr("generators.worker.file_sha256", None)
    begun = []

    def executor(work, jobs):
        begun.extend(jobs)
        return iter(())

    reports = driver.run(
        tmp_path / "data", driver.reopen(tmp_path / "data"), executor=executor, on_report=lambda _: None
    )
    assert begun == []
    assert [r.resumed for r in reports] == [True] * 5
    assert sums(tmp_path / "data") == reference


def test_resume_makes_a_shard_anew_that_somebody_has_damaged_and_keeps_one_that_was_only_copied(tmp_path, reference):
    out = tmp_path / "data"
    make(out)
    damaged, copied = (out / "shards" / f"shard-0000{i}.h5" for i in (1, 2))
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged.write_bytes(raw)
    copied.write_bytes(copied.read_bytes())
    reports = driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert [r.resumed for r in reports] == [True, False, True, True, True]
    assert sums(out) == reference


def test_a_damaged_shard_loses_its_name_before_anything_is_made_again(tmp_path, reference):
    out = tmp_path / "data"
    make(out)
    path = out / "shards" / "shard-00003.h5"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

    def interrupted(_work, jobs):
        assert [job.shard.index for job in jobs] == [3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driver.run(out, driver.reopen(out), executor=interrupted, on_report=lambda _: None)
    assert not path.exists()
    driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert sums(out) == reference


@pytest.mark.parametrize("executor", ["processes", pytest.param("ray", marks=pytest.mark.faults)])
def test_a_first_sigterm_finishes_the_shards_under_way_and_leaves_the_rest_to_resume(executor, tmp_path):
    out = tmp_path / "data"
    config = {"task": TASK, "episodes": 60, "episodes_per_shard": 2, "out": str(out), "executor": executor}
    driver.start(make_config(config | {"workers": 2}), EXAMPLES)
    process = start_resume(out)
    deadline = time.monotonic() + 60
    while not list((out / "shards").glob("*.h5")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping when the shards under way are done" in err.decode()
    assert "genba resume" in err.decode()
    assert not list(out.rglob("*.tmp"))
    assert len(list((out / "shards").glob("*.h5"))) < 30


def _square(x):
    return x * x


def _die_on_two(x):
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def _knock(token_too):
    """From inside a Ray worker: try to join its cluster in a process of one's own; return the exit code."""
    import ray

    env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    if token_too:
        env |= {k: v for k, v in os.environ.items() if k.startswith("RAY_AUTH")}
    address = ray.get_runtime_context().gcs_address
    code = f"import ray; ray.init(address={address!r}, log_to_driver=False); print(ray.cluster_resources())"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=120)
    return token_too, done.returncode


def test_a_ray_of_ours_refuses_who_has_no_token():
    answers = dict(run_ray(_knock, [False, True], workers=2))
    assert answers[True] == 0
    assert answers[False] != 0


def test_generating_needs_no_network(tmp_path):
    """Every name lookup and every connection but local pipes raises, in the driver and in its workers."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, sys\n"
        "def refuse(event, args):\n"
        "    if event == 'socket.getaddrinfo' or event == 'socket.connect' and args[0].family != socket.AF_UNIX:\n"
        "        raise PermissionError(f'network: {event} {args}')\n"
        "sys.addaudithook(refuse)\n"
    )
    script = (
        "import sys; from generators.cli import main\n"
        "assert main(['generate', 'new_scene:MyTask', '--episodes', '4', '--workers', '2', '--out', sys.argv[1]]) == 0\n"
        "assert main(['validate', sys.argv[1], '--deep', '--replay', 'all']) == 0\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script, str(tmp_path / "data")]
    done = subprocess.run(command, cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
