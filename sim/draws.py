"""Episodes before they begin: their parameters drawn from their seeds, their scenes built and compiled."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.engine import scenario
from sim.parameters import Overrides
from sim.scenario import Scenario
from sim.task import Task


class Drawn(NamedTuple):
    """An episode: its scenario, and its parameters, numbers and words, in the order of `Draws`' names."""

    scenario: Scenario
    numbers: NDArray[np.float64]
    words: NDArray[Any]


class Draws:
    """Makes a task's episodes from their seeds, under some changes to its parameters.

    Attributes:
        overrides: the changes, by dotted name.
        numbers: names of the parameters that are numbers.
        words: names of those that are words.
    """

    def __init__(self, task: Task, overrides: Overrides) -> None:
        self.task, self.overrides = task, overrides
        fields = parameters.describe(task.Params, overrides)
        self.words = [n for n, f in fields.items() if isinstance(f.distribution.nominal, str)]
        self.numbers = [n for n in fields if n not in self.words]

    def episode(self, seed: int) -> Drawn:
        """Draw an episode's parameters, and build and compile its scene."""
        p = parameters.sample(self.task.Params, seed, self.overrides)
        values = parameters.flatten(p)
        numbers = np.array([float(values[n]) for n in self.numbers])
        return Drawn(scenario(self.task, p, seed), numbers, np.array([values[n] for n in self.words], object))
