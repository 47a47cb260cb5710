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
and ZVD (tests/scenes/test_crane_anchors.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock
from scenes.machines import c_hook, crane, crane_telemetry
from scenes.machines.coil_handler import CLEARANCE, PHASES, STANDOFF, CoilHandler
from scenes.machines.crane import CraneParams
from scenes.machines.crane_looks import add_cameras
from scenes.machines.crane_pilot import Pilot
from scenes.machines.hall import Bay, HallLook, add_hall
from scenes.machines.scenery import add_parts
from scenes.stock_looks import stored_coils
from sim.cameras import label
from sim.channels import Channel, add_channel
from sim.distributions import Choice, Uniform
from sim.math import rotate, tilt
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

TOLERANCE, YAW = 0.020, math.radians(2.0)  # m, rad: automatic coil yards report +-20 mm (POSCO DX, 2025)
UNLOADED = 0.05  # of the coil's weight, on the hook
SWAY_LIMIT, SWAY_ZONE = 0.25, 1.5  # m of sway, m from stacked coils
STRIKE, LANDING = 0.2, 0.1  # m/s: of coil against coil or hook; of coil onto saddle
TILT_LIMIT = math.radians(5.0)  # of a loaded hook; steel slides on steel from 7 degrees (friction 0.12)
_AXES = (-4.0, -2.5, 0.0, -1.3, -1.0, -0.3), (29.0, 2.5, 36.0, 1.3, 13.0, 0.3)  # m, m/s: what can be observed
_BELOW = (-35.0, -35.0, -18.0), (35.0, 35.0, 2.0)
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
    failures = ("dropped", "hook_tilt", "strike", "hard_landing", "over_sway", "misplaced")
    degradations = ("wrong_rope_length", "unshaped", "over_speed", "off_centre_pick")
    memory = (*crane.MEMORY, "lifted", "tilted", "rested")
    features: ClassVar = crane_telemetry.FEATURES | {
        "bridge": Feature("m/s", "world", doc="Bridge speed reference, along the runway."),
        "trolley": Feature("m/s", "bridge", doc="Trolley speed reference, across the bay."),
        "hoist": Feature("m/s", "world", doc="Hoist speed reference, up."),
        "axes": Feature("m, m/s", "", ("x", "vx", "y", "vy", "z", "vz"), "The three axes by encoder.", *_AXES),
        "sway": Feature("m", "trolley", ("x", "y"), "Hook block from under the trolley, by camera.", -6.0, 6.0),
        "tilt": Feature("rad", "block", ("x", "y"), "C-hook on its pin, by inclinometer.", -1.6, 1.6),
        "load": Feature("N", "", ("1", "2", "3", "4"), "Rope falls by load cell.", -1e3, 4e5),
        "arm": Feature("m", "trolley", ("x", "y", "z"), "Middle of the hook's arm, by camera.", *_BELOW),
        "coil": Feature("m", "trolley", ("x", "y", "z"), "Centre of the coil, by camera.", *_BELOW),
        "target": Feature("m", "trolley", ("x", "y", "z"), "Seat on the target saddle, by map.", *_BELOW),
    }

    def build(self, p: CraneCoilParams) -> mujoco.MjSpec:
        """Make the bay: a coil on its saddle, the target saddle between two stacked coils, and the crane."""
        spec = new_spec("crane_coil", timestep=0.005)
        spec.default.geom.friction = [p.friction, 0.005, 0.0001]
        floor = _add_floor(spec, p)
        off = max(p.eccentricity, 1e-6)  # m: MuJoCo lays a body with its centre of mass at its origin out differently
        com = off * np.array([math.cos(p.eccentricity_at), 0.0, math.sin(p.eccentricity_at)])
        height = 2 * p.coil.seat_height + CLEARANCE + crane.PIN_DROP + c_hook.ARM_DROP  # the arm clears the coils
        entry = p.start_y - p.coil_width / 2 - c_hook.ARM_REACH - STANDOFF
        pose = crane.Pose(p.start_x + p.park_x, entry + p.park_y, height, (p.sway_x, p.sway_y))
        home = crane.add_crane(spec, p.crane, pose, load=c_hook.TARE)
        crane_telemetry.add_telemetry(spec, p.crane)
        c_hook.add_c_hook(spec)
        add_cameras(spec, p.look.camera, p.crane.span)
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
        """Work the brakes; remember whether the coil was lifted, how long it has tilted and how long rested since."""
        period = 1.0 / self.control_hz
        crane.scan_brakes(s, period)
        lifted, tilted, rested = s.memory("lifted"), s.memory("tilted"), s.memory("rested")
        share = _load_share(s)
        lifted[...] = (lifted > 0) | ((share > 0.5) & (s.peak("coil_start")[..., 0] == 0))
        steep = (lifted > 0) & (share > 0.5) & (tilt(s.body("hook").xmat) > TILT_LIMIT)
        tilted[...] = np.where(steep, tilted + period, 0.0)
        rested[...] = np.where((lifted > 0) & (share < UNLOADED), rested + period, 0.0)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's slow telemetry."""
        return crane_telemetry.report(s)

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
            (s.peak("coil_floor")[..., 0] > 0) | (lifted & (s.peak("hook_coil")[..., 0] == 0) & (above > 0.15)),
            s.memory("tilted") > 4.0,
            np.any([hit > STRIKE for hit in hits], axis=0),
            (s.peak("coil_target")[..., 0] > 0) & (s.peak("coil_fall")[..., 2] > LANDING),
            hanging & (sway > SWAY_LIMIT) & (_stack_gap(s) < SWAY_ZONE),
            (s.memory("rested") > 2.0) & ~_placed(s),
        ]
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: a tenth for the arm at the coil, half for the coil at the target, the rest for leaving it."""
        reach = np.linalg.norm(s.site("arm").xpos - s.site("coil").xpos, axis=-1)
        carry = np.linalg.norm(s.site("coil").xpos - s.site("target").xpos, axis=-1)
        near = np.where(s.memory("lifted") > 0, 0.1, 0.1 * np.exp(-reach / 2.0))
        left = 1.0 - np.clip(_load_share(s), 0.0, 1.0) + np.minimum(reach / 2.0, 1.0)
        there = 0.3 * np.exp(-carry / 5.0) + 0.1 * np.exp(-carry / 0.2) + 0.1 * _placed(s) * (1.0 + left)
        return near + there + 0.2 * self.success(s)

    def instructions(self, p: CraneCoilParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: CraneCoilParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Fetch the coil and set it down, shaped against sway and corrected by what is measured."""
        handler = _handler(s, p, mode, rng)
        yield from handler.fetch()
        yield from handler.lift()
        yield from handler.carry()
        yield from handler.set_down()


def _handler(s: State, p: CraneCoilParams, mode: str, rng: np.random.Generator) -> CoilHandler:
    """Return who does the work, with one bad habit where degraded."""
    haste = rng.uniform(2.0, 4.0) if mode == "over_speed" else 1.0
    speeds = (p.bridge_speed * haste, p.trolley_speed * haste, p.hoist_speed * haste)
    pilot = Pilot(s, p.crane, 1.0 / CraneCoil.control_hz, speeds, c_hook.swing)
    pilot.haste *= haste
    pilot.shaped = mode != "unshaped"
    if mode == "wrong_rope_length":  # an encoder that lost its zero, or another crane's table
        pilot.rope_error = rng.uniform(0.3, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 3.0)
    return CoilHandler(
        pilot,
        p.coil,
        haste=haste**1.5,
        off_centre=rng.uniform(0.15, 0.60) if mode == "off_centre_pick" else 0.0,
        trims_load=mode not in ("unshaped", "wrong_rope_length"),
    )


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


def _add_floor(spec: mujoco.MjSpec, p: CraneCoilParams) -> mujoco.MjsBody:
    """Add the hall, with both saddles and the stacked coils on its floor."""
    floor = add_hall(spec, p.look, Bay(p.crane.span, crane.sheave_height(p.crane)), slope=(p.slope_x, p.slope_y))
    stock.add_saddle(spec, floor, p.coil, name="start", pos=np.array([p.start_x, p.start_y, 0.0]), paint="orange")
    stock.add_saddle(spec, floor, p.coil, name="target", pos=np.array([p.target_x, p.target_y, 0.0]), paint="green")
    stock.add_neighbours(spec, floor, p.coil, pos=[p.target_x, p.target_y, 0.0], apart=p.coil_outer + AISLE)
    add_parts(spec, floor.add_body(name="stock"), _STORED, name="stock")
    label(spec, "coil", "stock")
    return floor


def _add_instruments(spec: mujoco.MjSpec) -> None:
    """Add the hook's instruments, and the contact sensors by which the task is judged."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    docs = ("Middle of the hook's arm, by camera.", "Centre of the coil, by camera.", "Target seat, by the yard's map.")
    channels = ("Hook.ActualPosition", "Coil.ActualPosition", "Target.Position")
    for name, channel, doc in zip(("arm", "coil", "target"), channels, docs, strict=True):
        look = spec.add_sensor(type=kinds.mjSENS_FRAMEPOS, objtype=things.mjOBJ_SITE, objname=name)
        look.reftype, look.refname = things.mjOBJ_SITE, "trolley"
        add_channel(spec, look, Channel(channel, "m", 20, 0.05, "trolley", noise=0.003, resolution=1e-3, doc=doc))
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


def _work_order(p: CraneCoilParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the coil."""
    mass, outer, width, bore = p.coil.mass / 1e3, 1e3 * p.coil_outer, 1e3 * p.coil_width, 1e3 * p.coil_bore
    where = [f"x {x:.1f} m, y {y:.1f} m" for x, y in ((p.start_x, p.start_y), (p.target_x, p.target_y))]
    size = f"{outer:.0f} x {width:.0f} mm, bore {bore:.0f} mm"
    english = (
        f"Move the {mass:.1f} t coil ({size}) from the saddle at {where[0]} to the saddle at {where[1]}.",
        f"Pick up the coil at {where[0]}: {size}, {mass:.1f} t. Set it down at {where[1]}, between two others.",
        f"Crane job: one coil of {mass:.1f} t, {size}. From {where[0]} to {where[1]}.",
    )
    size = f"外径{outer:.0f}mm、幅{width:.0f}mm、内径{bore:.0f}mm"
    japanese = (
        f"{where[0]}のサドルにある{mass:.1f}tのコイル({size})を、{where[1]}のサドルへ運んでください。",
        f"{where[0]}のコイル({size}、{mass:.1f}t)を吊り上げ、{where[1]}の置き場に降ろしてください。両隣にもコイルがあります。",
        f"天井クレーン作業。コイル1本、{mass:.1f}t、{size}。{where[0]}から{where[1]}へ移動。",
    )
    pick = int(1e3 * p.coil_outer) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
