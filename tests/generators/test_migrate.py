"""Datasets of earlier versions: read as they are, validated, and brought up to this one without touching a shard."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from generators.curation.filter import filter_dataset
from generators.curation.migrate import NOT_RECORDED, migrate
from generators.dataset import Dataset, read_manifest
from generators.places import lock
from generators.schema import MANIFEST_VERSION, DatasetError, VersionError
from generators.validate import validate
from sim.errors import GenbaError

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def old(tmp_path):
    """A dataset whose dataset.json is of version 1.0."""
    with tarfile.open(GOLDEN / "1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "1.0"


def hashes(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_every_version_before_this_one_has_a_golden_dataset():
    major, minor = (int(part) for part in MANIFEST_VERSION.split("."))
    assert [(GOLDEN / f"{major}.{m}.tar.xz").is_file() for m in range(minor)] == [True] * minor


def test_a_dataset_of_version_1_0_is_read_and_valid(old):
    assert read_manifest(old)["format_version"] == "1.0"
    with Dataset(old) as data:
        assert [e.seed for e in data] == data.table().column("episode_seed").to_pylist()
        assert [len(e.observations["laser"]) for e in data] == [len(e) + 1 for e in data]
        assert len(data.where('outcome == "success"')) == 2
    assert validate(old, deep=True).findings == ()


def test_a_dataset_of_version_1_0_can_be_filtered_without_migration(old, tmp_path):
    manifest = filter_dataset(old, "episode_id == 1", tmp_path / "out")
    assert manifest["format_version"] == MANIFEST_VERSION
    assert validate(tmp_path / "out", deep=True).ok


def test_migration_adds_what_is_new_and_touches_nothing_but_dataset_json(old):
    before, manifest = hashes(old), read_manifest(old)
    changes = migrate(old)
    after, migrated = hashes(old), read_manifest(old)
    assert any(change.startswith("format_version: 1.0 becomes 1.1") for change in changes)
    assert {n for n in before if after[n] != before[n]} == {"dataset.json"}
    assert set(after) - set(before) == {"README.md", "README.ja.md", "croissant.json", "provenance.jsonld"}
    assert {k: migrated[k] for k in manifest if k != "format_version"} == {
        k: v for k, v in manifest.items() if k != "format_version"
    }
    assert migrated["format_version"] == MANIFEST_VERSION
    assert set(migrated["environment"].values()) == {NOT_RECORDED}
    assert "license" in migrated["governance"]
    assert migrated["files"]["episodes.parquet"] == before["episodes.parquet"]
    assert validate(old, deep=True).findings == ()


def test_migrating_twice_changes_nothing(old):
    assert migrate(old)
    before = hashes(old)
    assert migrate(old) == []
    assert hashes(old) == before


def test_a_dry_run_only_tells(old):
    before = hashes(old)
    assert migrate(old, dry_run=True) == migrate(old, dry_run=True)
    assert hashes(old) == before
    assert not (old / ".lock").exists()


def test_what_a_manifest_lacks_follows_from_the_table(old):
    manifest = read_manifest(old)
    for name in ("episodes", "steps", "outcomes", "bytes"):
        del manifest[name]
    (old / "dataset.json").write_text(json.dumps(manifest))
    migrate(old)
    migrated = read_manifest(old)
    assert migrated["episodes"] == 2
    assert migrated["outcomes"] == {"success": 2}
    assert migrated["steps"] == sum(s["steps"] for s in migrated["shards"])


def test_a_dataset_that_is_being_written_is_left_alone(old):
    with lock(old), pytest.raises(GenbaError, match="another genba is writing"):
        migrate(old)


def test_what_is_no_dataset_or_of_a_later_version_is_refused(old, tmp_path):
    with pytest.raises(DatasetError, match="is no dataset"):
        migrate(tmp_path / "nowhere")
    manifest = read_manifest(old) | {"format_version": "2.0"}
    (old / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(VersionError, match="update genba"):
        migrate(old)


def test_a_damaged_manifest_is_refused_and_stays(old):
    (old / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match="damaged"):
        migrate(old)
    assert (old / "dataset.json").read_text() == "{"


def test_an_interrupted_dataset_is_migrated_as_far_as_it_is(old):
    manifest = read_manifest(old) | {"complete": False}
    (old / "dataset.json").write_text(json.dumps(manifest))
    for name in ("episodes.parquet", "stats.json"):
        (old / name).unlink()
    shutil.rmtree(old / "media", ignore_errors=True)
    migrate(old)
    assert read_manifest(old)["complete"] is False
    assert "files" not in read_manifest(old)
