"""A shard for a store: made in a folder of the worker's machine, then sent, whole files first and the receipt last.

A shard counts as delivered where its receipt is there and the objects are still those that it speaks of. Whoever
makes it again sends the same bytes, so workers and drivers that do not know of each other do no harm. The driver writes
down many receipts at a time once more, for the driver that resumes.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
BATCHES = "batches"  # of receipts: a driver that resumes would wait for each by itself, 5 ms or more
BATCH = 250  # receipts
MAX_BATCH_BYTES = 16 << 20
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
        report = dataclasses.replace(report, marks=marks)
        store.write(_receipt(job.shard), json.dumps(_to_json(report, job.plan.physics_sha256), indent=1).encode())
    return report


def keep_batch(store: Store, reports: Sequence[ShardReport], physics_sha256: str) -> None:
    """Write many shards' receipts into one object besides.

    Raises:
        StoreError: it cannot be written.
    """
    data = json.dumps([_to_json(report, physics_sha256) for report in reports]).encode()
    store.write(f"{BATCHES}/{hashlib.sha256(data).hexdigest()[:16]}.json", data)


def delivered(store: Store, jobs: Sequence[Job]) -> list[ShardReport | None]:
    """Return the reports of shards that are in the store with all their pictures; None for each other."""
    folders = (SHARDS, PIECES, BATCHES, *((MEDIA,) if any(job.shots for job in jobs) else ()))
    with ThreadPoolExecutor(len(folders)) as pool:  # each is many requests, one after the other
        there = dict(zip(folders, pool.map(store.listing, folders), strict=True))
    batches = there.pop(BATCHES)
    marks = {name: mark for found in there.values() for name, mark in found.items()}
    receipts = _batched(store, [name for name, mark in batches.items() if _size(mark) <= MAX_BATCH_BYTES])
    reports = [_report(job, receipts.get(job.shard.index), marks) for job in jobs]
    unsaid = [i for i, job in enumerate(jobs) if reports[i] is None and f"{SHARDS}/{job.shard.name}" in marks]
    known = store.listing(RECEIPTS) if unsaid else {}
    left = [i for i in unsaid if 0 < _size(known.get(_receipt(jobs[i].shard), "0")) <= MAX_LOG_BYTES]
    for i, data in zip(left, store.read_all([_receipt(jobs[i].shard) for i in left]), strict=True):
        reports[i] = _report(jobs[i], _parsed(data), marks)
    return reports


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


def _batched(store: Store, names: Sequence[str]) -> dict[int, Any]:
    """Return the receipts that are in batches, by shard; which are still true is told by the objects."""
    found: dict[int, Any] = {}
    for batch in map(_parsed, store.read_all(names)):
        for receipt in batch if isinstance(batch, list) else ():
            with contextlib.suppress(KeyError, TypeError):
                found[receipt["report"]["index"]] = receipt
    return found


def _to_json(report: ShardReport, physics_sha256: str) -> dict[str, Any]:
    data = dataclasses.asdict(report)
    return {"physics_sha256": physics_sha256, "marks": data.pop("marks"), "report": data}


def _parsed(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what JSON says, None where it is none."""
    try:
        return parse_json(data.decode())
    except ValueError:
        return None


def _report(job: Job, receipt: Any, marks: Mapping[str, str]) -> ShardReport | None:  # noqa: ANN401 - JSON
    """Return the report of a receipt that is the job's, if the objects are those that it speaks of."""
    try:
        said = receipt["report"]
        if receipt["physics_sha256"] != job.plan.physics_sha256 or said["episodes"] != job.shard.count:
            return None
        if (said["index"], said["name"]) != (job.shard.index, job.shard.name):
            return None
        if any(marks.get(name) != mark for name, mark in receipt["marks"].items()):
            return None
        pictures = [MediaReport(**m) for m in said["media"]]
        report = ShardReport(**said | {"media": (), "marks": receipt["marks"]})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    by_shot = {m.camera: m for m in pictures if f"{MEDIA}/{m.name}" in report.marks}
    wanted = [by_shot.get(shot.camera) for shot in job.shots]
    media = [m for m, shot in zip(wanted, job.shots, strict=True) if m is not None and m.settings == shot.to_json()]
    if len(media) < len(job.shots) or not {f"{SHARDS}/{job.shard.name}", _piece(job.shard)} <= report.marks.keys():
        return None
    return dataclasses.replace(report, resumed=True, media=tuple(dataclasses.replace(m, resumed=True) for m in media))


def _receipt(shard: Shard) -> str:
    return f"{RECEIPTS}/{shard.name.removesuffix('.h5')}.json"


def _piece(shard: Shard) -> str:
    return f"{PIECES}/{shard.name.removesuffix('.h5')}.parquet"


def _size(mark: str) -> int:
    return int(mark.partition(" ")[0])
