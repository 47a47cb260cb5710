"""Carry a load that hangs on an overhead crane's hook to a target and stop it there without sway.

Task: a pack of plates hangs in chain slings from the hook block; the hoist stands. The policy sets the speed
references of bridge and trolley 5 times a second: the last metres of a transport in at most 150 control steps, made for
reinforcement learning, on the same crane (elastic falls, ramps, dead time, brakes) as steel/crane_coil.

Randomized: plates (3 to 39 t), slings, rope length, hence a period of sway of 4 to 6 s; where the load waits, its sway,
way and bearing of the target; of the crane its span, lift, ramps, drive lag, ropes, skew, load cells, temperatures.

Success: load within 50 mm of the target, sway within 50 mm, slower than 50 mm/s, for 1 s.

Failures: over_sway, 0.12 rad; out_of_area, 5 m from the target, which is 1 to 4 m away at the start.

Expert: ZV-shaped travel at the measured length of the pendulum; what departs from the plan is damped by camera. 100 of
100 on seeds 0 to 99 and 100 of 100 on others, in 11 s (7 to 15 s).
Degraded: wrong_rope_length in shaper and damping, unshaped, blind (the camera gives nothing), misread_target.

Learned: PPO of Stable-Baselines3 at its defaults on 8 environments: 97 or 98 of 100 after 197 000 steps, 97 to 99 after
442 000, on 3 of 3 seeds (examples/train_ppo.py).

Anchor: period of the double pendulum (tests/scenes/test_crane_transport.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import crane, crane_telemetry
from scenes.machines.crane import CraneParams
from scenes.machines.crane_driver import PHASES, Driver, sway_omega
from scenes.machines.crane_looks import add_cameras
from scenes.machines.hall import Bay, HallLook, add_hall
from scenes.machines.scenery import add_parts
from scenes.orders import worded
from scenes.stock import STEEL_DENSITY
from scenes.stock_looks import MARK, PACK, PLATE, stored_plates
from sim.cameras import label
from sim.channels import Channel, add_channel
from sim.distributions import Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

TOLERANCE = 0.05  # m, of place and of sway; engineering value (automatic coil yards report 0.02, POSCO DX, 2025)
SLOW = 0.05  # m/s
SWAY_LIMIT = 0.12  # rad; engineering value for a sway guard: steady 0.4 m/s2 leans 0.04 and swings to 0.08
AREA = 5.0  # m around the target, kept clear of people
SPEED = 0.8  # m/s, greatest of bridge and trolley; engineering value for the last metres
BEARING = 800.0  # N m s/rad, friction of hook and shackles as viscous damping, as of the C-hook
_STORED = stored_plates((25.0, 6.0, 0.9), (30.0, 6.0, 1.3), (25.0, 9.0, 1.1), (30.0, 9.0, 0.8), (-1.0, 6.0, 1.0))
HASTE = 0.75  # of what the drives' ramps allow


@dataclasses.dataclass(frozen=True, slots=True)
class CraneTransportParams:
    """One load on one crane."""

    thickness: float = param(Uniform(0.2, 2.5), "m", "Of the pack: 3 to 39 t, as with the lighter half of coils.")
    sling: float = param(Uniform(1.0, 2.5), "m", "Hook to the plates' top; chain slings at less than 45 degrees.")
    rope: float = param(Uniform(2.5, 6.0), "m", "Sheave to block: the load clears the floor under the lowest crane.")
    start_x: float = param(Uniform(8.0, 16.0), "m", "Trolley along the runway; no end stop is within reach.")
    start_y: float = param(Uniform(8.0, 12.0), "m", "Trolley across the bay; no end stop is within reach.")
    distance: float = param(Uniform(1.0, 4.0), "m", "Way to the target: the last metres of a transport.")
    bearing: float = param(Uniform(-math.pi, math.pi), "rad", "Of the target, from the runway's direction.")
    sway_x: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting load; with sway_y up to 0.3 m.")
    sway_y: float = param(Uniform(-0.2, 0.2), "m", "Sway of the waiting load across the bay.")
    crane: CraneParams = dataclasses.field(default_factory=CraneParams)
    look: HallLook = dataclasses.field(default_factory=HallLook)

    @property
    def mass(self) -> float:
        """Mass of the plates, kg."""
        return STEEL_DENSITY * PLATE[0] * PLATE[1] * self.thickness

    @property
    def drop(self) -> float:
        """From the hook to the plates' centre, m."""
        return self.sling + self.thickness / 2

    @property
    def inertia(self) -> tuple[float, float, float]:
        """Moments of inertia of the plates, kg m2."""
        x, y, z = PLATE[0] ** 2, PLATE[1] ** 2, self.thickness**2
        return self.mass / 12 * (y + z), self.mass / 12 * (x + z), self.mass / 12 * (x + y)


class CraneTransport(Task):
    """See the module's docstring."""

    name = "steel/crane_transport"
    version = 2
    control_hz = 5.0
    horizon_s = 30.0
    success_hold_s = 1.0
    phases = PHASES
    Params = CraneTransportParams
    actuators = crane.AXES[:2]
    failures = ("over_sway", "out_of_area")
    degradations = ("wrong_rope_length", "unshaped", "blind", "misread_target")
    memory = crane.MEMORY
    features: ClassVar = crane_telemetry.FEATURES | {
        "bridge": Feature("m/s", "world", doc="Bridge speed reference, along the runway."),
        "trolley": Feature("m/s", "bridge", doc="Trolley speed reference, across the bay."),
        "way": Feature("m", "trolley", ("x", "y"), "From load to target, by camera and map.", -6.0, 6.0),
        "sway": Feature("m", "trolley", ("x", "y"), "Load from under the trolley, by camera.", -2.0, 2.0),
        "sway_speed": Feature("m/s", "trolley", ("x", "y"), "Of the sway, by camera.", -2.0, 2.0),
        "speed": Feature("m/s", "", ("bridge", "trolley"), "Of the axes, by encoder.", -1.0, 1.0),
        "omega": Feature("rad/s", doc="Angular frequency of sway, from the measured height.", low=0.5, high=2.5),
    }

    def build(self, p: CraneTransportParams) -> mujoco.MjSpec:
        """Make the bay: the crane with its load, and the target."""
        spec = new_spec("crane_transport", timestep=0.005)
        floor = add_hall(spec, p.look, Bay(p.crane.span, crane.sheave_height(p.crane)), slope=(0.0, 0.0))
        add_parts(spec, floor.add_body(name="stock"), _STORED, name="stock")
        label(spec, "plates", "stock")
        length = p.rope + p.drop
        lean = np.array([p.sway_x, p.sway_y]) / length  # ropes and slings in one line, the shape of the slow mode
        height = crane.sheave_height(p.crane) - p.rope
        sway = p.rope * lean
        pose = crane.Pose(p.start_x, p.start_y, height, (float(sway[0]), float(sway[1])))
        home = crane.add_crane(spec, p.crane, pose, load=(crane.BLOCK_MASS + p.mass) * crane.GRAVITY)
        for name in crane.AXES[:2]:
            spec.actuator(name).ctrlrange = [-SPEED, SPEED]
        crane_telemetry.add_telemetry(spec, p.crane)
        _add_load(spec, p)
        away = p.distance * np.array([math.cos(p.bearing), math.sin(p.bearing)])
        add_cameras(spec, p.look.camera, p.crane.span)
        _add_target(spec, floor, np.array([p.start_x, p.start_y]) + away)
        _add_instruments(spec)
        spec.add_key(name="home", qpos=[*home.qpos, lean[1], -lean[0]], act=home.act, ctrl=home.ctrl)
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator sees: the way that is left, sway and its speed, and the axes' speeds."""
        load = s.sensor("Load.ActualPosition")
        return {
            "way": (s.sensor("Target.Position") - load)[..., :2],
            "sway": load[..., :2],
            "sway_speed": s.sensor("Load.SwaySpeed")[..., :2],
            "speed": np.concatenate([s.sensor("Bridge.ActualSpeed"), s.sensor("Trolley.ActualSpeed")], axis=-1),
            "omega": sway_omega(load)[..., None],
        }

    def logic(self, s: State) -> None:
        """Work the brakes."""
        crane.scan_brakes(s, 1.0 / self.control_hz)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's slow telemetry."""
        return crane_telemetry.report(s)

    def success(self, s: State) -> Array:
        """Return whether the load is at the target and still."""
        return (_missing(s) < TOLERANCE) & (_length(_sway(s)) < TOLERANCE) & (_speed(s) < SLOW)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        lean = _length(_sway(s)) / -_hang(s)[..., 2]
        return np.select([lean > SWAY_LIMIT, _missing(s) > AREA], [1, 2], 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: for the load near the target, more for near and slow, the rest for success."""
        missing, speed = _missing(s), _speed(s)
        return 0.4 * np.exp(-missing) + 0.3 * np.exp(-(missing + speed) / 0.2) + 0.3 * self.success(s)

    def instructions(self, p: CraneTransportParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: CraneTransportParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Travel shaped against sway, damp by camera what departs from that, and stand when all is still."""
        driver = Driver(s, 1.0 / self.control_hz, SPEED, HASTE * p.crane.acceleration)
        if mode == "wrong_rope_length":  # an encoder that lost its zero, or another crane's table
            driver.omega_error = rng.uniform(0.4, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 2.5)
        elif mode == "misread_target":
            around = rng.uniform(-math.pi, math.pi)
            driver.misread = rng.uniform(1.0, 8.0) * np.array([math.cos(around), math.sin(around)])
        driver.shaped = mode != "unshaped"
        driver.trimmed = mode not in ("unshaped", "blind")
        driver.acceleration /= HASTE if mode == "unshaped" else 1.0
        yield from driver.bring()


def _hang(s: State) -> Array:
    """Return where the load is from the trolley (..., 3), m, world."""
    return s.site("load").xpos - s.site("trolley").xpos


def _sway(s: State) -> Array:
    return _hang(s)[..., :2]


def _missing(s: State) -> Array:
    """Return how far the load is from the target in the plan (...), m."""
    return _length(s.site("target").xpos[..., :2] - s.site("load").xpos[..., :2])


def _speed(s: State) -> Array:
    """Return how fast the load moves in the plan (...), m/s."""
    return _length(s.true_sensor("load_velocity")[..., :2])


def _length(v: Array) -> Array:
    return np.linalg.norm(v, axis=-1)


def _add_load(spec: mujoco.MjSpec, p: CraneTransportParams) -> None:
    """Hang the plates from the block's pin, swinging about x and y (joints load_x, load_y); site "load" is in them."""
    load = spec.body("block").add_body(name="load", pos=[0, 0, -crane.PIN_DROP])
    for name, axis in (("load_x", [1, 0, 0]), ("load_y", [0, 1, 0])):
        load.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, damping=[BEARING, 0, 0])
    load.explicitinertial = True
    load.mass, load.ipos, load.inertia = p.mass, [0, 0, -p.drop], p.inertia
    load.add_site(name="load", pos=[0, 0, -p.drop], size=[0.02, 0.02, 0.02])
    add_parts(spec, load, PACK, (p.thickness, p.sling), name="load")
    label(spec, "plates", "load")


def _add_target(spec: mujoco.MjSpec, floor: mujoco.MjsBody, place: Array) -> None:
    """Mark the target on the floor."""
    floor.add_site(name="target", pos=[*place, 0.0], size=[0.02, 0.02, 0.02])
    mark = floor.add_body(name="target", pos=[*place, 0.0])
    add_parts(spec, mark, MARK, name="target")
    label(spec, "target", "target")


def _add_instruments(spec: mujoco.MjSpec) -> None:
    """Add the camera that sees the load, the yard's map, and the sensor by which the task is judged."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    place, speed = kinds.mjSENS_FRAMEPOS, kinds.mjSENS_FRAMELINVEL
    for kind, site, name, unit, noise, doc in (
        (place, "load", "Load.ActualPosition", "m", 0.003, "Load, by camera."),
        (speed, "load", "Load.SwaySpeed", "m/s", 0.01, "Load, by camera: from picture to picture, smoothed."),
        (place, "target", "Target.Position", "m", 0.003, "Target, by the yard's map."),
    ):
        sensor = spec.add_sensor(type=kind, objtype=things.mjOBJ_SITE, objname=site)
        sensor.reftype, sensor.refname = things.mjOBJ_SITE, "trolley"
        add_channel(spec, sensor, Channel(name, unit, 20, 0.05, "trolley", noise=noise, resolution=1e-3, doc=doc))
    spec.add_sensor(name="load_velocity", type=kinds.mjSENS_FRAMELINVEL, objtype=things.mjOBJ_SITE, objname="load")


def _work_order(p: CraneTransportParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the load."""
    mass, way = p.mass / 1e3, p.distance
    x, y = p.start_x + way * math.cos(p.bearing), p.start_y + way * math.sin(p.bearing)
    english = (
        f"Carry the {mass:.1f} t pack of plates on the hook {way:.1f} m to x {x:.1f} m, y {y:.1f} m and stop it there.",
        f"Bring the hanging load ({mass:.1f} t) over the mark at x {x:.1f} m, y {y:.1f} m; it must not sway.",
        f"Crane job: {mass:.1f} t on the hook, to x {x:.1f} m, y {y:.1f} m, {way:.1f} m from here, without sway.",
    )
    japanese = (
        f"フックに吊られた{mass:.1f}tの鋼板を{way:.1f}m先のx {x:.1f} m、y {y:.1f} mまで運び、振れなく止めてください。",
        f"吊り荷({mass:.1f}t)をx {x:.1f} m、y {y:.1f} mの印の真上へ移動してください。荷を振らさないこと。",
        f"天井クレーン作業。吊り荷{mass:.1f}t、移動距離{way:.1f}m、行き先x {x:.1f} m、y {y:.1f} m。振れ止めして停止。",
    )
    return worded(english, japanese, 1e3 * p.thickness)
