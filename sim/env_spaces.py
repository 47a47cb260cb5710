"""Spaces of environments, what actions in them stand for, and the arguments of a reset, one for each environment."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from sim.errors import ActionError, ParameterError
from sim.layout import Layout

Array = NDArray[Any]


def observation_space(known: Layout, images: Mapping[str, spaces.Box], *, named: bool) -> spaces.Space[Any]:
    """Return the space of one environment's observations: named ones, or side by side in one Box."""
    parts: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(np.full(dim, f.low, np.float32), np.full(dim, f.high, np.float32), dtype=np.float32)
        for name, (dim, f) in known.observations.items()
    }
    if named:
        return spaces.Dict({**parts, **images})
    low, high = (np.concatenate([getattr(box, end) for box in parts.values()]) for end in ("low", "high"))
    return spaces.Box(low, high, dtype=np.float32)


class Commands:
    """What actions in [-1, 1] stand for: the ranges of the actuators."""

    def __init__(self, known: Layout) -> None:
        low, high = np.array([(a.low, a.high) for a in known.actions]).reshape(-1, 2).T
        self._centre, self._half = (low + high) / 2, (high - low) / 2
        self.space = spaces.Box(-1.0, 1.0, (len(known.actions),), np.float32)

    def normalized(self, physical: ArrayLike) -> NDArray[np.float64]:
        """Return the actions (..., nu) that stand for some in the actuators' units."""
        return (np.asarray(physical, np.float64) - self._centre) / self._half

    def physical(self, actions: ArrayLike, count: int) -> NDArray[np.float64]:
        """Return actions (count, nu) in the actuators' units.

        Raises:
            ActionError: the shape is another, or they are not finite.
        """
        found = np.asarray(actions, np.float64)
        if found.shape != (count, len(self._half)):
            raise ActionError(f"actions need shape {(count, len(self._half))}, got {found.shape}")
        if not np.isfinite(found).all():
            raise ActionError(f"actions must be finite, got {found.tolist()}")
        physical = self._centre + np.clip(found, -1.0, 1.0) * self._half
        return np.where(np.abs(physical) < 1e-9 * self._half, 0.0, physical)  # zero, as brakes know it


def row_of(observation: Any, row: int) -> Any:  # noqa: ANN401 - as the observation space
    """Return a copy of one environment's observation."""
    if isinstance(observation, dict):
        return {name: value[row].copy() for name, value in observation.items()}
    return observation[row].copy()


def each(what: str, given: Any, count: int, *, step: int) -> list[int | None]:  # noqa: ANN401 - a number or a sequence
    """Spread one number, or a sequence of them, over environments.

    Raises:
        ParameterError: the sequence has another length.
    """
    if given is None or isinstance(given, int | np.integer):
        return [None if given is None else int(given) + step * i for i in range(count)]
    found = [None if one is None else int(one) for one in given]
    if len(found) != count:
        raise ParameterError(f"{what} needs one number or {count}, got {len(found)}")
    return found


def rows_to_reset(mask: object, count: int) -> NDArray[np.intp]:
    """Return the environments that a reset_mask names; all where there is none.

    Raises:
        ParameterError: it is no mask, or names none.
    """
    if mask is None:
        return np.arange(count)
    found = np.asarray(mask)
    if found.shape != (count,) or found.dtype != np.bool_ or not found.any():
        raise ParameterError(f"reset_mask must be {count} bools, one of them true; got {mask!r}")
    return np.flatnonzero(found)
