"""Environments' pictures: the bytes that a dataset would record, in every row and mode, and frames for people."""

import dataclasses
import functools
import gc
import pickle

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sim import env_images, opengl, render
from sim.cameras import Lens, View, add_camera, segments
from sim.distributions import LogUniform, Uniform
from sim.env_checker import check_vector_env
from sim.envs import TaskEnv, TaskVectorEnv
from sim.errors import ParameterError, RenderError, UnknownNameError
from sim.layout import layout
from sim.parameters import param
from sim.rollout import rollout
from sim.task import Task

NEAR = Lens(focal=0.004, sensor=(0.0048, 0.0036), resolution=(640, 480), near=0.05, far=10.0)
EVERY = {"overview": {"size": (48, 36), "kinds": ["rgb", "depth", "segmentation"]}, "side": {"size": 32}}
VIEWS = (View("overview", 48, 36, ("rgb", "depth", "segmentation")), View("side", 32, 32))
NAMES = ("overview", "overview_depth", "overview_segmentation", "side")


@dataclasses.dataclass(frozen=True)
class Painted:
    mass: float = param(Uniform(1.0, 3.0), "kg")
    friction: float = param(LogUniform(0.1, 0.3), "1")
    red: float = param(Uniform(0.0, 1.0), "1", "of the box")
    height: float = param(Uniform(0.1, 0.4), "m", "of the sign, a mesh")


@pytest.fixture(scope="module")
def watched(tiny):
    """The box that a pusher shoves, painted anew for each episode, beside a sign, before two cameras."""

    def build(self, p):
        spec = tiny.Shove().build(p)
        world, part = spec.worldbody, spec.body("box")
        part.geoms[0].rgba = [p.red, 1 - p.red, 0.2, 1]
        corners = [[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, p.height]]
        spec.add_mesh(name="sign", uservert=np.ravel(corners))
        world.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname="sign", pos=[0.5, 0.6, 0], contype=0, conaffinity=0, group=2
        )
        world.add_light(pos=[0, 0, 3], dir=[0, 0, -1])
        add_camera(world, "overview", NEAR, (0.3, -1.2, 0.9), (0.2, 0, 0.1))
        add_camera(part, "side", NEAR, (0.0, 1.0, 0.4), (0.0, 0.0, 0.0))
        return spec

    kept = {k: v for k, v in vars(tiny.Shove).items() if not k.startswith("_")}
    kept |= {"Params": Painted, "build": build, "name": "tiny/watched", "__module__": tiny.__name__}
    tiny.Watched = type("Watched", (Task,), kept)
    return tiny.Watched()


def pushes(steps, rows):
    """Return actions; the last row's pusher is fast, so that its box goes past the mark."""
    actions = np.random.default_rng(0).uniform(-0.2, 1.0, (steps, rows, 1))
    actions[:, -1] = 1.0
    return actions


def recorded(task, seed, actions, **parameters):
    """Return the pictures of a recorded episode under some actions, taken as a dataset's are, named as observed."""
    taken = iter(actions)
    episode = rollout(task, seed, policy=lambda _: next(taken), overrides=parameters or None)
    model = TaskVectorEnv(task, parameters=parameters)._draws.episode(seed).scenario.model
    film = render.renderer().film(model, VIEWS)
    shots = film.shoot(episode.control)
    far = {view.camera: film.ranges[view.camera][1] for view in VIEWS}
    return {
        "overview": shots["overview"].images["rgb"],
        "overview_depth": (shots["overview"].images["depth"][..., None] * far["overview"] / 65535).astype(np.float32),
        "overview_segmentation": shots["overview"].images["segmentation"][..., None],
        "side": shots["side"].images["rgb"],
    }


def images(observation, row=None):
    return {n: observation[n] if row is None else observation[n][row] for n in NAMES}


def same(a, b):
    """Whether pictures by name, or observations of them, are the same to the byte."""
    return all(a[n].dtype == b[n].dtype and a[n].tobytes() == b[n].tobytes() for n in NAMES)


def at(pictures, t):
    return {n: pictures[n][t] for n in NAMES}


def test_images_come_beside_the_named_observations_and_in_their_spaces(watched):
    env = TaskEnv(watched, cameras=EVERY)
    space = env.observation_space
    assert set(space.spaces) == {*layout(watched).observations, *NAMES}
    assert space["overview"] == gymnasium.spaces.Box(0, 255, (36, 48, 3), np.uint8)
    assert space["overview_depth"] == gymnasium.spaces.Box(0, 10, (36, 48, 1), np.float32)
    assert space["overview_segmentation"].high.max() == len(layout(watched).segments) - 1
    seen, _ = env.reset(seed=0)
    assert space.contains(seen)
    numbers = TaskEnv(watched, obs="dict").reset(seed=0)[0]
    assert all(np.array_equal(seen[name], value) for name, value in numbers.items())
    assert 0 < seen["overview_depth"].max() < 10
    things = [segment.name for segment in layout(watched).segments]
    assert {things.index("box"), things.index("pusher")} <= set(seen["overview_segmentation"].ravel().tolist())


@pytest.mark.parametrize(
    "cameras",
    [
        "side",
        ["side"],
        View("side"),
        [View("side")],
        {"side": {}},
        {"side": {"size": 128, "kinds": "rgb"}},
        {"side": View("side", 128, 128)},
    ],
)
def test_cameras_are_asked_for_in_several_ways(watched, cameras):
    assert env_images.read_cameras(cameras, layout(watched)) == (View("side", 128, 128, ("rgb",)),)


def test_a_single_environment_and_a_row_see_what_is_recorded(watched):
    actions = pushes(150, 3)
    many, one = TaskVectorEnv(watched, 3, cameras=EVERY, autoreset_mode="Disabled"), TaskEnv(watched, cameras=VIEWS)
    wanted = recorded(watched, 12, actions[:, 2])
    length = len(wanted["side"]) - 1
    assert 5 < length < 150  # it failed
    rows, _ = many.reset(options={"episode_seed": [10, 11, 12]})
    seen, _ = one.reset(options={"episode_seed": 12})
    other = recorded(watched, 10, actions[:length, 0])
    for t, action in enumerate(actions[:length]):
        assert same(images(rows, 2), at(wanted, t))
        assert same(images(rows, 0), at(other, t))
        assert same(seen, at(wanted, t))
        rows, _, terminations, _, _ = many.step(action)
        seen = one.step(action[2])[0]
    assert terminations[2]
    assert same(images(rows, 2), at(wanted, length))
    assert same(seen, at(wanted, length))


@pytest.mark.parametrize("pool", [0, 3])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_images_follow_their_episode_over_every_kind_of_reset(watched, mode, pool):
    """Every image that any mode hands out is that of the episode and step that its info names."""
    env = TaskVectorEnv(watched, 2, cameras=EVERY, autoreset_mode=mode, pool=pool, max_episode_steps=3)
    actions, taken, known = pushes(11, 2), [[], []], {}
    seen, info = env.reset(seed=1)

    def check(row, observation, info):
        seed, step = int(info["episode_seed"][row]), int(info["episode_step"][row])
        if step == 0:
            taken[row] = []
        key = (seed, tuple(taken[row][:step]))
        known[key] = known.get(key) or recorded(watched, seed, [np.array([a]) for a in (*key[1], *[0.0] * 9)][:9])
        assert same(observation, at(known[key], step))

    for action in actions:
        for row in range(2):
            check(row, images(seen, row), info)
            taken[row].append(float(np.float32(action[row, 0])))
        seen, _, _, truncations, info = env.step(action)
        if mode == "SameStep" and truncations.any():
            for row in range(2):
                check(row, info["final_obs"][row], info["final_info"])
        if mode == "Disabled" and truncations.any():
            before = seen
            seen, info = env.reset(options={"reset_mask": np.array([True, False])})
            assert same(images(before, 1), images(seen, 1))
            check(0, images(seen, 0), info)
            seen, info = env.reset(options={"reset_mask": np.array([False, True])})
            info = info | {"episode_seed": env._running.seeds}
    assert len({seed for seed, _ in known}) >= 2
    assert len(env._images._films) <= (pool or 2)


def test_the_pictures_of_diverged_physics_are_the_last_good_ones(watched, tiny):
    def diverge(self, s):
        s.actuator("drive").ctrl[...] = np.where(s.time[..., None] > 0.1, np.nan, s.actuator("drive").ctrl)

    kept = {k: v for k, v in vars(tiny.Watched).items() if not k.startswith("_")}
    task = type("Diverging", (Task,), {**kept, "logic": diverge})()
    for mode in ("SameStep", "NextStep", "Disabled"):
        env = TaskVectorEnv(task, 2, cameras=EVERY, autoreset_mode=mode)
        seen, _ = env.reset(seed=0)
        for _ in range(20):
            last = seen
            seen, _, _, truncations, info = env.step(np.ones((2, 1)))
            if truncations.any():
                break
        final = info["final_obs"][1] if mode == "SameStep" else images(seen, 1)
        assert same(final, images(last, 1))
        if mode == "Disabled":
            part, _ = env.reset(options={"reset_mask": np.array([True, False])})
            assert env.observation_space.contains(part)
            assert same(images(part, 1), images(last, 1))


def test_the_frame_of_a_state_that_is_not_finite_is_the_last_that_was(watched):
    env = TaskVectorEnv(watched, 2, render_mode="rgb_array", render_size=32)
    env.reset(seed=0)
    before = env.render()
    env.step(np.ones((2, 1)))
    env.engine.world.batch.state[1] = np.nan
    after = env.render()
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1], before[1])


def test_parameters_of_one_episode_are_seen(watched):
    env = TaskEnv(watched, cameras=VIEWS)
    seen, _ = env.reset(options={"episode_seed": 3, "parameters": {"red": 0.9}})
    assert same(seen, at(recorded(watched, 3, np.zeros((1, 1)), red=0.9), 0))
    assert not same(seen, env.reset(options={"episode_seed": 3})[0])


def test_pickled_in_mid_episode_it_goes_on_seeing(watched):
    env = TaskVectorEnv(watched, 2, cameras=EVERY, render_mode="rgb_array", autoreset_mode="Disabled")
    env.reset(seed=6)
    for action in pushes(5, 2):
        env.step(action)
    copy = pickle.loads(pickle.dumps(env))
    assert all(np.array_equal(a, b) for a, b in zip(env.render(), copy.render(), strict=True))
    for action in pushes(3, 2):
        assert same(env.step(action)[0], copy.step(action)[0])
    masked = {"options": {"reset_mask": np.array([False, True]), "episode_seed": 1}}
    assert same(env.reset(**masked)[0], pickle.loads(pickle.dumps(env)).reset(**masked)[0])
    single = TaskEnv(watched, cameras="side", render_mode="rgb_array")
    single.reset(seed=1)
    assert np.array_equal(single.render(), pickle.loads(pickle.dumps(single)).render())


def test_films_go_with_their_scenes_and_a_pools_stay(watched):
    env = TaskVectorEnv(watched, 2, cameras=EVERY, autoreset_mode="SameStep", max_episode_steps=1)
    env.reset(seed=0)
    for action in pushes(6, 2):
        env.step(action)
    gc.collect()
    assert len(env._images._films) == 2
    pool = TaskVectorEnv(watched, 2, cameras=EVERY, pool=2, autoreset_mode="SameStep", max_episode_steps=1)
    pool.reset(seed=0)
    for action in pushes(12, 2):
        pool.step(action)
    kept = dict(pool._images._films)
    for action in pushes(6, 2):
        pool.step(action)
    assert len(kept) == 2
    assert dict(pool._images._films) == kept


def test_no_picture_is_taken_and_no_context_made_where_none_is_asked_for(watched, monkeypatch):
    def refuse(*_):
        raise AssertionError("pictures")

    monkeypatch.setattr(env_images, "renderer", refuse)
    env = TaskVectorEnv(watched, 2)
    monkeypatch.setattr(opengl, "missing", lambda _: "")
    TaskVectorEnv(watched, 2, render_mode="rgb_array").reset(seed=0)  # as stable-baselines3 asks, and never renders
    monkeypatch.setattr(opengl, "missing", refuse)
    env.reset(seed=0)
    env.step(np.zeros((2, 1)))
    assert env.render() is None


def test_frames_are_of_the_camera_and_size_that_are_asked_for(watched):
    env = TaskEnv(watched, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (360, 480, 3)
    assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": watched.control_hz}
    small = TaskVectorEnv(watched, 2, render_mode="rgb_array", render_camera="side", render_size=32, cameras="side")
    seen, _ = small.reset(seed=0)
    frames = small.render()
    assert [frame.shape for frame in frames] == [(32, 32, 3)] * 2
    assert not np.array_equal(*frames)
    same_size = TaskEnv(watched, render_mode="rgb_array", render_camera="side", render_size=128)
    same_size.reset(seed=0)
    assert np.array_equal(same_size.render(), seen["side"][0])


def test_the_preset_changes_colours_only(watched):
    cameras = {"overview": EVERY["overview"]}
    fast, fine = (TaskEnv(watched, cameras=cameras, preset=p).reset(seed=0)[0] for p in ("fast", "fine"))
    assert not np.array_equal(fast["overview"], fine["overview"])
    assert np.array_equal(fast["overview_depth"], fine["overview_depth"])
    assert np.array_equal(fast["overview_segmentation"], fine["overview_segmentation"])


def test_it_passes_gymnasiums_checker_and_that_of_vector_environments(watched):
    gymnasium.register("tiny/Watched-v0", functools.partial(TaskEnv, watched))
    try:
        check_env(gymnasium.make("tiny/Watched-v0", cameras=EVERY).unwrapped)
    finally:
        del gymnasium.registry["tiny/Watched-v0"]
    check_vector_env(functools.partial(TaskVectorEnv, watched, 3, cameras=EVERY, render_size=64))
    check_vector_env(functools.partial(TaskVectorEnv, watched, 2, cameras="side", pool=40, render_size=64))


def test_gymnasiums_wrappers_work_on_it(watched, tmp_path):
    from gymnasium import wrappers

    env = TaskEnv(watched, render_mode="rgb_array", render_size=64, max_episode_steps=4)
    env = wrappers.RecordEpisodeStatistics(wrappers.AddRenderObservation(env))
    assert env.observation_space == gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    seen, _ = env.reset(seed=0)
    assert np.array_equal(seen, env.render())
    for _ in range(4):
        seen, _, _, truncated, info = env.step(np.ones(1))
    assert truncated
    assert info["episode"]["l"] == 4
    many = TaskVectorEnv(watched, 2, render_mode="rgb_array", render_size=64, max_episode_steps=3)
    many = wrappers.vector.RecordEpisodeStatistics(many)
    many.reset(seed=0)
    for _ in range(3):
        *_, info = many.step(np.ones((2, 1)))
    assert info["episode"]["l"].tolist() == [3, 3]
    assert len(many.render()) == 2


@pytest.mark.parametrize(
    ("error", "says", "keywords"),
    [
        (UnknownNameError, "no camera 'sid'; did you mean 'side'", {"cameras": "sid"}),
        (UnknownNameError, "no camera 'up'", {"render_mode": "rgb_array", "render_camera": "up"}),
        (ParameterError, "no setting 'sise'; did you mean 'size'", {"cameras": {"side": {"sise": 3}}}),
        (
            ParameterError,
            r"\(width, height\) or one number, got \(1, 2, 3\)",
            {"cameras": {"side": {"size": (1, 2, 3)}}},
        ),
        (ParameterError, "named twice", {"cameras": ["side", "side"]}),
        (ParameterError, "the view of camera 'overview'", {"cameras": {"side": View("overview")}}),
        (RenderError, "no kind of picture 'deph'", {"cameras": {"side": {"kinds": "deph"}}}),
        (RenderError, "1 to 4096 pixels a side, got 0", {"cameras": {"side": {"size": 0}}}),
        (RenderError, "1 to 4096 pixels a side, got 5000", {"render_mode": "rgb_array", "render_size": 5000}),
        (RenderError, "no preset 'fasd'; did you mean 'fast'", {"preset": "fasd"}),
        (RenderError, "must be None or 'rgb_array', got 'human'", {"render_mode": "human"}),
    ],
)
def test_bad_keywords_are_refused_at_once(watched, error, says, keywords):
    with pytest.raises(error, match=says):
        TaskEnv(watched, **keywords)


def test_a_camera_may_not_have_the_name_of_an_observation(tiny, watched):
    def build(self, p):
        spec = watched.build(p)
        add_camera(spec.worldbody, "force", NEAR, (1, 1, 1), (0, 0, 0))
        return spec

    kept = {k: v for k, v in vars(tiny.Watched).items() if not k.startswith("_")}
    task = type("Clash", (Task,), {**kept, "build": build})()
    with pytest.raises(ParameterError, match="another observation are 'force'"):
        TaskEnv(task, cameras="force")
    env = TaskEnv(task, render_mode="rgb_array", render_camera="force", render_size=8)
    env.reset(seed=0)
    assert env.render().shape == (8, 8, 3)


def test_a_task_without_cameras_says_so(tiny):
    env = TaskVectorEnv(tiny.Shove(), 2)
    assert env.metadata["render_modes"] == []
    with pytest.raises(RenderError, match="has no camera to render"):
        TaskEnv(tiny.Shove(), render_mode="rgb_array")


def test_rendering_before_the_first_reset_is_refused(watched):
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        TaskEnv(watched, render_mode="rgb_array").render()


def test_without_opengl_it_says_what_to_install_and_depth_can_be_had(watched, monkeypatch):
    monkeypatch.setattr(opengl, "missing", lambda backend: f"lib{backend}.so is missing: apt-get install {backend}")
    rays = render.Renderer(None)
    monkeypatch.setattr(env_images, "renderer", lambda: rays)
    with pytest.raises(TypeError, match=r"rgb needs OpenGL .*apt-get install"):  # upon which clients go on without
        TaskEnv(watched, render_mode="rgb_array")
    with pytest.raises(RenderError, match="depth and segmentation can be had"):
        TaskVectorEnv(watched, 2, cameras="side")
    env = TaskEnv(watched, cameras={"overview": {"size": 32, "kinds": ["depth", "segmentation"]}})
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    assert seen["overview_depth"].max() > 0


def test_the_layout_names_cameras_and_segments(watched):
    known = layout(watched)
    for found, given in zip(known.cameras["overview"], NEAR, strict=True):
        assert found == pytest.approx(given)  # compiled in float32
    assert list(known.cameras) == ["overview", "side"]
    model = TaskVectorEnv(watched)._draws.episode(0).scenario.model
    assert known.segments == segments(model)
