"""Play episodes over the whole horizon by one way of acting or another, to compare what each is paid.

An environment goes on after success and ends where the task fails, so each way of acting is paid over the whole
horizon or until it fails; an expert that is done holds its last command. Nothing is recorded but rewards and phases.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.engine import Engine, horizon_steps, scenario
from sim.seeds import stream
from sim.task import Command, Task

Array = NDArray[Any]


class Play(NamedTuple):
    """One way of acting through one episode.

    Attributes:
        rewards: (steps,) until the failure, or over the horizon.
        phases: (steps,) of the expert, -1 once it is done; all -1 for others.
        first: control step in which success had been held for as long as the task asks, -1 for never.
        failure: 0, or k where it ended by the task's failures[k - 1].
    """

    rewards: NDArray[np.float64]
    phases: NDArray[np.int64]
    first: int
    failure: int

    @property
    def paid(self) -> float:
        """The return: the sum of all rewards."""
        return float(self.rewards.sum())


class Actor(Protocol):
    """Who acts in one row of an engine.

    Attributes:
        phase: of the last command; -1 for none.
    """

    phase: int

    def act(self, t: int) -> Array:
        """Return the command of control step t (number of actuators,), in their units."""
        ...


Maker = Callable[[Engine, int, Any], Actor]  # of (engine, row, parameters)


class Start:
    """Holds the command of the start."""

    def __init__(self, engine: Engine, row: int, p: Any) -> None:  # noqa: ANN401 - p is an instance of task.Params
        del p
        ids = [engine.world.scenarios[row].model.actuator(a).id for a in engine.actuators]
        self.command: Array = engine.world.ctrl[row, ids].copy()
        self.phase = -1

    def act(self, t: int) -> Array:
        """Return the command."""
        del t
        return self.command


class Expert:
    """Does as the expert does, up to a control step if one is given, then holds its last command."""

    def __init__(self, engine: Engine, row: int, p: Any, *, until: int | None = None) -> None:  # noqa: ANN401
        self.command, self.phase = Start(engine, row, p).command, -1
        self.task, self.until = engine.task, until
        rng = stream(engine.world.scenarios[row].seed, "policy", "expert")
        self.commands: Iterator[Command] = iter(self.task.expert(engine.state.row(row), p, mode="nominal", rng=rng))

    def act(self, t: int) -> Array:
        """Return the expert's command, or its last one."""
        following = None if self.until is not None and t >= self.until else next(self.commands, None)
        self.phase = -1
        if following is not None:
            self.command, self.phase = np.asarray(following.ctrl, float), self.task.phases.index(following.phase)
        return self.command


class Bang:
    """Drives every actuator from end to end and back, the second the other way than the first, and so on."""

    def __init__(self, engine: Engine, row: int, p: Any, *, period: float) -> None:  # noqa: ANN401
        del p
        self.phase = -1
        self.low, self.high = engine.low[row], engine.high[row]
        self.half = max(1, round(period * engine.task.control_hz / 2))
        self.side = np.arange(len(self.low)) % 2 == 0

    def act(self, t: int) -> Array:
        """Return one end or the other."""
        # The first half is cut in two, so that the way there and the way back are about one middle.
        return np.where(self.side == ((t + self.half // 2) // self.half % 2 == 0), self.high, self.low)


class Random:
    """Draws every command anew."""

    def __init__(self, engine: Engine, row: int, p: Any) -> None:  # noqa: ANN401
        del p
        self.phase = -1
        self.low, self.high = engine.low[row], engine.high[row]
        self.rng = np.random.default_rng(engine.world.scenarios[row].seed)

    def act(self, t: int) -> Array:
        """Return any command."""
        del t
        return self.rng.uniform(self.low, self.high)


def hover(task: Task, expert: Play) -> Maker:
    """Follow an expert until it is near the goal, and stay there: until its last phase or until success, if sooner."""
    hold = max(1, round(task.success_hold_s * task.control_hz))
    before = int(np.argmax(expert.phases == expert.phases.max()))
    return partial(Expert, until=min(before or expert.first, expert.first - hold))


def play(task: Task, jobs: Sequence[tuple[int, Maker]]) -> list[Play]:
    """Play one episode per (seed, maker of who acts), all at once."""
    drawn = [parameters.sample(task.Params, seed) for seed, _ in jobs]
    scenes = [scenario(task, p, seed) for p, (seed, _) in zip(drawn, jobs, strict=True)]
    n, horizon = len(jobs), horizon_steps(task)
    with np.errstate(all="ignore"), Engine(task, scenes) as engine:
        engine.reset()
        actors = [make(engine, row, drawn[row]) for row, (_, make) in enumerate(jobs)]
        rewards, phases = np.zeros((horizon, n)), np.full((horizon, n), -1)
        length, first, failed = np.full(n, horizon), np.full(n, -1), np.zeros(n, int)
        running = np.ones(n, bool)
        actions = np.zeros(engine.low.shape)
        for t in range(horizon):
            ids = np.flatnonzero(running)
            if not ids.size:
                break
            for row in ids:
                actions[row], phases[t, row] = actors[row].act(t), actors[row].phase
            engine.advance(engine.applied(actions), ids)
            rewards[t] = task.reward(engine.state)
            first[running & engine.succeeded() & (first < 0)] = t
            failure = task.failure(engine.state)
            over = running & ((failure > 0) | (np.array(engine.world.faults()) != ""))
            failed[over] = failure[over]
            length[over], running = t + 1, running & ~over
    return [Play(rewards[:k, i], phases[:k, i], int(first[i]), int(failed[i])) for i, k in enumerate(length)]


def phase_means(rewards: Array, phases: Array, count: int) -> NDArray[np.float64]:
    """Return the mean reward of each phase (count,); NaN for one that was not gone through.

    Args:
        rewards: (steps,).
        phases: (steps,) index of the phase, -1 for none.
        count: how many phases the task has.
    """
    return np.array([rewards[phases == k].mean() if (phases == k).any() else np.nan for k in range(count)])


def rises(means: Array) -> bool:
    """Return whether no phase (count,) is paid less on the mean than the one gone through before it."""
    there = means[np.isfinite(means)]
    return bool((np.diff(there) >= -1e-9).all())
