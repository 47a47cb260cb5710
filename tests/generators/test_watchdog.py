"""Tasks that hang: their worker dies when its time is over, the sentence says where, and the other shards are made."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from generators import driver
from generators.config import make_config
from generators.executors import run_inline, run_processes
from generators.on_ray import run_ray
from generators.watchdog import Limit

EXAMPLES = Path(__file__).parents[2] / "examples"
FLAG = """
        if p.mark < 1.04 and (pathlib.Path(__file__).parent / "flag").exists():
            time.sleep(600)
"""
SIZE = {"task": "hangs:MyTask", "episodes": 8, "episodes_per_shard": 1, "seed": 2}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with `hangs:MyTask`, of which one episode in eight hangs as long as the file `flag` is there."""
    folder = tmp_path_factory.mktemp("hangs")
    before, head, after = (EXAMPLES / "new_scene.py").read_text().partition('numbers in a fresh model."""\n')
    text = before.replace("import dataclasses\n", "import dataclasses, pathlib, time\n") + head + FLAG + after
    (folder / "hangs.py").write_text(text)
    return folder


def make(out, folder, executor):
    plan = driver.start(make_config(SIZE | {"out": str(out)}), folder)
    driver.run(out, plan, executor=executor, on_report=lambda _: None)
    return sums(out)


def sums(out):
    return (out / "SHA256SUMS").read_text()


@pytest.mark.faults
@pytest.mark.parametrize("run", [run_processes, run_ray])
def test_a_worker_that_hangs_is_ended_and_named_the_others_go_on_and_resume_makes_the_rest(run, scene, tmp_path):
    reference = make(tmp_path / "reference", scene, run_inline)
    (scene / "flag").touch()
    out = tmp_path / "data"
    limited = functools.partial(run, workers=2, limit=Limit(3.0))
    with pytest.raises(driver.UnfinishedError, match=r"3 times it took longer than 3 s.* in hangs.py, line \d+, build"):
        make(out, scene, limited)
    (scene / "flag").unlink()
    assert len(list((out / "shards").glob("*.h5"))) == 7
    driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert sums(out) == reference
    assert not list(out.rglob(".*.tmp"))


def test_a_hang_in_the_command_s_own_process_ends_it_with_one_sentence_and_resume_goes_on(scene, tmp_path):
    (scene / "flag").touch()
    out = tmp_path / "data"
    genba = [sys.executable, "-m", "generators.cli"]
    size = ["--episodes", "8", "--episodes-per-shard", "1", "--seed", "2", "--out", str(out)]
    command = [*genba, "generate", "hangs:MyTask", "--executor", "inline", "--time-limit-s", "3", *size]
    done = subprocess.run(command, cwd=scene, capture_output=True, text=True, timeout=100)
    (scene / "flag").unlink()
    assert done.returncode == 3, done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.search(r"took longer than 3 s, in hangs.py, line \d+, build; continue with: genba resume", last)
    driver.run(out, driver.reopen(out), executor=run_inline, on_report=lambda _: None)
    assert sums(out) == make(tmp_path / "reference", scene, run_inline)


def test_a_time_limit_is_no_part_of_what_determines_the_bytes(scene, tmp_path):
    short, long = (
        driver.start(make_config(SIZE | {"out": str(tmp_path / str(s)), "time_limit_s": s}), scene) for s in (9, 99)
    )
    assert short.physics_sha256 == long.physics_sha256
    assert driver.reopen(tmp_path / "9").config["time_limit_s"] == 9
