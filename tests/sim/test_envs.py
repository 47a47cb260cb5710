"""Environments of tiny tasks: spaces, seeds, options, ends, autoreset, pools, pickles, and errors that say what to do."""

import functools
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from sim import parameters
from sim.distributions import Choice
from sim.env_checker import check_vector_env
from sim.envs import TaskEnv, TaskVectorEnv, register_tasks
from sim.errors import ActionError, ParameterError, RenderError, TaskError, UnknownNameError
from sim.parameters import param
from sim.rollout import rollout


@pytest.fixture
def shove(tiny):
    return tiny.Shove()


def run(env, actions, **reset):
    """Return all that an environment gives for a reset and some actions."""
    return [env.reset(**reset), *(env.step(action) for action in actions)]


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list) or (isinstance(a, np.ndarray) and a.dtype == object):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b)


def pushes(steps, rows=None, seed=0):
    """Return actions; the last row's pusher is fast, so that its box goes past the mark."""
    actions = np.random.default_rng(seed).uniform(-0.2, 1.0, (steps, rows or 1, 1)).astype(np.float32)
    actions[:, -1] = 1.0
    return actions if rows else actions[:, 0]


def test_it_passes_gymnasiums_checker(shove):
    check_env(TaskEnv(shove), skip_render_check=True)
    check_env(TaskEnv(shove, obs="dict"), skip_render_check=True)


def test_it_passes_the_vector_checker(shove):
    check_vector_env(functools.partial(TaskVectorEnv, shove, 3))
    check_vector_env(functools.partial(TaskVectorEnv, shove, 3, obs="dict"))
    check_vector_env(functools.partial(TaskVectorEnv, shove, 2, pool=40))


def test_a_row_is_a_single_environment_and_a_recorded_episode(shove):
    actions = pushes(150, rows=3)
    many, one = TaskVectorEnv(shove, 3, autoreset_mode="Disabled"), TaskEnv(shove)
    length = 0
    for row, seed in ((2, 12), (1, 11)):  # row 2 fails, and takes the others with it in this mode
        taken = iter(actions[:, row].astype(float))
        episode = rollout(shove, seed, policy=lambda _, taken=taken: next(taken))
        length = len(episode) if row == 2 else length
        assert row == 1 or episode.outcome.name == "FAILURE"
        seen = run(one, actions[:length, row], options={"episode_seed": seed})
        whole = np.concatenate(list(episode.observations.values()), axis=1)
        assert same([s[0] for s in seen], list(whole[: length + 1]))
        assert same([np.float32(s[1]) for s in seen[1:]], list(episode.rewards[:length]))
        assert [s[2] for s in seen[1:]] == episode.terminated[:length].tolist()
        rows = run(many, actions[:length], options={"episode_seed": [10, 11, 12]})
        assert same([s[0] for s in seen], [r[0][row] for r in rows])
        assert same([s[1] for s in seen[1:]], [r[1][row] for r in rows[1:]])
        assert same([s[-1]["fail_code"] for s in seen], [r[-1]["fail_code"][row] for r in rows])


def test_seed_i_of_a_vector_environment_is_that_of_a_single_one(shove):
    many, one = TaskVectorEnv(shove, 3), TaskEnv(shove)
    rows, info = many.reset(seed=5)
    for row in range(3):
        seen, single = one.reset(seed=5 + row)
        assert same(seen, rows[row])
        assert single["episode_seed"] == info["episode_seed"][row]


def test_an_autoreset_episode_is_reproduced_from_its_info(shove):
    env = TaskVectorEnv(shove, 2, max_episode_steps=4)
    actions = pushes(12, rows=2)
    _, info = env.reset(seed=1)
    first = info["episode_seed"].copy()
    steps = [env.step(a) for a in actions]
    begun = steps[4][-1]  # the step after the one that was cut
    assert (begun["episode_step"] == 0).all()
    assert (begun["episode_seed"] != first).all()
    again = TaskEnv(shove)
    seen = run(again, actions[5:9, 1], options={"episode_seed": begun["episode_seed"][1]})
    assert same([s[0] for s in seen], [s[0][1] for s in steps[4:9]])
    assert seen[0][1]["parameters"] == {k: v[1] for k, v in begun["parameters"].items() if k[0] != "_"}


def test_same_step_autoreset_hands_over_the_last_observation_and_info(shove):
    actions = pushes(9, rows=2)
    same_step, next_step = (
        TaskVectorEnv(shove, 2, max_episode_steps=4, autoreset_mode=m) for m in ("SameStep", "NextStep")
    )
    a, b = run(same_step, actions, seed=2), run(next_step, actions, seed=2)
    for row in range(2):
        assert same(a[4][-1]["final_obs"][row], b[4][0][row])
        assert same(a[4][0][row], b[5][0][row])
    assert a[4][-1]["final_info"]["episode_seed"].tolist() == a[0][1]["episode_seed"].tolist()
    assert a[4][-1]["final_info"]["episode_step"].tolist() == [4, 4]
    assert a[4][-1]["episode_step"].tolist() == [0, 0]
    assert a[4][3].tolist() == b[4][3].tolist() == [True, True]
    assert "final_obs" not in a[3][-1]


def test_only_where_it_ended_an_episode_begins_anew(shove):
    """Rows at different times neither wait for nor touch each other, whatever the mode."""
    actions = pushes(60, rows=2, seed=4)
    alone = {s: run(TaskEnv(shove), actions[:, 0], options={"episode_seed": s}) for s in (21,)}
    env = TaskVectorEnv(shove, 2, autoreset_mode="Disabled")
    rows = [env.reset(options={"episode_seed": [21, 22]})]
    for t, action in enumerate(actions):
        rows.append(env.step(action))
        if t % 7 == 6 or rows[-1][2][1]:
            env.reset(options={"reset_mask": np.array([False, True]), "episode_seed": t})
    assert same([s[0] for s in alone[21]], [r[0][0] for r in rows])
    assert same([s[1] for s in alone[21][1:]], [r[1][0] for r in rows[1:]])


def test_parameters_are_changed_for_good_or_for_one_episode(shove):
    env = TaskVectorEnv(shove, 2, parameters={"mass": 2.5}, max_episode_steps=2)
    _, info = env.reset(seed=0, options={"parameters": {"friction": 0.2}})
    assert info["parameters"]["mass"].tolist() == [2.5, 2.5]
    assert info["parameters"]["friction"].tolist() == [0.2, 0.2]
    for action in pushes(3, rows=2):
        info = env.step(action)[-1]
    assert info["parameters"]["mass"].tolist() == [2.5, 2.5]
    assert 0.2 not in info["parameters"]["friction"]


def test_words_among_the_parameters_are_in_the_info_too(tiny):
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class Worded:
        mass: float = param(Choice((1.0, 2.0)), "kg")
        colour: str = param(Choice(("red", "blue")), "")

    cart = tiny.cart(Params=Worded, build=lambda self, p: tiny.cart_spec(tiny.CartParams(mass=p.mass)))
    _, info = TaskVectorEnv(cart, 6).reset(seed=0)
    assert set(info["parameters"]["colour"]) == {"red", "blue"}
    assert TaskEnv(cart).reset(options={"episode_seed": 3})[1]["parameters"] == parameters.flatten(
        parameters.sample(Worded, 3)
    )


def test_a_pool_draws_from_its_own_episodes_and_they_are_the_same_as_ever(shove):
    env = TaskVectorEnv(shove, 2, pool=3, max_episode_steps=5)
    rows = run(env, pushes(60, rows=2), seed=0)
    seeds = np.array([r[-1]["episode_seed"] for r in rows])
    assert set(seeds.ravel().tolist()) == {0, 1, 2}
    for row in range(2):
        starts = [t for t, r in enumerate(rows) if r[-1]["episode_step"][row] == 0 and t + 5 < len(rows)]
        for start in starts[1:]:
            seed = seeds[start, row]
            seen = run(TaskEnv(shove), pushes(60, rows=2)[start : start + 5, row], options={"episode_seed": seed})
            assert same([s[0] for s in seen], [r[0][row] for r in rows[start : start + 6]])
    outside = env.reset(options={"episode_seed": 77})[1]
    assert outside["episode_seed"].tolist() == [77, 77]


def test_a_pool_may_be_given_by_seeds(shove):
    _, info = TaskVectorEnv(shove, 4, pool=[2**63 + 5, 9]).reset(seed=0)
    assert set(info["episode_seed"].tolist()) <= {2**63 + 5, 9}


def test_success_is_held_before_it_counts_and_the_episode_goes_on(shove):
    env = TaskEnv(shove)
    task, found = env.task, []
    expert = rollout(task, 3)
    half = (expert.actions - 0.0) / 1.0
    env.reset(options={"episode_seed": 3})
    for action in [*half, *np.zeros((50, 1))]:
        _, _, terminated, truncated, info = env.step(action)
        assert not terminated
        assert not truncated
        found.append((info["success"], info["is_success"], info["success_once"], info["success_at_end"]))
    hold = round(task.success_hold_s * task.control_hz)
    assert found.index((True,) * 4) >= hold - 1
    assert found[-1] == (True,) * 4


def test_the_horizon_truncates_and_max_episode_steps_only_shortens_it(shove):
    horizon = round(shove.horizon_s * shove.control_hz)
    for limit, expected in ((None, horizon), (-1, horizon), (7, 7), (10 * horizon, horizon)):
        env = TaskVectorEnv(shove, 1, max_episode_steps=limit)
        env.reset(seed=0)
        lengths = next(t for t in range(1, 10 * horizon) if env.step(np.zeros((1, 1)))[3].any())
        assert lengths == expected


def test_diverging_physics_truncates_with_the_last_good_observation(tiny):
    def diverge(self, s):
        s.actuator("motor").ctrl[...] = np.where(s.time[..., None] > 0.1, np.nan, s.actuator("motor").ctrl)

    task = tiny.cart(logic=diverge, horizon=5.0)
    env = TaskVectorEnv(task, 2, autoreset_mode="SameStep")
    env.reset(seed=0)
    for _ in range(20):
        observation, rewards, terminations, truncations, info = env.step(np.ones((2, 1)))
        assert np.isfinite(observation).all()
        assert np.isfinite(rewards).all()
        if truncations.any():
            break
    assert info["final_info"]["sim_error"].tolist() == [True, True]
    assert not terminations.any()
    assert np.isfinite(np.stack(info["final_obs"])).all()
    assert not info["sim_error"].any()


def test_a_pickled_environment_goes_on_where_it_stood(shove):
    actions = pushes(80, rows=2, seed=3)
    for env in (TaskVectorEnv(shove, 2, pool=4), TaskVectorEnv(shove, 2, obs="dict", autoreset_mode="SameStep")):
        run(env, actions[:30], seed=6)
        copy = pickle.loads(pickle.dumps(env))
        for action in actions[30:]:
            assert same(env.step(action), copy.step(action))
    single = TaskEnv(shove)
    run(single, actions[:5, 0], seed=1)
    copy = pickle.loads(pickle.dumps(single))
    assert same(single.step(actions[5, 0]), copy.step(actions[5, 0]))
    assert same(single.reset(), copy.reset())


def test_actions_in_minus_one_to_one_stand_for_the_actuators_range(tiny):
    env = TaskEnv(tiny.cart())
    env.reset(seed=0)
    for action, force in ((1.0, 20.0), (-0.5, -10.0), (3.0, 20.0), (1e-12, 0.0)):
        env.step(np.array([action]))
        assert env._rows.engine.world.ctrl[0, 0] == force


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (
            ParameterError,
            "no reset option 'episode_sed'; did you mean 'episode_seed'",
            lambda e: e.reset(options={"episode_sed": 1}),
        ),
        (
            UnknownNameError,
            "no parameter 'mas'; did you mean 'mass'",
            lambda e: e.reset(options={"parameters": {"mas": 1}}),
        ),
        (ParameterError, "needs one number or 2, got 3", lambda e: e.reset(options={"episode_seed": [1, 2, 3]})),
        (ParameterError, "2 bools, one of them true", lambda e: e.reset(options={"reset_mask": np.zeros(2, bool)})),
        (
            gymnasium.error.ResetNeeded,
            "first reset must be of all",
            lambda e: e.reset(options={"reset_mask": np.array([True, False])}),
        ),
        (gymnasium.error.ResetNeeded, "call reset", lambda e: e.step(np.zeros((2, 1)))),
        (ActionError, r"need shape \(2, 1\), got \(1, 2\)", lambda e: (e.reset(seed=0), e.step(np.zeros((1, 2))))),
        (ActionError, "must be finite", lambda e: (e.reset(seed=0), e.step(np.full((2, 1), np.nan)))),
    ],
)
def test_bad_input_gets_one_clear_sentence(shove, error, says, call):
    with pytest.raises(error, match=says):
        call(TaskVectorEnv(shove, 2, autoreset_mode=AutoresetMode.DISABLED))


@pytest.mark.parametrize(
    ("error", "says", "keywords"),
    [
        (UnknownNameError, "did you mean 'friction'", {"parameters": {"frictoin": 0.1}}),
        (ParameterError, "obs must be 'box' or 'dict', got 'flat'", {"obs": "flat"}),
        (ParameterError, "num_envs must be at least 1", {"num_envs": 0}),
        (ParameterError, "max_episode_steps must be at least 1", {"max_episode_steps": 0}),
        (RenderError, "must be None or 'rgb_array', got 'human'", {"render_mode": "human"}),
        (ValueError, "not a valid AutoresetMode", {"autoreset_mode": "Sometimes"}),
    ],
)
def test_bad_keywords_are_refused_at_once(shove, error, says, keywords):
    with pytest.raises(error, match=says):
        TaskVectorEnv(shove, **keywords)


def test_stepping_an_environment_that_is_done_is_refused_where_nobody_resets_it(shove):
    env = TaskVectorEnv(shove, 2, autoreset_mode="Disabled", max_episode_steps=1)
    env.reset(seed=0)
    env.step(np.zeros((2, 1)))
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"\[0, 1\] are done"):
        env.step(np.zeros((2, 1)))


def test_a_task_of_ones_own_is_registered_by_its_address(monkeypatch, root):
    monkeypatch.syspath_prepend(str(root / "examples"))
    register_tasks({"mine/Push-v0": "new_scene:MyTask"})
    spec = gymnasium.spec("mine/Push-v0")
    env = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()), parameters={"mark": 1.2})
    assert env.reset(seed=0)[1]["parameters"]["mark"] == 1.2
    assert gymnasium.make_vec("mine/Push-v0", num_envs=2).num_envs == 2
    with pytest.raises(TaskError, match="cannot be imported as 'module:Class'"):
        TaskEnv("no_such_module:Thing")
    with pytest.raises(TaskError, match="no subclass"):
        TaskEnv("pathlib:Path")
