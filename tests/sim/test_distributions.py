"""Distributions: what they draw, what they refuse, and that they survive JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.distributions import Choice, Fixed, LogUniform, Normal, Uniform, from_json, to_json
from sim.errors import ParameterError

finite = st.floats(-1e6, 1e6)
pairs = st.tuples(finite, finite).map(sorted)
positive = st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(sorted)
words = st.text(min_size=1, max_size=8)


@st.composite
def normals(draw):
    low, mean, high = sorted(draw(st.tuples(finite, finite, finite)))
    return Normal(mean, draw(st.floats(0.0, 1e3)), low, high)


any_distribution = st.one_of(
    pairs.map(lambda p: Uniform(*p)),
    positive.map(lambda p: LogUniform(*p)),
    normals(),
    st.lists(finite, min_size=1, max_size=4).map(lambda v: Choice(tuple(v))),
    st.lists(words, min_size=1, max_size=4).map(lambda v: Choice(tuple(v))),
    st.one_of(finite, words).map(Fixed),
)


@given(any_distribution)
def test_a_distribution_survives_json(distribution):
    assert from_json(json.loads(json.dumps(to_json(distribution)))) == distribution


@given(any_distribution, st.integers(0, 2**32))
def test_every_sample_and_the_nominal_value_lie_in_the_support(distribution, seed):
    low, high = distribution.support
    value = distribution.sample(np.random.default_rng(seed))
    assert low <= value <= high
    assert low <= distribution.nominal <= high or math.isclose(distribution.nominal, low)


@given(any_distribution, st.integers(0, 2**32))
def test_the_same_stream_draws_the_same_value(distribution, seed):
    assert distribution.sample(np.random.default_rng(seed)) == distribution.sample(np.random.default_rng(seed))


def test_draws_have_the_distributions_they_are_named_after():
    rng = np.random.default_rng(0)
    n = 4000
    uniform = [Uniform(2.0, 4.0).sample(rng) for _ in range(n)]
    logs = np.log([LogUniform(0.01, 100.0).sample(rng) for _ in range(n)])
    normal = [Normal(1.0, 0.1, 0.0, 2.0).sample(rng) for _ in range(n)]
    # means of n draws, within five standard errors
    assert abs(np.mean(uniform) - 3.0) < 5 * (2 / math.sqrt(12)) / math.sqrt(n)
    assert abs(np.mean(logs)) < 5 * (2 * math.log(100) / math.sqrt(12)) / math.sqrt(n)
    assert abs(np.mean(normal) - 1.0) < 5 * 0.1 / math.sqrt(n)
    assert abs(np.std(normal) - 0.1) < 0.01


def test_a_normal_whose_range_misses_the_curve_falls_back_to_its_edge():
    assert Normal(0.0, 0.0, 0.0, 1.0).sample(np.random.default_rng(0)) == 0.0
    assert Normal(0.5, 1e9, 0.4, 0.6).sample(np.random.default_rng(0)) in (0.4, 0.6)


def test_a_part_edits_the_distribution_it_replaces():
    assert from_json({"low": 0.2}, Uniform(0.1, 0.5)) == Uniform(0.2, 0.5)
    assert from_json({"std": 2}, Normal(0.0, 1.0, -5.0, 5.0)) == Normal(0.0, 2.0, -5.0, 5.0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Uniform(2.0, 1.0), "low <= high, got low 2, high 1"),
        (lambda: Uniform(0.0, math.nan), "finite"),
        (lambda: Uniform(-math.inf, 0.0), "finite"),
        (lambda: LogUniform(0.0, 1.0), "low > 0"),
        (lambda: LogUniform(-1.0, 1.0), "low > 0"),
        (lambda: Normal(5.0, 1.0, 0.0, 1.0), "low <= mean <= high"),
        (lambda: Normal(0.5, -1.0, 0.0, 1.0), "std >= 0"),
        (lambda: Choice(()), "at least one value"),
        (lambda: Choice((1.0, "a")), "all numbers or all words"),
        (lambda: Fixed(math.nan), "finite"),
        (lambda: from_json({"low": 1}), "needs 'kind'"),
        (lambda: from_json({"kind": "unifrom", "low": 0, "high": 1}), "did you mean 'uniform'"),
        (lambda: from_json({"kind": "uniform", "lo": 0, "high": 1}), "did you mean 'low'"),
        (lambda: from_json({"kind": "uniform", "low": 0}), "also needs high"),
        (lambda: from_json({"kind": "uniform", "low": True, "high": 1}), "needs a number"),
        (lambda: from_json({"kind": "uniform", "low": "a", "high": 1}), "needs a number"),
        (lambda: from_json({"kind": "choice", "values": "abc"}), "needs a list"),
        (lambda: from_json({"high": 0.05}, Uniform(0.1, 0.5)), "low <= high"),
    ],
)
def test_what_makes_no_distribution_is_refused_with_the_reason(make, says):
    with pytest.raises(ParameterError, match=says.replace("(", r"\(")):
        make()
