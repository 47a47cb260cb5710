"""Gymnasium environments of tasks: many that advance together on one Batch, or one of them.

The episode is that of `sim.rollout`: what is observed, judged and paid is computed by the same engine, so that an
environment, a row of a vector environment and a recorded episode of the same seed and actions agree bit for bit.

- Actions are in [-1, 1] for each actuator and stand for the range that `genba describe` gives; observations are one
  Box of float32 in the order that it gives, or with obs="dict" a Dict.
- An episode ends where the task fails (terminated), at the horizon, or where the physics diverges (truncated, with
  info["sim_error"]). It goes on after success.
- Every info has the same keys: episode_seed and parameters reproduce the episode, `is_success` says whether success
  has been held for as long as the task asks at some time of it, and `success` whether it is being held now.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sim import parameters
from sim.engine import Engine, horizon_steps, scenario
from sim.errors import ActionError, ParameterError, nearest
from sim.layout import Layout, layout
from sim.parameters import Overrides
from sim.scenario import Scenario
from sim.task import Task, resolve

Array = NDArray[Any]
Info = dict[str, Any]

_OPTIONS = ("episode_seed", "parameters", "reset_mask")
_PICKLED = ("_kwargs", "_rngs", "_seeds", "_begun", "_once", "_done", "_last")
_ENVS_PER_THREAD = 8  # with fewer, waiting for one another costs threads more than they gain


def register_tasks(tasks: Mapping[str, str], *, max_episode_steps: Mapping[str, int] | None = None) -> None:
    """Make tasks known to Gymnasium, single and vectorized; imports none of them.

    Args:
        tasks: environment id -> "module:Class", as in {"genba/CraneCoil-v0": "scenes.steel.crane_coil:CraneCoil"}.
        max_episode_steps: environment id -> control steps of the task's horizon, for the spec.
    """
    for name, address in tasks.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="sim.envs:TaskEnv",
                vector_entry_point="sim.envs:TaskVectorEnv",
                max_episode_steps=(max_episode_steps or {}).get(name),
                kwargs={"task": address},
            )


class _Episode(NamedTuple):
    """An episode to begin: its scenario, and its parameters that are numbers and that are words."""

    scenario: Scenario
    numbers: NDArray[np.float64]
    words: Array


class TaskVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments of one task that advance together, each with its own scene.

    Args:
        task: a task, or "module:Class".
        num_envs: number of environments.
        parameters: changes to the task's parameters by dotted name: values or distributions.
        obs: "box" for one flat observation, "dict" for named ones.
        pool: 0 to build a new scene for every episode; n to compile those of the episodes 0 to n - 1 beforehand and
            draw from them; or the seeds of the episodes to draw from. A reset then costs microseconds.
        autoreset_mode: when an environment that is done begins its next episode.
        max_episode_steps: episodes are cut there, if the task's horizon is not shorter.
        nthread: threads that share the environments; None: up to one a processor. Changes no bit.
        render_mode: None.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(  # noqa: PLR0913 - an environment's keywords are its configuration
        self,
        task: Task | str,
        num_envs: int = 1,
        *,
        parameters: Overrides | None = None,
        obs: str = "box",
        pool: int | Sequence[int] = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        nthread: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._kwargs = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if render_mode is not None:
            raise ParameterError(f"render_mode {render_mode!r} is not known; this version has none")
        if num_envs < 1:
            raise ParameterError(f"num_envs must be at least 1, got {num_envs}")
        if obs not in ("box", "dict"):
            raise ParameterError(f"obs must be 'box' or 'dict', got {obs!r}")
        self.task = resolve(task) if isinstance(task, str) else task
        self.num_envs, self.render_mode, self._dict = num_envs, None, obs == "dict"
        self._overrides = dict(parameters or {})
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self._mode, "render_fps": self.task.control_hz}
        known = layout(self.task)
        self.single_action_space = spaces.Box(-1.0, 1.0, (len(known.actions),), np.float32)
        self.single_observation_space = _observation_space(known, named=self._dict)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        low, high = np.array([(a.low, a.high) for a in known.actions]).reshape(-1, 2).T
        self._centre, self._half = (low + high) / 2, (high - low) / 2
        horizon = horizon_steps(self.task)
        self._limit = min(horizon, max_episode_steps) if max_episode_steps else horizon
        self._nthread = nthread or max(1, min(os.cpu_count() or 1, num_envs // _ENVS_PER_THREAD))
        self._draws = _Draws(self.task, self._overrides)
        self._pool = [self._draws.episode(seed) for seed in (range(pool) if isinstance(pool, int) else pool)]
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        self._engine: Engine | None = None
        self._clear()

    def _clear(self) -> None:
        """Make the tables of what is known of the running episodes."""
        n = self.num_envs
        self._seeds = np.zeros(n, np.uint64)
        self._numbers, self._words = np.zeros((n, len(self._draws.numbers))), np.empty((n, len(self._draws.words)), "O")
        self._begun: list[Overrides] = [self._overrides] * n
        self._once, self._done = np.zeros((2, n), bool)
        self._last = np.zeros((n, 0), np.float32)
        self._tabulate()

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Each environment's generator, which its episodes' seeds are drawn from."""
        return tuple(self._generator(row) for row in range(self.num_envs))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, Info]:
        """Begin episodes.

        Args:
            seed: environment i draws its episodes from seed + i, or from seed[i].
            options: "episode_seed", one or one each: the episodes themselves, as `sim.rollout` and datasets number
                them; "parameters": changes for these episodes only; "reset_mask" (num_envs,) bool: where to begin.
        """
        options = dict(options or {})
        for name in options:
            if name not in _OPTIONS:
                raise ParameterError(f"no reset option {name!r}{nearest(name, _OPTIONS)}")
        ids = self._masked(options.get("reset_mask"))
        for row, one in zip(range(self.num_envs), self._each("seed", seed, step=1), strict=True):
            if one is not None and row in ids:
                self._rngs[row] = seeding.np_random(one)[0]
        seeds = self._each("episode_seed", options.get("episode_seed"), step=0)
        changed = options.get("parameters")
        draws = _Draws(self.task, self._overrides | dict(changed)) if changed else None
        self._begin(ids, [seeds[row] for row in ids], draws)
        rows = self._seen()
        return self._observation(rows), self._info(np.isin(np.arange(self.num_envs), ids))

    def step(self, actions: ArrayLike) -> tuple[Any, Array, Array, Array, Info]:
        """Take one control step everywhere; see `gymnasium.vector.VectorEnv.step`.

        Args:
            actions: (num_envs, nu), in [-1, 1]; what is beyond is clipped.

        Raises:
            ActionError: wrong shape, or not finite.
        """
        engine = self._open()
        if self._mode is AutoresetMode.DISABLED and self._done.any():
            raise gymnasium.error.ResetNeeded(
                f"environments {np.flatnonzero(self._done).tolist()} are done: reset them"
            )
        fresh = self._done
        running = np.flatnonzero(~fresh)
        with np.errstate(all="ignore"):
            if running.size:
                engine.advance(engine.applied(self._physical(actions)), running)
            broken = np.array([bool(fault) for fault in engine.world.faults()]) & ~fresh
            if fresh.any():
                self._begin(np.flatnonzero(fresh), [None] * int(fresh.sum()))
            rewards = np.asarray(self.task.reward(engine.state), np.float64)
            codes = np.asarray(self.task.failure(engine.state), np.int64)
            held = engine.succeeded()
            rows = self._seen(broken)
        quiet = broken | fresh
        rewards, codes, held = np.where(quiet, 0.0, rewards), np.where(quiet, 0, codes), held & ~quiet
        self._once = self._once | held
        terminations, truncations = codes > 0, broken | (~fresh & (engine.steps >= self._limit))
        self._done = terminations | truncations
        info = self._info(np.ones(self.num_envs, bool), held, codes, broken)
        if self._mode is AutoresetMode.SAME_STEP and self._done.any():
            rows, info = self._restarted(rows, info)
        return self._observation(rows), rewards, terminations, truncations, info

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ANN401 - Gymnasium's signature
        """Let go of the simulations."""
        if self._engine is not None:
            self._engine.world.close()
            self._engine = None

    def _restarted(self, rows: Array, info: Info) -> tuple[Array, Info]:
        """Begin the next episode where one is done; return the observations and infos of both."""
        done = self._done
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(done):
            final[row] = _row(self._observation(rows), row)
        self._begin(np.flatnonzero(done), [None] * int(done.sum()))
        with np.errstate(all="ignore"):
            new = self._seen()
        now = self._info(np.ones(self.num_envs, bool))
        kept = {k: np.where(done, now[k], info[k]) for k in now if k[0] != "_" and k != "parameters"}
        self._done = np.zeros(self.num_envs, bool)
        last = {"final_obs": final, "_final_obs": done, "final_info": _with_masks(info, done), "_final_info": done}
        return np.where(done[:, None], new, rows), {**now, **kept, **last}

    def _begin(self, ids: Array, seeds: Sequence[int | None], draws: "_Draws | None" = None) -> None:
        """Begin episodes of given seeds, or of those that the environments draw."""
        episodes = [self._next(row, seed, draws) for row, seed in zip(ids.tolist(), seeds, strict=True)]
        scenarios = [episode.scenario for episode in episodes]
        if self._engine is None:
            if len(ids) < self.num_envs:
                raise gymnasium.error.ResetNeeded("the first reset must be of all environments: leave reset_mask out")
            self._engine = Engine(self.task, scenarios, nthread=self._nthread)
        else:
            self._engine.replace(ids, scenarios)
        with np.errstate(all="ignore"):
            self._engine.reset(ids)
        for row, episode in zip(ids.tolist(), episodes, strict=True):
            self._seeds[row] = episode.scenario.seed
            self._numbers[row], self._words[row] = episode.numbers, episode.words
            self._begun[row] = draws.overrides if draws else self._overrides
        self._once, self._done = self._once.copy(), self._done.copy()
        self._once[ids] = self._done[ids] = False
        self._tabulate()

    def _tabulate(self) -> None:
        """Make the table of the running episodes' parameters anew: those in earlier infos stay as they were."""
        self._table = dict(zip(self._draws.numbers, self._numbers.T.copy(), strict=True))
        self._table |= dict(zip(self._draws.words, self._words.T.copy(), strict=True))

    def _next(self, row: int, seed: int | None, draws: "_Draws | None") -> _Episode:
        if seed is None and self._pool:
            return self._pool[int(self._generator(row).integers(len(self._pool)))]
        return (draws or self._draws).episode(_draw_seed(self._generator(row)) if seed is None else int(seed))

    def _generator(self, row: int) -> np.random.Generator:
        found = self._rngs[row]
        if found is None:
            found = self._rngs[row] = seeding.np_random()[0]
        return found

    def _physical(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Return actions in the actuators' units."""
        found = np.asarray(actions, np.float64)
        if found.shape != (self.num_envs, len(self._half)):
            raise ActionError(f"actions need shape {(self.num_envs, len(self._half))}, got {found.shape}")
        if not np.isfinite(found).all():
            raise ActionError(f"actions must be finite, got {found.tolist()}")
        physical = self._centre + np.clip(found, -1.0, 1.0) * self._half
        return np.where(np.abs(physical) < 1e-9 * self._half, 0.0, physical)  # zero, as brakes know it

    def _seen(self, broken: Array | None = None) -> NDArray[np.float32]:
        """Return what is observed (num_envs, width): the last that was, where the physics has diverged."""
        rows = self._open().observe()
        if broken is not None and broken.any():
            rows[broken] = self._last[broken]
        self._last = rows.copy()
        return rows

    def _observation(self, rows: NDArray[np.float32]) -> Any:  # noqa: ANN401 - as the observation space
        return self._open().columns.split(rows) if self._dict else rows

    def _info(
        self, mask: Array, held: Array | None = None, codes: Array | None = None, broken: Array | None = None
    ) -> Info:
        n = self.num_envs
        held = np.zeros(n, bool) if held is None else held
        return _with_masks(
            {
                "episode_seed": self._seeds.copy(),
                "episode_step": self._open().steps.copy(),
                "success": held,
                "is_success": self._once.copy(),
                "success_once": self._once.copy(),
                "success_at_end": held.copy(),
                "fail_code": np.zeros(n, np.int64) if codes is None else codes,
                "sim_error": np.zeros(n, bool) if broken is None else broken,
                "parameters": self._table,
            },
            mask,
        )

    def _open(self) -> Engine:
        if self._engine is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        return self._engine

    def _masked(self, mask: object) -> NDArray[np.intp]:
        if mask is None:
            return np.arange(self.num_envs)
        found = np.asarray(mask)
        if found.shape != (self.num_envs,) or found.dtype != np.bool_ or not found.any():
            raise ParameterError(f"reset_mask must be {self.num_envs} bools, one of them true; got {mask!r}")
        return np.flatnonzero(found)

    def _each(self, what: str, given: Any, *, step: int) -> list[int | None]:  # noqa: ANN401 - a number or a sequence
        """Spread one number, or a sequence of them, over the environments."""
        if given is None or isinstance(given, int | np.integer):
            return [None if given is None else int(given) + step * i for i in range(self.num_envs)]
        found = [None if one is None else int(one) for one in given]
        if len(found) != self.num_envs:
            raise ParameterError(f"{what} needs one number or {self.num_envs}, got {len(found)}")
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Keep what the episodes are and where they stand; their scenes are built anew."""
        state = {
            k: self.__dict__[k] for k in ("_kwargs", "_rngs", "_seeds", "_begun", "_once", "_done", "_last", "spec")
        }
        if self._engine is not None:
            state |= {"steps": self._engine.steps, "integration": self._engine.world.integration()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Go on from where the pickled environment stood."""
        self.__init__(**state["_kwargs"])
        self.spec = state["spec"]
        if "integration" in state:
            seeds, begun = state["_seeds"].tolist(), state["_begun"]
            episodes = [_Draws(self.task, o).episode(seed) for seed, o in zip(seeds, begun, strict=True)]
            self._engine = Engine(self.task, [e.scenario for e in episodes], nthread=self._nthread)
            self._engine.reset()
            self._engine.restore(state["integration"], state["steps"])
            self._numbers, self._words = np.array([e.numbers for e in episodes]), np.array([e.words for e in episodes])
            self._tabulate()
        for name in _PICKLED:
            setattr(self, name, state[name])


class TaskEnv(gymnasium.Env[Any, Any]):
    """One environment of a task: a row of a `TaskVectorEnv`; see there for the arguments."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        task: Task | str,
        *,
        parameters: Overrides | None = None,
        obs: str = "box",
        pool: int | Sequence[int] = 0,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._rows = TaskVectorEnv(
            task,
            parameters=parameters,
            obs=obs,
            pool=pool,
            autoreset_mode=AutoresetMode.DISABLED,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
        self.task = self._rows.task
        self.observation_space, self.action_space = self._rows.single_observation_space, self._rows.single_action_space
        self.metadata = {**self.metadata, "render_fps": self.task.control_hz}
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, Info]:
        """Begin an episode; see `TaskVectorEnv.reset`, whose row 0 this is."""
        super().reset(seed=seed)
        self._rows._rngs = [self.np_random]
        observation, info = self._rows.reset(options=options)
        return _row(observation, 0), _row_info(info)

    def step(self, action: ArrayLike) -> tuple[Any, float, bool, bool, Info]:
        """Take one control step with an action (nu,) in [-1, 1]."""
        observation, rewards, terminations, truncations, info = self._rows.step(np.asarray(action)[None])
        return (
            _row(observation, 0),
            float(rewards[0]),
            bool(terminations[0]),
            bool(truncations[0]),
            _row_info(info),
        )

    def close(self) -> None:
        """Let go of the simulation."""
        self._rows.close()


class _Draws:
    """Makes the episodes of a task from their seeds, under some changes to its parameters."""

    def __init__(self, task: Task, overrides: Overrides) -> None:
        self.task, self.overrides = task, overrides
        fields = parameters.describe(task.Params, overrides)
        self.words = [n for n, f in fields.items() if isinstance(f.distribution.nominal, str)]
        self.numbers = [n for n in fields if n not in self.words]

    def episode(self, seed: int) -> _Episode:
        """Draw the parameters of an episode, and build and compile its scene."""
        p = parameters.sample(self.task.Params, seed, self.overrides)
        values = parameters.flatten(p)
        numbers = np.array([float(values[n]) for n in self.numbers])
        return _Episode(scenario(self.task, p, seed), numbers, np.array([values[n] for n in self.words], object))


def _draw_seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def _observation_space(known: Layout, *, named: bool) -> spaces.Space[Any]:
    parts: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(*(np.full(dim, bound, np.float32) for bound in (f.low, f.high)), dtype=np.float32)
        for name, (dim, f) in known.observations.items()
    }
    if named:
        return spaces.Dict(parts)
    low, high = (np.concatenate([getattr(box, end) for box in parts.values()]) for end in ("low", "high"))
    return spaces.Box(low, high, dtype=np.float32)


def _with_masks(info: Info, mask: Array) -> Info:
    """Give an info Gymnasium's masks: _key says for which environments key holds."""
    out: Info = {}
    for key, value in info.items():
        if key[0] != "_":
            out[key] = _with_masks(value, mask) if isinstance(value, dict) else value
            out[f"_{key}"] = mask
    return out


def _row(observation: Any, row: int) -> Any:  # noqa: ANN401 - as the observation space
    if isinstance(observation, dict):
        return {name: value[row].copy() for name, value in observation.items()}
    return observation[row].copy()


def _row_info(info: Info) -> Info:
    """Return the first environment's info, without masks, as plain bools and NumPy numbers."""
    out: Info = {}
    for key, value in info.items():
        if key[0] == "_":
            continue
        if isinstance(value, dict):
            out[key] = _row_info(value)
        else:
            out[key] = bool(value[0]) if value.dtype == np.bool_ else value[0]
    return out
