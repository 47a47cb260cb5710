"""What workers left in logs/ is read like any other file: small, plain, and as good as none where it is no report."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from generators import driver
from generators.config import make_config
from generators.seals import sealed
from generators.worker import Job, run_shard, settled

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def job(tmp_path):
    """A shard of one episode that is made, and known to be whole."""
    config = make_config({"task": "new_scene:MyTask", "episodes": 1, "out": str(tmp_path / "data")})
    plan = driver.start(config, EXAMPLES)
    made = Job(plan.shards[0], dataclasses.replace(plan, shards=()), str(config.out))
    run_shard(made)
    assert settled(made) is not None
    return made


def test_a_log_that_is_no_report_is_as_good_as_none_and_soon_found_out(job):
    whole = job.report_path.read_bytes()
    for log in (b"[" * 100_000, b'"text"', b"[]", b"null", b"7", b"\xff", b'{"stamp": 1,' + whole[1:], whole[:-9]):
        job.report_path.write_bytes(log)
        begin = time.process_time()
        assert settled(job) is None
        assert time.process_time() - begin < 0.5
    job.report_path.write_bytes(whole)
    assert settled(job) is not None


def test_a_log_with_a_turned_bit_is_as_good_as_none(job):
    whole = job.report_path.read_bytes()
    for at in range(0, len(whole), 7):
        job.report_path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert settled(job) is None


def test_a_sealed_log_that_is_no_report_is_as_good_as_none(job):
    whole = json.loads(job.report_path.read_bytes())
    del whole["seal"]
    job.report_path.write_text(json.dumps(sealed(whole)))
    assert settled(job) is not None
    for wrong in ({"episodes": None}, {"unknown": 2}, {"stamp": [0, 0], "file_sha256": 7}, {"physics_sha256": []}):
        job.report_path.write_text(json.dumps(sealed(whole | wrong)))
        assert settled(job) is None
    job.report_path.write_text(json.dumps(sealed({})))
    assert settled(job) is None


def test_a_log_of_ten_gigabytes_is_not_read(job):
    with job.report_path.open("r+b") as file:
        file.truncate(10 << 30)
    assert settled(job) is None


def test_a_log_that_is_a_pipe_is_not_waited_for(job):
    job.report_path.unlink()
    os.mkfifo(job.report_path)
    assert settled(job) is None
