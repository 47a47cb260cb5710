"""How two pieces, slab_a ahead of slab_b, move on a roller table: their speeds, what they pull at, how far they slid.

Memory holds each piece's last speed and the way that it slid over turning rollers, or they under it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.machines import roller_table
from scenes.machines.roller_tracking import PIECES
from sim.task import State

Array = NDArray[Any]

_WEAR = 0.01  # of a roller's speed: 3 mm of 300 mm, which turn without sliding
MEMORY = (*(f"speed_{n}" for n in PIECES), *(f"slid_{n}" for n in PIECES))


def ends(s: State) -> tuple[Array, Array]:
    """Return where the pieces' tails and heads are along the table (..., pieces), m."""
    tails, heads = ([s.site(f"{n}_{end}").xpos[..., 0] for n in PIECES] for end in ("tail", "head"))
    return np.stack(tails, axis=-1), np.stack(heads, axis=-1)


def speeds(s: State) -> Array:
    """Return the pieces' speeds along the table (..., pieces), m/s."""
    return np.stack([s.joint(n).qvel[..., 0] for n in PIECES], axis=-1)


def gap(s: State) -> Array:
    """Return the distance from the head of slab_b to the tail of slab_a (...), m."""
    return s.site("slab_a_tail").xpos[..., 0] - s.site("slab_b_head").xpos[..., 0]


def scan(s: State, period: float) -> Array:
    """Add up sliding beyond wear, and return what the pieces pull at each group (..., groups), N, against its way.

    A piece's traction is its mass times what its speed has changed by; groups share it as they share the piece.

    Args:
        s: the scene.
        period: time since the last scan, s.
    """
    turning, now = roller_table.speeds(s), speeds(s)
    on = roller_table.shares(s, *ends(s))
    off = np.abs(turning[..., None, :] - now[..., None]) - _WEAR * np.abs(turning[..., None, :])
    slips = period * np.sum(on * np.maximum(off, 0.0), axis=-1)
    last = np.stack([s.memory(f"speed_{n}") for n in PIECES], axis=-1)
    mass = np.stack([np.reshape(s.body(n).mass, np.shape(s.time)) for n in PIECES], axis=-1)
    for i, name in enumerate(PIECES):
        s.memory(f"speed_{name}")[...] = now[..., i]
        s.memory(f"slid_{name}")[...] += slips[..., i]
    return np.sum(on * (mass * (now - last) / period)[..., None], axis=-2)
