"""How plates are carried from pile to pile by a magnet beam, as it is judged: what hangs, what fell, what lies right.

The scene has sites "beam", "plate1" to "plate3", sensors "plate1_speed" and "plate2_speed", and the numerics "order"
(count first), "plate" (size) and "piles" (tops of stack and target).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes import stock_plates
from scenes.machines import crane, crane_telemetry, magnet
from scenes.stock_plates import LINKS, PLATES
from sim.math import tilt
from sim.task import State

Array = NDArray[Any]

MEMORY = ("high", "carried", "ajar", "shock", "steep", "rested")  # slots that `scan` needs
TOLERANCE, YAW = 0.030, math.radians(1.0)  # m, rad
LEVEL, STEEP = math.radians(3.0), math.radians(4.5)  # rad: of carried plates; what they may not reach
HELD = 10.0  # s for which plates are carried, at least
UNLOADED = 0.05  # of the ordered plates' weight, on the magnets
HIGH = 0.2  # m, from where on a plate is lifted for good: twice the test lift
FALLING = 0.4  # m/s, twice the hoist's speed
AJAR = (0.03, 0.35)  # m between a magnet and what it had lifted: less than the piles are below
SHOCK = 1.15  # ropes' load over the weight on them; an S-curve's is 1.03


def done(s: State) -> Array:
    """Return whether the ordered plates lie on the target pile after having been carried, and the magnets are off."""
    clear = s.site("beam").xpos[..., 2] - s.site("plate1").xpos[..., 2] > 0.15
    return placed(s) & (share_of_load(s) < UNLOADED) & clear & (s.memory("carried") >= HELD)


def mishaps(s: State) -> dict[str, Array]:
    """Return which ways to fail have happened, each (...)."""
    high, count = s.memory("high") > 0, s.numeric("order")[..., 0]
    lost = ~magnet.held(s).any(axis=-1) & (s.true_sensor("plate1_speed")[..., 2] < -FALLING)
    lost |= (count > 1) & (s.true_sensor("plate2_speed")[..., 2] < -FALLING)
    ajar = s.memory("ajar") > 0.12
    surplus = [risen(s, k) > HIGH for k in range(2, PLATES + 1)]
    return {
        "jerk_drop": high & (lost | ajar) & (s.memory("shock") > SHOCK),
        "peel": ajar,
        "dropped": high & lost,
        "double_pick": (surplus[0] & (count < 2)) | surplus[1],
        "over_tilt": s.memory("steep") > 1.0,
        "misplaced": (s.memory("rested") > 2.0) & ~placed(s),
    }


def weight(s: State) -> Array:
    """Return the ordered plates' weight (...), N."""
    volume = np.prod(s.numeric("plate"), axis=-1)
    return stock_plates.STEEL_DENSITY * volume * s.numeric("order")[..., 0] * crane.GRAVITY


def share_of_load(s: State) -> Array:
    """Return the load on the magnets over the ordered plates' weight (...)."""
    return magnet.payload(crane_telemetry.hoist_force(s)) / weight(s)


def risen(s: State, number: int) -> Array:
    """Return how far a plate is above where it lay in the stack (...), m."""
    lay = s.numeric("piles")[..., 2] + (PLATES - number + 0.5) * s.numeric("plate")[..., 2]
    return s.site(f"plate{number}").xpos[..., 2] - lay


def scan(s: State, period: float) -> None:
    """Keep the time for which plates are carried level, hang ajar or steep, and rest; and the latest shock."""
    high, share, leans = s.memory("high"), share_of_load(s), lean(s)
    high[...] = (high > 0) | ((risen(s, 1) > HIGH) & (share > 0.5))
    hangs = (high > 0) & (share > 0.5)
    carried, steep, rested = s.memory("carried"), s.memory("steep"), s.memory("rested")
    carried[...] += np.where(hangs & (np.abs(share - 1.0) < 0.15) & (leans < LEVEL), period, 0.0)
    steep[...] = np.where(hangs & (leans > STEEP), steep + period, 0.0)
    rested[...] = np.where((high > 0) & (share < UNLOADED), rested + period, 0.0)
    gaps, ajar = magnet.clearances(s), s.memory("ajar")
    flux = np.stack([s.memory(f"flux{i + 1}") for i in range(magnet.COUNT)], axis=-1)
    holds = (np.abs(gaps) < magnet.REACH) & (flux > 0.05)
    some = holds.any(axis=-1) & ((gaps > AJAR[0]) & (gaps < AJAR[1])).any(axis=-1) & (_highest(s) > HIGH)
    ajar[...] = np.where(some, ajar + period, 0.0)
    ropes = sum(s.peak(f"Hoist.LoadCell{i}")[..., 0] for i in range(1, 5))
    shock = s.memory("shock")
    shock[...] = np.where(high > 0, np.maximum(1.0 + 0.95 * (shock - 1.0), ropes / (magnet.TARE + weight(s))), 1.0)


def _highest(s: State) -> Array:
    """Return how far the middle or an end of plate 1 is above where it lay in the stack, whichever is most (...), m."""
    middle, first, last = (s.body(f"plate1_link{i}").xpos[..., 2] for i in (LINKS // 2, 0, LINKS - 1))
    return risen(s, 1) + np.maximum(np.maximum(first, last) - middle, 0.0)


def lean(s: State) -> Array:
    """Return how far beam or plate 1 is out of level, whichever is more (...), rad."""
    return np.maximum(tilt(s.body("beam").xmat), tilt(s.body(f"plate1_link{LINKS // 2}").xmat))


def placed(s: State) -> Array:
    """Return whether the ordered plates lie on the target pile within tolerance, and the others where they were."""
    place, size, count = s.numeric("piles"), s.numeric("plate"), s.numeric("order")[..., 0]
    good = np.ones(np.shape(s.time), bool)
    for number in range(1, PLATES + 1):
        body = f"plate{number}" if number > 1 else f"plate1_link{LINKS // 2}"
        off, frame = s.site(f"plate{number}").xpos - place[..., 3:], s.body(body).xmat
        level = (count - number + 0.5) * size[..., 2]
        yaw = np.abs(np.arctan2(frame[..., 3], frame[..., 0]))
        there = (np.abs(off[..., :2]) < TOLERANCE).all(axis=-1) & (np.abs(off[..., 2] - level) < 0.02) & (yaw < YAW)
        good &= np.where(number <= count, there, np.abs(risen(s, number)) < 0.02)
    return good


def progress(s: State) -> Array:
    """Return what is paid before success (...)."""
    plate, share = s.site("plate1").xpos, share_of_load(s)
    reach = np.linalg.norm(s.site("beam").xpos - plate, axis=-1)
    carry = np.linalg.norm(plate - s.numeric("piles")[..., 3:], axis=-1)
    high, lies = s.memory("high") > 0, placed(s)
    near = np.where(high, 0.1, 0.1 * np.exp(-reach / 2.0))
    taken = 0.1 * np.where(lies, 1.0, np.clip(1.0 - np.abs(share - 1.0), 0.0, 1.0))
    left = 1.0 - np.clip(share, 0.0, 1.0) + np.minimum(reach / 0.5, 1.0)
    there = 0.2 * np.exp(-carry / 5.0) + 0.1 * np.exp(-carry / 0.3) + 0.1 * lies * (1.0 + left)
    return near + taken + there
