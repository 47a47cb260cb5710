"""A store of a campaign's own: an S3 server in another process, behind a network that can be made to fail."""

import contextlib
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from generators.faults.invariant import Reference
from generators.faults.proxy import Proxy
from generators.governance.write import METADATA
from generators.schema import CHECKSUMS, MANIFEST, SHARDS, TABLE
from generators.seals import unsealed
from generators.stores.delivery import PIECES
from generators.stores.patience import PATIENCE
from generators.stores.receipts import BATCHES, RECEIPTS
from sim.errors import MissingExtraError

BUCKET = "faults"
PATIENCE_S = 2.5  # of the program with its store, much less than a user's
_NEEDS = ("moto", "boto3", "s3fs", "flask")
_SERVER = (
    "import sys; from moto.server import ThreadedMotoServer as Server;"
    "server = Server('127.0.0.1', 0, verbose=False); server.start();"
    "print(server.get_host_and_port()[1], flush=True); sys.stdin.read()"  # until the harness is gone
)
QUICK = {"config_kwargs": {"connect_timeout": 0.4, "read_timeout": 0.4, "retries": {"max_attempts": 0}}}
_DESCRIBING = ("plan.json", MANIFEST, TABLE, CHECKSUMS, "stats.json", *METADATA)


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket on the server.

    Attributes:
        client: boto3's, past the network.
        proxy: the network.
    """

    client: Any
    proxy: Proxy

    @property
    def env(self) -> Mapping[str, str]:
        """What the program must have in its environment to use it."""
        return _KEYS | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}",
            "FSSPEC_S3": json.dumps(QUICK),
            PATIENCE: f"{PATIENCE_S:g}",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


_KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Objects:
    """A trial's dataset in the bucket, reached past the network that fails.

    Attributes:
        bucket: it.
        name: the dataset's.
        left: objects and uploads that were put there as a killed sender leaves them.
    """

    bucket: Bucket
    name: str
    left: set[str] = dataclasses.field(default_factory=set)

    @property
    def url(self) -> str:
        """Where the program puts the dataset."""
        return f"s3://{BUCKET}/{self.name}"

    def names(self) -> list[str]:
        """Return the names of all objects, without the dataset's."""
        return list(self._marks())

    def _marks(self) -> dict[str, str]:
        """Return the objects' sizes and hashes as receipts have them, by name."""
        pages = self.bucket.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{self.name}/")
        found = (o for page in pages for o in page.get("Contents", ()))
        return {o["Key"].removeprefix(f"{self.name}/"): f"{o['Size']} {o['ETag']}" for o in found}

    def _vouched(self, marks: Mapping[str, str]) -> set[str]:
        """Return the shards that count as being there: a receipt speaks of the very object."""
        found: set[str] = set()
        for name in (n for n in marks if n.startswith((f"{RECEIPTS}/", f"{BATCHES}/"))):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                told = unsealed(json.loads(self._read(name)))
                for receipt in told.get("receipts", [told]):
                    found |= {n for n, mark in receipt["marks"].items() if marks.get(n) == mark}
        return {name for name in found if name.startswith(f"{SHARDS}/")}

    def _read(self, name: str) -> bytes:
        return self.bucket.client.get_object(Bucket=BUCKET, Key=f"{self.name}/{name}")["Body"].read()

    @contextlib.contextmanager
    def opened(self, folder: Path) -> Generator[Path]:
        """Give the objects as files of a folder, shards where they count; what is changed changes in the bucket."""
        client, before, marks = self.bucket.client, {}, self._marks()
        vouched = self._vouched(marks)
        for name in marks:
            if name.startswith(f"{SHARDS}/") and name.endswith(".h5") and name not in vouched:
                continue
            before[name] = self._read(name)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(before[name])
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        after = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for name in before.keys() - after.keys():
            client.delete_object(Bucket=BUCKET, Key=f"{self.name}/{name}")
        for name, data in after.items():
            if before.get(name) != data:
                client.put_object(Bucket=BUCKET, Key=f"{self.name}/{name}", Body=data)
            if name.endswith(".tmp") and name not in before:
                self._begin(name, data)

    def _begin(self, name: str, data: bytes) -> None:
        """Begin to send an object in parts, and complete it never."""
        key = f"{self.name}/{name.rpartition('/')[0]}/{name.rpartition('/')[2].split('.', 1)[1].rsplit('.', 2)[0]}"
        upload = self.bucket.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        self.bucket.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=data)
        self.left.update((name, upload))

    def strangers(self, reference: Reference) -> Iterator[str]:
        """Say which objects and uploads are there that belong to no dataset."""
        stems = [name.removesuffix(".h5") for name in reference.files]
        known = {*_DESCRIBING, *(f"{SHARDS}/{name}" for name in reference.files)}
        known |= {f"{RECEIPTS}/{s}.json" for s in stems} | {f"{PIECES}/{s}.parquet" for s in stems}
        marks = self._marks()
        booked = {f"{RECEIPTS}/{Path(name).stem}.json" for name in self._vouched(marks)}  # here or in the driver's book
        there = {name for name in marks if not name.startswith(f"{BATCHES}/")} - self.left
        for name in sorted(there - known):
            yield f"the object {name} is there and belongs to no dataset"
        for name in sorted(known - there - booked - set(METADATA)):
            yield f"the object {name} is missing"
        begun = self.bucket.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
        for upload in begun:
            if upload["Key"].startswith(f"{self.name}/") and upload["UploadId"] not in self.left:
                yield f"an upload of {upload['Key']} was begun and never completed"

    def clear(self) -> None:
        """Remove all of it."""
        for name in self.names():
            self.bucket.client.delete_object(Bucket=BUCKET, Key=f"{self.name}/{name}")


@contextlib.contextmanager
def open_bucket(seed: int) -> Generator[Bucket]:
    """Start the server and the network.

    Raises:
        MissingExtraError: a package for that is not installed.
    """
    if not all(map(importlib.util.find_spec, _NEEDS)):
        raise MissingExtraError('faults of a store need packages that are not installed: pip install "genba[faults]"')
    import boto3
    from botocore.config import Config

    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | _KEYS
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        port = int(server.stdout.readline()) if server.stdout else 0
        proxy = Proxy(port, seed)
        try:
            client: Any = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                aws_access_key_id="a",
                aws_secret_access_key="b",
                region_name="us-east-1",
                config=Config(proxies={}),
            )
            client.create_bucket(Bucket=BUCKET)
            yield Bucket(client, proxy)
        finally:
            proxy.close()
            server.kill()
