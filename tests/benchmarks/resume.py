"""How long `genba resume` takes to decide what is left of 10,000 shards, in a folder and in stores.

    python tests/benchmarks/resume.py            # about three minutes; --shards for another number

The dataset was cut short of its last 125 shards by a kill, before the last few receipts came into the driver's book. It
is there as far as the decision looks: shards of some bytes, and what vouches for them. The S3 server is moto, on the same
cores.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generators.faults.bucket import BUCKET, open_bucket
from generators.files import stamp
from generators.places import place_of
from generators.plan import Plan, Shard
from generators.schema import SHARDS
from generators.seals import sealed
from generators.stores import receipts
from generators.stores.delivery import PIECES
from generators.stores.store import Store
from generators.worker import Job, ShardReport

PLAN = Plan({}, ".", 0, 1, 0, (), (), "", "", "0" * 64)
MISSING, UNBOOKED, ROUNDS = 125, 4, 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=10_000)
    count = parser.parse_args().shards
    with tempfile.TemporaryDirectory() as temporary, s3() as url:
        for out in (f"{temporary}/folder", f"file://{temporary}/store", "memory://resume", url):
            jobs = [Job(Shard(i, "steel/crane_coil", i, 1), PLAN, out) for i in range(count)]
            (put_files if out.startswith("/") else put_objects)(jobs[:-MISSING])
            times = [decide(jobs) for _ in range(ROUNDS)]
            where = out.partition("://")[0] if "://" in out else "folder"
            print(f"{where:8} {count} shards: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})")


def decide(jobs: Sequence[Job]) -> float:
    """Return how long it takes, s."""
    begin = time.perf_counter()
    reports = place_of(jobs[0].out).settled(jobs)
    took = time.perf_counter() - begin
    assert all(reports[:-MISSING]), "not all shards that are there were found"
    assert not any(reports[-MISSING:]), "shards were found that are not there"
    return took


def put_files(jobs: Sequence[Job]) -> None:
    """Write shards and their reports as workers leave them in a folder."""
    for name in (SHARDS, receipts.RECEIPTS):
        (Path(jobs[0].out) / name).mkdir(parents=True)
    for job in jobs:
        job.path.write_bytes(b"a shard")
        said = {"physics_sha256": PLAN.physics_sha256, "stamp": stamp(job.path)} | dataclasses.asdict(report(job.shard))
        del said["media"], said["marks"]
        job.report_path.write_text(json.dumps(sealed(said)))


def put_objects(jobs: Sequence[Job]) -> None:
    """Write shards, pieces and receipts as workers and their driver leave them in a store."""
    store = Store(jobs[0].out)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda job: put(store, job), jobs))
    book = receipts.Book(store, PLAN.physics_sha256)
    *many, last = reports[:-UNBOOKED]
    for one in many:
        book.add(one)
    usual, receipts.EVERY_S = receipts.EVERY_S, 0.0
    book.add(last)
    receipts.EVERY_S = usual


def put(store: Store, job: Job) -> ShardReport:
    """Write one shard, its piece and its receipt."""
    names = f"{SHARDS}/{job.shard.name}", f"{PIECES}/{job.shard.name.removesuffix('.h5')}.parquet"
    marks = {name: store.write(name, b"a shard or its piece") for name in names}
    told = dataclasses.replace(report(job.shard), marks=marks)
    receipts.send_receipt(store, job, told)
    return told


def report(shard: Shard) -> ShardReport:
    """Return what its worker would have said."""
    return ShardReport(shard.index, shard.name, 1, 100, 7, "0" * 64, "0" * 64, {"success": 1}, "", 1.0, "here")


@contextlib.contextmanager
def s3() -> Generator[str]:
    """Give the URL of a folder on a server of one's own."""
    with open_bucket(0) as bucket:
        os.environ.update({k: v for k, v in bucket.env.items() if k.lower() == "no_proxy" or k.startswith("AWS_")})
        os.environ["AWS_ENDPOINT_URL"] = bucket.client.meta.endpoint_url  # past the network that can be made to fail
        yield f"s3://{BUCKET}/resume"


if __name__ == "__main__":
    main()
