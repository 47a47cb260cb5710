"""What lies beside dataset.json, from anywhere: plan, sums, tables, statistics, splits; refused or found, never run."""

import json
import os
import shutil
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.curation.filter import filter_dataset
from generators.curation.summary import read_stats
from generators.dataset import Dataset
from generators.homes import task_finder
from generators.loading.normalization import normalization
from generators.plan import read_plan
from generators.schema import DatasetError
from generators.validate import validate

DEEP = "[" * 100_000
HUGE = "9" * 5000


@pytest.fixture
def place(small_dataset, tmp_path):
    """A dataset that a test may spoil."""
    return shutil.copytree(small_dataset, tmp_path / "set")


def _pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def _device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def _elsewhere(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/passwd")


def _terabyte(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES = {
    _pipe: "it is no plain file",
    _folder: "it is no plain file",
    _device: "it is no plain file",
    _elsewhere: "it is a link out of the dataset",
    _terabyte: "it is larger than 64 MB",
}
READERS = {
    "dataset.json": lambda place: Dataset(place),
    "plan.json": lambda place: read_plan(place / "plan.json"),
    "stats.json": read_stats,
    "episodes.parquet": lambda place: Dataset(place).table(),
    "SHA256SUMS": lambda place: filter_dataset(place, "length > 0", place.parent / "out"),
}


@pytest.mark.parametrize("make", NO_FILES, ids=lambda f: f.__name__.strip("_"))
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_plain_file_of_the_dataset_is_not_read(place, name, make, refused):
    make(place / name)
    text = refused(lambda: READERS[name](place))
    assert str(place / name) in text
    if name != "episodes.parquet" or make is not _terabyte:  # of a table only its ends are read
        assert NO_FILES[make] in text
    if make is not _terabyte:  # which is hashed
        found = validate(place).findings
        assert found
        assert all("\n" not in f.message for f in found)


PLANS = {
    "task from inside": ({"folder": "."}, "evil:Task", "would be imported from inside of the dataset"),
    "task from a folder inside": ({"folder": "."}, "shards.evil:Task", "would be imported from inside of the dataset"),
    "folder that is not there": ({"folder": "/nowhere"}, "evil:Task", "would be imported from inside of the dataset"),
    "seed of text": ({"seed": "x"}, None, "seed is 'x'"),
    "negative attempts": ({"attempts": -3}, None, "attempts is -3"),
    "endless attempts": ({"attempts": 10**40}, None, "attempts is 1000000"),
    "tasks of numbers": ({"tasks": [1]}, None, "is damaged"),
    "shards of text": ({"shards": "all"}, None, "is damaged"),
    "an unknown key": ({"more": 1}, None, "'more'"),
    "another version": ({"plan_version": [1]}, None, "plan version [1]"),
    "configuration of text": ({"config": "x"}, None, "config is 'x'"),
}


@pytest.mark.parametrize("case", PLANS)
def test_a_hostile_plan_is_refused_and_runs_nothing(place, case, refused, fuzzing, monkeypatch):
    changes, task, words = PLANS[case]
    for folder in (place, place / "shards"):
        (folder / "evil.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(place)
    plan = json.loads(fuzzing.plan_text(task) if task else fuzzing.plan_text()) | changes
    (place / "plan.json").write_text(json.dumps(plan))
    text = refused(lambda: read_plan(place / "plan.json"))
    assert words in text
    assert "evil" not in sys.modules


@pytest.mark.parametrize("text", ["", "[1]", DEEP, '{"plan_version": 1}', "\ufeff{}", '{"seed": 1, "seed": 2}'])
def test_a_plan_that_is_none_is_refused_and_found(place, text, refused):
    (place / "plan.json").write_text(text)
    assert refused(lambda: read_plan(place / "plan.json")).startswith(str(place / "plan.json"))
    assert "plan" in {f.lint for f in validate(place).findings}


def test_a_source_cannot_bring_its_task_along(place, refused, monkeypatch):
    monkeypatch.chdir(place)
    (place / "evil.py").write_text("raise SystemExit('executed')")
    (place.parent / "evil.py").write_text("raise SystemExit('executed')")
    (place.parent / "split.json").write_text("{}")
    for home in (place, place.parent, "", "."):
        manifest = {"sources": [{"dataset_id": "x", "folder": str(home), "tasks": [{"name": "evil:Task"}]}]}
        assert "from inside of the dataset" in refused(lambda m=manifest: task_finder(place, m)("evil:Task"))
    assert "evil" not in sys.modules


SUMS = {
    "absolute": f"{'0' * 64}  /etc/passwd\n",
    "outside": f"{'0' * 64}  ../../etc/passwd\n",
    "no hash": "hello  dataset.json\n",
    "a short hash": f"{'0' * 63}  dataset.json\n",
    "one line of a megabyte": "0" * (1 << 20),
    "NUL": f"{'0' * 64}  a\0b\n",
    "terminal codes": f"{'0' * 64}  \x1b[2J\n",
}


@pytest.mark.parametrize("case", SUMS)
def test_hostile_sums_are_found(place, case):
    (place / "SHA256SUMS").write_text(SUMS[case])
    found = [f for f in validate(place).findings if f.lint in ("sums", "missing", "link")]
    assert found
    assert all(len(f.message) < 300 and f.message.isprintable() for f in found)


def write_table(place, change):
    path = place / "episodes.parquet"
    table = change(pq.read_table(path))
    pq.write_table(table, path, compression="zstd")
    return path


def many(table):
    return pa.table({"length": pa.array([1], pa.int64()).take(pa.array([0] * 5_000_000, pa.int32()))})


def one_long_text(table):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 2, pa.int32()), pa.array(["x" * (40 << 20)]))
    return table.set_column(table.column_names.index("error"), "error", text.dictionary_decode())


TABLES = {
    "more rows": (many, "has 5000000 rows, the dataset has 2 episodes"),
    "no rows": (lambda table: table.slice(0, 0), "has 0 rows, the dataset has 2 episodes"),
    "lists": (lambda table: table.append_column("x", pa.array([[1], [2]])), "column 'x' holds list<"),
    "structs": (lambda table: table.append_column("x", pa.array([{"a": 1}] * 2)), "column 'x' holds struct<"),
    "binary": (lambda table: table.append_column("x", pa.array([b"\xff", b""])), "column 'x' holds binary"),
    "a column twice": (lambda table: table.append_column("length", pa.array([1, 2])), "two columns 'length'"),
    "text of 80 MB": (one_long_text, "its text would take"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_hostile_table_is_refused(place, case):
    change, words = TABLES[case]
    write_table(place, change)
    with Dataset(place) as data, pytest.raises(DatasetError) as caught:
        data.table()
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(place / "episodes.parquet"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_table_is_refused(place, share, refused):
    path = place / "episodes.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with Dataset(place) as data:
        assert refused(data.table).startswith(str(path))
        assert refused(lambda: data.where("length > 0")).startswith(str(path))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", '{"Lift": 3}', '{"Lift": {"obs/eef": []}}', '{"Lift": {"obs/eef": {"count": [1e999]}}}', DEEP],
)
def test_hostile_statistics_are_refused(place, text, refused):
    (place / "stats.json").write_text(text)
    assert str(place / "stats.json") in refused(lambda: read_stats(place))
    assert str(place) in refused(lambda: normalization(Dataset(place)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"parts": 3}',
        '{"parts": [{"name": "../.."}], "of": {}}',
        '{"of": {"episodes": 1e999}, "parts": []}',
        DEEP,
    ],
)
def test_a_hostile_split_is_found(place, text):
    (place.parent / "split.json").write_text(text)
    found = [f for f in validate(place.parent).findings if f.lint == "split"]
    assert found
    assert all(len(f.message) < 300 for f in found)
