"""Instruments: what they measure of the true signals, for simulations that may each be at their own time.

Errors are applied once, here, to the sample that both the policy and the recorder receive:

    measured = round_to(gain * true + bias + noise, resolution), or the sample before it where one drops out

The random ones are drawn from the episode's seed by channel and sample number, whoever asks and whenever.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import Channel, channels, substeps_per_sample
from sim.seeds import stream

Array = NDArray[np.float64]
Block = tuple[Array, Array]  # normal and uniform numbers, each (width, BLOCK)


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


class Errors:
    """The errors of one simulation's instruments of one rate; the random ones come block by block, from its seed."""

    BLOCK = 256  # samples; how draws are laid out in a stream, hence part of what a seed means

    def __init__(self, chans: Sequence[Channel], dims: Sequence[int], seed: int) -> None:
        self._chans, self._dims, self._seed = chans, dims, seed
        self.gain, self.bias, self.resolution, self.noise, self.dropout = (
            np.repeat([getattr(c, a) for c in chans], dims) for a in ("gain", "bias", "resolution", "noise", "dropout")
        )
        self.random = bool((self.noise > 0).any() or (self.dropout > 0).any())

    @functools.cached_property
    def first(self) -> Block:
        """The first block, kept for whoever begins the episode again."""
        block = np.zeros((2, sum(self._dims), self.BLOCK))
        self.draws()(*block)
        return block[0], block[1]

    def draws(self) -> Callable[[Array, Array], None]:
        """Return what fills two arrays (width, BLOCK) with the next normal, and the next uniform, numbers needed."""
        sources: list[tuple[slice, np.random.Generator | None, np.random.Generator | None]] = []
        end = 0
        for chan, dim in zip(self._chans, self._dims, strict=True):
            columns = slice(end, end := end + dim)
            noise = stream(self._seed, "sensor_noise", chan.name) if chan.noise > 0 else None
            loss = stream(self._seed, "sensor_noise", f"{chan.name}/dropout") if chan.dropout > 0 else None
            if noise or loss:
                sources.append((columns, noise, loss))

        def fill(normal: Array, uniform: Array) -> None:
            for columns, noise, loss in sources:
                if noise is not None:
                    noise.standard_normal(out=normal[columns])
                if loss is not None:
                    uniform[columns] = loss.random(self.BLOCK)

        return fill


def instrument_errors(model: mujoco.MjModel, seed: int) -> tuple[Errors, ...]:
    """Return the errors of a model's instruments in the episode of a seed, by groups as in `Instruments.groups`."""
    return tuple(Errors([c for c, _ in part], [d for _, d in part], seed) for _, part in _by_rate(model))


def _by_rate(model: mujoco.MjModel) -> list[tuple[int, list[tuple[Channel, int]]]]:
    """Return (period in physics steps, its channels with their dimensions), the shortest period first."""
    found: dict[int, list[tuple[Channel, int]]] = {}
    for channel in channels(model):
        period = substeps_per_sample(channel, model.opt.timestep)
        found.setdefault(period, []).append((channel, int(model.sensor(channel.name).dim[0])))
    return sorted(found.items(), key=lambda item: item[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Samples:
    """The samples that some channels of one rate delivered during one call.

    Attributes:
        group: number of the group, as in `Instruments.groups`.
        ids: (n,) the simulations.
        start: (n,) number of each simulation's first sample; sample i is taken at i periods.
        values: (n, count, columns) as measured.
    """

    group: int
    ids: NDArray[np.intp]
    start: NDArray[np.int64]
    values: NDArray[np.float32]


class Instruments:
    """The channels of simulations of one layout: turns their raw sensor data into measured samples.

    Args:
        model: one simulation's model.
        nsim: number of simulations; `put` begins the episode of each.
        telemetry: whether all samples are wanted, or only the latest of each call.

    Attributes:
        groups: the channels by rate.
        columns: where each channel's numbers are among all that is measured.
        width: how many numbers that is.
    """

    def __init__(self, model: mujoco.MjModel, nsim: int, *, telemetry: bool = True) -> None:
        self.channels = channels(model)
        self.groups: list[Group] = []
        self.columns: dict[str, slice] = {}
        self._out: list[slice] = []  # columns of each group
        raw: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
        self.width = 0
        for period, part in _by_rate(model):
            ends = np.cumsum([d for _, d in part]).tolist()
            columns = {c.name: slice(e - d, e) for (c, d), e in zip(part, ends, strict=True)}
            self.groups.append(Group(period, columns, ends[-1]))
            self.columns |= {n: slice(self.width + c.start, self.width + c.stop) for n, c in columns.items()}
            self._out.append(slice(self.width, self.width + ends[-1]))
            raw += [int(model.sensor(c.name).adr[0]) + np.arange(d) for c, d in part]
            self.width += ends[-1]
        self._raw = np.concatenate(raw)  # columns of sensordata
        self._periods = np.array([g.period for g in self.groups], np.int64)
        self._group = np.repeat(np.arange(len(self.groups)), [g.width for g in self.groups])  # of each column
        self._errors = _Errors(nsim, self._out, self.width)
        self._telemetry = telemetry

    def put(self, row: int, errors: Sequence[Errors]) -> None:
        """Begin a simulation's episode, from `instrument_errors`."""
        self._errors.put(row, errors)

    def first(self, raw: Array, ids: NDArray[np.intp], measured: Array) -> list[Samples]:
        """Take sample 0 of every channel of some simulations, from the sensor data at time 0.

        Args:
            raw: (n, nsensordata).
            ids: (n,) the simulations.
            measured: (nsim, width) latest readings, written in place.
        """
        start = np.zeros(len(ids), np.int64)
        return [self._take(g, start, raw[:, None], ids, measured) for g in range(len(self.groups))]

    def measure(self, raw: Array, substeps: NDArray[np.int64], ids: NDArray[np.intp], measured: Array) -> list[Samples]:
        """Take the samples that fall due in some physics steps; none are returned where no telemetry is wanted.

        Args:
            raw: (n, nstep, nsensordata) after each step; row j holds what was sensed before step substeps + j.
            substeps: (n,) number of steps that each simulation took before the first of these.
            ids: (n,) the simulations.
            measured: (nsim, width) latest readings, written in place.
        """
        if not self._telemetry and not self._errors.drops:
            if self.groups:
                self._look(raw, substeps, ids, measured)
            return []
        out: list[Samples] = []
        for g, group in enumerate(self.groups):
            first = np.maximum(1, -(-substeps // group.period))  # sample 0 was taken at time 0
            wait = first * group.period - substeps
            for due in np.unique(wait[wait < raw.shape[1]]):
                rows = np.flatnonzero(wait == due)
                sensed = raw[rows, due :: group.period]
                for k in range(0, sensed.shape[1], Errors.BLOCK):
                    part = sensed[:, k : k + Errors.BLOCK]
                    out.append(self._take(g, first[rows] + k, part, ids[rows], measured))
        return out

    def _look(self, raw: Array, substeps: NDArray[np.int64], ids: NDArray[np.intp], measured: Array) -> None:
        """Take the latest sample of every channel, all rates at once."""
        number = (substeps[:, None] + (raw.shape[1] - 1)) // self._periods
        at = number * self._periods - substeps[:, None]
        due = (at >= 0) & (number > 0)
        value = raw[np.arange(len(ids))[:, None], np.where(due, at, 0)[:, self._group], self._raw]
        value = self._errors.spoil_latest(value, ids, number, self._group)
        fresh = due[:, self._group]
        measured[ids] = np.where(fresh, value.astype(np.float32), measured[ids])

    def _take(
        self, group: int, start: NDArray[np.int64], raw: Array, ids: NDArray[np.intp], measured: Array
    ) -> Samples:
        """Take samples start (n,) and the next of one rate."""
        out = self._out[group]
        value, lost = self._errors.spoil(raw[:, :, self._raw[out]], ids, start, group)
        values = value.astype(np.float32)
        if lost is not None:
            last = measured[ids, out].astype(np.float32)
            for k in range(values.shape[1]):
                values[:, k] = last = np.where(lost[:, k], last, values[:, k])
        measured[ids, out] = values[:, -1]
        return Samples(group, ids, start, values)


class _Errors:
    """The errors of all simulations' instruments, side by side; each simulation is at its own time."""

    def __init__(self, nsim: int, groups: Sequence[slice], width: int) -> None:
        self._groups = groups
        self._gain, self._bias, self._noise, self._dropout, self._resolution, self._step = np.ones((6, nsim, width))
        self._normal, self._uniform = np.zeros((2, nsim, 2, width, Errors.BLOCK))  # this block and the next, in turn
        self._sources: list[Sequence[Errors]] = [()] * nsim
        self._draws: dict[tuple[int, int], Callable[[Array, Array], None]] = {}
        self._drawn = np.zeros((nsim, len(groups)), np.int64)  # samples
        self.noisy = self.rounded = self.drops = False

    def put(self, row: int, sources: Sequence[Errors]) -> None:
        """Begin a simulation's episode."""
        self._sources[row] = sources
        for group, (columns, errors) in enumerate(zip(self._groups, sources, strict=True)):
            self._draws.pop((row, group), None)
            for table, values in (
                (self._gain, errors.gain),
                (self._bias, errors.bias),
                (self._noise, errors.noise),
                (self._dropout, errors.dropout),
                (self._resolution, errors.resolution),
                (self._step, np.where(errors.resolution > 0, errors.resolution, 1.0)),
            ):
                table[row, columns] = values
            self.rounded = self.rounded or bool((errors.resolution > 0).any())
            self.noisy = self.noisy or errors.random
            self.drops = self.drops or bool((errors.dropout > 0).any())
            self._drawn[row, group] = Errors.BLOCK if errors.random else np.iinfo(np.int64).max
            if errors.random:
                self._normal[row, 0, columns], self._uniform[row, 0, columns] = errors.first

    def spoil(
        self, value: Array, ids: NDArray[np.intp], start: NDArray[np.int64], group: int
    ) -> tuple[Array, NDArray[np.bool_] | None]:
        """Return samples start (n,) and the next of one rate, (n, count, width), as measured, and which are lost."""
        columns = self._groups[group]
        value = value * self._gain[ids, None, columns] + self._bias[ids, None, columns]
        lost = None
        if self.noisy:
            samples = start[:, None] + np.arange(value.shape[1])
            self._drawn_up_to(samples[:, -1:], ids, slice(group, group + 1))
            where = ids[:, None], samples // Errors.BLOCK % 2, columns, samples % Errors.BLOCK
            value += self._normal[where] * self._noise[ids, None, columns]
            if self.drops:
                lost = (self._uniform[where] < self._dropout[ids, None, columns]) & (samples > 0)[..., None]
        if self.rounded:
            step = self._step[ids, None, columns]
            value = np.where(self._resolution[ids, None, columns] > 0, np.rint(value / step) * step, value)
        return value, lost

    def spoil_latest(
        self, value: Array, ids: NDArray[np.intp], number: NDArray[np.int64], group: NDArray[np.intp]
    ) -> Array:
        """Return one sample of every channel (n, width) as measured, number (n, groups) being those of each rate."""
        value = value * self._gain[ids] + self._bias[ids]
        if self.noisy:
            self._drawn_up_to(number, ids, slice(None))
            half, at = (number // Errors.BLOCK % 2)[:, group], (number % Errors.BLOCK)[:, group]
            value += self._normal[ids[:, None], half, np.arange(len(group)), at] * self._noise[ids]
        if self.rounded:
            step = self._step[ids]
            value = np.where(self._resolution[ids] > 0, np.rint(value / step) * step, value)
        return value

    def _drawn_up_to(self, number: NDArray[np.int64], ids: NDArray[np.intp], groups: slice) -> None:
        """Draw on until there are samples number (n, groups)."""
        while (short := np.argwhere(self._drawn[ids, groups] <= number)).size:
            for i, group in short.tolist():
                self._draw(int(ids[i]), group + (groups.start or 0))

    def _draw(self, row: int, group: int) -> None:
        half = int(self._drawn[row, group]) // Errors.BLOCK % 2
        block = self._normal[row, half, self._groups[group]], self._uniform[row, half, self._groups[group]]
        draws = self._draws.get((row, group))
        if draws is None:
            draws = self._draws[row, group] = self._sources[row][group].draws()
            draws(*block)  # the first again, which is there already
        draws(*block)
        self._drawn[row, group] += Errors.BLOCK
