"""Every column and attribute of a file, gone or replaced by something else: read, or refused by an error of ours."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

GONE = object()
COLUMNS = {
    "gone": GONE,
    "two directions": np.zeros((2, 3)),
    "no direction": np.float64(3),
    "text that is none": np.array([b"\xff\xfe", b"x"]),
    "negative": np.array([-5, -7]),
    "no rows": np.zeros(0),
    "not finite": np.array([np.nan, np.inf]),
    "a group": None,
}
ATTRIBUTES = {
    "gone": GONE,
    "a list": np.array([-5, 7]),
    "JSON": '[[1, 2], {"a": null}]',
    "not finite": np.nan,
    "nothing": h5py.Empty("f8"),
}


@pytest.fixture
def files(fuzzing, tmp_path):
    """By target, a small file of its kind."""
    whole = fuzzing.make_whole(tmp_path)
    shard, media = whole / "shards" / "shard-00000.h5", next((whole / "media").glob("*.h5"))
    return {"shard": shard, "media": media, "robomimic": tmp_path / "small.hdf5"}


def places(path: Path):
    """List the columns of a file, and its attributes."""
    columns, attributes = [], []
    with h5py.File(path) as file:
        file.visit(lambda name: columns.append(name))
        for name in ["/", *columns]:
            attributes += [(name, attribute) for attribute in file[name].attrs]
    return columns, attributes


def replace_column(file, name, value):
    kept = dict(file[name].attrs)
    del file[name]
    if value is None:
        file.create_group(name)
    elif value is not GONE:
        file[name] = value
    for attribute, old in kept.items() if value is not GONE else ():
        file[name].attrs[attribute] = old


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("name", ["shard", "media", "robomimic"])
def test_no_column_is_believed(name, kind, files, fuzzing, tmp_path):
    run = fuzzing.guarded(fuzzing.TARGETS[name](tmp_path))
    changed = tmp_path / "changed.h5"
    columns, _ = places(files[name])
    assert len(columns) >= 10
    for column in columns:
        shutil.copy(files[name], changed)
        with h5py.File(changed, "r+") as file:
            replace_column(file, column, COLUMNS[kind])
        run(changed.read_bytes())


@pytest.mark.parametrize("kind", ATTRIBUTES)
@pytest.mark.parametrize("name", ["shard", "media", "robomimic"])
def test_no_attribute_is_believed(name, kind, files, fuzzing, tmp_path):
    run = fuzzing.guarded(fuzzing.TARGETS[name](tmp_path))
    changed = tmp_path / "changed.h5"
    _, attributes = places(files[name])
    roots = [
        a for a in attributes if name != "shard" or a[0] in ("/", "state/control")
    ]  # of columns they are all alike
    assert len(roots) > 3
    for place, attribute in roots:
        shutil.copy(files[name], changed)
        with h5py.File(changed, "r+") as file:
            del file[place].attrs[attribute]
            if ATTRIBUTES[kind] is not GONE:
                file[place].attrs[attribute] = ATTRIBUTES[kind]
        run(changed.read_bytes())


VALUES = (None, True, -1, 0.5, 1e308, 10**40, "", "x", [], [1], [[]], {}, {"a": 1})


def spoilt(value, *, depth=4):
    """Yield a JSON value with each of its parts replaced by each of `VALUES`, and left out."""
    if depth and isinstance(value, dict):
        for key, part in value.items():
            rest = {k: v for k, v in value.items() if k != key}
            yield rest
            yield from ({**rest, key: other} for other in spoilt(part, depth=depth - 1))
    elif depth and isinstance(value, list) and value:
        yield from ([other, *value[1:]] for other in spoilt(value[0], depth=depth - 1))
    yield from VALUES


def test_no_part_of_a_description_is_believed(fuzzing, tmp_path):
    fuzzing.make_whole(tmp_path)
    run = fuzzing.guarded(fuzzing.TARGETS["described"](tmp_path))
    tried = 0
    for seed in fuzzing.seeds("described", tmp_path, fuzzing.FILES):
        if seed[1:2] != b"{" or fuzzing.FILES[seed[0]] == "stats.json":
            continue
        for i, other in enumerate(spoilt(json.loads(seed[1:]))):
            if i % 3 == 0:  # each part meets a third of the values
                run(seed[:1] + json.dumps(other).encode())
                tried += 1
    assert tried > 300
