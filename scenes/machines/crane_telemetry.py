"""What a crane reports: channels at the instruments' rates, and slow signals at control rate.

Names follow OPC 40020-1 (CraneAxisType, BrakeType) and the OPC 40010-1 it extends: ActualPosition, ActualSpeed,
ActualLoad, IsMoving.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.crane import AXES, BLOCK_MASS, DRIVES, GRAVITY, CraneParams, travel_range
from sim.channels import Channel, add_channel
from sim.task import Feature, State

Array = NDArray[Any]

_CELLS = tuple(f"Hoist.LoadCell{i}" for i in range(1, 5))
_OPC = {"bridge": "Bridge", "trolley": "Trolley", "hoist": "Hoist"}
FEATURES = {
    f"{label}.{name}": feature
    for label in _OPC.values()
    for name, feature in {
        "IsMoving": Feature("1", doc="Whether the axis moves faster than 5 mm/s."),
        "Brake.Open": Feature("1", doc="Whether the service brake is open."),
        "Motor.WindingTemperature": Feature("degC", doc="By the thermal model of the motor."),
        "LimitSwitchMinus": Feature("1", doc="Whether the axis is within 0.1 m of its lower end."),
        "LimitSwitchPlus": Feature("1", doc="Whether the axis is within 0.1 m of its upper end."),
    }.items()
} | {
    "Hoist.ActualLoad": Feature("kg", doc="Sum of the load cells, attachment and block included."),
    "Hoist.SlackRope": Feature("1", doc="Whether a fall carries less than a tenth of the block's weight."),
}


def add_telemetry(spec: mujoco.MjSpec, p: CraneParams) -> None:
    """Add the channels of a crane that is in the spec."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    for i in range(1, 5):
        cell = spec.add_sensor(type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname=f"fall{i}")
        doc = "Force of one rope fall; resolution and noise of a 300 kN class C3 load pin (OIML R 60)."
        add_channel(
            spec,
            cell,
            Channel(f"Hoist.LoadCell{i}", "N", 200, gain=-p.load_cell_gain, noise=100.0, resolution=50.0, doc=doc),
        )
    for name, label in _OPC.items():
        place = spec.add_sensor(type=kinds.mjSENS_JOINTPOS, objtype=things.mjOBJ_JOINT, objname=name)
        add_channel(spec, place, Channel(f"{label}.ActualPosition", "m", 100, resolution=1e-3, doc="Absolute encoder."))
        speed = spec.add_sensor(type=kinds.mjSENS_JOINTVEL, objtype=things.mjOBJ_JOINT, objname=name)
        add_channel(spec, speed, Channel(f"{label}.ActualSpeed", "m/s", 100, resolution=1e-3, doc="From the encoder."))
        force = spec.add_sensor(type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname=name)
        current = Channel(
            f"{label}.Motor.Current",
            "A",
            100,
            gain=1.0 / DRIVES[name].constant,
            noise=0.5,
            resolution=0.1,
            doc="Drive current, signed as the force.",
        )
        add_channel(spec, force, current)
    camera = spec.add_sensor(type=kinds.mjSENS_FRAMEPOS, objtype=things.mjOBJ_SITE, objname="block")
    camera.reftype, camera.refname = things.mjOBJ_SITE, "trolley"
    doc = "Hook block below the trolley, by the anti-sway camera."
    add_channel(spec, camera, Channel("Hook.Sway", "m", 20, 0.05, "trolley", noise=0.003, resolution=1e-3, doc=doc))
    spec.add_numeric(name="ambient", data=[p.ambient])
    for name in AXES:
        spec.add_numeric(name=f"{name}_range", data=list(travel_range(p, name)))


def report(s: State) -> dict[str, Array]:
    """Return the crane's control-rate telemetry, each (..., 1), named after OPC 40020-1."""
    out: dict[str, Array] = {}
    for name, label in _OPC.items():
        position, (low, high) = s.joint(name).qpos, _range(s, name)
        out[f"{label}.IsMoving"] = (np.abs(s.joint(name).qvel) > 0.005).astype(float)
        out[f"{label}.Brake.Open"] = 1.0 - s.actuator(f"{name}_brake").ctrl
        out[f"{label}.Motor.WindingTemperature"] = s.numeric("ambient") + s.actuator(name).act[..., 1:2]
        out[f"{label}.LimitSwitchMinus"] = (position < low + 0.1).astype(float)
        out[f"{label}.LimitSwitchPlus"] = (position > high - 0.1).astype(float)
    falls = np.concatenate([s.sensor(f"Hoist.LoadCell{i}") for i in range(1, 5)], axis=-1)
    out["Hoist.ActualLoad"] = np.sum(falls, axis=-1, keepdims=True) / GRAVITY
    out["Hoist.SlackRope"] = np.any(falls < 0.1 * BLOCK_MASS * GRAVITY, axis=-1, keepdims=True).astype(float)
    return out


def hoist_force(s: State) -> Array:
    """Return the true force on the ropes (...), N."""
    one, two, three, four = (s.true_sensor(name)[..., 0] for name in _CELLS)
    return -(one + two + three + four)


def _range(s: State, name: str) -> tuple[Array, Array]:
    limits = s.numeric(f"{name}_range")
    return limits[..., :1], limits[..., 1:]
