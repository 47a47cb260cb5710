"""Re-stack a coil yard: fetch a coil out of two tiers of 24 with a crane and a C-hook, and set it on a free place.

Task: the order names a coil, of the upper tier or of the lower where nothing lies on it, and a free place in another
block: a saddle or the nest between two coils. All 24 are bodies with contact; those that nobody touches sleep. The
policy sets the speed references of bridge, trolley and hoist 20 times a second, as in steel/crane_coil.

Randomized: the coils (outer 0.9 to 2.1 m, width 0.9 to 2.1 m, all of one order), their gaps of 0.2 to 0.4 m, which
places are full, coil and place of the job, friction, floor slope, waiting place and sway, speeds, and the crane.

Success: seated within 20 mm and 2 degrees, hook load under 5 % of the coil's weight, arm out of the bore, for 1 s.

Failures: those of steel/crane_coil, where anything that hook or coil meets is a strike over 0.2 m/s and every coil is a
stacked one; and stack_moved, where another coil is 50 mm from its place.

Expert: that of steel/crane_coil, which raises the coil above the upper tier before it travels. 100 of 100 on seeds 0 to
99, in 200 s (168 to 249 s).
Degraded: as in steel/crane_coil, and low_lift, where the coil travels before it is above the others, and
wrong_coil, where a neighbour is taken for it.

Sleep is no part of a recorded state: all coils are woken every ten seconds, where states are recorded, and fall asleep
again within a fifth of a second. Replay from any of these states is exact.

Anchors: as of steel/crane_coil; the ground bears the weight of both tiers (tests/scenes/test_crane_yard.py).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import c_hook, coil_job, coil_yard, crane, crane_telemetry
from scenes.machines.coil_handler import CLEARANCE, PHASES
from scenes.machines.coil_job import CoilParams, WaitParams
from scenes.machines.coil_yard import YardParams
from scenes.machines.crane import CraneParams
from scenes.machines.crane_looks import add_cameras
from scenes.machines.hall import Bay, HallLook, add_hall
from scenes.orders import worded
from sim.distributions import Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, State, Task

Array = NDArray[Any]

MOVED = 0.05  # m; engineering value: a coil that is pushed in its saddle comes back, one that has climbed it does not
_BEARINGS = ("coil_round", "coil_a", "coil_b")  # what of the coil meets saddles and other coils
_KNOCKS = (*(part for part in c_hook.PARTS if part != "arm"), *_BEARINGS)


@dataclasses.dataclass(frozen=True, slots=True)
class CraneYardParams:
    """One work order in one yard."""

    slope_x: float = param(Uniform(-0.002, 0.002), "rad", "Floor along the runway, levelled to 0.2 %.")
    slope_y: float = param(Uniform(-0.002, 0.002), "rad", "Floor across the bay, levelled to 0.2 %.")
    coil: CoilParams = dataclasses.field(default_factory=CoilParams)
    yard: YardParams = dataclasses.field(default_factory=YardParams)
    wait: WaitParams = dataclasses.field(default_factory=WaitParams)
    crane: CraneParams = dataclasses.field(default_factory=CraneParams)
    look: HallLook = dataclasses.field(default_factory=HallLook)


class CraneYard(Task):
    """See the module's docstring."""

    name = "steel/crane_yard"
    version = 1
    control_hz = 20.0
    horizon_s = 360.0
    success_hold_s = 1.0
    phases = PHASES
    Params = CraneYardParams
    actuators = crane.AXES
    failures = (*coil_job.FAILURES, "stack_moved")
    degradations = (*coil_job.DEGRADATIONS, "low_lift", "wrong_coil")
    memory = coil_job.MEMORY
    features = coil_job.FEATURES

    def build(self, p: CraneYardParams) -> mujoco.MjSpec:
        """Make the yard with its coils, and the crane."""
        spec = new_spec("crane_yard", timestep=0.005)
        spec.option.enableflags |= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
        spec.default.geom.friction = [p.coil.friction, 0.005, 0.0001]
        coil, job = p.coil.size, _job(p)
        floor = add_hall(spec, p.look, Bay(p.crane.span, crane.sheave_height(p.crane)), slope=(p.slope_x, p.slope_y))
        coil_yard.add_yard(spec, floor, p.yard, coil)
        pose = coil_job.waiting(job, (p.wait.park_x, p.wait.park_y), (p.wait.sway_x, p.wait.sway_y))
        home = coil_job.add_machine(spec, p.crane, pose)
        add_cameras(spec, p.look.camera, p.crane.span)
        com = coil_job.off_axis(p.coil.eccentricity, p.coil.eccentricity_at)
        coils = coil_yard.add_coils(spec, floor, p.yard, coil, com)
        coil_job.add_job(spec, coil)
        for name, thing in (("hook_coil", "hook"), ("coil_floor", "floor")):
            coil_job.add_touch(spec, name, mujoco.mjtObj.mjOBJ_BODY, (thing, "coil"))
        for name in ("arm", *_KNOCKS):
            coil_job.add_touch(spec, f"{name}_touch", mujoco.mjtObj.mjOBJ_GEOM, (name, None), most=4)
        spec.add_key(name="home", qpos=np.concatenate([home.qpos, coils]), act=home.act, ctrl=home.ctrl)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator sees: axes, sway, loads, and where coil and target are."""
        return coil_job.observe(s)

    def logic(self, s: State) -> None:
        """Work the brakes; remember whether the coil was lifted, how long it has tilted and how long rested since."""
        coil_job.scan(s, 1.0 / self.control_hz, free=~_bears(s))

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's slow telemetry."""
        return crane_telemetry.report(s)

    def success(self, s: State) -> Array:
        """Return whether the coil is in its place, unloaded, and the arm out of its bore."""
        return coil_job.success(s)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        # A loaded arm that settles in the bore strikes nothing.
        hits = [_speed(s, "arm") * (coil_job.load_share(s) < 0.2), *(_speed(s, name) for name in _KNOCKS)]
        near = np.linalg.norm((s.site("coil").xpos - s.site("target").xpos)[..., :2], axis=-1) < 0.3
        size = s.numeric("coil_size")
        gap = coil_yard.gap(s, size[..., 0], size[..., 1])
        happened = coil_job.mishaps(s, hits=hits, landed=near & _bears(s), gap=gap)
        happened.append(coil_yard.moved(s) > MOVED)
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: a tenth for the arm at the coil, half for the coil at the target, the rest for leaving it."""
        return coil_job.reward(s)

    def instructions(self, p: CraneYardParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: CraneYardParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Fetch the coil and set it down, shaped against sway and corrected by what is measured."""
        handler = coil_job.handler(s, p.crane, _job(p), period=1.0 / self.control_hz, mode=mode, rng=rng)
        if mode == "low_lift":
            handler.rise *= rng.uniform(0.05, 0.4)
        elif mode == "wrong_coil":
            handler.mistaken = coil_yard.mistaken(p.yard, p.coil.size, rng)
        yield from handler.work()


def _job(p: CraneYardParams) -> coil_job.Job:
    """Return what is to be done."""
    coil = p.coil.size
    start = coil_yard.position(p.yard, coil, coil_yard.plan(p.yard).start)
    top = coil_yard.top(p.yard, coil)
    rise = top + CLEARANCE + coil.outer / 2 - start[2]
    speeds = (p.wait.bridge_speed, p.wait.trolley_speed, p.wait.hoist_speed)
    return coil_job.Job(coil, start, top + CLEARANCE, rise, speeds)


def _bears(s: State) -> Array:
    """Return whether the coil touched a saddle or another coil in the last control step, bool (...)."""
    return np.any([s.peak(f"{name}_touch")[..., 0] > 0 for name in _BEARINGS], axis=0)


def _speed(s: State, name: str) -> Array:
    """Return the greatest speed at which something met a thing in the last control step (...), m/s."""
    return s.peak(f"{name}_touch")[..., 1::4].max(axis=-1)


def _work_order(p: CraneYardParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the coil."""
    mass, size, dimensions = coil_job.words(p.coil.size)
    tonnes = mass.replace(" ", "")
    laid = coil_yard.plan(p.yard)
    start, target = laid.start.address, laid.target.address
    where = [coil_yard.position(p.yard, p.coil.size, place) for place in (laid.start, laid.target)]
    old, new = (f"x {x:.1f} m, y {y:.1f} m" for x, y, _ in where)
    tier, tier_ja = ("upper", "上段") if laid.target.tier else ("lower", "下段")
    english = (
        f"Re-stack the {mass} coil ({size}) from place {start} to {target}, {tier} tier.",
        f"Yard job: fetch the coil at {start} ({old}; {size}, {mass}) and set it down at {target} ({new}).",
        f"Take {mass} of coil, {size}, off {start}. Put it on {target} at {new}. Do not move the other coils.",
    )
    japanese = (
        f"{start}番地の{tonnes}のコイル({dimensions})を、{target}番地({tier_ja})へ積み替えてください。",
        f"コイルヤード作業。{start}番地({old})のコイル({dimensions}、{tonnes})を吊り、{target}番地({new})に降ろしてください。",
        f"{start}番地から{tonnes}のコイル({dimensions})を取り、{new}の{target}番地に置いてください。他のコイルを動かさないこと。",
    )
    return worded(english, japanese, 1e3 * p.coil.outer)
