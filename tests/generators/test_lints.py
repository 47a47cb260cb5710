"""Lints: what CI relies on besides that they find things: names, severities, figures, and what they leave alone."""

import json
import shutil

import h5py
import numpy as np
import pytest

from generators.cli import main
from generators.lints.catalogue import LINTS, known_lints
from generators.lints.quality import record
from generators.lints.shards import check_shard
from generators.lints.values import same
from generators.schema import DERIVED
from generators.stats import summarize
from generators.validate import validate
from sim.errors import UnknownNameError


@pytest.fixture
def copy(dataset, tmp_path):
    """A dataset that a test may spoil."""
    return shutil.copytree(dataset, tmp_path / "set")


@pytest.fixture
def idle(copy, kit):
    """A dataset with a warning and no error: an episode in which nothing is done, statistics and all."""
    path = copy / "shards" / "shard-00000.h5"
    with h5py.File(path, "r+") as file:
        start, length = (int(file[f"episodes/{name}"][1]) for name in ("step_start", "length"))
        file["steps/action"][start : start + length] = 0
        file[f"{DERIVED}steps/action"][...] = summarize(file["steps/action"][:]).rows()
    (copy / "stats.json").write_text(kit.statistics_of(sorted((copy / "shards").iterdir())))
    kit.reseal(copy)
    return copy


def test_every_lint_is_said_in_one_sentence():
    assert len(LINTS) >= 30
    assert all(lint.doc.endswith(".") and len(lint.doc) < 120 for lint in LINTS.values())
    assert {lint.level for lint in LINTS.values()} == {"quick", "deep", "replay"}


def test_a_lint_that_does_not_exist_cannot_be_ignored():
    assert known_lints(["hash"]) == {"hash"}
    with pytest.raises(UnknownNameError, match="did you mean 'not-finite'"):
        known_lints(["not-finit"])


def test_a_warning_is_told_and_does_not_fail_but_where_strict_is_asked(idle, capsys):
    assert main(["validate", str(idle), "--deep"]) == 0
    assert "warning: shard-00000.h5: steps/action: 1 episodes have nothing but zeros" in capsys.readouterr().out
    assert main(["validate", str(idle), "--deep", "--strict"]) == 1
    assert "[all-zero-actions]" in capsys.readouterr().out
    assert main(["validate", str(idle), "--deep", "--strict", "--ignore", "all-zero-actions"]) == 0


def test_json_carries_the_lints(idle, capsys):
    assert main(["validate", str(idle), "--deep", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lints"] == {"all-zero-actions": 1}
    assert [(f["lint"], f["severity"]) for f in told["findings"]] == [("all-zero-actions", "warning")]
    assert told["levels"] == ["quick", "deep"]


def test_the_lints_can_be_listed(capsys):
    assert main(["validate", "--list-lints"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(LINTS)
    assert main(["validate", "--list-lints", "--json"]) == 0
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} == set(LINTS)


def test_record_without_deep_or_without_a_folder_is_a_mistake(dataset, capsys):
    assert main(["validate", str(dataset), "--record"]) == 2
    assert "--deep" in capsys.readouterr().err
    assert main(["validate"]) == 2
    assert "--list-lints" in capsys.readouterr().err


def test_what_is_recorded_is_what_is_there_and_the_same_every_time(copy, kit):
    report = validate(copy, deep=True, replay=4, load_task=kit.load_task)
    record(copy, report.quality[""])
    first = (copy / "dataset.json").read_bytes()
    found = json.loads(first)["quality"]
    outcomes = [o for path in sorted((copy / "shards").iterdir()) for o in _column(path, "outcome")]
    of = [v for path in sorted((copy / "shards").iterdir()) for v in _column(path, "params/mass")]
    assert found["success"][kit.Push.name] == {
        "episodes": 16,
        "success": outcomes.count(1),
        "share": outcomes.count(1) / 16,
    }
    bins = {min(int((v - 1) / 0.2), 9) for v, o in zip(of, outcomes, strict=True) if np.isfinite(v)}
    assert found["parameter_coverage"][kit.Push.name]["mass"] == len(bins) / 10
    assert (found["nan_rate"], found["duplicate_rate"], found["errors"]) == (0.0, 0.0, 0)
    assert found["replay_verified"] == 4 / 16
    assert found["levels"] == ["quick", "deep", "replay"]
    record(copy, validate(copy, deep=True, replay=4, load_task=kit.load_task).quality[""])
    assert (copy / "dataset.json").read_bytes() == first
    assert validate(copy).ok


def _column(path, name):
    with h5py.File(path) as file:
        return file[f"episodes/{name}"][:].tolist()


def test_nothing_is_recorded_of_what_cannot_be_read(copy):
    path = copy / "shards" / "shard-00000.h5"
    path.write_bytes(path.read_bytes()[:5000])
    assert validate(copy, deep=True).quality == {}


@pytest.mark.parametrize("stride", [1, 3])
def test_states_at_a_stride_show_a_shift_too(stride, episodes, kit, tmp_path):
    kept = [e for e in episodes if len(e) > 20][:3]
    path = tmp_path / "shard-00000.h5"
    kit.write_shard(path, enumerate(kept), overrides=kit.TROUBLE, control_stride=stride)
    known = {"seed": None, "tasks": [{"name": kit.Push.name}]}
    assert check_shard(path, known)["findings"] == []
    with h5py.File(path, "r+") as file:
        file["obs/x"][...] = np.roll(file["obs/x"][:], 1, axis=0)
    found = {(lint, column): message for lint, column, message in check_shard(path, known)["findings"]}
    assert "belongs to the control step before" in found["off-by-one", "obs/x"]


def test_statistics_may_differ_by_rounding_and_no_more():
    values = np.random.default_rng(0).normal(3e4, 1, (4000, 1))
    right = summarize(values)
    rows = right.rows()
    for row in range(2, 6):
        near, far = rows.copy(), rows.copy()
        near[row] *= 1 + 1e-11
        far[row] *= 1 + 1e-7
        assert same(near, rows, right)
        assert not same(far, rows, right)
    missing = rows.copy()
    missing[0] -= 1
    assert not same(missing, rows, right)
