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

Anchors: Whitney's jam boundary, convergence in the timestep, friction on a slope (scenes/anchors/insertion.py).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import arm, arm_telemetry, cell, fixture, insertion, peg_cell, tool
from scenes.machines.arm import ArmParams
from scenes.machines.arm_models import ARM6_M
from scenes.machines.arm_pilot import Pose
from scenes.machines.arm_telemetry import WristParams
from scenes.machines.cell import CellLook
from scenes.machines.fixture import FixtureParams
from scenes.machines.inserter import PHASES, POINTING_DOWN, Inserter
from scenes.machines.inserter_habits import MODES, Habits, habits
from scenes.machines.peg_cell import ARM, PLACE
from scenes.machines.tool import ToolParams
from scenes.stock_fits import Fit
from sim.distributions import Choice, LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, State, Task

Array = NDArray[Any]

WINDOW = 0.25  # rad, soft limits about the usual place: 0.2 m of the tool
GENTLE, OVERLOAD = 50.0, 100.0  # N: on a seated peg; measuring range of a built-in wrist sensor of this class
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
    degradations = MODES
    memory = (*insertion.MEMORY, *arm.memory(ARM))
    features: ClassVar = peg_cell.FEATURES | insertion.FEATURES

    def build(self, p: PegInsertParams) -> mujoco.MjSpec:
        """Make the cell: the arm with its tool and peg, and the fixture where it really is."""
        spec = new_spec("peg_insert", timestep=0.001)
        cell.add_surroundings(spec, p.look, PLACE)
        fixture.add_fixture(spec, p.fixture, p.fit, PLACE, p.look)
        pilot = peg_cell.pilot(WINDOW)
        flange = peg_cell.add_robot(spec, p.arm, pilot, p.look)
        tool.add_tool(spec, flange, p.tool, p.fit, p.look)
        arm.compensate(spec, p.arm, "sensor")
        arm_telemetry.add_telemetry(spec, ARM, p.arm)
        arm_telemetry.add_force_torque(spec, "wrist", p.wrist)
        peg_cell.add_pose(spec)
        insertion.add_sensors(spec, p.fit)
        nominal = fixture.nominal_mouth(p.fixture, PLACE)
        tip = Pose(nominal + np.array([p.start_x, p.start_y, p.start_z]), np.array(POINTING_DOWN))
        home = arm.key(ARM6_M, p.arm, pilot.reach(tip, seed=(pilot.low + pilot.high) / 2))
        rest = np.zeros(len(tool.JOINTS))
        spec.add_key(name="home", qpos=np.append(home.qpos, rest), act=home.act, ctrl=home.ctrl)
        peg_cell.add_drawing(spec, nominal, p.fit)
        peg_cell.add_cameras(spec, flange, p.look)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the cell's controller knows: its axes, the wrist sensor, the nominal hole, the drawing."""
        return peg_cell.observe(s)

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
        yield from inserter(s, p, habits(mode, rng)).work()


def inserter(s: State, p: PegInsertParams, how: Habits) -> Inserter:
    """Return who does the work, with the drawing and nothing else of p."""
    return Inserter(s, peg_cell.pilot(WINDOW), 1.0 / PegInsert.control_hz, p.fit, how)


def _reward(s: State) -> Array:
    """Return what is paid before success (...)."""
    inside = insertion.engaged(s)
    off, down = insertion.off_centre(s), insertion.depth(s)
    near = np.exp(-np.hypot(off, np.minimum(down, 0.0)) / _NEAR)
    share = np.clip(down / s.numeric("fit")[..., 3], 0.0, 1.0)
    return 0.2 * np.where(inside, 1.0, near) + inside * (0.1 + 0.3 * share)


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
