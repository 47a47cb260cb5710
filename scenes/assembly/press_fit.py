"""Press a bush into a housing with an electric servo press, and leave a part in place that the force says is good.

Task: a shuttle carries two housings, each with a bush laid into its lead-in. One pair fits; of the other, the bush may
be missing or of another size group, and chips may lie on the shoulders. 100 times a second the policy sets the speed
of the ram, its force limit, the speed of the shuttle and an air valve; a drive with current limit does the rest.

Cameras: "overview", on a post of the guarding; "close", beside the throat; "ram", which goes down with the tool.

Randomized: size group (10 to 50 um of interference), bush (20 to 40 mm, 12 to 20 mm long), hub, lead-in (0.5 to
1.5 mm), friction (0.08 to 0.16), lean (up to 0.5 degrees), chips, stray parts, gauges; of the press its rated force
(5 to 50 kN, the smallest that does), stroke (100 to 300 mm), ramp, motor, guides, load cell, temperatures; light,
paint and how the cameras are mounted, which move nothing.

Success: a bush is on its shoulder within 0.1 mm, its force over depth went through the window, and the ram has left
it, for 0.5 s.

Failures: missing_part, the tool goes where a bush should be; tilt, a bush that leans by over 1.5 mrad is a third of
the way in, or the force of one that leans climbs out of the window; over_interference and under_interference, the
force of an upright one is above or below its window for 30 ms; chip, it stands on a chip; over_force, more than the
press's rated force.

Expert: gauges and light barriers choose the nest; shuttle; air; guarded touch; a creep through the lead-in, while the
bush levels; pressing at 12 to 28 mm/s, slowly before the shoulder; dwell at a force limit; retreat. It reads what the
press's controller reports and the drawing, nothing else. 100 of 100 on seeds 0 to 99 and 100 of 100 on others, in 8 s
(7 to 9 s).
Degraded: ungauged, no_blow, hurried (no creep through the lead-in), over_speed (and none before the shoulder).

Anchors: rise of the force by Lame and Coulomb, force on the shoulder, stiction, motor current, warming of the winding
(scenes/anchors/press_fit.py).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines import cell, interference, press_pilot, press_window, servo_press, servo_press_looks
from scenes.machines.cell import CellLook
from scenes.machines.interference import FitParams
from scenes.machines.press_pilot import PHASES, Habits, PressPilot
from scenes.machines.servo_press import PressParams
from sim.spec import new_spec
from sim.task import Command, Feature, State, Task

Array = NDArray[Any]

PLACE = (0.72, 0.17)  # m, the press's axis
AWAY = 3e-3  # m, tool above a bush that is left alone
_NEAR, _CLOSE = 0.05, 0.05  # m, from where across and above is paid


@dataclasses.dataclass(frozen=True, slots=True)
class PressFitParams:
    """One order on one press."""

    fit: FitParams = dataclasses.field(default_factory=FitParams)
    press: PressParams = dataclasses.field(default_factory=PressParams)
    look: CellLook = dataclasses.field(default_factory=CellLook)

    @property
    def rated(self) -> float:
        """Force of the press that the order is given to, N."""
        fit = interference.fit_of(self.fit)
        return servo_press.size_for(
            1.25 * press_window.rises(self.fit)[1] * float(interference.engaged(fit.depth, fit))
        )


class PressFit(Task):
    """See the module's docstring."""

    name = "assembly/press_fit"
    version = 2
    control_hz = 100.0
    horizon_s = 20.0
    success_hold_s = 0.5
    phases = PHASES
    Params = PressFitParams
    actuators = servo_press.ACTUATORS
    failures = ("missing_part", "tilt", "over_interference", "under_interference", "chip", "over_force")
    degradations = ("ungauged", "no_blow", "hurried", "over_speed")
    memory = (*press_window.MEMORY, *servo_press.MEMORY)
    features: ClassVar = (
        servo_press.FEATURES
        | press_window.FEATURES
        | {
            "axis": Feature("m, m/s", "", ("position", "speed"), "The ram by encoder, down.", -0.5, 0.5),
            "above": Feature("m", "", (), "Ram above where it meets a bush that lies in its lead-in.", -0.5, 0.5),
            "load": Feature("N", "", (), "Load cell, less the tool's weight; pushing counts.", -2e5, 2e5),
            "current": Feature("A", "", (), "Of the ram's drive.", -300.0, 300.0),
            "nests": Feature("m", "", ("1", "2"), "Each nest from under the ram, by the shuttle's encoder.", -0.5, 0.5),
            "transit": Feature("m/s", "", (), "Speed of the shuttle.", -1.0, 1.0),
            "command": Feature("1", "", servo_press.ACTUATORS, "Last setpoints over their greatest.", -1.1, 1.1),
            "present": Feature("1", "", ("1", "2"), "Whether there is a bush, by light barrier.", 0.0, 1.0),
            "gauge": Feature("um", "", ("1", "2"), "Interference of each pair by air gauge.", -1.0, 100.0),
            "group": Feature("um", "", ("low", "high"), "Bounds of the order's size group.", 0.0, 100.0),
            "drawing": Feature("m", "", ("bush", "housing", "depth", "lead_in"), "Diameters, lengths.", 0.0, 0.2),
            "recipe": Feature("N/m", "", ("low", "high"), "Rise of the window's lines.", 0.0, 1e7),
            "rated": Feature("N", "", (), "Rated force of the press.", 0.0, 1e5),
        }
    )

    def build(self, p: PressFitParams) -> mujoco.MjSpec:
        """Make the station: a press, and a shuttle with two nests."""
        spec = new_spec("press_fit", timestep=0.001)
        interference.set_solver(spec)
        cell.add_surroundings(spec, p.look, PLACE, pedestal=False)
        press = servo_press.add_press(spec, p.press, rated=p.rated, place=PLACE, high=p.fit.depth)
        nests, squeeze = interference.add_nests(spec, p.fit, servo_press.TOOL)
        press_window.add_recipe(spec, p.fit)
        servo_press.add_telemetry(spec, p.press, p.rated)
        servo_press_looks.add_looks(spec, interference.fit_of(p.fit), PLACE, p.look)
        servo_press_looks.add_cameras(spec, PLACE, p.look)
        spec.add_key(name="home", qpos=np.append(press.qpos, nests), act=np.append(press.act, squeeze))
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what the press's controller knows: its axes, the load, gauges and light barriers, the drawing."""
        ram = s.sensor("Ram.ActualPosition")
        most = np.array([servo_press.RAM_SPEED, 1.0, servo_press.SHUTTLE_SPEED, 1.0])
        commands = np.concatenate([s.actuator(name).ctrl for name in servo_press.ACTUATORS], axis=-1) / most
        commands[..., 1] /= s.numeric("rated")[..., 0]
        return {
            "axis": np.concatenate([ram, s.sensor("Ram.ActualSpeed")], axis=-1),
            "above": s.numeric("stroke")[..., 1:] - ram,
            "load": servo_press.pressing(s)[..., None],
            "current": s.sensor("Ram.Motor.Current"),
            "nests": s.sensor("Shuttle.ActualPosition") + interference.NEST_PLACES,
            "transit": s.sensor("Shuttle.ActualSpeed"),
            "command": commands,
            "present": interference.present(s).astype(float),
            "gauge": 1e6 * s.numeric("gauge"),
            "group": 1e6 * s.numeric("group"),
            "drawing": s.numeric("fit")[..., :4],
            "recipe": s.numeric("recipe"),
            "rated": s.numeric("rated"),
        }

    def logic(self, s: State) -> None:
        """Let the nests do what steel does, and the press's controller its work."""
        interference.scan(s, 1.0 / self.control_hz)
        press_window.scan(s, 1.0 / self.control_hz)
        servo_press.scan(s)

    def success(self, s: State) -> Array:
        """Return whether a bush sits on its shoulder, went through its window, and the ram has left it."""
        good = press_window.seated(s) & press_window.in_window(s)
        return np.any(good, axis=-1) & (servo_press.clearance(s) > AWAY)

    def failure(self, s: State) -> Array:
        """Return the first of `failures` that holds."""
        here = np.abs(interference.off_centre(s)) < 5e-3
        empty = np.any(here & ~interference.present(s), axis=-1)
        low = servo_press.clearance(s) < interference.fit_in(s).depth - 2e-3
        happened = press_window.mishaps(s) | {
            "missing_part": empty & low,
            "over_force": servo_press.peak_force(s) > s.numeric("rated")[..., 0],
        }
        return np.select([happened[name] for name in self.failures], range(1, len(self.failures) + 1), 0)

    def reward(self, s: State) -> Array:
        """Return 0 to 1: 0.1 for a good nest under the ram, 0.6 for what the ram does there, 0.3 for success."""
        fit = interference.fit_in(s)
        good = press_pilot.usable(s)
        off = np.abs(interference.off_centre(s))
        under = np.max(good * np.exp(-off / _NEAR), axis=-1)
        here = good & (off < 2e-3)
        depth = interference.depths(s)
        high = np.abs(servo_press.clearance(s)[..., None] - fit.depth[..., None] + depth)
        share = np.clip(depth / fit.depth[..., None], 0.0, 1.0)
        closer = np.where(share > 0.9, 1.0, np.exp(-high / _CLOSE))
        level = np.clip(1.0 - interference.leans(s) / 0.01, 0.0, 1.0)
        work = here * (0.1 * closer + 0.1 * level * (share > 0) + 0.3 * share + 0.1 * press_window.seated(s))
        return 0.1 * under + np.max(work, axis=-1) + 0.3 * self.success(s)

    def signals(self, s: State) -> dict[str, Array]:
        """Return the station's tags and slow values."""
        return servo_press.report(s) | press_window.report(s)

    def instructions(self, p: PressFitParams) -> dict[str, str]:
        """Return the work order."""
        return _work_order(p)

    def expert(self, s: State, p: PressFitParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Choose a nest, bring it under the ram, clean it, and press."""
        yield from PressPilot(s, 1.0 / self.control_hz, _habits(mode, rng)).work()


def _habits(mode: str, rng: np.random.Generator) -> Habits:
    """Return how the work is done, with bad habits where degraded."""
    speed = rng.uniform(0.012, 0.028)
    if mode == "ungauged":
        return Habits(speed, gauges=False)
    if mode == "no_blow":
        return Habits(speed, blows=False)
    if mode == "hurried":
        return Habits(speed, levels=False)
    if mode == "over_speed":
        return Habits(rng.uniform(0.06, 0.14), slows=False)
    return Habits(speed)


def _work_order(p: PressFitParams) -> dict[str, str]:
    """Word the order; which of the wordings depends on the bore."""
    fit, rises = p.fit, press_window.rises(p.fit)
    size, deep, group = f"{1e3 * fit.diameter:.0f}", f"{1e3 * fit.depth:.2f}", fit.group
    length = float(interference.engaged(fit.depth, interference.fit_of(fit)))
    low, high, rated = (f"{1e-3 * v:.1f}" for v in (rises[0] * length, rises[1] * length, p.rated))
    english = (
        f"Press a {size} mm bush of group {group} um down to the shoulder, {deep} mm deep. Seat it within 0.1 mm.",
        f"Press-fit step: bush {size} mm, interference {group} um, depth {deep} mm, {low} to {high} kN at the end.",
        f"Choose the nest of group {group} um, blow it clean, press the {size} mm bush {deep} mm in; {rated} kN press.",
    )
    japanese = (
        f"直径{size}mmのブッシュ(締め代群{group}µm)を、深さ{deep}mmの肩まで圧入してください。着座は±0.1mm以内です。",
        f"圧入工程：ブッシュ径{size}mm、締め代{group}µm、深さ{deep}mm。終端荷重は{low}〜{high}kN。",
        f"群{group}µmに合う方の治具を選び、エアで清掃してから{size}mmのブッシュを{deep}mm圧入してください({rated}kNプレス)。",
    )
    pick = int(1e6 * fit.depth) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
