"""What holds for every registered environment: a new task file is tested here without a line of its own."""

import functools
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match

import scenes  # noqa: F401 - registers them
from sim import parameters
from sim.cameras import KINDS, View
from sim.engine import scenario
from sim.env_checker import check_vector_env
from sim.envs import TaskEnv, TaskVectorEnv
from sim.layout import layout
from sim.render import renderer
from sim.rollout import rollout

IDS = [name for name in gymnasium.registry if name.startswith("genba/")]
STEPS = 60
CAMERAS = {"overview": {"size": (48, 36), "kinds": ["rgb", "depth", "segmentation"]}}
RANDOM_EPISODES = 1000  # of the slow test


@pytest.fixture(params=IDS)
def name(request):
    return request.param


class Row(gymnasium.Env):
    """One row of a vector environment whose others do something else."""

    def __init__(self, name, row, count):
        self.rows, self.row = gymnasium.make_vec(name, num_envs=count, autoreset_mode="Disabled"), row
        self.observation_space, self.action_space = self.rows.single_observation_space, self.rows.single_action_space
        self.rng = np.random.default_rng(row)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        observation, info = self.rows.reset(seed=seed - self.row)
        return observation[self.row], info_of(info, self.row)

    def step(self, action):
        actions = 0.05 * self.rng.uniform(-1, 1, self.rows.action_space.shape)
        actions[self.row] = action
        observation, *judged, info = self.rows.step(actions)
        return observation[self.row], *(v[self.row].item() for v in judged), info_of(info, self.row)


class Recorded(gymnasium.Env):
    """A recorded episode under the actions that the checker is going to take, told step by step."""

    def __init__(self, name, steps):
        self.inner, self.steps = gymnasium.make(name).unwrapped, steps
        self.observation_space, self.action_space = self.inner.observation_space, self.inner.action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        info = self.inner.reset(seed=seed)[1]
        self.action_space.seed(seed)
        actions = [self.action_space.sample().astype(float) for _ in range(self.steps)]
        bounds = np.array([(a.low, a.high) for a in layout(self.inner.task).actions])
        physical = iter([bounds.mean(axis=1) + a * np.diff(bounds)[:, 0] / 2 for a in actions])
        episode = rollout(self.inner.task, int(info["episode_seed"]), policy=lambda _: next(physical))
        self.episode, self.t = episode, 0
        assert len(episode) >= min(self.steps, 5)
        return self.seen(), info

    def seen(self):
        return np.concatenate([v[self.t] for v in self.episode.observations.values()])

    def step(self, action):
        self.t += 1
        episode, k = self.episode, self.t - 1
        return self.seen(), episode.rewards[k], bool(episode.terminated[k]), False, {}


class Single(gymnasium.Wrapper):
    """The environment with its rewards as they are recorded."""

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, np.float32(reward), *rest


def info_of(info, row):
    """Return one row's info, as a single environment gives it."""
    found = {k: v for k, v in info.items() if k[0] != "_"}
    return {k: info_of(v, row) if isinstance(v, dict) else plain(v[row]) for k, v in found.items()}


def plain(value):
    return bool(value) if isinstance(value, np.bool_) else value


def test_every_task_is_registered():
    assert "genba/CraneCoil-v0" in IDS
    for name in IDS:
        spec = gymnasium.spec(name)
        task = gymnasium.make(name).unwrapped.task
        assert spec.max_episode_steps == round(task.horizon_s * task.control_hz)


def test_gymnasiums_checker_has_nothing_to_say(name):
    check_env(gymnasium.make(name).unwrapped)
    check_env(gymnasium.make(name, obs="dict").unwrapped)
    check_env(gymnasium.make(name, cameras=CAMERAS).unwrapped)


def test_the_vector_checker_has_nothing_to_say(name):
    check_vector_env(functools.partial(gymnasium.make_vec, name, num_envs=3, render_size=64))
    check_vector_env(functools.partial(gymnasium.make_vec, name, num_envs=2, cameras=CAMERAS, render_size=64))


def test_a_single_environment_is_a_row_of_a_vector_environment(name):
    check_environments_match(gymnasium.make(name), Row(name, 1, 3), STEPS, seed=5)


def test_a_single_environment_is_a_recorded_episode(name):
    single = Single(gymnasium.make(name))
    probe = Recorded(name, STEPS)
    probe.reset(seed=6)
    check_environments_match(
        single, Recorded(name, STEPS), min(STEPS, len(probe.episode) - 1), seed=6, info_comparison="skip"
    )


def test_every_camera_sees_in_an_environment_what_is_recorded(name):
    """In a single environment, in a row of a vector environment and in the states of an episode, to the byte."""
    task = gymnasium.make(name).unwrapped.task
    views = [View(camera, 40, 30, KINDS) for camera in layout(task).cameras]
    assert views
    one, many = TaskEnv(task, cameras=views), TaskVectorEnv(task, 2, cameras=views)
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (4, 2, *one.action_space.shape))
    bounds = np.array([(a.low, a.high) for a in layout(task).actions])
    physical = iter(bounds.mean(axis=1) + actions[:, 1] * np.diff(bounds)[:, 0] / 2)
    episode = rollout(task, 4, policy=lambda _: next(physical))
    model = scenario(task, parameters.sample(task.Params, 4), 4).model
    film = renderer().film(model, views)
    shots = film.shoot(episode.control)
    seen, rows = one.reset(options={"episode_seed": 4})[0], many.reset(options={"episode_seed": [3, 4]})[0]
    for t, action in enumerate(actions):
        for view in views:
            recorded, far = shots[view.camera].images, film.ranges[view.camera][1]
            depth = (recorded["depth"][t][..., None] * far / 65535).astype(np.float32)
            wanted = dict(zip(KINDS, (recorded["rgb"][t], depth, recorded["segmentation"][t][..., None]), strict=True))
            for kind, image in wanted.items():
                key = view.camera if kind == "rgb" else f"{view.camera}_{kind}"
                assert seen[key].dtype == image.dtype
                assert np.array_equal(seen[key], image)
                assert np.array_equal(rows[key][1], image)
        seen, rows = one.step(action[1])[0], many.step(action)[0]


def test_the_spec_survives_json_and_pickle_and_the_environment_pickle(name):
    spec = gymnasium.spec(name)
    again = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
    assert again.entry_point == spec.entry_point
    assert pickle.loads(pickle.dumps(spec)).id == name
    env = gymnasium.make(again)
    env.reset(seed=1)
    copy = pickle.loads(pickle.dumps(env))
    for action in np.random.default_rng(0).uniform(-1, 1, (5, *env.action_space.shape)):
        first, second = env.step(action), copy.step(action)
        assert first[0].tobytes() == second[0].tobytes()
        assert first[1:4] == second[1:4]


def test_gymnasiums_own_vector_environments_work_too(name):
    ours = gymnasium.make_vec(name, num_envs=2)
    theirs = gymnasium.make_vec(name, num_envs=2, vectorization_mode="sync")
    assert np.array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    for action in np.random.default_rng(0).uniform(-1, 1, (8, *ours.action_space.shape)):
        (seen, *judged, _), (expected, *right, _) = ours.step(action), theirs.step(action)
        assert np.array_equal(seen, expected)
        assert all(np.array_equal(a, b) for a, b in zip(judged, right, strict=True))


def random_episodes(name, count, envs):
    """Run random actions until count episodes have ended; return how many of them did with an instability."""
    env = gymnasium.make_vec(name, num_envs=envs, autoreset_mode="SameStep", pool=range(2 * envs))
    env.reset(seed=0)
    rng, ended, unstable, successes = np.random.default_rng(0), 0, 0, 0
    while ended < count:
        held = rng.uniform(-1, 1, env.action_space.shape)  # for a while: white noise alone goes nowhere
        for _ in range(int(rng.integers(1, 20))):
            observation, rewards, terminations, truncations, info = env.step(held + rng.normal(0, 0.1, held.shape))
            assert env.observation_space.contains(observation)
            assert np.isfinite(rewards).all()
            done = terminations | truncations
            ended += int(done.sum())
            if done.any():
                last = info["final_info"]
                unstable += int(last["sim_error"][done].sum())
                successes += int(last["is_success"][done].sum())
                assert (truncations >= last["sim_error"]).all()
    return ended, unstable, successes


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_random_episodes_raise_nothing_and_succeed_never(name):
    ended, unstable, successes = random_episodes(name, RANDOM_EPISODES, 64)
    assert successes == 0
    assert unstable <= 0.01 * ended


def test_some_random_episodes_raise_nothing_and_succeed_never(name):
    short = gymnasium.spec(name).max_episode_steps < 1000
    ended, _, successes = random_episodes(name, 16 if short else 2, 8)
    assert ended >= 2
    assert successes == 0


def test_expert_actions_succeed_in_the_environment(name):
    env = gymnasium.make(name).unwrapped
    bounds = np.array([(a.low, a.high) for a in layout(env.task).actions])
    episode = next(e for e in (rollout(env.task, seed) for seed in range(20)) if e.outcome.name == "SUCCESS")
    env.reset(options={"episode_seed": episode.seed})
    for action in episode.actions.astype(float):
        *_, terminated, _, info = env.step((action - bounds.mean(axis=1)) / (np.diff(bounds)[:, 0] / 2))
        assert not terminated
    assert info["is_success"]
    assert isinstance(env, TaskEnv)
    assert isinstance(gymnasium.make_vec(name, num_envs=1), TaskVectorEnv)
