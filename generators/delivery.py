"""A shard for a store: made in a folder of the worker's machine, then sent, whole files first and the receipt last.

A shard counts as delivered where its receipt is there and the objects are still those that it speaks of. Whoever
makes it again sends the same bytes, so workers and drivers that do not know of each other do no harm.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generators.capped import MAX_LOG_BYTES, parse_json
from generators.filming import MediaReport
from generators.media.writer import MEDIA
from generators.pieces import Piece, pack, read_piece, unpack
from generators.plan import Shard
from generators.schema import SHARDS, DatasetError
from generators.staging import staging
from generators.store import Store
from generators.worker import Job, ShardReport, run_shard

RECEIPTS = "logs"
PIECES = "pieces"
MAX_PIECE_BYTES = 256 << 20


def deliver_shard(job: Job) -> ShardReport:
    """Make a shard and its pictures, and send them to the store.

    Raises:
        StoreError: it cannot be written.
    """
    store = Store(job.out)
    with staging() as folder:
        for part in (SHARDS, RECEIPTS):
            (folder / part).mkdir()
        report = run_shard(dataclasses.replace(job, out=str(folder)))
        files = [f"{SHARDS}/{report.name}", *(f"{MEDIA}/{m.name}" for m in report.media)]
        marks = {file: store.put(file, folder / file) for file in files}
        piece = read_piece(folder / SHARDS / report.name, job.shard.task)
        marks[_piece(job.shard)] = store.write(_piece(job.shard), pack(piece))
        receipt = {"physics_sha256": job.plan.physics_sha256, "marks": marks, "report": dataclasses.asdict(report)}
        store.write(_receipt(job.shard), json.dumps(receipt, indent=1).encode())
    return report


def delivered(store: Store, jobs: Sequence[Job]) -> list[ShardReport | None]:
    """Return the reports of shards that are in the store with all their pictures; None for each other."""
    marks = store.listing(SHARDS) | store.listing(MEDIA) | store.listing(PIECES)
    receipts = store.listing(RECEIPTS)
    there = [j for j in jobs if f"{SHARDS}/{j.shard.name}" in marks]
    names = [n for j in there if (n := _receipt(j.shard)) in receipts and _size(receipts[n]) <= MAX_LOG_BYTES]
    found = dict(zip(names, store.read_all(names), strict=True))
    return [_report(job, found.get(_receipt(job.shard), b""), marks) for job in jobs]


def delivered_pieces(store: Store, shards: Sequence[Shard]) -> Iterator[Piece]:
    """Bring the pieces of shards.

    Raises:
        DatasetError: one is missing, damaged, or larger than any shard's.
    """
    sizes = {name: _size(mark) for name, mark in store.listing(PIECES).items()}
    names = [_piece(s) for s in shards]
    for name in names:
        if not 0 < sizes.get(name, 0) <= MAX_PIECE_BYTES:
            size = sizes.get(name, 0)
            raise DatasetError(f"{store.url}/{name} has {size} bytes, a piece of a shard 1 to {MAX_PIECE_BYTES}")
    with staging() as folder:
        for shard, name, data in zip(shards, names, store.read_all(names), strict=True):
            path = folder / name.replace("/", "-")
            path.write_bytes(data)
            try:
                piece = unpack(path, shard.task, shard.count)
            except DatasetError as error:
                why = str(error).replace(str(path), f"{store.url}/{name}")
                raise DatasetError(f"{why}; remove it, then: genba resume {store.url}") from None
            path.unlink()
            yield piece


def _report(job: Job, receipt: bytes, marks: Mapping[str, str]) -> ShardReport | None:
    try:
        data: dict[str, Any] = parse_json(receipt.decode())
        if data["physics_sha256"] != job.plan.physics_sha256 or data["report"]["episodes"] != job.shard.count:
            return None
        if any(marks.get(name) != mark for name, mark in data["marks"].items()):
            return None
        pictures = [MediaReport(**m) for m in data["report"].pop("media")]
        report = ShardReport(**data["report"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    by_shot = {m.camera: m for m in pictures if f"{MEDIA}/{m.name}" in data["marks"]}
    wanted = [by_shot.get(shot.camera) for shot in job.shots]
    media = [m for m, shot in zip(wanted, job.shots, strict=True) if m is not None and m.settings == shot.to_json()]
    if len(media) < len(job.shots) or not {f"{SHARDS}/{job.shard.name}", _piece(job.shard)} <= data["marks"].keys():
        return None
    return dataclasses.replace(report, resumed=True, media=tuple(dataclasses.replace(m, resumed=True) for m in media))


def _receipt(shard: Shard) -> str:
    return f"{RECEIPTS}/{shard.name.removesuffix('.h5')}.json"


def _piece(shard: Shard) -> str:
    return f"{PIECES}/{shard.name.removesuffix('.h5')}.parquet"


def _size(mark: str) -> int:
    return int(mark.partition(" ")[0])
