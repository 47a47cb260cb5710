"""An electric servo press with a shuttle: a ram on a ball screw, a load cell under it, a pallet that goes across.

The drive is a DC motor with a speed loop, a current limit and a winding that warms up. The press's controller (`scan`)
gives it the speed that the policy asks for, adds what the load would take off it, and keeps the force below the limit
that the policy asks for.

Rule: the ram's position counts down from its upper end; forces are positive where the ram pushes down.
"""

import dataclasses
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import Channel, add_channel
from sim.distributions import Uniform
from sim.parameters import param
from sim.spec import weigh
from sim.task import Feature, State

Array = NDArray[Any]

SIZES = (5e3, 10e3, 20e3, 30e3, 50e3)  # N, rated forces of a usual series of servo presses
RAM_SPEED, SHUTTLE_SPEED = 0.15, 0.2  # m/s, greatest references
MOUTH = 0.950  # m, height of the housings' mouths
REACH = 0.025  # m, how far the ram could go below its work
TOOL = "tool"
_GAIN = 20.0  # s/m: rated force a speed error calls for
_ROTOR = 0.02  # kg at the ram per N of rated force: rotor and spindle of 10 mm lead
_CURRENT = 100.0  # A at rated force
_THERMAL = 300.0  # s, time constant of the winding
_PEAK = 1.6  # of the rated force: the inverter's limit
_TOOL_MASS = 4.0  # kg below the load cell
_GRAVITY = 9.81  # m/s2
_TRIM, _TRIM_MOST = 0.15, 0.02  # share of a speed error every scan; m/s
_TOUCH = 1.5e-3  # of the rated force: the tool is on something
_OVER = 1.4  # of the force limit: what the drive may call for until the cell has told
_SHUTTLE = (15.0, 2e4, 600.0, 60.0)  # kg, N s/m, N, and N of friction that holds it where it stands
MEMORY = ("trim",)
ACTUATORS = ("ram", "force_limit", "shuttle", "blow")
FEATURES = {
    "ram": Feature("m/s", "press", doc="Speed reference of the ram, down."),
    "force_limit": Feature("N", "press", doc="Greatest force the ram may push with, below the press's own."),
    "shuttle": Feature("m/s", "press", doc="Speed reference of the shuttle, to its left."),
    "blow": Feature("1", doc="Air valve of the nozzle at the ram: blows chips off the shoulder below it."),
    "Ram.Motor.WindingTemperature": Feature("degC", doc="By the thermal model of the motor."),
    "Ram.IsMoving": Feature("1", doc="Whether the ram moves faster than 0.5 mm/s."),
    "Ram.InForceLimit": Feature("1", doc="Whether the force limit holds the ram back."),
    "Shuttle.IsMoving": Feature("1", doc="Whether the shuttle moves faster than 0.5 mm/s."),
}


@dataclasses.dataclass(frozen=True, slots=True)
class PressParams:
    """What differs from press to press, and from day to day."""

    stroke: float = param(Uniform(0.1, 0.3), "m", "Of the ram; 100 to 300 mm in catalogues of servo presses.")
    acceleration: float = param(Uniform(0.8, 2.0), "m/s^2", "Ramp of the ram's drive; usual for servo presses.")
    motor_constant: float = param(Uniform(0.95, 1.05), "1", "Over nominal: magnets and temperature, +-5 %.")
    resistance: float = param(Uniform(0.95, 1.05), "1", "Of the winding over nominal, +-5 %.")
    guide_friction: float = param(Uniform(0.005, 0.02), "1", "Of spindle and guides, over the rated force.")
    cell_gain: float = param(Uniform(0.995, 1.005), "1", "Load cell calibration, +-0.5 %.")
    start: float = param(Uniform(-0.02, 0.02), "m", "Where the shuttle stands, from its middle.")
    ambient: float = param(Uniform(15.0, 35.0), "degC", "Air temperature in the shop.")
    warmth: float = param(Uniform(0.0, 40.0), "K", "Winding temperature above ambient from the shift so far.")


class Home(NamedTuple):
    """A press's part of a keyframe, for joints and actuators in the order they are added."""

    qpos: Array
    act: Array
    ctrl: Array


def size_for(force: float) -> float:
    """Return the rated force, N, of the smallest press that does some work, N."""
    return next((size for size in SIZES if size >= force), SIZES[-1])


def add_press(spec: mujoco.MjSpec, p: PressParams, *, rated: float, place: tuple[float, float], high: float) -> Home:
    """Add ram with load cell and tool, and the shuttle's pallet: bodies "ram", "tool" and "pallet".

    Args:
        spec: the scene.
        p: this press.
        rated: force, N.
        place: x and y of the press's axis, m.
        high: of the work above the housings' mouths, m.
    """
    world = spec.worldbody
    gap = p.stroke - REACH - high
    ram = world.add_body(name="ram", pos=[*place, MOUTH + high + gap])
    joint = ram.add_joint(name="ram", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, -1], armature=_ROTOR * rated)
    joint.range, joint.limited, joint.frictionloss = [-0.002, p.stroke], True, p.guide_friction * rated
    joint.damping = [0.05 * rated, 0, 0]
    weigh(ram, 30.0, [0.5, 0.5, 0.1])
    ram.gravcomp = 1.0 + _TOOL_MASS / 30.0  # a gas spring carries ram and tool
    tool = ram.add_body(name="tool")
    weigh(tool, _TOOL_MASS, [0.01, 0.01, 0.01])
    tool.add_site(name="cell", size=[5e-3, 5e-3, 5e-3], pos=[0, 0, 0.12], group=4)
    tool.add_site(name="face", size=[1e-3, 1e-3, 1e-3], group=4)
    tool.add_geom(name=TOOL, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.006, 0, 0], pos=[0, 0, 0.006], mass=0,
                  contype=0, conaffinity=0, group=3)  # fmt: skip
    pallet = world.add_body(name="pallet", pos=[*place, MOUTH])
    across = pallet.add_joint(name="shuttle", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
    across.range, across.limited, across.frictionloss = [-0.1, 0.1], True, _SHUTTLE[3]
    weigh(pallet, _SHUTTLE[0], [0.2, 0.2, 0.2])
    _add_drives(spec, p, rated)
    spec.add_numeric(name="rated", data=[rated])
    spec.add_numeric(name="ambient", data=[p.ambient])
    spec.add_numeric(name="stroke", data=[p.stroke, gap])
    return Home(np.array([0.0, p.start]), np.array([0.0, p.warmth]), np.zeros(5))


def _add_drives(spec: mujoco.MjSpec, p: PressParams, rated: float) -> None:
    """Add the policy's setpoints ram, force_limit and blow, the shuttle's servo and the motor "drive"."""
    kind = mujoco.mjtTrn.mjTRN_JOINT
    for name, joint, low, high in (
        ("ram", "ram", -RAM_SPEED, RAM_SPEED),
        ("force_limit", "ram", 0.0, SIZES[-1]),  # the same for every press: actions keep their scale
        ("blow", "ram", 0.0, 1.0),
    ):
        setpoint = spec.add_actuator(name=name, target=joint, trntype=kind)
        setpoint.set_to_motor()
        setpoint.gainprm[0] = 0.0  # read by the press's controller
        setpoint.ctrlrange, setpoint.ctrllimited = [low, high], True
    shuttle = spec.add_actuator(name="shuttle", target="shuttle", trntype=kind)
    shuttle.set_to_velocity(kv=_SHUTTLE[1])
    shuttle.ctrlrange, shuttle.ctrllimited = [-SHUTTLE_SPEED, SHUTTLE_SPEED], True
    shuttle.forcerange, shuttle.forcelimited = [-_SHUTTLE[2], _SHUTTLE[2]], True
    drive = spec.add_actuator(name="drive", target="ram", trntype=kind)
    constant, resistance, capacity = motor(p, rated)
    drive.set_to_dcmotor(
        motorconst=[constant, 0.0],
        resistance=resistance,
        saturation=[_PEAK * rated, 0.0, 0.0],
        controller=[0.0, 0.0, _GAIN * rated, p.acceleration, 0.0, 0.0],
        thermal=[_THERMAL / capacity, capacity, 0.0, 0.0039, 20.0, p.ambient],  # 0.0039 1/K: copper, IEC 60034-1
        ctrlspec=int(mujoco.mjtCtrlInput.mjINPUT_VEL),
    )


def motor(p: PressParams, rated: float) -> tuple[float, float, float]:
    """Return the drive's force constant, N/A, its winding's resistance at 20 degC, Ohm, and heat capacity, J/K."""
    watts = 0.05 * rated  # lost in the winding at rated force
    return p.motor_constant * rated / _CURRENT, p.resistance * watts / _CURRENT**2, 5.0 * watts


def add_telemetry(spec: mujoco.MjSpec, p: PressParams, rated: float) -> None:
    """Add the press's channels, named after OPC 40010-1 axes."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    joints, site = things.mjOBJ_JOINT, things.mjOBJ_SITE
    for kind, what, name, channel in (
        (
            kinds.mjSENS_JOINTPOS,
            joints,
            "ram",
            Channel("Ram.ActualPosition", "m", 1000, resolution=1e-6, doc="Encoder; counts down."),
        ),
        (
            kinds.mjSENS_JOINTVEL,
            joints,
            "ram",
            Channel("Ram.ActualSpeed", "m/s", 1000, noise=2e-5, doc="From the encoder."),
        ),
        (
            kinds.mjSENS_JOINTPOS,
            joints,
            "shuttle",
            Channel("Shuttle.ActualPosition", "m", 100, resolution=1e-5, doc="Linear encoder."),
        ),
        (
            kinds.mjSENS_JOINTVEL,
            joints,
            "shuttle",
            Channel("Shuttle.ActualSpeed", "m/s", 100, noise=1e-4, doc="From the encoder."),
        ),
    ):
        add_channel(spec, spec.add_sensor(type=kind, objtype=what, objname=name), channel)
    # A sensor of force gives what the ram does to the tool along its z, up: minus the push, plus the tool's weight.
    cell = spec.add_sensor(type=kinds.mjSENS_FORCE, objtype=site, objname="cell")
    add_channel(
        spec, cell,
        Channel("Press.Force", "N", 1000, frame="cell", gain=-p.cell_gain, noise=3e-4 * rated, resolution=1e-4 * rated,
                doc="Load cell between ram and tool, z down; noise and resolution of class 0.05 of its range."),
    )  # fmt: skip
    current = Channel("Ram.Motor.Current", "A", 1000, gain=1.0 / motor(p, rated)[0], noise=0.2, resolution=0.05,
                      doc="Drive current, positive down.")  # fmt: skip
    add_channel(
        spec, spec.add_sensor(type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname="drive"), current
    )


def scan(s: State) -> None:
    """Give the drive its speed: what is asked for, helped against the load, within the force limit."""
    rated, trim = s.numeric("rated")[..., 0], s.memory("trim")
    asked, limit = s.actuator("ram").ctrl[..., 0], force_limit(s)
    gain, force = _GAIN * rated, pressing(s)
    speed = s.sensor("Ram.ActualSpeed")[..., 0]
    spare = np.where(asked > 0, np.minimum(asked, (limit - force) / gain + np.maximum(speed, 0.0)), asked)
    loaded = (asked > 0) & (force > _TOUCH * rated)
    trim[...] = np.where(loaded, np.clip(trim + _TRIM * (spare - speed), -_TRIM_MOST, _TRIM_MOST), 0.5 * trim)
    wanted = spare + np.maximum(force, 0.0) / gain + trim
    most = _OVER * limit / gain + np.maximum(speed, 0.0)
    s.actuator("drive").ctrl[..., 0] = np.where(asked > 0, np.minimum(wanted, most), wanted)


def force_limit(s: State) -> Array:
    """Return the force (...), N, that the ram is allowed: what is commanded, and no more than the press's own."""
    return np.minimum(s.actuator("force_limit").ctrl[..., 0], s.numeric("rated")[..., 0])


def pressing(s: State) -> Array:
    """Return the measured force (...), N, less the tool's weight."""
    return s.sensor("Press.Force")[..., 2] + _TOOL_MASS * _GRAVITY


def peak_force(s: State) -> Array:
    """Return the greatest force (...), N, that the ram had to bear in the last control step."""
    return s.peak("Press.Force")[..., 2]


def clearance(s: State) -> Array:
    """Return how far the tool's face is above the housings' mouths (...), m."""
    return s.site("face").xpos[..., 2] - MOUTH


def report(s: State) -> dict[str, Array]:
    """Return the press's slow telemetry, each (..., 1)."""
    limited = (s.actuator("ram").ctrl > 0) & (pressing(s)[..., None] > 0.95 * force_limit(s)[..., None])
    return {
        "Ram.Motor.WindingTemperature": s.numeric("ambient") + s.actuator("drive").act[..., 1:2],
        "Ram.IsMoving": (np.abs(s.joint("ram").qvel) > 5e-4).astype(float),
        "Ram.InForceLimit": limited.astype(float),
        "Shuttle.IsMoving": (np.abs(s.joint("shuttle").qvel) > 5e-4).astype(float),
    }
