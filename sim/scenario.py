"""A compiled scene and the seed of its episode: all that a simulation starts from, worked out once."""

import functools

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.model import initial_state
from sim.noise import ErrorSource


class Scenario:
    """One episode before it begins; nothing in it changes, so that it may be begun again and again.

    Attributes:
        model: the compiled scene, from `sim.model.compile_model`.
        seed: the episode's.
    """

    def __init__(self, model: mujoco.MjModel, seed: int) -> None:
        self.model = model
        self.seed = seed
        self._numerics: dict[str, NDArray[np.float64]] = {}

    @functools.cached_property
    def start(self) -> NDArray[np.float64]:
        """The integration state (size,) at the start."""
        return initial_state(self.model)

    @functools.cached_property
    def errors(self) -> ErrorSource:
        """Where its instruments' errors come from."""
        return ErrorSource(self.model, self.seed)

    @functools.cached_property
    def limits(self) -> NDArray[np.float64]:
        """The range (2, nu) of every control, infinite where it has none."""
        limited = self.model.actuator_ctrllimited.astype(bool)[:, None]
        return np.where(limited, self.model.actuator_ctrlrange, [-np.inf, np.inf]).T

    def numeric(self, name: str) -> NDArray[np.float64]:
        """Return a constant (k,) of the scene."""
        found = self._numerics.get(name)
        if found is None:
            found = self._numerics[name] = np.array(self.model.numeric(name).data)
        return found
