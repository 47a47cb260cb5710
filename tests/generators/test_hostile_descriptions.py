"""What describes a dataset, from anywhere: dataset.json, plan.json, SHA256SUMS, tables; refused or found, never believed."""

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
from generators.governance.write import render_metadata
from generators.homes import task_finder
from generators.loading.normalization import normalization
from generators.plan import read_plan
from generators.query import MAX_LENGTH
from generators.schema import DatasetError
from generators.validate import validate
from sim.errors import GenbaError

DEEP = "[" * 100_000
HUGE = "9" * 5000


@pytest.fixture
def place(small_dataset, tmp_path):
    """A dataset that a test may spoil."""
    return shutil.copytree(small_dataset, tmp_path / "set")


def entry(**changes):
    return lambda manifest: manifest["shards"][0].update(changes)


def whole(**changes):
    return lambda manifest: manifest.update(changes)


def camera(**changes):
    return lambda manifest: manifest["media"]["cam"]["shards"][0].update(changes)


MANIFESTS = {
    "shards is a number": (whole(shards=3), "shards is 3, expected a list"),
    "shards is an object": (whole(shards={"a": 1}), "shards is dict, expected a list"),
    "a shard is text": (whole(shards=["shard-00000.h5"]), "shards[0] is 'shard-00000.h5', expected an object"),
    "a shard is nothing": (whole(shards=[None]), "shards[0] is NoneType, expected an object"),
    "no shards": (lambda m: m.pop("shards"), "it lacks 'shards'"),
    "an absolute name": (entry(name="/etc/passwd"), "names the shard '/etc/passwd'; expected the name of a file in"),
    "a name outside": (entry(name="../shard-00000.h5"), "names the shard '../shard-00000.h5'"),
    "a name in a folder": (entry(name="a/shard-00000.h5"), "names the shard 'a/shard-00000.h5'"),
    "a name with NUL": (entry(name="shard\0.h5"), "names the shard 'shard\\x00.h5'"),
    "a name that writes to terminals": (entry(name="\x1b]0;x\x07.h5"), "names the shard '\\x1b]0;x\\x07.h5'"),
    "a name written from right to left": (entry(name="a\u202e5h.h5"), "names the shard 'a\\u202e5h.h5'"),
    "an endless name": (entry(name="a" * 10_000 + ".h5"), "names the shard 'aaa"),
    "a name that is a list": (entry(name=["a.h5"]), "shards[0].name is list, expected text"),
    "pictures outside": (
        camera(name="../../etc/x.h5"),
        "names the shard '../../etc/x.h5'; expected the name of a file in media/",
    ),
    "absolute pictures": (camera(name="/dev/zero"), "names the shard '/dev/zero'"),
    "pictures of no shard": (camera(index=-1), "media.cam.shards[0].index is -1, expected a count"),
    "media is a list": (whole(media=[1]), "media is list, expected an object"),
    "settings of text": (
        lambda m: m["media"]["cam"].update(settings="x"),
        "media.cam.settings is 'x', expected an object",
    ),
    "episodes as text": (entry(episodes="7"), "shards[0].episodes is '7', expected a count"),
    "negative episodes": (entry(episodes=-1), "shards[0].episodes is -1, expected a count"),
    "half an episode": (entry(episodes=0.5), "shards[0].episodes is 0.5, expected a count"),
    "true episodes": (entry(episodes=True), "shards[0].episodes is bool, expected a count"),
    "endless episodes": (entry(episodes=float("inf")), "shards[0].episodes is inf, expected a count"),
    "no number of episodes": (entry(episodes=float("nan")), "shards[0].episodes is nan, expected a count"),
    "1e308 episodes": (entry(episodes=10**308), "shards[0].episodes is a huge number, expected a count"),
    "a terabyte of episodes": (entry(episodes=10**11), "lists 100000000000 episodes, its shards have"),
    "steps as a list": (entry(steps=[1]), "shards[0].steps is list, expected a count"),
    "bytes as text": (entry(bytes="all"), "shards[0].bytes is 'all', expected a count"),
    "outcomes of text": (whole(outcomes={"success": "many"}), "outcomes.success is 'many', expected a count"),
    "rows as text": (entry(rows="0:3"), "shards[0].rows is '0:3', expected a list"),
    "rows out of range": (entry(rows=[[0, 99]]), "its rows are [[0, 99]]"),
    "rows that go back": (entry(rows=[[1, 0]]), "its rows are [[1, 0]]"),
    "rows that overlap": (entry(rows=[[0, 2], [1, 2]]), "its rows are [[0, 2], [1, 2]]"),
    "rows before the first": (entry(rows=[[-5, 1]]), "its rows are [[-5, 1]]"),
    "ragged rows": (entry(rows=[[0, 1], [1]]), "is damaged"),
    "rows of huge numbers": (entry(rows=[[0, 10**30]]), "its rows are [[0, 1000000000000000000000000000000]]"),
    "rows of rows": (entry(rows=[[[0, 1]]]), "its rows are [[[0, 1]]]"),
    "a source that is not there": (
        lambda m: (whole(sources=[])(m), entry(source=7)(m)),
        "shards[0].source is 7, there are 0",
    ),
    "sources of text": (whole(sources="x"), "sources is 'x', expected a list"),
    "tasks of numbers": (whole(tasks=[1]), "tasks[0] is 1, expected an object"),
    "a task without a name": (whole(tasks=[{}]), "tasks[0] lacks 'name'"),
    "a task at no rate": (
        lambda m: m["tasks"][0].update(control_hz="fast"),
        "tasks[0].control_hz is 'fast', expected a number",
    ),
    "version of a number": (whole(format_version=1.1), "format_version is 1.1, expected text"),
    "a later version": (whole(format_version="2.0"), "format version 2.0 is later than 1.1: update genba"),
    "no version at all": (whole(format_version="latest"), "format version 'latest' is not of the form '1.1'"),
    "languages of numbers": (whole(languages=[1]), "languages[0] is 1, expected text"),
    "complete as text": (whole(complete="no"), "complete is 'no', expected true or false"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_hostile_manifest_is_refused(place, case, refused):
    change, words = MANIFESTS[case]
    manifest = json.loads((place / "dataset.json").read_text())
    change(manifest)
    (place / "dataset.json").write_text(json.dumps(manifest))
    text = refused(lambda: Dataset(place))
    assert text.startswith(str(place / "dataset.json"))
    assert words in text
    if "terabyte" not in case:  # without opening a shard, validation believes no file to be that large
        assert {f.lint for f in validate(place).findings} <= {"manifest", "version"}


def half(data):
    return data[: len(data) // 2]


TEXTS = {
    "empty": (lambda _: b"", "Expecting value"),
    "cut": (half, "is damaged"),
    "no object": (lambda _: b"[]", "it is list, expected an object"),
    "nested": (lambda _: DEEP.encode(), "nested too deeply"),
    "nested objects": (lambda _: b'{"a":' * 100_000, "nested too deeply"),
    "a key twice": (lambda data: data.replace(b'"format"', b'"shards": [], "format"', 1), "gives 'shards' twice"),
    "no UTF-8": (lambda data: data.replace(b'"format"', b'"\xff\xfe": 1, "format"', 1), "'utf-8' codec can't decode"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "'utf-8' codec can't decode"),
    "half of a character": (
        lambda data: data.replace(b'"format"', b'"a": "\\ud800", "format"', 1),
        "half of a character",
    ),
    "a number of 5000 digits": (
        lambda data: data.replace(b'"format"', b'"a": ' + HUGE.encode() + b', "format"', 1),
        "digits",
    ),
    "a float beyond floats": (
        lambda data: data.replace(b'"shards"', b'"bytes": 1e999, "shards_": [], "shards"', 1),
        "twice",
    ),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_manifest_that_is_no_clean_json_is_refused(place, case, refused):
    change, words = TEXTS[case]
    path = place / "dataset.json"
    path.write_bytes(change(path.read_bytes()))
    assert words in refused(lambda: Dataset(place))
    assert [f.lint for f in validate(place).findings] == ["manifest"]


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


INJECTED = "<script>alert(1)</script> [a](javascript:b) | x |\n# y ![i](http://z) \"'&"


def test_what_a_dataset_says_is_text_in_cards(place):
    manifest = json.loads((place / "dataset.json").read_text())
    manifest["tasks"][0] |= {"name": INJECTED, "failures": [INJECTED], "phases": [INJECTED]}
    manifest["governance"] |= {
        "contact": INJECTED,
        "intended_use": [INJECTED],
        "creator": [{"name": INJECTED, "kind": "person"}],
    }
    for name, data in render_metadata(json.dumps(manifest).encode()).items():
        if name.endswith(".md"):
            text = data.decode()
            body = text.split("\n---\n", 1)[1]
            assert "<script>" not in body, name
            assert "](javascript:" not in body, name
            assert "![i](" not in body, name
            assert "\n# y" not in body, name


@pytest.mark.parametrize(
    "query", ["__import__('os').system('id')", "(" * 1000, "length" + " + 1" * MAX_LENGTH, "9**9**9**9 > 1"]
)
def test_a_hostile_query_is_refused(place, query, refused):
    with Dataset(place) as data:
        assert refused(lambda: data.where(query))


def test_errors_are_of_one_tree():
    assert issubclass(DatasetError, GenbaError)
