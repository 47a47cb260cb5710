"""What is going on between a peg and its hole: contact, depth, energy, and how an insertion goes wrong.

The scene has bodies "peg" with site "tip" and "fixture" with site "mouth", and numeric "fit". The station's controller
sees all this only as tags; what the arm feels of it is for its wrist sensor.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.stock_fits import EDGE, Fit
from sim.task import Feature, State

Array = NDArray[Any]

SEATED = 0.96  # of the hole's depth; Factory asks for within 4 % of it
HARD = 30.0  # N: who presses harder than that means to force it
PINCH = 100.0  # N, of two-point contact
_PROGRESS = 0.4e-3  # m: a peg that takes longer for it than a mishap lasts is at rest; soft friction creeps 0.1 mm/s
_TOUCH = 0.5  # N
_SLOTS = 8  # of the contacts of greatest force
_LONG = {"pressed": 1.0, "stuck": 1.0, "pinched": 2.0, "searched": 45.0}  # s
MEMORY = (*_LONG, "mark", "depth", "energy", "started", "searching")
TAGS = {
    "PLC.START": "Whether the cycle has been started: the arm moves, or has moved.",
    "PLC.CONTACT": "Whether the peg touches anything.",
    "PLC.SEARCH": "Whether the peg is pushed about on the face, outside the hole.",
    "PLC.ENGAGED": "Whether the peg's edge is below the chamfer, inside the hole.",
    "PLC.BOTTOMED": "Whether the peg is as deep as asked.",
    "PLC.JAM": "Whether the engaged peg is pushed hard and does not move.",
}
FEATURES = {name: Feature("1", doc=doc) for name, doc in TAGS.items()} | {
    "Insertion.Depth": Feature("m", "fixture", doc="Of the peg's tip below the face; negative above it."),
    "Insertion.Energy": Feature("J", doc="Work of the axial force on the way in, so far."),
    "Peg.ContactCount": Feature("1", doc="Points at which the peg touches."),
    "Peg.ContactForce": Feature("N", "world", ("x", "y", "z"), "Of the peg on what it touches."),
    "Peg.Pinch": Feature("N", doc="Lateral contact forces that cancel: what a two-point contact clamps the peg with."),
    "Peg.Slip": Feature("m/s", doc="Sliding speed at the contact of greatest force."),
}


def add_sensors(spec: mujoco.MjSpec, fit: Fit) -> None:
    """Add the exact sensors by which an insertion is judged."""
    kinds, things, data = mujoco.mjtSensor, mujoco.mjtObj, mujoco.mjtConDataField
    tip = spec.add_sensor(name="tip", type=kinds.mjSENS_FRAMEPOS, objtype=things.mjOBJ_SITE, objname="tip")
    tip.reftype, tip.refname = things.mjOBJ_SITE, "mouth"
    speed = spec.add_sensor(name="tip_speed", type=kinds.mjSENS_FRAMELINVEL, objtype=things.mjOBJ_SITE, objname="tip")
    speed.reftype, speed.refname = things.mjOBJ_SITE, "mouth"
    whole = (data.mjCONDATA_FOUND, data.mjCONDATA_FORCE)
    parts = (data.mjCONDATA_FORCE, data.mjCONDATA_NORMAL)
    slip = (data.mjCONDATA_LINVEL,)
    for name, fields, reduce, slots in (("contact", whole, 3, 1), ("touches", parts, 2, _SLOTS), ("slip", slip, 2, 1)):
        touch = spec.add_sensor(name=name, type=kinds.mjSENS_CONTACT, objtype=things.mjOBJ_BODY, objname="peg")
        touch.reftype, touch.refname = things.mjOBJ_BODY, "fixture"
        touch.intprm[:3] = [sum(1 << int(f) for f in fields), reduce, slots]
    numbers = [fit.radius, fit.clearance, fit.chamfer, fit.depth, fit.friction]
    spec.add_numeric(name="fit", data=numbers)


def depth(s: State) -> Array:
    """Return how far the peg's tip is below the face (...), m."""
    return -s.true_sensor("tip")[..., 2]


def off_centre(s: State) -> Array:
    """Return how far the peg's tip is off the hole's axis (...), m."""
    tip = s.true_sensor("tip")
    return np.hypot(tip[..., 0], tip[..., 1])


def force_peak(s: State) -> Array:
    """Return the greatest force on the peg over the last control step (...), N."""
    x, y, z = np.moveaxis(s.peak("contact")[..., 1:4], -1, 0)
    return np.sqrt(x * x + y * y + z * z)


def push(s: State) -> Array:
    """Return the force with which the peg is pushed along the hole's axis (...), N; negative where it is pulled."""
    return -np.sum(s.true_sensor("contact")[..., 1:4] * _axis(s), axis=-1)


def pinch(s: State) -> Array:
    """Return how hard opposite walls clamp the peg (...), N: lateral normal forces, less their resultant.

    Zero where only one wall is touched, and twice the smaller force where two are.
    """
    touches = s.true_sensor("touches")
    touches = touches.reshape(*touches.shape[:-1], _SLOTS, -1)
    axis = _axis(s)[..., None, :]
    normal = touches[..., 3:6]
    lateral = normal - np.sum(normal * axis, axis=-1, keepdims=True) * axis
    forces = touches[..., :1] * lateral
    return np.sum(_length(forces), axis=-1) - _length(np.sum(forces, axis=-2))


def engaged(s: State) -> Array:
    """Return whether the peg's edge is below the chamfer, bool (...)."""
    fit = s.numeric("fit")
    return (depth(s) > fit[..., 2] + EDGE) & (off_centre(s) < fit[..., 0])


def seated(s: State) -> Array:
    """Return whether the peg is in the hole, and as deep as asked, bool (...)."""
    return engaged(s) & (depth(s) >= SEATED * s.numeric("fit")[..., 3])


def scan(s: State, period: float) -> None:
    """Keep time of what may go wrong, and count the work done; call it once every control step of a period, s."""
    inside, down, force, found = engaged(s), depth(s), push(s), s.true_sensor("contact")[..., 0] > 0
    hard = force > HARD
    mark = s.memory("mark")
    moved = down > mark + _PROGRESS
    fit = s.numeric("fit")
    shallow = down - fit[..., 2] < 2 * fit[..., 0] * fit[..., 4]  # Whitney: the friction cones see each other
    rest = inside & ~seated(s) & ~moved
    clamped = shallow & (pinch(s) > PINCH)
    happens = {"pressed": ~inside & hard, "stuck": rest & hard & ~clamped, "pinched": rest & clamped}
    for name, now in happens.items():
        timer = s.memory(name)
        timer[...] = np.where(now, timer + period, 0.0)
    s.memory("searched")[...] += np.where(~inside & found, period, 0.0)
    mark[...] = np.where(inside, np.where(moved, down, mark), 0.0)
    before, energy = s.memory("depth"), s.memory("energy")
    energy[...] += np.where(found, force * (down - before), 0.0)
    before[...] = down
    speed = _length(s.true_sensor("tip_speed"))
    started = s.memory("started")
    started[...] = np.maximum(started, speed > 2e-3)
    s.memory("searching")[...] = found & ~inside & (force > _TOUCH) & (speed > 1e-3)


def mishaps(s: State) -> dict[str, Array]:
    """Return what has gone wrong by name, each bool (...).

    wedge: opposite walls have clamped the peg for 2 s, so near the mouth that friction holds it whichever way it is
    pushed; jam: it was pushed hard for 1 s inside the hole and has not moved; missed_chamfer: it was pushed hard for
    1 s outside the hole, or has slid about on the face for 45 s in all.
    """
    over = {name: s.memory(name) >= limit - 1e-6 for name, limit in _LONG.items()}
    return {
        "wedge": over["pinched"],
        "jam": over["stuck"],
        "missed_chamfer": over["pressed"] | over["searched"],
    }


def report(s: State) -> dict[str, Array]:
    """Return the station's tags and slow values, each (..., dim)."""
    contact = s.true_sensor("contact")
    bits = {
        "PLC.START": s.memory("started") > 0,
        "PLC.CONTACT": contact[..., 0] > 0,
        "PLC.SEARCH": s.memory("searching") > 0,
        "PLC.ENGAGED": engaged(s),
        "PLC.BOTTOMED": seated(s),
        "PLC.JAM": s.memory("stuck") > 0.5,
    }
    values = {
        "Insertion.Depth": depth(s),
        "Insertion.Energy": s.memory("energy"),
        "Peg.ContactCount": contact[..., 0],
        "Peg.Pinch": pinch(s),
        "Peg.Slip": _length(s.true_sensor("slip")[..., 1:]),
    }
    out = {name: np.asarray(value, float)[..., None] for name, value in (bits | values).items()}
    return out | {"Peg.ContactForce": contact[..., 1:4]}


def _axis(s: State) -> Array:
    """Return the hole's axis, outwards (..., 3), world."""
    return s.site("mouth").xmat[..., 2::3]


def _length(v: Array) -> Array:
    return np.sqrt(np.sum(v * v, axis=-1))
