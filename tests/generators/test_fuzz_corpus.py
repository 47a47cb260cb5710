"""The corpus of tests/fuzz: whatever was once a finding, and the seeds, are read or refused, soon and in little memory."""

import time
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())
TARGETS = ("shard", "media", "described", "robomimic", "table", "config", "query", "about", "log")


@pytest.fixture
def target(fuzzing, tmp_path):
    """Return a target by name, with files of its own."""
    fuzzing.make_whole(tmp_path)
    return lambda name: fuzzing.guarded(fuzzing.TARGETS[name](tmp_path))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_once_found_is_refused_or_read(path, target):
    run, data = target(path.parent.name), path.read_bytes()
    begin = time.process_time()
    run(data)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_good_and_their_ruins_are_not_trusted(name, target, fuzzing, tmp_path):
    run, seeds = target(name), fuzzing.seeds(name, tmp_path, fuzzing.FILES)
    assert any(run(data) for data in seeds)
    for data in seeds:
        for cut in range(1, 12):
            run(data[: len(data) * cut // 12])
            run(data[: len(data) * cut // 12] + b"\xff\0[" + data[len(data) * cut // 12 + 3 :])


def test_the_corpus_is_small_and_every_target_is_known(fuzzing):
    assert sum(path.stat().st_size for path in FOUND) < 100_000
    assert {path.parent.name for path in FOUND} <= set(TARGETS) == set(fuzzing.TARGETS)
