"""Bring dataset.json of an earlier version up to this one, and its cards. Shards, tables and sums stay as they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generators.dataset import Dataset, read_manifest
from generators.files import write_whole
from generators.governance.facts import default_governance, file_facts
from generators.governance.write import write_metadata
from generators.manifest import STATISTICS
from generators.places import lock
from generators.schema import MANIFEST, MANIFEST_VERSION, TABLE

NOT_RECORDED = "not recorded"

_ENVIRONMENT = ("python", "numpy", "mujoco", "h5py", "os", "machine")


def migrate(folder: Path, *, dry_run: bool = False) -> list[str]:
    """Rewrite a dataset.json of version 1.0 as one of version 1.1.

    What 1.0 did not record is said to be not recorded; nothing is guessed.

    Args:
        folder: the dataset.
        dry_run: whether only to say what would be changed.

    Returns:
        What is changed, one line each; [] where it is of this version already.

    Raises:
        DatasetError: it is no dataset, damaged, or of a later version.
        ConfigError: it is being written to.
    """
    folder = Path(folder)
    changes = _migrated(folder, read_manifest(folder))[1]
    if dry_run or not changes:
        return changes
    with lock(folder):
        manifest, changes = _migrated(folder, read_manifest(folder))
        write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        if manifest.get("complete", False):
            write_metadata(folder)
    return changes


def _migrated(folder: Path, old: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest in this version, and what is new in it."""
    if _number(old["format_version"]) >= _number(MANIFEST_VERSION):
        return dict(old), []
    new = dict(old) | {"format_version": MANIFEST_VERSION}
    changes = [f"format_version: {old['format_version']} becomes {MANIFEST_VERSION}"]
    for name, value in (_defaults() | _from_table(folder, old)).items():
        if name not in old:
            new[name] = value
            changes.append(f"{name}: {_short(value)}")
    return new, changes


def _defaults() -> dict[str, Any]:
    return {
        "complete": True,
        "synthetic": True,
        "languages": ["en", "ja"],
        "environment": dict.fromkeys(_ENVIRONMENT, NOT_RECORDED),
        "governance": default_governance(),
        "media": {},
    }


def _from_table(folder: Path, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows from the tables: totals, hashes and types."""
    if not old.get("complete", True):
        return {}
    with Dataset(folder) as data:
        table = data.table(["length", "outcome"])
    outcomes = [str(o) for o in table.column("outcome").to_pylist()]
    totals = {
        "episodes": len(table),
        "steps": sum(table.column("length").to_pylist()),
        "bytes": sum(int(s["bytes"]) for s in old["shards"]),
        "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
    }
    there = all((folder / name).is_file() for name in (TABLE, STATISTICS))
    return totals | (file_facts(folder) if there else {})


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]} ..."
