"""Writes what is made of dataset.json, next to it, and tells whether what is there still fits it.

The same dataset.json gives the same bytes; each file says which dataset.json it is made from, and by which genba.
"""

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.capped import read_capped
from generators.dataset import read_manifest
from generators.files import write_whole
from generators.governance.about import About, amend
from generators.governance.card import CARDS, card, governance
from generators.governance.croissant import CROISSANT, croissant, dumps
from generators.governance.facts import file_facts, standing_facts
from generators.governance.provenance import PROVENANCE, provenance
from generators.schema import MANIFEST, DatasetError
from sim.errors import describe_error

METADATA = (*CARDS.values(), CROISSANT, PROVENANCE)
_MADE = re.compile(rb"made by genba (\S+) from dataset\.json ([0-9a-f]{64})")
_ASKED_FOR = ("license", "creator", "contact", "url", "published", "intended_use", "data_residency", "export_control")


def render_metadata(data: bytes) -> dict[str, bytes]:
    """Return the files that a dataset.json makes: name -> bytes.

    Args:
        data: the bytes of dataset.json.

    Raises:
        DatasetError: it lacks something that they need.
    """
    made = f"made by genba {importlib.metadata.version('genba')} from {MANIFEST} {hashlib.sha256(data).hexdigest()}"
    try:
        manifest = json.loads(data)
        out = {name: card(manifest, language, made).encode() for language, name in CARDS.items()}
        out[CROISSANT] = dumps(croissant(manifest, data, made))
        out[PROVENANCE] = dumps(provenance(manifest, made))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DatasetError(f"{MANIFEST} lacks what a card needs: {describe_error(error)}") from None
    return out


def write_metadata(folder: Path) -> list[Path]:
    """Write cards, Croissant and provenance of a dataset; return those that changed.

    Args:
        folder: the dataset's; only its dataset.json is read.

    Raises:
        DatasetError: there is no dataset.json, or it lacks something that they need.
        OSError: as the system says.
    """
    read_manifest(folder)
    changed: list[Path] = []
    for name, data in render_metadata(read_capped(folder / MANIFEST, within=folder)).items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data, durable=False)
            changed.append(path)
    return changed


def refresh_metadata(folder: Path) -> None:
    """Write the cards and other descriptions of a dataset anew, where it has any.

    Args:
        folder: the dataset's.

    Raises:
        DatasetError: as in `write_metadata`.
    """
    if any((folder / name).is_file() for name in METADATA):
        write_metadata(folder)


def describe_anew(folder: Path, changes: Mapping[str, Any], settings: Sequence[str] = ()) -> list[Path]:
    """Change what people say of a dataset, in its dataset.json, and write all that is made of it.

    Args:
        folder: the dataset's.
        changes: keys of `about.About`; each replaces what is there.
        settings: "key=text" or "key.ja=text".

    Returns:
        The files that changed.

    Raises:
        ConfigError: a key that does not exist, or a value that it does not take.
        DatasetError: there is no dataset.json, or it lacks something.
    """
    manifest = read_manifest(folder)
    facts = standing_facts(folder, str(manifest.get("dataset_id")))
    known = manifest | {k: v for k, v in facts.items() if k not in manifest and k != "environment"}
    known |= {k: v for k, v in file_facts(folder).items() if k not in manifest}
    known["governance"] = amend(facts["governance"], changes, settings)
    changed: list[Path] = []
    if known != manifest:
        write_whole(folder / MANIFEST, (json.dumps(known, indent=1) + "\n").encode())
        changed.append(folder / MANIFEST)
    return changed + write_metadata(folder)


def stale(folder: Path) -> list[str]:
    """Tell which cards and other descriptions do not fit dataset.json any more: "README.md: ..."; missing ones are not.

    Args:
        folder: the dataset's.

    Raises:
        DatasetError: there is no dataset.json.
    """
    there = [name for name in METADATA if (folder / name).is_file()]
    if not there:
        return []
    read_manifest(folder)
    data = read_capped(folder / MANIFEST, within=folder)
    try:
        fresh = render_metadata(data)
    except DatasetError as error:
        return [f"{there[0]}: {error}"]
    hint = f"write it anew: genba card {folder}"
    return [f"{name}: {what}; {hint}" for name in there if (what := _differs(folder / name, fresh[name], data))]


def unstated(manifest: Mapping[str, Any]) -> list[str]:
    """Return what readers of a card ask for and nobody has said, in the words of `about.About`."""
    about = governance(manifest)
    return [key for key in _ASKED_FOR if key in About.model_fields and not about.get(key)]


def _differs(path: Path, fresh: bytes, data: bytes) -> str:
    """Say in what a file is not what dataset.json makes; "" where it is, or was in another version's words."""
    try:
        found = read_capped(path, within=path.parent)
    except (OSError, ValueError) as error:
        return describe_error(error)
    made, now = _MADE.search(found), importlib.metadata.version("genba").encode()
    if made is None or made[2] != hashlib.sha256(data).hexdigest().encode():
        return f"it was made from another {MANIFEST}"
    return f"it is not what {MANIFEST} makes" if found != fresh and made[1] == now else ""
