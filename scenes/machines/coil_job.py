"""A crane's work with one coil: what is observed, remembered and judged, whatever yard it is done in.

The scene has the crane with its C-hook, a coil "coil" made by `stock.add_coil`, a site "target" where its centre is to
be, and the numerics `add_job` puts there. Judgement is from physics alone.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock
from scenes.machines import c_hook, crane, crane_telemetry
from scenes.machines.coil_handler import STANDOFF, CoilHandler
from scenes.machines.crane_pilot import Pilot
from sim.channels import Channel, add_channel
from sim.distributions import Choice, Uniform
from sim.math import tilt
from sim.parameters import param
from sim.task import Feature, State

Array = NDArray[Any]

TOLERANCE, YAW = 0.020, math.radians(2.0)  # m, rad: automatic coil yards report +-20 mm (POSCO DX, 2025)
UNLOADED = 0.05  # of the coil's weight, on the hook
SWAY_LIMIT, SWAY_ZONE = 0.25, 1.5  # m of sway, m from stacked coils
STRIKE, LANDING = 0.2, 0.1  # m/s: of coil against coil or hook; of coil onto saddle
TILT_LIMIT = math.radians(5.0)  # of a loaded hook; steel slides on steel from 7 degrees (friction 0.12)
_AXES = (-4.0, -2.5, 0.0, -1.3, -1.0, -0.3), (29.0, 2.5, 36.0, 1.3, 13.0, 0.3)  # m, m/s: what can be observed
_BELOW = (-35.0, -35.0, -18.0), (35.0, 35.0, 2.0)

MEMORY = (*crane.MEMORY, "lifted", "tilted", "rested")
FAILURES = ("dropped", "hook_tilt", "strike", "hard_landing", "over_sway", "misplaced")
DEGRADATIONS = ("wrong_rope_length", "unshaped", "over_speed", "off_centre_pick")
FEATURES = crane_telemetry.FEATURES | {
    "bridge": Feature("m/s", "world", doc="Bridge speed reference, along the runway."),
    "trolley": Feature("m/s", "bridge", doc="Trolley speed reference, across the bay."),
    "hoist": Feature("m/s", "world", doc="Hoist speed reference, up."),
    "axes": Feature("m, m/s", "", ("x", "vx", "y", "vy", "z", "vz"), "The three axes by encoder.", *_AXES),
    "sway": Feature("m", "trolley", ("x", "y"), "Hook block from under the trolley, by camera.", -6.0, 6.0),
    "tilt": Feature("rad", "block", ("x", "y"), "C-hook on its pin, by inclinometer.", -1.6, 1.6),
    "load": Feature("N", "", ("1", "2", "3", "4"), "Rope falls by load cell.", -1e3, 4e5),
    "arm": Feature("m", "trolley", ("x", "y", "z"), "Middle of the hook's arm, by camera.", *_BELOW),
    "coil": Feature("m", "trolley", ("x", "y", "z"), "Centre of the coil, by camera.", *_BELOW),
    "target": Feature("m", "trolley", ("x", "y", "z"), "Seat at the target, by map.", *_BELOW),
}


@dataclasses.dataclass(frozen=True, slots=True)
class CoilParams:
    """A coil of strip, and the steel it touches."""

    outer: float = param(Uniform(0.9, 2.1), "m", "Outer diameter; hot and cold strip mill range.")
    bore: float = param(Choice((0.610, 0.508, 0.762)), "m", "Bore, by mandrel: 24, 20 or 30 inches.")
    width: float = param(Uniform(0.9, 2.1), "m", "Strip width; hot and cold strip mill range.")
    eccentricity: float = param(Uniform(0.0, 0.010), "m", "Centre of mass off the axis, from an eccentric bore.")
    eccentricity_at: float = param(Uniform(-math.pi, math.pi), "rad", "Where that is, about the coil's axis.")
    friction: float = param(Uniform(0.12, 0.5), "1", "Steel on steel, oiled to dry (LUST CDA3000 table 7.21).")

    @property
    def size(self) -> stock.Coil:
        """The coil."""
        return stock.Coil(self.outer, self.bore, self.width)


@dataclasses.dataclass(frozen=True, slots=True)
class WaitParams:
    """Where the hook waits for the order, and how fast it may go."""

    park_x: float = param(Uniform(-2.0, 2.0), "m", "Waiting hook along the runway from the coil.")
    park_y: float = param(Uniform(-1.0, 0.0), "m", "Waiting hook across the bay from where it goes in; never nearer.")
    sway_x: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting hook; with sway_y up to 0.3 m.")
    sway_y: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting hook across the bay.")
    bridge_speed: float = param(Uniform(1.0, 2.0), "m/s", "Allowed in this bay; usual for inverter drives.")
    trolley_speed: float = param(Uniform(0.5, 1.0), "m/s", "Allowed in this bay; usual for inverter drives.")
    hoist_speed: float = param(Uniform(0.09, 0.18), "m/s", "18 to 35 ft/min, medium to high speed class at 30 t.")


class Job(NamedTuple):
    """What to do, by the order and the yard's drawing.

    Attributes:
        coil: what to move.
        start: where it is (3,), m, its axis' middle, on the floor that the yard is drawn on.
        clear: height of the arm that clears everything in the yard, m.
        rise: by how much the coil is raised before it travels, m.
        speeds: allowed for bridge, trolley and hoist, m/s.
    """

    coil: stock.Coil
    start: Array
    clear: float
    rise: float
    speeds: tuple[float, float, float]


def waiting(job: Job, park: tuple[float, float], sway: tuple[float, float]) -> crane.Pose:
    """Return where the block waits: park (x, y), m, from where the arm stands before the bore."""
    entry = job.start[1] - job.coil.width / 2 - c_hook.ARM_REACH - STANDOFF
    height = job.clear + crane.PIN_DROP + c_hook.ARM_DROP
    return crane.Pose(job.start[0] + park[0], entry + park[1], height, sway)


def add_machine(spec: mujoco.MjSpec, p: crane.CraneParams, pose: crane.Pose) -> crane.Key:
    """Add the crane with its C-hook and its telemetry; return their part of the keyframe."""
    home = crane.add_crane(spec, p, pose, load=c_hook.TARE)
    crane_telemetry.add_telemetry(spec, p)
    c_hook.add_c_hook(spec)
    return dataclasses.replace(home, qpos=np.concatenate([home.qpos, [0.0, 0.0]]))


def off_axis(eccentricity: float, at: float) -> Array:
    """Return a coil's centre of mass in its body (3,), m."""
    off = max(eccentricity, 1e-6)  # m: MuJoCo lays a body with its centre of mass at its origin out differently
    return off * np.array([math.cos(at), 0.0, math.sin(at)])


def add_job(spec: mujoco.MjSpec, coil: stock.Coil) -> None:
    """Add the instruments that see hook, coil and target, and the figures by which the job is judged."""
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
    spec.add_numeric(name="coil_weight", data=[coil.mass * crane.GRAVITY])
    spec.add_numeric(name="coil_size", data=[coil.outer, coil.width])


def add_touch(
    spec: mujoco.MjSpec, name: str, kind: mujoco.mjtObj, things: tuple[str, str | None], *, most: int = 1
) -> None:
    """Add a sensor of contacts, by which a task judges: of each whether it is there and its relative velocity.

    Args:
        spec: the scene.
        name: of the sensor.
        kind: body or geom.
        things: names of the two that touch; None for anything.
        most: how many contacts, those of greatest force.
    """
    touch = spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_CONTACT, objtype=kind, objname=things[0])
    if things[1] is not None:
        touch.reftype, touch.refname = kind, things[1]
    found, speed = mujoco.mjtConDataField.mjCONDATA_FOUND, mujoco.mjtConDataField.mjCONDATA_LINVEL
    touch.intprm[:3] = [1 << int(found) | 1 << int(speed), 2, most]


def observe(s: State) -> dict[str, Array]:
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


def scan(s: State, period: float, *, free: Array) -> None:
    """Work the brakes; remember whether the coil was lifted, how long it has tilted and how long rested since.

    Args:
        s: the crane.
        period: time since the last scan, s.
        free: whether the coil touches nothing that it stood on (...).
    """
    crane.scan_brakes(s, period)
    lifted, tilted, rested = s.memory("lifted"), s.memory("tilted"), s.memory("rested")
    share = load_share(s)
    lifted[...] = (lifted > 0) | ((share > 0.5) & free)
    steep = (lifted > 0) & (share > 0.5) & (tilt(s.body("hook").xmat) > TILT_LIMIT)
    tilted[...] = np.where(steep, tilted + period, 0.0)
    rested[...] = np.where((lifted > 0) & (share < UNLOADED), rested + period, 0.0)


def success(s: State) -> Array:
    """Return whether the coil is in its place, unloaded, and the arm out of its bore."""
    away = s.site("coil").xpos - s.site("arm").xpos
    axis = s.body("coil").xmat[..., 1::3]
    clear = np.sum(away * axis, axis=-1) > s.numeric("coil_size")[..., 1] / 2 + c_hook.ARM_REACH
    return placed(s) & (load_share(s) < UNLOADED) & clear & (s.memory("lifted") > 0)


def mishaps(s: State, *, hits: list[Array], landed: Array, gap: Array) -> list[Array]:
    """Return which of `FAILURES` happened, each bool (...).

    Args:
        s: the crane.
        hits: greatest speeds of the last control step, each (...), m/s, at which things met that should not.
        landed: whether the coil touches what it is to be set on (...).
        gap: from the coil to what is stacked (...), m.
    """
    share, lifted = load_share(s), s.memory("lifted") > 0
    above = s.site("coil").xpos[..., 2] - s.site("target").xpos[..., 2]
    sway = np.linalg.norm(s.body("block").xpos[..., :2] - s.site("trolley").xpos[..., :2], axis=-1)
    return [
        (s.peak("coil_floor")[..., 0] > 0) | (lifted & (s.peak("hook_coil")[..., 0] == 0) & (above > 0.15)),
        s.memory("tilted") > 4.0,
        np.any([hit > STRIKE for hit in hits], axis=0),
        landed & (s.peak("coil_fall")[..., 2] > LANDING),
        lifted & (share > 0.5) & (sway > SWAY_LIMIT) & (gap < SWAY_ZONE),
        (s.memory("rested") > 2.0) & ~placed(s),
    ]


def reward(s: State) -> Array:
    """Return 0 to 1: a tenth for the arm at the coil, half for the coil at the target, the rest for leaving it."""
    reach = np.linalg.norm(s.site("arm").xpos - s.site("coil").xpos, axis=-1)
    carry = np.linalg.norm(s.site("coil").xpos - s.site("target").xpos, axis=-1)
    near = np.where(s.memory("lifted") > 0, 0.1, 0.1 * np.exp(-reach / 2.0))
    left = 1.0 - np.clip(load_share(s), 0.0, 1.0) + np.minimum(reach / 2.0, 1.0)
    there = 0.3 * np.exp(-carry / 5.0) + 0.1 * np.exp(-carry / 0.2) + 0.1 * placed(s) * (1.0 + left)
    return near + there + 0.2 * success(s)


def load_share(s: State) -> Array:
    """Return the load on the hook over the coil's weight (...)."""
    return c_hook.payload(s) / s.numeric("coil_weight")[..., 0]


def placed(s: State) -> Array:
    """Return whether the coil is seated within tolerance, bool (...)."""
    off = s.site("coil").xpos - s.site("target").xpos
    frame = s.body("coil").xmat
    yaw = np.arctan2(frame[..., 1], frame[..., 4])
    flat = np.abs(off[..., 2]) < 0.05
    return flat & (np.abs(off[..., 0]) < TOLERANCE) & (np.abs(off[..., 1]) < TOLERANCE) & (np.abs(yaw) < YAW)


def handler(
    s: State, p: crane.CraneParams, job: Job, *, period: float, mode: str, rng: np.random.Generator
) -> CoilHandler:
    """Return who does the work, with one bad habit where degraded."""
    haste = rng.uniform(2.0, 4.0) if mode == "over_speed" else 1.0
    bridge, trolley, hoist = job.speeds
    pilot = Pilot(s, p, period, (bridge * haste, trolley * haste, hoist * haste), c_hook.swing)
    pilot.haste *= haste
    pilot.shaped = mode != "unshaped"
    if mode == "wrong_rope_length":  # an encoder that lost its zero, or another crane's table
        pilot.rope_error = rng.uniform(0.3, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 3.0)
    return CoilHandler(
        pilot,
        job.coil,
        job.rise,
        haste=haste**1.5,
        off_centre=rng.uniform(0.15, 0.60) if mode == "off_centre_pick" else 0.0,
        trims_load=mode not in ("unshaped", "wrong_rope_length"),
    )


def words(coil: stock.Coil) -> tuple[str, str, str]:
    """Return a coil's mass in tonnes, and its size in English and in Japanese."""
    outer, width, bore = 1e3 * coil.outer, 1e3 * coil.width, 1e3 * coil.bore
    size = f"{outer:.0f} x {width:.0f} mm, bore {bore:.0f} mm"
    return f"{coil.mass / 1e3:.1f} t", size, f"外径{outer:.0f}mm、幅{width:.0f}mm、内径{bore:.0f}mm"
