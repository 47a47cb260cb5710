"""Environments of one task that advance together on one Batch: Gymnasium's vector environment; see `sim.envs`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sim.draws import Drawn, Draws
from sim.engine import Engine, horizon_steps
from sim.env_images import Cameras, Images, read_cameras, render_view
from sim.env_infos import Info, Running, with_masks
from sim.env_spaces import Commands, each, observation_space, row_of, rows_to_reset
from sim.errors import ParameterError, RenderError, nearest
from sim.layout import layout
from sim.parameters import Overrides
from sim.render import PRESETS
from sim.task import Task, resolve

Array = NDArray[Any]

_OPTIONS = ("episode_seed", "parameters", "reset_mask")
_PICKLED = ("_kwargs", "_rngs", "_begun", "_done", "_last")
FRAME = (480, 360)  # pixels across and down
_ENVS_PER_THREAD = 8  # with fewer, waiting for one another costs threads more than they gain


class TaskVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments of one task that advance together, each with its own scene.

    Args:
        task: a task, or "module:Class".
        num_envs: number of environments.
        parameters: changes to the task's parameters by dotted name: values or distributions.
        obs: "box" for one flat observation, "dict" for named ones; with cameras it is "dict".
        cameras: image observations beside the others: a camera's name, several, or name -> {"size": (width, height) or
            one number, "kinds": of "rgb", "depth", "segmentation"}; or `sim.cameras.View`s. Observed are "<camera>"
            uint8 (H, W, 3), "<camera>_depth" float32 (H, W, 1) m, 0 where nothing is in range, and
            "<camera>_segmentation" uint16 (H, W, 1), numbers of the layout's segments.
        preset: how colours are drawn, here and in `render`: "fast", "fine" or "pbr".
        pool: 0 to build a new scene for every episode; n to compile those of the episodes 0 to n - 1 beforehand and
            draw from them; or the seeds of the episodes to draw from. A reset then costs microseconds.
        autoreset_mode: when an environment that is done begins its next episode.
        max_episode_steps: episodes are cut there, if the task's horizon is not shorter.
        nthread: threads that share the environments; None: up to one a processor. Changes no bit.
        render_mode: None, or "rgb_array".
        render_camera: whose pictures `render` returns; None: the scene's first.
        render_size: their width and height, pixels.

    Raises:
        RenderError: pictures are asked for that cannot be drawn here.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    _engine: Engine | None = None  # opened by the first reset

    def __init__(  # noqa: PLR0913 - an environment's keywords are its configuration
        self,
        task: Task | str,
        num_envs: int = 1,
        *,
        parameters: Overrides | None = None,
        obs: str = "box",
        cameras: Cameras = (),
        preset: str = "fast",
        pool: int | Sequence[int] = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        nthread: int | None = None,
        render_mode: str | None = None,
        render_camera: str | None = None,
        render_size: int | Sequence[int] = FRAME,
    ) -> None:
        self._kwargs = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if num_envs < 1:
            raise ParameterError(f"num_envs must be at least 1, got {num_envs}")
        if obs not in ("box", "dict"):
            raise ParameterError(f"obs must be 'box' or 'dict', got {obs!r}")
        if preset not in PRESETS:
            raise RenderError(f"no preset {preset!r}{nearest(preset, PRESETS)}")
        if render_mode not in (None, "rgb_array"):
            raise RenderError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.task = resolve(task) if isinstance(task, str) else task
        self.num_envs, self._overrides = num_envs, dict(parameters or {})
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        known = layout(self.task)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode, "render_fps": self.task.control_hz}
        if not known.cameras:
            self.metadata["render_modes"] = []
        views = read_cameras(cameras, known)
        self._images = Images(known, views, preset, num_envs) if views else None
        seen = [render_view(render_camera, render_size, known)] if render_mode else []
        self._frames = Images(known, seen, preset, num_envs) if seen else None
        self.render_mode, self._dict = render_mode, obs == "dict" or bool(views)
        self._commands = Commands(known)
        self.single_action_space = self._commands.space
        self.single_observation_space = observation_space(
            known, self._images.spaces if self._images else {}, named=self._dict
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        if max_episode_steps == 0:
            raise ParameterError("max_episode_steps must be at least 1, or -1 for the task's horizon; got 0")
        horizon = horizon_steps(self.task)
        self._limit = horizon if max_episode_steps is None or max_episode_steps < 0 else min(horizon, max_episode_steps)
        self._nthread = nthread or max(1, min(os.cpu_count() or 1, num_envs // _ENVS_PER_THREAD))
        self._draws = Draws(self.task, self._overrides)
        self._pool = [self._draws.episode(seed) for seed in (range(pool) if isinstance(pool, int) else pool)]
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        self._running = Running(num_envs, self._draws.numbers, self._draws.words)
        self._begun: list[Overrides] = [self._overrides] * num_envs
        self._done, self._last = np.zeros(num_envs, bool), np.zeros((num_envs, 0), np.float32)

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
        ids = rows_to_reset(options.get("reset_mask"), self.num_envs)
        for row, one in zip(range(self.num_envs), each("seed", seed, self.num_envs, step=1), strict=True):
            if one is not None and row in ids:
                self._rngs[row] = seeding.np_random(one)[0]
        seeds = each("episode_seed", options.get("episode_seed"), self.num_envs, step=0)
        changed = options.get("parameters")
        draws = Draws(self.task, self._overrides | dict(changed)) if changed else None
        self._begin(ids, [seeds[row] for row in ids], draws)
        begun = np.isin(np.arange(self.num_envs), ids)
        rows = self._seen(~begun)
        return self._observation(rows), self._running.info(self.engine.steps, begun)

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
                engine.advance(engine.applied(self._commands.physical(actions, self.num_envs)), running)
            broken = np.array([bool(fault) for fault in engine.world.faults()]) & ~fresh
            if fresh.any():
                self._begin(np.flatnonzero(fresh))
            rewards = np.asarray(self.task.reward(engine.state), np.float64)
            codes = np.asarray(self.task.failure(engine.state), np.int64)
            held = engine.succeeded()
            rows = self._seen(broken)
        quiet = broken | fresh
        rewards, codes, held = np.where(quiet, 0.0, rewards), np.where(quiet, 0, codes), held & ~quiet
        self._running.once |= held
        terminations, truncations = codes > 0, broken | (~fresh & (engine.steps >= self._limit))
        self._done = terminations | truncations
        info = self._running.info(engine.steps, None, held, codes, broken)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            rows, info = self._restarted(rows, info)
        return self._observation(rows), rewards, terminations, truncations, info

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return a picture (H, W, 3) uint8 of each environment as it stands; None without a render_mode.

        Where a state is not finite any more, it is the last that was asked for before.
        """
        if self._frames is None:
            return None
        good = np.isfinite(self.engine.world.control()).all(axis=1)
        self._frames.look(self.engine, np.flatnonzero(good))
        return tuple(frame.copy() for frame in self._frames.seen[self._frames.views[0].camera])

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ANN401 - Gymnasium's signature
        """Let go of the simulations."""
        if self._engine is not None:
            self._engine.world.close()
            self._engine = None

    def _restarted(self, rows: Array, info: Info) -> tuple[Array, Info]:
        """Begin the next episode where one is done; return the observations and infos of both."""
        done = self._done
        final, seen = np.full(self.num_envs, None, object), self._observation(rows)
        for row in np.flatnonzero(done).tolist():
            final[row] = row_of(seen, row)
        self._begin(np.flatnonzero(done))
        with np.errstate(all="ignore"):
            new = self._seen(~done)
        now = self._running.info(self.engine.steps)
        kept = {k: np.where(done, now[k], info[k]) for k in now if k[0] != "_" and k != "parameters"}
        self._done = np.zeros(self.num_envs, bool)
        last = {"final_obs": final, "_final_obs": done, "final_info": with_masks(info, done), "_final_info": done}
        return new, {**now, **kept, **last}

    def _begin(self, ids: Array, seeds: Sequence[int | None] | None = None, draws: Draws | None = None) -> None:
        """Begin episodes of given seeds, or of those that the environments draw."""
        given = seeds or [None] * len(ids)
        if self._engine is None and len(ids) < self.num_envs:
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments: leave reset_mask out")
        episodes = [self._next(row, seed, draws) for row, seed in zip(ids.tolist(), given, strict=True)]
        self._load(ids, episodes)
        for row in ids.tolist():
            self._begun[row] = draws.overrides if draws else self._overrides
        self._done = self._done.copy()
        self._running.once[ids] = self._done[ids] = False

    def _load(self, ids: Array, episodes: Sequence[Drawn]) -> None:
        """Put episodes into some environments' simulations, at their start."""
        scenarios = [episode.scenario for episode in episodes]
        if self._engine is None:
            self._engine = Engine(self.task, scenarios, telemetry=False, nthread=self._nthread)
        else:
            self._engine.replace(ids, scenarios)
        with np.errstate(all="ignore"):
            self._engine.reset(ids)
        self._running.put(ids, episodes)

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
        return self._commands.normalized(actions)

    def _seen(self, kept: Array) -> NDArray[np.float32]:
        """Return what is observed (num_envs, width); and look at the pictures. What was last, where it is kept (n,)."""
        rows = self.engine.observe()
        if kept.any():
            rows[kept] = self._last[kept]
        self._last = rows.copy()
        if self._images:
            self._images.look(self.engine, np.flatnonzero(~kept))
        return rows

    def _observation(self, rows: NDArray[np.float32]) -> Any:  # noqa: ANN401 - as the observation space
        if not self._dict:
            return rows
        named = self.engine.columns.split(rows)
        return named | self._images.copies() if self._images else named

    def __getstate__(self) -> dict[str, Any]:
        """Keep what the episodes are and where they stand; their scenes are built anew."""
        state = {k: getattr(self, k) for k in ("spec", *_PICKLED)}
        state |= {"seeds": self._running.seeds.tolist(), "once": self._running.once.copy()}
        if self._images:
            state["images"] = self._images.copies()
        if self._engine is not None:
            state |= {"steps": self._engine.steps, "integration": self._engine.world.integration()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Go on from where the pickled environment stood."""
        self.__init__(**state["_kwargs"])
        for name in ("spec", *_PICKLED):
            setattr(self, name, state[name])
        if self._images:
            self._images.seen = state["images"]
        if "integration" in state:
            seeds = zip(state["seeds"], self._begun, strict=True)
            self._load(np.arange(self.num_envs), [Draws(self.task, begun).episode(seed) for seed, begun in seeds])
            self._running.once = state["once"]
            self.engine.restore(state["integration"], state["steps"])
