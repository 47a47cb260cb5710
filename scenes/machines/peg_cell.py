"""A cell in which an arm puts pegs into a fixture's hole: where things stand, what its controller reports, its cameras.

Tasks that differ in how the peg is held share it. The scene has an arm under `ARM`'s names, a tool with site "tool", a
fixture with site "nominal", and numeric "drawing".
"""

import functools
import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import arm, arm_telemetry, cell_looks, fixture, tool
from scenes.machines.arm import Arm, ArmParams
from scenes.machines.arm_models import ARM6_M
from scenes.machines.arm_pilot import Pilot, Pose
from scenes.machines.cell import CellLook, colours
from scenes.machines.inserter import POINTING_DOWN
from scenes.machines.look import mount
from scenes.stock_fits import Fit
from sim.cameras import Lens, label
from sim.channels import Channel, add_channel
from sim.task import Feature, State

Array = NDArray[Any]

ARM: Arm = arm.names_of(ARM6_M)
BASE = ((0.0, 0.0, cell_looks.PEDESTAL), (0.0, 0.0, 0.0, 1.0))  # where the arm stands: it reaches along x
PLACE = (0.72, 0.17)  # m, the fixture's usual place: the shoulder's offset aside, so that the arm points straight at it
# Sensors of 2/3" and 1/2.9" with pixels of 3.45 um (IMX264, IMX273), fixed lenses; depth in steps of 0.1 mm.
OVERVIEW = Lens(8e-3, (8.446e-3, 7.066e-3), (2448, 2048), 0.10, 6.5535)
CLOSE = Lens(8e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
WRIST = Lens(4e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
FEATURES = (
    arm_telemetry.features(ARM)
    | {name: Feature("rad", doc="Position reference of a joint, from the base to the tip.") for name in ARM.joints}
    | {
        "joints": Feature("rad", "", ARM.joints, "Joint positions by encoder.", -2 * math.pi, 2 * math.pi),
        "speeds": Feature("rad/s", "", ARM.joints, "Joint speeds by encoder.", -4.0, 4.0),
        "torques": Feature("N*m", "", ARM.joints, "Motor torques at the joints.", -400.0, 400.0),
        "command": Feature("rad", "", ARM.joints, "Last position references.", -2 * math.pi, 2 * math.pi),
        "force": Feature("N", "wrist", ("x", "y", "z"), "Wrist sensor, weight included.", -300.0, 300.0),
        "torque": Feature("N*m", "wrist", ("x", "y", "z"), "Wrist sensor, weight included.", -60.0, 60.0),
        "tip": Feature("m", "nominal", ("x", "y", "z"), "Nominal tip from the hole as the cell knows it.", -1.0, 1.0),
        "axis": Feature("1", "nominal", ("x", "y", "z"), "Tool's axis, outwards; the hole's is z.", -1.1, 1.1),
        "drawing": Feature("m", "", ("peg", "hole", "chamfer", "depth"), "Diameters, chamfer, depth.", 0.0, 0.1),
    }
)


@functools.cache
def pilot(window: float) -> Pilot:
    """Return the arm's kinematics with the nominal tool, within soft limits of a window about the usual place, rad."""
    hand = ((0.0, 0.0, tool.REACH), (1.0, 0.0, 0.0, 0.0))
    over = Pose(np.array([*PLACE, fixture.PLATE + 0.03]), np.array(POINTING_DOWN))
    centre = Pilot(ARM6_M, base=BASE, tool=hand).reach(over)
    return Pilot(ARM6_M, base=BASE, tool=hand, window=(centre - window, centre + window))


def add_robot(spec: mujoco.MjSpec, p: ArmParams, limits: Pilot, look: CellLook) -> mujoco.MjsBody:
    """Add the arm on its pedestal, and return body "sensor", whose origin is the flange."""
    paint, window = colours(look)["robot"][:3], (limits.low, limits.high)
    arm.add_arm(spec, ARM6_M, p, pos=BASE[0], quat=BASE[1], window=window, paint=paint)
    label(spec, "robot", "base")
    pos, quat = arm.flange_pose(ARM6_M)
    return spec.body(ARM.tip).add_body(name="sensor", pos=pos, quat=quat)


def add_drawing(spec: mujoco.MjSpec, nominal: Array, fit: Fit) -> None:
    """Add what the cell knows: where the hole should be (3,), m, and the drawing of the fit."""
    spec.add_numeric(name="nominal", data=nominal)
    spec.add_numeric(name="drawing", data=[fit.diameter, 2 * fit.hole, fit.chamfer, fit.depth])


def observe(s: State) -> dict[str, Array]:
    """Return what the cell's controller knows: its axes, the wrist sensor, the nominal hole, the drawing."""
    axes = [f"Axis{i}." for i in range(1, len(ARM.joints) + 1)]
    return {
        "joints": np.concatenate([s.sensor(f"{a}ActualPosition") for a in axes], axis=-1),
        "speeds": np.concatenate([s.sensor(f"{a}ActualSpeed") for a in axes], axis=-1),
        "torques": np.concatenate([s.sensor(f"{a}Motor.Torque") for a in axes], axis=-1),
        "command": np.concatenate([s.actuator(name).ctrl for name in ARM.actuators], axis=-1),
        "force": s.sensor("Wrist.Force"),
        "torque": s.sensor("Wrist.Torque"),
        "tip": s.sensor("Tool.ActualPosition"),
        "axis": s.sensor("Tool.ActualAxis"),
        "drawing": s.numeric("drawing"),
    }


def add_pose(spec: mujoco.MjSpec) -> None:
    """Add what the arm's controller reports of its tool, against the hole as the cell knows it."""
    for kind, name, unit, step, doc in (
        (
            mujoco.mjtSensor.mjSENS_FRAMEPOS,
            "Tool.ActualPosition",
            "m",
            1e-5,
            "Nominal tip, by the arm's kinematics; taught by this arm, too.",
        ),
        (mujoco.mjtSensor.mjSENS_FRAMEZAXIS, "Tool.ActualAxis", "1", 1e-5, "Tool's axis, by the arm's kinematics."),
    ):
        sensor = spec.add_sensor(type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="tool")
        sensor.reftype, sensor.refname = mujoco.mjtObj.mjOBJ_SITE, "nominal"
        add_channel(spec, sensor, Channel(name, unit, 100, frame="nominal", resolution=step, doc=doc))


def add_cameras(spec: mujoco.MjSpec, flange: mujoco.MjsBody, p: CellLook) -> None:
    """Add the cell's cameras."""
    x, y = PLACE
    world, level = spec.worldbody, fixture.PLATE
    mount(world, "overview", OVERVIEW, ((x + 0.92, y - 1.30, 1.62), (x - 0.42, y + 0.05, 0.80)), p.overview)
    mount(world, "close", CLOSE, ((x + 0.18, y - 0.25, level + 0.16), (x, y, level + 0.015)), p.close, tolerance=0.005)
    mount(flange, "wrist", WRIST, (tool.CAMERA, (0.0, 0.0, tool.VIEWED)), p.wrist, tolerance=0.002)
