"""The fault harness with a store: its network fails, its objects are damaged."""

import contextlib
import gc
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from generators.faults import bucket
from generators.faults.campaign import conduct, make_place
from generators.faults.proxy import Proxy
from generators.faults.trials import Trial
from generators.stores import patience, protocols
from generators.stores.store import Store, StoreError


@pytest.fixture
def echo():
    """A server that says everything back."""

    def serve():
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(link,), daemon=True).start()

    def answer(link):
        with link, contextlib.suppress(ConnectionError):
            while data := link.recv(1 << 16):
                link.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        proxy = Proxy(listener.getsockname()[1], seed=1)
        yield proxy
        proxy.close()
        listener.shutdown(socket.SHUT_RDWR)


def say(proxy, data, seconds=2.0):
    """Return what the server says back, as far as it comes."""
    back = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds) as link:
        link.sendall(data)
        while len(back) < len(data) and (more := link.recv(1 << 16)):
            back += more
    return back


def test_a_network_that_works_passes_everything_on(echo):
    data = bytes(range(256)) * 1000
    assert say(echo, data) == data
    assert echo.hits == 0


def test_a_network_that_refuses_breaks_new_and_open_connections(echo):
    with socket.create_connection(("127.0.0.1", echo.port), timeout=2.0) as old:
        old.sendall(b"one")
        assert old.recv(9) == b"one"
        echo.behave("refuse")
        with pytest.raises(ConnectionError):
            say(echo, b"two")
        old.sendall(b"three")
        with pytest.raises(ConnectionError):
            old.recv(9)
    assert echo.hits == 2
    echo.behave("pass")
    assert say(echo, b"four") == b"four"


def test_a_network_that_stalls_is_silent_until_it_works_again(echo):
    echo.behave("stall")
    with pytest.raises(TimeoutError):
        say(echo, b"one", 0.2)
    assert echo.hits == 1
    threading.Timer(0.3, echo.behave, ["pass"]).start()
    assert say(echo, b"two") == b"two"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_network_that_ends_leaves_no_connection_open():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for turn in range(60):
            proxy = Proxy(listener.getsockname()[1])
            with socket.create_connection(("127.0.0.1", proxy.port)):
                time.sleep(turn % 3 * 0.001)
            proxy.close()
    gc.collect()


def test_a_network_that_cuts_passes_a_part_on(echo):
    echo.behave("cut")
    seen = []
    for _ in range(20):
        try:
            seen.append(len(say(echo, bytes(1000))))
        except ConnectionError:
            seen.append(-1)
    assert 0 < echo.hits < 20
    assert seen.count(1000) == 20 - echo.hits


def test_a_slow_network_passes_everything_on_late(echo):
    echo.behave("slow")
    begin = time.monotonic()
    assert say(echo, bytes(20_000)) == bytes(20_000)
    assert time.monotonic() - begin > 0.1
    assert echo.hits == 1


def test_an_unavailable_store_says_so_to_whoever_asks(echo):
    echo.behave("unavailable")
    said: list[bytes] = []
    for method in (b"GET", b"HEAD"):
        with socket.create_connection(("127.0.0.1", echo.port), timeout=2.0) as link:
            link.sendall(method + b" / HTTP/1.1\r\n\r\n")
            said.append(link.recv(1 << 16))
    head, body = said[0].split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Slow Down")
    assert f"Content-Length: {len(body)}".encode() in head
    assert said[1] == head + b"\r\n\r\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with make_place(7, tmp_path_factory.mktemp("faults") / "work", "s3") as made:
        yield made


@pytest.fixture
def silent(monkeypatch):
    """A store and its network, with the harness's patience."""
    with bucket.open_bucket(1) as opened:
        yield from reached(opened, monkeypatch)


def reached(opened, monkeypatch):
    for name, value in opened.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(protocols, "S3", bucket.QUICK["config_kwargs"])
    protocols.file_system.cache_clear()
    yield Store(f"s3://{bucket.BUCKET}/silent"), opened.proxy
    opened.proxy.behave("pass")
    protocols.file_system.cache_clear()


def test_a_silent_store_is_not_waited_for_for_ever(silent, monkeypatch):
    monkeypatch.setattr(protocols, "_SILENCES", 2)
    monkeypatch.setenv(patience.PATIENCE, "0")
    place, proxy = silent
    place.write("a", b"old")
    proxy.behave("stall")
    with pytest.raises(StoreError, match="cannot be written: it took longer than 1 s"):
        place.write("a", b"new")
    proxy.behave("pass")


def test_a_plan_whose_receipt_was_lost_is_known_for_ours(silent, monkeypatch):
    place, _ = silent
    file_system = type(place._fs)
    real, lost = file_system.pipe_file, [TimeoutError("the answer was lost")]

    def pipe_file(self, *given, **more):
        real(self, *given, **more)
        if lost:
            raise lost.pop()

    monkeypatch.setattr(file_system, "pipe_file", pipe_file)
    assert place.create("plan.json", b"ours")
    assert not place.create("plan.json", b"ours")
    assert not place.create("plan.json", b"theirs")


@pytest.mark.faults
def test_a_store_that_breaks_off_and_an_altered_piece_lose_nothing(place):
    outcome = conduct(place, Trial(0, "inline", (("store cuts",), ("piece damaged", "leftovers"))))
    assert [f.kind for f in outcome.faults if f.evidence] == ["store cuts", "piece damaged", "leftovers"]
    assert outcome.codes == (0, 0)
    assert outcome.broken == ()


@pytest.mark.faults
def test_a_store_that_is_gone_ends_the_run_in_one_sentence_and_resume_finishes_it(place):
    outcome = conduct(place, Trial(1, "inline", (("store gone",), ("shard flipped",))))
    assert [f.kind for f in outcome.faults if f.evidence] == ["store gone", "shard flipped"]
    assert outcome.codes == (3, 0)
    assert outcome.broken == ()


@pytest.mark.faults
def test_a_campaign_with_a_store_breaks_nothing(tmp_path):
    out = tmp_path / "all.json"
    args = ["faults", "--count", "14", "--seed", "5", "--executors", "inline,processes", "--store", "s3"]
    command = [sys.executable, "-m", "generators.cli", *args, "--out", str(out)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads(out.read_text())["trials"]
    assert len({f["kind"] for t in trials for f in t["faults"] if f["evidence"]}) >= 8


def test_a_store_without_its_packages_says_what_to_install(genba, monkeypatch):
    monkeypatch.setattr(bucket, "_NEEDS", ("no_such_package",))
    monkeypatch.setenv("GENBA_FAULTS_INSIDE", "1")
    result = genba("faults", "--store", "s3", "--executors", "inline")
    assert result.code == 2
    assert 'pip install "genba[faults]"' in result.err
