"""A nutrunner on a feed axis: a spindle with a speed and a torque limit, a sprung bit, and a feeder of two lanes.

The drive turns joint "motor" at its reference, and takes the spindle along through joint "spindle", whose friction is
the torque limit: a speed loop with a current limit, both at every physics step. The rotor's inertia is the spindle's,
behind that, so that it is not held back by the limit. The bit turns the screw by a spring, the torsion of bit and
holder, as long as it is in the socket, and by a sprung nose pushes it down.

Rule: `drive` is what bit, socket and feeder do by their nature; it decides nothing.
"""

import dataclasses
import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.screw_joint import add_gate, add_rider, hold_firm
from sim.channels import Channel, add_channel
from sim.distributions import Uniform
from sim.parameters import param
from sim.task import Feature, State

Array = NDArray[Any]

ACTUATORS = ("feed", "speed", "torque", "lane")
FEED, SPEED, TORQUE = 0.15, 52.0, 60.0  # m/s; rad/s, 500 rpm; N m: electric spindles of this class reach 10 to 60 N m
NOSE, STROKE = 6e3, 0.025  # N/m, m, of the sprung bit holder
TORSION = 600.0  # N m/rad, of bit, holder and transducer: 1 degree at 10 N m
IN_SOCKET = 1.5e-3  # m between bit and its stop in the socket, at which it turns the screw
_DRIVE = 5.0  # kg m2, of the speed loop's reference: it gains full speed in 0.1 s
_CARRIAGE = 12.0  # kg
_CONSTANT = 0.9  # N m/A at the spindle, gear included
_COPPER = (0.45, 320.0, 420.0)  # ohm, J/K, s: winding of a servo motor of 0.7 kW
MEMORY = ("bit", "fed", "lane", "heat")
FEATURES = {
    "Spindle.IsMoving": Feature("1", doc="Whether the spindle turns faster than 0.1 rad/s."),
    "Spindle.Motor.WindingTemperature": Feature("degC", doc="By the thermal model of the motor."),
    "Bit.InSocket": Feature("1", doc="Whether the bit is in the screw's socket, by the stroke of its holder."),
    "Feeder.Lane": Feature("1", doc="Lane that the screw came from: 1 for A, -1 for B, 0 for none yet."),
}


@dataclasses.dataclass(frozen=True, slots=True)
class NutrunnerParams:
    """One spindle, its bit and its instruments."""

    backlash: float = param(Uniform(0.0, math.radians(5.0)), "rad", "Play of a worn bit in the socket; to 5 degrees.")
    constant: float = param(Uniform(0.95, 1.05), "1", "Torque limit over what was asked for: motor constants, +-5 %.")
    inertia: float = param(Uniform(1.5e-3, 3e-3), "kg*m2", "Rotor and gear at the spindle; engineering value.")
    transducer_gain: float = param(Uniform(0.995, 1.005), "1", "Calibration of the torque transducer, class 0.5.")
    transducer_bias: float = param(Uniform(-0.05, 0.05), "N*m", "Zero of the transducer: 0.1 % of 60 N m, rounded.")
    noise: float = param(Uniform(0.01, 0.04), "N*m", "Noise of the transducer; engineering value.")
    hall: float = param(Uniform(15.0, 35.0), "degC", "Air about the motor, which was idle before.")


def add_nutrunner(
    spec: mujoco.MjSpec, seat: tuple[float, float, float], p: NutrunnerParams, above: float, lane: float
) -> tuple[Array, float]:
    """Add the feed axis (body "carriage") with its spindle, over a screw that is in the scene.

    Args:
        spec: the scene.
        seat: where the screw's head belongs (3,), m, world.
        p: this nutrunner.
        above: of the feed over where the bit meets a seated screw, m, at the start.
        lane: of the feeder that holds the screw asked for: 1 for A, -1 for B.

    Returns:
        qpos at the start, of joints "feed", "motor", "spindle", "bit", and the feed's activation.
    """
    kinds, trn, things = mujoco.mjtJoint, mujoco.mjtTrn, mujoco.mjtObj
    carriage = add_rider(spec.worldbody, "carriage", _CARRIAGE, seat)
    carriage.add_joint(name="feed", type=kinds.mjJNT_SLIDE, axis=[0, 0, 1])
    motor = add_rider(carriage, "motor", 0.01)
    motor.add_joint(name="motor", type=kinds.mjJNT_HINGE, axis=[0, 0, -1], armature=_DRIVE)
    spindle = add_rider(motor, "spindle", 0.5)
    spindle.inertia = 3 * [p.inertia]
    spindle.add_joint(name="spindle", type=kinds.mjJNT_HINGE, axis=[0, 0, -1], frictionloss=1e-3, **hold_firm(spec))
    holder = add_rider(carriage, "bit", 0.2)
    holder.add_joint(name="bit", type=kinds.mjJNT_HINGE, axis=[0, 0, -1], armature=2e-3)
    nose = spec.add_tendon(name="nose", stiffness=[NOSE, 0, 0], springlength=[0.0, 1e3])
    play = spec.add_tendon(name="play", stiffness=[2 * TORSION, 0, 0], damping=[0.8, 0, 0])
    play.springlength = [-p.backlash / 2, p.backlash / 2]
    bit = spec.add_tendon(name="bit")
    for tendon, one, other in ((nose, "feed", "travel"), (play, "spindle", "bit"), (bit, "bit", "screw")):
        tendon.wrap_joint(one, 1.0)
        tendon.wrap_joint(other, -1.0)
    play.wrap_joint("motor", 1.0)
    turn = spec.add_tendon(name="spindle")
    for joint in ("motor", "spindle"):
        turn.wrap_joint(joint, 1.0)
    feed = spec.add_actuator(name="feed", target="feed", trntype=trn.mjTRN_JOINT)
    feed.set_to_intvelocity(kp=2e5, kv=3e3)
    feed.gear[0], feed.ctrlrange, feed.forcerange = -1.0, [-FEED, FEED], [-400.0, 400.0]
    feed.actlimited, feed.actrange = True, [-above, 0.035]
    speed = spec.add_actuator(name="speed", target="motor", trntype=trn.mjTRN_JOINT)
    speed.set_to_velocity(kv=2000.0)
    speed.ctrlrange, speed.forcerange = [-SPEED, SPEED], [-1600.0, 1600.0]
    torque = spec.add_actuator(name="torque", target="spindle", trntype=trn.mjTRN_JOINT)
    torque.set_to_motor()
    torque.gainprm[0], torque.ctrlrange = 0.0, [0.0, TORQUE]
    choice = spec.add_actuator(name="lane", target="length", trntype=trn.mjTRN_JOINT)
    choice.set_to_motor()
    choice.gainprm[0], choice.ctrlrange = 0.0, [-1.0, 1.0]
    for limited in (feed, speed, torque, choice):
        limited.ctrllimited = True
    add_gate(spec, "bit", trn.mjTRN_TENDON, (0.0, -2 * TORSION, -0.8))
    socket = spec.add_actuator(name="socket", target="bit", trntype=trn.mjTRN_TENDON)
    socket.set_to_motor()
    _add_telemetry(spec, p, things)
    spec.add_numeric(name="nutrunner", data=[p.hall, lane, p.constant])
    return np.array([above, 0.0, 0.0, 0.0]), -above


def drive(s: State, period: float, top: Array) -> None:
    """Let bit, socket, feeder and winding do what they do; once every control step of a period, s.

    Args:
        s: the simulations.
        period: one control step, s.
        top: height of the screw's head in the jaws (...), m, over its seat.
    """
    right = s.numeric("nutrunner")[..., 1]
    height = s.joint("travel").qpos[..., 0]
    stroke = s.joint("feed").qpos[..., 0] - height
    now, before, middle = stroke < IN_SOCKET, s.memory("fed"), s.memory("bit")
    middle[...] = np.where(before > 0, middle, s.tendon("bit").length[..., 0])  # a socket is met at any angle
    before[...] = now
    s.actuator("bit").ctrl[...] = now[..., None]
    s.actuator("socket").ctrl[...] = (now * 2 * TORSION * middle)[..., None]
    lane, chosen = s.memory("lane"), s.actuator("lane").ctrl[..., 0]
    lane[...] = np.where(height > top - 3e-3, np.sign(np.where(np.abs(chosen) > 0.5, chosen, 0.0)), lane)
    s.actuator("escapement").ctrl[...] = (s.numeric("screw")[..., 3] / 2 * (1.0 - lane * right))[..., None]
    ohm, capacity, fades = _COPPER
    heat, current = s.memory("heat"), s.true_sensor("Spindle.Torque")[..., 0] / _CONSTANT
    heat[...] += period * (ohm * current * current / capacity - heat / fades)


def limit(s: State) -> Array:
    """Return the torque that the drive can give (...), N m."""
    return s.actuator("torque").ctrl[..., 0] * s.numeric("nutrunner")[..., 2] + 1e-3


def report(s: State) -> dict[str, Array]:
    """Return the slow telemetry, each (..., 1)."""
    values = {
        "Spindle.IsMoving": np.abs(s.tendon("spindle").velocity[..., 0]) > 0.1,
        "Spindle.Motor.WindingTemperature": s.numeric("nutrunner")[..., 0] + s.memory("heat"),
        "Bit.InSocket": s.memory("fed"),
        "Feeder.Lane": s.memory("lane"),
    }
    return {name: np.asarray(value, float)[..., None] for name, value in values.items()}


def _add_telemetry(spec: mujoco.MjSpec, p: NutrunnerParams, things: type[mujoco.mjtObj]) -> None:
    """Add the channels."""
    kinds, gain = mujoco.mjtSensor, p.transducer_gain
    for kind, thing, on, channel in (
        (kinds.mjSENS_TENDONACTFRC, things.mjOBJ_TENDON, "bit", Channel("Spindle.Torque", "N*m", 1000, gain=-gain,
         bias=p.transducer_bias, noise=p.noise, resolution=0.005, doc="Torque on the bit, clockwise, by transducer.")),
        (kinds.mjSENS_TENDONPOS, things.mjOBJ_TENDON, "spindle", Channel("Spindle.Angle", "rad", 1000,
         resolution=math.radians(0.01), doc="Turned so far, clockwise, by encoder.")),
        (kinds.mjSENS_TENDONVEL, things.mjOBJ_TENDON, "spindle", Channel("Spindle.ActualSpeed", "rad/s", 250,
         resolution=0.01, doc="Clockwise, from the encoder.")),
        (kinds.mjSENS_TENDONACTFRC, things.mjOBJ_TENDON, "bit", Channel("Spindle.Motor.Current", "A", 250,
         gain=-1.0 / (_CONSTANT * p.constant), noise=0.1, resolution=0.05, doc="Torque current of the drive.")),
        (kinds.mjSENS_JOINTPOS, things.mjOBJ_JOINT, "feed", Channel("Feed.ActualPosition", "m", 250,
         resolution=1e-5, doc="Over where the unsprung bit meets a seated screw, by encoder.")),
        (kinds.mjSENS_TENDONPOS, things.mjOBJ_TENDON, "nose", Channel("Nose.Stroke", "m", 250, noise=1e-5,
         resolution=1e-5, doc="Bit over the socket's bottom, negative where it is sprung: a linear scale.")),
    ):  # fmt: skip
        add_channel(spec, spec.add_sensor(type=kind, objtype=thing, objname=on), channel)


def push(s: State) -> Array:
    """Return the force with which the bit pushes the screw down (...), N."""
    return NOSE * np.maximum(s.joint("travel").qpos[..., 0] - s.joint("feed").qpos[..., 0], 0.0)
