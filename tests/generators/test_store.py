"""Datasets in stores: folders reached by URL, memory, and a real S3 server on loopback."""

import asyncio
import dataclasses
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem

from generators import driver
from generators.config import ConfigError, make_config
from generators.executors import run_inline, run_processes
from generators.fetching import MARK, fetch
from generators.parquet.reading import MAX_COLUMNS
from generators.schema import DatasetError
from generators.seals import sealed
from generators.stores import delivery, patience, protocols, receipts, store
from generators.stores.delivery import delivered_pieces
from generators.stores.store import Store, StoreError
from generators.validate import validate
from sim.errors import MissingExtraError

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = {"task": "new_scene:MyTask", "episodes": 8, "episodes_per_shard": 2, "seed": 5}
COMMITTED = ("SHA256SUMS", "episodes.parquet", "stats.json")


@pytest.fixture
def url(request, server, tmp_path):
    name = request.node.name.translate(str.maketrans("[]", "--"))
    return {"file": f"file://{tmp_path}/store", "memory": f"memory://{name}", "s3": f"s3://plant/{name}"}[request.param]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "data"
    driver.generate(make_config(CONFIG | {"out": str(out), "executor": "inline"}), EXAMPLES)
    return out


def begin(url, **more):
    return driver.start(make_config(CONFIG | {"out": url, "executor": "inline"} | more), EXAMPLES)


def run(url, plan, executor=run_inline):
    return driver.run(url, plan, executor=executor, on_report=lambda _: None)


def some(count):
    """Return an executor that a switch turns off after so many shards."""

    def executor(work, jobs):
        for job in jobs[:count]:
            yield work(job)
        raise KeyboardInterrupt

    return executor


every_store = pytest.mark.parametrize("url", ["file", "memory", "s3"], indirect=True)
s3 = pytest.mark.parametrize("url", ["s3"], indirect=True)


@every_store
def test_a_dataset_in_a_store_is_the_one_that_a_folder_holds(url, undisturbed, tmp_path):
    run(url, begin(url))
    fetch(url, tmp_path / "back")
    for name in COMMITTED:
        assert (tmp_path / "back" / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert validate(tmp_path / "back", deep=True).ok
    assert not (tmp_path / "back" / MARK).exists()


@every_store
def test_resume_makes_only_what_the_store_lacks(url, undisturbed, tmp_path):
    plan = begin(url)
    with pytest.raises(KeyboardInterrupt):
        run(url, plan, some(3))
    assert json.loads(Store(url).read("dataset.json", 1 << 20))["complete"] is False
    with pytest.raises(DatasetError, match="not complete; finish it first: genba resume"):
        fetch(url, tmp_path / "early")
    reports = run(url, driver.reopen(url))
    assert [r.resumed for r in reports] == [True, True, True, False]
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@every_store
@pytest.mark.parametrize(
    "harm", ["altered", "shortened", "removed", "no receipt", "bad receipt", "turned receipt", "another's receipt"]
)
def test_what_was_damaged_in_the_store_is_made_again(url, harm, undisturbed, tmp_path):
    run(url, begin(url))
    place, shard = Store(url), "shards/shard-00001.h5"
    data = place.read(shard, 1 << 30)
    if harm == "altered":
        place.write(shard, data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "shortened":
        place.write(shard, data[:-1])
    elif harm == "bad receipt":
        place.write("logs/shard-00001.json", b'{"physics_sha256": [')
    elif harm == "turned receipt":
        receipt = place.read("logs/shard-00001.json", 1 << 20)
        at = receipt.index(b'"content_sha256"') + 20
        place.write("logs/shard-00001.json", receipt[:at] + bytes([receipt[at] ^ 1]) + receipt[at + 1 :])
    elif harm == "another's receipt":
        place.write("logs/shard-00001.json", place.read("logs/shard-00000.json", 1 << 20))
    else:
        place.remove({"removed": shard, "no receipt": "logs/shard-00001.json"}[harm])
    reports = run(url, driver.reopen(url))
    assert [r.resumed for r in reports] == [True, False, True, True]
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()
    assert place.read(shard, 1 << 30) == data


@every_store
def test_receipts_are_read_many_at_a_time(url, undisturbed, monkeypatch, tmp_path):
    monkeypatch.setattr(receipts, "BATCH", 2)
    with pytest.raises(KeyboardInterrupt):
        run(url, begin(url), some(3))
    (batch,) = Store(url).listing("batches")
    assert read_by_resume(url, monkeypatch) == ([True, True, True, False], [batch, "logs/shard-00002.json"])
    assert read_by_resume(url, monkeypatch) == ([True] * 4, sorted(Store(url).listing("batches")))
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@every_store
def test_an_unfinished_batch_is_written_down_now_and_then(url, undisturbed, monkeypatch, tmp_path):
    monkeypatch.setattr(receipts, "EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(url, begin(url), some(3))
    batch = "batches/unfinished.json"
    assert list(Store(url).listing("batches")) == [batch]
    assert read_by_resume(url, monkeypatch) == ([True, True, True, False], [batch])
    Store(url).write(batch, Store(url).read(batch, 1 << 20)[:-9])
    assert read_by_resume(url, monkeypatch) == ([True] * 4, [batch, *(f"logs/shard-0000{n}.json" for n in range(4))])
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


def read_by_resume(url, monkeypatch):
    """Resume; return which shards were there already, and what was read to know it."""
    read: list[str] = []
    read_all = Store.read_all
    with monkeypatch.context() as patch:
        patch.setattr(Store, "read_all", lambda store, names: read.extend(names) or read_all(store, names))
        reports = run(url, driver.reopen(url))
    return [r.resumed for r in reports], sorted(n for n in read if not n.startswith("pieces/"))


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_a_batch_of_receipts_vouches_for_nothing_that_is_not_so(url, undisturbed, monkeypatch, tmp_path):
    monkeypatch.setattr(receipts, "BATCH", 2)
    run(url, begin(url))
    place, shard = Store(url), "shards/shard-00001.h5"
    data = place.read(shard, 1 << 30)
    place.write(shard, data[:-1] + bytes([data[-1] ^ 1]))
    place.remove("logs/shard-00000.json")
    nonsense = [1, None, {"report": {"index": []}}, {"report": {"index": 3}, "marks": 7}]
    for n, batch in enumerate([sealed({"receipts": nonsense}), sealed({"receipts": 7}), sealed({}), nonsense, None]):
        place.write(f"batches/0{n}.json", json.dumps(batch).encode())
    place.write("batches/1.json", b"[" * 9999)
    place.write("batches/2.json", bytes(receipts.MAX_BATCH_BYTES + 1))
    assert [r.resumed for r in run(url, driver.reopen(url))] == [True, False, True, True]
    assert place.read(shard, 1 << 30) == data
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@every_store
@pytest.mark.parametrize("harm", ["altered", "shortened", "removed"])
def test_a_piece_that_was_damaged_in_the_store_is_taken_from_its_shard(url, harm, undisturbed, tmp_path):
    run(url, begin(url))
    place, name = Store(url), "pieces/shard-00001.parquet"
    good = place.read(name, 1 << 20)
    if harm == "removed":
        place.remove(name)
    else:
        place.write(name, good[:-1] + bytes([good[-1] ^ 1]) * (harm == "altered"))
    place.remove("dataset.json")
    assert all(r.resumed for r in run(url, driver.reopen(url)))
    assert place.read(name, 1 << 20) == good
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_a_piece_that_somebody_else_wrote_is_read_as_a_strangers_table(url, monkeypatch):
    plan = begin(url)
    reports = dict(zip(plan.shards, run(url, plan), strict=True))
    place, name = Store(url), "pieces/shard-00001.parquet"
    good = place.read(name, 1 << 20)
    taken: list[str] = []
    again = delivery._taken_again
    monkeypatch.setattr(delivery, "_taken_again", lambda *given: taken.append(given[1].name) or again(*given))
    tables = [piece.table for piece in delivered_pieces(place, reports)]
    assert [len(t) for t in tables] == [s.count for s in plan.shards]
    assert not taken
    table = pq.read_table(pa.BufferReader(good))
    wide = pa.table({f"column {n}": [0.0] * len(table) for n in range(MAX_COLUMNS + 1)})
    forgeries = [
        b"",
        good[:-9],
        packed(table.slice(1)),
        packed(wide),
        packed(table.replace_schema_metadata(None)),
        packed(table.replace_schema_metadata({"genba.statistics": "[" * 9999})),
        packed(table.replace_schema_metadata({"genba.statistics": '{"a": {}}'})),
    ]
    for forged in forgeries:
        mark = place.write(name, forged)
        shard = plan.shards[1]
        forged_too = reports | {shard: dataclasses.replace(reports[shard], marks={**reports[shard].marks, name: mark})}
        assert [piece.table for piece in delivered_pieces(place, forged_too)] == tables
        assert place.read(name, 1 << 20) == good
    assert taken == ["shard-00001.h5"] * len(forgeries)
    monkeypatch.setattr(delivery, "MAX_PIECE_BYTES", len(good) - 1)
    list(delivered_pieces(place, reports))
    assert len(taken) > len(forgeries)


@every_store
def test_a_piece_and_its_shard_damaged_alike_are_one_sentence(url):
    plan = begin(url)
    reports = dict(zip(plan.shards, run(url, plan), strict=True))
    place = Store(url)
    place.remove("pieces/shard-00001.parquet")
    for harm in (lambda: place.write("shards/shard-00001.h5", b"noise"), lambda: place.remove("shards/shard-00001.h5")):
        harm()
        with pytest.raises(DatasetError, match=r"shards/shard-00001\.h5 is not as it was sent; remove it, then: genba"):
            list(delivered_pieces(place, reports))


@every_store
def test_a_listing_by_beginnings_finds_what_begins_so(url):
    place = Store(url)
    names = [f"shards/shard-{n:05d}.h5" for n in (0, 999, 1000, 12_345, 123_456)]
    for name in (*names, "shards/shard-00/shard-00001.h5"):
        place.write(name, b"x")
    whole = place.listing("shards")
    assert sorted(whole) == sorted(names)
    assert place.listing("shards", ["shard-00", "shard-01", "shard-12", "shard-123", "shard-77"]) == whole
    assert not place.listing("nowhere", ["shard-00"])


def packed(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_what_killed_senders_left_is_swept_once_it_is_old(url):
    run(url, begin(url))
    shards = Path(url.removeprefix("file://")) / "shards"
    old, young = (shards / f".shard-00001.h5.{n}.tmp" for n in "ab")
    for path in (old, young):
        path.write_bytes(b"half of it")
    past = time.time() - store.STALE_S - 60
    os.utime(old, (past, past))
    os.utime(shards / "shard-00001.h5", (past, past))
    run(url, driver.reopen(url))
    assert not old.exists()
    assert young.exists()
    assert len(list(shards.glob("*.h5"))) == 4


@s3
def test_pictures_are_delivered_too(url, filmed_folder, tmp_path):
    config = {"task": "filmed:MyTask", "episodes": 2, "cameras": {"side": {"size": 16}}, "executor": "inline"}
    folder = make_config(config | {"out": str(tmp_path / "here")})
    driver.generate(folder, filmed_folder)
    driver.generate(make_config(config | {"out": url}), filmed_folder)
    fetch(url, tmp_path / "back")
    for name in ("SHA256SUMS", "media/SHA256SUMS"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert validate(tmp_path / "back", deep=True).ok
    assert all(r.resumed for r in run(url, driver.reopen(url)))


@s3
def test_workers_that_share_nothing_but_the_store_make_the_same(url, undisturbed, tmp_path):
    def two(work, jobs):
        return run_processes(work, jobs, workers=2)

    run(url, begin(url, executor="processes"), two)
    fetch(url, tmp_path / "back")
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@s3
def test_a_driver_that_is_killed_leaves_what_resume_finishes(url, undisturbed, tmp_path):
    genba = [sys.executable, "-m", "generators.cli"]
    flags = ["--episodes", "8", "--episodes-per-shard", "2", "--seed", "5", "--out", url, "--executor", "inline"]
    child = subprocess.Popen([*genba, "generate", "new_scene:MyTask", *flags], cwd=EXAMPLES, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while "logs/shard-00000.json" not in Store(url).listing("logs") and time.monotonic() < until:
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert subprocess.run([*genba, "resume", url], cwd=EXAMPLES, check=False).returncode == 0
    assert subprocess.run([*genba, "fetch", url, str(tmp_path / "back")], check=False).returncode == 0
    assert (tmp_path / "back" / "SHA256SUMS").read_bytes() == (undisturbed / "SHA256SUMS").read_bytes()


@every_store
def test_one_url_holds_one_dataset(url):
    plan = begin(url)
    with pytest.raises(ConfigError, match="already holds this dataset; use: genba resume"):
        begin(url)
    with pytest.raises(ConfigError, match="already holds another dataset; choose another, or give --overwrite"):
        begin(url, seed=6)
    run(url, plan)
    config = make_config(CONFIG | {"seed": 6, "out": url, "executor": "inline"})
    other = driver.start(config, EXAMPLES, overwrite=True)
    assert list(Store(url).listing()) == ["plan.json"]
    assert not Store(url).listing("shards")
    assert other.physics_sha256 != plan.physics_sha256


@every_store
def test_what_is_no_dataset_is_left_alone(url):
    Store(url).write("shards/precious.txt", b"mine")
    with pytest.raises(ConfigError, match=r"is not empty and holds no dataset of genba's"):
        begin(url)
    assert Store(url).read("shards/precious.txt", 9) == b"mine"


def test_an_interrupted_fetch_goes_on_and_a_foreign_folder_is_refused(undisturbed, tmp_path):
    url = f"file://{undisturbed}"
    back = tmp_path / "back"
    fetch(url, back)
    for name in ("dataset.json", "shards/shard-00002.h5"):
        (back / name).unlink()
    with pytest.raises(DatasetError, match="is there already and is no empty folder"):
        fetch(url, back)
    (back / MARK).write_text(json.loads((undisturbed / "dataset.json").read_text())["dataset_id"])
    kept = (back / "shards/shard-00001.h5").stat().st_mtime_ns
    fetch(url, back)
    assert (back / "shards/shard-00001.h5").stat().st_mtime_ns == kept
    assert validate(back).ok


@pytest.mark.parametrize("harm", ["altered", "removed", "named outside"])
def test_fetch_brings_nothing_that_the_manifest_does_not_vouch_for(harm, undisturbed, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(undisturbed, copy)
    shard = copy / "shards" / "shard-00001.h5"
    if harm == "altered":
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    elif harm == "removed":
        shard.unlink()
    else:
        text = (copy / "dataset.json").read_text()
        (copy / "dataset.json").write_text(text.replace('"shard-00001.h5"', '"../../shard-00001.h5"'))
    said = {"altered": "is damaged: its hash", "removed": "is missing; make it again", "named outside": "names a file"}
    with pytest.raises(DatasetError, match=said[harm]):
        fetch(f"file://{copy}", tmp_path / "back")
    assert not (tmp_path / "back" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("s3://key:secret@plant/x", StoreError, "credentials"),
        ("s3://", StoreError, "names no folder"),
        ("nfs4://plant/x", StoreError, "Protocol not known: nfs4"),
        ("gs://plant/x", MissingExtraError, r'pip install "genba\[gs\]"'),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_one_sentence(url, error, said):
    with pytest.raises(error, match=said) as raised:
        Store(url).listing()
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_store_that_cannot_be_reached_is_one_sentence_after_a_while(server, monkeypatch):
    monkeypatch.setenv(patience.PATIENCE, "0")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    protocols.file_system.cache_clear()
    try:
        S3FileSystem.clear_instance_cache()
        with pytest.raises(StoreError, match="s3://plant/nowhere cannot be listed: Could not connect"):
            Store("s3://plant/nowhere").listing()
    finally:
        S3FileSystem.clear_instance_cache()
        protocols.file_system.cache_clear()


@s3
def test_a_broken_connection_that_nobody_waits_for_prints_nothing(url, caplog):
    loop = protocols.file_system(url)[0].loop

    async def fail(error):
        raise error

    async def leave(error):
        asyncio.ensure_future(fail(error))  # noqa: RUF006 - as libraries do
        await asyncio.sleep(0.01)
        gc.collect()

    asyncio.run_coroutine_threadsafe(leave(ConnectionResetError("gone")), loop).result()
    assert not caplog.text
    asyncio.run_coroutine_threadsafe(leave(ValueError("wrong")), loop).result()
    assert "ValueError: wrong" in caplog.text


def test_a_store_that_comes_back_is_waited_for(monkeypatch):
    monkeypatch.setattr(patience, "_WAITS_S", (0.01, 0.01))
    monkeypatch.setenv(patience.PATIENCE, "0.02")
    real, failures = MemoryFileSystem.pipe_file, [OSError("gone"), TimeoutError()]

    def pipe_file(self, *given, **more):
        if failures:
            raise failures.pop()
        return real(self, *given, **more)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    Store("memory://back").write("a", b"1")
    assert Store("memory://back").read("a", 1) == b"1"
    assert not failures


@pytest.mark.parametrize(
    ("given", "waits"),
    [(None, [1, 4, 15]), ("0", []), ("0.5", [0.5]), ("7", [1, 4, 2]), ("150", [1, 4, 15, 60, 60, 10])],
)
def test_how_long_a_store_is_waited_for_can_be_told(given, waits, monkeypatch):
    monkeypatch.delenv(patience.PATIENCE, raising=False)
    if given is not None:
        monkeypatch.setenv(patience.PATIENCE, given)
    assert list(patience.waits()) == waits


@pytest.mark.parametrize("given", ["", "long", "-1", "nan", "inf"])
def test_a_patience_that_is_no_time_is_refused(given, monkeypatch):
    monkeypatch.setenv(patience.PATIENCE, given)
    with pytest.raises(ConfigError, match="GENBA_STORE_PATIENCE_S takes seconds, 0 or more, got"):
        Store("memory://patience").listing()


def test_memory_needs_the_process_that_it_belongs_to():
    with pytest.raises(ConfigError, match="memory of one process: it needs the executor inline"):
        begin("memory://several", executor="processes", workers=2)


def test_a_full_store_reports_and_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv(patience.PATIENCE, "0")
    place = Store(f"file://{tmp_path}/store")
    place.write("a", b"old")
    (tmp_path / "large").write_bytes(bytes(100))
    soft = os.sysconf("SC_PAGE_SIZE")
    script = (
        "import resource, sys; from pathlib import Path; from generators.stores import store;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (50, {soft}));"
        f"store.Store({place.url!r}).put('a', Path({str(tmp_path / 'large')!r}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "cannot be written: [Errno 27] File too large" in found.stderr
    assert place.read("a", 9) == b"old"
    assert list(place.listing()) == ["a"]
