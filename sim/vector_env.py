"""Environments of one task that advance together on one Batch: Gymnasium's vector environment; see `sim.envs`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sim.draws import Drawn, Draws
from sim.engine import Engine, horizon_steps
from sim.errors import ActionError, ParameterError, RenderError, nearest
from sim.layout import Layout, layout
from sim.parameters import Overrides
from sim.task import Task, resolve

Array = NDArray[Any]
Info = dict[str, Any]

_OPTIONS = ("episode_seed", "parameters", "reset_mask")
_PICKLED = ("_kwargs", "_rngs", "_seeds", "_begun", "_once", "_done", "_last")
_ENVS_PER_THREAD = 8  # with fewer, waiting for one another costs threads more than they gain


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
    _engine: Engine | None = None  # opened by the first reset

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
            raise RenderError(f"render_mode {render_mode!r} is not known; this version renders nothing: leave it out")
        if num_envs < 1:
            raise ParameterError(f"num_envs must be at least 1, got {num_envs}")
        if obs not in ("box", "dict"):
            raise ParameterError(f"obs must be 'box' or 'dict', got {obs!r}")
        self.task = resolve(task) if isinstance(task, str) else task
        self.num_envs, self.render_mode, self._dict = num_envs, None, obs == "dict"
        self._overrides = dict(parameters or {})
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode, "render_fps": self.task.control_hz}
        known = layout(self.task)
        self.single_action_space = spaces.Box(-1.0, 1.0, (len(known.actions),), np.float32)
        self.single_observation_space = _observation_space(known, named=self._dict)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        low, high = np.array([(a.low, a.high) for a in known.actions]).reshape(-1, 2).T
        self._centre, self._half = (low + high) / 2, (high - low) / 2
        if max_episode_steps == 0:
            raise ParameterError("max_episode_steps must be at least 1, or -1 for the task's horizon; got 0")
        horizon = horizon_steps(self.task)
        self._limit = horizon if max_episode_steps is None or max_episode_steps < 0 else min(horizon, max_episode_steps)
        self._nthread = nthread or max(1, min(os.cpu_count() or 1, num_envs // _ENVS_PER_THREAD))
        self._draws = Draws(self.task, self._overrides)
        self._pool = [self._draws.episode(seed) for seed in (range(pool) if isinstance(pool, int) else pool)]
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        self._everywhere = np.ones(num_envs, bool)
        self._clear()

    def _clear(self) -> None:
        """Make the tables of what is known of the running episodes."""
        n = self.num_envs
        self._seeds = np.zeros(n, np.uint64)
        self._numbers, self._words = np.zeros((n, len(self._draws.numbers))), np.empty((n, len(self._draws.words)), "O")
        self._begun: list[Overrides] = [self._overrides] * n
        self._once, self._done = np.zeros((2, n), bool)
        self._last = np.zeros((n, 0), np.float32)

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Each environment's generator, which its episodes' seeds are drawn from."""
        return tuple(self._generator(row) for row in range(self.num_envs))

    @property
    def engine(self) -> Engine:
        """The simulations.

        Raises:
            ResetNeeded: before the first reset.
        """
        if self._engine is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        return self._engine

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
        draws = Draws(self.task, self._overrides | dict(changed)) if changed else None
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
        engine = self.engine
        if self.autoreset_mode is AutoresetMode.DISABLED and self._done.any():
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
                self._begin(np.flatnonzero(fresh))
            rewards = np.asarray(self.task.reward(engine.state), np.float64)
            codes = np.asarray(self.task.failure(engine.state), np.int64)
            held = engine.succeeded()
            rows = self._seen(broken)
        quiet = broken | fresh
        rewards, codes, held = np.where(quiet, 0.0, rewards), np.where(quiet, 0, codes), held & ~quiet
        self._once = self._once | held
        terminations, truncations = codes > 0, broken | (~fresh & (engine.steps >= self._limit))
        self._done = terminations | truncations
        info = self._info(self._everywhere, held, codes, broken)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
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
        for row in np.flatnonzero(done).tolist():
            final[row] = row_of(self._observation(rows), row)
        self._begin(np.flatnonzero(done))
        with np.errstate(all="ignore"):
            new = self._seen()
        now = self._info(self._everywhere)
        kept = {k: np.where(done, now[k], info[k]) for k in now if k[0] != "_" and k != "parameters"}
        self._done = np.zeros(self.num_envs, bool)
        last = {"final_obs": final, "_final_obs": done, "final_info": _with_masks(info, done), "_final_info": done}
        return np.where(done[:, None], new, rows), {**now, **kept, **last}

    def _begin(self, ids: Array, seeds: Sequence[int | None] | None = None, draws: Draws | None = None) -> None:
        """Begin episodes of given seeds, or of those that the environments draw."""
        given = seeds or [None] * len(ids)
        if self._engine is None and len(ids) < self.num_envs:
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments: leave reset_mask out")
        episodes = [self._next(row, seed, draws) for row, seed in zip(ids.tolist(), given, strict=True)]
        self._load(ids, episodes)
        for row in ids.tolist():
            self._begun[row] = draws.overrides if draws else self._overrides
        self._once, self._done = self._once.copy(), self._done.copy()
        self._once[ids] = self._done[ids] = False

    def _load(self, ids: Array, episodes: Sequence[Drawn]) -> None:
        """Put episodes into some environments' simulations, at their start."""
        scenarios = [episode.scenario for episode in episodes]
        if self._engine is None:
            self._engine = Engine(self.task, scenarios, telemetry=False, nthread=self._nthread)
        else:
            self._engine.replace(ids, scenarios)
        with np.errstate(all="ignore"):
            self._engine.reset(ids)
        for row, episode in zip(ids.tolist(), episodes, strict=True):
            self._seeds[row] = episode.scenario.seed
            self._numbers[row], self._words[row] = episode.numbers, episode.words
        self._tabulate()

    def _tabulate(self) -> None:
        """Make the table of the running episodes' parameters anew: those in earlier infos stay as they were."""
        self._table = dict(zip(self._draws.numbers, self._numbers.T.copy(), strict=True))
        self._table |= dict(zip(self._draws.words, self._words.T.copy(), strict=True))
        self._masked_table = _with_masks(self._table, self._everywhere)

    def _next(self, row: int, seed: int | None, draws: Draws | None) -> Drawn:
        if seed is None and self._pool:
            return self._pool[int(self._generator(row).integers(len(self._pool)))]
        drawn = int(self._generator(row).integers(2**63)) if seed is None else seed
        return (draws or self._draws).episode(drawn)

    def _generator(self, row: int) -> np.random.Generator:
        found = self._rngs[row]
        if found is None:
            found = self._rngs[row] = seeding.np_random()[0]
        return found

    def normalized(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Return actions (..., nu) in the actuators' units, as they are recorded, as actions in [-1, 1].

        Stepping with these, in float64, applies the recorded actions to the bit.
        """
        return (np.asarray(actions, np.float64) - self._centre) / self._half

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
        rows = self.engine.observe()
        if broken is not None and broken.any():
            rows[broken] = self._last[broken]
        self._last = rows.copy()
        return rows

    def _observation(self, rows: NDArray[np.float32]) -> Any:  # noqa: ANN401 - as the observation space
        return self.engine.columns.split(rows) if self._dict else rows

    def _info(
        self, mask: Array, held: Array | None = None, codes: Array | None = None, broken: Array | None = None
    ) -> Info:
        n = self.num_envs
        held = np.zeros(n, bool) if held is None else held
        table = self._masked_table if mask is self._everywhere else _with_masks(self._table, mask)
        return _with_masks(
            {
                "episode_seed": self._seeds.copy(),
                "episode_step": self.engine.steps.copy(),
                "success": held,
                "is_success": self._once.copy(),
                "success_once": self._once.copy(),
                "success_at_end": held.copy(),
                "fail_code": np.zeros(n, np.int64) if codes is None else codes,
                "sim_error": np.zeros(n, bool) if broken is None else broken,
            },
            mask,
        ) | {"parameters": dict(table), "_parameters": mask}

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
        state = {k: getattr(self, k) for k in ("spec", *_PICKLED)}
        if self._engine is not None:
            state |= {"steps": self._engine.steps, "integration": self._engine.world.integration()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Go on from where the pickled environment stood."""
        self.__init__(**state["_kwargs"])
        for name in ("spec", *_PICKLED):
            setattr(self, name, state[name])
        if "integration" in state:
            seeds = zip(self._seeds.tolist(), self._begun, strict=True)
            self._load(np.arange(self.num_envs), [Draws(self.task, begun).episode(seed) for seed, begun in seeds])
            self.engine.restore(state["integration"], state["steps"])


def _observation_space(known: Layout, *, named: bool) -> spaces.Space[Any]:
    parts: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(np.full(dim, f.low, np.float32), np.full(dim, f.high, np.float32), dtype=np.float32)
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


def row_of(observation: Any, row: int) -> Any:  # noqa: ANN401 - as the observation space
    """Return a copy of one environment's observation."""
    if isinstance(observation, dict):
        return {name: value[row].copy() for name, value in observation.items()}
    return observation[row].copy()


def first_info(info: Info) -> Info:
    """Return the first environment's info, without masks, as plain bools and NumPy numbers."""
    out: Info = {}
    for key, value in info.items():
        if isinstance(value, dict):
            out[key] = first_info(value)
        elif key[0] != "_":
            out[key] = bool(value[0]) if value.dtype == np.bool_ else value[0]
    return out
