"""Bring a hot slab to the mark of a driven roller table and stop it there; a second one follows at a distance.

Task: two slabs lie on a table of eight groups of seven rollers, each group with its own drive. The policy sets the
groups' speeds, the side guides' gap and the stopper 50 times a second. Rollers move the slabs by friction alone.

Randomized: both slabs (5 to 12 m, 0.8 to 2.1 m, 200 to 250 mm, hence 6 to 49 t; bow, askew, aside), way, gap, speed; of
the table diameter, pitch, friction with patches of scale, wear and misalignment of each roller, ramps, dead time, a
drive that trips in every other episode; photocells' latency, errors of counter and tracking; guides.

Cameras: "overview" beside the table, "pulpit" above the stopper, "mark" down at it, "beside" on the left side guide.

Success: head of slab A within 25 mm of the mark, less than 10 mm askew, slip below 2 % of its way, slab B 0.5 to 3.5 m
behind, stopper up and untouched, both at rest, for 2 s.

Failures: slip, a slab slid over 5 % of the way, or 2 % at rest; skew, at rest and askew, or 0.15 m askew; pile_up,
slabs touch; stopper_struck, above 0.1 m/s; misplaced, 0.3 m past the mark or at rest elsewhere for 8 s.

Expert: jerk-limited group speeds, sqrt(2 a s) down to a creep past the last photocell, gap control by tracking, groups
that wait for one that tripped, guides that close until both press. 100 of 100 on seeds 0 to 99.
Degraded: hard_acceleration, ignores_gap, guides_open, unequal_speeds, false_photocell.

Anchors: speed of a slab is that of the rollers, a ramp below friction is followed, one above slips at mu g, stopping
distance, load of the rollers (scenes/anchors/rollers.py).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import roller_pieces, roller_stops, roller_table, roller_telemetry, roller_tracking, slab
from scenes.machines.hall import HallLook
from scenes.machines.mill_hall import add_mill
from scenes.machines.roller_looks import add_looks
from scenes.machines.roller_pilot import PHASES, Pilot
from scenes.machines.roller_stops import StopsParams
from scenes.machines.roller_table import PASS, RollerTableParams
from scenes.machines.roller_tracking import PIECES, TrackingParams
from scenes.machines.slab import SlabParams
from scenes.orders import worded
from sim.distributions import Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

TOLERANCE, SKEW, SLIP = 0.025, 0.010, 0.02  # m, m, of the way: usual for stops before shears and mills
GAP = (0.5, 3.5)  # m behind slab A
REST = 0.005  # m/s
SLID, ASKEW, STRIKE, OVERRUN = 0.05, 0.15, 0.1, 0.3  # of the way, m, m/s, m
_PATIENCE = 8.0  # s at rest until what is not in its place is misplaced


@dataclasses.dataclass(frozen=True, slots=True)
class RollerSlabParams:
    """One work order on one table."""

    way: float = param(Uniform(4.0, 16.0), "m", "Of slab A to the mark, as far as the table has room.")
    gap: float = param(Uniform(0.6, 3.0), "m", "Between the slabs at the start.")
    speed: float = param(Uniform(0.5, 3.0), "m/s", "Allowed on this table; roller tables run at 0.5 to 3 m/s.")
    side_a: float = param(Uniform(-0.05, 0.05), "m", "Slab A beside the middle.")
    side_b: float = param(Uniform(-0.05, 0.05), "m", "Slab B beside the middle.")
    yaw_a: float = param(Uniform(-0.010, 0.010), "rad", "Slab A askew, as the furnace discharged it.")
    yaw_b: float = param(Uniform(-0.010, 0.010), "rad", "Slab B askew, as the furnace discharged it.")
    slab_a: SlabParams = dataclasses.field(default_factory=SlabParams)
    slab_b: SlabParams = dataclasses.field(default_factory=SlabParams)
    table: RollerTableParams = dataclasses.field(default_factory=RollerTableParams)
    stops: StopsParams = dataclasses.field(default_factory=StopsParams)
    tracking: TrackingParams = dataclasses.field(default_factory=TrackingParams)
    look: HallLook = dataclasses.field(default_factory=HallLook)

    @property
    def stopper(self) -> float:
        """Near face of the stopper, between two rollers, m along the table."""
        return (roller_table.ROLLERS - 2) * self.table.pitch - 0.06

    @property
    def mark(self) -> float:
        """Where the head of slab A shall stop, m along the table."""
        return self.stopper - 0.15

    @property
    def travel(self) -> float:
        """Way of slab A, m."""
        room = self.mark - self.slab_a.length - self.slab_b.length - self.gap - 0.5
        return min(self.way, room)


class RollerSlab(Task):
    """See the module's docstring."""

    name = "steel/roller_slab"
    version = 1
    control_hz = 50.0
    horizon_s = 75.0
    success_hold_s = 2.0
    phases = PHASES
    Params = RollerSlabParams
    actuators = (*roller_table.REFERENCES, *roller_stops.REFERENCES)
    failures = ("slip", "skew", "pile_up", "stopper_struck", "misplaced")
    degradations = ("hard_acceleration", "ignores_gap", "guides_open", "unequal_speeds", "false_photocell")
    memory = (*roller_tracking.MEMORY, *roller_pieces.MEMORY, "rested")
    driven: ClassVar = {"rollers": roller_table.SURFACES}
    features: ClassVar = {
        **{name: Feature("m/s", doc="Speed reference of one group's rollers.") for name in roller_table.REFERENCES},
        "stopper": Feature("1", doc="Stopper up where over a half."),
        "guide": Feature("m", doc="Gap between the side guides."),
        **roller_telemetry.OBSERVED,
        **roller_telemetry.FEATURES,
    }

    def build(self, p: RollerSlabParams) -> mujoco.MjSpec:
        """Make the mill, the table, its guides and stopper, and two slabs on it."""
        spec = new_spec("roller_slab", timestep=0.005)
        add_mill(spec, p.look, (p.slab_a.temperature + p.slab_b.temperature) / 2)
        roller_table.add_table(spec, p.table)
        roller_stops.add_stops(spec, p.stops, mark=p.mark, at=p.stopper)
        head = p.mark - p.travel
        middles = (head - p.slab_a.length / 2, head - p.slab_a.length - p.gap - p.slab_b.length / 2)
        starts = ((p.slab_a, middles[0], p.side_a, p.yaw_a), (p.slab_b, middles[1], p.side_b, p.yaw_b))
        qpos = roller_table.GROUPS * [0.0] + [roller_stops.OPEN / 2, roller_stops.OPEN / 2, 0.0]
        for name, (piece, x, y, yaw) in zip(PIECES, starts, strict=True):
            slab.add_slab(spec, piece, name=name, friction=p.table.friction)
            qpos += [x, y, PASS, math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]
        roller_tracking.add_tracking(spec, p.tracking, mark=p.mark, lengths=(p.slab_a.length, p.slab_b.length))
        roller_telemetry.add_telemetry(spec, p.table, (p.slab_a.temperature, p.slab_b.temperature))
        add_looks(spec, p.look.camera, p.table, mark=p.mark, stopper=p.stopper)
        start = roller_stops.start() | {"guide": roller_stops.OPEN}
        spec.add_key(name="home", qpos=qpos, ctrl=[start.get(a.name, 0.0) for a in spec.actuators])
        spec.add_numeric(name="order", data=[p.slab_a.length, p.slab_b.length, p.slab_a.width, p.speed])
        spec.add_numeric(name="goal", data=[p.mark, p.travel])
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the operator's screen shows."""
        return roller_telemetry.observe(s)

    def laws(self, s: State) -> None:
        """Turn the rollers with their drives."""
        s.driven("rollers")[...] = roller_table.surface_speeds(s)

    def logic(self, s: State) -> None:
        """Ramp drives and guides, track the slabs; remember how far they slid and how long they have been at rest."""
        period = 1.0 / self.control_hz
        roller_table.scan(s, period, roller_pieces.scan(s, period))
        roller_stops.scan(s, period)
        roller_tracking.scan(s, period)
        rested = s.memory("rested")
        moved = np.abs(_missing(s)) < s.numeric("goal")[..., 1] - 0.5
        rested[...] = np.where(_still(s) & moved, rested + period, 0.0)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the table's slow telemetry."""
        return roller_telemetry.report(s)

    def success(self, s: State) -> Array:
        """Return whether both slabs are where they should be, at rest, and the stopper is up."""
        up = (s.joint("stopper").qpos[..., 0] > 0.24) & (s.peak("stop")[..., 0] == 0)
        slipped = s.memory("slid_slab_a") > SLIP * s.numeric("goal")[..., 1]
        return _placed(s) & (np.abs(_skew(s)) < SKEW) & _spaced(s) & up & _still(s) & ~slipped

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        way = s.numeric("goal")[..., 1]
        slid = np.maximum(s.memory("slid_slab_a"), s.memory("slid_slab_b"))
        rested = s.memory("rested") > _PATIENCE
        good = _placed(s) & _spaced(s)
        happened = [
            (slid > SLID * way) | (rested & (s.memory("slid_slab_a") > SLIP * way)),
            (rested & good & (np.abs(_skew(s)) >= SKEW)) | (np.abs(_skew(s)) > ASKEW),
            s.peak("pieces")[..., 0] > 0,
            s.peak("stop")[..., 1] > STRIKE,
            (rested & ~good) | (_missing(s) < -OVERRUN),
        ]
        return np.select(happened, range(1, len(happened) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: half for slab A at the mark with the other behind it, a tenth square, the rest for success."""
        away = np.abs(_missing(s))
        near = np.clip(1.0 - away / s.numeric("goal")[..., 1], 0.0, 1.0)
        there = 0.2 * near + 0.1 * np.exp(-away / 1.0) + 0.2 * np.exp(-away / 0.05)
        square = 0.1 * np.exp(-away / 0.05) * np.exp(-np.abs(_skew(s)) / 0.03)
        return (there + square) * np.where(_spaced(s), 1.0, 0.5) + 0.4 * self.success(s)

    def instructions(self, p: RollerSlabParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: RollerSlabParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Bring slab A to the mark, slab B after it, and square slab A."""
        lengths = (p.slab_a.length, p.slab_b.length)
        pilot = Pilot(s, p.table, lengths, p.slab_a.width, 1.0 / self.control_hz, p.speed)
        if mode == "hard_acceleration":
            pilot.acceleration = rng.uniform(1.2, 2.0) * p.table.friction * roller_table.GRAVITY
        elif mode == "ignores_gap":
            pilot.follows = False
        elif mode == "guides_open":
            pilot.squares = False
        elif mode == "unequal_speeds":
            pilot.uneven = 1.0 + rng.uniform(0.08, 0.25) * np.resize([1.0, -1.0], roller_table.GROUPS)
        elif mode == "false_photocell":
            pilot.false_at = rng.uniform(1.0, 3.5)
        yield from pilot.bring()


def _missing(s: State) -> Array:
    """Return how far the head of slab A is before the mark (...), m."""
    return s.numeric("goal")[..., 0] - s.site("slab_a_head").xpos[..., 0]


def _placed(s: State) -> Array:
    return np.abs(_missing(s)) < TOLERANCE


def _skew(s: State) -> Array:
    return slab.skew(s.site("slab_a_head").xpos, s.site("slab_a_tail").xpos)


def _spaced(s: State) -> Array:
    """Return whether slab B is where it should be behind slab A (...)."""
    gap = roller_pieces.gap(s)
    return (gap >= GAP[0]) & (gap <= GAP[1])


def _still(s: State) -> Array:
    return np.all(np.abs(roller_pieces.speeds(s)) < REST, axis=-1)


def _work_order(p: RollerSlabParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the slab."""
    a, b = p.slab_a, p.slab_b
    size = f"{a.length:.2f} x {a.width:.2f} m, {1e3 * a.thickness:.0f} mm, {a.mass / 1e3:.1f} t"
    english = (
        f"Run slab A ({size}) {p.travel:.1f} m to the stop mark at no more than {p.speed:.1f} m/s; slab B follows.",
        f"Stop the head of slab A ({size}) at the mark, square, stopper up. Keep slab B ({b.length:.1f} m) 0.5 m off.",
        f"Roller table: slab A, {size}, {p.travel:.1f} m to go, {p.speed:.1f} m/s at most. Slab B must not touch it.",
    )
    size = f"{a.length:.2f} x {a.width:.2f} m、厚さ{1e3 * a.thickness:.0f}mm、{a.mass / 1e3:.1f}t"
    japanese = (
        f"スラブA({size})を{p.travel:.1f}m先の停止位置まで{p.speed:.1f}m/s以下で搬送し、スラブBを後続させてください。",
        f"スラブA({size})の先端を停止位置に合わせ、曲がりなく止め、ストッパーを上げてください。スラブB({b.length:.1f}m)とは0.5m以上空けること。",
        f"ローラーテーブル作業。スラブA、{size}、残り{p.travel:.1f}m、最高{p.speed:.1f}m/s。スラブBを接触させないこと。",
    )
    return worded(english, japanese, by=1e3 * a.length)
