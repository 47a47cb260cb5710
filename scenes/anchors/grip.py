"""What two flat jaws hold: grip force by the drive's reference, and where a peg begins to slip.

Built by the gripper's own functions, upside down as over a hole; forces on the peg come from the formulas.
"""

import math
from collections.abc import Iterator

import mujoco
import numpy as np

from scenes.anchors import Anchor, Law
from scenes.machines import gripper
from scenes.machines.gripper import GripperParams
from scenes.stock_fits import Fit
from sim.spec import new_spec

TASKS = ("assembly/peg_grasp",)

_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)
_GRIP = Law("Grip force", "N = k (width - reference)", "Position servo; pads yield by some 50 um under 100 N", "N")
_HOLDS = Law("Way of a gripped peg in 0.4 s under 0.97 of 2 mu N", "holds up to F = 2 mu N", "Coulomb friction", "m")
_SLIPS = Law("Way of a gripped peg in 0.4 s under 1.05 of 2 mu N", "slips beyond F = 2 mu N", "Coulomb friction", "m")


def measure() -> Iterator[Anchor]:
    """Measure pegs in jaws."""
    for diameter in (0.004, 0.008, 0.016):
        for force in (20.0, 100.0):
            yield from _held(diameter, force)


def _held(diameter: float, force: float) -> Iterator[Anchor]:
    """Grip a peg of a diameter, m, with a force, N, and pull it."""
    fit, p = Fit(diameter, 1e-4, 5e-4, 0.023, 0.2), GripperParams(taper=0.0, force_error=0.0, stiction=0.0)
    case = f"{1e3 * diameter:g} mm, {force:g} N"
    model = _model(fit, p, force)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_step(model, data, nstep=300)
    pressed = -float(data.actuator("jaws").force[0])
    asked = gripper.SERVO * (diameter - float(data.actuator("jaws").ctrl[0]))
    yield _GRIP.near(asked, pressed, case=case, rel=0.10)
    most = 2 * p.grip * pressed
    state = np.empty(mujoco.mj_stateSize(model, _STATE))
    mujoco.mj_getState(model, data, state, _STATE)
    way = _pull(model, data, 0.97 * most)
    yield _HOLDS.within(0.0, way, -1e-4, 1e-4, case=case)
    mujoco.mj_setState(model, data, state, _STATE)
    yield _SLIPS.within(5e-4, _pull(model, data, 1.05 * most), 5e-4, 0.1, case=case)


def _pull(model: mujoco.MjModel, data: mujoco.MjData, force: float) -> float:
    """Pull the peg out of its jaws for 0.4 s with a force, N, and return how far it has come, m."""
    peg = model.body("peg").id
    start = float(data.xpos[peg, 2])
    for _ in range(400):
        data.qfrc_applied[:] = 0.0
        pull, turn = np.array([0.0, 0.0, -force]), np.zeros(3)
        mujoco.mj_applyFT(model, data, pull, turn, data.xipos[peg], peg, data.qfrc_applied)
        mujoco.mj_step(model, data)
        if start - data.xpos[peg, 2] > 0.012:
            break
    return start - float(data.xpos[peg, 2])


def _model(fit: Fit, p: GripperParams, force: float) -> mujoco.MjModel:
    """Return jaws on a fixed body that begin to grip a peg with a force, N, without gravity."""
    spec = new_spec("grip", timestep=1e-3)
    spec.option.impratio, spec.option.tolerance = gripper.IMPRATIO, gripper.TOLERANCE
    spec.option.gravity = [0, 0, 0]
    quat = [0.0, math.sqrt(0.5), -math.sqrt(0.5), 0.0]
    gripper.add_jaws(spec, spec.worldbody.add_body(name="gripper", pos=[0, 0, 0.5], quat=quat), p, 0.0, fit)
    gripper.add_free_peg(spec, fit)
    place = [0.0, 0.0, 0.5 - gripper.HELD]
    qpos = [fit.radius, fit.radius, *place, *quat]
    spec.add_key(name="home", qpos=qpos, ctrl=[gripper.reference(fit.diameter, force)])
    return spec.compile()
