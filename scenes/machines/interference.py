"""Bushes that are pressed into bores too small for them: friction by Lame's law, levelling in the lead-in, chips.

Two nests stand side by side on body "pallet", whose origin is between their mouths. In each a bush lies in the lead-in
of its housing. It moves along the bore and leans; the hub is a pad that squeezes it from the side, so that the force
against the ram is the friction of a contact, with stiction, whichever way the bush is pushed. How hard the hub squeezes
is set by `scan`: its actuator integrates a rate, so that the squeeze follows the engagement within a control step.

Rule: depths count down from the mouth; the bush's lower edge is at 0 where its lead-in begins.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.distributions import Choice, Uniform
from sim.parameters import param
from sim.spec import weigh
from sim.task import State

Array = NDArray[Any]

NESTS = (1, 2)
PITCH = 0.14  # m between the nests, across the press
NEST_PLACES = np.array([-PITCH / 2, PITCH / 2])  # m on the pallet
YOUNG = 206e9  # Pa, steel
CHIP_OUT = 0.05  # m, how far a chip is blown
PARKED = 0.05  # m below the shoulder: where a bush is that is not there
_LEVELLING = 0.025  # rad/s, of a rim on the chamfer
_LIGHT = 10.0  # N: less does not level
_GRIP = 300.0  # N of the lead-in on the bush: it stays where it was put
_GROUPS = {"10-23": (10e-6, 23e-6), "23-37": (23e-6, 37e-6), "37-50": (37e-6, 50e-6)}  # m, selective assembly
_TURN = 1e5  # N m s/rad of the bore against leaning
_SLIP = 0.004  # s, time constant of slip; with the scene's impratio a bush creeps under 20 um/s where it should stick
_ARMATURE = 10.0  # kg: stands for the slip of the tool's face, and keeps stiff contacts stiff


@dataclasses.dataclass(frozen=True, slots=True)
class NestParams:
    """One housing with its bush."""

    share: float = param(Uniform(0.05, 0.95), "1", "Where the interference is in the group's range.")
    lean: float = param(Uniform(-math.radians(0.5), math.radians(0.5)), "rad", "Of the bush as it was laid in.")
    chip: float = param(Choice((0.0, 0.0, 0.3e-3, 0.5e-3, 0.8e-3)), "m", "Height of a chip on the shoulder; 0: none.")
    gauge_error: float = param(Uniform(-1e-6, 1e-6), "m", "Of the air gauges' difference; +-1 um, usual for the kind.")


@dataclasses.dataclass(frozen=True, slots=True)
class FitParams:
    """A batch: bushes and housings of one drawing, paired by size, and what two nests of it are like."""

    group: str = param(Choice(("23-37", "10-23", "37-50")), "um", "Interference by which bushes and bores are paired.")
    diameter: float = param(Choice((0.030, 0.020, 0.025, 0.035, 0.040)), "m", "Of the bush; bearing series 62, bores.")
    hub: float = param(Uniform(1.5, 1.75), "1", "Housing's outer diameter over the bush's; 50 mm over 30 mm is 1.67.")
    depth: float = param(
        Uniform(0.012, 0.020), "m", "Of the bore down to its shoulder; bushes of ISO 4379 are as long."
    )
    lead_in: float = param(Uniform(0.5e-3, 1.5e-3), "m", "Length over which the bush is let into the bore.")
    friction: float = param(Uniform(0.08, 0.16), "1", "Steel in steel, pressed in, oiled to dry (DIN 7190-1).")
    stray: str = param(
        Choice(("none", "none", "missing", "oversize", "undersize")),
        "1",
        "What is wrong with the first nest: no bush, or one of another group; the second is right.",
    )
    excess: float = param(Uniform(0.35, 0.55), "1", "By how much a stray bush misses the group's bounds.")
    first: NestParams = dataclasses.field(default_factory=NestParams)
    second: NestParams = dataclasses.field(default_factory=NestParams)


class Fit(NamedTuple):
    """A bush in a bore; every part may be an array of one shape.

    Attributes:
        diameter: m.
        outer: diameter of the housing, m.
        depth: of the shoulder, m.
        lead_in: m.
        friction: between the two.
    """

    diameter: Any
    outer: Any
    depth: Any
    lead_in: Any
    friction: Any


def fit_of(p: FitParams) -> Fit:
    """Return the drawing's fit."""
    return Fit(p.diameter, p.hub * p.diameter, p.depth, p.lead_in, p.friction)


def bounds(p: FitParams) -> tuple[float, float]:
    """Return the least and the greatest interference of the group, m, of diameters."""
    return _GROUPS[p.group]


def interferences(p: FitParams) -> tuple[float, float]:
    """Return what the bushes of both nests are larger than their bores, m, of diameters."""
    low, high = bounds(p)
    first, second = (low + nest.share * (high - low) for nest in (p.first, p.second))
    stray = {"oversize": high * (1 + p.excess), "undersize": low * (1 - p.excess)}
    return stray.get(p.stray, first), second


def pressure(delta: ArrayLike, fit: Fit) -> Array:
    """Return the pressure (...), Pa, between a solid shaft and a hub of one steel (Lame), interference delta, m."""
    return np.asarray(delta) * YOUNG / (2 * fit.diameter) * (1 - (fit.diameter / fit.outer) ** 2)


def engaged(depth: ArrayLike, fit: Fit) -> Array:
    """Return the length (...), m, over which the full interference would squeeze as at some depth (...), m."""
    x = np.clip(depth, 0.0, fit.depth)
    return np.where(x < fit.lead_in, x * x / (2 * fit.lead_in), x - fit.lead_in / 2)


def squeeze(depth: ArrayLike, lean: ArrayLike, delta: ArrayLike, fit: Fit) -> Array:
    """Return the normal force (...), N, of the hub on a bush.

    A bush that leans is wider, by lean times the length that is in the bore: the interference is that much greater.

    Args:
        depth: m.
        lean: rad.
        delta: interference of diameters, m.
        fit: the fit.
    """
    length = engaged(depth, fit)
    return pressure(np.asarray(delta) + np.abs(lean) * length, fit) * math.pi * fit.diameter * length


def set_solver(spec: mujoco.MjSpec) -> None:
    """Make friction stick, and light hubs and heavy rams of one scene converge alike."""
    spec.option.impratio, spec.option.tolerance = 1e4, 1e-12


def add_nests(spec: mujoco.MjSpec, p: FitParams, tool: str) -> tuple[Array, Array]:
    """Add both nests to body "pallet": bodies part1, hub1, chip1 and so on.

    Args:
        spec: the scene.
        p: the batch.
        tool: name of the ram's geom that pushes the bushes.

    Returns:
        The nests' part of a keyframe: positions (8,) and the hubs' squeezes (2,), N.
    """
    fit, home = fit_of(p), list[float]()
    pallet = spec.body("pallet")
    for i, place, nest in zip(NESTS, NEST_PLACES, (p.first, p.second), strict=True):
        missing = i == 1 and p.stray == "missing"
        _add_nest(spec, pallet, fit, (i, float(place)), nest.chip)
        _pair(spec, tool, f"top{i}")
        out = CHIP_OUT if nest.chip == 0.0 else 0.0
        home += [p.depth + PARKED if missing else 0.0, nest.lean, 0.0, out]
    _add_faces(spec, pallet, fit, tool)
    gauge = [d + n.gauge_error for d, n in zip(interferences(p), (p.first, p.second), strict=True)]
    spec.add_numeric(name="fit", data=[*fit])
    spec.add_numeric(name="delta", data=[*interferences(p)])
    spec.add_numeric(name="gauge", data=gauge)
    spec.add_numeric(name="group", data=[*bounds(p)])
    return np.array(home), np.full(len(NESTS), _GRIP)


def _add_faces(spec: mujoco.MjSpec, pallet: mujoco.MjsBody, fit: Fit, tool: str) -> None:
    """Add what the ram meets that is not over a bore: housings and pallet, as high as the mouths."""
    bores = [-0.4, *(y + s * fit.diameter / 2 for y in NEST_PLACES for s in (-1, 1)), 0.4]
    for i, (low, high) in enumerate(zip(bores[::2], bores[1::2], strict=True), 1):
        _hidden(
            pallet, f"face{i}", mujoco.mjtGeom.mjGEOM_BOX, (0.05, (high - low) / 2, 0.02), (0, (low + high) / 2, -0.02)
        )
        _pair(spec, tool, f"face{i}")


def _add_nest(spec: mujoco.MjSpec, pallet: mujoco.MjsBody, fit: Fit, at: tuple[int, float], chip: float) -> None:
    """Add one nest, its number and its place across given: a bush, the hub that squeezes it, the shoulder, a chip."""
    i, y = at
    kinds, radius, length = mujoco.mjtGeom, fit.diameter / 2, fit.depth
    _hidden(pallet, f"shoulder{i}", kinds.mjGEOM_BOX, (radius, radius, 0.005), (0, y, -fit.depth - 0.005))
    part = pallet.add_body(name=f"part{i}", pos=[0, y, 0])
    _slide(part, f"part{i}", (0, 0, -1), _ARMATURE)
    lean = part.add_joint(name=f"lean{i}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[1, 0, 0], armature=1.0)
    lean.range, lean.limited = [-0.05, 0.05], True
    mass = 7850 * math.pi * 0.64 * radius**2 * length  # kg, steel; its own bore has 0.6 of the diameter
    weigh(part, mass, [mass * (radius**2 + length**2) / 4] * 3, [0, 0, length / 2])
    _hidden(part, f"bottom{i}", kinds.mjGEOM_SPHERE, (0.003, 0, 0), (0, 0, 0.003))
    _hidden(part, f"top{i}", kinds.mjGEOM_BOX, (0.9 * radius, 0.9 * radius, 0.002), (0, 0, length - 0.002))
    _hidden(part, f"skin{i}", kinds.mjGEOM_SPHERE, (0.002, 0, 0), (radius - 0.002, 0, 0))  # on the axis of the lean
    hub = pallet.add_body(name=f"hub{i}", pos=[radius + 0.1, y, 0])
    _slide(hub, f"hub{i}", (-1, 0, 0), 0.0)
    weigh(hub, 0.5, [0.01, 0.01, 0.01])
    _hidden(hub, f"pad{i}", kinds.mjGEOM_BOX, (0.1, 0.01, 0.15), (0, 0, 0))
    loose = pallet.add_body(name=f"chip{i}", pos=[0, y, -fit.depth])
    joint = _slide(loose, f"chip{i}", (1, 0, 0), 0.0)
    joint.range, joint.limited, joint.frictionloss = [-0.001, CHIP_OUT], True, 0.05
    weigh(loose, 0.01, [1e-6, 1e-6, 1e-6])
    high = max(chip, 0.1e-3)
    _hidden(loose, f"flake{i}", kinds.mjGEOM_BOX, (0.004, 0.004, high / 2), (0, 0, high / 2))
    for other in ("shoulder", "flake"):
        _pair(spec, f"bottom{i}", f"{other}{i}")
    _pair(spec, f"skin{i}", f"pad{i}", friction=fit.friction)
    press = spec.add_actuator(name=f"hub{i}", target=f"hub{i}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    press.set_to_motor()
    press.dyntype, press.ctrlrange, press.ctrllimited = mujoco.mjtDyn.mjDYN_INTEGRATOR, [-1e8, 1e8], True  # N/s
    rim = spec.add_actuator(name=f"lean{i}", target=f"lean{i}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    rim.set_to_velocity(kv=_TURN)
    air = spec.add_actuator(name=f"air{i}", target=f"chip{i}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    air.set_to_motor()
    things = mujoco.mjtObj.mjOBJ_GEOM
    for name, one, two in (("push", f"top{i}", ""), ("on_chip", f"bottom{i}", f"flake{i}")):
        touch = spec.add_sensor(name=f"{name}{i}", type=mujoco.mjtSensor.mjSENS_CONTACT, objtype=things, objname=one)
        if two:
            touch.reftype, touch.refname = things, two
        touch.intprm[:3] = [1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE), 3, 1]


def scan(s: State, period: float) -> None:
    """Let hubs squeeze, rims level and the air blow; call it once every control step of a period, s."""
    fit = fit_in(s)
    blown = s.actuator("blow").ctrl * _near(s)
    for i in NESTS:
        x, v = s.joint(f"part{i}").qpos[..., 0], s.joint(f"part{i}").qvel[..., 0]
        lean, force = s.joint(f"lean{i}").qpos[..., 0], push(s, i)
        there = np.clip(x + v * period, 0.0, fit.depth)
        there = np.where(x > fit.depth + 0.5 * PARKED, 0.0, there)
        wanted = _GRIP + squeeze(there, lean, s.numeric("delta")[..., i - 1], fit)
        hub = s.actuator(f"hub{i}")
        hub.ctrl[..., 0] = (wanted - hub.act[..., 0]) / period
        free = (x < fit.lead_in) & (force > _LIGHT)
        s.actuator(f"lean{i}").ctrl[..., 0] = free * -_LEVELLING * np.clip(lean / 0.5e-3, -1.0, 1.0)
        s.actuator(f"air{i}").ctrl[..., 0] = blown[..., i - 1]


def fit_in(s: State) -> Fit:
    """Return the scene's fit, parts (...)."""
    numbers = s.numeric("fit")
    return Fit(*(numbers[..., k] for k in range(len(Fit._fields))))


def depths(s: State) -> Array:
    """Return how deep both bushes are (..., 2), m."""
    return np.concatenate([s.joint(f"part{i}").qpos for i in NESTS], axis=-1)


def leans(s: State) -> Array:
    """Return how much both bushes lean (..., 2), rad."""
    return np.abs(np.concatenate([s.joint(f"lean{i}").qpos for i in NESTS], axis=-1))


def present(s: State) -> Array:
    """Return whether there is a bush in each nest, bool (..., 2)."""
    return depths(s) < fit_in(s).depth[..., None] + 0.5 * PARKED


def off_centre(s: State) -> Array:
    """Return how far each nest is from under the ram (..., 2), m, signed."""
    return s.joint("shuttle").qpos + NEST_PLACES


def push(s: State, i: int) -> Array:
    """Return the force (...), N, of the ram on a nest's bush."""
    return np.abs(s.true_sensor(f"push{i}")[..., 2])


def pushes(s: State) -> Array:
    """Return the forces (..., 2), N, of the ram on both bushes."""
    return np.stack([push(s, i) for i in NESTS], axis=-1)


def _near(s: State) -> Array:
    """Return whether each nest is under the ram's nozzle, 0 or 1 (..., 2)."""
    return (np.abs(off_centre(s)) < 5e-3).astype(float)


def _slide(body: mujoco.MjsBody, name: str, axis: tuple[float, ...], armature: float) -> mujoco.MjsJoint:
    return body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, armature=armature)


def _hidden(body: mujoco.MjsBody, name: str, kind: mujoco.mjtGeom, size: ArrayLike, pos: ArrayLike) -> None:
    """Add a geom that is touched by what it is paired with, and not seen."""
    body.add_geom(name=name, type=kind, size=size, pos=pos, mass=0, contype=0, conaffinity=0, group=3)


def _pair(spec: mujoco.MjSpec, one: str, two: str, *, friction: float = 0.0) -> None:
    """Let two geoms touch, stiffly."""
    pair = spec.add_pair(geomname1=one, geomname2=two)
    pair.solref, pair.solimp = [2 * spec.option.timestep, 1.0], [0.98, 0.9999, 20e-6, 0.5, 2.0]
    pair.condim, pair.friction = 1, [0.0] * 5
    if friction:
        # Sliding lifts a contact by friction * speed * damping of the slip; the hub must sink in deeper than that.
        pair.condim, pair.friction[:2] = 3, [friction, friction]
        pair.solimp[:2], pair.solreffriction = [0.99, 0.99], [_SLIP, 1.0]
