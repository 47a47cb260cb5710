"""mlcroissant finds nothing wrong with croissant.json, and its record set reads every row of episodes.parquet."""

import mlcroissant
import pyarrow.parquet as pq
import pytest

from generators.curation.filter import filter_dataset
from generators.dataset import read_manifest
from generators.governance.write import describe_anew

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlcroissant calls what pandas and rdflib retire

SAID = {
    "license": "CC-BY-4.0",
    "creator": "ACME",
    "name": {"en": "Billets", "ja": "ビレット"},
    "version": "1.0.0",
    "url": "https://acme.example/billets",
    "published": "2026-11-27",
    "citation": "ACME: Billets, 2026",
    "intended_use": {"en": "training", "ja": "学習"},
}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def told(filmed, tmp_path_factory):
    """A dataset of which everything is said that Croissant asks for."""
    out = tmp_path_factory.mktemp("told") / "set"
    filter_dataset(filmed, "episode_id >= 0", out)
    describe_anew(out, SAID)
    return out


def issues(found):
    return found.metadata.ctx.issues


def same(records, folder):
    rows = pq.read_table(folder / "episodes.parquet").to_pylist()
    assert len(records) == len(rows) == read_manifest(folder)["episodes"]
    for record, row in zip(records, rows, strict=True):
        seen = {k.removeprefix("episodes/"): v.decode() if isinstance(v, bytes) else v for k, v in record.items()}
        assert seen == row


def test_nothing_is_wrong_and_nothing_is_missing_once_all_is_said(told):
    found = mlcroissant.Dataset(jsonld=told / "croissant.json")
    assert not issues(found).errors
    assert not issues(found).warnings
    assert found.metadata.conforms_to[0] == "http://mlcommons.org/croissant/1.1"
    assert found.metadata.name == {"en": "Billets", "ja": "ビレット"}
    assert found.metadata.data_use_cases == ["training"]
    assert found.metadata.data_limitations


def test_what_nobody_said_is_recommended_and_no_error(filmed):
    found = mlcroissant.Dataset(jsonld=filmed / "croissant.json")
    assert not issues(found).errors
    missing = "".join(map(str, issues(found).warnings))
    assert all(f"{name}" in missing for name in ("license", "datePublished", "version", "citeAs"))


def test_its_records_are_the_rows_of_the_table(filmed, told):
    for folder in (filmed, told):
        same(list(mlcroissant.Dataset(jsonld=folder / "croissant.json").records("episodes")), folder)


def test_types_are_the_tables(filmed):
    (record, *_) = mlcroissant.Dataset(jsonld=filmed / "croissant.json").records("episodes")
    assert type(record["episodes/episode_seed"]).__name__ == "uint64"
    assert type(record["episodes/length"]).__name__ == "int32"
    assert type(record["episodes/params.length"]).__name__ == "float64"


def test_every_shard_is_a_file_of_its_own(filmed):
    found = mlcroissant.Dataset(jsonld=filmed / "croissant.json").metadata
    named = {o.name: o.sha256 for o in found.file_objects}
    for shard in read_manifest(filmed)["shards"]:
        assert named[f"shards/{shard['name']}"] == shard["file_sha256"]
    assert {s.name for s in found.file_sets} == {"shards", "media", "cards"}
