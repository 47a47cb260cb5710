"""Put a peg into a hole with a six-axis arm, a wrist force-torque sensor and a compliant gripper.

Task: the arm holds a peg of 4 to 16 mm in a remote-centre-compliance device and waits near a fixture whose hole it
knows to within 3 mm and 3 degrees. The policy sets the position references of the six joints 50 times a second.

Cameras: "overview", on a post of the guarding; "close", on a stand beside the fixture; "wrist", on the tool.

Randomized: peg, play (0.02 to 0.5 mm radial), chamfer, depth, friction; fixture and how far it is from where the cell
takes it to be; start; how the peg sits in the jaws; the device's springs; servos, friction and mastering of the arm;
noise, bias, gain and delay of the wrist sensor; light, paint and how the cameras are mounted, which move nothing.

Success: the tip is 96 % down the hole and the force on the peg below 50 N, for 0.5 s.

Failures: over_force, more than 100 N on the peg; wedge, clamped between opposite walls at a depth under 2 r mu for
2 s; jam, pushed with over 30 N inside the hole for 1 s without moving; missed_chamfer, pushed so outside it, or slid
about on the face for 45 s.

Expert: approach and tare; guarded contact (5 N) beside the hole; levelling there, by nulling the moment; Archimedean
spiral over the hole (0.4 mm, 6 mm/s, 8 N); insertion that yields to lateral forces and moments and dithers where it
stalls; release. It reads what the cell reports and the drawing, nothing else. 100 of 100 on seeds 0 to 99 and 100 of
100 on others, in 13 s; the same at 0.02 mm.
Degraded: no_search, tilted, over_speed, stiff.

Anchors: Whitney's jam boundary, convergence in the timestep, friction on a slope (tests/scenes/test_peg_anchors.py).
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import arm, arm_telemetry, cell, cell_looks, fixture, insertion, tool
from scenes.machines.arm import ArmParams
from scenes.machines.arm_models import ARM6_M
from scenes.machines.arm_pilot import Pilot, Pose
from scenes.machines.arm_telemetry import WristParams
from scenes.machines.cell import CellLook
from scenes.machines.fixture import FixtureParams
from scenes.machines.inserter import PHASES, POINTING_DOWN, Habits, Inserter
from scenes.machines.look import mount
from scenes.machines.tool import ToolParams
from scenes.stock_fits import Fit
from sim.cameras import Lens, label
from sim.channels import Channel, add_channel
from sim.distributions import Choice, LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

ARM = arm.names_of(ARM6_M)
BASE = ((0.0, 0.0, cell_looks.PEDESTAL), (0.0, 0.0, 0.0, 1.0))  # where the arm stands: it reaches along x
PLACE = (0.72, 0.17)  # m, the fixture's usual place: the shoulder's offset aside, so that the arm points straight at it
WINDOW = 0.25  # rad, soft limits about the usual place: 0.2 m of the tool
GENTLE, OVERLOAD = 50.0, 100.0  # N: on a seated peg; measuring range of a built-in wrist sensor of this class
# Sensors of 2/3" and 1/2.9" with pixels of 3.45 um (IMX264, IMX273), fixed lenses; depth in steps of 0.1 mm.
OVERVIEW = Lens(8e-3, (8.446e-3, 7.066e-3), (2448, 2048), 0.10, 6.5535)
CLOSE = Lens(8e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
WRIST = Lens(4e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
_NEAR = 0.05  # m, from where on the way to the hole is paid


@dataclasses.dataclass(frozen=True, slots=True)
class PegInsertParams:
    """One peg, one hole, one arm."""

    diameter: float = param(Choice((0.008, 0.004, 0.012, 0.016)), "m", "Of the peg; the round pegs of IndustReal.")
    clearance: float = param(
        LogUniform(0.02e-3, 0.5e-3), "m", "Hole over peg, in radius: from H8/f7 at 8 mm (ISO 286) to a loose fit."
    )
    chamfer: float = param(Uniform(0.2e-3, 1.0e-3), "m", "Of the hole, at 45 degrees; broken edge to lead-in.")
    depth: float = param(Uniform(0.020, 0.026), "m", "Of the hole; 23 mm in the sockets of IndustReal.")
    friction: float = param(Uniform(0.08, 0.4), "1", "Steel in steel or brass, oiled to dry (LUST CDA3000 table 7.21).")
    start_x: float = param(Uniform(-0.04, 0.04), "m", "Where the tip waits, from over the nominal hole.")
    start_y: float = param(Uniform(-0.04, 0.04), "m", "Where the tip waits, from over the nominal hole.")
    start_z: float = param(Uniform(0.03, 0.08), "m", "Where the tip waits, above the nominal hole.")
    fixture: FixtureParams = dataclasses.field(default_factory=FixtureParams)
    tool: ToolParams = dataclasses.field(default_factory=ToolParams)
    wrist: WristParams = dataclasses.field(default_factory=WristParams)
    arm: ArmParams = dataclasses.field(default_factory=ArmParams)
    look: CellLook = dataclasses.field(default_factory=CellLook)

    @property
    def fit(self) -> Fit:
        """Peg and hole."""
        return Fit(self.diameter, self.clearance, self.chamfer, self.depth, self.friction)


class PegInsert(Task):
    """See the module's docstring."""

    name = "assembly/peg_insert"
    version = 2
    control_hz = 50.0
    horizon_s = 60.0
    success_hold_s = 0.5
    phases = PHASES
    Params = PegInsertParams
    actuators = ARM.actuators
    failures = ("over_force", "wedge", "jam", "missed_chamfer")
    degradations = ("no_search", "tilted", "over_speed", "stiff")
    memory = (*insertion.MEMORY, *arm.memory(ARM))
    features: ClassVar = (
        arm_telemetry.features(ARM)
        | insertion.FEATURES
        | {name: Feature("rad", doc="Position reference of a joint, from the base to the tip.") for name in ARM.joints}
        | {
            "joints": Feature("rad", "", ARM.joints, "Joint positions by encoder.", -2 * math.pi, 2 * math.pi),
            "speeds": Feature("rad/s", "", ARM.joints, "Joint speeds by encoder.", -4.0, 4.0),
            "torques": Feature("N*m", "", ARM.joints, "Motor torques at the joints.", -400.0, 400.0),
            "command": Feature("rad", "", ARM.joints, "Last position references.", -2 * math.pi, 2 * math.pi),
            "force": Feature("N", "wrist", ("x", "y", "z"), "Wrist sensor, weight included.", -300.0, 300.0),
            "torque": Feature("N*m", "wrist", ("x", "y", "z"), "Wrist sensor, weight included.", -60.0, 60.0),
            "tip": Feature(
                "m", "nominal", ("x", "y", "z"), "Nominal tip from the hole as the cell knows it.", -1.0, 1.0
            ),
            "axis": Feature("1", "nominal", ("x", "y", "z"), "Tool's axis, outwards; the hole's is z.", -1.1, 1.1),
            "drawing": Feature("m", "", ("peg", "hole", "chamfer", "depth"), "Diameters, chamfer, depth.", 0.0, 0.1),
        }
    )

    def build(self, p: PegInsertParams) -> mujoco.MjSpec:
        """Make the cell: the arm with its tool and peg, and the fixture where it really is."""
        spec = new_spec("peg_insert", timestep=0.001)
        cell.add_surroundings(spec, p.look, PLACE)
        fixture.add_fixture(spec, p.fixture, p.fit, PLACE, p.look)
        pilot = _pilot()
        paint, window = cell.colours(p.look)["robot"][:3], (pilot.low, pilot.high)
        arm.add_arm(spec, ARM6_M, p.arm, pos=BASE[0], quat=BASE[1], window=window, paint=paint)
        label(spec, "robot", "base")
        pos, quat = arm.flange_pose(ARM6_M)
        flange = spec.body(ARM.tip).add_body(name="sensor", pos=pos, quat=quat)
        tool.add_tool(spec, flange, p.tool, p.fit, p.look)
        arm.compensate(spec, p.arm, "sensor")
        arm_telemetry.add_telemetry(spec, ARM, p.arm)
        arm_telemetry.add_force_torque(spec, "wrist", p.wrist)
        _add_pose(spec)
        insertion.add_sensors(spec, p.fit)
        nominal = fixture.nominal_mouth(p.fixture, PLACE)
        tip = Pose(nominal + np.array([p.start_x, p.start_y, p.start_z]), np.array(POINTING_DOWN))
        home = arm.key(ARM6_M, p.arm, pilot.reach(tip, seed=(pilot.low + pilot.high) / 2))
        rest = np.zeros(len(tool.JOINTS))
        spec.add_key(name="home", qpos=np.append(home.qpos, rest), act=home.act, ctrl=home.ctrl)
        spec.add_numeric(name="nominal", data=nominal)
        spec.add_numeric(name="drawing", data=[p.diameter, 2 * p.fit.hole, p.chamfer, p.depth])
        _add_cameras(spec, flange, p.look)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
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

    def logic(self, s: State) -> None:
        """Watch the insertion, and the motors' windings."""
        insertion.scan(s, 1.0 / self.control_hz)
        arm.scan_windings(s, ARM, 1.0 / self.control_hz)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the station's tags, and the arm's slow telemetry."""
        return insertion.report(s) | arm_telemetry.report(s, ARM)

    def success(self, s: State) -> Array:
        """Return whether the peg is seated without force."""
        return insertion.seated(s) & (insertion.force_peak(s) < GENTLE)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        happened = {"over_force": insertion.force_peak(s) > OVERLOAD} | insertion.mishaps(s)
        return np.select([happened[name] for name in self.failures], range(1, len(self.failures) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: 0.2 for the tip at the hole, 0.1 for being in, 0.3 for depth, 0.4 for success."""
        return _reward(s) + 0.4 * self.success(s)

    def instructions(self, p: PegInsertParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: PegInsertParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Find the hole and put the peg in, by the wrist sensor."""
        yield from inserter(s, p, _habits(mode, rng)).work()


def inserter(s: State, p: PegInsertParams, habits: Habits) -> Inserter:
    """Return who does the work, with the drawing and nothing else of p."""
    return Inserter(s, _pilot(), 1.0 / PegInsert.control_hz, p.fit, habits)


def _habits(mode: str, rng: np.random.Generator) -> Habits:
    """Return how the work is done, with bad habits where degraded."""
    if mode == "no_search":
        return Habits(searches=False, push=rng.uniform(32.0, 50.0))
    if mode == "tilted":
        at, lean = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(2.0, 6.0))
        bend = (lean * math.cos(at), lean * math.sin(at))
        return Habits(yields=False, lean=bend, push=rng.uniform(32.0, 60.0))
    if mode == "over_speed":
        return Habits(haste=rng.uniform(6.0, 20.0))
    if mode == "stiff":
        return Habits(yields=False, push=rng.uniform(32.0, 60.0))
    return Habits()


def _reward(s: State) -> Array:
    """Return what is paid before success (...)."""
    inside = insertion.engaged(s)
    off, down = insertion.off_centre(s), insertion.depth(s)
    near = np.exp(-np.hypot(off, np.minimum(down, 0.0)) / _NEAR)
    share = np.clip(down / s.numeric("fit")[..., 3], 0.0, 1.0)
    return 0.2 * np.where(inside, 1.0, near) + inside * (0.1 + 0.3 * share)


@functools.cache
def _pilot() -> Pilot:
    """Return the arm's kinematics with the nominal tool, within the cell's soft limits."""
    hand = ((0.0, 0.0, tool.REACH), (1.0, 0.0, 0.0, 0.0))
    over = Pose(np.array([*PLACE, fixture.PLATE + 0.03]), np.array(POINTING_DOWN))
    centre = Pilot(ARM6_M, base=BASE, tool=hand).reach(over)
    return Pilot(ARM6_M, base=BASE, tool=hand, window=(centre - WINDOW, centre + WINDOW))


def _add_pose(spec: mujoco.MjSpec) -> None:
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


def _add_cameras(spec: mujoco.MjSpec, flange: mujoco.MjsBody, p: CellLook) -> None:
    """Add the cell's cameras."""
    x, y = PLACE
    world, level = spec.worldbody, fixture.PLATE
    mount(world, "overview", OVERVIEW, ((x + 0.92, y - 1.30, 1.62), (x - 0.42, y + 0.05, 0.80)), p.overview)
    mount(world, "close", CLOSE, ((x + 0.18, y - 0.25, level + 0.16), (x, y, level + 0.015)), p.close, tolerance=0.005)
    mount(flange, "wrist", WRIST, (tool.CAMERA, (0.0, 0.0, tool.VIEWED)), p.wrist, tolerance=0.002)


def _work_order(p: PegInsertParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the fixture."""
    peg, hole, depth = f"{1e3 * p.diameter:.0f}", f"{2e3 * p.fit.hole:.3f}", f"{1e3 * p.depth:.1f}"
    play, chamfer = f"{1e3 * p.clearance:.3f}", f"{1e3 * p.chamfer:.1f}"
    x, y = (f"{1e3 * v:.0f}" for v in fixture.nominal_mouth(p.fixture, PLACE)[:2])
    english = (
        f"Insert the {peg} mm peg into the {hole} mm hole, {depth} mm deep, at x {x} mm, y {y} mm. Seat it gently.",
        f"Assembly step: {peg} mm pin, hole {hole} mm, chamfer {chamfer} mm. Push it {depth} mm down, under 50 N.",
        f"Find the hole near x {x} mm, y {y} mm and put the {peg} mm peg in ({play} mm radial play, depth {depth} mm).",
    )
    japanese = (
        f"直径{peg}mmのピンを、x {x} mm、y {y} mmにある{hole}mmの穴(深さ{depth}mm)に静かに挿入してください。",
        f"組立工程：ピン径{peg}mm、穴径{hole}mm、面取り{chamfer}mm。50N未満の力で深さ{depth}mmまで挿入。",
        f"x {x} mm、y {y} mm付近の穴を探し、{peg}mmのピンを底まで入れてください(片側すきま{play}mm、深さ{depth}mm)。",
    )
    pick = int(1e6 * p.depth) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
