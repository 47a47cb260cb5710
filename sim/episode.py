"""What an episode is once it is over: arrays and labels, frozen, and the buffers they are recorded into."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.columns import Columns
from sim.distributions import Value
from sim.instruments import Group, Samples

Array = NDArray[Any]


class Outcome(enum.IntEnum):
    """How an episode ended."""

    FAILURE = 0
    SUCCESS = 1
    TIMEOUT = 2
    UNSTABLE = 3
    EXPERT_ERROR = 4
    TASK_ERROR = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """One channel's or signal's samples.

    Attributes:
        value: (n, dim) as measured.
        t_ns: (n,) when each sample arrived, since the episode's start.
    """

    value: Array
    t_ns: NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Episode:
    """One recorded episode of T control steps.

    `observations[k][t]` is what the policy saw before `actions[t]`; `rewards[t]`, `terminated[t]`, `truncated[t]` and
    `success[t]` result from it.

    Attributes:
        task: the task's name.
        version: the task's version.
        seed: the episode's seed.
        parameters: what was drawn, by dotted name.
        expert_mode: 0 nominal, k for the task's degradations[k - 1].
        outcome: how it ended.
        fail_code: 0, or k for the task's failures[k - 1].
        error: why it is unstable or raised, else "".
        model_sha256: hash of the compiled model, "" where the build failed.
        model_xml: the model for people to read; replay rebuilds it from the parameters.
        instruction: the work order by language.
        observations: name -> (T + 1, dim) float32.
        actions: (T, nu) float32, as applied, in the actuators' units.
        rewards: (T,) float32.
        terminated: (T,) bool; the last is true where the task failed.
        truncated: (T,) bool; the last is true where the episode was cut: success held, horizon, or an error.
        success: (T,) bool, the task's judgement of each state.
        phases: (T,) int16 index of the task's phases; -1 where a policy acted.
        t_ns: (T,) int64, when each action was applied.
        streams: channel or signal -> its samples.
        control: (T + 1, size) float64, the state of `sim.model.CONTROL` at each control step.
        keyframe_steps: (K,) control steps of the keyframes, the first 0.
        keyframes: (K, size) float64 integration states: where exact replay may start.
    """

    task: str
    version: int
    seed: int
    parameters: Mapping[str, Value]
    expert_mode: int
    outcome: Outcome
    fail_code: int = 0
    error: str = ""
    model_sha256: str = ""
    model_xml: str = ""
    instruction: Mapping[str, str] = dataclasses.field(default_factory=dict)
    observations: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    actions: Array = dataclasses.field(default_factory=lambda: np.zeros((0, 0), np.float32))
    rewards: Array = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    terminated: Array = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    truncated: Array = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    success: Array = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    phases: Array = dataclasses.field(default_factory=lambda: np.zeros(0, np.int16))
    t_ns: Array = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    streams: Mapping[str, Stream] = dataclasses.field(default_factory=dict)
    control: Array = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    keyframe_steps: Array = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    keyframes: Array = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        """Number of control steps T."""
        return len(self.rewards)


class Recorder:
    """Buffers of n episodes that advance in step, filled row by row and cut to length at the end.

    Args:
        nsim: number of episodes.
        horizon: longest episode, control steps.
        nstep: physics steps per control step.
        timestep: one physics step, s.
        groups: the telemetry channels by rate.
    """

    KEYFRAME_EVERY = 200  # control steps

    def __init__(self, nsim: int, horizon: int, *, nstep: int, timestep: float, groups: Sequence[Group]) -> None:
        self._nsim, self._horizon, self._nstep = nsim, horizon, nstep
        self._timestep_ns = round(timestep * 1e9)
        self._groups = groups
        self._rows: dict[str, Array] = {}
        self._samples = [np.zeros((nsim, horizon * nstep // g.period + 2, g.width), np.float32) for g in groups]
        self._keyframes: list[tuple[int, Array]] = []

    def states(self, t: int, observation: Array, signals: Array, control: NDArray[np.float64]) -> None:
        """Keep what holds before action t, rows (nsim, width) for all simulations."""
        self._put("observation", t, observation, np.float32)
        self._put("signals", t, signals, np.float32)
        self._put("control", t, control, np.float64)

    @property
    def started(self) -> bool:
        """Whether there is a first observation."""
        return bool(self._rows)

    def keyframe(self, t: int, integration: NDArray[np.float64]) -> None:
        """Keep the integration states before action t."""
        self._keyframes.append((t, integration))

    def samples(self, taken: Sequence[Samples]) -> None:
        """Keep the telemetry of one control step of some simulations, which are all at the same time."""
        for part in taken:
            start = int(part.start[0])
            self._samples[part.group][part.ids, start : start + part.values.shape[1]] = part.values

    def steps(self, t: int, *, actions: Array, phases: Array, rewards: Array, success: Array) -> None:
        """Keep action t and what came of it, for all simulations."""
        self._put("actions", t, actions, np.float32)
        self._put("phases", t, phases, np.int16)
        self._put("rewards", t, rewards, np.float32)
        self._put("success", t, success, bool)

    def cut(self, row: int, length: int, observation: Columns, signals: Columns) -> dict[str, Any]:
        """Return one episode's arrays, by the names of `Episode`'s fields.

        Args:
            row: the simulation.
            length: its control steps T.
            observation: what the columns of the observations are.
            signals: what the columns of the signals are.
        """
        control_ns = self._nstep * self._timestep_ns
        t_ns = np.arange(length + 1, dtype=np.int64) * control_ns
        frames = [(t, states[row]) for t, states in self._keyframes if t <= length]
        flat = {n: self._get(n, row, length).reshape(length) for n in ("phases", "rewards", "success")}
        seen, told = (self._get(n, row, length + 1) for n in ("observation", "signals"))
        heard = {n: Stream(v.copy(), t_ns) for n, v in signals.split(told).items()}
        return flat | {
            "actions": self._get("actions", row, length),
            "observations": {n: v.copy() for n, v in observation.split(seen).items()},
            "control": self._get("control", row, length + 1),
            "t_ns": t_ns[:-1],
            "streams": self._streams(row, length * self._nstep) | heard,
            "keyframe_steps": np.array([t for t, _ in frames], np.int64),
            "keyframes": np.array([state for _, state in frames]),
        }

    def _put(self, name: str, t: int, value: Array, dtype: type) -> None:
        found = self._rows.get(name)
        value = value.reshape(self._nsim, -1)
        if found is None:
            shape = (self._nsim, self._horizon + 1, value.shape[1])
            found = self._rows[name] = np.zeros(shape, dtype)
        found[:, t] = value

    def _get(self, name: str, row: int, length: int) -> Array:
        found = self._rows.get(name)
        return np.zeros((length, 0), np.float32) if found is None else found[row, :length].copy()

    def _streams(self, row: int, substeps: int) -> dict[str, Stream]:
        out: dict[str, Stream] = {}
        for group, samples in zip(self._groups, self._samples, strict=True):
            count = -(-substeps // group.period) if substeps else 1  # sample i is taken before step i * period
            t_ns = np.arange(count, dtype=np.int64) * (group.period * self._timestep_ns)
            for name, columns in group.columns.items():
                out[name] = Stream(samples[row, :count, columns].copy(), t_ns)
        return out
