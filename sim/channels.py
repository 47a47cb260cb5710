"""Telemetry channels: MuJoCo sensors with a rate, a latency and the errors of a real instrument.

A channel's rate, latency and metadata travel inside the compiled model (sensor interval, delay, and a text element),
so that whoever holds the model knows its telemetry. The errors are applied once, here, to the sample that both the
policy and the recorder receive:

    measured = round_to(gain * true + bias + noise, resolution), or the sample before it where one drops out
"""

import dataclasses
import json
import math
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.errors import TaskError
from sim.seeds import stream

_PREFIX = "channel/"


@dataclasses.dataclass(frozen=True, slots=True)
class Channel:
    """One instrument.

    Attributes:
        name: the sensor's name, as recorded.
        unit: SI unit of the measured value.
        rate_hz: samples per second; its period is a whole number of timesteps.
        latency_s: age of a sample when it arrives.
        frame: the frame a vector is given in, else "".
        gain: measured over true: calibration error, sign, or a change of unit (A per N*m).
        bias: constant offset, in unit.
        noise: standard deviation of white noise, in unit.
        resolution: least step of the reading, in unit; 0 for none.
        dropout: share of samples lost, each replaced by the one before it.
        doc: one sentence.
    """

    name: str
    unit: str
    rate_hz: float
    latency_s: float = 0.0
    frame: str = ""
    gain: float = 1.0
    bias: float = 0.0
    noise: float = 0.0
    resolution: float = 0.0
    dropout: float = 0.0
    doc: str = ""


def add_channel(spec: mujoco.MjSpec, sensor: mujoco.MjsSensor, channel: Channel) -> None:
    """Make a sensor of the spec a telemetry channel: it takes the channel's name, rate and latency.

    The sensor is sensed on a grid that meets both the samples and what they carry, the value latency_s before (rounded
    up to a timestep). Interval and delay are given a hair short: MuJoCo's clock is a sum of timesteps, and its
    rounding would otherwise let samples that fall due on a step slip to the next.
    """
    timestep = spec.option.timestep
    late = math.ceil(channel.latency_s / timestep - 1e-6)
    every = math.gcd(max(1, round(1.0 / (channel.rate_hz * timestep))), late)
    sensor.name = channel.name
    sensor.noise = channel.noise
    sensor.interval = [every * timestep * (1 - 1e-9), 0.0]
    sensor.delay = max(0.0, (late - 1e-3) * timestep)
    sensor.nsample = late // every + 1
    spec.add_text(name=_PREFIX + channel.name, data=json.dumps(dataclasses.asdict(channel)))


def channels(model: mujoco.MjModel) -> tuple[Channel, ...]:
    """Read a compiled model's channels, in the order of its sensors."""
    texts: dict[str, bytes] = {}
    for i in range(model.ntext):
        name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_TEXT, i)
        start, size = int(model.text_adr[i]), int(model.text_size[i])
        texts[name] = bytes(model.text_data[start : start + size]).rstrip(b"\0")
    names = [_PREFIX + model.sensor(i).name for i in range(model.nsensor)]
    return tuple(Channel(**json.loads(texts[n])) for n in names if n in texts)


def channel_width(spec: mujoco.MjSpec) -> int:
    """Return how many numbers all channels of a spec deliver together."""
    sensors = {s.name: s for s in spec.sensors}
    names = [t.name.removeprefix(_PREFIX) for t in spec.texts if t.name.startswith(_PREFIX)]
    return sum(sensors[n].get_data_size() for n in names)


def substeps_per_sample(channel: Channel, timestep: float) -> int:
    """Return a channel's period in physics steps.

    Raises:
        TaskError: the period is no whole number of steps.
    """
    ratio = 1.0 / (channel.rate_hz * timestep)
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
        good = 1.0 / (max(1, round(ratio)) * timestep)
        raise TaskError(
            f"channel {channel.name!r}: {channel.rate_hz:g} Hz is no whole number of {timestep:g} s steps;"
            f" the nearest rate is {good:g} Hz"
        )
    return round(ratio)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The channels of one rate, side by side.

    Attributes:
        period: physics steps per sample.
        columns: where each channel's numbers are among the group's.
        width: how many numbers the group has.
    """

    period: int
    columns: dict[str, slice]
    width: int


class _Errors:
    """The instruments' errors of one group, for all simulations; random ones are drawn block by block."""

    BLOCK = 1024  # samples

    def __init__(self, rows: Sequence[Sequence[Channel]], dims: Sequence[int], seeds: Sequence[int]) -> None:
        self._rows, self._dims = rows, dims
        self._streams = [
            [stream(seed, "sensor_noise", c.name) for c in row] for row, seed in zip(rows, seeds, strict=True)
        ]
        self.gain, self.bias, self.resolution = (
            np.array([np.repeat([getattr(c, a) for c in row], dims) for row in rows])[:, None]
            for a in ("gain", "bias", "resolution")
        )
        self.noisy = any(c.noise > 0 for row in rows for c in row)
        self.rounded, self.all_rounded = bool((self.resolution > 0).any()), bool((self.resolution > 0).all())
        self.step = np.where(self.resolution > 0, self.resolution, 1.0)
        self.drops = any(c.dropout > 0 for row in rows for c in row)
        self._added: list[NDArray[np.float64]] = []
        self._lost: list[NDArray[np.bool_]] = []

    def drawn(self, start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what is added to samples start to stop, and which are lost, each (nsim, n, width)."""
        first, last = start // self.BLOCK, (stop - 1) // self.BLOCK
        while len(self._added) <= last:
            self._draw()
        cut = slice(start - first * self.BLOCK, stop - first * self.BLOCK)
        if first == last:
            return self._added[first][:, cut], self._lost[first][:, cut]
        added = np.concatenate(self._added[first : last + 1], axis=1)
        return added[:, cut], np.concatenate(self._lost[first : last + 1], axis=1)[:, cut]

    def _draw(self) -> None:
        shape = (len(self._rows), self.BLOCK, sum(self._dims))
        added, lost = np.zeros(shape), np.zeros(shape, bool)
        for i, (row, streams) in enumerate(zip(self._rows, self._streams, strict=True)):
            end = 0
            for chan, dim, rng in zip(row, self._dims, streams, strict=True):
                columns = slice(end, end := end + dim)
                if chan.noise > 0:
                    added[i, :, columns] = chan.noise * rng.standard_normal((self.BLOCK, dim))
                if chan.dropout > 0:
                    lost[i, :, columns] = rng.random((self.BLOCK, 1)) < chan.dropout
        self._added.append(added)
        self._lost.append(lost)


@dataclasses.dataclass(frozen=True, slots=True)
class Samples:
    """The samples that some channels of one rate delivered during one call.

    Attributes:
        group: number of the group, as in `Instruments.groups`.
        start: number of the first sample; sample i is taken at i periods.
        values: (nsim, n, columns) as measured.
    """

    group: int
    start: int
    values: NDArray[np.float32]


class Instruments:
    """The channels of n simulations of one layout: turns their raw sensor data into measured samples."""

    def __init__(self, models: Sequence[mujoco.MjModel], seeds: Sequence[int]) -> None:
        per_sim = [channels(m) for m in models]
        self.channels = per_sim[0]
        model, timestep = models[0], models[0].opt.timestep
        periods = [substeps_per_sample(c, timestep) for c in self.channels]
        self.columns: dict[str, slice] = {}
        self.groups: list[Group] = []
        self._errors: list[_Errors] = []
        self._raw: list[NDArray[np.intp]] = []  # columns of sensordata, by group
        self._out: list[slice] = []  # columns of the measured vector, by group
        width = 0
        for period in sorted(set(periods)):
            index = [i for i, p in enumerate(periods) if p == period]
            names = [self.channels[i].name for i in index]
            dims = [int(model.sensor(n).dim[0]) for n in names]
            ends = np.cumsum(dims)
            group = Group(period, {n: slice(e - d, e) for n, d, e in zip(names, dims, ends, strict=True)}, ends[-1])
            self.columns |= {n: slice(width + c.start, width + c.stop) for n, c in group.columns.items()}
            starts = [int(model.sensor(n).adr[0]) for n in names]
            self._raw.append(np.concatenate([s + np.arange(d) for s, d in zip(starts, dims, strict=True)]))
            self._out.append(slice(width, width + group.width))
            self._errors.append(_Errors([[chans[i] for i in index] for chans in per_sim], dims, seeds))
            self.groups.append(group)
            width += group.width
        self.width = width

    def first(self, raw: NDArray[np.float64], measured: NDArray[np.float64]) -> list[Samples]:
        """Take sample 0 of every channel, from the sensor data at time 0.

        Args:
            raw: (nsim, nsensordata).
            measured: (nsim, width) latest readings, written in place.
        """
        ids = np.arange(len(raw))
        return [self._take(g, 0, raw[:, None], ids, measured) for g in range(len(self.groups))]

    def measure(
        self, raw: NDArray[np.float64], substep: int, ids: NDArray[np.intp], measured: NDArray[np.float64]
    ) -> list[Samples]:
        """Take the samples that fall due in some physics steps.

        Args:
            raw: (len(ids), n, nsensordata) after each step; row j holds what was sensed before step substep + j.
            substep: number of steps before the first of these.
            ids: the simulations.
            measured: (nsim, width) latest readings, written in place.
        """
        out: list[Samples] = []
        for g, group in enumerate(self.groups):
            first = max(1, -(-substep // group.period))  # sample 0 was taken at time 0
            due = np.arange(first * group.period - substep, raw.shape[1], group.period)
            if len(due):
                out.append(self._take(g, first, raw[:, due], ids, measured))
        return out

    def _take(
        self,
        index: int,
        start: int,
        raw: NDArray[np.float64],
        ids: NDArray[np.intp],
        measured: NDArray[np.float64],
    ) -> Samples:
        errors, out = self._errors[index], self._out[index]
        value = raw[:, :, self._raw[index]] * errors.gain[ids]
        value += errors.bias[ids]
        stop = start + value.shape[1]
        if errors.noisy:
            value += errors.drawn(start, stop)[0][ids]
        if errors.rounded:
            step = errors.step[ids]
            rounded = np.rint(value / step) * step
            value = rounded if errors.all_rounded else np.where(errors.resolution[ids] > 0, rounded, value)
        values = value.astype(np.float32)
        if errors.drops:
            last = measured[ids, out].astype(np.float32)
            lost = errors.drawn(start, stop)[1][ids]
            for k in range(values.shape[1]):
                values[:, k] = last = np.where(lost[:, k] & (start + k > 0), last, values[:, k])
        measured[ids, out] = values[:, -1]
        return Samples(index, start, values)
