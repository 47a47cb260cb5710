"""A bush pressed into its bore: Lame's pressure and Coulomb's friction, stiction, and what the motor takes for it.

Built by the press's and the nests' own functions and worked by their own controllers; inputs of the formulas are
diameters, interference, friction and the drive's constants.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.anchors import Anchor, Law
from scenes.machines import interference, servo_press
from scenes.machines.interference import FitParams, NestParams
from scenes.machines.servo_press import PressParams
from sim.model import compile_model
from sim.scenario import Scenario
from sim.spec import new_spec
from sim.state import State
from sim.world import World

Array = NDArray[np.float64]

TASKS = ("assembly/press_fit",)

PERIOD, SUBSTEPS = 0.01, 10
RATED, AMBIENT = 50e3, 20.0  # N, degC
CALM = PressParams(
    stroke=0.1, acceleration=2.0, guide_friction=0.005, start=interference.PITCH / 2, ambient=AMBIENT, warmth=0.0
)
CASES = (  # group, share of it, diameter, housing over bush, friction
    ("23-37", 0.5, 0.030, 5 / 3, 0.12),
    ("10-23", 0.05, 0.020, 1.5, 0.08),
    ("37-50", 0.95, 0.040, 1.75, 0.16),
)
SPEEDS = (0.010, 0.030)  # m/s
_LAME = "Lame, thick-walled cylinders; DIN 7190-1"
_SLOPE = Law(
    "Rise of the pressing force over the depth", "dF/dx = mu p pi d, p = delta E/(2 d) (1 - (d/D)^2)", _LAME, "N/m"
)
_FORCE = Law("Pressing force on the shoulder", "F = mu p pi d L", f"{_LAME}; L without half of the lead-in", "N")
_STICKS = Law(
    "Creep under 0.8 of the breakaway force", "v = 0 while F < mu N", "Coulomb friction; soft friction creeps", "m/s"
)
_STAYS = Law("Spring-back of the bush when the ram leaves", "x stays while 0 < mu N", "Coulomb friction", "m")
_CURRENT = Law(
    "Motor current while the ram stands and pushes", "I = F/k", "DC motor; guide friction takes 2 % of it", "A"
)
_WARMS = Law("Warming of the winding in a second", "dT = I^2 R t/C", "Joule's law; R grows with T (IEC 60034-1)", "K")


class Trace(NamedTuple):
    """What a press did, one row a control step: time, s; depth, m; force, N; current, A; winding's rise, K."""

    time: Array
    depth: Array
    force: Array
    current: Array
    rise: Array


def measure() -> Iterator[Anchor]:
    """Measure pressings at two speeds, and one that stops half way."""
    for group, share, diameter, hub, friction in CASES:
        p = FitParams(
            group=group, diameter=diameter, hub=hub, friction=friction, depth=0.018, lead_in=1e-3,
            first=NestParams(share=share, lean=0.0, chip=0.0),
        )  # fmt: skip
        for speed in SPEEDS:
            yield _slope(p, speed)
    yield from _holding()


def _slope(p: FitParams, speed: float) -> Anchor:
    """Press at a speed and fit a line to the force."""
    trace = _press(p, [(speed, 1.0, (p.depth + 0.004) / speed + 1.0)])
    part = (trace.depth > 2 * p.lead_in) & (trace.depth < 0.9 * p.depth)
    rise = float(np.polyfit(trace.depth[part], trace.force[part], 1)[0])
    case = f"{p.group} um, d {1e3 * p.diameter:g} mm, mu {p.friction:g}, {1e3 * speed:g} mm/s"
    return _SLOPE.near(_rise(p), rise, case=case, rel=0.01)


def _holding() -> Iterator[Anchor]:
    """Press half way, push on with less than it takes, and leave; then press to the end."""
    group, share, diameter, hub, friction = CASES[0]
    p = FitParams(
        group=group, diameter=diameter, hub=hub, friction=friction, depth=0.018, lead_in=1e-3,
        first=NestParams(share=share, lean=0.0, chip=0.0),
    )  # fmt: skip
    half = 0.011
    breakaway = _rise(p) * (half - p.lead_in / 2)
    trace = _press(p, [(0.01, 1.0, 1.4), (0.001, 0.8 * breakaway / RATED, 1.5), (-0.05, 1.0, 0.5)])
    end = float(trace.time[-1])
    held = (trace.time > end - 1.5) & (trace.time < end - 0.52)
    creep = np.ptp(trace.depth[held]) / np.ptp(trace.time[held])
    yield _STICKS.within(0.0, float(creep), 0.0, 1e-4)
    yield _STAYS.near(0.0, float(trace.depth[trace.time < end - 0.5][-1] - trace.depth[-1]), tol=5e-6)
    constant, resistance, capacity = servo_press.motor(CALM, RATED)
    amperes = float(np.mean(trace.current[held]))
    yield _CURRENT.near(float(np.mean(trace.force[held])) / constant, amperes, rel=0.05)
    warm = 1 + 0.0039 * float(np.mean(trace.rise[held]))  # AMBIENT is where R holds
    span = float(np.ptp(trace.time[held]))
    yield _WARMS.near(amperes**2 * resistance * warm * span / capacity, float(np.ptp(trace.rise[held])), rel=0.05)
    trace = _press(p, [(0.01, 1.0, 3.0)])
    last = trace.force[trace.depth < p.depth - 0.05e-3][-1]
    yield _FORCE.near(_rise(p) * (p.depth - p.lead_in / 2), float(last), rel=0.01)


def _rise(p: FitParams) -> float:
    """Return mu p pi d of the first nest, N/m."""
    delta = interference.interferences(p)[0]
    pressure = delta * interference.YOUNG / (2 * p.diameter) * (1 - 1 / p.hub**2)
    return p.friction * pressure * math.pi * p.diameter


def _press(p: FitParams, orders: list[tuple[float, float, float]]) -> Trace:
    """Work the press: orders of speed, m/s, force limit over the rated force, and for how long, s."""
    spec = new_spec("press_fit", timestep=PERIOD / SUBSTEPS)
    interference.set_solver(spec)
    press = servo_press.add_press(spec, CALM, rated=RATED, place=(0.0, 0.0), high=p.depth)
    nests, squeeze = interference.add_nests(spec, p, servo_press.TOOL)
    servo_press.add_telemetry(spec, CALM, RATED)
    start = np.append(press.qpos, nests)
    start[0] = CALM.stroke - servo_press.REACH - p.depth - 1e-3  # just above the bush
    spec.add_key(name="home", qpos=start, act=np.append(press.act, squeeze))
    memory = servo_press.MEMORY
    rows: list[list[float]] = []
    with World([Scenario(compile_model(spec, memory), 0)], memory=memory) as world:
        world.reset()
        s, row = world.state, np.array([0])
        for speed, limit, seconds in orders:
            for _ in range(round(seconds / PERIOD)):
                _scan(s, speed, limit)
                world.step(SUBSTEPS, row * 0 + SUBSTEPS * len(rows), row)
                rows.append(_look(s))
    return Trace(*np.array(rows).T)


def _scan(s: State, speed: float, limit: float) -> None:
    s.actuator("ram").ctrl[..., 0], s.actuator("force_limit").ctrl[..., 0] = speed, limit * RATED
    interference.scan(s, PERIOD)
    servo_press.scan(s)


def _look(s: State) -> list[float]:
    current = s.true_sensor("Ram.Motor.Current")[0, 0] / servo_press.motor(CALM, RATED)[0]
    rise = s.actuator("drive").act[0, 1]
    return [float(v) for v in (s.time[0], s.joint("part1").qpos[0, 0], interference.push(s, 1)[0], current, rise)]
