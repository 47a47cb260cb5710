"""What vouches for shards in a store: each worker's receipt, and a book in which the driver has many of them.

A receipt says of which objects it speaks; nobody has to believe more than that. A driver that resumes would wait for
each by itself, 5 ms or more; from the book it reads hundreds at a time.
"""

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from generators.capped import MAX_LOG_BYTES, parse_json
from generators.plan import Shard
from generators.seals import sealed, unsealed
from generators.stores.patience import StoreError
from generators.stores.protocols import size_of
from generators.stores.store import Store
from generators.worker import Job, ShardReport

RECEIPTS = "logs"
BATCHES = "batches"
BATCH = 250  # receipts
EVERY_S = 5.0  # that those of an unfinished batch are written down
MAX_BATCH_BYTES = 16 << 20
_UNFINISHED = f"{BATCHES}/unfinished.json"

Receipt = Any  # JSON, from wherever


def send_receipt(store: Store, job: Job, report: ShardReport) -> None:
    """Write a shard's receipt.

    Raises:
        StoreError: it cannot be written.
    """
    data = json.dumps(sealed(_to_json(report, job.plan.physics_sha256)), indent=1)
    store.write(_name(job.shard), data.encode())


def read_receipts(store: Store, shards: Sequence[Shard]) -> dict[int, Receipt]:
    """Return the receipts that shards have, by shard; each takes requests of its own."""
    there = store.marks([_name(shard) for shard in shards])
    having = [shard for shard in shards if 0 < size_of(there.get(_name(shard))) <= MAX_LOG_BYTES]
    found = map(_parsed, store.read_all([_name(shard) for shard in having]))
    return {shard.index: receipt for shard, receipt in zip(having, found, strict=True)}


class Book:
    """The receipts that one driver has seen.

    Args:
        store: where they are written.
        physics_sha256: of the plan.
        loose: reports of shards that are there and in no finished batch.
    """

    def __init__(self, store: Store, physics_sha256: str, loose: Iterable[ShardReport] = ()) -> None:
        self._store, self._physics_sha256 = store, physics_sha256
        self._loose = list(loose)
        self._written = time.monotonic()

    def add(self, report: ShardReport) -> None:
        """Note another; write them down when there are many, and else now and then.

        A store that cannot be written then is tried again later: without the book no receipt is lost.
        """
        self._loose.append(report)
        with contextlib.suppress(StoreError):
            while len(self._loose) >= BATCH:
                self._write(self._loose[:BATCH])
                del self._loose[:BATCH]
            if time.monotonic() - self._written >= EVERY_S:
                self._written = time.monotonic()
                self._write(self._loose, _UNFINISHED)

    def _write(self, reports: Sequence[ShardReport], name: str | None = None) -> None:
        data = json.dumps(sealed({"receipts": [_to_json(report, self._physics_sha256) for report in reports]})).encode()
        self._store.write(name or f"{BATCHES}/{hashlib.sha256(data).hexdigest()[:16]}.json", data)


def read_book(store: Store) -> tuple[dict[int, Receipt], dict[int, Receipt]]:
    """Return the receipts of finished batches, and those of the unfinished one, by shard."""
    names = [name for name, mark in store.listing(BATCHES).items() if size_of(mark) <= MAX_BATCH_BYTES]
    finished: dict[int, Receipt] = {}
    unfinished: dict[int, Receipt] = {}
    for name, data in zip(names, store.read_all(names), strict=True):
        batch = (_parsed(data) or {}).get("receipts")
        found = unfinished if name == _UNFINISHED else finished
        for receipt in batch if isinstance(batch, list) else ():
            with contextlib.suppress(KeyError, TypeError):
                found[receipt["report"]["index"]] = receipt
    return finished, unfinished


def stems(shards: Iterable[Shard]) -> list[str]:
    """Return the beginnings of all names that objects of shards have, a thousand shards each."""
    return sorted({shard.name.removesuffix(".h5")[:-3] for shard in shards})


def _name(shard: Shard) -> str:
    return f"{RECEIPTS}/{shard.name.removesuffix('.h5')}.json"


def _to_json(report: ShardReport, physics_sha256: str) -> Receipt:
    data = dataclasses.asdict(report)
    return {"physics_sha256": physics_sha256, "marks": data.pop("marks"), "report": data}


def _parsed(data: bytes) -> dict[str, Any] | None:
    """Return what JSON says, None where it is none, or not as it was sealed."""
    try:
        return unsealed(parse_json(data.decode()))
    except ValueError:
        return None
