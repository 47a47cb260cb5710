"""A file from anywhere is gone through by another process first: what it does to HDF5 is a sentence, not an end."""

import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators import examination
from generators.examination import EndedError
from generators.reader import open_untrusted
from generators.schema import DatasetError


@pytest.fixture
def shard(small_dataset, tmp_path):
    """A file that nobody has examined yet."""
    return Path(shutil.copy(next((small_dataset / "shards").glob("*.h5")), tmp_path / "s.h5"))


@pytest.fixture
def child(monkeypatch):
    """Have children do something else than examining: child(code)."""
    examination._end()

    def serve(code):
        monkeypatch.setattr(examination, "_SERVE", f"import generators.examination as e, os, time\n{code}\ne.serve()")

    yield serve
    examination._end()


def opened(path):
    with open_untrusted(path) as found:
        return len(found)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("e.check_file = lambda path, limits: os.kill(os.getpid(), 11)", "ended the process with SIGSEGV"),
        ("e.check_file = lambda path, limits: [0 for _ in iter(int, 1)]", "takes too long"),
        ("e.WALL_S = 1; e.check_file = lambda path, limits: time.sleep(99)", "takes too long"),
        ("e.check_file = lambda path, limits: bytearray(1 << 30)", "cannot be read: MemoryError"),
        ("e.check_file = lambda path, limits: os._exit(3)", "exit code 3"),
    ],
    ids=["crashes", "turns for ever", "waits for ever", "takes all memory", "exits"],
)
def test_a_file_that_breaks_its_reader_is_refused_in_one_sentence(shard, child, refused, code, words, monkeypatch):
    child(code)
    text = refused(lambda: opened(shard))
    assert text.startswith("s.h5")
    assert words in text
    monkeypatch.undo()
    examination._end()
    assert opened(shard) == 2


def test_the_next_file_gets_another_child(shard, child, tmp_path):
    child(
        "real = e.check_file\n"
        "e.check_file = lambda path, limits: real(path, limits) if path.name == 's.h5' else os.kill(os.getpid(), 11)"
    )
    bad = Path(shutil.copy(shard, tmp_path / "bad.h5"))
    with pytest.raises(EndedError, match=r"^bad\.h5: file structure: reading it ended the process with SIGSEGV"):
        opened(bad)
    assert opened(shard) == 2


def test_a_file_is_examined_once_and_again_when_it_is_touched(shard, child):
    assert opened(shard) == 2
    examination._end()
    child("e.check_file = lambda path, limits: os._exit(3)")
    assert opened(shard) == 2  # nobody has asked
    with shard.open("r+b") as file:
        file.write(shard.read_bytes()[:1])
    with pytest.raises(EndedError):
        opened(shard)


def test_a_forked_process_has_a_child_of_its_own(shard, tmp_path):
    assert opened(shard) == 2
    other = Path(shutil.copy(shard, tmp_path / "t.h5"))
    if (pid := os.fork()) == 0:
        os._exit(0 if opened(other) == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert opened(Path(shutil.copy(shard, tmp_path / "u.h5"))) == 2


def test_no_module_of_the_current_folder_is_loaded(shard, monkeypatch, tmp_path):
    examination._end()
    for name in ("json", "h5py", "numpy", "generators", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert opened(shard) == 2
    assert not (tmp_path / "executed").exists()


def test_a_chunk_that_unpacks_to_more_than_its_rows_is_refused(shard, child, refused):
    child("e.MEMORY_BYTES = 64 << 20")  # as much as it takes to unpack what may be there
    with h5py.File(shard, "r+") as file:
        bomb = file.create_dataset("obs/bomb", (1 << 20,), "u1", chunks=(1 << 20,), compression="gzip")
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(16 << 20)) for _ in range(10)) + packer.flush()
        bomb.id.write_direct_chunk((0,), data)
    assert refused(lambda: opened(shard)).startswith("s.h5")


def test_a_heap_larger_than_the_file_is_refused(shard, refused):
    data = bytearray(shard.read_bytes())
    at = data.find(b"GCOL\x01")
    data[at + 8 : at + 16] = (4 << 30).to_bytes(8, "little")
    shard.write_bytes(data)
    assert "would end at byte" in refused(lambda: opened(shard))


@pytest.fixture
def long_text(shard):
    """A shard in which one text of an attribute claims to be 4 GB long, wherever it lies."""
    with h5py.File(shard, "r+") as file:
        file.attrs["note"] = "a text whose place is found again"
    data = bytearray(shard.read_bytes())
    heap = data.rfind(b"GCOL\x01")
    place = next(  # of the reference to it: its length, the heap, the number in it
        at
        for at in range(len(data) - 16)
        if data[at : at + 4] == (33).to_bytes(4, "little") and data[at + 4 : at + 12] == heap.to_bytes(8, "little")
    )
    data[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    shard.write_bytes(data)
    return shard


def test_a_text_that_claims_more_than_memory_is_refused(long_text, refused):
    assert refused(lambda: opened(long_text)).startswith("s.h5")


def test_a_text_that_claims_more_than_memory_is_refused_in_a_sandbox_too(long_text):
    """There the process that reads the file has more memory than that for its columns."""
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from generators.examination import examine_here; from generators.reader import open_untrusted\n"
        "examine_here()\n"
        "try: open_untrusted(Path(sys.argv[1]))\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(long_text)], capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    assert said.startswith("DatasetError s.h5")
    assert int(peak) < 800


def test_what_is_refused_stays_refused(shard):
    with h5py.File(shard, "r+") as file:
        file["obs/far"] = h5py.ExternalLink("other.h5", "/")
    for _ in range(2):
        with pytest.raises(DatasetError, match="a link to elsewhere"):
            opened(shard)


def test_examining_costs_no_more_than_reading(shard, tmp_path):
    with h5py.File(shard, "r+") as file:
        file["obs/large"] = np.random.default_rng(0).normal(size=(1 << 20, 2))
    opened(Path(shutil.copy(shard, tmp_path / "first.h5")))
    begin = time.perf_counter()
    opened(shard)
    assert time.perf_counter() - begin < 1
