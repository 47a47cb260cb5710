"""What holds for every task's reward: it rises with the work, and nothing that fails is paid as well as the expert.

An environment goes on after success and ends where the task fails, so each way of acting is paid over the whole
horizon or until it fails; an expert that is done holds its last command.
"""

from functools import partial

import numpy as np
import pytest

from generators.plays import Bang, Expert, Random, Start, hover, phase_means, play
from generators.plays import rises as no_phase_sinks
from scenes.catalog import load_task, task_names

# s, bang-bang periods: faster than drives answer, as slow as loads sway, and slow enough to get somewhere
PERIODS = (0.4, 4.0, 20.0)
AT_ONCE = 20  # episodes
RISING = 0.95  # share of the expert's successful episodes in which no phase is paid less than the one before it
FEW = 2  # seeds in the default suite


def experts(task, seeds):
    """Return seed -> the expert's episode, of those that succeed."""
    seeds = list(seeds)
    parts = [seeds[i : i + AT_ONCE] for i in range(0, len(seeds), AT_ONCE)]
    found = {seed: p for part in parts for seed, p in zip(part, play(task, [(s, Expert) for s in part]), strict=True)}
    done = {seed: expert for seed, expert in found.items() if expert.first >= 0}
    assert len(done) > len(found) / 2, "the expert fails"
    return done


def rises(expert):
    """Return whether no phase is paid less on the mean than the one before it."""
    return no_phase_sinks(phase_means(expert.rewards, expert.phases, expert.phases.max() + 1))


def sinking(task, done):
    """Return seed -> which phase is paid less than the one before it, where any is."""
    out = {}
    for seed, expert in done.items():
        means = phase_means(expert.rewards, expert.phases, len(task.phases))
        there = np.flatnonzero(np.isfinite(means))
        drops = there[1:][np.diff(means[there]) < -1e-9]
        if drops.size:
            out[seed] = [task.phases[k] for k in drops]
    return out


def check_rise(task, done):
    """Assert that reward rises from phase to phase in as many of the expert's successful episodes as the law asks."""
    less = sinking(task, done)
    assert len(less) <= (1 - RISING) * len(done) + 1e-9, f"a later phase is paid less than an earlier one: {less}"


def check_exploits(task, done):
    """Assert that nothing that fails is paid as well as the expert; return mean returns by way of acting."""
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
def test_no_exploit_is_paid_what_the_expert_is_paid_and_reward_rises_with_the_work(name):
    task = load_task(name)
    done = experts(task, range(FEW))

    check_exploits(task, dict([next(iter(done.items()))]))

    assert len(sinking(task, done)) < len(done), "a later phase is paid less than an earlier one"


@pytest.mark.slow
@pytest.mark.parametrize("name", task_names())
def test_no_exploit_is_paid_what_the_expert_is_paid_on_many_seeds(name):
    task = load_task(name)
    check_exploits(task, experts(task, range(1, 9)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", task_names())
def test_reward_rises_from_phase_to_phase_and_chance_never_succeeds_on_a_hundred_seeds(name):
    task = load_task(name)
    done = experts(task, range(100))

    check_rise(task, done)

    seeds = list(done)
    for part in (seeds[i : i + AT_ONCE] for i in range(0, len(seeds), AT_ONCE)):
        for seed, found in zip(part, play(task, [(s, Random) for s in part]), strict=True):
            assert found.first < 0, f"seed {seed}: a random policy succeeds"
            assert found.paid < done[seed].paid, f"seed {seed}: chance is paid {found.paid} of {done[seed].paid}"
