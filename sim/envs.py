"""Gymnasium environments of tasks: many that advance together on one Batch, or one of them.

The episode is that of `sim.rollout`: what is observed, judged and paid is computed by the same engine, so that an
environment, a row of a vector environment and a recorded episode of the same seed and actions agree bit for bit.

- Actions are in [-1, 1] for each actuator and stand for the range that `genba describe` gives; observations are one
  Box of float32 in the order that it gives, or with obs="dict" a Dict.
- An episode ends where the task fails (terminated), at the horizon, or where the physics diverges (truncated, with
  info["sim_error"]). It goes on after success.
- Every info has the same keys: episode_seed and parameters reproduce the episode, `is_success` says whether success
  has been held for as long as the task asks at some time of it, and `success` whether it is being held now.
- Pictures are those that a dataset records of the same state, size and preset, to the byte: `render` returns frames,
  and with cameras=... images are observed beside the numbers, by name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from sim.env_images import Cameras
from sim.env_infos import Info, first_info
from sim.env_spaces import row_of
from sim.parameters import Overrides
from sim.task import Task
from sim.vector_env import FRAME, TaskVectorEnv

__all__ = ["TaskEnv", "TaskVectorEnv", "register_tasks"]


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


class TaskEnv(gymnasium.Env[Any, Any]):
    """One environment of a task: a row of a `TaskVectorEnv`; see there for the arguments."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(  # noqa: PLR0913 - an environment's keywords are its configuration
        self,
        task: Task | str,
        *,
        parameters: Overrides | None = None,
        obs: str = "box",
        cameras: Cameras = (),
        preset: str = "fast",
        pool: int | Sequence[int] = 0,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        render_camera: str | None = None,
        render_size: int | Sequence[int] = FRAME,
    ) -> None:
        self._rows = TaskVectorEnv(
            task,
            parameters=parameters,
            obs=obs,
            cameras=cameras,
            preset=preset,
            pool=pool,
            autoreset_mode=AutoresetMode.DISABLED,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
            render_camera=render_camera,
            render_size=render_size,
        )
        self.task = self._rows.task
        self.observation_space, self.action_space = self._rows.single_observation_space, self._rows.single_action_space
        self.metadata = {k: self._rows.metadata[k] for k in ("render_modes", "render_fps")}
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, Info]:
        """Begin an episode; see `TaskVectorEnv.reset`, whose row 0 this is."""
        super().reset(seed=seed)
        self._rows._rngs = [self.np_random]
        observation, info = self._rows.reset(options=options)
        self._parameters = first_info(info["parameters"])
        return row_of(observation, 0), first_info(info)

    def step(self, action: ArrayLike) -> tuple[Any, float, bool, bool, Info]:
        """Take one control step with an action (nu,) in [-1, 1]."""
        observation, rewards, terminations, truncations, info = self._rows.step(np.asarray(action)[None])
        del info["parameters"]  # the same as at the reset
        known = first_info(info) | {"parameters": dict(self._parameters)}
        return row_of(observation, 0), float(rewards[0]), bool(terminations[0]), bool(truncations[0]), known

    def render(self) -> NDArray[np.uint8] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return a picture (H, W, 3) uint8 as it stands; None without a render_mode."""
        frames = self._rows.render()
        return frames[0] if frames else None

    def close(self) -> None:
        """Let go of the simulation."""
        self._rows.close()
