"""The errors of instruments: gain, bias, noise, resolution and drop-outs, for simulations each at its own time.

The random ones are drawn from the episode's seed by channel and sample number, whoever asks and whenever. They are
drawn in blocks; how many samples a block has is part of what a seed means.
"""

import functools
from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import Channel, channels, substeps_per_sample
from sim.seeds import stream

Array = NDArray[np.float64]
Fill = Callable[[Array, Array], None]

BLOCK = 256  # samples
_FIELDS = ("gain", "bias", "noise", "dropout", "resolution")


def by_rate(model: mujoco.MjModel) -> list[tuple[int, list[tuple[Channel, int]]]]:
    """Return (period in physics steps, its channels with their dimensions), the shortest period first."""
    found: dict[int, list[tuple[Channel, int]]] = {}
    for channel in channels(model):
        period = substeps_per_sample(channel, model.opt.timestep)
        found.setdefault(period, []).append((channel, int(model.sensor(channel.name).dim[0])))
    return sorted(found.items(), key=lambda item: item[0])


class ErrorSource:
    """Where the errors of one episode's instruments come from; nothing in it changes.

    Attributes:
        table: (6, width) gain, bias, noise, dropout, resolution, and the step to round to, of every number measured.
        drawn: (groups,) samples of each rate that `first` has: BLOCK, or endlessly many where nothing is random.
    """

    def __init__(self, model: mujoco.MjModel, seed: int) -> None:
        self._seed = seed
        self._groups: list[list[tuple[slice, Channel]]] = []
        end = 0
        for _, part in by_rate(model):
            ends = end + np.cumsum([0, *(d for _, d in part)])
            self._groups.append([(slice(a, b), c) for (c, _), a, b in zip(part, ends[:-1], ends[1:], strict=True)])
            end = int(ends[-1])
        self.table = np.ones((len(_FIELDS) + 1, end))
        for columns, channel in (pair for group in self._groups for pair in group):
            self.table[:, columns] = np.array([[getattr(channel, name)] for name in _FIELDS] + [[1.0]])
        self.table[-1] = np.where(self.table[-2] > 0, self.table[-2], 1.0)
        random = [any(c.noise > 0 or c.dropout > 0 for _, c in group) for group in self._groups]
        self.drawn = np.where(random, BLOCK, np.iinfo(np.int64).max)
        self.noisy, self.drops = any(random), bool((self.table[3] > 0).any())
        self.rounded = bool((self.table[4] > 0).any())

    @functools.cached_property
    def first(self) -> tuple[Array, Array]:
        """The first block, normal and uniform numbers (width, BLOCK), kept for whoever begins the episode again."""
        normal, uniform = np.zeros((2, self.table.shape[1], BLOCK))
        for group in range(len(self._groups)):
            self.draws(group)(normal, uniform)
        return normal, uniform

    def draws(self, group: int) -> Fill:
        """Return what fills one rate's columns of two arrays (width, BLOCK) with ever more random numbers."""
        part = self._groups[group]
        noises = [(k, stream(self._seed, "sensor_noise", c.name)) for k, c in part if c.noise > 0]
        losses = [(k, stream(self._seed, "sensor_noise", f"{c.name}/dropout")) for k, c in part if c.dropout > 0]

        def fill(normal: Array, uniform: Array) -> None:
            for columns, rng in noises:
                rng.standard_normal(out=normal[columns])
            for columns, rng in losses:
                uniform[columns] = rng.random(BLOCK)

        return fill


class Errors:
    """The errors of all simulations' instruments, side by side.

    Args:
        nsim: number of simulations; `put` begins the episode of each.
        groups: the columns of each rate.
    """

    def __init__(self, nsim: int, groups: Sequence[slice]) -> None:
        width = groups[-1].stop if groups else 0
        self._groups = groups
        self._table = np.ones((len(_FIELDS) + 1, nsim, width))
        self._gain, self._bias, self._noise, self._dropout, self._resolution, self._step = self._table
        self._normal, self._uniform = np.zeros((2, nsim, 2, width, BLOCK))  # this block and the next, in turn
        self._sources: list[ErrorSource | None] = [None] * nsim
        self._draws: list[dict[int, Fill]] = [{} for _ in range(nsim)]
        self._drawn = np.zeros((nsim, len(groups)), np.int64)  # samples
        self.noisy = self.rounded = self.drops = False

    def put(self, row: int, source: ErrorSource) -> None:
        """Begin a simulation's episode."""
        self._sources[row], self._draws[row] = source, {}
        self._table[:, row], self._drawn[row] = source.table, source.drawn
        self.noisy, self.rounded = self.noisy or source.noisy, self.rounded or source.rounded
        self.drops = self.drops or source.drops
        if source.noisy:
            self._normal[row, 0] = source.first[0]
        if source.drops:
            self._uniform[row, 0] = source.first[1]

    def spoil(
        self, value: Array, ids: NDArray[np.intp], start: NDArray[np.int64], group: int
    ) -> tuple[Array, NDArray[np.bool_] | None]:
        """Return samples start (n,) and the next of one rate, (n, count, width), as measured, and which are lost."""
        columns = self._groups[group]
        value = value * self._gain[ids, None, columns] + self._bias[ids, None, columns]
        lost = None
        if self.noisy:
            samples = start[:, None] + np.arange(value.shape[1])
            self._draw_up_to(samples[:, -1:], ids, slice(group, group + 1))
            where = ids[:, None], samples // BLOCK % 2, columns, samples % BLOCK
            value += self._normal[where] * self._noise[ids, None, columns]
            if self.drops:
                lost = (self._uniform[where] < self._dropout[ids, None, columns]) & (samples > 0)[..., None]
        if self.rounded:
            step = self._step[ids, None, columns]
            value = np.where(self._resolution[ids, None, columns] > 0, np.rint(value / step) * step, value)
        return value, lost

    def spoil_one(
        self, value: Array, ids: NDArray[np.intp], number: NDArray[np.int64], group: NDArray[np.intp]
    ) -> Array:
        """Return one sample of every channel (n, width) as measured; none is lost.

        Args:
            value: (n, width) true; written over.
            ids: (n,) the simulations.
            number: (n, groups) of each rate's sample.
            group: (width,) which rate each column has.
        """
        rows = slice(None) if len(ids) == len(self._drawn) else ids  # views of all, not copies
        value *= self._gain[rows]
        value += self._bias[rows]
        if self.noisy:
            self._draw_up_to(number, ids, slice(None))
            half, at = (number // BLOCK % 2)[:, group], (number % BLOCK)[:, group]
            value += self._normal[ids[:, None], half, np.arange(len(group)), at] * self._noise[rows]
        if self.rounded:
            step = self._step[rows]
            value = np.where(self._resolution[rows] > 0, np.rint(value / step) * step, value)
        return value

    def _draw_up_to(self, number: NDArray[np.int64], ids: NDArray[np.intp], groups: slice) -> None:
        """Draw on until there are samples number (n, groups)."""
        while (short := np.argwhere(self._drawn[ids, groups] <= number)).size:
            for i, group in short.tolist():
                self._draw(int(ids[i]), group + (groups.start or 0))

    def _draw(self, row: int, group: int) -> None:
        half = int(self._drawn[row, group]) // BLOCK % 2
        block = self._normal[row, half], self._uniform[row, half]
        fill = self._draws[row].get(group)
        if fill is None:
            source = self._sources[row]
            assert source is not None
            fill = self._draws[row][group] = source.draws(group)
            fill(*block)  # the first again, which is there already
        fill(*block)
        self._drawn[row, group] += BLOCK
