"""Models: specs compiled into them, their hashes, the layout of their states and where they start.

A model is compiled here and nowhere else: its userdata must hold what the engine and the task remember, and MuJoCo
must not reset by itself a simulation that goes wrong.
"""

import hashlib
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.channels import channel_width

INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)
# What rendering and analysis need: everything that moves, the goals on mocap bodies, and what was remembered. The delay
# lines of sensors and actuators (history) are only in the integration states that exact replay starts from: they would
# be four fifths of the bytes.
CONTROL = int(
    mujoco.mjtState.mjSTATE_FULLPHYSICS
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
    | mujoco.mjtState.mjSTATE_USERDATA
) & ~int(mujoco.mjtState.mjSTATE_HISTORY)
HELD = 1  # userdata: one slot for the success timer, then memory, then readings


def compile_model(spec: mujoco.MjSpec, memory: Sequence[str] = ()) -> mujoco.MjModel:
    """Compile a spec with room for what the engine and the task remember.

    Args:
        spec: the scene; its nuserdata is set here.
        memory: the task's slots.
    """
    spec.nuserdata = HELD + len(memory) + channel_width(spec)
    model = spec.compile()
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return model


def model_sha256(model: mujoco.MjModel) -> str:
    """Hash the compiled model, to prove that a rebuilt one is the same."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()


def state_columns(model: mujoco.MjModel, component: int) -> NDArray[np.intp]:
    """Return where the numbers of a smaller state, such as `CONTROL`, are in an integration state."""
    index = np.arange(mujoco.mj_stateSize(model, INTEGRATION), dtype=float)
    columns = np.empty(mujoco.mj_stateSize(model, component))
    mujoco.mj_extractState(model, index, INTEGRATION, columns, component)
    return columns.astype(np.intp)


def initial_state(model: mujoco.MjModel) -> NDArray[np.float64]:
    """Return the integration state at keyframe 0 (or the defaults), histories filled with what holds at time 0."""
    data = mujoco.MjData(model)
    if model.nkey:
        mujoco.mj_resetDataKeyframe(model, data, 0)
    delay = model.sensor_delay.copy()
    model.sensor_delay[:] = 0.0  # a delayed sensor would read its empty history
    mujoco.mj_forward(model, data)
    model.sensor_delay[:] = delay
    for i in range(model.nsensor):
        if n := int(model.sensor_history[i, 0]):
            now = data.sensordata[model.sensor_adr[i] :][: model.sensor_dim[i]]
            mujoco.mj_initSensorHistory(model, data, i, None, np.tile(now, (n, 1)), -float(model.sensor_interval[i, 0]))
    for i in range(model.nu):
        if n := int(model.actuator_history[i, 0]):
            mujoco.mj_initCtrlHistory(model, data, i, None, np.full((n, 1), data.ctrl[i]))
    state = np.empty(mujoco.mj_stateSize(model, INTEGRATION))
    mujoco.mj_getState(model, data, state, INTEGRATION)
    return state
