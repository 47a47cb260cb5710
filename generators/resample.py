"""Put streams of other rates onto the times of control steps, by a method that has a name.

An export has one row a control step; telemetry comes at its own rates. The method goes into the export's own record.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.episode import Stream
from sim.errors import unknown

Array = NDArray[Any]

METHODS = {
    "previous": "the last sample that had arrived, as a controller would hold it; before the first one, the first",
    "linear": "on the straight line between the samples before and after; looks ahead by up to one sample",
    "mean": "the mean of the samples that arrived since the step before; where none did, the last one",
}


def resample(stream: Stream, times_ns: Array, method: str = "previous") -> Array:
    """Return a stream's values at some times.

    Args:
        stream: n samples, n > 0, in the order of their times.
        times_ns: (T,) increasing, ns since the episode's start.
        method: one of `METHODS`.

    Returns:
        (T, dim) of the stream's own type.

    Raises:
        UnknownNameError: no such method.
        ValueError: the stream has no samples.
    """
    if method not in METHODS:
        raise unknown("method of resampling", method, METHODS)
    if not len(stream.t_ns):
        raise ValueError("a stream without samples has no value at any time")
    value = stream.value.reshape(len(stream.t_ns), -1)
    last = np.searchsorted(stream.t_ns, times_ns, side="right")  # samples that have arrived
    held = value[np.maximum(last - 1, 0)]
    if method == "previous":
        return held
    if method == "linear":
        columns = [np.interp(times_ns, stream.t_ns, column) for column in value.T.astype(np.float64)]
        return np.stack(columns, axis=-1).astype(value.dtype)
    before = np.concatenate([[0], last[:-1]])
    sums = np.concatenate([np.zeros((1, value.shape[1])), np.cumsum(value, axis=0, dtype=np.float64)])
    count = (last - before)[:, None]
    mean = (sums[last] - sums[before]) / np.maximum(count, 1)
    return np.where(count > 0, mean, held).astype(value.dtype)
