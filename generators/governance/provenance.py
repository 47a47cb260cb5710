"""PROV-O as JSON-LD: provenance.jsonld, from dataset.json alone: which data came of which, by what, and by whom.

A dataset, a plan and a source are named by their hashes, so that two descriptions of one thing name the same thing.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from generators.governance.card import governance, title
from generators.governance.history import dataset_iri, origins, steps
from generators.media.writer import MEDIA
from generators.schema import SHARDS

PROVENANCE = "provenance.jsonld"

Node = dict[str, Any]

_CONTEXT: Node = {
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "sc": "https://schema.org/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "genba": "urn:genba:term:",
    "label": "rdfs:label",
    "comment": "rdfs:comment",
    "sha256": "sc:sha256",
    "version": "sc:softwareVersion",
    "license": "sc:license",
    "size": "sc:contentSize",
    "episodes": {"@id": "genba:episodes", "@type": "xsd:integer"},
    "seed": {"@id": "genba:seed", "@type": "xsd:integer"},
    "facts": {"@id": "genba:facts", "@type": "@json"},
    "at": {"@id": "prov:generatedAtTime", "@type": "xsd:dateTime"},
    "ended": {"@id": "prov:endedAtTime", "@type": "xsd:dateTime"},
    **{
        name: {"@id": f"prov:{name}", "@type": "@id"}
        for name in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAttributedTo", "wasAssociatedWith", "hadMember")
    },
}


def provenance(manifest: Mapping[str, Any], made: str) -> Node:
    """Return where a dataset comes from, as linked data.

    Args:
        manifest: its dataset.json.
        made: by what this is made, and from what.
    """
    nodes: dict[str, Node] = {}
    for node in _nodes(manifest, made):
        known = {k: v for k, v in node.items() if v not in (None, "", [])}
        nodes[node["@id"]] = known | nodes.get(node["@id"], {})
    return {"@context": _CONTEXT, "@graph": list(nodes.values())}


def _nodes(manifest: Mapping[str, Any], made: str) -> Iterator[Node]:
    yield from _dataset(manifest, made)
    for origin in origins(manifest):
        yield from _imported(origin) if "imported" in origin else _generated(origin)
    for step in steps(manifest):
        parents = [parent["dataset_id"] for parent in step.get("of", ())]
        if parents and step["dataset_id"] not in parents:
            yield from _derived(step)
    for camera, entry in sorted(manifest.get("media", {}).items()):
        yield from _pictures(manifest, camera, entry)


def _dataset(manifest: Mapping[str, Any], made: str) -> Iterator[Node]:
    about = governance(manifest)
    agents = [
        {"@id": f"_:creator-{i}", "@type": ["prov:Agent", f"prov:{c.get('kind', 'organization').title()}"]}
        | {"label": c["name"], "sc:url": c.get("url")}
        for i, c in enumerate(about.get("creator", ()), 1)
    ]
    yield from agents
    files = [*_shards(manifest), *(_file(name, digest) for name, digest in sorted(manifest.get("files", {}).items()))]
    yield {
        "@id": dataset_iri(manifest["dataset_id"]),
        "@type": ["prov:Entity", "prov:Collection", "sc:Dataset"],
        "label": title(manifest, "en"),
        "license": about.get("license"),
        "episodes": manifest["episodes"],
        "at": manifest.get("created"),
        "comment": made,
        "wasAttributedTo": [agent["@id"] for agent in agents],
        "hadMember": [file["@id"] for file in files],
    }
    yield from files


def _shards(manifest: Mapping[str, Any]) -> list[Node]:
    return [_file(f"{SHARDS}/{s['name']}", s["file_sha256"], s["bytes"]) for s in manifest["shards"]]


def _file(name: str, digest: str, size: int | None = None) -> Node:
    return {
        "@id": f"urn:sha256:{digest}",
        "@type": "prov:Entity",
        "label": name,
        "sha256": digest,
        "size": f"{size} B" if size is not None else None,
    }


def _generated(origin: Mapping[str, Any]) -> Iterator[Node]:
    """Tell of a dataset that was generated: from a plan and the tasks' sources, by genba and MuJoCo."""
    name, physics = origin["dataset_id"], origin["physics_sha256"]
    plan = {"@id": f"urn:genba:plan:{physics}", "@type": ["prov:Entity", "prov:Plan"], "sha256": physics}
    plan |= {"label": "tasks, parameters, seed and versions, which determine the data", "seed": origin.get("seed")}
    sources = [
        {"@id": f"urn:sha256:{t['source_sha256']}", "@type": "prov:Entity", "sha256": t["source_sha256"]}
        | {"label": f"source of task {t.get('task', t['name'])}, version {t['version']}"}
        for t in origin["tasks"]
        if t.get("source_sha256")
    ]
    agents = [_software(program, version) for program, version in origin.get("generator", {}).items()]
    activity = f"urn:genba:generation:{physics}"
    yield from (plan, *sources, *agents)
    yield {
        "@id": activity,
        "@type": "prov:Activity",
        "label": "generation",
        "used": [plan["@id"], *(source["@id"] for source in sources)],
        "wasAssociatedWith": [agent["@id"] for agent in agents],
        "prov:qualifiedAssociation": [
            {"@type": "prov:Association", "prov:agent": {"@id": agent["@id"]}, "prov:hadPlan": {"@id": plan["@id"]}}
            for agent in agents
        ],
        "ended": origin.get("created"),
        "facts": {"environment": origin["environment"]} if "environment" in origin else None,
    }
    entity: Node = {"@id": dataset_iri(name), "@type": ["prov:Entity", "prov:Collection", "sc:Dataset"]}
    derived = [source["@id"] for source in sources]
    yield entity | {"label": name, "wasGeneratedBy": activity, "wasDerivedFrom": derived}


def _imported(origin: Mapping[str, Any]) -> Iterator[Node]:
    """Tell of a dataset that was imported from a file of another's."""
    facts = origin["imported"]
    file = _file(str(facts.get("file", facts["format"])), str(facts["sha256"]))
    agent = _software("genba", origin.get("generator", {}).get("genba", ""))
    activity = f"urn:genba:import:{facts['sha256']}"
    yield from (file, agent)
    node: Node = {"@id": activity, "@type": "prov:Activity", "label": "import", "used": [file["@id"]]}
    yield node | {"wasAssociatedWith": [agent["@id"]], "ended": origin.get("created")}
    entity: Node = {"@id": dataset_iri(origin["dataset_id"]), "@type": ["prov:Entity", "prov:Collection", "sc:Dataset"]}
    yield entity | {"label": origin["dataset_id"], "wasGeneratedBy": activity, "wasDerivedFrom": [file["@id"]]}


def _derived(step: Mapping[str, Any]) -> Iterator[Node]:
    """Tell of a dataset that was chosen from others: filtered, split, merged."""
    names = [parent["dataset_id"] for parent in step["of"]]
    parents = [dataset_iri(name) for name in names]
    for name in names:
        yield {"@id": dataset_iri(name), "@type": ["prov:Entity", "prov:Collection", "sc:Dataset"], "label": name}
    activity = f"urn:genba:{step['activity']}:{step['dataset_id']}"
    more = {k: v for k, v in step.items() if k not in ("activity", "dataset_id", "episodes", "of")}
    node: Node = {"@id": activity, "@type": "prov:Activity", "label": step["activity"], "used": parents}
    yield node | {"facts": more or None}
    entity: Node = {"@id": dataset_iri(step["dataset_id"]), "@type": ["prov:Entity", "prov:Collection", "sc:Dataset"]}
    yield entity | {"episodes": step["episodes"], "wasGeneratedBy": activity, "wasDerivedFrom": parents}


def _pictures(manifest: Mapping[str, Any], camera: str, entry: Mapping[str, Any]) -> Iterator[Node]:
    """Tell of a camera's pictures: drawn from the shards' states."""
    name = f"{manifest['dataset_id']}:{camera}"
    files = [_file(f"{MEDIA}/{s['name']}", s["file_sha256"], s["bytes"]) for s in entry["shards"]]
    agents = [_software(d["backend"], d["device"]) for d in entry["drawn_by"]]
    yield from (*files, *agents)
    node: Node = {"@id": f"urn:genba:rendering:{name}", "@type": "prov:Activity", "label": f"rendering of {camera}"}
    node |= {"used": [shard["@id"] for shard in _shards(manifest)], "facts": {"settings": entry["settings"]}}
    yield node | {"wasAssociatedWith": [agent["@id"] for agent in agents]}
    pictures: Node = {"@id": f"urn:genba:pictures:{name}", "@type": ["prov:Entity", "prov:Collection"]}
    pictures |= {"label": f"pictures of camera {camera}", "hadMember": [file["@id"] for file in files]}
    of = [dataset_iri(manifest["dataset_id"])]
    yield pictures | {"wasGeneratedBy": f"urn:genba:rendering:{name}", "wasDerivedFrom": of}


def _software(name: str, version: str) -> Node:
    iri = f"urn:genba:software:{quote(name, safe='')}:{quote(version, safe='')}"
    return {"@id": iri, "@type": ["prov:Agent", "prov:SoftwareAgent"], "label": name, "version": version}
