"""Pick a peg with a parallel-jaw gripper, which holds it by friction alone, and put it into a hole.

Task: a peg of 4 to 16 mm stands in a nest on the table of the cell of `peg_insert`. The arm picks it with two flat
jaws under a compliance device, and puts it into the fixture's hole, which the cell knows to within 3 mm and 3 degrees;
then it lets go and draws the jaws off. The policy sets the references of six joints and of the jaws' opening 50 times
a second; a reference below the peg's width is a grip force. Nothing but friction holds the peg: along its axis up to
2 mu N.

Cameras: "overview", on a post of the guarding; "close", on a stand beside the fixture; "wrist", on the tool.

Randomized: peg, play, chamfer, depth, friction; fixture, nest and how far they are from where the cell takes them to
be, so that the peg sits up to 3 mm and 0.3 degrees off in the jaws; start; friction, wear and splay of the pads, force
of the drive; the device's springs; servos, friction and mastering of the arm; noise, bias, gain and delay of the wrist
sensor; light, paint and how the cameras are mounted, which move nothing.

Success: the tip is 96 % down the hole, the force on the peg below 50 N, and the jaws are off it, for 0.5 s.

Failures: those of `peg_insert` (over_force, wedge, jam, missed_chamfer); slip, the peg has moved in the hand by 2 mm or
turned by 3.4 degrees since it was gripped; drop, it is in neither jaws, hole nor nest.

Expert: picks by the taught place, grips with 100 N, lifts; then as in `peg_insert`, and a stall within 1 mm of the
bottom is the bottom; takes the force off, opens, retracts. It reads what the cell reports and the drawing, nothing
else. 100 of 100 on seeds 0 to 99, in 21 s.
Degraded: no_search, tilted, over_speed, stiff; weak_grip, 3 to 20 N; lets_go, the jaws open on the way.

Anchors: grip force by the reference, a gripped peg slips beyond 2 mu N (scenes/anchors/grip.py).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import (
    arm,
    arm_telemetry,
    cell,
    fixture,
    grasping,
    gripper,
    gripper_pilot,
    insertion,
    nest,
    peg_cell,
)
from scenes.machines.arm import ArmParams
from scenes.machines.arm_models import ARM6_M
from scenes.machines.arm_pilot import Pose
from scenes.machines.arm_telemetry import WristParams
from scenes.machines.cell import CellLook
from scenes.machines.fixture import FixtureParams
from scenes.machines.gripper import GripperParams
from scenes.machines.gripper_pilot import PHASES, Grip, grip, work
from scenes.machines.inserter import POINTING_DOWN, Inserter
from scenes.machines.inserter_habits import MODES, Habits, habits
from scenes.machines.nest import NestParams
from scenes.machines.peg_cell import ARM, PLACE
from scenes.orders import worded
from scenes.stock_fits import Fit
from sim.distributions import Choice, LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

NEST = (0.48, 0.17)  # m, the nest's usual place: between arm and fixture
WINDOW = 0.6  # rad, soft limits about the fixture's usual place: the tool reaches the nest
GENTLE, OVERLOAD = 50.0, 100.0  # N: on a seated peg; measuring range of a built-in wrist sensor of this class
_NEAR = 0.05  # m, from where on the way to peg and hole is paid


@dataclasses.dataclass(frozen=True, slots=True)
class PegGraspParams:
    """One peg, one nest, one hole, one arm with a gripper."""

    diameter: float = param(Choice((0.008, 0.004, 0.012, 0.016)), "m", "Of the peg; the round pegs of IndustReal.")
    clearance: float = param(LogUniform(0.02e-3, 0.5e-3), "m", "Hole over peg, in radius: H8/f7 (ISO 286) to loose.")
    chamfer: float = param(Uniform(0.2e-3, 1.0e-3), "m", "Of the hole, at 45 degrees; broken edge to lead-in.")
    depth: float = param(Uniform(0.020, 0.026), "m", "Of the hole; 23 mm in the sockets of IndustReal.")
    friction: float = param(Uniform(0.08, 0.4), "1", "Steel in steel or brass, oiled to dry (LUST CDA3000 table 7.21).")
    start_x: float = param(Uniform(-0.04, 0.04), "m", "Where the tool waits, from over the nominal hole.")
    start_y: float = param(Uniform(-0.04, 0.04), "m", "Where the tool waits, from over the nominal hole.")
    start_z: float = param(Uniform(0.03, 0.08), "m", "Where the nominal tip waits, above the nominal hole.")
    fixture: FixtureParams = dataclasses.field(default_factory=FixtureParams)
    nest: NestParams = dataclasses.field(default_factory=NestParams)
    gripper: GripperParams = dataclasses.field(default_factory=GripperParams)
    wrist: WristParams = dataclasses.field(default_factory=WristParams)
    arm: ArmParams = dataclasses.field(default_factory=ArmParams)
    look: CellLook = dataclasses.field(default_factory=CellLook)

    @property
    def fit(self) -> Fit:
        """Peg and hole."""
        return Fit(self.diameter, self.clearance, self.chamfer, self.depth, self.friction)


class PegGrasp(Task):
    """See the module's docstring."""

    name = "assembly/peg_grasp"
    version = 1
    control_hz = 50.0
    horizon_s = 60.0
    success_hold_s = 0.5
    phases = PHASES
    Params = PegGraspParams
    actuators = (*ARM.actuators, "jaws")
    failures = ("over_force", "wedge", "jam", "missed_chamfer", "slip", "drop")
    degradations = (*MODES, *gripper_pilot.MODES)
    memory = (*insertion.MEMORY, *grasping.MEMORY, *arm.memory(ARM))
    features: ClassVar = (
        peg_cell.FEATURES
        | insertion.FEATURES
        | grasping.FEATURES
        | {
            "jaws": Feature("m", doc="Opening reference of the jaws; below a part's width, a grip force of 40 N/mm."),
            "jaw_command": Feature("m", "", ("opening",), "Last reference of the opening.", -0.01, 0.03),
            "jaw_opening": Feature("m", "", ("opening",), "Between the pads, by encoder.", -0.01, 0.05),
            "jaw_force": Feature("N", "", ("force",), "Grip force by the motor's current.", -300.0, 300.0),
            "part": Feature("1", "", ("present",), "The drive's part-present bit.", 0.0, 1.0),
            "nest": Feature(
                "m", "nominal", ("x", "y", "z"), "Tip of the standing peg as the cell knows it.", -1.0, 1.0
            ),
        }
    )

    def build(self, p: PegGraspParams) -> mujoco.MjSpec:
        """Make the cell: the arm with its gripper, the nest with the peg, and the fixture where it really is."""
        spec = new_spec("peg_grasp", timestep=0.001)
        spec.option.impratio, spec.option.tolerance = gripper.IMPRATIO, gripper.TOLERANCE
        cell.add_surroundings(spec, p.look, PLACE)
        fixture.add_fixture(spec, p.fixture, p.fit, PLACE, p.look)
        nest.add_nest(spec, p.nest, p.fit, NEST, p.look)
        pilot = peg_cell.pilot(WINDOW)
        flange = peg_cell.add_robot(spec, p.arm, pilot, p.look)
        gripper.add_gripper(spec, flange, p.gripper, p.fit, p.look)
        arm.compensate(spec, p.arm, "sensor")
        gripper.add_free_peg(spec, p.fit, p.look)
        arm_telemetry.add_telemetry(spec, ARM, p.arm)
        arm_telemetry.add_force_torque(spec, "wrist", p.wrist)
        peg_cell.add_pose(spec)
        gripper.add_telemetry(spec)
        insertion.add_sensors(spec, p.fit)
        grasping.add_sensors(spec)
        nominal = fixture.nominal_mouth(p.fixture, PLACE)
        tip = Pose(nominal + np.array([p.start_x, p.start_y, p.start_z]), np.array(POINTING_DOWN))
        home = arm.key(ARM6_M, p.arm, pilot.reach(tip, seed=(pilot.low + pilot.high) / 2))
        rest = gripper.at_rest(*nest.standing(p.nest, NEST))
        spec.add_key(
            name="home",
            qpos=np.concatenate([home.qpos, rest]),
            act=home.act,
            ctrl=np.append(home.ctrl, gripper.OPEN),
        )
        peg_cell.add_drawing(spec, nominal, p.fit)
        spec.add_numeric(name="pick", data=nest.nominal_seat(p.nest, NEST))
        peg_cell.add_cameras(spec, flange, p.look)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the cell's controller knows: axes, wrist sensor, gripper, nominal hole and nest, drawing."""
        return peg_cell.observe(s) | {
            "jaw_command": s.actuator("jaws").ctrl,
            "jaw_opening": s.sensor("Gripper.ActualPosition"),
            "jaw_force": s.sensor("Gripper.ActualForce"),
            "part": grasping.part_present(s).astype(float)[..., None],
            "nest": s.numeric("pick") - s.numeric("nominal"),
        }

    def logic(self, s: State) -> None:
        """Watch grasp and insertion, and the motors' windings."""
        insertion.scan(s, 1.0 / self.control_hz)
        grasping.scan(s, 1.0 / self.control_hz)
        arm.scan_windings(s, ARM, 1.0 / self.control_hz)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the station's tags, what is true of the grasp, and the arm's slow telemetry."""
        return insertion.report(s) | grasping.report(s) | arm_telemetry.report(s, ARM)

    def success(self, s: State) -> Array:
        """Return whether the peg is seated without force, and the jaws are off it."""
        return insertion.seated(s) & (insertion.force_peak(s) < GENTLE) & grasping.let_go(s)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        over = {"over_force": insertion.force_peak(s) > OVERLOAD}
        happened = over | insertion.mishaps(s) | grasping.mishaps(s)
        return np.select([happened[name] for name in self.failures], range(1, len(self.failures) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: 0.1 for jaws at the peg, 0.2 for the peg at the hole, 0.1 and 0.2 in it, 0.4 for success."""
        return _reward(s) + 0.4 * self.success(s)

    def instructions(self, p: PegGraspParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: PegGraspParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Pick the peg, find the hole, put it in and let go, by wrist sensor and gripper."""
        yield from worker(s, p, habits(mode, rng), grip(mode, rng))


def worker(s: State, p: PegGraspParams, how: Habits, hold: Grip) -> Iterator[Command]:
    """Do the work, with the drawing and nothing else of p."""
    yield from work(Inserter(s, peg_cell.pilot(WINDOW), 1.0 / PegGrasp.control_hz, p.fit, how), hold)


def _reward(s: State) -> Array:
    """Return what is paid before success (...)."""
    inside, carried = insertion.engaged(s), grasping.carried(s)
    off, down = insertion.off_centre(s), insertion.depth(s)
    near = carried * np.exp(-np.hypot(off, np.minimum(down, 0.0)) / _NEAR)
    share = np.clip(down / s.numeric("fit")[..., 3], 0.0, 1.0)
    at_peg = np.where(inside | carried, 1.0, np.exp(-grasping.reach(s) / _NEAR))
    return 0.1 * at_peg + 0.2 * np.where(inside, 1.0, near) + inside * (0.1 + 0.2 * share)


def _work_order(p: PegGraspParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the hole."""
    peg, hole, depth = f"{1e3 * p.diameter:.0f}", f"{2e3 * p.fit.hole:.3f}", f"{1e3 * p.depth:.1f}"
    (x, y), (u, v) = (
        (f"{1e3 * a:.0f}", f"{1e3 * b:.0f}")
        for a, b, _ in (fixture.nominal_mouth(p.fixture, PLACE), nest.nominal_seat(p.nest, NEST))
    )
    english = (
        f"Pick the {peg} mm peg from the nest at x {u}, y {v} mm, put it into the {hole} mm hole, {depth} mm deep.",
        f"Assembly step: {peg} mm pin, hole {hole} mm at x {x}, y {y} mm, {depth} mm deep. Insert under 50 N, retract.",
        f"Find the hole near x {x}, y {y} mm and put the {peg} mm peg in ({hole} mm, {depth} mm deep) without slip.",
    )
    japanese = (
        f"x {u}、y {v} mmの受け台から直径{peg}mmのピンを取り、{hole}mmの穴(深さ{depth}mm)に挿入して放してください。",
        f"組立工程：ピン径{peg}mm、穴径{hole}mm(x {x}、y {y} mm、深さ{depth}mm)。50N未満で挿入し、爪を開いて退避。",
        f"x {x}、y {y} mm付近の穴(径{hole}mm、深さ{depth}mm)を探し、{peg}mmのピンを爪の中で滑らせずに入れてください。",
    )
    return worded(english, japanese, 1e6 * p.depth)
