"""Brings a dataset from a store into a folder: every file of it has the hash that dataset.json gives.

What an interrupted fetch has brought is kept and brought no second time. dataset.json comes last, so a folder that
has one is whole.
"""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from generators.capped import parse_json
from generators.files import write_whole
from generators.governance.write import METADATA
from generators.media.writer import MEDIA
from generators.reader import file_sha256
from generators.schema import CHECKSUMS, MANIFEST, SHARDS, DatasetError
from generators.stores.store import Store

MARK = ".fetching"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_MAX_BYTES = 256 << 20
_LOOSE = (CHECKSUMS, f"{MEDIA}/{CHECKSUMS}", "plan.json", *METADATA)  # without a hash in dataset.json


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A file to bring.

    Attributes:
        name: in the dataset, "shards/shard-00000.h5".
        sha256: its hash.
    """

    name: str
    sha256: str


def fetch(url: str, folder: Path, done: Callable[[int, int], None] = lambda _, __: None) -> Mapping[str, Any]:
    """Bring a dataset.

    Args:
        url: where it lies.
        folder: where it is put: a new or empty one, or one of an interrupted fetch of the same dataset.
        done: called with how many files are there, and how many there will be.

    Returns:
        Its dataset.json.

    Raises:
        DatasetError: there is none, it is not complete, or a file has another hash than it should.
        StoreError: the store cannot be read.
    """
    store = Store(url.rstrip("/"))
    data, manifest = _manifest(store)
    parts = _parts(manifest)
    _claim(folder, str(manifest["dataset_id"]))
    for i, part in enumerate(parts):
        done(i, len(parts))
        _bring(store, part, folder)
    for name in _LOOSE:
        with contextlib.suppress(FileNotFoundError):
            loose = store.read(name, _MAX_BYTES)
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, loose)
    write_whole(folder / MANIFEST, data)
    (folder / MARK).unlink()
    done(len(parts), len(parts))
    return manifest


def _manifest(store: Store) -> tuple[bytes, dict[str, Any]]:
    try:
        data = store.read(MANIFEST, _MAX_BYTES)
        manifest = parse_json(data.decode())
        complete, _ = manifest["complete"], str(manifest["dataset_id"])
    except FileNotFoundError:
        raise DatasetError(f"{store.url} holds no dataset: there is no {MANIFEST}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{store.url}/{MANIFEST} is damaged: {error}") from None
    if complete is not True:
        raise DatasetError(f"{store.url} is not complete; finish it first: genba resume {store.url}")
    return data, manifest


def _parts(manifest: Mapping[str, Any]) -> list[Part]:
    try:
        entries = [m for entry in manifest.get("media", {}).values() for m in entry["shards"]]
        named = [(f"{SHARDS}/", s["name"], s["file_sha256"]) for s in manifest["shards"]]
        named += [(f"{MEDIA}/", m["name"], m["file_sha256"]) for m in entries]
        named += [("", name, digest) for name, digest in manifest["files"].items()]
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{MANIFEST} is damaged: {error!r}") from None
    for _, name, _ in named:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DatasetError(f"{MANIFEST} names a file {name!r:.80}, which no dataset of genba's has")
    return [Part(start + name, str(digest)) for start, name, digest in named]


def _claim(folder: Path, dataset_id: str) -> None:
    mark = folder / MARK
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not mark.is_file() or mark.read_text() != dataset_id:
            raise DatasetError(f"{folder} is there already and is no empty folder: give another name, or remove it")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(mark, dataset_id.encode())


def _bring(store: Store, part: Part, folder: Path) -> None:
    path = folder / part.name
    if path.is_file() and file_sha256(path) == part.sha256:
        return
    path.parent.mkdir(exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    try:
        store.get(part.name, aside)
    except FileNotFoundError:
        raise DatasetError(f"{store.url}/{part.name} is missing; make it again: genba resume {store.url}") from None
    if file_sha256(aside) != part.sha256:
        aside.unlink()
        raise DatasetError(f"{store.url}/{part.name} is damaged: its hash is not the one in {MANIFEST}")
    aside.replace(path)
