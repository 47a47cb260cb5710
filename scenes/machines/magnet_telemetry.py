"""What a magnet beam reports: gaps, play and load of each magnet, tilt, and its cabinet's currents, voltages and flux.

Channels are sensors of their own; `report` gives what the magnet controller knows at control rate.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.magnet import BACK, COUNT, CURRENT, EYE, FLOAT, FLUX, GROUPS, MAGNETS, RESISTANCE, TOUCHED
from sim.channels import Channel, add_channel
from sim.task import Feature, State

Array = NDArray[Any]

_NUMBERS = tuple(str(i) for i in range(1, COUNT + 1))
_CIRCUITS = tuple(GROUPS)
_BUS, _SAG = 230.0, 0.12  # V, Ohm: of the battery that carries the magnets when the mains fails
_LOST = 0.2  # of the load on the magnets, gone within a control step or two
MEMORY = ("load_before", "alarm")  # slots that `scan_alarm` needs
FEATURES = {
    "Magnet.Current": Feature("A", "", _CIRCUITS, "Of the coil circuits, by shunt."),
    "Magnet.Voltage": Feature("V", "", _CIRCUITS, "On the coil circuits, as the controller sets it."),
    "Magnet.Flux": Feature("Wb", "", _NUMBERS, "From poles to plate, by search coil."),
    "Magnet.Touch": Feature("1", "", _NUMBERS, "Whether a magnet sits on a plate, by switch."),
    "Magnet.Battery": Feature("V", doc="Voltage of the battery that holds the load when the mains fails."),
    "Magnet.DropAlarm": Feature("1", doc="Whether a fifth of the load was lost at once since it was taken up."),
    "outer": Feature("A", doc="Reference of the outer pair's current; negative demagnetizes."),
    "middle": Feature("A", doc="Reference of the middle pair's current; negative demagnetizes."),
    "inner": Feature("A", doc="Reference of the inner pair's current; negative demagnetizes."),
    "gaps": Feature("m", "magnet", _NUMBERS, "Magnets' faces above what is under them.", -0.02, 16.0),
    "floats": Feature("m", "beam", _NUMBERS, "Magnets up in the beam.", -0.05, 0.05 + FLOAT),
    "flux": Feature("Wb", "", _NUMBERS, "From poles to plate.", -0.01, 0.01 + 1.2 * FLUX),
    "current": Feature("A", "", _CIRCUITS, "Of the coil circuits.", -1.1 * BACK, 1.1 * CURRENT),
    "tilt": Feature("rad", "block", ("x", "y"), "Beam on its pin, by inclinometer.", -1.6, 1.6),
}


def add_telemetry(spec: mujoco.MjSpec) -> None:
    """Add the channels of a beam that is in the spec."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    for i, name in enumerate(MAGNETS, 1):
        gap = spec.add_sensor(type=kinds.mjSENS_RANGEFINDER, objtype=things.mjOBJ_SITE, objname=f"{name}_gap")
        gap.intprm[0] = 1 << int(mujoco.mjtRayDataField.mjRAYDATA_DIST)
        doc = "Face above what is under it, by laser: range 16 m, 0.2 mm."
        add_channel(spec, gap, Channel(f"Magnet{i}.Gap", "m", 20, bias=-EYE, noise=2e-4, resolution=1e-4, doc=doc))
        play = spec.add_sensor(type=kinds.mjSENS_JOINTPOS, objtype=things.mjOBJ_JOINT, objname=name)
        doc = "Up in the beam from its stop, by encoder."
        add_channel(spec, play, Channel(f"Magnet{i}.Float", "m", 20, noise=2e-4, resolution=1e-4, doc=doc))
        load = spec.add_sensor(type=kinds.mjSENS_JOINTLIMITFRC, objtype=things.mjOBJ_JOINT, objname=name)
        doc = "Force on its stop, own weight included, by load pin."
        add_channel(spec, load, Channel(f"Magnet{i}.Load", "N", 100, noise=50.0, resolution=20.0, doc=doc))
    for axis in "xy":
        lean = spec.add_sensor(type=kinds.mjSENS_JOINTPOS, objtype=things.mjOBJ_JOINT, objname=f"beam_{axis}")
        doc = f"Beam about {axis}, by inclinometer."
        add_channel(spec, lean, Channel(f"Hook.Tilt{axis.upper()}", "rad", 20, noise=5e-4, resolution=1e-4, doc=doc))


def scan_alarm(s: State, load: Array) -> None:
    """Latch the drop alarm.

    Args:
        s: the beam.
        load: on the magnets by the crane's load cells (...), N.
    """
    before, alarm = s.memory("load_before"), s.memory("alarm")
    heavy = before > 2000.0  # N, more than the beam's own dynamics
    alarm[...] = (alarm > 0) | (heavy & (load < (1.0 - 2 * _LOST) * before) & (touching(s).sum(axis=-1) == 0))
    before[...] = load


def currents(s: State) -> Array:
    """Return the coil circuits' currents (..., 3), A."""
    return np.concatenate([s.actuator(group).act for group in GROUPS], axis=-1)


def fluxes(s: State) -> Array:
    """Return the measured flux of each magnet (..., COUNT), Wb."""
    return np.rint(FLUX / 1e-4 * np.stack([s.memory(f"flux{i}") for i in _NUMBERS], axis=-1)) * 1e-4


def touching(s: State) -> Array:
    """Return which magnets sit on something, by their switches (..., COUNT)."""
    return np.concatenate([s.joint(name).qpos for name in MAGNETS], axis=-1) > TOUCHED


def readings(s: State, what: str) -> Array:
    """Return the channels of all magnets (..., COUNT): Gap, Float or Load."""
    return np.concatenate([s.sensor(f"Magnet{i}.{what}") for i in _NUMBERS], axis=-1)


def report(s: State) -> dict[str, Array]:
    """Return what the magnet controller reports."""
    current = currents(s)
    volts = RESISTANCE * np.concatenate([s.actuator(group).ctrl for group in GROUPS], axis=-1)
    return {
        "Magnet.Current": current,
        "Magnet.Voltage": volts,
        "Magnet.Flux": fluxes(s),
        "Magnet.Touch": touching(s).astype(float),
        "Magnet.Battery": _BUS - _SAG * np.sum(np.abs(current), axis=-1, keepdims=True),
        "Magnet.DropAlarm": s.memory("alarm")[..., None] * 1.0,
    }
