"""The fault harness: quick faults in every run of the tests, whole campaigns with --faults."""

import itertools
import json
import os
import subprocess
import sys

import pytest

from generators.faults.campaign import conduct, make_place, shares
from generators.faults.invariant import broken
from generators.faults.kinds import KINDS
from generators.faults.program import Program, marked, reap
from generators.faults.trials import Trial, plan_trials


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with make_place(7, tmp_path_factory.mktemp("faults") / "work") as made:
        yield made


def test_a_killed_driver_and_a_flipped_bit_lose_nothing(place):
    outcome = conduct(place, Trial(0, "inline", (("driver killed",), ("shard flipped",))))
    assert [f.kind for f in outcome.faults if f.evidence] == ["driver killed", "shard flipped"]
    assert outcome.codes == (-9, 0)
    assert outcome.broken == ()


def test_the_undisturbed_dataset_has_unstable_episodes_and_holds_itself(place):
    reference = place.reference
    assert reference.unstable > 0
    assert len(reference.files) == 40
    assert broken(reference.folder, reference) == []


@pytest.mark.parametrize("name", ["shards/shard-00007.h5", "stats.json", "SHA256SUMS"])
def test_a_dataset_that_was_damaged_after_its_end_is_told_from_the_undisturbed_one(place, name, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(place.reference.folder), str(copy)], check=True)
    raw = bytearray((copy / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / name).write_bytes(raw)
    assert any(name.rpartition("/")[2] in sentence for sentence in broken(copy, place.reference))


@pytest.mark.parametrize("store", ["folder", "s3"])
def test_a_seed_determines_the_faults_and_every_kind_has_its_turn(store):
    for executor in ("inline", "processes", "ray", "ray2"):
        first, again = (list(itertools.islice(plan_trials(5, executor, (), store), 40)) for _ in range(2))
        assert first == again
        dealt = {name for trial in first for names in trial.runs for name in names}
        assert dealt == {k.name for k in KINDS if executor in k.executors and store in k.stores}
    assert next(plan_trials(6, "ray")) != next(plan_trials(5, "ray"))


def test_each_executor_gets_its_share_and_together_they_are_as_many_as_asked():
    assert shares(200, ("inline", "processes", "ray", "ray2")) == {"inline": 70, "processes": 30, "ray": 50, "ray2": 50}
    assert sum(shares(7, ("processes", "ray")).values()) == 7


def test_processes_are_found_by_their_mark_and_ended(tmp_path):
    env = os.environ | {"MARK": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], env=env)
    assert marked(str(tmp_path)) == [child.pid]
    assert reap(str(tmp_path), 0.0) == 1
    assert child.wait(10) == -9


def test_a_program_s_words_tell_whether_it_has_work(tmp_path):
    run = Program(["list", "--no-such-flag"], tmp_path, os.environ)
    assert run.ends(60.0) == 2
    assert not run.working()
    assert "no-such-flag" in run.words


def test_an_executor_that_does_not_exist_is_refused_with_the_nearest(genba):
    result = genba("faults", "--executors", "inline,rya")
    assert result.code == 2
    assert "no executor 'rya'; did you mean 'ray'?" in result.err


@pytest.mark.faults
@pytest.mark.parametrize(("executor", "count"), [("inline", 20), ("processes", 15), ("ray", 20), ("ray2", 12)])
def test_a_campaign_breaks_nothing(executor, count, tmp_path):
    out = tmp_path / "all.json"
    args = ["faults", "--count", str(count), "--seed", "11", "--executors", executor, "--out", str(out)]
    command = [sys.executable, "-m", "generators.cli", *args]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads(out.read_text())["trials"]
    happened = {f["kind"] for t in trials for f in t["faults"] if f["evidence"]}
    assert sum(bool(f["evidence"]) for t in trials for f in t["faults"]) >= count
    assert len(happened) >= 8


@pytest.mark.faults
def test_two_ray_nodes_of_which_each_is_killed_lose_nothing(place):
    runs = (
        ("node killed", "worker killed", "task leaves", "head killed"),
        ("shard cut", "report damaged", "node killed", "driver stopped", "driver killed"),
        ("leftovers",),
    )
    outcome = conduct(place, Trial(0, "ray2", runs))
    assert [f.kind for f in outcome.faults if f.evidence] == [name for names in runs for name in names]
    assert outcome.codes == (3, -9, 0)
    assert outcome.broken == ()


@pytest.mark.faults
def test_a_disk_is_filled_to_the_last_byte(tmp_path):
    script = f"mount -t tmpfs -o size=2m t {tmp_path} && {sys.executable} -c \"import pathlib; from generators.faults.disk import fill; fill(pathlib.Path('{tmp_path}/ballast'))\" && ! echo x > {tmp_path}/more"
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    assert subprocess.run([*unshare, "sh", "-c", script], capture_output=True).returncode == 0
