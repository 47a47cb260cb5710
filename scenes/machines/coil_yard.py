"""A yard of coils in two tiers: a lower one in saddles, an upper one that lies between the coils below.

There are four blocks, A to D, two in a row, each of four saddles (tier 1) and the three nests above them (tier 2).
24 coils of one order lie in it, all of one size; four places are free. A place is addressed as on a yard's map:
"B-2-1" is block B, tier 2, first from the runway's start. One coil, body "coil", is the job's; the others are
yard1 to yard23.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock
from scenes.machines.scenery import add_parts
from scenes.stock_looks import SADDLES_PER_BLOCK, TAG
from sim.cameras import label
from sim.distributions import Choice, Uniform
from sim.math import rotate
from sim.parameters import param
from sim.task import State

Array = NDArray[Any]

COILS = 24
OTHERS = tuple(f"yard{i}" for i in range(1, COILS))
_BLOCKS, _SLOTS = 4, (SADDLES_PER_BLOCK, SADDLES_PER_BLOCK - 1)  # slots by tier
_TIERS = ("lower", "upper")
_BLOCK_AISLE = 1.0  # m between the blocks of a row, a walkway
_SHARE = Uniform(0.0, 1.0)


@dataclasses.dataclass(frozen=True, slots=True)
class YardParams:
    """Where the yard is, how close the coils lie, and which of them goes where."""

    x: float = param(Uniform(2.5, 4.0), "m", "First saddle along the runway.")
    y: float = param(Uniform(5.8, 6.4), "m", "First row across the bay.")
    gap: float = param(Uniform(0.2, 0.4), "m", "Between coils of a tier; engineering value: no more than sways.")
    aisle: float = param(Uniform(3.5, 4.0), "m", "Between the rows: a C-hook of 2.6 m and the room to lower it.")
    fetch: str = param(Choice(("upper", "lower")), "1", "Tier of the coil.")
    bring: str = param(Choice(("upper", "lower")), "1", "Tier of the place.")
    from_block: str = param(Choice(("A", "B", "C", "D")), "1", "Block of the coil.")
    to_block: float = param(_SHARE, "1", "Block of the place, as a share of the other three.")
    from_place: float = param(_SHARE, "1", "Where the coil is in its tier, as a share of its places.")
    to_place: float = param(_SHARE, "1", "The place, as a share of the tier's; below, only a block's ends are free.")
    free: float = param(_SHARE, "1", "Which other nests are free, as a share of all.")


class Place(NamedTuple):
    """Where a coil lies or can lie.

    Attributes:
        block: 0 to 3.
        tier: 0 in a saddle, 1 in a nest.
        slot: from the start of its block.
    """

    block: int
    tier: int
    slot: int

    @property
    def address(self) -> str:
        """As on the yard's map."""
        return f"{'ABCD'[self.block]}-{self.tier + 1}-{self.slot + 1}"


class Plan(NamedTuple):
    """What lies where.

    Attributes:
        start: of the job's coil.
        target: where it goes.
        others: where the other coils are.
    """

    start: Place
    target: Place
    others: tuple[Place, ...]


def plan(p: YardParams) -> Plan:
    """Lay out the yard: the job's coil has nothing on it, its place nothing on it and, above, coils under it."""
    block = "ABCD".index(p.from_block)
    tier = _TIERS.index(p.fetch)
    start = Place(block, tier, _pick(p.from_place, _SLOTS[tier]))
    others = [b for b in range(_BLOCKS) if b != block]
    there, tier = others[_pick(p.to_block, len(others))], _TIERS.index(p.bring)
    slots = (range(_SLOTS[1]), (0, _SLOTS[0] - 1))[1 - tier]
    target = Place(there, tier, slots[_pick(p.to_place, len(slots))])
    free = {target, *_above(start), *_above(target)} - {start}
    places = [Place(b, tier, i) for tier in range(2) for b in range(_BLOCKS) for i in range(_SLOTS[tier])]
    nests = [place for place in places if place.tier]
    first = _pick(p.free, len(nests))
    for step in range(len(nests)):
        if len(free) == len(places) - COILS:
            break
        free |= {nests[(first + 5 * step) % len(nests)]} - {start}  # 5 and 12 have no common factor
    return Plan(start, target, tuple(place for place in places if place not in free | {start}))


def field(p: YardParams, coil: stock.Coil) -> stock.Field:
    """Return where the saddles are."""
    apart = coil.outer + p.gap
    along = (SADDLES_PER_BLOCK - 1) * apart + coil.outer + _BLOCK_AISLE
    return stock.Field((p.x, p.y), apart, along, coil.width + p.aisle)


def position(p: YardParams, coil: stock.Coil, place: Place) -> Array:
    """Return where a coil's middle is at a place (3,), m, on the floor."""
    (x, y), apart, along, across = field(p, coil)
    row, column = divmod(place.block, 2)
    shift = place.slot + 0.5 * place.tier
    height = coil.seat_height + place.tier * _rise(p, coil)
    return np.array([x + column * along + shift * apart, y + row * across, height])


def mistaken(p: YardParams, coil: stock.Coil, rng: np.random.Generator) -> Array:
    """Return the way from the job's coil to another of the upper tier (3,), m: an address misread."""
    laid = plan(p)
    upper = [place for place in laid.others if place.tier]
    return position(p, coil, upper[int(rng.integers(len(upper)))]) - position(p, coil, laid.start)


def top(p: YardParams, coil: stock.Coil) -> float:
    """Return the height of the upper tier, m."""
    return coil.seat_height + _rise(p, coil) + coil.outer / 2


def add_yard(spec: mujoco.MjSpec, floor: mujoco.MjsBody, p: YardParams, coil: stock.Coil) -> None:
    """Add saddles, body "saddles", and the mark of the place where the job's coil goes, with site "target"."""
    stock.add_saddles(spec, floor, coil, field(p, coil))
    seat = position(p, coil, plan(p).target)
    floor.add_site(name="target", pos=seat, size=[0.02, 0.02, 0.02])
    mark = floor.add_body(name="mark", pos=[seat[0], seat[1] - coil.width / 2 - 0.4, 0.0])
    add_parts(spec, mark, TAG, name="mark")
    label(spec, "target", "mark")


def add_coils(spec: mujoco.MjSpec, floor: mujoco.MjsBody, p: YardParams, coil: stock.Coil, com: Array) -> Array:
    """Add the coils, the job's first; return their part of the keyframe.

    Args:
        spec: the scene.
        floor: what the yard is on.
        p: the yard.
        coil: what they are.
        com: centre of mass of the job's coil, m, in its body.
    """
    laid = plan(p)
    places = [position(p, coil, place) for place in (laid.start, *laid.others)]
    stock.add_coil(spec, coil, name="coil", com=com, stacked=True)
    for name in OTHERS:
        stock.add_coil(spec, coil, name=name, com=np.array([1e-6, 0.0, 0.0]), like="coil", stacked=True)
    seats = [rotate(floor.quat, place) for place in places]
    spec.add_numeric(name="yard", data=np.concatenate(seats[1:]).tolist())
    return np.concatenate([np.concatenate([seat, floor.quat]) for seat in seats])


def moved(s: State) -> Array:
    """Return how far the other coil that has moved most is from where it lay (...), m."""
    now = _others(s)
    return np.linalg.norm(now - s.numeric("yard").reshape(now.shape), axis=-1).max(axis=-1)


def gap(s: State, outer: Array, width: Array) -> Array:
    """Return the way from the job's coil to the nearest other (...), m, as between the boxes round them.

    Args:
        s: the scene.
        outer: diameter of the coils (...), m.
        width: of the coils (...), m.
    """
    way = np.abs(_others(s) - s.site("coil").xpos[..., None, :])
    size = np.stack([outer, width, outer], axis=-1)
    return np.linalg.norm(np.maximum(way - size[..., None, :], 0.0), axis=-1).min(axis=-1)


def _others(s: State) -> Array:
    return np.stack([s.site(name).xpos for name in OTHERS], axis=-2)


def _rise(p: YardParams, coil: stock.Coil) -> float:
    """Return how much higher the upper tier's axes are, m: each touches two coils that are apart."""
    return math.sqrt(coil.outer**2 - ((coil.outer + p.gap) / 2) ** 2)


def _above(place: Place) -> Iterator[Place]:
    """Give the nests that a coil at a saddle bears."""
    for slot in () if place.tier else (place.slot - 1, place.slot):
        if 0 <= slot < _SLOTS[1]:
            yield Place(place.block, 1, slot)


def _pick(share: float, count: int) -> int:
    return min(int(share * count), count - 1)
