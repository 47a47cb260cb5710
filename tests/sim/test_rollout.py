"""Rollouts: equal alone and in step, every outcome with its reason, and no fault that spreads."""

import dataclasses
import math

import numpy as np
import pytest

from sim import parameters
from sim.episode import Episode, Outcome
from sim.errors import GenbaError, TaskError, UnknownNameError
from sim.rollout import LANES, describe_error, expert_mode, rollout, rollouts
from sim.task import Command, Task


def assert_same(a: Episode, b: Episode) -> None:
    """Compare every field of two episodes, arrays by their bytes."""
    for field in dataclasses.fields(Episode):
        assert_equal(getattr(a, field.name), getattr(b, field.name), field.name)


def assert_equal(a, b, name):
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert a.tobytes() == b.tobytes(), name
    elif isinstance(a, dict):
        assert list(a) == list(b), name
        for key, value in a.items():
            assert_equal(value, b[key], f"{name}[{key}]")
    elif hasattr(a, "t_ns"):
        assert_equal(a.value, b.value, name)
        assert_equal(a.t_ns, b.t_ns, name)
    else:
        assert a == b, name


def bad_seeds(tiny, count):
    """The seeds below count whose episodes a breaking cart breaks."""
    return {s for s in range(count) if parameters.sample(tiny.CartParams, s).bad}


def is_bad(s):
    """Whether a simulation of a cart is a bad one and has begun (...)."""
    return (s.numeric("bad")[..., 0] > 0) & (s.time > 0.205)


def test_an_episode_in_step_with_others_is_the_same_as_alone_bit_for_bit(tiny):
    task, seeds = tiny.Shove(), [3, 1, 4, 15, 9, 2, 6]
    together = rollouts(task, seeds, degraded=0.5)
    assert len({len(e) for e in together}) > 2
    for seed, episode in zip(seeds, together, strict=True):
        assert_same(episode, rollout(task, seed, degraded=0.5))


def test_more_episodes_than_lanes_come_back_in_order(tiny):
    seeds = list(range(LANES + 3, 0, -1))
    episodes = rollouts(tiny.cart(horizon=0.1), seeds)
    assert [e.seed for e in episodes] == seeds
    assert_same(episodes[-1], rollout(tiny.cart(horizon=0.1), 1))


def test_nominal_experts_succeed_and_degraded_ones_get_no_say_in_the_outcome(tiny):
    nominal = rollouts(tiny.Shove(), range(8))
    assert all(e.outcome is Outcome.SUCCESS and e.expert_mode == 0 for e in nominal)
    worse = rollouts(tiny.Shove(), range(12), degraded=1.0)
    assert {e.expert_mode for e in worse} == {1, 2}
    assert all(e.fail_code == 1 for e in worse if e.outcome is Outcome.FAILURE and e.expert_mode == 1)
    assert all(e.outcome is Outcome.TIMEOUT for e in worse if e.expert_mode == 2)


def test_the_expert_mode_follows_from_the_seed_and_the_share(tiny):
    task = tiny.Shove()
    modes = np.array([expert_mode(task, seed, 0.4) for seed in range(1000)])
    assert not any(expert_mode(task, seed, 0.0) for seed in range(50))
    assert abs((modes > 0).mean() - 0.4) < 5 * math.sqrt(0.24 / 1000)
    assert expert_mode(tiny.cart(), 0, 1.0) == 0


def test_shapes_and_flags_of_an_episode(tiny):
    episode = rollout(tiny.Shove(), 0)
    steps = len(episode)
    assert episode.actions.shape == (steps, 1)
    assert episode.actions.dtype == np.float32
    assert episode.rewards.shape == episode.success.shape == episode.phases.shape == (steps,)
    assert len(episode.control) == steps + 1
    assert {k: v.shape for k, v in episode.observations.items()} == {
        "x": (steps + 1, 3),
        "encoder": (steps + 1, 3),
        "force": (steps + 1, 1),
        "peak": (steps + 1, 1),
        "true": (steps + 1, 1),
    }
    np.testing.assert_array_equal(episode.t_ns, np.arange(steps) * 20_000_000)
    assert not episode.terminated.any()
    assert episode.truncated.nonzero()[0].tolist() == [steps - 1]
    assert episode.streams["fastest"].value.shape == (steps + 1, 1)
    assert np.all(np.diff(episode.streams["fastest"].value[:, 0]) >= 0)
    assert sorted(set(episode.phases.tolist())) == [0, 1]


def test_success_must_hold_as_long_as_the_task_asks(tiny):
    episode = rollout(tiny.Shove(), 0)
    held = round(tiny.Shove.success_hold_s * tiny.Shove.control_hz)
    assert episode.success[-held:].all()
    assert not episode.success[-held - 1]


def test_success_that_comes_and_goes_does_not_add_up(tiny):
    def success(self, s):
        return np.rint(s.time * 50).astype(int) % 5 > 0  # four steps on, one off

    for hold, outcome in ((4, Outcome.SUCCESS), (5, Outcome.TIMEOUT)):
        assert rollout(tiny.cart(success=success, success_hold_s=hold / 50), 0).outcome is outcome


def test_an_episode_that_was_over_when_another_broke_keeps_its_end(tiny):
    def expert(self, s, p, *, mode, rng):
        for _ in range(100 if p.bad else 5):
            yield Command(rng.normal(size=1), "go")

    task, bad = tiny.cart(**raising("observe"), expert=expert), bad_seeds(tiny, 8)
    for episode in rollouts(task, range(8)):
        outcome, length = (Outcome.TASK_ERROR, 10) if episode.seed in bad else (Outcome.FAILURE, 5)
        assert (episode.outcome, len(episode)) == (outcome, length)
        assert_same(episode, rollout(task, episode.seed))


def test_a_failed_episode_is_terminated_and_says_why(tiny):
    failed = next(e for e in rollouts(tiny.Shove(), range(12), degraded=1.0) if e.outcome is Outcome.FAILURE)
    assert failed.fail_code == 1
    assert failed.terminated.nonzero()[0].tolist() == [len(failed) - 1]
    assert not failed.truncated.any()


def test_an_expert_that_gives_up_has_failed_with_no_code(tiny):
    def expert(self, s, p, *, mode, rng):
        yield Command(np.zeros(1), "go")

    episode = rollout(tiny.cart(expert=expert), 0)
    assert (episode.outcome, episode.fail_code, len(episode)) == (Outcome.FAILURE, 0, 1)
    assert episode.truncated[-1]


def test_an_expert_that_never_moves_leaves_an_episode_of_no_steps(tiny):
    def expert(self, s, p, *, mode, rng):
        yield from ()

    episode = rollout(tiny.cart(expert=expert), 0)
    assert (episode.outcome, len(episode), len(episode.control)) == (Outcome.FAILURE, 0, 1)


def test_actions_are_recorded_as_applied(tiny):
    def expert(self, s, p, *, mode, rng):
        while True:
            yield Command(np.array([1e6]), "go")

    assert (rollout(tiny.cart(expert=expert), 0).actions == 20.0).all()


def test_every_recorded_number_is_finite(tiny):
    for episode in rollouts(tiny.Shove(), range(4), degraded=0.5):
        arrays = [episode.actions, episode.rewards, episode.control, episode.keyframes, *episode.observations.values()]
        assert all(np.isfinite(a).all() for a in [*arrays, *(s.value for s in episode.streams.values())])


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (np.array([np.nan]), "must be finite"),
        (np.array([np.inf]), "must be finite"),
        (np.zeros(2), "needs shape (1,), got (2,)"),
        (np.zeros(()), "needs shape"),
        ("hello", "could not convert"),
    ],
)
def test_an_action_that_cannot_be_applied_is_the_experts_error(tiny, action, says):
    def expert(self, s, p, *, mode, rng):
        yield Command(np.zeros(1), "go")
        yield Command(action, "go")

    episode = rollout(tiny.cart(expert=expert), 0)
    assert episode.outcome is Outcome.EXPERT_ERROR
    assert len(episode) == 1
    assert says in episode.error


def test_a_phase_that_the_task_does_not_name_is_the_experts_error(tiny):
    def expert(self, s, p, *, mode, rng):
        yield Command(np.zeros(1), "going")

    episode = rollout(tiny.cart(expert=expert), 0)
    assert episode.outcome is Outcome.EXPERT_ERROR
    assert "no phase 'going'; did you mean 'go'?" in episode.error


def raising(where):
    """Return the method of a cart that breaks, in its bad episodes only."""
    message = f"{where} broke at {id(where):#x}"

    def check(bad):
        if np.any(bad):
            raise RuntimeError(message)

    def of_parameters(self, p):
        check(p.bad)
        return self.plain_build(p) if where == "build" else {"en": "go", "ja": "行け"}

    def expert(self, s, p, *, mode, rng):
        for t in range(100):
            check(p.bad and t == 11)
            yield Command(rng.normal(size=1), "go")

    def of_state(self, s):
        check(is_bad(s))
        zeros = np.zeros(np.shape(s.time), {"success": bool, "failure": int}.get(where, float))
        return {"x": zeros} if where in ("observe", "signals") else zeros

    methods = {"build": of_parameters, "instructions": of_parameters, "expert": expert}
    return {where: methods.get(where, of_state)}


@pytest.mark.parametrize(
    "where", ["build", "instructions", "expert", "observe", "signals", "logic", "success", "failure", "reward"]
)
def test_what_raises_ends_its_own_episode_with_the_reason_and_no_other(tiny, where):
    plain = tiny.cart()
    task = tiny.cart(**raising(where), plain_build=lambda self, p: plain.build(p))
    bad, seeds = bad_seeds(tiny, 12), list(range(12))
    assert 0 < len(bad) < 12
    outcome = Outcome.EXPERT_ERROR if where == "expert" else Outcome.TASK_ERROR
    for episode in rollouts(task, seeds):
        alone = rollout(task, episode.seed)
        assert_same(episode, alone)
        if episode.seed in bad:
            assert episode.outcome is outcome
            assert episode.error == f"RuntimeError: {where} broke at 0x..."
            assert len(episode) == (0 if where in ("build", "instructions") else len(alone))
            assert len(episode) <= 11
        else:
            assert (episode.outcome, episode.error, len(episode)) == (Outcome.TIMEOUT, "", 30)


def test_where_the_build_failed_there_are_no_rows_at_all(tiny):
    plain = tiny.cart()
    task = tiny.cart(**raising("build"), plain_build=lambda self, p: plain.build(p))
    episode = rollout(task, min(bad_seeds(tiny, 12)))
    assert len(episode) == 0
    assert episode.observations == {}
    assert episode.model_sha256 == ""
    assert episode.parameters["bad"] == 1.0


def test_a_scene_that_does_not_compile_is_the_tasks_error(tiny):
    def build(self, p):
        spec = tiny.cart_spec(p)
        spec.add_actuator(name="loose")
        return spec

    episode = rollout(tiny.cart(build=build), 0)
    assert episode.outcome is Outcome.TASK_ERROR
    assert "transmission" in episode.error
    assert "\n" not in episode.error


def test_a_control_period_of_no_whole_number_of_steps_is_the_tasks_error(tiny):
    episode = rollout(tiny.cart(control=60.0), 0)
    assert episode.outcome is Outcome.TASK_ERROR
    assert "must be a whole number" in episode.error


def test_physics_that_diverges_ends_as_unstable_quietly_and_alone(tiny, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def build(self, p):
        spec = tiny.cart_spec(p)
        if p.bad:  # a spring of negative stiffness: the cart runs away ever faster
            spec.joint("rail").stiffness[0] = -3e5
        return spec

    task, bad = tiny.cart(build=build, horizon=2.0), bad_seeds(tiny, 8)
    for episode in rollouts(task, range(8)):
        if episode.seed in bad:
            assert episode.outcome is Outcome.UNSTABLE
            assert episode.error.endswith(f" in control step {len(episode)}")  # which is not kept
            assert "BAD" in episode.error or "not finite" in episode.error
        else:
            assert episode.outcome is Outcome.TIMEOUT
        assert np.isfinite(episode.control).all()
        assert np.isfinite(episode.observations["x"]).all()
        assert_same(episode, rollout(task, episode.seed))
    assert capfd.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_policy_gets_one_episodes_observation_and_its_actions_are_applied(tiny):
    shapes = []

    def policy(observation):
        shapes.append({k: v.shape for k, v in observation.items()})
        return -2.0 * observation["x"]

    for episode in rollouts(tiny.cart(), [0, 1], policy=policy):
        assert episode.outcome is Outcome.TIMEOUT
        assert (episode.phases == -1).all()
        np.testing.assert_allclose(episode.actions, -2.0 * episode.observations["x"][:-1], rtol=1e-6)  # float32
    assert all(s == {"x": (1,), "v": (1,)} for s in shapes)


def test_a_policy_that_raises_is_recorded(tiny):
    def policy(observation):
        raise KeyError("camera")

    episode = rollout(tiny.cart(), 0, policy=policy)
    assert (episode.outcome, episode.error) == (Outcome.EXPERT_ERROR, "KeyError: 'camera'")


def test_a_bad_override_raises_before_anything_is_built(tiny):
    with pytest.raises(UnknownNameError, match="did you mean 'mass'"):
        rollout(tiny.cart(), 0, overrides={"mas": 1.0})
    assert rollout(tiny.cart(), 0, overrides={"mass": 2.5}).parameters["mass"] == 2.5


def test_the_largest_seed_works(tiny):
    assert rollout(tiny.cart(horizon=0.1), 2**64 - 1).seed == 2**64 - 1


def test_errors_are_told_in_one_line_that_is_the_same_in_every_run():
    assert describe_error(ValueError("a\n  b <obj at 0x7fB2>")) == "ValueError: a b <obj at 0x...>"
    assert describe_error(StopAsyncIteration()) == "StopAsyncIteration"


def test_a_task_without_its_attributes_is_refused_where_it_is_defined():
    with pytest.raises(TaskError, match="lacks version, control_hz, horizon_s, phases, Params"):
        type("Half", (Task,), {"name": "a/b"})


@pytest.mark.parametrize("name", ["crane", "Steel/crane", "steel/crane/coil", "steel/", "steel/crane coil"])
def test_a_task_name_of_another_form_is_refused(name):
    needed = {"version": 1, "control_hz": 1.0, "horizon_s": 1.0, "phases": (), "Params": object}
    with pytest.raises(TaskError, match="not of the form 'family/task'"):
        type("Named", (Task,), {"name": name} | needed)


def test_a_concrete_task_is_final(tiny):
    with pytest.raises(TaskError, match="final; share functions, not Shove"):
        type("Variant", (tiny.Shove,), {})


def test_every_error_of_ours_is_a_genba_error_and_a_builtin():
    assert issubclass(TaskError, GenbaError)
    assert issubclass(TaskError, ValueError)
