"""Column statistics: right where naive formulas are not, and the same however the rows are cut."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from generators import stats

FLOATS = st.floats(-1e6, 1e6, width=32)


def test_deviation_is_right_far_from_zero():
    rng = np.random.default_rng(0)
    column = (30_000 + rng.standard_normal((200_000, 2))).astype(np.float32)
    found = stats.summarize(column)
    exact = column.astype(np.longdouble)
    assert found.mean == pytest.approx(exact.mean(axis=0).astype(float), rel=1e-14)
    # 1e-9: float64 rounding of deviations of order 1 around 30,000, over 200,000 rows
    assert found.std == pytest.approx(exact.std(axis=0).astype(float), rel=1e-9)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 3)), elements=FLOATS), st.data())
def test_merging_parts_gives_the_statistics_of_the_whole(column, data):
    cut = data.draw(st.integers(0, len(column)))
    whole = stats.summarize(column)
    merged = stats.merge(stats.summarize(column[:cut]), stats.summarize(column[cut:]))
    scale = np.abs(column).max().astype(float) + 1e-300
    assert np.array_equal(merged.count, whole.count)
    assert np.array_equal(merged.minimum, whole.minimum)
    assert np.array_equal(merged.maximum, whole.maximum)
    assert np.allclose(merged.mean, whole.mean, rtol=0, atol=1e-14 * scale)  # a few roundings of the largest value
    assert np.allclose(merged.m2, whole.m2, rtol=1e-10, atol=1e-12 * scale**2)


def test_quantiles_of_one_shard_are_those_of_numpy():
    column = np.random.default_rng(1).standard_normal((5_000, 3)).astype(np.float32)
    expected = np.quantile(column.astype(float), stats.QUANTILES, axis=0)
    assert stats.summarize(column).quantiles == pytest.approx(expected, abs=1e-12)


def test_merged_quantiles_are_the_average_by_count():
    low, high = np.zeros((30, 1), np.float32), np.full((10, 1), 4, np.float32)
    assert stats.merge_all([stats.summarize(low), stats.summarize(high)]).quantiles == pytest.approx(1.0)


def test_long_columns_have_quantiles_near_the_exact_ones():
    column = np.random.default_rng(2).random((300_000, 1)).astype(np.float32)
    found = stats.summarize(column)
    assert found.quantiles[:, 0] == pytest.approx(stats.QUANTILES, abs=0.01)  # 60,000 rows: 5 deviations of a median


def test_a_constant_column_is_flagged_and_a_varying_one_is_not():
    column = np.stack([np.full(100_000, 0.1), np.arange(100_000)], axis=1).astype(np.float32)
    assert stats.summarize(column).constant.tolist() == [True, False]


def test_values_that_are_not_finite_are_counted_and_left_out():
    column = np.array([[1, np.nan], [3, np.inf], [5, -np.inf]], np.float32)
    found = stats.summarize(column)
    assert found.count.tolist() == [3, 0]
    assert found.not_finite.tolist() == [0, 3]
    assert found.mean.tolist() == [3, 0]
    assert found.std[0] == pytest.approx(np.sqrt(8 / 3))
    plain = stats.to_json(found)
    assert plain["min"] == [1, None]
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_a_partly_finite_column_has_the_statistics_of_its_finite_values():
    values = np.random.default_rng(3).standard_normal((1000, 1)).astype(np.float32)
    holed = np.insert(values, [10, 500], np.nan, axis=0)
    found, expected = stats.summarize(holed), stats.summarize(values)
    assert found.mean == pytest.approx(expected.mean)
    assert found.m2 == pytest.approx(expected.m2)
    assert np.array_equal(found.quantiles, expected.quantiles)


def test_no_rows_are_neutral():
    empty, some = stats.summarize(np.zeros((0, 2), np.float32)), stats.summarize(np.arange(6.0).reshape(3, 2))
    for merged in (stats.merge(empty, some), stats.merge(some, empty)):
        assert np.array_equal(merged.rows(), some.rows())
    assert stats.merge(empty, empty).count.tolist() == [0, 0]


def test_stored_rows_give_the_statistics_back():
    found = stats.summarize(np.arange(12.0).reshape(4, 3))
    rows = found.rows()
    assert rows.shape == (len(stats.ROWS), 3)
    assert np.array_equal(stats.Stats.from_rows(rows).rows(), rows)
