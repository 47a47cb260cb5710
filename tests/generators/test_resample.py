"""Resampling: what each method says it does, against values worked out by hand."""

import numpy as np
import pytest

from generators.resample import METHODS, resample
from sim.episode import Stream
from sim.errors import UnknownNameError

STREAM = Stream(np.array([[0.0], [10.0], [20.0], [30.0]], np.float32), np.array([5, 15, 25, 35]))
TIMES = np.array([0, 10, 20, 40])


@pytest.mark.parametrize(
    ("method", "expected"),
    [("previous", [0, 0, 10, 30]), ("linear", [0, 5, 15, 30]), ("mean", [0, 0, 10, 25])],
)
def test_a_method_gives_what_it_says(method, expected):
    found = resample(STREAM, TIMES, method)
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == expected


def test_a_sample_that_arrives_on_a_step_is_known_there():
    assert resample(STREAM, np.array([15]), "previous")[0, 0] == 10


def test_every_method_keeps_a_stream_of_the_same_times():
    stream = Stream(np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(6) * 10)
    for method in METHODS:
        assert np.array_equal(resample(stream, stream.t_ns, method), stream.value)


def test_a_method_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="previous"):
        resample(STREAM, TIMES, "previus")


def test_a_stream_without_samples_is_refused():
    with pytest.raises(ValueError, match="without samples"):
        resample(Stream(np.zeros((0, 1)), np.zeros(0, int)), TIMES)
