"""What a robot arm reports: channels at the instruments' rates, and slow signals at control rate.

Names follow OPC 40010-1 (AxisType, MotorType): ActualPosition, ActualSpeed, EffectiveLoadRate, IsMoving; axes count
from 1 at the base, and the arm's prefix comes first.
"""

import dataclasses
import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.arm import Arm, ArmParams, memory
from sim.channels import Channel, add_channel
from sim.distributions import Uniform
from sim.parameters import param
from sim.task import Feature, State

Array = NDArray[Any]

LATEST = 0.02  # s, longest delay of a wrist sensor, and so the length of its history
_RATE, _FAST = 100, 500  # Hz: cyclic data of a robot controller, and the rate of its own bus
_STILL = 5e-3  # rad/s or m/s
_ENCODER = 2 * math.pi / 2**19  # rad, 19 bits a turn at the joint; as m, 12 um where it slides


@dataclasses.dataclass(frozen=True, slots=True)
class WristParams:
    """What differs from one wrist force-torque sensor to the next."""

    force_noise: float = param(Uniform(0.03, 1.0), "N", "White noise at 500 Hz; good sensors to 1 N (FORGE).")
    torque_noise: float = param(Uniform(5e-4, 5e-3), "N*m", "White noise at 500 Hz; sensors of 5 to 20 N m range.")
    force_bias: float = param(Uniform(-2.0, 2.0), "N", "Drift of every axis since the last tare: 1 % of range.")
    torque_bias: float = param(Uniform(-0.05, 0.05), "N*m", "Drift of every axis since the last tare: 1 % of range.")
    gain: float = param(Uniform(0.98, 1.02), "1", "Calibration error, +-2 %.")
    delay: float = param(Uniform(0.002, LATEST), "s", "Age of a reading: the sensor's filter and the bus.")


def features(arm: Arm) -> dict[str, Feature]:
    """Return unit and meaning of all that `report` gives."""
    out = {
        f"{arm.prefix}IsMoving": Feature("1", doc="Whether a joint moves faster than 5 mrad/s, or 5 mm/s."),
    }
    for i, drive in enumerate(arm.drives, 1):
        axis, unit = f"{arm.prefix}Axis{i}", "m" if drive.slides else "rad"
        out |= {
            f"{axis}.FollowingError": Feature(unit, doc="Of the moving reference over the position."),
            f"{axis}.Motor.EffectiveLoadRate": Feature("1", doc="Torque over the joint's limit."),
            f"{axis}.Motor.WindingTemperature": Feature("degC", doc="By the thermal model of the motor."),
        }
    return out


def add_telemetry(spec: mujoco.MjSpec, arm: Arm, p: ArmParams) -> None:
    """Add the channels of an arm that is in the spec."""
    kinds, joint = mujoco.mjtSensor, mujoco.mjtObj.mjOBJ_JOINT
    for i, (name, drive) in enumerate(zip(arm.joints, arm.drives, strict=True), 1):
        axis = f"{arm.prefix}Axis{i}"
        unit, effort = ("m", "N") if drive.slides else ("rad", "N*m")
        amperes = drive.torque / drive.constant
        for kind, channel in (
            (
                kinds.mjSENS_JOINTPOS,
                Channel(f"{axis}.ActualPosition", unit, _RATE, resolution=_ENCODER, doc="Absolute encoder."),
            ),
            (
                kinds.mjSENS_JOINTVEL,
                Channel(f"{axis}.ActualSpeed", f"{unit}/s", _RATE, noise=1e-3, doc="From the encoder, filtered."),
            ),
            (
                kinds.mjSENS_JOINTACTFRC,
                Channel(
                    f"{axis}.Motor.Torque",
                    effort,
                    _RATE,
                    noise=2e-3 * drive.torque,
                    doc="At the joint, by the drive's estimate; holds up the arm and overcomes friction too.",
                ),
            ),
            (
                kinds.mjSENS_JOINTACTFRC,
                Channel(
                    f"{axis}.Motor.Current",
                    "A",
                    _FAST,
                    gain=1.0 / drive.constant,
                    noise=3e-3 * amperes,
                    resolution=1e-3,
                    doc="Drive current, signed as the torque.",
                ),
            ),
        ):
            add_channel(spec, spec.add_sensor(type=kind, objtype=joint, objname=name), channel)
    spec.add_numeric(name=f"{arm.prefix}ambient", data=[p.ambient])


def add_force_torque(spec: mujoco.MjSpec, site: str, p: WristParams, *, prefix: str = "") -> None:
    """Add a six-axis sensor between a tool's body and what carries it: channels Wrist.Force and Wrist.Torque.

    They give the force and torque with which the arm acts on the tool, about the site and in its frame, as MuJoCo's
    sensors do: a tool at rest reads upwards, by its weight, and one that presses on a bench reads downwards. What the
    work does to the tool is the opposite, less what was read before they touched.

    Args:
        spec: the scene.
        site: on the tool's body, where the sensor is.
        p: this sensor.
        prefix: of the channels' names.
    """
    kinds, timestep = mujoco.mjtSensor, spec.option.timestep
    for kind, name, unit, bias, noise in (
        (kinds.mjSENS_FORCE, "Force", "N", p.force_bias, p.force_noise),
        (kinds.mjSENS_TORQUE, "Torque", "N*m", p.torque_bias, p.torque_noise),
    ):
        sensor = spec.add_sensor(type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site)
        doc = f"{name} of the arm on the tool at the wrist sensor; holds up the tool too."
        channel = Channel(
            f"{prefix}Wrist.{name}", unit, _FAST, p.delay, site, gain=p.gain, bias=bias, noise=noise, doc=doc
        )
        add_channel(spec, sensor, channel)
        sensor.nsample = round(LATEST / timestep) + 1  # one layout, whatever the delay


def report(s: State, arm: Arm) -> dict[str, Array]:
    """Return the arm's control-rate telemetry, each (..., 1), named after OPC 40010-1; the task has `arm.memory`."""
    out: dict[str, Array] = {}
    for i, (name, drive, slot) in enumerate(zip(arm.joints, arm.drives, memory(arm), strict=True), 1):
        axis, motor, joint = f"{arm.prefix}Axis{i}", s.actuator(name), s.joint(name)
        out[f"{axis}.FollowingError"] = motor.act[..., :1] - joint.qpos
        out[f"{axis}.Motor.EffectiveLoadRate"] = np.abs(joint.qfrc_actuator) / drive.torque
        rise = motor.act[..., 1:2] + s.memory(slot)[..., None]
        out[f"{axis}.Motor.WindingTemperature"] = s.numeric(f"{arm.prefix}ambient") + rise
    speed = np.concatenate([s.joint(name).qvel for name in arm.joints], axis=-1)
    out[f"{arm.prefix}IsMoving"] = np.any(np.abs(speed) > _STILL, axis=-1, keepdims=True).astype(float)
    return out
