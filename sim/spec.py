"""Start an MjSpec the way every genba scene starts: radians, rigid-metal contacts, no silent reset.

Rule: only settings that hold for every scene live here; a scene changes what it must.
"""

import mujoco
from numpy.typing import ArrayLike


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


def weigh(body: mujoco.MjsBody, mass: float, inertia: ArrayLike, pos: ArrayLike = (0.0, 0.0, 0.0)) -> None:
    """Give a body its mass and inertia, whatever its geoms weigh.

    MuJoCo takes a centre of mass that is not given to be as far from the body as the body is from its parent.

    Args:
        body: the body.
        mass: kg.
        inertia: about its axes through the centre of mass (3,), kg m2.
        pos: of the centre of mass (3,), m, in the body.
    """
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = mass, pos, inertia
