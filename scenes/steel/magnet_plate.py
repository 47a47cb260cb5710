"""Pick plates off a stack with a crane and a magnet beam, carry them to another pile, set them down.

Task: the ordered number of plates, one or two, comes off the top of a stack; what comes up besides must stay. The
policy sets speed references of bridge, trolley and hoist and currents of the beam's three coil circuits 20 times a
second; brakes work by themselves. The topmost plate bends (12 hinges), the two below it are stiff.

Cameras: overview, cab, hook (down from the trolley), magnets (along the beam).

Randomized: plates (6 to 12 m x 1.5 to 3 m x 6 to 40 mm, tolerance, camber, grade), friction, where stack, target and
beam are, heights, sway, speeds, the hoist's ramp; magnets' strength, gaps, lag and remanence; the crane.

Success: the ordered plates, and no others, lie within 30 mm and 1 degree on the target pile, after 10 s of being
carried within 3 degrees of level; no load on the magnets, which are 0.15 m above; for 1 s.

Failures: jerk_drop, lost after more than 1.15 of the weight on the ropes; peel, a magnet apart from a plate that others
hold; dropped, fallen otherwise; double_pick, more than was ordered 0.2 m up; over_tilt, 4.5 degrees for 1 s; misplaced.

Expert: over the centre of gravity, down until the touch switches close, current by measured flux for the ordered
plates, test lift of 0.1 m against the load cells, another try if need be, full current, S-curve hoist and shaped
travel, down, current reversed, up. It reads channels and the order.
Degraded: full_current on the stack, off_centre, violent_hoist, no_test_lift, weak_current, lost_circuit.

Anchors: gap law, least pull that lifts, load cell, drop by acceleration (scenes/anchors/magnet.py); deflection, yield,
plateau and springback of the plate's hinges (scenes/anchors/plate.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock_plates
from scenes.machines import crane, crane_telemetry, magnet, magnet_telemetry, plate_transfer
from scenes.machines.crane import CraneParams
from scenes.machines.crane_looks import add_cameras
from scenes.machines.crane_pilot import Pilot
from scenes.machines.hall import Bay, HallLook, add_hall
from scenes.machines.magnet import GROUPS, MagnetParams
from scenes.machines.magnet_looks import add_camera
from scenes.machines.plate_handler import PHASES, PlateHandler
from scenes.machines.scenery import add_parts
from scenes.stock_looks import stored_plates
from scenes.stock_plates import LINKS, PLATES, Plate
from sim.cameras import label
from sim.channels import Channel, add_channel
from sim.distributions import Choice, LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

_STORED = stored_plates((23.5, 6.5, 0.9), (28.5, 6.5, 1.3), (23.5, 9.5, 1.1), (28.5, 9.5, 0.8), (-2.0, 6.0, 1.0))
_AXES = (-4.0, -2.5, 0.0, -1.3, -1.0, -0.3), (29.0, 2.5, 36.0, 1.3, 13.0, 0.3)  # m, m/s: what can be observed
_BELOW = (-35.0, -35.0, -18.0), (35.0, 35.0, 2.0)


@dataclasses.dataclass(frozen=True, slots=True)
class MagnetPlateParams:
    """One work order on one crane."""

    length: float = param(Uniform(6.0, 12.0), "m", "Of the plates; plate mill range.")
    width: float = param(Uniform(1.5, 3.0), "m", "Of the plates; plate mill range.")
    thickness: float = param(LogUniform(0.006, 0.040), "m", "Of the plates, as ordered; plate mill range.")
    thickness_error: float = param(Uniform(-0.3e-3, 0.3e-3), "m", "True over ordered; rolling tolerance (EN 10029).")
    camber: float = param(Uniform(0.0, 0.010), "1", "Bow without load over length, up to 10 mm/m (EN 10029).")
    grade: float = param(Uniform(0.85, 1.0), "1", "Force on this steel over mild steel: medium carbon 85 %.")
    friction: float = param(Uniform(0.15, 0.3), "1", "Steel on steel with scale (LUST CDA3000 table 7.21).")
    wanted: int = param(Choice((1, 2)), "1", "Plates wanted at once; the order is for one where that is too much.")
    start_x: float = param(Uniform(8.0, 11.0), "m", "Stack along the runway, by the yard's map.")
    start_y: float = param(Uniform(6.0, 8.0), "m", "Stack across the bay, by the yard's map.")
    start_height: float = param(Uniform(0.7, 1.1), "m", "Of the pile under the three upper plates.")
    shift_x: float = param(Uniform(-0.3, 0.3), "m", "Stack from where the map has it: centre of gravity, +-0.3 m.")
    shift_y: float = param(Uniform(-0.1, 0.1), "m", "Stack from where the map has it, across the bay.")
    target_x: float = param(Uniform(-1.5, 1.5), "m", "Target pile from the stack along the runway.")
    target_y: float = param(Uniform(4.2, 5.5), "m", "Target pile from the stack across the bay.")
    target_height: float = param(Uniform(0.7, 1.1), "m", "Of the target pile.")
    park_x: float = param(Uniform(-1.0, 1.0), "m", "Waiting beam from over the stack by the map.")
    park_y: float = param(Uniform(-1.0, 1.0), "m", "Waiting beam from over the stack, across the bay.")
    park_height: float = param(Uniform(0.3, 0.6), "m", "Waiting magnets above the stack.")
    sway_x: float = param(Uniform(-0.05, 0.05), "m", "Sway of the waiting beam.")
    sway_y: float = param(Uniform(-0.05, 0.05), "m", "Sway of the waiting beam across the bay.")
    travel_speed: float = param(Uniform(0.4, 0.8), "m/s", "Of bridge and trolley allowed with plates on magnets.")
    hoist_speed: float = param(Uniform(0.09, 0.18), "m/s", "18 to 35 ft/min, medium to high speed class at 30 t.")
    hoist_ramp: float = param(Uniform(0.05, 0.5), "m/s^2", "Acceleration of the hoist's drive.")
    magnet: MagnetParams = dataclasses.field(default_factory=MagnetParams)
    crane: CraneParams = dataclasses.field(default_factory=CraneParams)
    look: HallLook = dataclasses.field(default_factory=HallLook)

    @property
    def ordered(self) -> Plate:
        """A plate as ordered."""
        return Plate(self.length, self.width, self.thickness)

    @property
    def plate(self) -> Plate:
        """A plate as it is."""
        return Plate(self.length, self.width, self.thickness + self.thickness_error)

    @property
    def count(self) -> int:
        """How many are ordered: two at once only if they are so thin that the magnets reach through the first."""
        return 2 if self.wanted == 2 and magnet.lifts_two(self.ordered) else 1


class MagnetPlate(Task):
    """See the module's docstring."""

    name = "steel/magnet_plate"
    version = 2
    control_hz = 20.0
    horizon_s = 200.0
    success_hold_s = 1.0
    phases = PHASES
    Params = MagnetPlateParams
    actuators = (*crane.AXES, *GROUPS)
    failures = ("jerk_drop", "peel", "dropped", "double_pick", "over_tilt", "misplaced")
    degradations = ("full_current", "off_centre", "violent_hoist", "no_test_lift", "weak_current", "lost_circuit")
    memory = (
        *crane.MEMORY,
        *magnet.MEMORY,
        *magnet_telemetry.MEMORY,
        *plate_transfer.MEMORY,
    )
    features: ClassVar = (
        crane_telemetry.FEATURES
        | magnet_telemetry.FEATURES
        | {
            "bridge": Feature("m/s", "world", doc="Bridge speed reference, along the runway."),
            "trolley": Feature("m/s", "bridge", doc="Trolley speed reference, across the bay."),
            "hoist": Feature("m/s", "world", doc="Hoist speed reference, up."),
            "axes": Feature("m, m/s", "", ("x", "vx", "y", "vy", "z", "vz"), "The three axes by encoder.", *_AXES),
            "sway": Feature("m", "trolley", ("x", "y"), "Hook block from under the trolley, by camera.", -6.0, 6.0),
            "load": Feature("N", "", ("1", "2", "3", "4"), "Rope falls by load cell.", -1e3, 4e5),
            "beam": Feature("m", "trolley", ("x", "y", "z"), "Between the magnets' faces, by camera.", *_BELOW),
            "plate": Feature("m", "trolley", ("x", "y", "z"), "Middle of the topmost plate, by camera.", *_BELOW),
            "target": Feature("m", "trolley", ("x", "y", "z"), "Top of the target pile, by map.", *_BELOW),
            "order": Feature("1", "", ("count", "length", "width", "thickness"), "Of the order; m.", 0.0, 15.0),
        }
    )

    def build(self, p: MagnetPlateParams) -> mujoco.MjSpec:
        """Make the bay: the stack, the target pile, and the crane with the magnet beam."""
        spec = new_spec("magnet_plate", timestep=0.0025)
        spec.default.geom.friction = [p.friction, 0.005, 0.0001]
        floor = add_hall(spec, p.look, Bay(p.crane.span, crane.sheave_height(p.crane)), slope=(0.0, 0.0))
        add_parts(spec, floor.add_body(name="stock"), _STORED, name="stock")
        label(spec, "plates", "stock")
        stack, target = _places(p)
        for name, at, height in (("stack", stack, p.start_height), ("target", target, p.target_height)):
            stock_plates.add_pile(spec, floor, p.ordered, name=name, pos=at, height=height)
        top = p.start_height + PLATES * p.plate.thickness
        height = top + p.park_height + magnet.DROP + crane.PIN_DROP
        pose = crane.Pose(p.start_x + p.park_x, p.start_y + p.park_y, height, (p.sway_x, p.sway_y))
        home = crane.add_crane(spec, p.crane, pose, load=magnet.TARE)
        spec.actuator("hoist").dynprm[7] = p.hoist_ramp  # the slew rate of MuJoCo's dcmotor
        crane_telemetry.add_telemetry(spec, p.crane)
        pin = spec.body("block").add_body(name="pin", pos=[0, 0, -crane.PIN_DROP])
        magnet.add_beam(spec, pin, p.ordered)
        add_cameras(spec, p.look.camera, p.crane.span)
        add_camera(spec, p.look.camera, float(magnet.places(p.ordered)[-1]))
        stock_plates.add_flexible_plate(spec, p.plate, camber=p.camber * p.length, reach=magnet.REACH)
        for number in range(2, PLATES + 1):
            stock_plates.add_stiff_plate(spec, p.plate, number=number, reach=magnet.REACH)
        magnet.add_pulls(spec, p.magnet, p.plate, grade=p.grade)
        magnet_telemetry.add_telemetry(spec)
        _add_instruments(spec)
        lie = [[*stack, top - (k + 0.5) * p.plate.thickness, 1.0, 0.0, 0.0, 0.0] for k in range(PLATES)]
        qpos = [*home.qpos, *[0.0] * (2 + magnet.COUNT), *lie[0], *[0.0] * (LINKS - 1), *lie[1], *lie[2]]
        pulls = [0.0] * (len(GROUPS) + magnet.COUNT + len(stock_plates.FEET) + 2)
        spec.add_key(name="home", qpos=qpos, act=[*home.act, 0.0, 0.0, 0.0], ctrl=[*home.ctrl, *pulls])
        spec.add_numeric(name="order", data=[p.count, p.length, p.width, p.thickness])
        spec.add_numeric(name="piles", data=[*stack, p.start_height, *target, p.target_height])
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator sees: axes, sway, loads, the magnets' instruments, and where things are."""
        axes = [f"{a}.Actual{v}" for a in ("Bridge", "Trolley", "Hoist") for v in ("Position", "Speed")]
        return {
            "axes": np.concatenate([s.sensor(name) for name in axes], axis=-1),
            "sway": s.sensor("Hook.Sway")[..., :2],
            "tilt": np.concatenate([s.sensor("Hook.TiltX"), s.sensor("Hook.TiltY")], axis=-1),
            "load": np.concatenate([s.sensor(f"Hoist.LoadCell{i}") for i in range(1, 5)], axis=-1),
            "beam": s.sensor("Beam.ActualPosition"),
            "plate": s.sensor("Plate.ActualPosition"),
            "target": s.sensor("Target.Position"),
            "gaps": magnet_telemetry.readings(s, "Gap"),
            "floats": magnet_telemetry.readings(s, "Float"),
            "current": magnet_telemetry.currents(s),
            "flux": magnet_telemetry.fluxes(s),
            "order": s.numeric("order"),
        }

    def logic(self, s: State) -> None:
        """Work brakes, magnets and alarm; remember what was carried and how it went."""
        period = 1.0 / self.control_hz
        crane.scan_brakes(s, period)
        magnet.scan(s)
        magnet_telemetry.scan_alarm(s, magnet.payload(crane_telemetry.hoist_force(s)))
        plate_transfer.scan(s, period)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the crane's and the magnets' slow telemetry."""
        return crane_telemetry.report(s) | magnet_telemetry.report(s)

    def success(self, s: State) -> Array:
        """Return whether the ordered plates, and no others, lie on the target pile, and the magnets are off them."""
        return plate_transfer.done(s)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        happened = [plate_transfer.mishaps(s)[name] for name in self.failures]
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: 0.1 for the beam at the plate, 0.1 for its load, half for the way, the rest for leaving it."""
        return plate_transfer.progress(s) + 0.2 * self.success(s)

    def instructions(self, p: MagnetPlateParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: MagnetPlateParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Pick the plates by flux and weight, carry them shaped against sway, and set them down by camera."""
        yield from _handler(s, p, mode, rng).work()


def _places(p: MagnetPlateParams) -> tuple[Array, Array]:
    """Return where stack and target pile are on the floor, each (2,), m."""
    stack = np.array([p.start_x + p.shift_x, p.start_y + p.shift_y])
    return stack, np.array([p.start_x + p.target_x, p.start_y + p.target_y])


def _handler(s: State, p: MagnetPlateParams, mode: str, rng: np.random.Generator) -> PlateHandler:
    """Return who does the work, with one bad habit where degraded."""
    speeds = (p.travel_speed, p.travel_speed, p.hoist_speed)
    pilot = Pilot(s, p.crane, 1.0 / MagnetPlate.control_hz, speeds, lambda axis: magnet.swing(axis, p.ordered))
    rise = p.target_height - p.start_height - (PLATES - p.count) * p.thickness
    handler = PlateHandler(pilot, p.ordered, p.count, max(0.0, rise))
    handler.tests = mode == "nominal"
    handler.boosts = mode in ("nominal", "off_centre")
    if mode == "full_current":
        handler.strength = math.inf
    elif mode == "off_centre":
        handler.off_centre = np.array([rng.choice([-1, 1]) * rng.uniform(0.05, 0.2) * p.length, 0.0])
    elif mode == "violent_hoist":  # a barely sufficient current, and the brake slammed
        handler.share, handler.strength, handler.haste = 0.0, rng.uniform(0.9, 1.05), 0.2
    elif mode == "no_test_lift":  # another thickness' table
        handler.share, handler.strength = 0.0, rng.uniform(0.7, 1.6)
    elif mode == "weak_current":
        handler.share, handler.keeps = 0.0, rng.uniform(0.4, 0.8)
    elif mode == "lost_circuit":
        handler.share, handler.strength, handler.loses = 0.0, rng.uniform(1.0, 1.15), str(rng.choice(list(GROUPS)))
    return handler


def _add_instruments(spec: mujoco.MjSpec) -> None:
    """Add the cameras that see beam, plate and target, and the sensors by which the task is judged."""
    kinds, things = mujoco.mjtSensor, mujoco.mjtObj
    for site, name, doc in (
        ("beam", "Beam.ActualPosition", "Between the magnets' faces, by camera."),
        ("plate1", "Plate.ActualPosition", "Middle of the topmost plate, by camera."),
        ("target", "Target.Position", "Top of the target pile, by the yard's map."),
    ):
        look = spec.add_sensor(type=kinds.mjSENS_FRAMEPOS, objtype=things.mjOBJ_SITE, objname=site)
        look.reftype, look.refname = things.mjOBJ_SITE, "trolley"
        add_channel(spec, look, Channel(name, "m", 20, 0.05, "trolley", noise=0.003, resolution=1e-3, doc=doc))
    for number in (1, 2):
        name = f"plate{number}"
        spec.add_sensor(name=f"{name}_speed", type=kinds.mjSENS_FRAMELINVEL, objtype=things.mjOBJ_SITE, objname=name)


def _work_order(p: MagnetPlateParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the plate."""
    n, tonnes = p.count, p.ordered.mass / 1e3
    size = f"{1e3 * p.length:.0f} x {1e3 * p.width:.0f} x {1e3 * p.thickness:.1f} mm"
    target = _places(p)[1]
    where = [f"x {x:.1f} m, y {y:.1f} m" for x, y in ((p.start_x, p.start_y), target)]
    plates = "one plate" if n == 1 else "two plates at once"
    english = (
        f"Take {plates} ({size}, {tonnes:.2f} t each) off the stack at {where[0]} and lay down at {where[1]}.",
        f"Magnet crane: lift exactly {n} of the plates at {where[0]}, {size}, {tonnes:.2f} t each. Target: {where[1]}.",
        f"From the stack at {where[0]}, {plates}, {size}, {tonnes:.2f} t each, to the pile at {where[1]}. No more.",
    )
    size = f"長さ{1e3 * p.length:.0f}mm、幅{1e3 * p.width:.0f}mm、板厚{1e3 * p.thickness:.1f}mm"
    japanese = (
        f"{where[0]}の山から鋼板{n}枚({size}、1枚{tonnes:.2f}t)をマグネットで吊り、{where[1]}に置いてください。",
        f"マグネットクレーン作業。{where[0]}の鋼板を{n}枚だけ吊り上げる。{size}、1枚{tonnes:.2f}t。行き先{where[1]}。",
        f"{where[0]}の鋼板({size}、1枚{tonnes:.2f}t)を{n}枚、{where[1]}の山へ移動。余分な板は吊らないこと。",
    )
    pick = int(1e3 * p.length) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
