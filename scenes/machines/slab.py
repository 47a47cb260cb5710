"""Slabs of hot steel on a roller table: one flat piece each, whose ends turn up where it is bowed.

A slab's frame has x towards its head and z up, its origin in the middle of the flat part's underside. One box lies on
the rollers: two that met there would have edges inside the slab, at which rollers catch. What the ends turn up does
not touch rollers; a second box meets guides, stopper and other slabs.
"""

import dataclasses
import itertools
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.scenery import Kit, Parts, add_parts
from scenes.shapes import Shape, box, join
from sim.cameras import label
from sim.distributions import Uniform
from sim.parameters import param

Array = NDArray[Any]

DENSITY = 7850.0  # kg/m3, as ordered by weight: cold
TOUCHING = 2  # bit of slabs among collision types; they touch one another
STEEL = 1  # bit of what slabs lie on
FENCE = 4  # bit of what leads and stops them
_FLAT = 0.5  # of the length that looks flat
_BOWED = 0.010  # m, bow from which on only the middle half of a slab lies on its rollers
_RAISED = 0.02  # m, lower edge of what guides, stoppers and other slabs can touch


@dataclasses.dataclass(frozen=True, slots=True)
class SlabParams:
    """One slab; ranges of slab casters and plate mills (New Zealand Steel: 210 mm, 10 t; others 8 to 10 in, 30 t)."""

    length: float = param(Uniform(5.0, 12.0), "m", "Length; usual reheating furnaces take 5 to 12 m.")
    width: float = param(Uniform(0.8, 2.1), "m", "Width; slab casters.")
    thickness: float = param(Uniform(0.20, 0.25), "m", "Thickness; 8 to 10 inch casters.")
    bow: float = param(Uniform(0.0, 0.030), "m", "By how much the ends turn up, from uneven heating.")
    temperature: float = param(Uniform(950.0, 1200.0), "degC", "Surface after descaling; usual for hot rolling.")

    @property
    def mass(self) -> float:
        """Mass, kg."""
        return DENSITY * self.length * self.width * self.thickness

    @property
    def flat(self) -> float:
        """Share of the length that lies on rollers."""
        return 1.0 - 0.5 * min(self.bow / _BOWED, 1.0)


def add_slab(spec: mujoco.MjSpec, p: SlabParams, *, name: str, friction: float) -> mujoco.MjsBody:
    """Add a slab with a free joint; sites NAME_head and NAME_tail are in the middle of its ends.

    Args:
        spec: the scene.
        p: the slab.
        name: of body, joint and mesh.
        friction: of its surface against guides and stopper; rollers have their own, with priority.
    """
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint(name=name)
    body.explicitinertial = True
    a, b, c = p.length, p.width, p.thickness
    body.mass, body.ipos = p.mass, [0.0, 0.0, c / 2]
    body.inertia = [p.mass / 12 * (u * u + v * v) for u, v in ((b, c), (a, c), (a, b))]
    for geom, half, low, kinds in ((name, a * p.flat / 2, 0.0, STEEL), (f"{name}_sides", a / 2, _RAISED, FENCE)):
        shape = body.add_geom(name=geom, type=mujoco.mjtGeom.mjGEOM_BOX, mass=0.0, group=3)
        shape.size, shape.pos = [half, b / 2, (c - low) / 2], [0.0, 0.0, (c + low) / 2]
        shape.friction = [friction, 0.005, 0.0001]
        shape.contype = TOUCHING if kinds == FENCE else 0
        shape.conaffinity = kinds | shape.contype
        shape.solref = [0.02, 1.0]
    for end, side in (("head", 1), ("tail", -1)):
        body.add_site(name=f"{name}_{end}", pos=[side * a / 2, 0.0, p.bow + c / 2], size=[0.03, 0.03, 0.03])
    add_parts(spec, body, SLAB, (a, b, c, p.bow), name=name, emission=0.75)
    label(spec, "slab", name)
    return body


def skew(head: Array, tail: Array) -> Array:
    """Return by how much the head is farther to one side than the tail (...), m, from their places (..., 3)."""
    return head[..., 1] - tail[..., 1]


def _looks(length: float, width: float, thickness: float, bow: float) -> Parts:
    """Return a slab that glows: bright sides, darker scale on top."""
    flat = _FLAT * length / 2
    stations = np.array([(-length / 2, bow), (-flat, 0.0), (flat, 0.0), (length / 2, bow)])
    body = join(*(_piece(a, b, width, thickness) for a, b in itertools.pairwise(stations)))
    crust = [
        box((0.12 * length, 0.36 * width, 0.004), (x * length, y * width, thickness))
        for x, y in ((-0.12, 0.05), (0.13, -0.06))
    ]
    return [("orange", body), ("red", join(*crust))]


def _piece(a: Array, b: Array, width: float, thickness: float) -> Shape:
    """Return a box sheared so that it leads from one station (x, z) to the next."""
    shape = box(((b[0] - a[0]) / 2, width / 2, thickness / 2), ((a[0] + b[0]) / 2, 0.0, thickness / 2))
    share = (shape.vertices[:, :1] - a[0]) / (b[0] - a[0])
    lift = np.concatenate([np.zeros((len(share), 2)), a[1] + share * (b[1] - a[1])], axis=1)
    return shape._replace(vertices=shape.vertices + lift)


SLAB = Kit(_looks, (5.0, 12.0), (0.8, 2.1), (0.20, 0.25), (0.0, 0.030))
