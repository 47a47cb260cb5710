"""What dataset.json says beyond the data itself: when and with what it was made, by whom, and which files there are.

Nothing here names a host, a user or a folder. What is there stays as it is when dataset.json is written again.
"""

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generators.capped import read_json
from generators.description import declared
from generators.governance import about
from generators.parquet.reading import parquet_types
from generators.reader import file_sha256
from generators.schema import MANIFEST, TABLE
from sim.task import Task

FILES = (TABLE, "stats.json")  # whose hashes dataset.json holds beside those of shards and pictures
_KEPT = ("created", "environment", "governance", "quality")
_VERSIONS = ("numpy", "mujoco", "h5py")


def default_governance() -> dict[str, Any]:
    """Return the block `governance` of a dataset of which nobody has said anything; see `about.About`."""
    return about.default_governance()


def environment() -> dict[str, str]:
    """Return the block `environment`: versions, and the kind of machine; nothing that tells whose it is."""
    versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {"python": platform.python_version()} | versions | {"os": platform.system(), "machine": platform.machine()}


def now() -> str:
    """Return the time in UTC, to the second: "2026-11-27T08:30:00Z"."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def standing_facts(folder: Path, dataset_id: str) -> dict[str, Any]:
    """Return `created`, `environment` and `governance`, and `quality` where it is known.

    Args:
        folder: the dataset's; what its dataset.json says already is kept.
        dataset_id: of what is described; another dataset's facts are not.
    """
    facts = {"created": now(), "environment": environment(), "governance": default_governance()}
    try:
        known = read_json(folder / MANIFEST, within=folder)
        same = known["dataset_id"] == dataset_id
    except (OSError, ValueError, TypeError, KeyError):
        return facts
    return facts | {k: known[k] for k in _KEPT if same and k in known}


def file_facts(folder: Path) -> dict[str, Any]:
    """Return `files`, the hashes of the tables that are there, and `columns`, the types in episodes.parquet.

    Args:
        folder: the dataset's.
    """
    files = {name: file_sha256(folder / name) for name in FILES if (folder / name).is_file()}
    out: dict[str, Any] = {"files": files}
    if TABLE in files:
        out["columns"] = parquet_types(folder / TABLE)
    return out


def task_facts(task: Task, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task declares, with the distributions that were drawn from: parameters, actions, observations ...

    Args:
        task: the task.
        changed: parameter -> the distribution that replaced its own.
    """
    facts = declared(task)
    asked = {n: p | {"distribution": changed.get(n, p["distribution"])} for n, p in facts["parameters"].items()}
    return facts | {"parameters": asked}


def merged_facts(manifests: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return `created`, `environment` and `governance` of a dataset that is derived from others.

    Args:
        manifests: of the datasets that it is derived from.
    """
    governance = about.merge_governance([m.get("governance", {}) for m in manifests])
    return {"created": now(), "environment": environment(), "governance": governance}
