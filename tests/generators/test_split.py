"""Splits: groups stay whole, shares are met, the same seed gives the same parts, and leaks are found."""

import collections
import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.curation.filter import filter_dataset
from generators.curation.groups import bin_edges, group_keys, identities, put_into_parts
from generators.curation.leaks import content_hash, leaks
from generators.curation.split import split
from generators.dataset import Dataset, read_manifest
from generators.schema import DatasetError
from sim.errors import UnknownNameError

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_filmed):
    """A dataset of twelve episodes without pictures; not to be written to."""
    folder = tmp_path_factory.mktemp("made") / "set"
    make_filmed(folder, seed=6, episodes=12, episodes_per_shard=5, degraded=0.5)
    return folder


@pytest.fixture
def table():
    return pa.table(
        {
            "task": ["a", "a", "b", "b", "b"],
            "model_sha256": ["1", "1", "1", "", ""],
            "episode_seed": [1, 2, 3, 0, 0],
            "episode_id": [0, 1, 2, 3, 4],
            "params.a/x.friction": [0.0, 0.26, None, None, None],
            "params.b/x.friction": [None, None, 0.5, 1.0, 0.49],
            "params.b/x.steel": [None, None, "SS400", "SS400", "SUS304"],
        }
    )


def groups(keys):
    """Return the places of each group."""
    found = collections.defaultdict(list)
    for place, key in enumerate(keys):
        found[key].append(place)
    return sorted(found.values())


def test_a_scene_is_one_task_with_one_model_and_what_was_not_built_stands_alone(table):
    assert groups(group_keys(table, (), {})) == [[0, 1], [2], [3], [4]]
    assert group_keys(table, ("scene",), {}) == group_keys(table, (), {})


def test_what_has_no_model_is_known_by_its_dataset_and_number(table):
    assert identities(table) == [("a", 1, "1"), ("a", 2, "1"), ("b", 3, "1"), ("b", "", 3), ("b", "", 4)]
    derived = table.append_column("source", pa.array(["x", "x", "x", "x", "y"]))
    assert identities(derived)[3:] == [("b", "x", 3), ("b", "y", 4)]


def test_groups_are_values_bins_or_both(table):
    edges = bin_edges(table, ["friction:4"])
    assert edges == {"friction": [0.0, 0.25, 0.5, 0.75, 1.0]}
    assert groups(group_keys(table, ["friction:4"], edges)) == [[0], [1, 4], [2], [3]]
    assert groups(group_keys(table, ["task"], {})) == [[0, 1], [2, 3, 4]]
    assert groups(group_keys(table, ["task", "friction:4"], edges)) == [[0], [1], [2], [3], [4]]
    assert groups(group_keys(table, ["steel"], {})) == [[0, 1], [2, 3], [4]]


def test_a_number_that_never_varies_is_one_bin():
    table = pa.table({"params.friction": [0.2, 0.2]})
    assert groups(group_keys(table, ["friction:3"], bin_edges(table, ["friction:3"]))) == [[0, 1]]


@pytest.mark.parametrize(
    ("by", "error", "sentence"),
    [
        ("fricton", UnknownNameError, "did you mean 'friction'"),
        ("friction:x", DatasetError, "a number of bins"),
        ("friction:1", DatasetError, "2 to 10000"),
        ("steel:3", DatasetError, "is text and has no bins"),
    ],
)
def test_what_cannot_make_groups_is_refused(table, by, error, sentence):
    with pytest.raises(error, match=sentence):
        group_keys(table, [by], bin_edges(table, [by]))


@given(
    st.lists(st.integers(1, 30), min_size=4, max_size=60),
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4),
    st.integers(0, 1000),
)
@settings(deadline=None)
def test_groups_stay_whole_no_part_is_empty_and_no_share_is_missed_by_more_than_a_group(sizes, weights, seed):
    keys = [f"group {i}" for i, size in enumerate(sizes) for _ in range(size)]
    shares = {str(i): weight / sum(weights) for i, weight in enumerate(weights)}
    parts = put_into_parts(keys, shares, seed)
    chosen = {}
    for key, part in zip(keys, parts.tolist(), strict=True):
        assert chosen.setdefault(key, part) == part
    counts = np.bincount(parts, minlength=len(shares))
    assert (counts > 0).all()
    wanted = np.array(list(shares.values())) * len(keys)
    assert (counts - wanted <= max(sizes) * len(shares)).all()
    assert np.array_equal(put_into_parts(keys, shares, seed), parts)


def test_shares_are_met_to_the_episode_where_groups_are_small():
    keys = [str(i) for i in range(1000)]
    assert np.bincount(put_into_parts(keys, SHARES, 0)).tolist() == [800, 100, 100]


def test_groups_of_several_sizes_change_places_until_the_shares_fit():
    sizes = [5, 5, 4, 3, 2, 2, 1, 1, 1, 1]
    keys = [str(i) for i, size in enumerate(sizes) for _ in range(size)]
    for seed in range(20):
        counts = np.bincount(put_into_parts(keys, {"train": 0.6, "val": 0.2, "test": 0.2}, seed))
        assert np.abs(counts - [15, 5, 5]).max() <= 1


def test_another_seed_is_another_split_and_the_order_of_episodes_does_not_matter():
    keys = [str(i) for i in range(40)]
    one, other = (put_into_parts(keys, SHARES, seed) for seed in (0, 1))
    assert not np.array_equal(one, other)
    assert np.array_equal(put_into_parts(keys[::-1], SHARES, 0)[::-1], one)


def test_more_parts_than_groups_are_refused():
    with pytest.raises(DatasetError, match="2 groups cannot be put into 3 parts"):
        put_into_parts(["a", "b", "b"], SHARES, 0)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({}, "no parts"),
        ({"train": 0.8, "test": 0.1}, "sum to 0.9, expected 1"),
        ({"train": 1.5, "test": -0.5}, "expected a positive number"),
        ({"train": float("nan"), "test": 0.5}, "expected a positive number"),
        ({"../train": 1.0}, "cannot be called"),
    ],
)
def test_shares_that_cannot_be_are_refused(made, tmp_path, shares, sentence):
    with pytest.raises(DatasetError, match=sentence):
        split(made, tmp_path / "out", shares)
    assert list(tmp_path.iterdir()) == []


def test_a_split_says_what_its_parts_hold(made, tmp_path):
    record = split(made, tmp_path / "out", SHARES, by=["friction:8"], seed=2)
    assert json.loads((tmp_path / "out" / "split.json").read_text()) == record
    assert sum(p["episodes"] for p in record["parts"]) == record["of"]["episodes"] == 12
    for part in record["parts"]:
        manifest = read_manifest(tmp_path / "out" / part["name"])
        assert manifest["dataset_id"] == part["dataset_id"]
        assert manifest["outcomes"] == part["outcomes"]
        assert manifest["derived"]["split"] == {
            "name": part["name"],
            "by": ["friction:8"],
            "edges": record["edges"],
            "seed": 2,
            "shares": SHARES,
        }


def test_a_range_of_a_parameter_is_in_one_part_only(made, tmp_path):
    record = split(made, tmp_path / "out", {"train": 0.6, "test": 0.4}, by=["friction:5"])
    edges = np.array(record["edges"]["friction"])[1:-1]
    bins = []
    for part in record["parts"]:
        with Dataset(tmp_path / "out" / part["name"]) as data:
            bins.append(set(np.searchsorted(edges, data.values("friction"), side="right").tolist()))
        assert len(bins[-1]) == part["groups"]
    assert not bins[0] & bins[1]
    assert leaks([tmp_path / "out" / part["name"] for part in record["parts"]]) == []


def test_the_same_seed_gives_the_same_parts(made, tmp_path):
    for name in ("one", "other"):
        split(made, tmp_path / name, SHARES, seed=9)
    files = [
        {p.relative_to(tmp_path / n).as_posix(): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("one", "other")
    ]
    assert files[0] == files[1]


def test_a_split_that_fails_leaves_nothing(made, tmp_path):
    def interrupt(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        split(made, tmp_path / "out", SHARES, done=interrupt)
    with pytest.raises(DatasetError, match="cannot be put into"):
        split(made, tmp_path / "out", {"a": 0.5, "b": 0.5}, by=["task"])
    with pytest.raises(DatasetError, match="inside of the dataset"):
        split(made, made / "out", SHARES)
    assert list(tmp_path.iterdir()) == []


def test_parts_that_share_episodes_are_found_out(made, tmp_path):
    filter_dataset(made, "episode_id < 8", tmp_path / "a")
    filter_dataset(made, "episode_id >= 5", tmp_path / "b")
    found = leaks([tmp_path / "a", tmp_path / "b"])
    assert [(leak.what, leak.parts, leak.count) for leak in found] == [
        ("group", ("a", "b"), 3),
        ("seed", ("a", "b"), 3),
        ("contents", ("a", "b"), 3),
    ]
    assert str(found[2]).startswith("a and b share 3 episodes with the same actions and observations, the first is ")
    assert [leak.what for leak in leaks([tmp_path / "a", tmp_path / "b"], contents=False)] == ["group", "seed"]


def test_the_same_contents_under_other_seeds_are_found_out(kit, episodes, tmp_path):
    long = [e for e in episodes if len(e)][:4]
    renamed = [dataclasses.replace(e, seed=e.seed + 1, model_sha256="1" * 64) for e in long[:2]]
    kit.make_dataset(tmp_path / "a", long)
    kit.make_dataset(tmp_path / "b", renamed)
    (leak,) = leaks([tmp_path / "a", tmp_path / "b"])
    assert (leak.what, leak.count) == ("contents", 2)


def test_episodes_without_steps_have_no_contents_to_leak(dataset, tmp_path):
    split(dataset, tmp_path / "out", {"train": 0.5, "test": 0.5}, by=["episode_seed"])
    with Dataset(dataset) as data:
        empty = [e for e in data if not len(e)]
        assert len(empty) > 1
        assert {content_hash(e) for e in empty} == {""}
    assert leaks([tmp_path / "out" / "train", tmp_path / "out" / "test"]) == []


def test_parts_of_different_splits_are_not_compared(made, tmp_path):
    split(made, tmp_path / "one", {"a": 0.5, "b": 0.5}, by=["friction:4"])
    split(made, tmp_path / "other", {"a": 0.5, "b": 0.5}, by=["gap:4"])
    with pytest.raises(DatasetError, match="no parts of one split"):
        leaks([tmp_path / "one" / "a", tmp_path / "other" / "b"])
