"""What holds for every task's reward: nothing that fails to do the task is paid as well as the expert.

An environment goes on after success and ends where the task fails, so each way of acting is paid over the whole
horizon or until it fails; an expert that is done holds its last command.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

from scenes.catalog import load_task, task_names
from sim import parameters
from sim.engine import Engine, horizon_steps, scenario
from sim.seeds import stream

# s, bang-bang periods: faster than drives answer, as slow as loads sway, and slow enough to get somewhere
PERIODS = (0.4, 4.0, 20.0)


class Play(NamedTuple):
    """One way of acting through one episode.

    Attributes:
        rewards: (steps,) until the failure, or over the horizon.
        phases: (steps,) of the expert, -1 once it is done; all -1 for others.
        first: control step in which success had been held for as long as the task asks, -1 for never.
    """

    rewards: np.ndarray
    phases: np.ndarray
    first: int

    @property
    def paid(self):
        return float(self.rewards.sum())


class Start:
    """Holds the command of the start."""

    def __init__(self, engine, row, p):
        ids = [engine.world.scenarios[row].model.actuator(a).id for a in engine.actuators]
        self.command = engine.world.ctrl[row, ids].copy()
        self.phase = -1

    def act(self, t):
        return self.command


class Expert(Start):
    """Does as the expert does, up to a control step if one is given, then holds its last command."""

    def __init__(self, engine, row, p, *, until=None):
        super().__init__(engine, row, p)
        self.task, self.until = engine.task, until
        seed = engine.world.scenarios[row].seed
        rng = stream(seed, "policy", "expert")
        self.commands = iter(self.task.expert(engine.state.row(row), p, mode="nominal", rng=rng))

    def act(self, t):
        following = None if self.until is not None and t >= self.until else next(self.commands, None)
        self.phase = -1
        if following is not None:
            self.command, self.phase = np.asarray(following.ctrl, float), self.task.phases.index(following.phase)
        return self.command


class Bang(Start):
    """Drives every actuator from end to end and back, the second the other way than the first, and so on."""

    def __init__(self, engine, row, p, *, period):
        super().__init__(engine, row, p)
        self.low, self.high = engine.low[row], engine.high[row]
        self.half = max(1, round(period * engine.task.control_hz / 2))
        self.side = np.arange(len(self.low)) % 2 == 0

    def act(self, t):
        # The first half is cut in two, so that the way there and the way back are about one middle.
        return np.where(self.side == ((t + self.half // 2) // self.half % 2 == 0), self.high, self.low)


class Random(Start):
    """Draws every command anew."""

    def __init__(self, engine, row, p):
        super().__init__(engine, row, p)
        self.low, self.high = engine.low[row], engine.high[row]
        self.rng = np.random.default_rng(engine.world.scenarios[row].seed)

    def act(self, t):
        return self.rng.uniform(self.low, self.high)


def play(task, jobs):
    """Play one episode per (seed, maker of who acts), all at once."""
    drawn = [parameters.sample(task.Params, seed) for seed, _ in jobs]
    scenes = [scenario(task, p, seed) for p, (seed, _) in zip(drawn, jobs, strict=True)]
    n, horizon = len(jobs), horizon_steps(task)
    with np.errstate(all="ignore"), Engine(task, scenes) as engine:
        engine.reset()
        actors = [make(engine, row, drawn[row]) for row, (_, make) in enumerate(jobs)]
        rewards, phases = np.zeros((horizon, n)), np.full((horizon, n), -1)
        length, first, running = np.full(n, horizon), np.full(n, -1), np.ones(n, bool)
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
            over = running & ((task.failure(engine.state) > 0) | (np.array(engine.world.faults()) != ""))
            length[over], running = t + 1, running & ~over
    return [Play(rewards[:k, i], phases[:k, i], int(first[i])) for i, k in enumerate(length)]


def hover(task, expert):
    """Follow an expert until it is near the goal, and stay there: until its last phase or until success, if sooner."""
    hold = max(1, round(task.success_hold_s * task.control_hz))
    before = int(np.argmax(expert.phases == expert.phases.max()))
    return partial(Expert, until=min(before or expert.first, expert.first - hold))


def rises(expert):
    """Return whether no phase is paid less on the mean than the one before it."""
    means = [expert.rewards[expert.phases == phase].mean() for phase in sorted({*expert.phases.tolist()} - {-1})]
    return bool((np.diff(means) >= -1e-9).all())


def check(task, seeds):
    """Assert the laws for some seeds; return mean returns by way of acting."""
    experts = dict(zip(seeds, play(task, [(seed, Expert) for seed in seeds]), strict=True))
    done = {seed: expert for seed, expert in experts.items() if expert.first >= 0}
    assert len(done) > len(experts) / 2, "the expert fails"
    assert np.mean([rises(expert) for expert in done.values()]) > 0.5, "a later phase is paid less than an earlier one"

    others = {"nothing": Start, "random": Random, **{f"bang-bang {t} s": partial(Bang, period=t) for t in PERIODS}}
    jobs = [(s, name, make) for s, e in done.items() for name, make in {**others, "hover": hover(task, e)}.items()]
    table = {name: [] for name in (*others, "hover")}
    for (seed, name, _), found in zip(jobs, play(task, [(seed, make) for seed, _, make in jobs]), strict=True):
        table[name].append(found.paid)
        # Who succeeds exploits nothing, however it came about; but chance shall not.
        if found.first < 0 or name == "random":
            expert = done[seed]
            assert found.first < 0, f"seed {seed}: a random policy succeeds"
            assert found.paid < expert.paid, f"seed {seed}: {name} is paid {found.paid} of the expert's {expert.paid}"
    return {name: float(np.mean(paid)) for name, paid in table.items()} | {
        "expert": float(np.mean([expert.paid for expert in done.values()]))
    }


@pytest.mark.parametrize("name", task_names())
def test_no_exploit_is_paid_what_the_expert_is_paid(name):
    check(load_task(name), [0])


@pytest.mark.slow
@pytest.mark.parametrize("name", task_names())
def test_no_exploit_is_paid_what_the_expert_is_paid_on_many_seeds(name):
    check(load_task(name), range(1, 9))
