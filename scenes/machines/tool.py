"""A compliant gripper: a remote-centre-compliance device between flange and jaws, which hold a peg.

The device (Whitney and Nevins 1979) is a stack of elastomer pads whose springs act as if they met near the peg's tip: a
force there moves the peg sideways without turning it, a moment turns it without moving it. Here it is five joints with
springs, dampers and stops, at that centre: the arm's own stiffness, and whatever its controller does, come in series.

Rule: lengths along the tool count from the flange, outwards.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import mujoco
import numpy as np

from scenes import shapes
from scenes.machines.castings import blocks, post, turned
from scenes.machines.cell import CellLook, add_colours
from scenes.shapes import Shape
from scenes.stock_fits import Fit, add_peg, peg_looks
from sim.cameras import label
from sim.distributions import LogUniform, Uniform
from sim.parameters import param

PEG = 0.050  # m, length of the pegs of the IndustReal set
GRIP = 0.015  # m of the peg in the jaws
REACH = 0.175  # m, from the flange to the tip of a peg as the drawing has it
SENSOR_AT = 0.035  # m, where force and torque are measured
JOINTS = ("rcc_x", "rcc_y", "rcc_z", "rcc_a", "rcc_b")  # slides along the tool's axes, hinges about x and y
SENSOR_MASS = 0.45  # kg: force-torque sensor, its adapter and the device's upper plate
GRIPPER_MASS = 0.80  # kg: lower plate and a two-jaw gripper
VIEWED = 0.178  # m, what it looks at
_GRIPPER_AT = 0.100  # m, its centre of mass
_GRIPPER_INERTIA = (9e-4, 9e-4, 4e-4)  # kg m2, of a block of 80 x 50 x 80 mm and its jaws
_TRAVEL, _TURN = 2.5e-3, math.radians(1.0)  # m, rad: stops of catalogue devices
_DAMPING = 0.15  # ratio; elastomer pads
CAMERA = (0.0, 0.105, 0.075)  # m, where a camera on the tool's bracket looks from


class Device(NamedTuple):
    """Springs of a remote-centre-compliance device.

    Attributes:
        lateral: across, N/m.
        axial: along, N/m.
        tilt: N m/rad.
        centre: where they meet, m beyond the peg's nominal tip.
    """

    lateral: float
    axial: float
    tilt: float
    centre: float


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

    @property
    def device(self) -> Device:
        """The compliance device."""
        return Device(self.lateral_stiffness, self.axial_stiffness, self.tilt_stiffness, self.centre)


def add_tool(spec: mujoco.MjSpec, flange: mujoco.MjsBody, p: ToolParams, fit: Fit, look: CellLook) -> None:
    """Put the tool on a flange and a peg into it.

    Bodies are "sensor", fixed to the flange, with site "wrist" where force and torque are measured; "gripper", on the
    joints of the compliance device; "peg", in the jaws, with site "tip". Site "tool" is the tip as the drawing has it,
    fixed to the flange.

    Args:
        spec: the scene.
        flange: a body whose origin is the flange, z away from the arm.
        p: this tool.
        fit: the peg's.
        look: how it looks.
    """
    add_head(spec, flange, look)
    centre = REACH + p.centre
    gripper = add_device(flange, p.device, GRIPPER_MASS, fit)
    for geom in add_colours(spec, gripper, _jaws(fit.radius), look):
        geom.pos = [0, 0, -centre]
    label(spec, "gripper", flange.name, "gripper")
    label(spec, "peg", "peg")
    lean = [1.0, p.lean_x / 2, p.lean_y / 2, 0.0]
    peg = gripper.add_body(
        name="peg", pos=[0, 0, REACH + p.slip - centre], quat=list(np.array(lean) / np.linalg.norm(lean))
    )
    peg.explicitinertial = True
    mass = fit.peg_mass(PEG)
    across = mass * (3 * fit.radius**2 + PEG**2) / 12
    peg.mass, peg.ipos, peg.inertia = mass, [0, 0, -PEG / 2], [across, across, mass * fit.radius**2 / 2]
    add_peg(peg, fit, length=PEG)
    add_colours(spec, peg, {"bright": peg_looks(fit.radius, PEG)}, look)


def tool_load(fit: Fit) -> tuple[float, float]:
    """Return the mass beyond the force-torque sensor, kg, and where its centre is, m from the sensor."""
    parts = ((SENSOR_MASS, 0.022), (GRIPPER_MASS, _GRIPPER_AT), (fit.peg_mass(PEG), REACH - PEG / 2))
    mass = sum(m for m, _ in parts)
    return mass, sum(m * z for m, z in parts) / mass - SENSOR_AT


def add_head(spec: mujoco.MjSpec, flange: mujoco.MjsBody, look: CellLook) -> None:
    """Put the force-torque sensor and the device's upper plate on a flange; sites "wrist" and "tool"."""
    add_colours(spec, flange, _sensor(), look)
    flange.add_site(name="wrist", pos=[0, 0, SENSOR_AT], size=[2e-3, 2e-3, 2e-3])
    flange.add_site(name="tool", pos=[0, 0, REACH], size=[1e-3, 1e-3, 1e-3])
    flange.explicitinertial = True
    flange.mass, flange.ipos, flange.inertia = SENSOR_MASS, [0, 0, 0.022], [4e-4, 4e-4, 5e-4]


def add_device(flange: mujoco.MjsBody, device: Device, mass: float, fit: Fit) -> mujoco.MjsBody:
    """Hang body "gripper" on the springs of the compliance device; its origin is the compliance centre.

    Args:
        flange: what carries the device.
        device: its springs.
        mass: of the gripper, kg, less what moves in it.
        fit: of the peg that it holds.
    """
    centre = REACH + device.centre
    gripper = flange.add_body(name="gripper", pos=[0, 0, centre])
    load = GRIPPER_MASS + fit.peg_mass(PEG)
    arm = centre - _GRIPPER_AT
    inertia = _GRIPPER_INERTIA[0] + GRIPPER_MASS * arm**2
    gripper.explicitinertial = True
    gripper.mass, gripper.ipos, gripper.inertia = mass, [0, 0, -arm], _GRIPPER_INERTIA
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    x, y, z = np.eye(3)
    for name, kind, axis, rate, inert, stop in (
        ("rcc_x", slide, x, device.lateral, load, _TRAVEL),
        ("rcc_y", slide, y, device.lateral, load, _TRAVEL),
        ("rcc_z", slide, z, device.axial, load, _TRAVEL),
        ("rcc_a", hinge, x, device.tilt, inertia, _TURN),
        ("rcc_b", hinge, y, device.tilt, inertia, _TURN),
    ):
        joint = gripper.add_joint(name=name, type=kind, axis=axis, range=[-stop, stop], limited=True)
        joint.stiffness = [rate, 0, 0]
        joint.damping = [2 * _DAMPING * math.sqrt(rate * inert), 0, 0]
    return gripper


@functools.cache
def _sensor() -> dict[str, Shape]:
    """Return adapter, force-torque sensor, the device's upper plate and pads, and the camera's bracket."""
    axis = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    adapter = turned([(0.0, 0.0), (0.046, 0.001), (0.046, 0.012)], *axis)
    sensor = turned(
        [(0.0475, 0.012), (0.0475, 0.022), (0.044, 0.022), (0.044, 0.026), (0.0475, 0.026), (0.0475, 0.035)], *axis
    )
    plate = turned([(0.0, 0.035), (0.050, 0.035), (0.050, 0.043), (0.0, 0.044)], *axis)
    pads: list[Shape] = []
    for i in range(3):
        x, y = 0.034 * math.cos(2 * math.pi * i / 3 + 0.5), 0.034 * math.sin(2 * math.pi * i / 3 + 0.5)
        ribs = [(0.009 if k % 2 else 0.011, 0.0435 + 0.005 * k) for k in range(5)]
        pads.append(turned(ribs, (x, y, 0), (x, y, 1), 10))
    x, y, z = CAMERA
    back = np.array([0.0, y, z]) - [0.0, 0.0, VIEWED]
    back /= np.linalg.norm(back)
    eye = np.array(CAMERA)
    lens = post(0.0125, eye + 0.024 * back, eye + 0.002 * back, 10)
    middle = eye + 0.044 * back
    lean = math.atan2(-back[1], -back[2])
    case = shapes.box((0.0145, 0.0145, 0.021), middle, (math.cos(lean / 2), -math.sin(lean / 2), 0, 0))
    bracket = blocks((-0.012, 0.012, 0.040, middle[1] + 0.006, 0.037, 0.042))
    plug = post(0.008, (0.044, 0, 0.028), (0.062, 0, 0.028), 8)
    hose = post(0.004, (0.060, 0, 0.028), (0.074, 0, 0.006), 6)
    return {
        "pale": shapes.join(adapter, plate, bracket),
        "dark": shapes.join(sensor, *pads, lens, case, plug, hose),
    }


@functools.lru_cache(maxsize=16)
def _jaws(radius: float) -> dict[str, Shape]:
    """Return the device's lower plate, the gripper and its jaws about a peg, from the flange."""
    plate = turned([(0.0, 0.063), (0.050, 0.063), (0.050, 0.069), (0.047, 0.070), (0.0, 0.070)],
                   (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))  # fmt: skip
    body = blocks((-0.042, 0.042, -0.024, 0.024, 0.070, 0.112))
    rails = blocks((-0.040, 0.040, -0.0255, 0.0255, 0.094, 0.104), (-0.036, 0.036, -0.010, 0.010, 0.112, 0.1135))
    ports = [post(0.005, (0.042, y, 0.08), (0.052, y, 0.08), 8) for y in (-0.012, 0.012)]
    steel: list[Shape] = [plate]
    dark: list[Shape] = [rails, *ports]
    near = radius + 0.002
    for side in (-1, 1):
        for some, a, b, half, low, high in (
            (dark, near + 0.002, near + 0.024, 0.012, 0.1135, 0.120),
            (steel, near, near + 0.010, 0.009, 0.126, 0.1395),
            (steel, near, near + 0.018, 0.009, 0.120, 0.126),
            (dark, radius - 2e-4, near, 0.006, 0.1255, 0.139),
        ):
            some += [blocks((*sorted((side * a, side * b)), -half, half, low, high))]
    return {"anthracite": body, "bright": shapes.join(*steel), "dark": shapes.join(*dark)}
