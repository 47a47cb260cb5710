"""Pick a coil with an overhead crane and a C-hook, carry it across the bay, set it on the target saddle.

TODO
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock
from scenes.machines import c_hook, crane
from scenes.machines.crane import CraneParams
from scenes.machines.crane_pilot import Pilot
from sim.channels import Channel, add_channel
from sim.distributions import Choice, Uniform
from sim.math import rotate, tilt
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[np.float64]

TOLERANCE, YAW = 0.020, math.radians(2.0)  # m, rad: automatic coil yards report +-20 mm (POSCO DX, 2025)
UNLOADED = 0.05  # of the coil's weight on the hook
SWAY_LIMIT, SWAY_ZONE = 0.25, 1.5  # m of sway, m from stacked coils
STRIKE, LANDING = 0.2, 0.1  # m/s: of coil against coil or hook; of coil onto saddle
TILT_LIMIT = math.radians(5.0)  # of a loaded hook; steel slides on steel from 7 degrees (friction 0.12)
STANDOFF = 0.4  # m, arm's tip to coil before it goes in and after it came out
AISLE = 0.6  # m between the coils of the target's row
CLEARANCE = 0.35  # m, carried coil above stacked coils
HOVER = 0.12  # m above the saddle where the coil is aligned
CREEP = 0.03  # m/s, hoisting while load comes on or off
_TOUCHES = {"hook_coil": ("hook", "coil"), "hook_floor": ("hook", "floor"), "coil_floor": ("coil", "floor")} | {
    f"coil_{name}": ("coil", name) for name in ("start", "target", "stack_a", "stack_b")
}


@dataclasses.dataclass(frozen=True, slots=True)
class Params:
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

    @property
    def coil(self) -> stock.Coil:
        """The coil."""
        return stock.Coil(self.coil_outer, self.coil_bore, self.coil_width)


class CraneCoil(Task):
    """See the module's docstring."""

    name = "steel/crane_coil"
    version = 1
    control_hz = 20.0
    horizon_s = 240.0
    success_hold_s = 1.0
    phases = ("approach", "lower", "align", "insert", "lift", "travel", "set_down", "release", "retract")
    Params = Params
    actuators = crane.AXES
    failures = ("dropped", "hook_tilt", "strike", "hard_landing", "over_sway", "misplaced")
    degradations = ("wrong_rope_length", "unshaped", "over_speed", "off_centre_pick")
    memory = (*crane.MEMORY, "lifted", "rested")
    features: ClassVar = crane.FEATURES | {
        "bridge": Feature("m/s", "world", doc="Bridge speed reference, along the runway."),
        "trolley": Feature("m/s", "bridge", doc="Trolley speed reference, across the bay."),
        "hoist": Feature("m/s", "world", doc="Hoist speed reference, up."),
        "axes": Feature("m, m/s", "", ("x", "vx", "y", "vy", "z", "vz"), "Bridge, trolley and hoist by encoder."),
        "sway": Feature("m", "trolley", ("x", "y"), "Hook block from under the trolley, by camera."),
        "tilt": Feature("rad", "block", ("x", "y"), "C-hook on its pin, by inclinometer."),
        "load": Feature("N", "", ("1", "2", "3", "4"), "Rope falls by load cell."),
        "arm": Feature("m", "trolley", ("x", "y", "z"), "Middle of the hook's arm, by the trolley's camera."),
        "coil": Feature("m", "trolley", ("x", "y", "z"), "Centre of the coil, by the trolley's camera."),
        "target": Feature("m", "trolley", ("x", "y", "z"), "Seat on the target saddle, by the yard's map."),
    }

    def build(self, p: Params) -> mujoco.MjSpec:
        """Make the bay: a coil on its saddle, the target saddle between two stacked coils, and the crane."""
        spec = new_spec("crane_coil", timestep=0.005)
        spec.default.geom.friction = [p.friction, 0.005, 0.0001]
        floor = _add_floor(spec, p)
        turn = p.eccentricity_at
        com = p.eccentricity * np.array([math.cos(turn), 0.0, math.sin(turn)])
        height = 2 * p.coil.seat_height + CLEARANCE + crane.PIN_DROP + c_hook.ARM_DROP  # the arm clears the coils
        pose = crane.Pose(p.start_x + p.park_x, _entry(p) + p.park_y, height, (p.sway_x, p.sway_y))
        home = crane.add_crane(spec, p.crane, pose, load=c_hook.TARE)
        c_hook.add_c_hook(spec)
        stock.add_coil(spec, p.coil, name="coil", com=com)
        _add_instruments(spec)
        seat = rotate(floor.quat, [p.start_x, p.start_y, p.coil.seat_height])
        qpos = np.concatenate([home.qpos, [0.0, 0.0], seat, floor.quat])
        spec.add_key(name="home", qpos=qpos, act=home.act, ctrl=home.ctrl)
        spec.add_numeric(name="coil_weight", data=[p.coil.mass * crane.GRAVITY])
        spec.add_numeric(name="coil_size", data=[p.coil_outer, p.coil_width])
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator sees: axes, sway, loads, and where coil and target are."""
        axes = [f"{a}.Actual{v}" for a in ("Bridge", "Trolley", "Hoist") for v in ("Position", "Speed")]
        return {
            "axes": np.concatenate([s.sensor(name) for name in axes], axis=-1),
            "sway": s.sensor("Hook.Sway")[..., :2],
            "tilt": np.concatenate([s.sensor("Hook.TiltX"), s.sensor("Hook.TiltY")], axis=-1),
            "load": np.concatenate([s.sensor(f"Hoist.LoadCell{i}") for i in range(1, 5)], axis=-1),
            "arm": s.sensor("Hook.ActualPosition"),
            "coil": s.sensor("Coil.ActualPosition"),
            "target": s.sensor("Target.Position"),
        }

    def logic(self, s: State) -> None:
        """Work the brakes; remember whether the coil was lifted, and for how long it has rested since."""
        period = 1.0 / self.control_hz
        crane.scan_brakes(s, period)
        lifted, rested = s.memory("lifted"), s.memory("rested")
        share = _load_share(s)
        lifted[...] = (lifted > 0) | ((share > 0.5) & (s.peak("coil_start")[..., 0] == 0))
        rested[...] = np.where((lifted > 0) & (share < UNLOADED), rested + period, 0.0)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's slow telemetry."""
        return crane.report(s)

    def success(self, s: State) -> Array:
        """Return whether the coil is in its place, unloaded, and the arm out of its bore."""
        away = s.site("coil").xpos - s.site("arm").xpos
        axis = s.body("coil").xmat[..., 1::3]
        clear = np.sum(away * axis, axis=-1) > s.numeric("coil_size")[..., 1] / 2 + c_hook.ARM_REACH
        return _placed(s) & (_load_share(s) < UNLOADED) & clear & (s.memory("lifted") > 0)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        share, lifted = _load_share(s), s.memory("lifted") > 0
        hanging = lifted & (share > 0.5)
        above = s.site("coil").xpos[..., 2] - s.site("target").xpos[..., 2]
        sway = np.linalg.norm(s.body("block").xpos[..., :2] - s.site("trolley").xpos[..., :2], axis=-1)
        knock = s.peak("hook_coil")[..., 1] * (share < 0.2)  # a loaded arm that settles in the bore strikes nothing
        hits = [knock, *(s.peak(name)[..., 1] for name in ("hook_floor", "coil_stack_a", "coil_stack_b"))]
        happened = [
            (s.peak("coil_floor")[..., 0] > 0) | (lifted & (share < 0.2) & (above > 0.15)),
            hanging & (tilt(s.body("hook").xmat) > TILT_LIMIT),
            np.any([hit > STRIKE for hit in hits], axis=0),
            (s.peak("coil_target")[..., 0] > 0) & (s.peak("coil_fall")[..., 2] > LANDING),
            hanging & (sway > SWAY_LIMIT) & (_stack_gap(s) < SWAY_ZONE),
            (s.memory("rested") > 2.0) & ~_placed(s),
        ]
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: a tenth for the arm at the coil, half for the coil at the target, the rest for success."""
        reach = np.linalg.norm(s.site("arm").xpos - s.site("coil").xpos, axis=-1)
        carry = np.linalg.norm(s.site("coil").xpos - s.site("target").xpos, axis=-1)
        near = np.exp(-reach / 2.0) * (s.memory("lifted") == 0) + (s.memory("lifted") > 0)
        return 0.1 * near + 0.4 * np.exp(-carry / 5.0) + 0.1 * _placed(s) + 0.4 * self.success(s)

    def instructions(self, p: Params) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: Params, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Fetch the coil and set it down, shaped against sway and corrected by what is measured."""
        return _Operator(s, p, mode, rng).work()


class _Operator:
    """The expert: a pilot with a work order, and with one bad habit where degraded."""

    def __init__(self, s: State, p: Params, mode: str, rng: np.random.Generator) -> None:
        self.s, self.p = s, p
        haste = rng.uniform(2.0, 4.0) if mode == "over_speed" else 1.0
        speeds = (p.bridge_speed * haste, p.trolley_speed * haste, p.hoist_speed * haste)
        self.pilot = pilot = Pilot(s, p.crane, 1.0 / CraneCoil.control_hz, speeds, c_hook.swing)
        pilot.haste *= haste
        self.creep = CREEP * haste**1.5
        if mode == "wrong_rope_length":  # metres of an encoder that lost its zero, or of another crane's table
            pilot.rope_error = rng.uniform(0.3, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 3.0)
        pilot.shaped, pilot.trimmed = mode != "unshaped", mode not in ("unshaped", "wrong_rope_length")
        self.tare = c_hook.TARE
        self.off_centre = rng.uniform(0.10, 0.40) if mode == "off_centre_pick" else 0.0

    def work(self) -> Iterator[Command]:
        """Do the work order."""
        yield from self.fetch()
        yield from self.lift()
        yield from self.carry()
        yield from self.set_down()

    def fetch(self) -> Iterator[Command]:
        """Bring the arm into the bore."""
        pilot, p = self.pilot, self.p
        before = np.array([0.0, p.coil_width / 2 + c_hook.ARM_REACH + STANDOFF, 0.0])
        yield from pilot.damp("approach", tolerance=0.03)
        self.tare += float((yield from pilot.look(lambda: np.array(self.payload()), 0.5, "approach")))
        yield from self.bring(self.coil, before, "approach")
        yield from pilot.damp("approach", tolerance=0.03)
        offset = yield from pilot.look(self.coil, 0.5, "lower")
        yield from pilot.hoist(offset[2], "lower")
        yield from self.bring(self.coil, before, "align", speed=0.3, tolerance=0.03)
        offset = yield from pilot.look(self.coil, 0.5, "align")
        yield from pilot.hoist(offset[2], "align", speed=0.05)
        into = np.array([0.0, self.off_centre, 0.0])
        yield from self.bring(self.coil, into, "insert", speed=0.3, tolerance=0.02)

    def lift(self) -> Iterator[Command]:
        """Take the weight, then raise the coil above its neighbours."""
        pilot, p = self.pilot, self.p
        weight = p.coil.mass * crane.GRAVITY
        yield from pilot.creep(self.creep * 1.5, lambda: self.payload() > 0.1 * weight, "lift")
        yield from pilot.creep(self.creep, lambda: self.payload() > 0.97 * weight, "lift", patience=4.0)
        mass = float((yield from pilot.look(lambda: np.array(self.payload()), 0.5, "lift"))) / crane.GRAVITY
        drop = c_hook.ARM_DROP - c_hook.ARM_HALF[2] + p.coil_bore / 2
        inertia = [i / p.coil.mass for i in p.coil.inertia]
        pilot.swing = lambda axis: c_hook.swing(axis, (mass, drop, mass * inertia[axis]))
        yield from pilot.hoist(p.coil_outer + CLEARANCE, "lift")
        yield from pilot.level("lift")

    def carry(self) -> Iterator[Command]:
        """Bring the coil over the target saddle."""
        yield from self.pilot.damp("travel", tolerance=0.03)
        yield from self.bring(self.goal, np.zeros(3), "travel", speed=math.inf)
        yield from self.pilot.damp("travel", tolerance=0.03)

    def set_down(self) -> Iterator[Command]:
        """Lower the coil, set it down, and leave."""
        pilot, p = self.pilot, self.p
        weight = p.coil.mass * crane.GRAVITY
        way = yield from pilot.look(self.goal, 0.5, "set_down")
        yield from pilot.hoist(way[2] + HOVER, "set_down")
        yield from self.bring(self.goal, np.zeros(3), "set_down", speed=0.2, tolerance=0.01)
        yield from pilot.creep(-self.creep, lambda: self.payload() < 0.05 * weight, "set_down")
        yield from pilot.creep(-self.creep * 1.5, lambda: self.coil()[2] > -0.01, "release", patience=15.0)
        pilot.swing = c_hook.swing
        yield from pilot.wait(0.6, "release")
        back = np.array([0.0, -(p.coil_width / 2 + c_hook.ARM_REACH + STANDOFF)])
        yield from pilot.travel(back, "retract", speed=0.3)
        yield from pilot.wait(5.0, "retract")

    def bring(
        self, read: Callable[[], Array], goal: Array, phase: str, *, speed: float = math.inf, tolerance: float = 0.0
    ) -> Iterator[Command]:
        """Travel so that what is read, m, comes to its goal in the plan; with a tolerance, correct that until it does."""
        off = (yield from self.pilot.look(read, 0.5, phase)) - goal
        yield from self.pilot.travel(off[:2], phase, speed=speed)
        for _ in range(4 if tolerance else 0):
            yield from self.pilot.damp(phase, tolerance=tolerance)
            off = (yield from self.pilot.look_long(read, phase)) - goal
            if float(np.hypot(off[0], off[1])) < tolerance:
                break
            yield from self.pilot.travel(off[:2], phase, speed=speed)

    def coil(self) -> Array:
        """Return the measured way from the arm to the coil (3,), m."""
        return self.s.sensor("Coil.ActualPosition") - self.s.sensor("Hook.ActualPosition")

    def goal(self) -> Array:
        """Return the measured way from the coil to the target (3,), m."""
        return self.s.sensor("Target.Position") - self.s.sensor("Coil.ActualPosition")

    def payload(self) -> float:
        """Return the measured load beyond the empty hook's, N."""
        return sum(float(self.s.sensor(f"Hoist.LoadCell{i}")[0]) for i in range(1, 5)) - self.tare


def _entry(p: Params) -> float:
    """Return where the trolley stands before the arm goes in, m."""
    return p.start_y - p.coil_width / 2 - c_hook.ARM_REACH - STANDOFF


def _load_share(s: State) -> Array:
    """Return the load on the hook over the coil's weight (...)."""
    return c_hook.payload(s) / s.numeric("coil_weight")[..., 0]


def _placed(s: State) -> Array:
    """Return whether the coil is seated within tolerance, bool (...)."""
    off = s.site("coil").xpos - s.site("target").xpos
    frame = s.body("coil").xmat
    yaw = np.arctan2(frame[..., 1], frame[..., 4])
    flat = np.abs(off[..., 2]) < 0.05
    return flat & (np.abs(off[..., 0]) < TOLERANCE) & (np.abs(off[..., 1]) < TOLERANCE) & (np.abs(yaw) < YAW)


def _stack_gap(s: State) -> Array:
    """Return the distance in the plan between the coil and the nearest stacked coil (...), m."""
    size = s.numeric("coil_size")
    off = np.stack([s.site("coil").xpos - s.site(name).xpos for name in ("stack_a", "stack_b")], axis=-2)
    gap = np.maximum(np.abs(off[..., :2]) - size[..., None, :], 0.0)
    return np.min(np.linalg.norm(gap, axis=-1), axis=-1)


def _add_floor(spec: mujoco.MjSpec, p: Params) -> mujoco.MjsBody:
    """Add the sloping floor with both saddles and the stacked coils, lights and a camera."""
    spec.worldbody.add_light(pos=[8, 8, 25], dir=[0.1, 0.1, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    spec.worldbody.add_camera(name="overview", pos=[13, -16, 12], xyaxes=[1, 0, 0, 0, 0.5, 0.87], fovy=55)
    floor = spec.worldbody.add_body(name="floor", quat=[1.0, -p.slope_y / 2, p.slope_x / 2, 0.0])
    floor.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[25, 25, 1.0],
        pos=[13, 12, 0],
        contype=stock.GROUND,
        conaffinity=0,
        rgba=[0.55, 0.55, 0.53, 1],
    )
    stock.add_saddle(floor, p.coil, name="start", pos=np.array([p.start_x, p.start_y, 0.0]))
    stock.add_saddle(floor, p.coil, name="target", pos=np.array([p.target_x, p.target_y, 0.0]))
    for name, side in (("stack_a", -1), ("stack_b", 1)):
        place = np.array([p.target_x + side * (p.coil_outer + AISLE), p.target_y, p.coil.seat_height])
        stock.add_stacked_coil(floor, p.coil, name=name, pos=place)
    return floor


def _add_instruments(spec: mujoco.MjSpec) -> None:
    """Add the hook's instruments, and the contact sensors by which the task is judged."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    docs = ("Middle of the hook's arm, by camera.", "Centre of the coil, by camera.", "Target seat, by the yard's map.")
    labels = ("Hook.ActualPosition", "Coil.ActualPosition", "Target.Position")
    for name, label, doc in zip(("arm", "coil", "target"), labels, docs, strict=True):
        look = spec.add_sensor(type=kinds.mjSENS_FRAMEPOS, objtype=things.mjOBJ_SITE, objname=name)
        look.reftype, look.refname = things.mjOBJ_SITE, "trolley"
        add_channel(spec, look, Channel(label, "m", 20, 0.05, "trolley", noise=0.003, resolution=1e-3, doc=doc))
    for axis in "xy":
        lean = spec.add_sensor(type=kinds.mjSENS_JOINTPOS, objtype=things.mjOBJ_JOINT, objname=f"hook_{axis}")
        doc = f"C-hook about {axis}, by inclinometer."
        add_channel(spec, lean, Channel(f"Hook.Tilt{axis.upper()}", "rad", 20, noise=5e-4, resolution=1e-4, doc=doc))
    spec.add_sensor(name="coil_fall", type=kinds.mjSENS_FRAMELINVEL, objtype=things.mjOBJ_SITE, objname="coil")
    found, speed = mujoco.mjtConDataField.mjCONDATA_FOUND, mujoco.mjtConDataField.mjCONDATA_LINVEL
    for name, (first, second) in _TOUCHES.items():
        touch = spec.add_sensor(name=name, type=kinds.mjSENS_CONTACT, objtype=things.mjOBJ_BODY, objname=first)
        touch.reftype, touch.refname = things.mjOBJ_BODY, second
        touch.intprm[:3] = [1 << int(found) | 1 << int(speed), 2, 1]  # of the contact of greatest force


def _work_order(p: Params) -> dict[str, str]:
    """Word the order; which of the wordings depends on the coil."""
    mass, outer, width, bore = p.coil.mass / 1e3, 1e3 * p.coil_outer, 1e3 * p.coil_width, 1e3 * p.coil_bore
    start, target = (p.start_x, p.start_y), (p.target_x, p.target_y)
    where = f"x {start[0]:.1f} m, y {start[1]:.1f} m", f"x {target[0]:.1f} m, y {target[1]:.1f} m"
    size = f"{outer:.0f} x {width:.0f} mm, bore {bore:.0f} mm"
    english = (
        f"Move the {mass:.1f} t coil ({size}) from the saddle at {where[0]} to the saddle at {where[1]}.",
        f"Pick up the coil at {where[0]}: {size}, {mass:.1f} t. Set it down at {where[1]}, between the stacked coils.",
        f"Crane job: one coil of {mass:.1f} t, {size}. From {where[0]} to {where[1]}.",
    )
    size = f"外径{outer:.0f}mm、幅{width:.0f}mm、内径{bore:.0f}mm"
    japanese = (
        f"{where[0]}のサドルにある{mass:.1f}tのコイル({size})を、{where[1]}のサドルへ運んでください。",
        f"{where[0]}のコイル({size}、{mass:.1f}t)を吊り上げ、{where[1]}の置き場に降ろしてください。両隣は段積みコイルです。",
        f"天井クレーン作業。コイル1本、{mass:.1f}t、{size}。{where[0]}から{where[1]}へ移動。",
    )
    pick = int(1e3 * p.coil_outer) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
