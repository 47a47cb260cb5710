"""A shard for a store: made in a folder of the worker's machine, then sent, whole files first and the receipt last.

A shard counts as delivered where its receipt is there and the objects are still those that it speaks of. Whoever
makes it again sends the same bytes, so workers and drivers that do not know of each other do no harm.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generators.filming import MediaReport
from generators.media.writer import MEDIA
from generators.pieces import Piece, pack, read_piece, unpack
from generators.plan import Shard
from generators.reader import file_sha256
from generators.schema import SHARDS, DatasetError
from generators.stores.protocols import size_of
from generators.stores.receipts import RECEIPTS, Receipt, read_book, read_receipts, send_receipt, stems
from generators.stores.staging import staging
from generators.stores.store import Store
from generators.worker import Job, ShardReport, run_shard

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
        piece = read_piece(folder / SHARDS / report.name, job.shard.task, trusted=True)
        marks[_piece(job.shard)] = store.write(_piece(job.shard), pack(piece))
        report = dataclasses.replace(report, marks=marks)
        send_receipt(store, job, report)
    return report


def delivered(store: Store, jobs: Sequence[Job]) -> tuple[list[ShardReport | None], set[int]]:
    """Look for shards that are in the store with all their pictures.

    Returns:
        Each one's report, None where it is not there; and the numbers of those that a finished batch of receipts has.
    """
    names = stems(job.shard for job in jobs)
    folders = (SHARDS, MEDIA) if any(job.shots for job in jobs) else (SHARDS,)
    with ThreadPoolExecutor() as pool:
        booked = pool.submit(lambda: [_reports(jobs, receipts) for receipts in read_book(store)])
        listings = list(pool.map(lambda folder: store.listing(folder, names), folders))
    marks = {name: mark for found in listings for name, mark in found.items()}
    finished, unfinished = (_as_sent(reports, marks) for reports in booked.result())
    found = unfinished | finished
    left = [job for job in jobs if job.shard.index not in found and f"{SHARDS}/{job.shard.name}" in marks]
    found |= _as_sent(_reports(left, read_receipts(store, [job.shard for job in left])), marks)
    return [found.get(job.shard.index) for job in jobs], set(finished)


def delivered_pieces(store: Store, reports: Mapping[Shard, ShardReport]) -> Iterator[Piece]:
    """Bring the pieces of shards that are there; one that is not as it was sent is taken from its shard again.

    Raises:
        DatasetError: a shard is not as it was sent, either.
    """
    there = store.listing(PIECES, stems(reports))
    as_sent = {s for s, report in reports.items() if there.get(_piece(s)) == report.marks[_piece(s)]}
    as_sent = {s for s in as_sent if size_of(there[_piece(s)]) <= MAX_PIECE_BYTES}
    brought = store.read_all([_piece(s) for s in reports if s in as_sent])
    with staging() as folder:
        for shard, report in reports.items():
            path = folder / shard.name
            try:
                path.write_bytes(next(brought) if shard in as_sent else b"")
                piece = unpack(path, shard.task, shard.count)
            except DatasetError:
                piece = _taken_again(store, shard, report, path)
            path.unlink()
            yield piece


def _taken_again(store: Store, shard: Shard, report: ShardReport, path: Path) -> Piece:
    """Bring a shard, and send the piece that it contributes."""
    name = f"{SHARDS}/{shard.name}"
    with contextlib.suppress(FileNotFoundError):
        store.get(name, path)
    piece = read_piece(path, shard.task, trusted=False) if file_sha256(path) == report.file_sha256 else None
    if piece is None or len(piece.table) != shard.count:
        raise DatasetError(f"{store.url}/{name} is not as it was sent; remove it, then: genba resume {store.url}")
    store.write(_piece(shard), pack(piece))
    return piece


def _as_sent(reports: Mapping[int, ShardReport], marks: Mapping[str, str]) -> dict[int, ShardReport]:
    """Return the reports whose shards and pictures are those that they speak of."""

    def is_as_sent(report: ShardReport) -> bool:
        return all(marks.get(name) == mark for name, mark in report.marks.items() if not name.startswith(f"{PIECES}/"))

    return {index: report for index, report in reports.items() if is_as_sent(report)}


def _reports(jobs: Sequence[Job], receipts: Mapping[int, Receipt]) -> dict[int, ShardReport]:
    """Return the reports of the receipts that are the jobs'."""
    found = ((job.shard.index, _report(job, receipts.get(job.shard.index))) for job in jobs)
    return {index: report for index, report in found if report is not None}


def _report(job: Job, receipt: Receipt) -> ShardReport | None:
    """Return the report of a receipt, if it is the job's."""
    try:
        said, marks = receipt["report"], dict(receipt["marks"])
        if receipt["physics_sha256"] != job.plan.physics_sha256 or said["episodes"] != job.shard.count:
            return None
        if (said["index"], said["name"]) != (job.shard.index, job.shard.name):
            return None
        pictures = [MediaReport(**m | {"resumed": True}) for m in said["media"]]
        report = ShardReport(**said | {"media": (), "marks": marks, "resumed": True})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    by_shot = {m.camera: m for m in pictures if f"{MEDIA}/{m.name}" in marks}
    wanted = [by_shot.get(shot.camera) for shot in job.shots]
    media = [m for m, shot in zip(wanted, job.shots, strict=True) if m is not None and m.settings == shot.to_json()]
    if len(media) < len(job.shots) or not {f"{SHARDS}/{job.shard.name}", _piece(job.shard)} <= marks.keys():
        return None
    return dataclasses.replace(report, media=tuple(media)) if media else report


def _piece(shard: Shard) -> str:
    return f"{PIECES}/{shard.name.removesuffix('.h5')}.parquet"
