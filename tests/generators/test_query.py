"""The query language: what it finds, what it refuses, and that nothing is executed."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.curation.merging import merge
from generators.dataset import Dataset
from generators.query import MAX_DEPTH, MAX_LENGTH, QueryError, columns_used, mask
from generators.schema import DatasetError
from generators.tables import task_and_name
from sim.errors import GenbaError, UnknownNameError

BIG = 2**63 + 5


@pytest.fixture(scope="module")
def table():
    return pa.table(
        {
            "outcome": ["success", "failure", "success", "timeout"],
            "failure": ["", "strike", "", ""],
            "length": [10, 20, 30, 40],
            "return": [1.5, -2.0, None, float("nan")],
            "episode_seed": pa.array([BIG, 1, 2, 3], pa.uint64()),
            "params.steel/crane.hook.friction": [0.1, 0.2, None, None],
            "params.cell:Mine.hook.friction": [None, None, 0.3, 0.4],
            "params.cell:Mine.floor.wear": [None, None, 1.3, 1.4],
            "params.cell:Mine.roof.wear": [None, None, 1.0, 2.0],
            "params.cell:Mine.steel": [None, None, "SS400", "SUS304"],
        }
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('outcome == "success"', [1, 0, 1, 0]),
        ("10 < length <= 30", [0, 1, 1, 0]),
        ('outcome == "success" and length > 10 or failure == "strike"', [0, 1, 1, 0]),
        ("return > -5", [1, 1, 0, 0]),
        ("`return` > -5 and not length == 20", [1, 0, 0, 0]),
        ('failure in ["strike", "crash"]', [0, 1, 0, 0]),
        ("length not in (10, 40)", [0, 1, 1, 0]),
        ('steel in {"SS400"}', [0, 0, 1, 0]),
        ('steel not in ["SS400"]', [0, 0, 0, 1]),
        ("friction >= 0.2", [0, 1, 1, 1]),
        ("hook.friction * 10 == 1", [1, 0, 0, 0]),
        ("params.hook.friction < 0.35", [1, 1, 1, 0]),
        ("`params.cell:Mine.hook.friction` != 0.3", [0, 0, 0, 1]),
        ("floor.wear - roof.wear < 0", [0, 0, 0, 1]),
        ("abs(return) / 2 == 1", [0, 1, 0, 0]),
        ("-length < -20", [0, 0, 1, 1]),
        (f"episode_seed == {BIG}", [1, 0, 0, 0]),
        ("return != 1.5", [0, 1, 0, 0]),
        ("return / 0 > 0 or length / length == 2", [1, 0, 0, 0]),
        ("True", [1, 1, 1, 1]),
        ("not False and 1 < 2", [1, 1, 1, 1]),
        ('failure == "return `x`"', [0, 0, 0, 0]),
    ],
)
def test_a_query_finds_the_episodes_that_it_describes(table, query, found):
    assert mask(table, query).tolist() == [bool(f) for f in found]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "the query is empty"),
        ("(((", "'\\('"),
        ("length = 3", "is no query"),
        ("length", "'length' is no condition"),
        ("length is 3", "no 'is'"),
        ('length == "3"', "length is a number and '3' is text"),
        ('outcome < "success"', "compared by ==, != and in"),
        ("-outcome == 3", "outcome is text"),
        ("length in outcome", "'in' needs a list"),
        ("length ** 2 > 3", "not understood"),
        ("length % 2 == 1", "not understood"),
        ('__import__("os").system("true")', "is no condition"),
        ('__import__("os") == 3', "calls a function"),
        ("abs(length, 3) == 3", "calls a function"),
        ("abs.__class__() == 3", "calls a function"),
        ("[x for x in (1, 2)] == 3", "not understood"),
        ("(lambda: 1) == 1", "not understood"),
        ("length[0] == 1", "not understood"),
        ("'a'.upper == 'A'", "belongs into a name"),
        ("length == None", "neither a number nor text"),
        ("length == True", "neither a number nor text"),
        ("length == 1j", "neither a number nor text"),
        ("length == b'x'", "neither a number nor text"),
        ("9" * 100 + " > length", "64 bits"),
        ("length == 1\0", "is no query"),
        ("(" * 40 + "1 < 2" + ")" * 40, "nested 40 deep"),
        ("not " * 40 + "1 < 2", f"more than {MAX_DEPTH}"),
        ("length < 1" + " + 1" * 40, f"more than {MAX_DEPTH}"),
        ("length < 1" + " " * MAX_LENGTH + "1", "characters"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused_in_a_sentence(table, query, sentence):
    with pytest.raises(QueryError, match=sentence):
        mask(table, query)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("lenght > 3", "did you mean 'length'"),
        ("fricton > 3", "did you mean 'friction'"),
        ("length.real == 3", "did you mean 'length'"),
        ('outcome == "sucess"', "did you mean 'success'"),
        ("wear > 1", "'wear' may be floor.wear or roof.wear: write which"),
    ],
)
def test_a_name_that_is_wrong_is_answered_with_the_nearest(table, query, sentence):
    with pytest.raises(UnknownNameError, match=sentence):
        mask(table, query)


def test_a_parameter_that_is_text_in_one_task_only_is_refused():
    table = pa.table({"params.a/b.steel": [1.0, None], "params.a/c.steel": [None, "SS400"]})
    with pytest.raises(DatasetError, match="text in one task and a number in another"):
        mask(table, "steel == 1")


def test_a_column_of_lists_is_refused():
    with pytest.raises(DatasetError, match="expected numbers or text"):
        mask(pa.table({"x": [[1, 2], [3]]}), "x == 1")


def test_the_column_of_a_parameter_tells_task_and_name():
    assert task_and_name("params.steel/crane_coil.hook.friction") == ("steel/crane_coil", "hook.friction")
    assert task_and_name("params.cells.mine:Task.hook.friction") == ("cells.mine:Task", "hook.friction")
    assert task_and_name("params.hook.friction") == ("", "hook.friction")
    assert task_and_name("length") is None


_LEAVES = st.sampled_from(["length", "return", "friction", "1", "0.5", "outcome", '"success"', "(", ")", "[", "]", ","])
_WORDS = st.sampled_from(
    ["and", "or", "not", "in", "<", "==", "+", "-", "abs", ".", "is", "lambda", ":", "`", "=", "if"]
)


@given(st.lists(_LEAVES | _WORDS, max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_answered_or_refused(table, query):
    try:
        found = mask(table, query)
    except GenbaError:
        return
    assert found.shape == (4,)
    assert found.dtype == bool


def test_a_dataset_is_queried_like_its_table(dataset):
    with Dataset(dataset) as data:
        view = data.where('outcome == "success" and mass > 1.5', mode="nominal")
        assert 0 < len(view) < len(data)
        assert all(e.outcome.name == "SUCCESS" and e.parameters["mass"] > 1.5 for e in view)
        assert len(view) == sum(
            e.outcome.name == "SUCCESS" and e.parameters["mass"] > 1.5 and e.fact("expert_mode") == 0 for e in data
        )
        some = view.where("length >= 1")
        assert np.array_equal(some.places, view.places)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ('outcome == "success" and 1 < length', ["length", "outcome"]),
        (
            "abs(friction) * 2 > `return`",
            ["params.cell:Mine.hook.friction", "params.steel/crane.hook.friction", "return"],
        ),
        ("params.floor.wear in [1, 2]", ["params.cell:Mine.floor.wear"]),
        ("True", []),
    ],
)
def test_only_the_columns_that_a_query_names_need_to_be_read(table, query, columns):
    assert sorted(columns_used(table.column_names, query)) == columns
    if columns:
        assert mask(table.select(columns), query).tolist() == mask(table, query).tolist()


def test_a_dataset_with_a_table_is_queried_without_its_shards(dataset, tmp_path):
    manifest = merge([dataset], tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "shards")
    with Dataset(tmp_path / "out") as data:
        assert len(data.where('outcome == "success"')) == manifest["outcomes"]["success"]
        assert len(data.where("True")) == len(data)
        with pytest.raises(UnknownNameError, match="did you mean 'outcome'"):
            data.where('outcom == "success"')
