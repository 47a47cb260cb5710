"""What is going on between a gripper's jaws and a peg: held or not, carried, slipped in the hand, dropped.

The scene has bodies "peg" with sites "tip" and "shank" and those of the jaws, sites "hand" on the gripper and "seat" in
the nest. Where the peg sits in the hand is remembered once the jaws have held it for a moment; slip counts from there.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import insertion
from scenes.machines.gripper import HELD, JAWS, PAD
from scenes.machines.tool import PEG
from sim.task import Feature, State

Array = NDArray[Any]

SLIP, TURN = 2.0e-3, 0.06  # m, rad: what a grasp may lose; beyond, the arm no longer knows where the tip is
_SETTLED = 0.3  # s, from when on a grasp counts
_LOST = 0.1  # s without a touch of both pads
_OUT = 4e-3  # m from its seat, where the peg has left it
_PAST = PEG - HELD + PAD[2] + 5e-3  # m from the pads' middle to where the peg was gripped: jaws are off its end
_TOLERANCE, _PRESSES = 0.5e-3, 4.0  # m, N: how exactly the drive knows the jaws stopped at a part
_PARTS = (("PLC.PART_PRESENT", "Whether the jaws stopped at a part's width, and press: from position and force."),)
_MARK = ("hand_x", "hand_y", "hand_z", "hand_u", "hand_v")
MEMORY = ("held", "lost", "carried", *_MARK)
FEATURES = {name: Feature("1", doc=doc) for name, doc in _PARTS} | {
    "Peg.InHand": Feature("m", "hand", ("x", "y", "z"), "Where the peg is gripped, from the middle of the pads."),
    "Peg.SlipInHand": Feature("m", doc="How far it has moved in the hand since it was gripped."),
    "Peg.TurnInHand": Feature("rad", doc="How far its axis has turned in the hand since it was gripped."),
    "Gripper.PadForce": Feature("N", "", JAWS, "Normal force of the pads on the peg."),
}


def add_sensors(spec: mujoco.MjSpec) -> None:
    """Add the exact sensors by which a grasp is judged."""
    kinds, things, data = mujoco.mjtSensor, mujoco.mjtObj, mujoco.mjtConDataField
    for name, kind, thing, frame in (
        ("in_hand", kinds.mjSENS_FRAMEPOS, "shank", "hand"),
        ("axis_in_hand", kinds.mjSENS_FRAMEZAXIS, "shank", "hand"),
        ("from_seat", kinds.mjSENS_FRAMEPOS, "tip", "seat"),
    ):
        sensor = spec.add_sensor(name=name, type=kind, objtype=things.mjOBJ_SITE, objname=thing)
        sensor.reftype, sensor.refname = things.mjOBJ_SITE, frame
    for jaw in JAWS:
        touch = spec.add_sensor(name=f"{jaw}_touch", type=kinds.mjSENS_CONTACT, objtype=things.mjOBJ_BODY, objname=jaw)
        touch.reftype, touch.refname = things.mjOBJ_BODY, "peg"
        touch.intprm[:3] = [sum(1 << int(f) for f in (data.mjCONDATA_FOUND, data.mjCONDATA_FORCE)), 3, 1]


def held(s: State) -> Array:
    """Return whether both pads touch the peg, bool (...)."""
    return np.logical_and(*(s.true_sensor(f"{jaw}_touch")[..., 0] > 0 for jaw in JAWS))


def touched(s: State) -> Array:
    """Return whether a pad touches the peg, bool (...)."""
    return np.logical_or(*(s.true_sensor(f"{jaw}_touch")[..., 0] > 0 for jaw in JAWS))


def carried(s: State) -> Array:
    """Return whether the jaws hold the peg, out of its nest, bool (...)."""
    return held(s) & ~_in_nest(s)


def let_go(s: State) -> Array:
    """Return whether the jaws have been drawn off the peg's end, bool (...)."""
    at = s.true_sensor("in_hand")
    return ~touched(s) & (at[..., 2] > _PAST)


def reach(s: State) -> Array:
    """Return how far the pads' middle is from where the peg should be gripped (...), m."""
    return _length(s.true_sensor("in_hand"))


def shift(s: State) -> tuple[Array, Array]:
    """Return how far the peg has moved, m, and turned, rad, in the hand since it was gripped (...); 0 if it is not."""
    at, axis = s.true_sensor("in_hand"), s.true_sensor("axis_in_hand")
    counts = held(s) & (s.memory("held") >= _SETTLED)
    now = np.concatenate([at, axis[..., :2]], axis=-1)
    way = now - np.stack([s.memory(name) for name in _MARK], axis=-1)
    return counts * _length(way[..., :3]), counts * _length(way[..., 3:])


def scan(s: State, period: float) -> None:
    """Keep track of the grasp; call it once every control step of a period, s, after `insertion.scan`."""
    now, time, lost = held(s), s.memory("held"), s.memory("lost")
    at, axis = s.true_sensor("in_hand"), s.true_sensor("axis_in_hand")
    places = np.concatenate([at, axis[..., :2]], axis=-1)
    for k, name in enumerate(_MARK):
        mark = s.memory(name)
        mark[...] = np.where(time < _SETTLED, places[..., k], mark)
    lost[...] = np.where(now, 0.0, lost + period)
    time[...] = np.where(lost > _LOST, 0.0, time + period * now)
    been = s.memory("carried")
    been[...] = np.where(_in_nest(s), 0.0, np.maximum(been, now))


def mishaps(s: State) -> dict[str, Array]:
    """Return what has gone wrong by name, each bool (...).

    slip: in the jaws the peg has moved by 2 mm or turned by 3.4 degrees since it was gripped, before it was seated;
    drop: it was carried, and for 0.1 s has been neither in the jaws, nor in the hole, nor back in its nest.
    """
    way, turn = shift(s)
    placed = insertion.engaged(s) | _in_nest(s)
    return {
        "slip": ((way > SLIP) | (turn > TURN)) & ~insertion.seated(s),
        "drop": (s.memory("carried") > 0) & (s.memory("lost") > _LOST) & ~placed,
    }


def part_present(s: State) -> Array:
    """Return the drive's part-present bit (...): the opening is a part's, as drawn, and the drive presses."""
    width = s.sensor("Gripper.ActualPosition")[..., 0] - s.numeric("drawing")[..., 0]
    return (np.abs(width) < _TOLERANCE) & (s.sensor("Gripper.ActualForce")[..., 0] > _PRESSES)


def report(s: State) -> dict[str, Array]:
    """Return the grasp's tags and exact values, each (..., dim)."""
    way, turn = shift(s)
    forces = [s.true_sensor(f"{jaw}_touch")[..., 1:4] for jaw in JAWS]
    x = s.site("hand").xmat[..., ::3]
    return {
        "PLC.PART_PRESENT": part_present(s).astype(float)[..., None],
        "Peg.InHand": s.true_sensor("in_hand"),
        "Peg.SlipInHand": way[..., None],
        "Peg.TurnInHand": turn[..., None],
        "Gripper.PadForce": np.stack([np.abs(np.sum(f * x, axis=-1)) for f in forces], axis=-1),
    }


def _in_nest(s: State) -> Array:
    """Return whether the peg is in its nest, bool (...)."""
    return _length(s.true_sensor("from_seat")) < _OUT


def _length(v: Array) -> Array:
    return np.sqrt(np.sum(v * v, axis=-1))
