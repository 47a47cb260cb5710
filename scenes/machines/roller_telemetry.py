"""What a roller table reports: channels at the instruments' rates, and slow signals at control rate."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import roller_pieces, roller_table, roller_tracking
from scenes.machines.roller_table import DRIVES, GROUPS, RollerTableParams
from scenes.machines.roller_tracking import BEFORE, CELLS, PIECES
from sim.channels import Channel, add_channel
from sim.task import Feature, State

Array = NDArray[Any]

_NAMES = tuple(str(k) for k in range(1, GROUPS + 1))
_PYROMETER = 2.0  # m before the mark
FEATURES = {
    "PhotoCells": Feature("1", "", CELLS, "Whether hot metal is before each photocell."),
    "Drives.Fault": Feature("1", "", _NAMES, "Whether each group has tripped."),
    "Drives.Current": Feature("A", "", _NAMES, "Motor current, from torque."),
    "Drives.WindingTemperature": Feature("degC", "", _NAMES, "By the thermal model of the motors."),
    "LengthCounter": Feature("m", doc="What the rollers turned since the piece ahead reached its last photocell."),
    "SlipRatio": Feature("1", doc="Rollers' speed under the piece ahead over its own, by laser, less one."),
    "Pyrometer": Feature("degC", doc="Surface of what lies 2 m before the mark."),
    "Stopper.IsUp": Feature("1", doc="Whether the stopper is at its upper end."),
}


def add_telemetry(spec: mujoco.MjSpec, p: RollerTableParams, temperatures: tuple[float, float]) -> None:
    """Add the channels of table, guides and stopper, and the sensors by which pieces are judged.

    Args:
        spec: the scene.
        p: the table.
        temperatures: of the pieces' surfaces, degC.
    """
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    for k, drive in enumerate(DRIVES, 1):
        rate = spec.add_sensor(type=kinds.mjSENS_JOINTVEL, objtype=things.mjOBJ_JOINT, objname=drive)
        doc = "Surface of a new roller, from the motor's encoder."
        add_channel(
            spec,
            rate,
            Channel(f"Group{k}.ActualSpeed", "m/s", 100, gain=p.diameter / 2, resolution=1e-4, doc=doc),
        )
        force = spec.add_sensor(type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname=f"{drive}_motor")
        doc = "Of a group's motor, at its rollers; from its current."
        add_channel(spec, force, Channel(f"Group{k}.Motor.Torque", "N*m", 100, noise=20.0, resolution=5.0, doc=doc))
    for side in ("Left", "Right"):
        guide = spec.add_sensor(
            type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname=f"guide_{side.lower()}_servo"
        )
        doc = "Of a guide's cylinder, from its pressures, outwards."
        add_channel(spec, guide, Channel(f"Guide{side}.Force", "N", 100, noise=500.0, resolution=100.0, doc=doc))
    for name, joint, gain in (("Guide.ActualGap", "guide_left", 2.0), ("Stopper.ActualPosition", "stopper", 1.0)):
        place = spec.add_sensor(type=kinds.mjSENS_JOINTPOS, objtype=things.mjOBJ_JOINT, objname=joint)
        add_channel(spec, place, Channel(name, "m", 50, gain=gain, resolution=1e-3, doc="By its cylinder's encoder."))
    laser = spec.add_sensor(type=kinds.mjSENS_FRAMELINVEL, objtype=things.mjOBJ_SITE, objname=f"{PIECES[0]}_head")
    doc = "The piece ahead, by laser velocimeter; along the table, across it and up."
    add_channel(spec, laser, Channel("Slab.ActualSpeed", "m/s", 100, 0.02, "world", noise=0.003, doc=doc))
    found, speed = mujoco.mjtConDataField.mjCONDATA_FOUND, mujoco.mjtConDataField.mjCONDATA_LINVEL
    for name, (first, second) in {"pieces": PIECES, "stop": (PIECES[0], "stopper")}.items():
        touch = spec.add_sensor(name=name, type=kinds.mjSENS_CONTACT, objtype=things.mjOBJ_BODY, objname=first)
        touch.reftype, touch.refname = things.mjOBJ_BODY, second
        touch.intprm[:3] = [1 << int(found) | 1 << int(speed), 2, 1]  # of the contact of greatest force
    spec.add_numeric(name="surface", data=list(temperatures))


def report(s: State) -> dict[str, Array]:
    """Return the table's slow telemetry, each (..., dim)."""
    tails, heads = roller_pieces.ends(s)
    place = s.numeric("tracking")[..., :1] - _PYROMETER
    seen = (tails < place) & (place < heads)
    ambient = s.numeric("drives")[..., 4:5]
    hottest = np.max(np.where(seen, s.numeric("surface"), ambient), axis=-1, keepdims=True)
    now = s.sensor("Slab.ActualSpeed")[..., :1]
    on = roller_table.shares(s, tails[..., :1], heads[..., :1])[..., 0, :]
    turning = np.sum(on * roller_table.speeds(s), axis=-1, keepdims=True)
    torque = np.concatenate([s.sensor(f"Group{k}.Motor.Torque") for k in range(1, GROUPS + 1)], axis=-1)
    rise = np.concatenate([s.actuator(f"{d}_motor").act[..., -1:] for d in DRIVES], axis=-1)
    return {
        "PhotoCells": roller_tracking.cells(s).astype(float),
        "Drives.Fault": roller_table.tripped(s).astype(float),
        "Drives.Current": torque / (roller_table.CONSTANT * s.numeric("roller_radius")),
        "Drives.WindingTemperature": ambient + rise,
        "LengthCounter": s.memory("counted")[..., None],
        "SlipRatio": np.where(np.abs(now) > 0.05, turning / np.where(np.abs(now) > 0.05, now, 1.0) - 1.0, 0.0),
        "Pyrometer": hottest,
        "Stopper.IsUp": (s.joint("stopper").qpos > 0.24).astype(float),
    }


def observe(s: State) -> dict[str, Array]:
    """Return what an operator sees, each (..., dim)."""
    turning = np.concatenate([s.sensor(f"Group{k}.ActualSpeed") for k in range(1, GROUPS + 1)], axis=-1)
    guide = [s.sensor(n) for n in ("Guide.ActualGap", "GuideLeft.Force", "GuideRight.Force")]
    return {
        "speed": turning,
        "fault": roller_table.tripped(s).astype(float),
        "cells": roller_tracking.cells(s).astype(float),
        "way": roller_tracking.tracked(s),
        "laser": s.sensor("Slab.ActualSpeed")[..., :1],
        "guide": np.concatenate(guide, axis=-1),
        "stopper": s.sensor("Stopper.ActualPosition"),
        "order": s.numeric("order"),
    }


OBSERVED = {
    "speed": Feature("m/s", "", _NAMES, "Surface speed of each group, by encoder.", -6.0, 6.0),
    "fault": Feature("1", "", _NAMES, "Whether each group has tripped.", 0.0, 1.0),
    "cells": Feature("1", "", CELLS, f"Photocells, {BEFORE} m before the mark.", 0.0, 1.0),
    "way": Feature("m", "", ("a", "b"), "Heads' way to the mark, as the controller tracks them.", -30.0, 60.0),
    "laser": Feature("m/s", "", (), "Speed of slab A, by laser.", -6.0, 6.0),
    "guide": Feature("m, N", "", ("gap", "left", "right"), "Gap and forces.", (0.0, -5e5, -5e5), (3.0, 5e5, 5e5)),
    "stopper": Feature("m", "", (), "How far the stopper is up.", -0.2, 0.5),
    "order": Feature("m", "", ("length_a", "length_b", "width_a", "speed"), "By the order; speed in m/s.", 0.0, 15.0),
}
