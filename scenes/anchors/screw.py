"""A screw joint: torque over clamp force, clamp force over angle, and the force at which it yields.

A nutrunner tightens and loosens a joint of the scene at its timestep and control rate, slowly, over the whole range.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scenes.anchors import Anchor, Law
from scenes.machines import tightening, tightening_station
from scenes.machines.nutrunner import ACTUATORS, NutrunnerParams
from scenes.machines.screw_joint import Joint, ScrewParams, engine_clamp, stiffness
from scenes.machines.screw_sizes import SIZES, friction_radius, tightening_torque, yield_force
from scenes.machines.tightening_pilot import Habits, Tightener
from scenes.machines.tightening_station import Work
from sim.model import compile_model
from sim.scenario import Scenario
from sim.spec import new_spec
from sim.task import Command
from sim.world import World

Array = NDArray[np.float64]

TASKS = ("assembly/bolt_tighten",)

_PERIOD, _SUBSTEPS = 0.02, 20  # s and physics steps of a control step, as in the scene
_SOURCE = "Kellermann and Klein, as in ISO 16047 and VDI 2230"
_TORQUE = Law("Torque over clamp force", "dT/dF = p/(2 pi) + mu_t d2/(2 cos 30) + mu_h Dm/2", _SOURCE, "N*m/N")
_LOOSEN = Law(
    "Torque over clamp force while loosening", "dT/dF = p/(2 pi) - mu_t d2/(2 cos 30) - mu_h Dm/2", _SOURCE, "N*m/N"
)
_ANGLE = Law("Clamp force over angle", "dF/dangle = k p/(2 pi)", "Elastic joint of stiffness k", "N/rad")
_YIELD = Law("Clamp force beyond yield", "F = Re As", "ISO 898-1", "N")
_CASES = (("M8", "8.8", 0.12, 0.12, 1.2e8), ("M5", "8.8", 0.08, 0.20, 3e8), ("M10", "4.8", 0.20, 0.08, 0.5e8))


def measure() -> Iterator[Anchor]:
    """Tighten three joints until they yield, and loosen them."""
    for name, grade, thread, head, rate in _CASES:
        size, force = SIZES[name], yield_force(SIZES[name], grade)
        screw = ScrewParams(
            thread_friction=thread, head_friction=head, stiffness=rate, prevailing=0.0, tilt=0.0, seat=0.0
        )
        tight, loose = turn(Joint(size, 1.2 * size.diameter, 2.4 * size.diameter, 5e-3, force), screw)
        case = f"{name} {grade}, friction {thread:g} and {head:g}"
        radius = friction_radius(size, thread, head)
        law = float(tightening_torque(size, 1.0, thread, head))
        rows = tight[(tight[:, 1] > 0.5 * force) & (tight[:, 1] < 0.95 * force)]
        yield _TORQUE.near(law, _slope(rows[:, 1], rows[:, 0]), case=case, rel=0.02)
        yield _ANGLE.near(stiffness(screw, size) * size.lead, _slope(rows[:, 2], rows[:, 1]), case=case, rel=0.02)
        yield _YIELD.near(force, float(tight[:, 1].max()), case=case, rel=0.02)
        rows = loose[(loose[:, 1] > 0.3 * force) & (loose[:, 1] < 0.9 * force)]
        yield _LOOSEN.near(size.lead - radius, _slope(rows[:, 1], rows[:, 0]), case=case, rel=0.02)


def turn(joint: Joint, screw: ScrewParams) -> tuple[Array, Array]:
    """Tighten a joint until it yields, then loosen it; return (n, 3) torque, clamp force and angle of either."""
    spec = new_spec("bench", timestep=_PERIOD / _SUBSTEPS)
    work = Work(joint, tightening.plan(joint, stiffness(screw, joint.size)), 1.0)
    tightening_station.add_station(spec, (0.0, 0.0, 1.0), work, screw, NutrunnerParams(backlash=0.0, constant=1.0))
    bench = Bench(Scenario(compile_model(spec, tightening_station.MEMORY), 0))
    program = Tightener(bench.state, _PERIOD, lane=1.0, drag=0.0, habits=Habits(clamp=9.0))
    tight: list[Array] = []
    for command in program.work():
        row = bench.step(command)
        if command.phase == "tighten":
            tight.append(row)
        if float(bench.state.memory("plastic")) > 5e-5:
            break
    speed = 0.5 * joint.strength / (stiffness(screw, joint.size) * joint.size.lead)
    loose = [bench.step(program.follow("release", -speed, 60.0)) for _ in range(200)]
    return np.array(tight), np.array(loose[10:])


class Bench:
    """One station at work."""

    def __init__(self, scenario: Scenario) -> None:
        memory, friction = tightening_station.MEMORY, {"friction": tightening_station.FRICTION}
        self.world = World([scenario], memory=memory, driven=friction, telemetry=False)
        self.state = self.world.state.row(0)
        self.columns = [scenario.model.actuator(name).id for name in ACTUATORS]
        self.steps = np.zeros(1, np.int64)
        self.world.reset()
        tightening_station.scan(self.state, _PERIOD)

    def step(self, command: Command) -> Array:
        """Take one control step; return torque, clamp force and angle (3,) after it."""
        s = self.state
        self.world.ctrl[0, self.columns] = command.ctrl
        tightening_station.laws(s)
        self.world.step(_SUBSTEPS, self.steps, np.array([0]))
        self.steps += _SUBSTEPS
        tightening_station.scan(s, _PERIOD)
        torque = -s.true_sensor("Spindle.Torque")
        return np.array([torque[0], engine_clamp(s), s.joint("screw").qpos[0]])


def _slope(x: Array, y: Array) -> float:
    return float(np.polyfit(x - x.mean(), y, 1)[0])
