"""Instruments: what they measure of the true signals, for simulations that may each be at their own time.

Errors are applied once, here, to the sample that both the policy and the recorder receive:

    measured = round_to(gain * true + bias + noise, resolution), or the sample before it where one drops out

The random ones are drawn from the episode's seed by channel and sample number, whoever asks and whenever.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import Channel, channels, substeps_per_sample
from sim.seeds import stream


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

    BLOCK = 256  # samples

    def __init__(self, chans: Sequence[Channel], dims: Sequence[int], seed: int) -> None:
        self._chans, self._dims, self._seed = chans, dims, seed
        self.gain, self.bias, self.resolution = (
            np.repeat([getattr(c, a) for c in chans], dims) for a in ("gain", "bias", "resolution")
        )
        self.random = any(c.noise > 0 or c.dropout > 0 for c in chans)

    @functools.cached_property
    def first(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The first of `blocks`, kept."""
        return next(self.blocks())

    def blocks(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Yield what is added to the next BLOCK samples, and which of them are lost, each (BLOCK, width)."""
        noises = [stream(self._seed, "sensor_noise", c.name) if c.noise > 0 else None for c in self._chans]
        losses = [
            stream(self._seed, "sensor_noise", f"{c.name}/dropout") if c.dropout > 0 else None for c in self._chans
        ]
        while True:
            added = np.zeros((self.BLOCK, sum(self._dims)))
            lost = np.zeros(added.shape, bool)
            end = 0
            for chan, dim, noise, loss in zip(self._chans, self._dims, noises, losses, strict=True):
                columns = slice(end, end := end + dim)
                if noise is not None:
                    added[:, columns] = chan.noise * noise.standard_normal((self.BLOCK, dim))
                if loss is not None:
                    lost[:, columns] = loss.random((self.BLOCK, 1)) < chan.dropout
            yield added, lost


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


class _Table:
    """The errors of one rate's instruments for all simulations, side by side; each row is at its own time."""

    def __init__(self, nsim: int, width: int) -> None:
        self.gain, self.bias, self.resolution, self._step = np.ones((4, nsim, 1, width))
        self._added = np.zeros((nsim, 2 * Errors.BLOCK, width))  # this block and the next, in turn
        self._lost = np.zeros(self._added.shape, bool)
        self._blocks: list[Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]] | None] = [None] * nsim
        self._errors: list[Errors | None] = [None] * nsim
        self._drawn = np.zeros(nsim, np.int64)  # samples
        self.noisy = self.rounded = self.drops = False

    def put(self, row: int, errors: Errors) -> None:
        """Begin a simulation's episode."""
        self.gain[row], self.bias[row], self.resolution[row] = errors.gain, errors.bias, errors.resolution
        self._step[row] = np.where(errors.resolution > 0, errors.resolution, 1.0)
        self.rounded = self.rounded or bool((errors.resolution > 0).any())
        self._errors[row], self._blocks[row] = errors, None
        if errors.random:
            self._added[row, : Errors.BLOCK], self._lost[row, : Errors.BLOCK] = errors.first
            self._drawn[row] = Errors.BLOCK
            self.noisy, self.drops = True, self.drops or bool(errors.first[1].any())
        else:
            self._added[row], self._lost[row] = 0.0, False
            self._drawn[row] = np.iinfo(np.int64).max

    def drawn(
        self, ids: NDArray[np.intp], start: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what is added to count samples from start (n,) of rows ids (n,), and which of them are lost."""
        while (short := ids[self._drawn[ids] < start + count]).size:
            for row in short.tolist():
                self._draw(row)
        at = (start[:, None] + np.arange(count)) % (2 * Errors.BLOCK)
        return self._added[ids[:, None], at], self._lost[ids[:, None], at]

    def rounding(self, ids: NDArray[np.intp], value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (n, count, width) at their instruments' resolution."""
        step = self._step[ids]
        return np.where(self.resolution[ids] > 0, np.rint(value / step) * step, value)

    def _draw(self, row: int) -> None:
        errors, blocks = self._errors[row], self._blocks[row]
        assert errors is not None
        if blocks is None:
            blocks = self._blocks[row] = errors.blocks()
            next(blocks)  # the first, which is there already
        start = self._drawn[row] % (2 * Errors.BLOCK)
        rows = slice(start, start + Errors.BLOCK)
        self._added[row, rows], self._lost[row, rows] = next(blocks)
        self.drops = self.drops or bool(self._lost[row, rows].any())
        self._drawn[row] += Errors.BLOCK


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
    """

    def __init__(self, model: mujoco.MjModel, nsim: int) -> None:
        self.channels = channels(model)
        self.columns: dict[str, slice] = {}
        self.groups: list[Group] = []
        self._tables: list[_Table] = []
        self._raw: list[NDArray[np.intp]] = []  # columns of sensordata, by group
        self._out: list[slice] = []  # columns of the measured vector, by group
        width = 0
        for period, part in _by_rate(model):
            names, dims = [c.name for c, _ in part], [d for _, d in part]
            ends = np.cumsum(dims)
            group = Group(period, {n: slice(e - d, e) for n, d, e in zip(names, dims, ends, strict=True)}, ends[-1])
            self.columns |= {n: slice(width + c.start, width + c.stop) for n, c in group.columns.items()}
            starts = [int(model.sensor(n).adr[0]) for n in names]
            self._raw.append(np.concatenate([s + np.arange(d) for s, d in zip(starts, dims, strict=True)]))
            self._out.append(slice(width, width + group.width))
            self._tables.append(_Table(nsim, group.width))
            self.groups.append(group)
            width += group.width
        self.width = width

    def put(self, row: int, errors: Sequence[Errors]) -> None:
        """Begin a simulation's episode, from `instrument_errors`."""
        for table, part in zip(self._tables, errors, strict=True):
            table.put(row, part)

    def first(self, raw: NDArray[np.float64], ids: NDArray[np.intp], measured: NDArray[np.float64]) -> list[Samples]:
        """Take sample 0 of every channel of some simulations, from the sensor data at time 0.

        Args:
            raw: (n, nsensordata).
            ids: (n,) the simulations.
            measured: (nsim, width) latest readings, written in place.
        """
        start = np.zeros(len(ids), np.int64)
        return [self._take(g, start, raw[:, None], ids, measured) for g in range(len(self.groups))]

    def measure(
        self,
        raw: NDArray[np.float64],
        substeps: NDArray[np.int64],
        ids: NDArray[np.intp],
        measured: NDArray[np.float64],
    ) -> list[Samples]:
        """Take the samples that fall due in some physics steps.

        Args:
            raw: (n, nstep, nsensordata) after each step; row j holds what was sensed before step substeps + j.
            substeps: (n,) number of steps that each simulation took before the first of these.
            ids: (n,) the simulations.
            measured: (nsim, width) latest readings, written in place.
        """
        out: list[Samples] = []
        nstep = raw.shape[1]
        for g, group in enumerate(self.groups):
            first = np.maximum(1, -(-substeps // group.period))  # sample 0 was taken at time 0
            wait = first * group.period - substeps
            for due in (wait[0],) if (wait == wait[0]).all() else np.unique(wait):
                if due < nstep:
                    rows = slice(None) if (wait == due).all() else np.flatnonzero(wait == due)
                    sensed = raw[rows, due :: group.period]
                    for k in range(0, sensed.shape[1], Errors.BLOCK):
                        part = sensed[:, k : k + Errors.BLOCK]
                        out.append(self._take(g, first[rows] + k, part, ids[rows], measured))
        return out

    def _take(
        self,
        index: int,
        start: NDArray[np.int64],
        raw: NDArray[np.float64],
        ids: NDArray[np.intp],
        measured: NDArray[np.float64],
    ) -> Samples:
        table, out = self._tables[index], self._out[index]
        value = raw[:, :, self._raw[index]] * table.gain[ids]
        value += table.bias[ids]
        count = value.shape[1]
        lost = None
        if table.noisy:
            added, lost = table.drawn(ids, start, count)
            value += added
        if table.rounded:
            value = table.rounding(ids, value)
        values = value.astype(np.float32)
        if table.drops and lost is not None:
            last = measured[ids, out].astype(np.float32)
            for k in range(count):
                gone = lost[:, k] & (start + k > 0)[:, None]
                values[:, k] = last = np.where(gone, last, values[:, k])
        measured[ids, out] = values[:, -1]
        return Samples(index, ids, start, values)
