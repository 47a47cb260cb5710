"""Telemetry channels: MuJoCo sensors with a rate, a latency and the errors of a real instrument.

A channel's rate, latency and metadata travel inside the compiled model (sensor interval, delay, and a text element),
so that whoever holds the model knows its telemetry.
"""

import dataclasses
import json
import math

import mujoco

from sim.errors import TaskError
from sim.texts import texts

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


_FIELDS = tuple(field.name for field in dataclasses.fields(Channel))


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
    spec.add_text(name=_PREFIX + channel.name, data=json.dumps({n: getattr(channel, n) for n in _FIELDS}))


def channels(model: mujoco.MjModel) -> tuple[Channel, ...]:
    """Read a compiled model's channels, in the order of its sensors."""
    found = texts(model)
    names = [_PREFIX + model.sensor(i).name for i in range(model.nsensor)]
    return tuple(Channel(**json.loads(found[n])) for n in names if n in found)


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
