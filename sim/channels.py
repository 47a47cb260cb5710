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


@dataclasses.dataclass(frozen=True, slots=True)
class _Errors:
    """A group's place and the instruments' errors, each (nsim, width)."""

    raw: NDArray[np.intp]  # columns of sensordata
    out: slice  # columns of the measured vector
    gain: NDArray[np.float64]
    bias: NDArray[np.float64]
    resolution: NDArray[np.float64]
    noise: "list[_Noise]"  # per simulation


class _Noise:
    """One simulation's noise and drop-outs for one group of channels, drawn block by block as samples come."""

    BLOCK = 1024

    def __init__(self, chans: Sequence[Channel], dims: Sequence[int], seed: int) -> None:
        self._chans, self._dims = chans, dims
        self._streams = [stream(seed, "sensor_noise", c.name) for c in chans]
        self._add: list[NDArray[np.float64]] = []
        self._drop: list[NDArray[np.bool_]] = []
        self.drops = any(c.dropout > 0 for c in chans)

    def rows(self, start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what is added to samples start to stop, and which of them are lost, each (n, columns)."""
        first, last = start // self.BLOCK, (stop - 1) // self.BLOCK
        while len(self._add) <= last:
            self._draw()
        base = first * self.BLOCK
        if first == last:
            return self._add[first][start - base : stop - base], self._drop[first][start - base : stop - base]
        add, drop = np.concatenate(self._add[first : last + 1]), np.concatenate(self._drop[first : last + 1])
        return add[start - base : stop - base], drop[start - base : stop - base]

    def _draw(self) -> None:
        add: list[NDArray[np.float64]] = []
        drop: list[NDArray[np.bool_]] = []
        for chan, dim, rng in zip(self._chans, self._dims, self._streams, strict=True):
            shape = (self.BLOCK, dim)
            add.append(chan.noise * rng.standard_normal(shape) if chan.noise > 0 else np.zeros(shape))
            lost = rng.random((self.BLOCK, 1)) < chan.dropout if chan.dropout > 0 else np.zeros((self.BLOCK, 1), bool)
            drop.append(np.broadcast_to(lost, shape))
        self._add.append(np.concatenate(add, axis=1))
        self._drop.append(np.concatenate(drop, axis=1))


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
        width = 0
        for period in sorted(set(periods)):
            index = [i for i, p in enumerate(periods) if p == period]
            names = [self.channels[i].name for i in index]
            dims = [int(model.sensor(n).dim[0]) for n in names]
            ends = np.cumsum(dims)
            group = Group(period, {n: slice(e - d, e) for n, d, e in zip(names, dims, ends, strict=True)}, ends[-1])
            self.columns |= {n: slice(width + c.start, width + c.stop) for n, c in group.columns.items()}
            raw = np.concatenate([model.sensor(n).adr[0] + np.arange(d) for n, d in zip(names, dims, strict=True)])
            rows = [[chans[i] for i in index] for chans in per_sim]
            gain, bias, resolution = (
                np.array([np.repeat([getattr(c, a) for c in row], dims) for row in rows])
                for a in ("gain", "bias", "resolution")
            )
            noise = [_Noise(row, dims, seed) for row, seed in zip(rows, seeds, strict=True)]
            self._errors.append(_Errors(raw, slice(width, width + group.width), gain, bias, resolution, noise))
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
        group = self._errors[index]
        value = raw[:, :, group.raw] * group.gain[ids][:, None] + group.bias[ids][:, None]
        step = group.resolution[ids][:, None]
        noise = [group.noise[i].rows(start, start + raw.shape[1]) for i in ids]
        value = value + np.array([add for add, _ in noise])
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(step > 0, np.round(value / step) * step, value)
        values = value.astype(np.float32)
        if any(group.noise[i].drops for i in ids):
            last = measured[ids, group.out].astype(np.float32)
            for k in range(values.shape[1]):
                lost = np.array([drop[k] for _, drop in noise]) & (start + k > 0)
                values[:, k] = last = np.where(lost, last, values[:, k])
        measured[ids, group.out] = values[:, -1]
        return Samples(index, start, values)
