"""The magnets' law of force and what it can lift, on the machine's own magnets, plates and controller."""

import functools
from collections.abc import Callable, Iterator

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes import stock_plates
from scenes.anchors import Anchor, Law
from scenes.machines import magnet
from scenes.machines.crane import GRAVITY
from scenes.stock_plates import Plate
from sim.spec import new_spec

Array = NDArray[np.float64]

TASKS = ("steel/magnet_plate",)
_PLATE = Plate(6.0, 2.0, 0.012)  # 1.13 t
_STEP = 0.0025  # s, of the task
_WEIGHT = _PLATE.mass * GRAVITY
_RAIL, _HEIGHT = 5e7, 3.0  # N/m of what carries the beam; m

_GAP = Law(
    "Force over an air gap",
    "F / F0 = (1 + g / g0)^-2, g0 = 1.3 mm",
    "magnetic circuit of one gap; makers' tables: 0.2 mm takes 20 to 30 %, 1 mm 50 to 70 %",
    "1",
)
_TABLE = Law("Force over an air gap, maker's table", "share of the force that is left", "himagnet.com, gap tables", "1")
_THIN = Law("Force on a thin plate", "F / F0 = (t / t0)^2 up to t0, 1 beyond", "flux that steel can carry", "1")
_LIFT = Law("Least pull that lifts a plate", "F / W = 1, lifted smoothly", "statics; 4 % for contact and motion", "1")
_LOAD = Law("Load of a lifted plate", "load cell = m g", "statics", "N")
_JERK = Law("Drop by acceleration", "drops where F < m (g + a), holds where not", "Newton's second law; 4 %", "1")


def measure() -> Iterator[Anchor]:
    """Yield every anchor."""
    for gap in (0.2e-3, 1.0e-3):
        measured = _force(gap, 0.040) / _force(0.0, 0.040)
        yield _GAP.near((1 + gap / magnet.GAP) ** -2, measured, case=f"{1e3 * gap:g} mm", rel=1e-6)
        low, high = {0.2e-3: (0.70, 0.80), 1.0e-3: (0.30, 0.50)}[gap]
        yield _TABLE.within((low + high) / 2, measured, low, high, case=f"{1e3 * gap:g} mm")
    for thickness in (0.006, 0.012, 0.040):
        expected = min(1.0, thickness / magnet.FULL) ** 2
        measured = _force(0.0, thickness) / magnet.TEAR_OFF
        yield _THIN.near(expected, measured, case=f"{1e3 * thickness:g} mm", rel=1e-6)
    yield _LIFT.within(1.0, _threshold(_lifts), 1.0, 1.04)
    yield _LOAD.near(_WEIGHT, _load(), rel=1e-3)
    for acceleration in (1.0, 3.0):
        expected = 1.0 + acceleration / GRAVITY
        found = _threshold(functools.partial(_survives, acceleration=acceleration), high=2.0)
        yield _JERK.near(expected, found, case=f"{acceleration:g} m/s2", rel=0.04)


def _force(gap: float, thickness: float) -> float:
    """Return a magnet's pull on one plate at full field, N, by the controller's law."""
    gaps, near = np.full((stock_plates.PLATES, 1), gap), np.zeros((stock_plates.PLATES, 1), bool)
    near[0] = True
    share = magnet.flux(np.ones(1), gaps, near, np.array([thickness]))
    return float(magnet.TEAR_OFF * share[0, 0] ** 2)


@functools.cache
def _rig() -> mujoco.MjModel:
    """Return the model: the beam on a vertical rail, and the plate as it lies under it."""
    spec = new_spec("anchor", timestep=_STEP)
    carrier = spec.worldbody.add_body(name="carrier", pos=[0, 0, _HEIGHT])
    rail = carrier.add_joint(name="rail", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1])
    rail.armature = 1.0
    carrier.explicitinertial = True
    carrier.mass, carrier.inertia = 100.0, [10.0, 10.0, 10.0]
    magnet.add_beam(spec, carrier, _PLATE)
    for name in ("beam_x", "beam_y"):  # the rail keeps it level
        joint = spec.joint(name)
        joint.stiffness = [1e8, 0, 0]
    below = -magnet.DROP - _PLATE.thickness / 2
    plate = stock_plates.add_stiff_plate(spec, _PLATE, number=2, reach=magnet.REACH)
    plate.pos = [0, 0, _HEIGHT + below - 0.02]
    pile = spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[3.5, 1.5, 0.5], contype=1, conaffinity=0)
    pile.pos = [0, 0, _HEIGHT + below - 0.02 - _PLATE.thickness / 2 - 0.5]
    drive = spec.add_actuator(name="rail", target="rail", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    drive.set_to_position(kp=_RAIL, kv=2e6)
    for name in magnet.MAGNETS:
        pull = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_BODY)
        pull.gainprm[0] = 1.0
    return spec.compile()


def _run(pull: float, heights: Array) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Let the magnets sit, switch on pull (over the plate's weight), and move the rail through heights (n,), m."""
    model = _rig()
    data = mujoco.MjData(model)
    sag = -(100.0 + magnet.BEAM_MASS + magnet.COUNT * magnet.MASS) * GRAVITY / _RAIL
    seat = np.full(400, -0.04)
    for height in (*seat, *heights):
        data.ctrl[0] = height - sag
        data.ctrl[1:] = pull * _WEIGHT / magnet.COUNT
        mujoco.mj_step(model, data)
    return model, data


def _lifts(pull: float) -> bool:
    """Return whether a slow smooth lift of 0.3 m takes the plate along."""
    t = np.minimum(np.arange(round(7.0 / _STEP)) * _STEP / 6.0, 1.0)
    _, data = _run(pull, -0.04 + 0.3 * (10 * t**3 - 15 * t**4 + 6 * t**5))
    return float(data.body("plate2").xpos[2]) > _HEIGHT - magnet.DROP + 0.1


def _survives(pull: float, *, acceleration: float) -> bool:
    """Return whether the plate is lifted when the rail's acceleration rises smoothly to a peak and falls again."""
    t = np.arange(round(2.0 / _STEP)) * _STEP
    slow = np.minimum(t / 2.0, 1.0)
    first = -0.04 + 0.15 * (10 * slow**3 - 15 * slow**4 + 6 * slow**5)
    u = np.minimum(t / 1.0, 1.0)
    push = acceleration * np.sin(np.pi * u) ** 2 * (t < 1.0)
    jump = np.cumsum(np.cumsum(push)) * _STEP**2
    _, data = _run(pull, np.concatenate([first, first[-1] + jump]))
    carrier = float(data.joint("rail").qpos[0])
    return float(data.body("plate2").xpos[2]) > _HEIGHT + carrier - magnet.DROP - 0.1


def _threshold(holds: Callable[[float], bool], high: float = 1.2) -> float:
    """Return the least pull over the plate's weight that does, by halving."""
    low = 0.9
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _load() -> float:
    """Return the load that the rail's drive carries beyond the empty beam's, N, with the plate hanging still."""
    t = np.minimum(np.arange(round(7.0 / _STEP)) * _STEP / 4.0, 1.0)
    _, data = _run(2.0, -0.04 + 0.3 * (10 * t**3 - 15 * t**4 + 6 * t**5))
    empty = (100.0 + magnet.BEAM_MASS + magnet.COUNT * magnet.MASS) * GRAVITY
    return float(data.actuator("rail").force[0]) - empty
