"""A dataset in Minari's layout, version 0.5.4: `minari.load_dataset` reads it, Minari is not needed to write it.

Row t of observations and of infos goes with observation t; there are T + 1 of each, and T actions. Actions are in
[-1, 1], as the recovered environment takes them; infos/action_applied has them in the actuators' units, to the bit.
"""

import importlib.metadata
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.export.content import Asked, Content, Done, Exported, choose, exported, lengths_of
from generators.export.environment import Environment, find_environment, observed
from generators.export.hdf5 import new_file, write_tree
from generators.files import whole_folder, write_whole
from generators.stored import StoredEpisode

Array = NDArray[Any]

PEER = "minari 0.5.4"
VERSION = "0.5.4"


def export(
    dataset: Path, out: Path, asked: Asked | None = None, *, name: str = "", done: Done | None = None
) -> Exported:
    """Write a dataset as <out>/<namespace>/<name>-v0.

    Args:
        dataset: its folder.
        out: what MINARI_DATASETS_PATH shall name; other datasets may be there.
        asked: what goes.
        name: the dataset's name in Minari; "" for "genba/<task>-v0".
        done: called with the share that is done.

    Raises:
        ExportError: it cannot be told in this layout.
        DatasetError: the dataset is damaged, or the name is taken.
    """
    with Dataset(dataset) as data:
        content = choose(data, asked or Asked())
        environment = find_environment(content)
        name = name or f"genba/{re.sub(r'[^-_/a-zA-Z0-9]', '_', content.data[0].task)}-v0"
        with whole_folder(out / name) as folder:
            (folder / "data").mkdir()
            carried = _write_data(folder / "data" / "main_data.hdf5", content, environment, done or (lambda _: None))
            size = (folder / "data" / "main_data.hdf5").stat().st_size
            metadata = _metadata(name, content, environment, size)
            write_whole(folder / "data" / "metadata.json", json.dumps(metadata).encode())
            facts = {"actions": environment.scaling(), "environment": environment.why or "recover_environment makes it"}
            content.write_sidecar(folder, PEER, carried, facts)
        notes = [f"MINARI_DATASETS_PATH={out}; minari.load_dataset({name!r})"]
        notes += [environment.why] if environment.why else []
        return exported(PEER, out / name, content, notes)


def _write_data(path: Path, content: Content, environment: Environment, done: Done) -> dict[str, str]:
    """Write main_data.hdf5; return the names of what went."""
    with new_file(path) as file:
        for i, episode in content.walk(done):
            group = file.create_group(f"episode_{i}")
            group.attrs.update({"id": i, "total_steps": len(episode)} | _labels(episode))
            write_tree(group, _rows(content, environment, episode))
    carried = {f"observations/{name}": f"obs/{name}" for name in content.observations}
    carried |= {f"observations/{p.name}": f"media/{p.camera}/{p.kind}" for p in content.pictures}
    carried |= {"actions": "steps/action", "infos/action_applied": "steps/action", "rewards": "steps/reward"}
    carried |= {"terminations": "steps/terminated", "truncations": "steps/truncated"}
    carried |= {f"infos/{name}": f"steps/{name}" for name in ("success", "phase")}
    return carried | {f"infos/streams/{name}": f"streams/{name}/value" for name in content.streams}


def _rows(content: Content, environment: Environment, episode: StoredEpisode) -> dict[str, Any]:
    applied, phase = episode.actions, episode.array("steps/phase")
    observations = {name: episode.array(f"obs/{name}") for name in content.observations}
    for picture in content.pictures:
        observations[picture.name] = observed(content, picture, content.images(episode, picture))
    infos: dict[str, Any] = {
        "success": np.append(False, episode.array("steps/success")),
        "phase": np.append(phase, phase[-1:]),
        "action_applied": np.concatenate([applied, applied[-1:]]),
        "streams": content.resampled(episode),
    }
    return {
        "observations": observations,
        "actions": environment.normalized(applied),
        "rewards": episode.rewards,
        "terminations": episode.array("steps/terminated"),
        "truncations": episode.array("steps/truncated"),
        "infos": infos,
    }


def _labels(episode: StoredEpisode) -> dict[str, Any]:
    """Return what Minari keeps of an episode besides its arrays; `options` are those of the environment's reset."""
    out: dict[str, Any] = {
        "options/episode_seed": np.uint64(episode.seed),
        "episode_id": np.uint64(episode.id),
        "outcome": episode.outcome.name.lower(),
    }
    out |= {f"instruction/{language}": text for language, text in episode.instruction.items()}
    return out | {f"parameters/{name.replace('/', '.')}": value for name, value in episode.parameters.items()}


def _metadata(name: str, content: Content, environment: Environment, size: int) -> dict[str, Any]:
    manifest = content.data.manifest
    governance: Mapping[str, Any] = manifest.get("governance", {})
    creators = [str(c.get("name", "")) for c in governance.get("creator") or ()]
    license_text = str(governance.get("license") or "not stated")
    versions = {"genba": importlib.metadata.version("genba")}
    if made := manifest.get("generator", {}).get("mujoco"):
        versions["mujoco"] = made
    out: dict[str, Any] = {
        "dataset_id": name,
        "minari_version": VERSION,
        "data_format": "hdf5",
        "jpeg_encoding": False,  # else uint8 pictures would pass through JPEG
        "total_episodes": len(content.data),
        "total_steps": int(lengths_of(content.data).sum()),
        "observation_space": json.dumps(_space(environment.observations)),
        "action_space": json.dumps(_space(environment.actions)),
        "algorithm_name": "scripted expert",
        "author": creators,
        "author_email": [str(governance["contact"])] if governance.get("contact") else [],
        "code_permalink": "",
        "description": f"{content.data[0].task} of {manifest.get('dataset_id', '')}. Licence: {license_text}.",
        "dataset_size": round(size / 1e6, 1),
        "requirements": [f"{package}=={version}" for package, version in versions.items()] if environment.spec else [],
    }
    return out | ({"env_spec": environment.spec.to_json()} if environment.spec else {})


def _space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return a space as Minari's readers know it."""
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "subspaces": {name: _space(part) for name, part in space.spaces.items()}}
    assert isinstance(space, spaces.Box)
    ends = {"low": space.low.tolist(), "high": space.high.tolist()}
    return {"type": "Box", "dtype": str(space.dtype), "shape": list(space.shape)} | ends
