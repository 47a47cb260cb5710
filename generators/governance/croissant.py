"""Croissant 1.1 with its responsible-AI properties: croissant.json, from dataset.json alone.

Every file is named with its hash; the record set reads episodes.parquet, for no reader of Croissant opens HDF5.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from generators.governance.card import CARDS, governance, summary, title
from generators.governance.columns import TableColumn, table_columns
from generators.governance.history import dataset_iri
from generators.governance.words import LANGUAGES, said
from generators.media.writer import MEDIA
from generators.schema import MANIFEST, SHARDS, TABLE

CROISSANT = "croissant.json"
CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
RECORDS = "episodes"

Node = dict[str, Any]

_OF_CROISSANT = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty"),
    *("fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("separator", "source", "subField", "transform"),
)
_CONTEXT: Node = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _OF_CROISSANT},
}
_SIMULATED: Node = {
    "rai:dataCollectionType": ["Simulations"],
    "rai:dataCollectionRawData": "Physics states of the control steps, in /state of each shard.",
    "rai:dataCollectionMissingData": "Failed and aborted episodes are generated, kept and labelled like all others.",
    "rai:dataPreprocessingProtocol": ["None: every stream is as its instrument gave it, at its own rate."],
}
_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "double": "cr:Float64",
    "float": "cr:Float32",
    **{f"{u}int{n}": f"cr:{u.upper()}Int{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
}
_FORMATS: dict[str, str | list[str]] = {
    ".parquet": ["application/vnd.apache.parquet", "application/x-parquet"],  # as registered; as mlcroissant knows it
    ".json": "application/json",
    ".h5": "application/x-hdf5",
}


def croissant(manifest: Mapping[str, Any], data: bytes, made: str) -> Node:
    """Return a dataset's description in Croissant.

    Args:
        manifest: its dataset.json.
        data: the bytes of that file.
        made: by what this is made, and from what.
    """
    about = governance(manifest)
    node: Node = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": {language: title(manifest, language) for language in LANGUAGES},
        "description": {language: summary(manifest, language) for language in LANGUAGES},
        "license": _license(about.get("license")),
        "url": about.get("url"),
        "version": about.get("version"),
        "creator": [_creator(c) for c in about.get("creator", ())],
        "citeAs": about.get("citation"),
        "dateCreated": manifest.get("created"),
        "datePublished": about.get("published"),
        "inLanguage": list(manifest.get("languages", ())),
        "keywords": ["robotics", "industrial", "genba", *(str(t.get("task", t["name"])) for t in manifest["tasks"])],
        "isLiveDataset": False,
        "dct:provenance": made,
        **_responsible(manifest, about),
        "prov:wasDerivedFrom": [{"@id": dataset_iri(s["dataset_id"])} for s in manifest.get("sources", ())],
        "distribution": [*_objects(manifest, data), *_sets(manifest)],
        "recordSet": [_records(manifest)],
    }
    return {key: value for key, value in node.items() if value not in (None, [], "")}


def dumps(node: Node) -> bytes:
    """Return the text of a file of linked data."""
    return (json.dumps(node, indent=1, ensure_ascii=False) + "\n").encode()


def _license(spdx: str | None) -> str | None:
    """Return the address of a licence that is one; a combination stays as SPDX writes it."""
    if not spdx or " " in spdx or spdx.startswith("LicenseRef-"):
        return spdx
    return f"https://spdx.org/licenses/{spdx}"


def _creator(creator: Mapping[str, Any]) -> Node:
    kind = "sc:Person" if creator.get("kind") == "person" else "sc:Organization"
    node = {"@type": kind, "name": creator["name"], "url": creator.get("url")}
    return {key: value for key, value in node.items() if value}


def _responsible(manifest: Mapping[str, Any], about: Mapping[str, Any]) -> Node:
    """Return the properties of Croissant's responsible-AI vocabulary, those that something is known for."""
    node: Node = {
        "rai:dataCollection": summary(manifest, "en"),
        "rai:dataAnnotationProtocol": _texts(about.get("evaluator")),
        "rai:dataBiases": _balance(manifest),
        "rai:dataLimitations": _texts(about.get("sim_to_real_gaps")) + _texts(about.get("out_of_scope_use")),
        "rai:dataUseCases": _texts(about.get("intended_use")),
        "rai:personalSensitiveInformation": _texts(about.get("personal_data")),
        "rai:dataReleaseMaintenancePlan": about.get("contact") and f"Contact: {about['contact']}",
    }
    return node if "imported" in manifest else node | _SIMULATED


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - from dataset.json
    texts = value if isinstance(value, list) else [value]
    return [text for text in (said(t, "en") for t in texts) if text]


def _balance(manifest: Mapping[str, Any]) -> list[str]:
    counts = ", ".join(f"{count} {name}" for name, count in manifest["outcomes"].items())
    return [f"Outcomes of the {manifest['episodes']} episodes: {counts}."]


def _objects(manifest: Mapping[str, Any], data: bytes) -> list[Node]:
    found: list[Node] = [_object(MANIFEST, hashlib.sha256(data).hexdigest(), len(data))]
    found += [_object(name, digest) for name, digest in sorted(manifest.get("files", {}).items())]
    found += [_object(f"{SHARDS}/{s['name']}", s["file_sha256"], s["bytes"]) for s in manifest["shards"]]
    for entry in manifest.get("media", {}).values():
        found += [_object(f"{MEDIA}/{s['name']}", s["file_sha256"], s["bytes"]) for s in entry["shards"]]
    return found


def _object(name: str, digest: str, size: int | None = None) -> Node:
    kind = next(kind for ending, kind in _FORMATS.items() if name.endswith(ending))
    node: Node = {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "encodingFormat": kind}
    return node | ({"contentSize": f"{size} B"} if size is not None else {}) | {"sha256": digest}


def _sets(manifest: Mapping[str, Any]) -> list[Node]:
    """Return the shards, the pictures and the cards, as sets of files."""
    wanted = [(SHARDS, "application/x-hdf5", [f"{SHARDS}/*.h5"], "Shards: every column of every episode.")]
    if manifest.get("media"):
        wanted.append(
            (MEDIA, "application/x-hdf5", [f"{MEDIA}/*.h5"], "Pictures of the episodes, by shard and camera.")
        )
    wanted.append(
        ("cards", "text/markdown", sorted(CARDS.values()), "What there is to know of the dataset, for people.")
    )
    return [
        {
            "@type": "cr:FileSet",
            "@id": name,
            "name": name,
            "description": doc,
            "encodingFormat": kind,
            "includes": includes,
        }
        for name, kind, includes, doc in wanted
    ]


def _records(manifest: Mapping[str, Any]) -> Node:
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "One record an episode, whatever its outcome.",
        "key": _key(manifest),
        "field": [_field(column) for column in table_columns(manifest)],
    }


def _key(manifest: Mapping[str, Any]) -> Sequence[Node]:
    names = ("source", "episode_id") if "source" in manifest.get("columns", {}) else ("episode_id",)
    return [{"@id": f"{RECORDS}/{name}"} for name in names]


def _field(column: TableColumn) -> Node:
    node: Node = {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{column.name}",
        "name": column.name,
        "description": ", ".join(part for part in (column.doc, column.unit) if part) or column.name,
        "dataType": _TYPES.get(column.type, "sc:Text"),
        "source": {"fileObject": {"@id": TABLE}, "extract": {"column": column.name}},
    }
    return node | ({"sc:unitText": column.unit} if column.unit else {})
