"""Laws of a driven roller table: a slab goes as fast as the rollers, and friction limits how fast that changes."""

import functools
from collections.abc import Callable, Iterator

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.anchors import Anchor, Law
from scenes.machines import roller_table, slab
from scenes.machines.roller_table import GRAVITY, PASS, RollerTableParams
from scenes.machines.slab import SlabParams
from sim.model import compile_model
from sim.spec import new_spec

TASKS = ("steel/roller_slab",)

_TABLE = RollerTableParams(wear=0.0, misalignment=0.0, patches=0.0, trip_at=-1.0)
_SLAB = SlabParams(bow=0.0)
_PERIOD, _SUBSTEPS = 0.02, 4  # s and physics steps for which rollers keep their speed, as in the task
_SOURCE = "Coulomb friction; tolerance 0.1 % steady, 3 % at the limit of slip"
STEADY = Law("speed of a slab on turning rollers", "v = omega R", "rolling without sliding; 0.1 %", "m/s")
DRIVE = Law("speed of a group by its reference", "omega R = reference", "stiff speed loop; 0.1 %", "m/s")
RAMP = Law("acceleration below the limit", "a = that of the rollers", _SOURCE, "m/s^2")
LIMIT = Law("acceleration above the limit", "a = mu g", _SOURCE, "m/s^2")
STOP = Law("stopping distance on stopped rollers", "s = v^2 / (2 mu g)", _SOURCE, "m")
WEIGHT = Law("load of the rollers", "sum of contact forces = m g", "equilibrium; 0.1 %", "N")


def measure() -> Iterator[Anchor]:
    """Measure the laws on the task's table with new rollers and a straight slab."""
    grip = _TABLE.friction * GRAVITY
    for speed in (0.5, 1.5, 3.0):
        yield STEADY.near(speed, run(lambda t, v=speed: v, start=speed)[100:].mean(), case=f"{speed} m/s", rel=1e-3)
    for share in (0.3, 0.9):
        speeds = run(lambda t, a=share * grip: a * t)
        yield RAMP.near(share * grip, _slope(speeds), case=f"{share} mu g", rel=0.03)
    for share in (1.1, 3.0):
        speeds = run(lambda t, a=share * grip: a * t)
        yield LIMIT.near(grip, _slope(speeds), case=f"rollers at {share} mu g", rel=0.03)
    for speed in (1.0, 2.0):
        speeds = run(lambda t, v=speed: 0.0, start=speed)
        yield STOP.near(speed**2 / (2 * grip), speeds.sum() * _PERIOD / _SUBSTEPS, case=f"{speed} m/s", rel=0.03)
    yield DRIVE.near(1.5, _driven(1.5), rel=1e-3)
    yield WEIGHT.near(_SLAB.mass * GRAVITY, _weight(), rel=1e-3)


def run(rollers: Callable[[float], float], *, start: float = 0.0, seconds: float = 2.0) -> NDArray[np.float64]:
    """Return the slab's speed at each physics step, m/s, on rollers whose surface speed, m/s, is a function of time."""
    model = _scene()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=200)
    data.qvel[-6] = start
    turning = np.array([model.geom(name).id for name in roller_table.SURFACES.names])
    out: list[float] = []
    for k in range(round(seconds / _PERIOD)):
        model.geom_surfacevel[turning, 5] = rollers(k * _PERIOD) / (_TABLE.diameter / 2)
        for _ in range(_SUBSTEPS):
            mujoco.mj_step(model, data)
            out.append(float(data.qvel[-6]))
    model.geom_surfacevel[turning, 5] = 0.0
    return np.array(out)


def _slope(speeds: NDArray[np.float64]) -> float:
    """Return the mean acceleration after the first 0.4 s, m/s2, over whole control steps."""
    first, last = 80, len(speeds) - 1 - (len(speeds) - 1 - 80) % _SUBSTEPS
    return float((speeds[last] - speeds[first]) / ((last - first) * _PERIOD / _SUBSTEPS))


def _driven(speed: float) -> float:
    """Return the surface speed of a group a second after its motor's reference was set, m/s."""
    model = _scene()
    data = mujoco.MjData(model)
    data.actuator("drive1_motor").ctrl = speed / (_TABLE.diameter / 2)
    mujoco.mj_step(model, data, nstep=400)
    return float(data.joint("drive1").qvel[0]) * _TABLE.diameter / 2


def _weight() -> float:
    """Return what the rollers carry together, N."""
    model = _scene()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=800)
    mujoco.mj_forward(model, data)
    force, total = np.zeros(6), 0.0
    for i in range(data.ncon):
        mujoco.mj_contactForce(model, data, i, force)
        total += float(force[0] * data.contact.frame[i, 2])
    return abs(total)


@functools.cache
def _scene() -> mujoco.MjModel:
    """Return the table with one slab in its middle."""
    spec = new_spec("rollers", timestep=_PERIOD / _SUBSTEPS)
    roller_table.add_table(spec, _TABLE)
    slab.add_slab(spec, _SLAB, name="slab", friction=_TABLE.friction)
    spec.body("slab").pos = [_TABLE.length / 2, 0.0, PASS]
    return compile_model(spec)
