"""A dataset in robomimic's layout, versions 0.1 to 0.5: its `SequenceDataset` reads it, robomimic is not needed.

Row t of everything goes with action t, which is in [-1, 1]; action_applied has it in the actuators' units, to the bit,
and env_args how one becomes the other. next_obs is obs one row on, the last observation included.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.export.content import Asked, Content, Done, Exported, ExportError, choose, exported, lengths_of
from generators.export.environment import Environment, find_environment, observed
from generators.export.hdf5 import new_file, write_tree
from generators.files import whole_folder
from generators.schema import MANIFEST
from generators.stored import StoredEpisode

Array = NDArray[Any]

PEER = "robomimic 0.3"
FILE = "demo.hdf5"
SPLIT = "split.json"  # beside the parts of a split
GYM = 2  # robomimic's number for an environment of Gym's
STATES = "state/control"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A dataset that goes, or one part of a split.

    Attributes:
        name: of the part, and of its filter; "" for a dataset that is no part.
        content: what goes.
        first: number of its first demonstration.
    """

    name: str
    content: Content
    first: int


def export(dataset: Path, out: Path, asked: Asked | None = None, *, done: Done | None = None) -> Exported:
    """Write a dataset as <out>/demo.hdf5.

    /mask holds one filter for each outcome, one for each named failure, and for the folder that `genba split` makes
    one for each part: "train", "valid" ...

    Args:
        dataset: its folder, or that of a split.
        out: the folder to make.
        asked: what goes.
        done: called with the share that is done.

    Raises:
        ExportError: it cannot be told in this layout.
        DatasetError: the dataset is damaged, or out is taken.
    """
    with contextlib.ExitStack() as opened:
        parts = _parts(dataset, asked or Asked(), opened)
        environment = find_environment(parts[0].content)
        with whole_folder(out) as folder:
            with new_file(folder / FILE) as file:
                _write(file, parts, environment, done or (lambda _: None))
            facts = {"actions": environment.scaling(), "environment": environment.why or "env_args names it"}
            for part in parts:
                (folder / part.name).mkdir(exist_ok=True)
                part.content.write_sidecar(folder / part.name, PEER, _carried(part.content), facts, part.first)
        notes = [environment.why] if environment.why else []
        return exported(PEER, out, [part.content for part in parts], notes)


def _parts(dataset: Path, asked: Asked, opened: contextlib.ExitStack) -> list[Part]:
    """Open a dataset, or the parts of a split; all must hold the same columns."""
    folders = {"": dataset}
    if (dataset / SPLIT).is_file() and not (dataset / MANIFEST).exists():
        folders = {path.parent.name: path.parent for path in sorted(dataset.glob(f"*/{MANIFEST}"))}
    parts: list[Part] = []
    first = 0
    for name, folder in folders.items():
        content = choose(opened.enter_context(Dataset(folder)), asked)
        parts.append(Part(name, content, first))
        first += len(content.data)
        known = parts[0].content
        if (content.task, content.columns, content.pictures) != (known.task, known.columns, known.pictures):
            raise ExportError(f"{folder} holds other columns than {parts[0].name!r}: export them apart")
    if not parts:
        raise ExportError(f"{dataset} is a split without parts")
    return parts


def _write(file: Any, parts: Sequence[Part], environment: Environment, done: Done) -> None:  # noqa: ANN401 - HDF5's
    data = file.create_group("data")
    total = sum(len(part.content.data) for part in parts)
    data.attrs["total"] = sum(int(lengths_of(part.content.data).sum()) for part in parts)
    data.attrs["env_args"] = json.dumps(_env_args(parts[0].content, environment), ensure_ascii=False)
    masks: dict[str, list[str]] = {}
    for part in parts:
        for i, episode in part.content.walk(lambda _: None):
            name = f"demo_{part.first + i}"
            group = data.create_group(name)
            group.attrs.update({"num_samples": len(episode)} | _labels(episode))
            write_tree(group, _rows(part.content, environment, episode))
            for key in [*_filters(episode), *([part.name] if part.name else [])]:
                masks.setdefault(key, []).append(name)
            done((part.first + i + 1) / total)
    write_tree(file.create_group("mask"), {key: np.array(demos, "S") for key, demos in sorted(masks.items())})


def _rows(content: Content, environment: Environment, episode: StoredEpisode) -> dict[str, Any]:
    seen = {name: episode.array(f"obs/{name}") for name in content.observations}
    for picture in content.pictures:
        seen[picture.name] = observed(content, picture, content.images(episode, picture))
    ended = episode.array("steps/terminated") | episode.array("steps/truncated")
    out: dict[str, Any] = {
        "obs": {name: value[:-1] for name, value in seen.items()},
        "next_obs": {name: value[1:] for name, value in seen.items()},
        "actions": environment.normalized(episode.actions),
        "action_applied": episode.actions,
        "rewards": episode.rewards,
        "dones": ended.astype(np.int64),
    }
    out |= {name: episode.array(f"steps/{name}") for name in ("terminated", "truncated", "success", "phase")}
    if _has_states(content):
        out["states"] = episode.array(STATES)[:-1]
    return out | {"streams": {name: value[:-1] for name, value in content.resampled(episode).items()}}


def _carried(content: Content) -> dict[str, str]:
    out = {"actions": "steps/action", "action_applied": "steps/action", "rewards": "steps/reward"}
    out |= {name: f"steps/{name}" for name in ("terminated", "truncated", "success", "phase")}
    out |= {f"obs/{name}": f"obs/{name}" for name in content.observations}
    out |= {f"obs/{p.name}": f"media/{p.camera}/{p.kind}" for p in content.pictures}
    out |= {f"streams/{name}": f"streams/{name}/value" for name in content.streams}
    return out | ({"states": STATES} if _has_states(content) else {})


def _has_states(content: Content) -> bool:
    """Return whether there is a state at every control step; imported episodes have none."""
    known = content.columns.get(STATES, {"shape": [0]})
    return known.get("stride") == 1 and known["shape"] != [0]


def _filters(episode: StoredEpisode) -> list[str]:
    failure = _failure(episode)
    return [episode.outcome.name.lower()] + ([f"failure_{failure}"] if failure else [])


def _failure(episode: StoredEpisode) -> str:
    names: list[str] = ["", *episode.attributes["failures"]]
    return names[episode.fact("fail_code")]


def _labels(episode: StoredEpisode) -> dict[str, Any]:
    """Return what a demonstration's attributes say of it."""
    seed = {"episode_seed": np.uint64(episode.seed), "episode_id": np.uint64(episode.id)}
    texts = {f"instruction_{language}": text for language, text in episode.instruction.items()}
    parameters = json.dumps(episode.parameters, ensure_ascii=False)
    outcome = {"outcome": episode.outcome.name.lower(), "failure": _failure(episode), "error": episode.fact("error")}
    return {**seed, **outcome, **texts, "parameters": parameters}


def _env_args(content: Content, environment: Environment) -> dict[str, Any]:
    spec = environment.spec
    kwargs: Mapping[str, Any] = spec.kwargs if spec else {}
    name = spec.id if spec else content.data[0].task
    known, action = content.data[0].attributes, content.columns["steps/action"]
    facts = {"task": content.data[0].task, "task_version": content.data[0].header.task_version}
    facts |= {"control_hz": float(known["control_hz"]), "phases": known["phases"], "failures": known["failures"]}
    facts |= {"actions": {k: action.get(k) for k in ("names", "units")} | environment.scaling()}
    named = [f"obs/{n}" for n in content.observations] + [f"streams/{n}/value" for n in content.streams]
    facts |= {"columns": {p: {k: content.columns[p][k] for k in ("unit", "frame", "names")} for p in named}}
    return {"env_name": name, "type": GYM, "env_kwargs": dict(kwargs), "genba": facts}
