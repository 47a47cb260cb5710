"""provenance.jsonld is PROV-O: rdflib reads it, and the triples that matter are there."""

import json
import shutil
from datetime import datetime

import pytest
from rdflib import RDF, RDFS, Graph, Literal, Namespace, URIRef

from generators.curation.filter import filter_dataset
from generators.curation.merging import merge
from generators.dataset import read_manifest
from generators.governance.write import describe_anew

# rdflib's own reader of JSON-LD uses a class that rdflib warns of
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")

PROV = Namespace("http://www.w3.org/ns/prov#")
SC = Namespace("https://schema.org/")


def read(folder):
    return Graph().parse(data=(folder / "provenance.jsonld").read_text(), format="json-ld")


def dataset(folder):
    return URIRef(f"urn:genba:dataset:{read_manifest(folder)['dataset_id']}")


def file(digest):
    return URIRef(f"urn:sha256:{digest}")


@pytest.fixture(scope="module")
def graph(filmed):
    return read(filmed)


@pytest.fixture(scope="module")
def manifest(filmed):
    return read_manifest(filmed)


def test_every_thing_is_an_entity_an_activity_or_an_agent(graph):
    kinds = {PROV.Entity, PROV.Activity, PROV.Agent, PROV.Association}
    for subject in set(graph.subjects()):
        assert kinds & set(graph.objects(subject, RDF.type)), subject
    named = {o for o in graph.objects() if isinstance(o, URIRef) and o.startswith("urn:") and "term" not in o}
    assert named <= set(graph.subjects())


def test_the_dataset_was_generated_from_a_plan_by_genba_and_mujoco(graph, filmed, manifest):
    activity = graph.value(dataset(filmed), PROV.wasGeneratedBy)
    assert (activity, RDF.type, PROV.Activity) in graph
    plan = URIRef(f"urn:genba:plan:{manifest['physics_sha256']}")
    assert (plan, RDF.type, PROV.Plan) in graph
    source = file(manifest["tasks"][0]["source_sha256"])
    assert set(graph.objects(activity, PROV.used)) == {plan, source}
    agents = set(graph.objects(activity, PROV.wasAssociatedWith))
    told = {(str(graph.value(a, RDFS.label)), str(graph.value(a, SC.softwareVersion))) for a in agents}
    assert told == set(manifest["generator"].items())
    plans = {graph.value(a, PROV.hadPlan) for a in graph.objects(activity, PROV.qualifiedAssociation)}
    assert plans == {plan}
    at = graph.value(dataset(filmed), PROV.generatedAtTime)
    assert at.toPython() == datetime.fromisoformat(manifest["created"])


def test_the_dataset_has_every_shard_and_table(graph, filmed, manifest):
    hashes = {s["file_sha256"] for s in manifest["shards"]} | set(manifest["files"].values())
    assert set(graph.objects(dataset(filmed), PROV.hadMember)) == {file(digest) for digest in hashes}
    for digest in hashes:
        assert graph.value(file(digest), SC.sha256) == Literal(digest)


def test_pictures_were_drawn_from_the_shards(graph, filmed, manifest):
    for camera, entry in manifest["media"].items():
        (pictures,) = graph.subjects(RDFS.label, Literal(f"pictures of camera {camera}"))
        assert set(graph.objects(pictures, PROV.hadMember)) == {file(s["file_sha256"]) for s in entry["shards"]}
        drawing = graph.value(pictures, PROV.wasGeneratedBy)
        assert set(graph.objects(drawing, PROV.used)) == {file(s["file_sha256"]) for s in manifest["shards"]}
        (agent,) = graph.objects(drawing, PROV.wasAssociatedWith)
        assert str(graph.value(agent, RDFS.label)) == entry["drawn_by"][0]["backend"]
        assert (pictures, PROV.wasDerivedFrom, dataset(filmed)) in graph


def test_creators_are_agents(filmed, tmp_path):
    shutil.copy(filmed / "dataset.json", tmp_path)
    describe_anew(tmp_path, {"creator": ["ACME", {"name": "Ann", "kind": "person"}], "license": "MIT"})
    graph = read(tmp_path)
    agents = {str(graph.value(a, RDFS.label)): a for a in graph.objects(dataset(tmp_path), PROV.wasAttributedTo)}
    assert set(agents) == {"ACME", "Ann"}
    assert (agents["Ann"], RDF.type, PROV.Person) in graph
    assert (agents["ACME"], RDF.type, PROV.Organization) in graph
    assert graph.value(dataset(tmp_path), SC.license) == Literal("MIT")


def test_a_derived_dataset_leads_back_to_all_that_were_generated(make_filmed, filmed, tmp_path):
    make_filmed(tmp_path / "other", seed=4)
    merge([filmed, tmp_path / "other"], tmp_path / "both", pictures=False)
    filter_dataset(tmp_path / "both", "episode_id < 2", tmp_path / "some")
    graph = read(tmp_path / "some")
    assert list(graph.objects(dataset(tmp_path / "some"), PROV.wasDerivedFrom)) == [dataset(tmp_path / "both")]
    origins = {dataset(filmed), dataset(tmp_path / "other")}
    assert set(graph.objects(dataset(tmp_path / "both"), PROV.wasDerivedFrom)) == origins
    filtering = graph.value(dataset(tmp_path / "some"), PROV.wasGeneratedBy)
    assert graph.value(filtering, RDFS.label) == Literal("filter")
    assert json.loads(graph.value(filtering, URIRef("urn:genba:term:facts"))) == {"query": "episode_id < 2"}
    for origin in origins:
        assert str(graph.value(graph.value(origin, PROV.wasGeneratedBy), RDFS.label)) == "generation"


def test_nothing_is_derived_from_itself(filmed, tmp_path):
    """A filter that lets everything through gives a dataset of the same name as another one that does."""
    filter_dataset(filmed, "episode_id >= 0", tmp_path / "all")
    filter_dataset(tmp_path / "all", "episode_id >= 0", tmp_path / "again")
    graph = read(tmp_path / "again")
    assert all(subject != derived for subject, derived in graph.subject_objects(PROV.wasDerivedFrom))
    assert set(graph.transitive_objects(dataset(tmp_path / "again"), PROV.wasDerivedFrom)) >= {dataset(filmed)}
