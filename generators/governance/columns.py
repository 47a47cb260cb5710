"""The columns of episodes.parquet, with types, units and meanings, from dataset.json alone."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from generators.schema import episode_columns

_WORDS = {
    "task": "the task's name",
    "outcome": "success, failure, timeout, unstable, expert_error or task_error",
    "failure": "the task's name for the failure, empty where there is none",
    "shard": "the file in shards/ that holds the episode",
    "step_start": "first row in /steps of its shard",
    "obs_start": "first row in /obs of its shard; there are length + 1, none where the length is 0",
    "source": "dataset_id of the generated dataset that the episode comes from",
}
_USUAL = {  # of a dataset.json that does not list the types
    "task": "string",
    "outcome": "string",
    "failure": "string",
    "shard": "string",
    "instruction_en": "string",
    "instruction_ja": "string",
    "episode_id": "uint64",
    "episode_seed": "uint64",
    "length": "int32",
    "return": "double",
}


@dataclasses.dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: its name.
        type: as Arrow says it.
        unit: of a parameter, else "".
        doc: what it means; "" where nobody has said.
    """

    name: str
    type: str
    unit: str = ""
    doc: str = ""


def table_columns(manifest: Mapping[str, Any]) -> list[TableColumn]:
    """Return the columns in the order of the table."""
    docs = {c.path.removeprefix("episodes/").replace("/", "_"): c.doc for c in episode_columns()} | _WORDS
    parameters = _parameters(manifest)
    out: list[TableColumn] = []
    for name, kind in (manifest.get("columns") or _USUAL).items():
        known = parameters.get(name, {"unit": "", "doc": docs.get(name, "")})
        out.append(TableColumn(name, kind, known["unit"], known["doc"]))
    return out


def _parameters(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what is known of each parameter by the name that its column has."""
    out: dict[str, Mapping[str, Any]] = {}
    for task in manifest["tasks"]:
        for name, known in (task.get("declared") or {}).get("parameters", {}).items():
            for start in ("params.", f"params.{task['name']}.", f"params.{task.get('task', task['name'])}."):
                out[start + name] = known
    return out
