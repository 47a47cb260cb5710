"""Write a dataset made of pieces of others: a whole folder that names no file outside of it.

Its shards and pictures are hard links to the sources' files, or copies where there cannot be links: they are never
rewritten, and either folder can be moved or deleted. The same inputs give the same bytes.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.curation import choice, describing, episodes, statistics
from generators.curation.choice import ChosenShard, Duplicates, Piece
from generators.curation.pictures import describe_pictures, task_of
from generators.curation.sources import Source, check_same_tasks, open_source
from generators.curation.statistics import ByColumn, Done
from generators.files import whole_folder, write_whole
from generators.governance.facts import file_facts
from generators.governance.write import write_metadata
from generators.manifest import STATISTICS, write_sums
from generators.media.writer import MEDIA
from generators.media_manifest import write_media_sums
from generators.schema import MANIFEST, SHARDS, TABLE, DatasetError
from generators.stats import to_json


def derive(
    pieces: Sequence[Piece],
    out: Path,
    derived: Mapping[str, Any],
    *,
    pictures: bool = True,
    duplicates: Duplicates = "keep",
    done: Done | None = None,
) -> dict[str, Any]:
    """Write a dataset made of pieces of others.

    Args:
        pieces: which episodes of which datasets, at least one; each dataset once.
        out: the folder to make; it must be absent or empty, and gets its name when it is whole.
        derived: what dataset.json says of how it was made: "activity" and its facts.
        pictures: whether the pictures go with the shards.
        duplicates: what to do with episodes that an earlier piece has too.
        done: called with the share that is done.

    Returns:
        The new dataset.json.

    Raises:
        DatasetError: a source is incomplete or damaged, two do not go together, or nothing is chosen.
    """
    for piece in pieces:
        if out.resolve().is_relative_to(piece.folder.resolve()):
            raise DatasetError(f"{out} is inside of the dataset {piece.folder}: give a folder outside of it")
    with whole_folder(out) as folder:
        return write_derived(pieces, folder, derived, pictures=pictures, duplicates=duplicates, done=done)


def write_derived(
    pieces: Sequence[Piece],
    folder: Path,
    derived: Mapping[str, Any],
    *,
    pictures: bool = True,
    duplicates: Duplicates = "keep",
    done: Done | None = None,
) -> dict[str, Any]:
    """Write a derived dataset into an empty folder, as `derive` does; what is there when it fails is not whole."""
    with contextlib.ExitStack() as stack:
        sources: list[Source] = []
        for piece in pieces:
            sources.append(open_source(piece.folder, pictures=pictures))
            stack.callback(sources[-1].data.close)
        check_same_tasks(sources)
        rows = [
            np.arange(len(source.data)) if piece.rows is None else np.asarray(piece.rows, np.int64)
            for source, piece in zip(sources, pieces, strict=True)
        ]
        shards = choice.choose_shards(sources, choice.without_duplicates(sources, rows, duplicates))
        if not shards:
            raise DatasetError("nothing is chosen: a dataset has at least one episode")
        return _write(folder, sources, shards, derived, pictures=pictures, done=done)


def _write(
    folder: Path,
    sources: Sequence[Source],
    shards: Sequence[ChosenShard],
    derived: Mapping[str, Any],
    *,
    pictures: bool,
    done: Done | None,
) -> dict[str, Any]:
    names = describing.names_of(sources, shards)
    table = episodes.compose(sources, shards, names)
    media, files = describe_pictures(sources, shards, names) if pictures else ({}, {})
    manifest = describing.describe(sources, shards, table, names, derived)
    _link(folder, sources, shards, files)
    write_whole(folder / TABLE, episodes.packed(table))
    write_whole(folder / STATISTICS, _statistics(sources, shards, names, done))
    write_media_sums(folder, media)
    write_sums(folder, {f"{SHARDS}/{shard['name']}": shard["file_sha256"] for shard in manifest["shards"]})
    manifest |= file_facts(folder) | {"media": media}
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    write_metadata(folder)
    return manifest


def _link(folder: Path, sources: Sequence[Source], shards: Sequence[ChosenShard], pictures: Mapping[str, Path]) -> None:
    (folder / SHARDS).mkdir()
    for number, chosen in enumerate(shards):
        source = sources[chosen.source]
        name = source.manifest["shards"][chosen.shard]["name"]
        _put(source.folder / SHARDS / name, folder / SHARDS / episodes.shard_name(number))
    if pictures:
        (folder / MEDIA).mkdir()
    for name, path in pictures.items():
        _put(path, folder / MEDIA / name)


def _put(source: Path, target: Path) -> None:
    """Link a file, or copy it where the two folders are on different disks or the system knows no links."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _statistics(
    sources: Sequence[Source], shards: Sequence[ChosenShard], names: Mapping[str, str], done: Done | None
) -> bytes:
    """Return stats.json."""
    total: dict[str, ByColumn] = {}
    for number, chosen in enumerate(shards):
        source = sources[chosen.source]
        shard = source.data.shards.open(chosen.shard)
        found = statistics.statistics_of(shard, chosen.rows)
        statistics.add_statistics(total, names[task_of(source, chosen)], found)
        statistics.report_share(done, number, shards)
    plain = {task: {name: to_json(part) for name, part in sorted(parts.items())} for task, parts in total.items()}
    return (json.dumps(plain, indent=1) + "\n").encode()
