"""What holds for every task: a new file in scenes/ is tested here without a line of its own."""

import hashlib
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scenes.catalog import load_task, task_names
from sim import parameters
from sim.distributions import Choice
from sim.engine import Engine, scenario
from sim.episode import Outcome, Recorder
from sim.layout import layout
from sim.replay import recorded, replays
from sim.rollout import rollouts

ROOT = Path(__file__).parents[2]
TASKS = {name: load_task(name, ROOT / "examples") for name in (*task_names(), "new_scene:MyTask")}


@pytest.fixture(params=TASKS, scope="module")
def task(request):
    return TASKS[request.param]


@pytest.fixture(scope="module")
def episodes(task):
    return rollouts(task, range(3), degraded=0.5)


def commit_seeds():
    """Return 100 seeds that nobody could have tuned for: drawn from the hash of the commit under test."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # sources without their history
        files = sorted(p for room in ("sim", "scenes") for p in (ROOT / room).rglob("*.py"))
        head = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()
    return [int(n) for n in np.random.default_rng(int(head.strip(), 16)).integers(0, 2**63, 100)]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(100), commit_seeds()], ids=["0-99", "of the commit's hash"])
def test_the_expert_succeeds_on_95_of_100_seeds(task, seeds):
    outcomes = [e.outcome for e in rollouts(task, list(seeds), record=False)]
    assert outcomes.count(Outcome.SUCCESS) >= 95


def ends(distribution):
    values = distribution.values if isinstance(distribution, Choice) else distribution.support
    return values[0], values[-1]


def test_every_corner_of_the_parameters_builds_and_starts_stably(task):
    """All at one end, and random corners: the box of crane_coil has millions."""
    fields = parameters.describe(task.Params)
    rng = np.random.default_rng(0)
    picks = [[0] * len(fields), [1] * len(fields), *rng.integers(0, 2, (14, len(fields))).tolist()]
    scenarios = []
    for pick in picks:
        values = {n: ends(f.distribution)[k] for (n, f), k in zip(fields.items(), pick, strict=True)}
        scenarios.append(scenario(task, parameters.unflatten(task.Params, values), len(scenarios)))
    with Engine(task, scenarios) as engine:
        engine.reset()
        for _ in range(round(task.control_hz)):
            engine.advance(engine.applied(np.zeros(engine.low.shape)), np.arange(len(scenarios)))
        assert engine.world.faults() == [""] * len(scenarios)


def test_every_observation_signal_and_action_is_described(task):
    known = layout(task)
    for name, (dim, feature) in itertools.chain(known.observations.items(), known.signals.items()):
        assert feature.unit, name
        assert len(feature.names) in (0, dim), name
    assert all(action.unit and np.isfinite([action.low, action.high]).all() for action in known.actions)
    assert all(channel.unit for _, channel in known.channels.values())


def test_actions_have_the_same_scale_whatever_the_parameters(task):
    """A policy's [-1, 1] means one thing; a machine that can do less does less."""
    drawn = [scenario(task, parameters.sample(task.Params, seed), seed) for seed in range(6)]
    with Engine(task, drawn) as engine:
        assert (engine.low == engine.low[0]).all()
        assert (engine.high == engine.high[0]).all()


def test_every_observation_is_bounded_and_experts_stay_inside(task, episodes):
    for name, (dim, feature) in layout(task).observations.items():
        low, high = (np.full(dim, bound, np.float32) for bound in (feature.low, feature.high))
        assert np.isfinite([low, high]).all(), name
        for episode in episodes:
            seen = episode.observations[name]
            bits = ((seen == low) | (seen == high)).all()
            assert bits or ((seen > low) & (seen < high)).all(), name


def test_every_parameter_has_a_unit_and_a_sentence(task):
    for field in parameters.describe(task.Params).values():
        assert field.unit, field.name
        assert len(field.doc) > 10, field.name


def test_all_that_is_recorded_is_finite(episodes):
    for episode in episodes:
        assert len(episode)
        arrays = [*episode.observations.values(), *(s.value for s in episode.streams.values()), episode.control]
        assert all(np.isfinite(a).all() for a in (*arrays, episode.rewards, episode.actions))


def replay_from_every_keyframe(task, episodes, steps):
    for keyframe in range(max(len(e.keyframe_steps) for e in episodes)):
        far = steps if keyframe else None
        assert replays(task, [recorded(e) for e in episodes], keyframe=keyframe, steps=far) == [""] * len(episodes)


def test_episodes_replay_bit_for_bit_from_the_start_and_from_every_keyframe_past_the_next(task, episodes):
    """What a keyframe reaches is the next one, bit for bit, from which the rest follows."""
    replay_from_every_keyframe(task, episodes, Recorder.KEYFRAME_EVERY + 50)


@pytest.mark.slow
def test_episodes_replay_bit_for_bit_from_every_keyframe_to_the_end(task, episodes):
    replay_from_every_keyframe(task, episodes, None)


def test_an_episode_alone_is_the_same_as_in_company(task, episodes):
    alone = rollouts(task, [1], degraded=0.5)[0]
    assert alone.control.tobytes() == episodes[1].control.tobytes()
    assert all(alone.observations[n].tobytes() == v.tobytes() for n, v in episodes[1].observations.items())
    assert all(alone.streams[n].value.tobytes() == s.value.tobytes() for n, s in episodes[1].streams.items())


def test_the_work_order_is_worded_in_both_languages(episodes):
    for episode in episodes:
        assert set(episode.instruction) == {"en", "ja"}
        assert all(len(text) > 10 for text in episode.instruction.values())
        assert any("぀" <= c <= "ヿ" or "一" <= c <= "鿿" for c in episode.instruction["ja"])


def test_no_centre_of_mass_is_where_nobody_put_it(task):
    """A centre of mass that is not given is as far from the body as the body from its parent: see sim.spec.weigh."""
    model = task.build(task.Params()).compile()
    away = np.abs(model.body_pos).max(axis=1) > 0
    same = np.isclose(model.body_ipos, model.body_pos).all(axis=1)
    assert [model.body(int(i)).name for i in np.flatnonzero(away & same & (model.body_mass > 0))] == []
