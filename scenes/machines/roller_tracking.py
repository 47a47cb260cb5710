"""Where pieces are on a roller table, as its controller knows it: by photocells and by counting what rollers turn.

A photocell for hot metal looks across the table; its bit comes 20 to 80 ms late. When a head reaches one, its tracked
place is put right, by the time that photocells take on the mean; between them the speed of the groups under a piece is
added up.
"""

import dataclasses
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import roller_table
from scenes.machines.roller_table import BARREL, PASS
from sim.channels import Channel, add_channel
from sim.distributions import Choice, Uniform
from sim.parameters import param
from sim.task import State

Array = NDArray[Any]

BEFORE = (17.0, 13.0, 9.0, 5.0, 2.5, 0.6)  # m, photocells before the mark
CELLS = tuple(f"PhotoCell{i}" for i in range(1, len(BEFORE) + 1))
PIECES = ("slab_a", "slab_b")
MEMORY = (*(f"track_{n}" for n in PIECES), "cells", "counted")
_SIDE = BARREL + 0.75  # m from the middle of the table to a photocell
_HEIGHT = PASS + 0.165
_WINDOW = 0.6  # m: an edge farther from where a head is expected is none of it
_USUAL, _RATE = 0.060, 50  # s that photocell and sampling take on the mean, Hz
_POWERS = 2 ** np.arange(len(CELLS))
_SLOTS = 5  # samples under way at most


@dataclasses.dataclass(frozen=True, slots=True)
class TrackingParams:
    """What differs between photocells, and what is known at the start."""

    latency: float = param(
        Choice((0.04, 0.02, 0.06, 0.08)), "s", "Of the photocells' bits: cell, bus and input filter."
    )
    start_error: float = param(Uniform(-0.10, 0.10), "m", "Error of the places handed over by the table before.")
    count_error: float = param(Uniform(-0.003, 0.003), "1", "Error of the length counter's scale; ground rollers.")


def add_tracking(spec: mujoco.MjSpec, p: TrackingParams, *, mark: float, lengths: tuple[float, float]) -> None:
    """Add the photocells, and what the controller is told of the pieces.

    Args:
        spec: the scene.
        p: parameters.
        mark: where heads shall stop, m along the table.
        lengths: of the pieces, by order, m.
    """
    for cell, before in zip(CELLS, BEFORE, strict=True):
        h = float(np.sqrt(0.5))
        site = spec.body("table").add_site(name=cell, pos=[mark - before, -_SIDE, _HEIGHT], quat=[h, -h, 0, 0])
        sensor = spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_RANGEFINDER, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site.name
        )
        sensor.intprm[0] = 1 << int(mujoco.mjtRayDataField.mjRAYDATA_DIST)
        doc = "What a photocell for hot metal looks at: distance to it, -1 for nothing in range."
        add_channel(spec, sensor, Channel(f"{cell}.Distance", "m", _RATE, p.latency, noise=0.005, doc=doc))
        sensor.nsample = _SLOTS
    spec.add_numeric(name="tracking", data=[mark, p.start_error, p.count_error, *lengths])


def cells(s: State) -> Array:
    """Return the photocells' bits (..., cells)."""
    far = np.concatenate([s.sensor(f"{cell}.Distance") for cell in CELLS], axis=-1)
    return (far > 0) & (far < 2 * _SIDE)


def scan(s: State, period: float) -> None:
    """Follow the pieces.

    Args:
        s: the scene.
        period: time since the last scan, s.
    """
    known, started = s.numeric("tracking"), np.asarray(s.time) > 0.0
    mark, scale = known[..., :1], 1 + known[..., 2:3]
    slots = [s.memory(f"track_{name}") for name in PIECES]
    heads = np.stack([s.site(f"{name}_head").xpos[..., 0] for name in PIECES], axis=-1) + known[..., 1:2]
    places = np.where(started[..., None], np.stack(slots, axis=-1), heads)
    on = roller_table.shares(s, places - known[..., 3:], places)
    rates = scale * np.sum(on * roller_table.speeds(s)[..., None, :], axis=-1)
    places = places + period * rates * started[..., None]
    bits, seen, counted = cells(s), s.memory("cells"), s.memory("counted")
    edges = bits & (seen.astype(int)[..., None] & _POWERS == 0) & started[..., None]
    seen[...] = np.sum(_POWERS * bits, axis=-1)
    away = np.abs(places[..., None, :] - (mark - BEFORE)[..., None])
    mine = edges[..., None] & (away < _WINDOW) & (away <= away[..., ::-1])  # cell, piece
    corrected = np.sum(mine * ((mark - BEFORE)[..., None] + _USUAL * rates[..., None, :]), axis=-2)
    places = np.where(mine.any(axis=-2), corrected, places)
    counted[...] = np.where(mine[..., 0].any(axis=-1), _USUAL * rates[..., 0], counted + period * rates[..., 0])
    for i, slot in enumerate(slots):
        slot[...] = places[..., i]


def tracked(s: State) -> Array:
    """Return the tracked heads' way to the mark (..., pieces), m."""
    places = np.stack([s.memory(f"track_{n}") for n in PIECES], axis=-1)
    return s.numeric("tracking")[..., :1] - places
