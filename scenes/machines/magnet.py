"""A telescopic beam with six switched lifting magnets, hung from a crane's hook block by a pin, and their law of force.

Beam and magnets point along x, the crane's runway; a magnet floats in the beam, so that it sits on a plate by its own
weight, and hangs from its stop when it is lifted. Coils are switched in three groups, the outer, middle and inner pair;
a coil's current follows its reference as inductance and resistance let it.

MuJoCo has no magnets: `scan` works out the pull on each plate from currents and gaps and gives it to adhesion
actuators, which let go by themselves where a gap exceeds `REACH`.

Rule: flux is counted as a share of what a coil at full current drives through a closed gap; force goes with its square.
"""

import dataclasses
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock_plates
from scenes.machines.crane import BLOCK_MASS, GRAVITY
from scenes.machines.magnet_looks import BEAM, MAGNET
from scenes.machines.scenery import add_parts
from scenes.stock import GROUND, HIDDEN
from scenes.stock_plates import PLATES, Plate
from sim.cameras import label
from sim.distributions import Uniform
from sim.parameters import param
from sim.task import State

Array = NDArray[Any]

GROUPS = {"outer": (0, 5), "middle": (1, 4), "inner": (2, 3)}  # magnets of a coil circuit
COUNT = 6
MAGNETS = tuple(f"magnet{i}" for i in range(1, COUNT + 1))
PITCH = 0.15  # of the plate's length, from magnet to magnet: an eighth of it overhangs at each end
TEAR_OFF = 150e3  # N at full current on thick clean steel: 0.167 m2 of poles at 1.5 T, B^2 A / (2 mu_0)
FLUX = 0.25  # Wb, then
GAP = 1.3e-3  # m that halves the flux: 0.2 mm takes 20 to 30 %, 1 mm 50 to 70 % of the force (makers' tables)
FULL = 0.025  # m of steel that carries a magnet's full flux: thinner plates are saturated, and let the rest through
REACH = 5e-3  # m, beyond which pull is left out: less than a twentieth
CURRENT, BACK = 25.0, 5.0  # A: rated, and greatest against it; at 220 V
RESISTANCE = 8.8  # Ohm, hot
FLOAT = 0.08  # m of play of a magnet in the beam
TOUCHED = 4e-3  # m of it at which the touch switch closes
DROP = 1.45  # m, from the pin to the faces of hanging magnets
MASS = 650.0  # kg of a magnet; with poles of that size
BEAM_MASS = 3600.0  # kg
TARE = (BLOCK_MASS + BEAM_MASS + COUNT * MASS) * GRAVITY  # N on the load cells when nothing is lifted
_BEAM_DROP = 0.80  # m, pin to the beam's middle
_FACE = (0.25, 0.40)  # m, half a magnet's face along and across
_POINT = (0.03, 0.25)  # m: radius of the two points it touches with, and how far from its middle across
EYE = 0.05  # m, gap sensor above the face
PULLS = ("pull1", "pull2", "pull3")  # on plate 1, by it on plate 2, by that on plate 3
MEMORY = (*(f"field_{g}" for g in GROUPS), *(f"flux{i}" for i in range(1, COUNT + 1)))  # slots that `scan` needs


@dataclasses.dataclass(frozen=True, slots=True)
class MagnetParams:
    """What differs from magnet to magnet, and from day to day."""

    strength: float = param(Uniform(0.85, 1.15), "1", "Tear-off force over nominal, +-15 %: coils, voltage, warmth.")
    gap1: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 1; makers' tables go to 1.5 mm.")
    gap2: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 2.")
    gap3: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 3.")
    gap4: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 4.")
    gap5: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 5.")
    gap6: float = param(Uniform(0.0, 1.5e-3), "m", "Scale and paint under magnet 6.")
    between: float = param(Uniform(0.1e-3, 0.6e-3), "m", "Air between plates: scale; engineering value.")
    lag: float = param(Uniform(0.2, 0.6), "s", "Inductance over resistance of a coil; engineering value.")
    remanence: float = param(Uniform(0.02, 0.08), "1", "Half width of the steel's hysteresis over full field.")

    @property
    def gaps(self) -> tuple[float, ...]:
        """Of all magnets, m."""
        return self.gap1, self.gap2, self.gap3, self.gap4, self.gap5, self.gap6


def places(plate: Plate) -> Array:
    """Return where the magnets are along the beam as it is drawn out for a plate (COUNT,), m."""
    return PITCH * plate.length * (np.arange(COUNT) - (COUNT - 1) / 2)


def add_beam(spec: mujoco.MjSpec, parent: mujoco.MjsBody, plate: Plate) -> mujoco.MjsBody:
    """Hang body "beam" from a pin in parent's origin, swinging about x and y (joints beam_x, beam_y).

    Magnets "magnet1" to "magnet6", from lower x, move up in it (joints of their names), each with a site of its name in
    the middle of its face; site "beam" is between them.

    Args:
        spec: the scene.
        parent: what it hangs from.
        plate: for which it is drawn out.
    """
    at = places(plate)
    beam = parent.add_body(name="beam")
    for name, axis in (("beam_x", [1, 0, 0]), ("beam_y", [0, 1, 0])):
        # Friction of pin and hook, as viscous damping; as of the C-hook.
        beam.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, damping=[1500.0, 0, 0])
    half = float(at[-1]) + 0.4
    beam.explicitinertial = True
    beam.mass, beam.ipos = BEAM_MASS, [0, 0, -_BEAM_DROP]
    beam.inertia = [BEAM_MASS * 0.1, BEAM_MASS * half**2 / 3, BEAM_MASS * half**2 / 3]
    beam.add_site(name="beam", pos=[0, 0, -DROP], size=[0.02, 0.02, 0.02])
    add_parts(spec, beam, BEAM, (float(at[-1]),), name="beam")
    for name, x in zip(MAGNETS, at, strict=True):
        body = beam.add_body(name=name, pos=[x, 0, -DROP])
        slide = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1], damping=[3e3, 0, 0])
        slide.range, slide.limited, slide.solref_limit = [0.0, FLOAT], True, [0.01, 1.0]
        _add_magnet(spec, body, name)
    label(spec, "magnet", "beam", *MAGNETS)
    return beam


def _add_magnet(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str) -> None:
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = MASS, [0, 0, 0.15], [MASS * 0.06, MASS * 0.03, MASS * 0.07]
    body.add_site(name=name, size=[0.02, 0.02, 0.02])
    body.add_site(name=f"{name}_gap", pos=[0, 0, EYE], quat=[0, 1, 0, 0], size=[0.01, 0.01, 0.01])  # its z points down
    for side in (-1, 1):  # a thin plate that hung from one point a magnet would roll about the beam
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[_POINT[0], 0, 0],
            pos=[0, side * _POINT[1], _POINT[0]],
            contype=0,
            conaffinity=GROUND | sum(stock_plates.top(n) for n in range(1, PLATES + 1)),
            mass=0,
            gap=REACH,
            group=HIDDEN,
        )
    add_parts(spec, body, MAGNET, name="magnet")


def add_pulls(spec: mujoco.MjSpec, p: MagnetParams, plate: Plate, *, grade: float) -> None:
    """Add the coils' circuits, actuators of their groups' names in A, and the actuators that pull.

    Args:
        spec: the scene, with the beam and all plates.
        p: these magnets.
        plate: each of the stack's.
        grade: force on its steel over that on mild steel.
    """
    for group, members in GROUPS.items():
        coil = spec.add_actuator(name=group, target=MAGNETS[members[0]], trntype=mujoco.mjtTrn.mjTRN_JOINT)
        coil.dyntype, coil.gainprm = mujoco.mjtDyn.mjDYN_FILTEREXACT, [0.0] * 10  # current, and no force of its own
        coil.dynprm = [p.lag, *[0.0] * 9]
        coil.ctrlrange, coil.ctrllimited = [-BACK, CURRENT], True
    for name, bodies in zip(PULLS, _pulled(), strict=True):
        for body in bodies:
            pull = spec.add_actuator(name=f"{name}_{body}", target=body, trntype=mujoco.mjtTrn.mjTRN_BODY)
            pull.gainprm[0] = 1.0
            pull.ctrlrange, pull.ctrllimited = [0.0, COUNT * 2 * TEAR_OFF], True
    spec.add_numeric(name="magnet_gaps", data=list(p.gaps))
    spec.add_numeric(name="magnet", data=[TEAR_OFF * p.strength * grade, p.remanence, p.between])
    spec.add_numeric(name="plate", data=[plate.length, plate.width, plate.thickness])


def _pulled() -> tuple[tuple[str, ...], ...]:
    return MAGNETS, stock_plates.foot_names(1), stock_plates.foot_names(2)


def scan(s: State) -> None:
    """Work out field, flux and pull from the coils' currents and the gaps, and pull.

    Args:
        s: beam, plates, and site "stack" on top of the pile that the plates lay on.
    """
    field = np.empty((*np.shape(s.time), COUNT))
    width = s.numeric("magnet")[..., 1]
    for group, members in GROUPS.items():
        slot, drive = s.memory(f"field_{group}"), s.actuator(group).act[..., 0] / CURRENT
        slot[...] = np.clip(slot, drive - width, drive + width)  # what is played off is the hysteresis
        field[..., members] = slot[..., None]
    gaps, near = plate_gaps(s)
    gaps[..., 0, :] += s.numeric("magnet_gaps")
    gaps[..., 1:, :] += s.numeric("magnet")[..., 2, None, None]
    thickness = s.numeric("plate")[..., 2:]
    base = s.site("stack").xpos[..., 2:] + thickness / 2
    lies = np.abs(s.site(f"plate{PLATES}").xpos[..., 2:] - base) < REACH
    fluxes = flux(np.abs(field), gaps, near, thickness, lies * 1.0)
    pulls = s.numeric("magnet")[..., 0, None, None] * fluxes**2
    for i in range(COUNT):
        s.memory(f"flux{i + 1}")[...] = fluxes[..., 0, i]
        s.actuator(f"{PULLS[0]}_{MAGNETS[i]}").ctrl[..., 0] = pulls[..., 0, i]
    plate = s.numeric("plate")
    for level in (1, 2):
        shares = _shared(s, level, plate)
        for j, body in enumerate(_pulled()[level]):
            s.actuator(f"{PULLS[level]}_{body}").ctrl[..., 0] = np.sum(shares[..., j] * pulls[..., level, :], axis=-1)


def flux(field: Array, gaps: Array, near: Array, thickness: Array, pile: Array | float = 0.0) -> Array:
    """Return the flux of each magnet into plates 1, 2 and 3 (..., PLATES, COUNT).

    A plate carries as much as its thickness lets it, and lets the rest through to the next; so do all below together.

    Args:
        field: of the coils over full field (..., COUNT).
        gaps: before each plate (..., PLATES, COUNT), m.
        near: whether a plate, and all above it, is within reach (..., PLATES, COUNT).
        thickness: of a plate (..., 1), m.
        pile: what the pile under the last of them carries, over full field (..., 1).
    """
    share = thickness / FULL
    below = share[..., None] * np.cumsum(near[..., ::-1, :], axis=-2)[..., ::-1, :] + np.asarray(pile)[..., None]
    out = np.zeros_like(gaps)
    driven = field
    for level in range(gaps.shape[-2]):
        driven = near[..., level, :] * driven / (1.0 + np.maximum(gaps[..., level, :], 0.0) / GAP)
        out[..., level, :] = np.minimum(driven, below[..., level, :])
        driven = np.maximum(driven - share, 0.0)
    return out


def plate_gaps(s: State) -> tuple[Array, Array]:
    """Return the air before plates 1, 2 and 3 under each magnet (..., PLATES, COUNT), m, and whether it is in reach."""
    face = np.stack([s.site(name).xpos for name in MAGNETS], axis=-2)
    thickness = s.numeric("plate")[..., 2:]
    gaps = np.empty((*face.shape[:-2], PLATES, COUNT))
    gaps[..., 0, :] = clearances(s)
    height = gaps[..., 0, :] + thickness  # of the face above the underside of the plate before
    for number in range(2, PLATES + 1):
        body = s.body(f"plate{number}")
        up = np.sum((face - body.xpos[..., None, :]) * body.xmat[..., None, 2::3], axis=-1)
        gaps[..., number - 1, :] = up - thickness / 2 - height
        height = height + gaps[..., number - 1, :] + thickness
    return gaps, np.logical_and.accumulate(np.abs(gaps) < REACH, axis=-2)


def clearances(s: State) -> Array:
    """Return the true distance of each magnet's face to what is under it (..., COUNT), m, as last sensed."""
    return np.concatenate([s.true_sensor(f"Magnet{i}.Gap") for i in range(1, COUNT + 1)], axis=-1) - EYE


def held(s: State) -> Array:
    """Return which magnets have a plate before them (..., COUNT)."""
    return np.abs(clearances(s)) < REACH


def _shared(s: State, level: int, plate: Array) -> Array:
    """Return how each magnet's pull under plate `level` is shared by that plate's feet (..., COUNT, feet)."""
    unit = stock_plates.foot_places(level, Plate(1.0, 1.0, 1.0))
    off = s.site("beam").xpos[..., :1] - s.site(f"plate{level}").xpos[..., :1]
    at = places(Plate(1.0, 1.0, 1.0)) + off / plate[..., :1]
    if len(unit) > COUNT:  # a foot under each magnet
        return 1.0 * (np.arange(len(unit)) == np.argmin(np.abs(at[..., None] - unit), axis=-1)[..., None])
    place = np.clip((at - unit[0]) / (unit[1] - unit[0]), 0.0, len(unit) - 1.0)
    return np.maximum(1.0 - np.abs(place[..., None] - np.arange(len(unit))), 0.0)


def payload(force: Array) -> Array:
    """Return the force on the ropes beyond that of the empty beam (...), N."""
    return force - TARE


def swing(axis: int, plate: Plate, carried: float = 0.0) -> tuple[float, float, float]:
    """Return mass, drop of its centre below the pin and inertia about that of the beam with what it carries.

    Args:
        axis: 0 to swing about x (across the bay), 1 about y (along it).
        plate: for which it is drawn out.
        carried: mass of plates, kg.
    """
    at = places(plate)
    half, long, wide = float(at[-1]) + 0.4, plate.length, plate.width
    lean = [(0.1, 0.06, wide**2 / 12), (half**2 / 3, 0.03 + float(np.mean(at**2)), long**2 / 12)][axis]
    parts = [(BEAM_MASS, _BEAM_DROP, lean[0]), (COUNT * MASS, DROP - 0.15, lean[1]), (carried, DROP, lean[2])]
    mass = sum(m for m, _, _ in parts)
    drop = sum(m * z for m, z, _ in parts) / mass
    return mass, drop, sum(m * (i + (z - drop) ** 2) for m, z, i in parts)


def lifts_two(plate: Plate) -> bool:
    """Return whether nominal magnets at a gap of 1 mm hold a second plate through the first twice over."""
    through = 0.95 / (1.0 + 1e-3 / GAP) - plate.thickness / FULL
    return TEAR_OFF * max(0.0, through / 1.27) ** 2 > 2.0 * plate.mass * GRAVITY / COUNT
