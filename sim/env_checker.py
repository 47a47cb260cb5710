"""Check a vector environment against what Gymnasium's interface promises; Gymnasium checks only single ones.

Each check raises AssertionError with what was found. Run it on every environment that has a `vector_entry_point`.
"""

import functools
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

Make = Callable[..., VectorEnv[Any, Any, Any]]
Env = VectorEnv[Any, Any, Any]

_STEPS = 8
_KEEPS = 3  # steps that an episode of the autoreset checks lasts
_MOVES = 200  # steps of full action after which something must have moved in a picture


def check_vector_env(make: Make) -> None:
    """Check spaces, types, seeds, determinism, copies, infos, the three autoreset modes, image observations and frames.

    Args:
        make: called with autoreset_mode=..., max_episode_steps=... where episodes must be short, and
            render_mode="rgb_array" if the environment's metadata has that; returns a new environment of two or more.

    Raises:
        AssertionError: the environment breaks a promise; the message says which.
    """
    make = functools.partial(_seeded, make)
    _check_spaces(make(autoreset_mode=AutoresetMode.NEXT_STEP))
    _check_copies(make(autoreset_mode=AutoresetMode.NEXT_STEP))
    _check_seeds(make)
    _check_next_step(make(autoreset_mode=AutoresetMode.NEXT_STEP, max_episode_steps=_KEEPS))
    _check_same_step(make(autoreset_mode=AutoresetMode.SAME_STEP, max_episode_steps=_KEEPS))
    _check_disabled(make(autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=_KEEPS))
    _check_images(make(autoreset_mode=AutoresetMode.DISABLED))
    _check_frames(make)


def _seeded(make: Make, **keywords: Any) -> Env:  # noqa: ANN401 - what make takes
    """Return a new environment whose action space samples the same actions each time."""
    env = make(**keywords)
    env.action_space.seed(0)
    return env


def _check_spaces(env: Env) -> None:
    with closing(env):
        n = env.num_envs
        assert n >= 2, f"the check needs two environments or more, got {n}"
        assert isinstance(env.metadata["autoreset_mode"], AutoresetMode), (
            "metadata['autoreset_mode'] is no AutoresetMode"
        )
        for batch, single in (
            (env.observation_space, env.single_observation_space),
            (env.action_space, env.single_action_space),
        ):
            wanted = gymnasium.vector.utils.batch_space(single, n)
            assert batch == wanted, f"{batch} is not the batch of {single}"
        observation, info = env.reset(seed=0)
        _check_observation(env, observation)
        _check_info(info, n)
        for _ in range(_STEPS):
            observation, rewards, terminations, truncations, stepped = env.step(env.action_space.sample())
            _check_observation(env, observation)
            assert rewards.shape == (n,), f"rewards have shape {rewards.shape}"
            assert rewards.dtype == np.float64, f"rewards are {rewards.dtype}"
            assert np.isfinite(rewards).all(), f"rewards are {rewards}"
            for name, flags in (("terminations", terminations), ("truncations", truncations)):
                assert flags.shape == (n,), f"{name} have shape {flags.shape}"
                assert flags.dtype == np.bool_, f"{name} are {flags.dtype}"
            _check_info(stepped, n)
            assert _types(stepped) == _types(info), "infos change keys or types between reset and step"


def _check_observation(env: Env, observation: Any) -> None:  # noqa: ANN401 - as the observation space
    space = env.observation_space
    assert space.contains(observation), f"the observation {observation!r} is not in {space}"


def _check_info(info: dict[str, Any], n: int) -> None:
    for key, value in info.items():
        if isinstance(value, dict):
            _check_info(value, n)
        elif key not in ("final_obs",):
            assert isinstance(value, np.ndarray), f"info[{key!r}] is no array but {type(value).__name__}"
            assert len(value) == n, f"info[{key!r}] has {len(value)} rows, not {n}"
            assert value.dtype.kind != "f" or np.isfinite(value).all(), f"info[{key!r}] is not finite: {value}"
        if not key.startswith("_"):
            assert f"_{key}" in info, f"info[{key!r}] has no mask"


def _types(info: dict[str, Any]) -> dict[str, Any]:
    return {k: _types(v) if isinstance(v, dict) else v.dtype for k, v in info.items()}


def _check_seeds(make: Make) -> None:
    first, second = (make(autoreset_mode=AutoresetMode.NEXT_STEP) for _ in range(2))
    with closing(first), closing(second):
        first.action_space.seed(1)
        actions = [first.action_space.sample() for _ in range(_STEPS)]
        one, other = _run(first, 7, actions), _run(second, 7, actions)
        assert _same(one, other), "the same seed gives different episodes"
        assert _same(one, _run(first, 7, actions)), "a reset with a seed does not begin anew"
        assert not _same(one, _run(first, 8, actions)), "another seed gives the same episodes"
        shifted = _rows(first.reset(seed=8)[0], first.num_envs)
        for row, expected in zip(_rows(first.reset(seed=7)[0], first.num_envs)[1:], shifted, strict=False):
            assert _same(row, expected), "seed s does not give environment i the seed s + i"


def _run(env: Env, seed: int, actions: list[Any]) -> list[Any]:
    out: list[Any] = [env.reset(seed=seed)]
    out.extend(env.step(action) for action in actions)
    return out


def _check_copies(env: Env) -> None:
    with closing(env):
        before, info = env.reset(seed=3)
        kept = _copied((before, info))
        action = env.action_space.sample()
        mine = np.array(action)
        after = env.step(action)
        stepped = _copied(after)
        assert np.array_equal(mine, action), "step changes the caller's actions"
        assert _same((before, info), kept), "step changes what reset returned"
        env.step(action)
        assert _same(after, stepped), "a step changes what the one before returned"


def _check_next_step(env: Env) -> None:
    with closing(env):
        env.reset(seed=4)
        done = np.zeros(env.num_envs, bool)
        ended = 0
        for _ in range(3 * (_KEEPS + 1)):
            _, rewards, terminations, truncations, info = env.step(env.action_space.sample())
            assert not (done & (terminations | truncations)).any(), "NEXT_STEP: done again in the step that resets"
            assert (rewards[done] == 0.0).all(), "NEXT_STEP: a reward in the step that resets"
            assert "final_obs" not in info, "NEXT_STEP: final_obs belongs to SAME_STEP"
            done = terminations | truncations
            ended += int(done.sum())
        assert ended >= 2 * env.num_envs, f"NEXT_STEP: {ended} episodes of {_KEEPS} steps ended in 3 * {_KEEPS + 1}"


def _check_same_step(env: Env) -> None:
    with closing(env):
        env.reset(seed=5)
        ended = 0
        for _ in range(3 * _KEEPS):
            observation, _, terminations, truncations, info = env.step(env.action_space.sample())
            _check_observation(env, observation)
            done = terminations | truncations
            ended += int(done.sum())
            assert ("final_obs" in info) == done.any(), (
                "SAME_STEP: final_obs must be there when, and only when, episodes end"
            )
            if done.any():
                assert np.array_equal(info["_final_obs"], done), "SAME_STEP: _final_obs masks other environments"
                assert "final_info" in info, "SAME_STEP: no final_info"
                for row in np.flatnonzero(done):
                    final = info["final_obs"][row]
                    assert env.single_observation_space.contains(final), f"SAME_STEP: {final!r} is no observation"
                    new = _rows(observation, env.num_envs)[row]
                    assert not _same(final, new), "SAME_STEP: final_obs is the next episode's"
        assert ended >= 3 * env.num_envs, f"SAME_STEP: {ended} episodes of {_KEEPS} steps ended in 3 * {_KEEPS}"


def _check_disabled(env: Env) -> None:
    with closing(env):
        observation, _ = env.reset(seed=6)
        truncations = np.zeros(env.num_envs, bool)
        for _ in range(_KEEPS):
            observation, _, terminations, truncations, _ = env.step(env.action_space.sample())
            if (terminations | truncations).any():
                break
        done = np.zeros(env.num_envs, bool)
        done[0] = True
        fresh, info = env.reset(options={"reset_mask": done})
        old, new = (_rows(o, env.num_envs) for o in (observation, fresh))
        assert all(_same(a, b) for a, b in zip(old[1:], new[1:], strict=True)), "DISABLED: reset_mask resets others"
        assert not _same(old[0], new[0]), "DISABLED: reset_mask resets nothing"
        assert all(np.array_equal(v, done) for k, v in info.items() if k[0] == "_"), "DISABLED: masks are not the mask"


def _check_images(env: Env) -> None:
    """Check image observations: Boxes of three axes in a Dict."""
    with closing(env):
        parts = getattr(env.single_observation_space, "spaces", {})
        names = [name for name, space in parts.items() if len(space.shape or ()) == 3]
        first = env.reset(seed=9)[0]
        for name in names:
            assert (parts[name].low == 0).all(), f"the images {name!r} have values below 0"
            _check_moving(env, lambda seen, name=name: list(seen[name]), first, f"the images {name!r}")


def _check_frames(make: Make) -> None:
    with closing(make(autoreset_mode=AutoresetMode.DISABLED)) as env:
        if "rgb_array" not in env.metadata["render_modes"]:
            return
        assert env.metadata["render_fps"] > 0, f"metadata['render_fps'] is {env.metadata['render_fps']}"
    with closing(make(autoreset_mode=AutoresetMode.DISABLED, render_mode="rgb_array")) as env:
        assert env.render_mode == "rgb_array", f"render_mode is {env.render_mode!r}"
        seen = env.reset(seed=9)[0]
        frames, again = env.render(), env.render()
        assert isinstance(frames, tuple), f"render returns {type(frames).__name__}, no tuple"
        assert len(frames) == env.num_envs, f"render returns {len(frames)} frames of {env.num_envs} environments"
        for frame, other in zip(frames, again or (), strict=True):
            assert isinstance(frame, np.ndarray), f"a frame is no array but {type(frame).__name__}"
            assert frame.dtype == np.uint8, f"frames are {frame.dtype}"
            assert frame.ndim == 3, f"frames have shape {frame.shape}"
            assert frame.shape[-1] == 3, f"frames have shape {frame.shape}"
            assert not np.shares_memory(frame, other), "render returns the same memory twice"
            assert np.array_equal(frame, other), "two frames of one state differ"
            assert np.ptp(frame) > 0, "a frame shows nothing"
        _check_moving(env, lambda _: list(env.render() or ()), seen, "frames")


def _check_moving(env: Env, look: Callable[[Any], list[Any]], observation: Any, what: str) -> None:  # noqa: ANN401
    """Check that the pictures which look gets of an observation follow what happens."""
    first = now = look(observation)
    kept, actions = _copied(tuple(first)), np.ones_like(env.action_space.sample())
    actions[0] = -1.0
    for _ in range(_MOVES):
        observation, _, terminations, truncations, _ = env.step(actions)
        now = look(observation)
        if not any(_same(a, b) for a, b in zip(now, kept, strict=True)) or (terminations | truncations).any():
            break
    assert not all(_same(a, b) for a, b in zip(now, kept, strict=True)), f"{what} do not change"
    assert not _same(now[0], now[1]), f"{what} of two environments do not differ"
    assert _same(tuple(first), kept), f"a step changes {what} that were there before"
    assert _same(look(env.reset(seed=9)[0]), list(kept)), f"the same seed gives other {what}"


def _rows(observation: Any, n: int) -> list[Any]:  # noqa: ANN401 - as the observation space
    if isinstance(observation, dict):
        return [{k: v[i] for k, v in observation.items()} for i in range(n)]
    return [observation[i] for i in range(n)]


def _copied(value: Any) -> Any:  # noqa: ANN401 - anything that reset or step returns
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return tuple(_copied(v) for v in value) if isinstance(value, tuple) else np.array(value)


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401 - anything that reset or step returns
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(a, b))
