"""dataset.json from anywhere: what is no clean JSON of the known shape is refused in one sentence, never believed."""

import json
import shutil

import pytest

from generators.dataset import Dataset
from generators.governance.write import render_metadata
from generators.query import MAX_LENGTH
from generators.validate import validate

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
