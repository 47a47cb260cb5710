"""A compliant gripper: a remote-centre-compliance device between flange and jaws, which hold a peg.

The device (Whitney and Nevins 1979) is a stack of elastomer pads whose springs act as if they met near the peg's tip: a
force there moves the peg sideways without turning it, a moment turns it without moving it. Here it is five joints with
springs, dampers and stops, at that centre: the arm's own stiffness, and whatever its controller does, come in series.

Rule: lengths along the tool count from the flange, outwards.
"""

import dataclasses
import math

import mujoco
import numpy as np

from scenes.machines.scenery import add_seen_box
from scenes.stock_fits import Fit, add_peg
from sim.distributions import LogUniform, Uniform
from sim.parameters import param

PEG = 0.050  # m, length of the pegs of the IndustReal set
GRIP = 0.015  # m of the peg in the jaws
REACH = 0.175  # m, from the flange to the tip of a peg as the drawing has it
SENSOR_AT = 0.035  # m, where force and torque are measured
JOINTS = ("rcc_x", "rcc_y", "rcc_z", "rcc_a", "rcc_b")  # slides along the tool's axes, hinges about x and y
SENSOR_MASS = 0.45  # kg: force-torque sensor, its adapter and the device's upper plate
GRIPPER_MASS = 0.80  # kg: lower plate and a two-jaw gripper
_GRIPPER_AT = 0.100  # m, its centre of mass
_GRIPPER_INERTIA = (9e-4, 9e-4, 4e-4)  # kg m2, of a block of 80 x 50 x 80 mm and its jaws
_TRAVEL, _TURN = 2.5e-3, math.radians(1.0)  # m, rad: stops of catalogue devices
_DAMPING = 0.15  # ratio; elastomer pads
_DARK, _GREY, _BLUE = [0.15, 0.15, 0.16, 1.0], [0.62, 0.64, 0.66, 1.0], [0.13, 0.28, 0.50, 1.0]


@dataclasses.dataclass(frozen=True, slots=True)
class ToolParams:
    """What differs from tool to tool, and from grasp to grasp."""

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
    slip: float = param(Uniform(-0.003, 0.003), "m", "How far the peg sits out of its jaws, +-3 mm as in Factory.")
    lean_x: float = param(Uniform(-0.005, 0.005), "rad", "Peg in the jaws about the tool's x: worn jaws, 0.3 degrees.")
    lean_y: float = param(Uniform(-0.005, 0.005), "rad", "Peg in the jaws about the tool's y: worn jaws, 0.3 degrees.")


def add_tool(spec: mujoco.MjSpec, flange: mujoco.MjsBody, p: ToolParams, fit: Fit) -> None:
    """Put the tool on a flange and a peg into it.

    Bodies are "sensor", fixed to the flange, with site "wrist" where force and torque are measured; "gripper", on the
    joints of the compliance device; "peg", in the jaws, with site "tip". Site "tool" is the tip as the drawing has it,
    fixed to the flange.

    Args:
        spec: the scene.
        flange: a body whose origin is the flange, z away from the arm.
        p: this tool.
        fit: the peg's.
    """
    _cylinder(flange, 0.045, 0.000, 0.035, _DARK)
    _cylinder(flange, 0.050, 0.035, 0.043, _GREY)
    flange.add_site(name="wrist", pos=[0, 0, SENSOR_AT], size=[2e-3, 2e-3, 2e-3])
    flange.add_site(name="tool", pos=[0, 0, REACH], size=[1e-3, 1e-3, 1e-3])
    flange.explicitinertial = True
    flange.mass, flange.ipos, flange.inertia = SENSOR_MASS, [0, 0, 0.022], [4e-4, 4e-4, 5e-4]
    centre = REACH + p.centre
    gripper = flange.add_body(name="gripper", pos=[0, 0, centre])
    _add_device(gripper, p, fit)
    for height in (0.047, 0.053, 0.059):
        for i in range(3):
            angle = 2 * math.pi * i / 3
            at = (0.034 * math.cos(angle), 0.034 * math.sin(angle))
            _cylinder(flange, 0.009, height - 0.003, height + 0.003, _DARK if height != 0.053 else _GREY, at=at)
    _cylinder(gripper, 0.050, 0.063 - centre, 0.070 - centre, _GREY)
    add_seen_box(gripper, (0.040, 0.026, 0.022), (0, 0, 0.092 - centre), _BLUE)
    for side in (-1, 1):
        x = side * (fit.radius + 0.006)
        add_seen_box(gripper, (0.006, 0.010, 0.022), (x, 0, 0.134 - centre), _DARK)
    lean = [1.0, p.lean_x / 2, p.lean_y / 2, 0.0]
    peg = gripper.add_body(
        name="peg", pos=[0, 0, REACH + p.slip - centre], quat=list(np.array(lean) / np.linalg.norm(lean))
    )
    peg.explicitinertial = True
    mass = fit.peg_mass(PEG)
    across = mass * (3 * fit.radius**2 + PEG**2) / 12
    peg.mass, peg.ipos, peg.inertia = mass, [0, 0, -PEG / 2], [across, across, mass * fit.radius**2 / 2]
    add_peg(peg, fit, length=PEG)


def tool_load(fit: Fit) -> tuple[float, float]:
    """Return the mass beyond the force-torque sensor, kg, and where its centre is, m from the sensor."""
    parts = ((SENSOR_MASS, 0.022), (GRIPPER_MASS, _GRIPPER_AT), (fit.peg_mass(PEG), REACH - PEG / 2))
    mass = sum(m for m, _ in parts)
    return mass, sum(m * z for m, z in parts) / mass - SENSOR_AT


def _add_device(gripper: mujoco.MjsBody, p: ToolParams, fit: Fit) -> None:
    """Hang the gripper on the springs of the compliance device; its origin is the compliance centre."""
    mass = GRIPPER_MASS + fit.peg_mass(PEG)
    arm = REACH + p.centre - _GRIPPER_AT
    inertia = _GRIPPER_INERTIA[0] + GRIPPER_MASS * arm**2
    gripper.explicitinertial = True
    gripper.mass, gripper.ipos, gripper.inertia = GRIPPER_MASS, [0, 0, -arm], _GRIPPER_INERTIA
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    x, y, z = np.eye(3)
    for name, kind, axis, rate, load, stop in (
        ("rcc_x", slide, x, p.lateral_stiffness, mass, _TRAVEL),
        ("rcc_y", slide, y, p.lateral_stiffness, mass, _TRAVEL),
        ("rcc_z", slide, z, p.axial_stiffness, mass, _TRAVEL),
        ("rcc_a", hinge, x, p.tilt_stiffness, inertia, _TURN),
        ("rcc_b", hinge, y, p.tilt_stiffness, inertia, _TURN),
    ):
        joint = gripper.add_joint(name=name, type=kind, axis=axis, range=[-stop, stop], limited=True)
        joint.stiffness = [rate, 0, 0]
        joint.damping = [2 * _DAMPING * math.sqrt(rate * load), 0, 0]


def _cylinder(
    body: mujoco.MjsBody, radius: float, low: float, high: float, rgba: list[float], *, at: tuple[float, float] = (0, 0)
) -> None:
    """Add a cylinder along z that is only seen."""
    size, pos = [radius, (high - low) / 2, 0], [*at, (low + high) / 2]
    kind = mujoco.mjtGeom.mjGEOM_CYLINDER
    body.add_geom(type=kind, size=size, pos=pos, mass=0, contype=0, conaffinity=0, rgba=rgba)
