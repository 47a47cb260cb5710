"""A parallel-jaw gripper under a remote-centre-compliance device: two jaws that close on a peg, which friction holds.

One motor drives both jaws through a rack and pinion: a spring-like position servo of the opening, slow and damped as
a geared drive is, whose force the opening it cannot reach sets. A reference below a part's width is so a grip force.

Rule: the jaws close along the tool's x; a jaw's joint is how far its pad is from the tool's axis, m; tendon and
actuator "jaws" are the opening between the pads, m, and the actuator's force is what either pad presses with, N.
"""

import dataclasses
import functools
import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import shapes
from scenes.machines.castings import blocks, post, turned
from scenes.machines.cell import CellLook, add_colours
from scenes.machines.tool import GRIPPER_MASS, JOINTS, PEG, REACH, Device, add_device, add_head
from scenes.shapes import Shape
from scenes.stock import GROUND, HIDDEN
from scenes.stock_fits import Fit, add_peg, peg_looks
from sim.cameras import label
from sim.channels import Channel, add_channel
from sim.distributions import LogUniform, Uniform
from sim.parameters import param
from sim.spec import weigh

JAWS = ("jaw1", "jaw2")
OPEN = 0.028  # m, greatest opening
FORCE = 235.0  # N, greatest grip force; 20 to 235 N are usual for grippers of this size (2F-85)
SERVO = 40e3  # N/m of opening
LEAST = -FORCE / SERVO  # m, the reference that presses with all force on nothing at all
PAD_AT = 0.13225  # m from the flange, middle of the pads
PAD = (0.003, 0.006, 0.00675)  # m, half sizes
HELD = REACH - PAD_AT  # m from the peg's tip to where it is held
GRASP = 4  # collision class of the pads
PAD_SPRING = [0.004, 1.0]  # solref; as in models of the 2F-85
YIELD, PAD_YIELD = 1e-3, 2e-3  # of contacts of a peg of 8 mm; pads give way by some 50 um under 100 N
IMPRATIO = 100.0  # of the scene: what friction holds creeps by less than 0.01 mm/s
TOLERANCE = 1e-12  # of the scene's solver, which compares with the arm: errors of a peg of 5 g must not pass for none
_JAW = 0.10  # kg, each
_ROTOR = 0.3  # kg, of motor and gear at a jaw
_DRAG = 1500.0  # N s/m of opening: 0.15 m/s at full force
_AMPERES = 0.9  # A at full force, 24 V drive


@dataclasses.dataclass(frozen=True, slots=True)
class GripperParams:
    """What differs from gripper to gripper, and as its pads wear."""

    friction: float = param(Uniform(0.6, 0.7), "1", "Of new pads on steel; 0.6 to 0.7 in models of the 2F-85.")
    wear: float = param(Uniform(0.0, 0.25), "1", "Share of that which worn or oily pads have lost; engineering value.")
    taper: float = param(
        Uniform(0.0, 0.002), "rad", "Each jaw splayed towards its tip, by wear and by its own bending: 0.1 degrees."
    )
    force_error: float = param(Uniform(-0.1, 0.1), "1", "Grip force over what the drive was asked for, less 1.")
    stiction: float = param(Uniform(1.0, 4.0), "N", "Friction of guides and rack at the pads; engineering value.")
    lateral_stiffness: float = param(
        LogUniform(4.0e3, 12.0e3), "N/m", "Of the compliance device across; Whitney (1982) tested one of 7 N/mm."
    )
    axial_stiffness: float = param(
        Uniform(50e3, 100e3), "N/m", "Of the compliance device along; its pads are ten times stiffer in compression."
    )
    tilt_stiffness: float = param(
        LogUniform(30.0, 90.0), "N*m/rad", "Of the compliance device in tilt; Whitney (1982) tested one of 53 N*m/rad."
    )
    centre: float = param(
        Uniform(-0.008, 0.008), "m", "Compliance centre beyond the peg's nominal tip; devices come in a few lengths."
    )

    @property
    def device(self) -> Device:
        """The compliance device."""
        return Device(self.lateral_stiffness, self.axial_stiffness, self.tilt_stiffness, self.centre)

    @property
    def grip(self) -> float:
        """Coefficient of friction between pads and peg."""
        return self.friction * (1.0 - self.wear)


def add_gripper(spec: mujoco.MjSpec, flange: mujoco.MjsBody, p: GripperParams, fit: Fit, look: CellLook) -> None:
    """Put head, compliance device and gripper on a flange: bodies "sensor", "gripper" and one a jaw; site "hand".

    Args:
        spec: the scene.
        flange: a body whose origin is the flange, z away from the arm.
        p: this gripper.
        fit: of the pegs that it is for.
        look: how it looks.
    """
    add_head(spec, flange, look)
    gripper = add_device(flange, p.device, GRIPPER_MASS - len(JAWS) * _JAW, fit)
    up = -REACH - p.device.centre
    for geom in add_colours(spec, gripper, _body(), look):
        geom.pos = [0, 0, up]
    gripper.add_site(name="hand", pos=[0, 0, PAD_AT + up], size=[1e-3, 1e-3, 1e-3])
    add_jaws(spec, gripper, p, PAD_AT + up, fit)
    for side, name in zip((1, -1), JAWS, strict=True):
        for geom in add_colours(spec, spec.body(name), _jaw(side), look):
            geom.pos = [0, 0, -PAD_AT]
    label(spec, "gripper", flange.name, "gripper", *JAWS)


def add_jaws(spec: mujoco.MjSpec, gripper: mujoco.MjsBody, p: GripperParams, at: float, fit: Fit) -> None:
    """Add two jaws for a peg, coupled and driven, whose pads meet at a height, m, on the body's z."""
    rigid = [2 * spec.option.timestep, 1.0], [0.99, 0.999, 1e-4, 0.5, 2.0]
    for side, name in zip((1, -1), JAWS, strict=True):
        jaw = gripper.add_body(name=name, pos=[0, 0, at])
        weigh(jaw, _JAW, [2e-5, 2e-5, 2e-5])
        joint = jaw.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[side, 0, 0], armature=_ROTOR)
        joint.range, joint.limited, joint.frictionloss = [0.0, OPEN / 2], True, p.stiction / 2
        joint.solref_limit, joint.solimp_limit = rigid
        lean = side * p.taper / 2
        jaw.add_geom(
            name=f"{name}_pad",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=PAD,
            pos=[side * PAD[0], 0, 0],
            quat=[math.cos(lean), 0, math.sin(lean), 0],
            mass=0,
            contype=GRASP,
            conaffinity=GROUND,
            condim=4,
            friction=[p.grip, 0.005, 1e-4],
            priority=2,
            solref=PAD_SPRING,
            solimp=stiff(fit, PAD_YIELD),
            group=HIDDEN,
        )
    pinion = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT)
    pinion.name, pinion.name1, pinion.name2 = "pinion", *JAWS
    pinion.data[:5] = [0.0, 1.0, 0.0, 0.0, 0.0]
    pinion.solref, pinion.solimp = rigid
    opening = spec.add_tendon(name="jaws", damping=[_DRAG, 0, 0])
    for name in JAWS:
        opening.wrap_joint(name, 1.0)
    drive = spec.add_actuator(name="jaws", target="jaws", trntype=mujoco.mjtTrn.mjTRN_TENDON)
    drive.set_to_position(kp=SERVO * (1.0 + p.force_error))
    drive.ctrllimited, drive.ctrlrange = True, [LEAST, OPEN]
    drive.forcelimited, drive.forcerange = True, [-FORCE, FORCE]


def add_free_peg(spec: mujoco.MjSpec, fit: Fit, look: CellLook | None = None) -> mujoco.MjsBody:
    """Add a free peg: body "peg" with sites "tip" and "shank", where it is to be gripped; z is out of its tip."""
    peg = spec.worldbody.add_body(name="peg")
    peg.add_freejoint()
    mass = fit.peg_mass(PEG)
    across = mass * (3 * fit.radius**2 + PEG**2) / 12
    weigh(peg, mass, [across, across, mass * fit.radius**2 / 2], [0, 0, -PEG / 2])
    add_peg(peg, fit, length=PEG)
    for geom in peg.geoms:
        geom.priority, geom.solimp = 1, stiff(fit, YIELD)
    peg.add_geom(  # what the pads touch: a line on either
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        size=[fit.radius, 0, 0],
        fromto=[0, 0, -0.2 * PEG, 0, 0, -PEG],
        mass=0,
        contype=0,
        conaffinity=GRASP,
        group=HIDDEN,
    )
    peg.add_site(name="shank", pos=[0, 0, -HELD], size=[1e-3, 1e-3, 1e-3])
    if look is not None:
        add_colours(spec, peg, {"bright": peg_looks(fit.radius, PEG)}, look)
        label(spec, "peg", "peg")
    return peg


def add_telemetry(spec: mujoco.MjSpec) -> None:
    """Add what the gripper's drive reports."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    position = Channel(
        "Gripper.ActualPosition", "m", 100, noise=5e-6, resolution=1e-5, doc="Opening between the pads, by encoder."
    )
    add_channel(
        spec, spec.add_sensor(type=kinds.mjSENS_TENDONPOS, objtype=things.mjOBJ_TENDON, objname="jaws"), position
    )
    for channel in (
        Channel(
            "Gripper.ActualForce",
            "N",
            100,
            gain=-1.0,
            noise=1.0,
            resolution=0.1,
            doc="By the motor's current; closing.",
        ),
        Channel(
            "Gripper.Motor.Current",
            "A",
            500,
            gain=-_AMPERES / FORCE,
            noise=4e-3,
            resolution=1e-3,
            doc="Drive current; positive where it closes.",
        ),
    ):
        sensor = spec.add_sensor(type=kinds.mjSENS_ACTUATORFRC, objtype=things.mjOBJ_ACTUATOR, objname="jaws")
        add_channel(spec, sensor, channel)


def stiff(fit: Fit, give: float) -> list[float]:
    """Return solimp of contacts that yield as much to a force whatever a free peg weighs.

    MuJoCo's contacts soften with the lightness of what they hold: a peg of 5 g would sink into the wall of its hole.
    """
    soft = give * (fit.radius / 0.004) ** 2
    return [1.0 - soft, 1.0 - soft / 10, 1e-4, 0.5, 2.0]


def at_rest(peg: NDArray[np.float64], quat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the positions (n,) at rest with open jaws and the peg's tip at a place (3,), m, turned by quat (4,)."""
    return np.concatenate([np.zeros(len(JOINTS)), np.full(len(JAWS), OPEN / 2), peg, quat])


def reference(width: float, force: float) -> float:
    """Return the opening reference, m, that grips a part of a width, m, with a force, N."""
    return width - force / SERVO


@functools.cache
def _body() -> dict[str, Shape]:
    """Return the device's lower plate and the gripper's body, from the flange."""
    plate = turned([(0.0, 0.063), (0.050, 0.063), (0.050, 0.069), (0.047, 0.070), (0.0, 0.070)],
                   (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))  # fmt: skip
    body = blocks((-0.046, 0.046, -0.024, 0.024, 0.070, 0.112))
    rails = blocks((-0.044, 0.044, -0.0255, 0.0255, 0.094, 0.104), (-0.042, 0.042, -0.010, 0.010, 0.112, 0.1135))
    ports = [post(0.005, (0.046, y, 0.08), (0.056, y, 0.08), 8) for y in (-0.012, 0.012)]
    return {"anthracite": body, "bright": plate, "dark": shapes.join(rails, *ports)}


@functools.cache
def _jaw(side: int) -> dict[str, Shape]:
    """Return carriage, jaw and pad on a side, from the flange; the pad's face is at x = 0."""

    def part(a: float, b: float, half: float, low: float, high: float) -> Shape:
        near, far = sorted((side * a, side * b))
        return blocks((near, far, -half, half, low, high))

    steel = [part(0.002, 0.012, 0.009, 0.126, 0.1395), part(0.002, 0.020, 0.009, 0.120, 0.126)]
    dark = [part(0.004, 0.026, 0.012, 0.1135, 0.120), part(0.0, 0.002, 0.006, 0.1255, 0.139)]
    return {"bright": shapes.join(*steel), "dark": shapes.join(*dark)}
