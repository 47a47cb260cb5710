"""Tighten a screw to its clamp force with a nutrunner on a servo feed axis.

Task: a socket screw waits in sprung jaws over a threaded hole, fed by a feeder with two lanes. The policy sets, 50
times a second, the feed's speed, the spindle's speed and torque limit, and the lane that the screw is taken from.

Cameras: "overview", on a post of the guarding; "close", on a stand beside the workpiece; "wrist", on the spindle.

Randomized: size (M5 to M12), property class, clamped thickness, lane and what the other lane holds; friction of thread
and head, stiffness of the joint and how well it is known, prevailing torque, start of the thread, tilt, height of the
seat; backlash of the bit, torque constant, inertia, and the transducer's gain, bias and noise; light, paint and how the
cameras are mounted, which move nothing.

Success: the clamp force is within 10 % of the order's, final torque and angle are in their windows, nothing has yielded
and the bit is off, for 1 s.

Failures: cross_thread, a pitch deep in the wrong turn of the thread, which a screw enters that is tilted by more than
half a pitch over its diameter; strip, screw or thread yielded by 0.2 % of the length; floating_screw, left in the
thread without clamp force; wrong_length, tight, with a screw that is 1 mm or more too long or short.

Expert: a program of six steps: approach; find, turning back until the screw drops over the thread's start; rundown at
300 rpm; snug, against a low torque limit; tighten, slowly, until the clamp force is that of the order; release. The
clamp force is estimated by angle and stiffness, the angle from where the line of torque over angle is zero, so that
friction does not matter. It reads channels, what the controller makes of them, and the order. 100 of 100 on seeds 0 to
99 and 100 of 100 on others, in 9 s (8 to 10 s).
Degraded: hard_feed, which tilts the screw and looks for no thread; over_torque; short_program, which leaves too early;
wrong_lane; fast_seating.

Anchors: torque over clamp force, clamp force over angle, yield, loosening (scenes/anchors/screw.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import cell, nutrunner, nutrunner_looks, screw_joint, tightening, tightening_station
from scenes.machines.cell import CellLook
from scenes.machines.look import mount
from scenes.machines.nutrunner import NutrunnerParams
from scenes.machines.screw_joint import Joint, ScrewParams
from scenes.machines.screw_sizes import SIZES, YIELD, yield_force
from scenes.machines.tightening_pilot import PHASES, Habits, Tightener
from scenes.machines.tightening_station import Work
from sim.cameras import Lens
from sim.distributions import Choice, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

PLACE = (0.72, 0.17)  # m, where the station works on its table
SEAT = 0.86  # m, height of the face that the head is to be seated on
# Sensors of 2/3" and 1/2.9" with pixels of 3.45 um (IMX264, IMX273), fixed lenses; depth in steps of 0.1 mm.
OVERVIEW = Lens(8e-3, (8.446e-3, 7.066e-3), (2448, 2048), 0.10, 6.5535)
CLOSE = Lens(8e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
TOOL = Lens(4e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
_NEAR = 0.02  # m, over which the bit's way to the screw is paid


@dataclasses.dataclass(frozen=True, slots=True)
class BoltTightenParams:
    """One screw joint and one nutrunner."""

    size: str = param(Choice(("M8", "M5", "M6", "M10", "M12")), "ISO 261", "Coarse metric thread, by its size.")
    grade: str = param(Choice(tuple(YIELD)), "ISO 898-1", "Property class of the screw.")
    grip: float = param(Uniform(0.8, 1.6), "1", "Clamped thickness over the screw's diameter; engineering value.")
    misfit: float = param(Choice((5e-3, -5e-3)), "m", "Length of the other lane's screws, over these; ISO 888 steps.")
    lane: str = param(Choice(("A", "B")), "lane", "Lane of the feeder that holds the screws of this order.")
    trial: float = param(Uniform(-0.05, 0.05), "1", "Joint stiffness as trials gave it, less the true one, over that.")
    screw: ScrewParams = dataclasses.field(default_factory=ScrewParams)
    nutrunner: NutrunnerParams = dataclasses.field(default_factory=NutrunnerParams)
    look: CellLook = dataclasses.field(default_factory=CellLook)

    @property
    def joint(self) -> Joint:
        """What the screw is made into."""
        size = SIZES[self.size]
        grip = self.grip * size.diameter
        length = 5e-3 * math.ceil((grip + 1.2 * size.diameter) / 5e-3)  # the next of ISO 888
        return Joint(size, grip, length, self.misfit, yield_force(size, self.grade))


class BoltTighten(Task):
    """See the module's docstring."""

    name = "assembly/bolt_tighten"
    version = 1
    control_hz = 50.0
    horizon_s = 18.0
    success_hold_s = 1.0
    phases = PHASES
    Params = BoltTightenParams
    actuators = nutrunner.ACTUATORS
    failures = ("cross_thread", "strip", "floating_screw", "wrong_length")
    degradations = ("hard_feed", "over_torque", "short_program", "wrong_lane", "fast_seating")
    memory = tightening_station.MEMORY
    driven: ClassVar = {"friction": tightening_station.FRICTION}
    features: ClassVar = (
        nutrunner.FEATURES
        | tightening.FEATURES
        | {
            "feed": Feature("m/s", doc="Feed speed reference, downwards."),
            "speed": Feature("rad/s", doc="Spindle speed reference, clockwise."),
            "torque": Feature("N*m", doc="Torque limit of the spindle."),
            "lane": Feature("1", doc="Lane of the feeder: A above 0.5, B below -0.5."),
            "spindle": Feature("rad/s", doc="Spindle speed, clockwise.", low=-80.0, high=80.0),
            "load": Feature("N*m", doc="Torque on the bit, clockwise.", low=-100.0, high=100.0),
            "angle": Feature("rad", doc="Spindle angle, sine and cosine.", names=("sin", "cos"), low=-1.01, high=1.01),
            "height": Feature("m", doc="Head over its nominal seat, by feed and nose.", low=-0.05, high=0.2),
            "stroke": Feature("m", doc="Bit over the socket's bottom.", low=-0.05, high=0.2),
            "limit": Feature("N*m", doc="Torque limit in force.", low=-0.1, high=61.0),
            "seated": Feature("1", doc="Whether seating was detected.", low=0.0, high=1.0),
            "clamp": Feature("1", doc="Estimated clamp force over that of the order.", low=-0.1, high=20.0),
            "order": Feature(
                "1",
                doc="Clamp force 10 kN, usual torque 10 N m, stiffness 1e8 N/m, lead 0.1 mm/rad, way 10 mm, lane.",
                names=("clamp", "torque", "stiffness", "lead", "reach", "lane"),
                low=-20.0,
                high=20.0,
            ),
        }
    )

    def build(self, p: BoltTightenParams) -> mujoco.MjSpec:
        """Make the station."""
        spec = new_spec("bolt_tighten", timestep=0.001)
        spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)  # springs and helix do what contacts would
        cell.add_surroundings(spec, p.look, PLACE, pedestal=False)
        joint, lane = p.joint, _lane(p)
        order = tightening.plan(joint, (1 + p.trial) * screw_joint.stiffness(p.screw, joint.size))
        work = Work(joint, order, lane)
        tightening_station.add_station(spec, (*PLACE, SEAT), work, p.screw, p.nutrunner)
        nutrunner_looks.add_looks(spec, (*PLACE, SEAT), joint, tightening_station.waiting(joint), p.look)
        _add_cameras(spec, p.look)
        scale = np.array([1e4, 10.0, 1e8, 1e-4, 1e-2])
        spec.add_numeric(name="drawing", data=[*(np.array(order[:5]) / scale), lane])
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the controller knows: its spindle, feed, nose, what it makes of them, and the order."""
        angle, torque = s.sensor("Spindle.Angle"), s.sensor("Spindle.Torque")
        return {
            "spindle": s.sensor("Spindle.ActualSpeed"),
            "load": torque,
            "angle": np.concatenate([np.sin(angle), np.cos(angle)], axis=-1),
            "height": tightening.measured_height(s)[..., None],
            "stroke": s.sensor("Nose.Stroke"),
            "limit": s.actuator("torque").ctrl + 0.0,
            "seated": s.memory("seated")[..., None] + 0.0,
            "clamp": (s.memory("estimate") / s.numeric("order")[..., 0])[..., None],
            "order": s.numeric("drawing"),
        }

    def laws(self, s: State) -> None:
        """Let friction follow the clamp force, and the drive its torque limit."""
        tightening_station.laws(s)

    def logic(self, s: State) -> None:
        """Let screw and nutrunner follow their nature, and the controller scan."""
        tightening_station.scan(s, 1.0 / self.control_hz)

    def signals(self, s: State) -> dict[str, Array]:
        """Return slow telemetry and the joining result."""
        return nutrunner.report(s) | tightening.report(s)

    def success(self, s: State) -> Array:
        """Return whether the joint is made."""
        return tightening.good(s)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        happened = tightening.mishaps(s)
        return np.select([happened[name] for name in self.failures], range(1, len(self.failures) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: 0.1 for the bit at the screw, 0.1 for the thread, 0.2 for depth and clamp, 0.4 for success."""
        order, inside = s.numeric("order"), screw_joint.engaged(s)
        near = np.exp(-np.maximum(tightening.stroke(s), 0.0) / _NEAR)
        down = np.clip(screw_joint.depth(s) / order[..., 4], 0.0, 1.0)
        clamp = np.maximum(1.0 - np.abs(screw_joint.clamp(s) / order[..., 0] - 1.0), 0.0)
        at = np.where(tightening.tight(s), 1.0, near)
        return 0.1 * at + inside * (0.1 + 0.2 * down + 0.2 * clamp) + 0.4 * self.success(s)

    def instructions(self, p: BoltTightenParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: BoltTightenParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Work by the program of the order."""
        drag = tightening.greatest_drag(SIZES[p.size])
        yield from Tightener(s, 1.0 / self.control_hz, lane=_lane(p), drag=drag, habits=_habits(mode, rng)).work()


def _lane(p: BoltTightenParams) -> float:
    """Return the number of the lane that the order names."""
    return 1.0 if p.lane == "A" else -1.0


def _add_cameras(spec: mujoco.MjSpec, p: CellLook) -> None:
    """Add the station's cameras."""
    (x, y), world = PLACE, spec.worldbody
    mount(world, "overview", OVERVIEW, ((x + 0.62, y - 1.05, 1.50), (x - 0.10, y + 0.10, 1.02)), p.overview)
    mount(world, "close", CLOSE, ((x + 0.20, y - 0.26, SEAT + 0.12), (x, y, SEAT + 0.03)), p.close, tolerance=0.005)
    pose = (nutrunner_looks.CAMERA, nutrunner_looks.VIEWED)
    mount(spec.body("carriage"), "wrist", TOOL, pose, p.wrist, tolerance=0.002)


def _habits(mode: str, rng: np.random.Generator) -> Habits:
    """Return how the work is done, with bad habits where degraded."""
    if mode == "hard_feed":
        return Habits(pushed=rng.uniform(0.014, 0.024), finds=False)
    if mode == "over_torque":
        return Habits(clamp=rng.uniform(1.3, 2.6))
    if mode == "short_program":
        return Habits(short=rng.uniform(1.5e-3, 6e-3))
    if mode == "wrong_lane":
        return Habits(lane=-1.0)
    if mode == "fast_seating":
        return Habits(seating=40.0)
    return Habits()


def _work_order(p: BoltTightenParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the clamped thickness."""
    joint = p.joint
    clamp = tightening.plan(joint, screw_joint.stiffness(p.screw, joint.size)).clamp / 1e3
    screw, force = f"{p.size}x{1e3 * joint.length:.0f}", f"{clamp:.1f}"
    english = (
        f"Drive the {screw} screw, class {p.grade}, from lane {p.lane} and tighten it to a clamp force of {force} kN.",
        f"Screw joint: {screw}-{p.grade}, feeder lane {p.lane}. Find the thread, run down, tighten to {force} kN.",
        f"Take a {screw} screw ({p.grade}) from lane {p.lane}; clamp with {force} kN, plus or minus 10 %.",
    )
    japanese = (
        f"レーン{p.lane}の{screw}ねじ(強度区分{p.grade})を締め、軸力を{force}kNにしてください。",
        f"ねじ締め作業：{screw}-{p.grade}、供給レーン{p.lane}。ねじ山を合わせてから着座させ、軸力{force}kNまで締付。",
        f"レーン{p.lane}から{screw}ねじ(強度区分{p.grade})を取り、軸力{force}kN±10%で締結してください。",
    )
    pick = int(1e6 * p.grip) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
