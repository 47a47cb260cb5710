"""How an arm that puts pegs into holes does its work, well or badly."""

import dataclasses
import math

import numpy as np

MODES = ("no_search", "tilted", "over_speed", "stiff")


@dataclasses.dataclass(frozen=True, slots=True)
class Habits:
    """How the work is done; the defaults are good habits.

    Attributes:
        haste: speeds over what they should be.
        searches: whether to look for the hole where it is not found at once.
        yields: whether forces and moments are given way to.
        lean: rad, how the tool is held off the nominal axis, about its x and y.
        push: N, along the axis while inserting.
    """

    haste: float = 1.0
    searches: bool = True
    yields: bool = True
    lean: tuple[float, float] = (0.0, 0.0)
    push: float = 14.0


def habits(mode: str, rng: np.random.Generator) -> Habits:
    """Return how the work is done, with bad habits where degraded."""
    if mode == "no_search":
        return Habits(searches=False, push=rng.uniform(32.0, 50.0))
    if mode == "tilted":
        at, lean = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(2.0, 6.0))
        bend = (lean * math.cos(at), lean * math.sin(at))
        return Habits(yields=False, lean=bend, push=rng.uniform(32.0, 60.0))
    if mode == "over_speed":
        return Habits(haste=rng.uniform(6.0, 20.0))
    if mode == "stiff":
        return Habits(yields=False, push=rng.uniform(32.0, 60.0))
    return Habits()
