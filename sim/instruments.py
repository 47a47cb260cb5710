"""Instruments: what they measure of the true signals, for simulations that may each be at their own time.

Errors are applied once, here, to the sample that both the policy and the recorder receive:

    measured = round_to(gain * true + bias + noise, resolution), or the sample before it where one drops out
"""

import dataclasses

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import channels
from sim.noise import BLOCK, Errors, ErrorSource, by_rate

Array = NDArray[np.float64]


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
        for period, part in by_rate(model):
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
        self._errors = Errors(nsim, self._out)
        self._telemetry = telemetry

    def put(self, row: int, source: ErrorSource) -> None:
        """Begin a simulation's episode."""
        self._errors.put(row, source)

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
                for k in range(0, sensed.shape[1], BLOCK):
                    part = sensed[:, k : k + BLOCK]
                    out.append(self._take(g, first[rows] + k, part, ids[rows], measured))
        return out

    def _look(self, raw: Array, substeps: NDArray[np.int64], ids: NDArray[np.intp], measured: Array) -> None:
        """Take the latest sample of every channel, all rates at once."""
        number = (substeps[:, None] + (raw.shape[1] - 1)) // self._periods
        at = number * self._periods - substeps[:, None]
        due = (at >= 0) & (number > 0)
        value = raw[np.arange(len(ids))[:, None], np.where(due, at, 0)[:, self._group], self._raw]
        value = self._errors.spoil_one(value, ids, number, self._group)
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
