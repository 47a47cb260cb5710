"""What a press says of a bush by its force over depth: windows, verdicts, and how a pressing goes wrong.

A window has two lines that rise with the engaged length. The upper may not be passed anywhere in its zone (NO-PASS);
the curve enters the zone on one side and leaves it on the other (EO). Both nests of `interference` are watched.
"""

import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.machines import interference
from scenes.machines.interference import NESTS, Fit, FitParams
from sim.task import Feature, State

Array = NDArray[Any]

LIMIT = 1.5e-3  # rad: a bush that leans more shaves the bore
_STRAIGHT = 0.5e-3  # rad: less is not seen in the force
_MARGIN = (0.8, 1.2)  # lower and upper line of the window over the least and greatest force of the group
_ZONE = (0.4, 0.95)  # share of the depth over which the window is watched
_LONG = 0.03  # s outside the window
_MOVING = 0.5e-3  # m/s: a bush at rest shows no friction
MEMORY = tuple(f"{name}{i}" for name in ("passed", "high", "low") for i in NESTS)
_TAGS = {
    "PartPresent": "Whether there is a bush, by light barrier.",
    "Window.Entered": "Whether the bush is deep enough for the window.",
    "Window.NoPass": "Whether the force crossed the upper line, which may not be passed.",
    "Window.Low": "Whether the force fell below the lower line.",
    "Window.OK": "Whether the curve entered the window (EO) on one side and left it on the other.",
    "Seated": "Whether the bush is on its shoulder within 0.1 mm.",
}
FEATURES = {f"Nest{i}.{name}": Feature("1", doc=doc) for i in NESTS for name, doc in _TAGS.items()} | {
    f"Nest{i}.Depth": Feature("m", "housing", doc="Of the bush's lower edge, from the mouth down.") for i in NESTS
}
SEATED = 0.1e-3  # m, of a bush on its shoulder


def rises(p: FitParams) -> tuple[float, float]:
    """Return how the window's lines rise over the engaged length, N/m: taught with the batch's own friction."""
    fit = interference.fit_of(p)
    low, high = (
        float(interference.pressure(b, fit)) * math.pi * fit.diameter * fit.friction for b in interference.bounds(p)
    )
    return _MARGIN[0] * low, _MARGIN[1] * high


def add_recipe(spec: mujoco.MjSpec, p: FitParams) -> None:
    """Add what the press has been taught: numeric "recipe", the rise of the window's lines, N/m."""
    spec.add_numeric(name="recipe", data=[*rises(p)])


def window(depth: ArrayLike, recipe: Array, fit: Fit) -> tuple[Array, Array]:
    """Return the least and the greatest force (...), N, that the window allows at a depth (...), m.

    Args:
        depth: m.
        recipe: (..., 2) rise of the window's lines over the engaged length, N/m.
        fit: the fit.
    """
    length = interference.engaged(depth, fit)
    return recipe[..., 0] * length, recipe[..., 1] * length


def scan(s: State, period: float) -> None:
    """Watch the windows; call it once every control step of a period, s."""
    fit, recipe = interference.fit_in(s), s.numeric("recipe")
    for i in NESTS:
        x, v = s.joint(f"part{i}").qpos[..., 0], s.joint(f"part{i}").qvel[..., 0]
        force = interference.push(s, i)
        zone = (x > _ZONE[0] * fit.depth) & (x < _ZONE[1] * fit.depth) & (v > _MOVING)
        least, most = window(x, recipe, fit)
        for name, now in (("high", zone & (force > most)), ("low", zone & (force < least))):
            s.memory(f"{name}{i}")[...] += np.where(now, period, 0.0)
        s.memory(f"passed{i}")[...] += np.where(zone & (force <= most) & (force >= least), v * period, 0.0)


def in_window(s: State) -> Array:
    """Return whether each bush went through the window, bool (..., 2): inside it over most of the way."""
    passed, outside = _slots(s, "passed"), _slots(s, "high") + _slots(s, "low")
    way = 0.7 * (_ZONE[1] - _ZONE[0]) * interference.fit_in(s).depth[..., None]
    return (passed > way) & (outside < _LONG)


def seated(s: State) -> Array:
    """Return whether each bush is on its shoulder, bool (..., 2)."""
    return np.abs(interference.depths(s) - interference.fit_in(s).depth[..., None]) < SEATED


def report(s: State) -> dict[str, Array]:
    """Return the press's verdicts on each nest, and how deep its bush is, each (..., 1)."""
    depth, here = interference.depths(s), interference.present(s)
    found = {
        "PartPresent": here,
        "Window.Entered": here & (depth > _ZONE[0] * interference.fit_in(s).depth[..., None]),
        "Window.NoPass": _slots(s, "high") >= _LONG - 1e-6,
        "Window.Low": _slots(s, "low") >= _LONG - 1e-6,
        "Window.OK": in_window(s),
        "Seated": seated(s),
        "Depth": depth,
    }
    return {f"Nest{i}.{name}": value[..., i - 1 : i].astype(float) for i in NESTS for name, value in found.items()}


def mishaps(s: State) -> dict[str, Array]:
    """Return what has gone wrong by name, each bool (...).

    tilt: a bush goes into the bore leaning, and the force climbs; over_interference, under_interference: the force of
    an upright one is above or below its window; chip: it comes to stand on a chip.
    """
    x, lean, here = interference.depths(s), interference.leans(s), interference.present(s)
    high, low = _slots(s, "high") >= _LONG - 1e-6, _slots(s, "low") >= _LONG - 1e-6
    deep = here & (x > 0.3 * interference.fit_in(s).depth[..., None])
    chip = np.stack([s.peak(f"on_chip{i}").max(axis=-1) > 50.0 for i in NESTS], axis=-1)
    happened = {
        "tilt": deep & ((lean > LIMIT) | (high & (lean > _STRAIGHT))),
        "over_interference": deep & high & (lean <= _STRAIGHT),
        "under_interference": deep & low,
        "chip": here & chip,
    }
    return {name: np.any(found, axis=-1) for name, found in happened.items()}


def _slots(s: State, name: str) -> Array:
    return np.stack([s.memory(f"{name}{i}") for i in NESTS], axis=-1)
