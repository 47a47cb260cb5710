"""Validation: it names the shard and the column of any damage, whatever the file does to HDF5."""

import importlib
import json
import shutil
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators import examination, replaying, sandbox
from generators import validate as module
from generators.validate import Finding, validate

FLIPS = 400
SHARDS = ("shard-00000.h5", "shard-00001.h5")


@pytest.fixture
def copy(dataset, tmp_path):
    """A dataset that a test may spoil."""
    return Path(shutil.copytree(dataset, tmp_path / "set"))


def messages(report):
    return [str(f) for f in report.findings]


def test_a_whole_dataset_has_no_findings_at_any_depth(dataset, kit):
    stages = []
    report = validate(
        dataset, deep=True, replay=-1, load_task=kit.load_task, progress=lambda *progress: stages.append(progress)
    )
    assert messages(report) == []
    assert report.ok
    assert (report.files, report.shards_read) == (3, 2)
    assert report.replayed == 12
    assert report.bytes == sum(p.stat().st_size for p in [*(dataset / "shards").iterdir(), dataset / "stats.json"])
    assert [s for s in stages if s[1] == s[2]] == [("hashes", 3, 3), ("columns", 2, 2), ("replay", 2, 2)]


def test_hashes_alone_open_no_shard(dataset, monkeypatch):
    monkeypatch.setattr(examination.subprocess, "Popen", None)
    monkeypatch.setattr(h5py, "File", None)
    report = validate(dataset)
    assert report.ok
    assert report.shards_read == 0


def chunks_of(path):
    """Return (start, stop, column) of every chunk."""
    out = []

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and node.chunks:
            for i in range(node.id.get_num_chunks()):
                info = node.id.get_chunk_info(i)
                out.append((info.byte_offset, info.byte_offset + info.size, name))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return out


def test_a_flipped_byte_anywhere_names_the_shard_and_the_column(tmp_path, kit, episodes):
    kept = [e for e in episodes if len(e)][:3]
    (tmp_path / "shards").mkdir()
    original = tmp_path / "original.h5"
    file = kit.write_shard(original, enumerate(kept), overrides=kit.TROUBLE)
    raw, chunks = original.read_bytes(), chunks_of(original)
    rng = np.random.default_rng(20)
    inside = [int(rng.integers(start, stop)) for start, stop, _ in (chunks[i % len(chunks)] for i in range(FLIPS // 2))]
    offsets = [*inside, *rng.integers(0, len(raw), FLIPS - len(inside)).tolist()]
    files, expected = {}, {}
    for i, offset in enumerate(offsets):
        name = f"shard-{i:05d}.h5"
        damaged = bytearray(raw)
        damaged[offset] ^= int(rng.integers(1, 256))
        (tmp_path / "shards" / name).write_bytes(damaged)
        files[name] = file
        expected[name] = next((c for start, stop, c in chunks if start <= offset < stop), None)
    kit.describe_dataset(tmp_path, files, 3, statistics="{}")

    report = validate(tmp_path)

    found = {name: {f.column for f in report.findings if f.shard == name} for name in files}
    assert len({c for c in expected.values() if c}) > 40
    assert [name for name in files if not found[name]] == []
    wrong = {n: (expected[n], found[n]) for n in files if expected[n] and expected[n] not in found[n]}
    assert wrong == {}
    outside = [f.message for f in report.findings if expected[f.shard] is None and not f.column]
    assert all(message.startswith("file structure") for message in outside)
    assert outside


def test_a_deep_run_never_opens_a_damaged_file_in_this_process(copy, kit, monkeypatch):
    path = copy / "shards" / SHARDS[0]
    raw = bytearray(path.read_bytes())
    raw[chunks_of(path)[-1][0]] ^= 1
    path.write_bytes(raw)
    opened = []
    real = h5py.File
    monkeypatch.setattr(
        h5py, "File", lambda p, *rest, **options: opened.append(Path(p).name) or real(p, *rest, **options)
    )
    report = validate(copy, deep=True, replay=-1, load_task=kit.load_task)
    assert {f.shard for f in report.findings} == {SHARDS[0]}
    assert set(opened) == {SHARDS[1]}
    assert report.shards_read == 1


def test_a_truncated_and_a_foreign_file_are_named_as_damaged_structure(copy):
    first, second = (copy / "shards" / n for n in SHARDS)
    first.write_bytes(first.read_bytes()[:5000])
    second.write_bytes(b"not HDF5 at all")
    report = validate(copy)
    assert [(f.shard, f.column) for f in report.findings] == [(SHARDS[0], ""), (SHARDS[1], "")]
    assert all(f.message.startswith("file structure") for f in report.findings)


def test_missing_stray_and_temporary_files_are_named(copy):
    (copy / "shards" / SHARDS[0]).unlink()
    (copy / "shards" / "shard-00009.h5").write_bytes(b"")
    (copy / "shards" / f".{SHARDS[0]}.77.tmp").write_bytes(b"")
    (copy / "stats.json").write_text("{ }")
    found = messages(validate(copy))
    assert found[:3] == [
        "shard-00000.h5: it is missing",
        "shard-00009.h5: it belongs to no shard that dataset.json lists",
        f"shards/.{SHARDS[0]}.77.tmp: a writer that was killed left it; it can be deleted",
    ]
    assert found[3].startswith("stats.json: its hash is ")
    assert len(found) == 4


def test_sums_that_lead_out_of_the_dataset_are_not_followed(copy, tmp_path):
    (tmp_path / "secret").write_text("x")
    (copy / "link").symlink_to(tmp_path / "secret")
    with (copy / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../secret\n{'0' * 64}  /etc/passwd\n{'0' * 64}  link\nnonsense\n")
    found = messages(validate(copy))
    assert [m for m in found if "no hash and name of a file in the dataset" in m] == [m for m in found if "SHA256" in m]
    assert len(found) == 4
    assert "link: it is a link out of the dataset" in found


def test_lists_that_disagree_are_named(copy):
    sums = (copy / "SHA256SUMS").read_text().splitlines()
    (copy / "SHA256SUMS").write_text("\n".join(["0" * 64 + sums[0][64:], *sums[2:]]))
    assert messages(validate(copy)) == [
        "shard-00000.h5: SHA256SUMS and dataset.json give it different hashes",
        "shard-00001.h5: SHA256SUMS does not list it",
    ]


def test_no_manifest_is_a_finding(tmp_path):
    assert "is no dataset" in messages(validate(tmp_path))[0]


def test_an_interrupted_generation_is_a_finding(copy):
    manifest = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps(manifest | {"complete": False}))
    assert "it is incomplete" in messages(validate(copy))[0]


def change(column, row, value):
    def spoil(file):
        file[column][row] = value

    spoil.__name__ = column.replace("/", "_")
    return spoil


def drop_column(file):
    del file["obs/x"]


def drop_row(file):
    values = file["steps/reward"][:-1]
    del file["steps/reward"]
    file["steps/reward"] = values


def wrong_count(file):
    file.attrs["n_steps"] = 3


def slow_clock(file):
    start, count = (file[f"episodes/streams/force/{part}"][1] for part in ("start", "count"))
    rows = slice(start, start + count)
    file["streams/force/t_ns"][rows] = file["streams/force/t_ns"][rows] * 2


BROKEN = {
    "an observation is not finite": (change("obs/x", (5, 1), np.nan), "obs/x", "row 5 is not finite"),
    "a state is not finite": (change("state/control", (3, 0), np.inf), "state/control", "row 3 is not finite"),
    "time stands still": (change("steps/t_ns", 3, 0), "steps/t_ns", "time does not increase"),
    "a sample is late": (change("streams/pos/t_ns", 3, 61_000_000), "streams/pos/t_ns", "50 Hz makes 2e+07 ns"),
    "a clock is slow": (slow_clock, "streams/force/t_ns", "200 Hz makes 5e+06 ns"),
    "an outcome has no name": (change("episodes/outcome", 1, 9), "episodes/outcome", "expected 0 to 5"),
    "a failure has no name": (change("episodes/fail_code", 1, 3), "episodes/fail_code", "expected 0 to 1"),
    "a mode has no name": (change("episodes/expert_mode", 1, 3), "episodes/expert_mode", "expected 0 to 2"),
    "a phase has no name": (change("steps/phase", 1, 2), "steps/phase", "expected -1 to 1"),
    "an episode ends twice": (change("steps/truncated", 3, True), "steps/truncated", "last rows"),
    "an episode does not end": (change("steps/truncated", 39, False), "steps/truncated", "last rows"),
    "a return is wrong": (change("episodes/return", 1, 1.0), "episodes/return", "sum of the rewards"),
    "a seed is wrong": (change("episodes/episode_seed", 1, 7), "episodes/episode_seed", "1 seeds are not"),
    "an episode is there twice": (change("episodes/episode_id", 1, 2), "episodes/episode_id", "1 episodes are twice"),
    "an episode is missing": (change("episodes/episode_id", 1, 2), "episodes/episode_id", "1 episodes are missing"),
    "rows overlap": (change("episodes/step_start", 2, 39), "episodes/step_start", "do not follow each other"),
    "observations overlap": (change("episodes/obs_start", 2, 40), "episodes/obs_start", "do not follow each other"),
    "samples overlap": (
        change("episodes/streams/pos/start", 2, 5),
        "episodes/streams/pos/start",
        "do not follow each other",
    ),
    "a length is wrong": (change("episodes/length", 1, 39), "steps/reward", "rows, the episodes have"),
    "a column is gone": (drop_column, "obs/x", "it is missing"),
    "a row is gone": (drop_row, "steps/reward", "rows, the episodes have"),
    "the root miscounts": (wrong_count, "", "the root says"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_forged_dataset_with_right_hashes_is_found_out(copy, kit, what):
    spoil, column, message = BROKEN[what]
    with h5py.File(copy / "shards" / SHARDS[0], "r+") as file:
        spoil(file)
    kit.reseal(copy)
    assert validate(copy).ok
    found = validate(copy, deep=True).findings
    assert [f for f in found if f.column == column and message in f.message], found


def test_a_content_hash_that_is_wrong_is_named(copy):
    manifest = json.loads((copy / "dataset.json").read_text())
    manifest["shards"][1]["content_sha256"] = "0" * 64
    (copy / "dataset.json").write_text(json.dumps(manifest))
    (finding,) = validate(copy, deep=True).findings
    assert finding.shard == SHARDS[1]
    assert finding.message.startswith("content_sha256 is ")


def test_replay_names_the_episode_the_step_and_the_column(copy, kit):
    with h5py.File(copy / "shards" / SHARDS[0], "r+") as file:
        row = file["episodes/obs_start"][2] + 7
        file["obs/x"][row, 1] = np.nextafter(file["obs/x"][row, 1], np.float32(9))
    kit.reseal(copy)
    report = validate(copy, replay=-1, load_task=kit.load_task)
    assert messages(report) == ["shard-00000.h5: obs/x: episode 2 replays differently: step 7: /obs/x differs"]


def test_replay_names_another_model_and_another_version(copy, kit):
    with h5py.File(copy / "shards" / SHARDS[1], "r+") as file:
        row = int(np.flatnonzero(file["episodes/length"][:])[0])
        file["episodes/params/mass"][row] += 1
    kit.reseal(copy)

    def newer(name):
        task = kit.load_task(name)
        object.__setattr__(task, "version", 3)
        return task

    found = messages(validate(copy, replay=-1, load_task=kit.load_task))
    assert found == [f"shard-00001.h5: episode {8 + row} replays differently: different model"]
    found = messages(validate(copy, replay=-1, load_task=newer))
    assert found[0].endswith("task 'tests/push' cannot be replayed: version 2 was recorded, this is version 3")


def test_replay_takes_a_sample_that_is_always_the_same(dataset, kit, monkeypatch):
    taken = []
    real = replaying.replays
    monkeypatch.setattr(
        replaying, "replays", lambda task, e, **k: taken.append([r.seed for r in e]) or real(task, e, **k)
    )
    for _ in range(2):
        assert validate(dataset, replay=5, load_task=kit.load_task).replayed == 5
    half = len(taken) // 2
    assert taken[:half] == taken[half:]
    assert sum(map(len, taken[:half])) == 5


def test_a_task_that_cannot_be_loaded_is_a_finding(dataset):
    def load(name):
        raise RuntimeError("gone")

    found = messages(validate(dataset, replay=1, load_task=load))
    assert "cannot be replayed: RuntimeError: gone" in found[0]


def test_workers_replay_the_same(copy, tmp_path, monkeypatch):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path / "tiny_task_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    load_task = importlib.import_module("tiny_task_module").load_task
    try:
        report = validate(copy, replay=-1, load_task=load_task, workers=2)
    finally:
        del sys.modules["tiny_task_module"]
    assert messages(report) == []
    assert report.replayed == 12


def test_replay_without_a_way_to_find_tasks_is_a_mistake(dataset):
    with pytest.raises(ValueError, match="load_task"):
        validate(dataset, replay=1)


def test_a_child_that_hangs_is_ended_and_its_shard_named(copy, monkeypatch):
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    hang = "import generators.sandbox as v, time; v.check_shard = lambda p, s: time.sleep(99); v.serve()"
    monkeypatch.setattr(sandbox, "_SERVE", hang)
    start = time.monotonic()
    assert messages(validate(copy, deep=True)) == [f"{n}: file structure: reading it takes too long" for n in SHARDS]
    assert time.monotonic() - start < 60


def test_a_child_that_crashes_is_replaced_for_the_next_shard(copy, monkeypatch):
    crash = (
        "import generators.sandbox as v, os, signal; real = v.check_shard\n"
        "v.check_shard = lambda p, s: os.kill(os.getpid(), signal.SIGSEGV) if '00000' in p.name else real(p, s)\n"
        "v.serve()"
    )
    monkeypatch.setattr(sandbox, "_SERVE", crash)
    report = validate(copy, deep=True)
    assert messages(report) == ["shard-00000.h5: file structure: reading it ended the process with SIGSEGV"]


def test_a_column_that_does_not_fit_into_memory_is_a_finding(copy, kit, monkeypatch):
    with h5py.File(copy / "shards" / SHARDS[0], "r+") as file:
        size = 3 << 30
        file.create_dataset("obs/huge", (size,), "u1", chunks=(1 << 20,), compression="gzip")
        file["obs/huge"].id.write_direct_chunk((0,), bytes(4 << 20))
    kit.reseal(copy)
    monkeypatch.setattr(sandbox, "MEMORY_BYTES", 2 << 30)
    found = messages(validate(copy, deep=True))
    assert len(found) == 1
    assert "obs/huge" in found[0]


def test_findings_read_as_one_line():
    assert str(Finding("a.h5", "obs/x", "bad", "hash")) == "a.h5: obs/x: bad"
    assert str(Finding("", "", "bad", "hash")) == "bad"
    assert json.loads(json.dumps(module.Report((Finding("a.h5", "", "bad", "hash"),)).to_json()))["ok"] is False
