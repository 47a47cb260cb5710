"""Start an MjSpec the way every genba scene starts: radians, rigid-metal contacts, no silent reset.

Rule: only settings that hold for every scene live here; a scene changes what it must.
"""

import mujoco


def new_spec(name: str, *, timestep: float) -> mujoco.MjSpec:
    """Return an empty MjSpec with genba's defaults.

    Args:
        name: the model's name.
        timestep: one physics step, s.

    Angles are radians, contacts elliptic with several points a pair, and stiff (time constant of two timesteps).
    A simulation that diverges stops instead of being reset behind the recorder's back.
    """
    spec = mujoco.MjSpec()
    spec.modelname = name
    spec.compiler.degree = False
    option = spec.option
    option.timestep = timestep
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0
    option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    spec.default.geom.solref = [2 * timestep, 1.0]
    spec.default.geom.solimp = [0.95, 0.99, 0.001, 0.5, 2.0]
    return spec
