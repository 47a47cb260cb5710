"""croissant.json names every file with its hash and every column with its type; tests/peers has mlcroissant read it."""

import hashlib
import json

import pyarrow.parquet as pq
import pytest

from generators.curation.filter import filter_dataset
from generators.governance.write import describe_anew, render_metadata

TYPES = {
    "string": "sc:Text",
    "uint64": "cr:UInt64",
    "uint8": "cr:UInt8",
    "uint16": "cr:UInt16",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "double": "cr:Float64",
}


@pytest.fixture(scope="module")
def found(filmed):
    return json.loads((filmed / "croissant.json").read_text())


def objects(found):
    return {o["@id"]: o for o in found["distribution"] if o["@type"] == "cr:FileObject"}


def test_it_conforms_to_croissant_and_its_responsible_ai_vocabulary(found):
    assert found["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert found["@context"]["rai"] == "http://mlcommons.org/croissant/RAI/"
    assert found["rai:dataCollectionType"] == ["Simulations"]
    assert found["rai:personalSensitiveInformation"] == ["None: everything is simulated."]
    assert "Transfer to a real machine has not been measured." in found["rai:dataLimitations"]
    assert "license" not in found
    assert "creator" not in found


def test_every_file_of_the_data_is_named_with_its_hash(filmed, found):
    files = {p.relative_to(filmed).as_posix() for p in filmed.rglob("*.h5")} | {"episodes.parquet", "stats.json"}
    assert set(objects(found)) == files | {"dataset.json"}
    for name, node in objects(found).items():
        data = (filmed / name).read_bytes()
        assert node["sha256"] == hashlib.sha256(data).hexdigest(), name
        assert node["contentUrl"] == name
        assert node.get("contentSize", f"{len(data)} B") == f"{len(data)} B"
        assert (node["encodingFormat"] == "application/x-hdf5") == name.endswith(".h5")


def test_sets_of_files_find_what_is_there(filmed, found):
    sets = {s["@id"]: s["includes"] for s in found["distribution"] if s["@type"] == "cr:FileSet"}
    there = {name: [p.name for glob in globs for p in filmed.glob(glob)] for name, globs in sets.items()}
    assert {name: len(files) for name, files in there.items()} == {"shards": 2, "media": 4, "cards": 2}


def test_every_column_has_its_type_and_a_description(filmed, found):
    (records,) = found["recordSet"]
    assert records["key"] == [{"@id": "episodes/episode_id"}]
    schema = pq.read_schema(filmed / "episodes.parquet")
    assert [f["name"] for f in records["field"]] == schema.names
    for field, column in zip(records["field"], schema, strict=True):
        assert field["@id"] == f"episodes/{column.name}"
        assert field["dataType"] == TYPES[str(column.type)]
        assert field["source"] == {"fileObject": {"@id": "episodes.parquet"}, "extract": {"column": column.name}}
        assert field["description"] != column.name, "nobody has said what it means"
    units = {f["name"]: f["sc:unitText"] for f in records["field"] if "sc:unitText" in f}
    assert units["params.length"] == "m"


def test_what_people_say_is_in_it(found, filmed):
    manifest = json.loads((filmed / "dataset.json").read_text())
    manifest["governance"] |= {
        "license": "CC-BY-4.0",
        "creator": [
            {"name": "ACME", "kind": "organization", "url": "https://acme.example"},
            {"name": "Ann", "kind": "person"},
        ],
        "name": {"en": "Billets", "ja": "ビレット"},
        "version": "1.0.0",
        "intended_use": [{"en": "training", "ja": "学習"}],
    }
    said = json.loads(render_metadata(json.dumps(manifest).encode())["croissant.json"])
    assert said["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert said["creator"] == [
        {"@type": "sc:Organization", "name": "ACME", "url": "https://acme.example"},
        {"@type": "sc:Person", "name": "Ann"},
    ]
    assert said["name"] == {"en": "Billets", "ja": "ビレット"}
    assert said["rai:dataUseCases"] == ["training"]
    assert said["recordSet"] == found["recordSet"]


def test_a_licence_that_has_no_address_stays_as_it_is(filmed, tmp_path):
    (tmp_path / "dataset.json").write_bytes((filmed / "dataset.json").read_bytes())
    describe_anew(tmp_path, {"license": "LicenseRef-Plant"})
    assert json.loads((tmp_path / "croissant.json").read_text())["license"] == "LicenseRef-Plant"


def test_a_derived_dataset_names_its_source_and_keys_by_it(filmed, found, tmp_path):
    filter_dataset(filmed, "episode_id < 3", tmp_path / "some")
    derived = json.loads((tmp_path / "some" / "croissant.json").read_text())
    name = json.loads((filmed / "dataset.json").read_text())["dataset_id"]
    assert derived["prov:wasDerivedFrom"] == [{"@id": f"urn:genba:dataset:{name}"}]
    assert derived["recordSet"][0]["key"] == [{"@id": "episodes/source"}, {"@id": "episodes/episode_id"}]
    shards = {n: o["sha256"] for n, o in objects(derived).items() if n.startswith("shards/")}
    assert set(shards.values()) <= {o["sha256"] for o in objects(found).values()}
