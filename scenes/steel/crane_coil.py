"""Pick a coil with an overhead crane and a C-hook, carry it across the bay, set it on the target saddle.

Task: a coil lies on a V-saddle; the target saddle is between two coils. The policy sets the speed references of
bridge, trolley and hoist 20 times a second; brakes work by themselves.

Randomized: coil (outer 0.9 to 2.1 m, bore 508, 610 or 762 mm, width 0.9 to 2.1 m, hence 1.3 to 54 t; eccentricity),
friction, floor slope, saddles, waiting place and sway, speeds; of the crane its span, lift, ramps, drive lag, rope
stiffness and damping, skew, load cells, temperatures.

Success: seated within 20 mm and 2 degrees, hook load under 5 % of the coil's weight, arm out of the bore, for 1 s.

Failures: dropped; hook_tilt, over 5 degrees for 4 s under load; strike, over 0.2 m/s of hook on coil or coil on coil;
hard_landing, over 0.1 m/s; over_sway, 0.25 m within 1.5 m of the stacked coils; misplaced, at rest out of tolerance.

Expert: shaped travel (ZVD, ZV when short) for both modes of the double pendulum at the measured rope length, trim by
camera, an encoder-held hoist. 100 of 100 on seeds 0 to 99 and 100 of 100 on others, in 200 s (150 to 245 s).
Degraded: wrong_rope_length in the shaper, unshaped, over_speed, off_centre_pick.

Anchors: periods of pendulum and double pendulum, quadrifilar yaw, rope bounce, load of a fall, residual sway after ZV
and ZVD (scenes/anchors/crane.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock
from scenes.machines import coil_job, crane, crane_telemetry
from scenes.machines.coil_handler import CLEARANCE, PHASES
from scenes.machines.crane import CraneParams
from scenes.machines.crane_looks import add_cameras
from scenes.machines.hall import Bay, HallLook, add_hall
from scenes.machines.scenery import add_parts
from scenes.orders import worded
from scenes.stock_looks import stored_coils
from sim.cameras import label
from sim.distributions import Choice, Uniform
from sim.math import rotate
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, State, Task

Array = NDArray[Any]

AISLE = 0.6  # m between the coils of the target's row
_STORED = stored_coils(*((x, y, outer, 1.3) for x, outer in ((28.4, 1.7), (30.5, 1.5)) for y in (5.6, 8.6, 11.6)))
_TOUCHES = {"hook_coil": ("hook", "coil"), "hook_floor": ("hook", "floor"), "coil_floor": ("coil", "floor")} | {
    f"coil_{name}": ("coil", name) for name in ("start", "target", "stack_a", "stack_b")
}


@dataclasses.dataclass(frozen=True, slots=True)
class CraneCoilParams:
    """One work order on one crane."""

    coil_outer: float = param(Uniform(0.9, 2.1), "m", "Outer diameter; hot and cold strip mill range.")
    coil_bore: float = param(Choice((0.610, 0.508, 0.762)), "m", "Bore, by mandrel: 24, 20 or 30 inches.")
    coil_width: float = param(Uniform(0.9, 2.1), "m", "Strip width; hot and cold strip mill range.")
    eccentricity: float = param(Uniform(0.0, 0.010), "m", "Centre of mass off the axis, from an eccentric bore.")
    eccentricity_at: float = param(Uniform(-math.pi, math.pi), "rad", "Where that is, about the coil's axis.")
    friction: float = param(Uniform(0.12, 0.5), "1", "Steel on steel, oiled to dry (LUST CDA3000 table 7.21).")
    slope_x: float = param(Uniform(-0.002, 0.002), "rad", "Floor along the runway, levelled to 0.2 %.")
    slope_y: float = param(Uniform(-0.002, 0.002), "rad", "Floor across the bay, levelled to 0.2 %.")
    start_x: float = param(Uniform(3.0, 6.0), "m", "Start saddle along the runway.")
    start_y: float = param(Uniform(6.0, 9.0), "m", "Start saddle across the bay.")
    target_x: float = param(Uniform(12.0, 22.0), "m", "Target saddle along the runway.")
    target_y: float = param(Uniform(6.0, 16.0), "m", "Target saddle across the bay.")
    park_x: float = param(Uniform(-2.0, 2.0), "m", "Waiting hook along the runway from the start saddle.")
    park_y: float = param(Uniform(-1.0, 0.5), "m", "Waiting hook across the bay from where it goes in.")
    sway_x: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting hook; with sway_y up to 0.3 m.")
    sway_y: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting hook across the bay.")
    bridge_speed: float = param(Uniform(1.0, 2.0), "m/s", "Allowed in this bay; usual for inverter drives.")
    trolley_speed: float = param(Uniform(0.5, 1.0), "m/s", "Allowed in this bay; usual for inverter drives.")
    hoist_speed: float = param(Uniform(0.09, 0.18), "m/s", "18 to 35 ft/min, medium to high speed class at 30 t.")
    crane: CraneParams = dataclasses.field(default_factory=CraneParams)
    look: HallLook = dataclasses.field(default_factory=HallLook)

    @property
    def coil(self) -> stock.Coil:
        """The coil."""
        return stock.Coil(self.coil_outer, self.coil_bore, self.coil_width)


class CraneCoil(Task):
    """See the module's docstring."""

    name = "steel/crane_coil"
    version = 3
    control_hz = 20.0
    horizon_s = 300.0
    success_hold_s = 1.0
    phases = PHASES
    Params = CraneCoilParams
    actuators = crane.AXES
    failures = coil_job.FAILURES
    degradations = coil_job.DEGRADATIONS
    memory = coil_job.MEMORY
    features = coil_job.FEATURES

    def build(self, p: CraneCoilParams) -> mujoco.MjSpec:
        """Make the bay: a coil on its saddle, the target saddle between two stacked coils, and the crane."""
        spec = new_spec("crane_coil", timestep=0.005)
        spec.default.geom.friction = [p.friction, 0.005, 0.0001]
        floor = _add_floor(spec, p)
        job = _job(p)
        pose = coil_job.waiting(job, (p.park_x, p.park_y), (p.sway_x, p.sway_y))
        home = coil_job.add_machine(spec, p.crane, pose)
        add_cameras(spec, p.look.camera, p.crane.span)
        stock.add_coil(spec, p.coil, name="coil", com=coil_job.off_axis(p.eccentricity, p.eccentricity_at))
        coil_job.add_job(spec, p.coil)
        for name, things in _TOUCHES.items():
            coil_job.add_touch(spec, name, mujoco.mjtObj.mjOBJ_BODY, things)
        seat = rotate(floor.quat, job.start)
        spec.add_key(name="home", qpos=np.concatenate([home.qpos, seat, floor.quat]), act=home.act, ctrl=home.ctrl)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator sees: axes, sway, loads, and where coil and target are."""
        return coil_job.observe(s)

    def logic(self, s: State) -> None:
        """Work the brakes; remember whether the coil was lifted, how long it has tilted and how long rested since."""
        coil_job.scan(s, 1.0 / self.control_hz, free=s.peak("coil_start")[..., 0] == 0)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's slow telemetry."""
        return crane_telemetry.report(s)

    def success(self, s: State) -> Array:
        """Return whether the coil is in its place, unloaded, and the arm out of its bore."""
        return coil_job.success(s)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        # A loaded arm that settles in the bore strikes nothing.
        knock = s.peak("hook_coil")[..., 1] * (coil_job.load_share(s) < 0.2)
        hits = [knock, *(s.peak(name)[..., 1] for name in ("hook_floor", "coil_stack_a", "coil_stack_b"))]
        landed = s.peak("coil_target")[..., 0] > 0
        happened = coil_job.mishaps(s, hits=hits, landed=landed, gap=_stack_gap(s))
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: a tenth for the arm at the coil, half for the coil at the target, the rest for leaving it."""
        return coil_job.reward(s)

    def instructions(self, p: CraneCoilParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: CraneCoilParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Fetch the coil and set it down, shaped against sway and corrected by what is measured."""
        period = 1.0 / self.control_hz
        yield from coil_job.handler(s, p.crane, _job(p), period=period, mode=mode, rng=rng).work()


def _job(p: CraneCoilParams) -> coil_job.Job:
    """Return what is to be done."""
    start = np.array([p.start_x, p.start_y, p.coil.seat_height])
    clear = 2 * p.coil.seat_height + CLEARANCE  # the arm clears the coils
    speeds = (p.bridge_speed, p.trolley_speed, p.hoist_speed)
    return coil_job.Job(p.coil, start, clear, p.coil_outer + CLEARANCE, speeds)


def _stack_gap(s: State) -> Array:
    """Return the distance in the plan between the coil and the nearest stacked coil (...), m."""
    size = s.numeric("coil_size")
    off = np.stack([s.site("coil").xpos - s.site(name).xpos for name in ("stack_a", "stack_b")], axis=-2)
    gap = np.maximum(np.abs(off[..., :2]) - size[..., None, :], 0.0)
    return np.min(np.linalg.norm(gap, axis=-1), axis=-1)


def _add_floor(spec: mujoco.MjSpec, p: CraneCoilParams) -> mujoco.MjsBody:
    """Add the hall, with both saddles and the stacked coils on its floor."""
    floor = add_hall(spec, p.look, Bay(p.crane.span, crane.sheave_height(p.crane)), slope=(p.slope_x, p.slope_y))
    stock.add_saddle(spec, floor, p.coil, name="start", pos=np.array([p.start_x, p.start_y, 0.0]), paint="orange")
    stock.add_saddle(spec, floor, p.coil, name="target", pos=np.array([p.target_x, p.target_y, 0.0]), paint="green")
    stock.add_neighbours(spec, floor, p.coil, pos=[p.target_x, p.target_y, 0.0], apart=p.coil_outer + AISLE)
    add_parts(spec, floor.add_body(name="stock"), _STORED, name="stock")
    label(spec, "coil", "stock")
    return floor


def _work_order(p: CraneCoilParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the coil."""
    mass, size, dimensions = coil_job.words(p.coil)
    where = [f"x {x:.1f} m, y {y:.1f} m" for x, y in ((p.start_x, p.start_y), (p.target_x, p.target_y))]
    tonnes = mass.replace(" ", "")
    english = (
        f"Move the {mass} coil ({size}) from the saddle at {where[0]} to the saddle at {where[1]}.",
        f"Pick up the coil at {where[0]}: {size}, {mass}. Set it down at {where[1]}, between two others.",
        f"Crane job: one coil of {mass}, {size}. From {where[0]} to {where[1]}.",
    )
    japanese = (
        f"{where[0]}のサドルにある{tonnes}のコイル({dimensions})を、{where[1]}のサドルへ運んでください。",
        f"{where[0]}のコイル({dimensions}、{tonnes})を吊り上げ、{where[1]}の置き場に降ろしてください。両隣にもコイルがあります。",
        f"天井クレーン作業。コイル1本、{tonnes}、{dimensions}。{where[0]}から{where[1]}へ移動。",
    )
    return worded(english, japanese, 1e3 * p.coil_outer)
