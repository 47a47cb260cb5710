"""Arms of MuJoCo Menagerie, with their makers' meshes, under the names that `scenes.machines.arm` gives its own.

Rule: nothing is fetched before `from_menagerie` is called. The package then downloads the one robot that is asked for,
once, or reads it from a checkout that the environment variable MENAGERIE_ROOT points to.
"""

from collections.abc import Sequence

import mujoco

from scenes.machines.arm import Arm
from sim.errors import GenbaError, MissingExtraError, unknown

_FLANGE = "attachment_site"  # what the Menagerie's arms call their flange


class MenagerieArmError(GenbaError, ValueError):
    """A robot that is no arm with one motor a joint and a flange."""


def from_menagerie(
    name: str,
    spec: mujoco.MjSpec,
    *,
    pos: Sequence[float],
    quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
    prefix: str = "",
) -> Arm:
    """Add an arm of MuJoCo Menagerie; its actuators are position servos, as the Menagerie tunes them.

    Joints and actuators are joint1 to jointn from the base, the flange is a site "flange"; bodies keep their names.
    Its servos have no activations, gravity sags them, and it has no thermal model: `Arm.drives` is empty.

    Args:
        name: as the Menagerie calls the robot, such as "universal_robots_ur5e".
        spec: the scene.
        pos: of its base, m, world.
        quat: of its base, world.
        prefix: of every name.

    Raises:
        MissingExtraError: the package is not installed.
        UnknownNameError: the Menagerie has no such robot.
        MenagerieArmError: the robot has no flange, or not one actuator a joint.
    """
    child = _read(name)
    for key in list(child.keys):
        child.delete(key)
    motors = {motor.target: motor for motor in child.actuators}
    joints = list(child.joints)
    flange = next((site for site in child.sites if site.name == _FLANGE), None)
    if flange is None or not joints or set(motors) != {joint.name for joint in joints}:
        raise MenagerieArmError(
            f"robot {name!r} is no arm: it needs a site {_FLANGE!r} and one actuator a joint, it has"
            f" {len(joints)} joints and {len(child.actuators)} actuators"
        )
    for i, joint in enumerate(joints, 1):
        motor = motors[joint.name]
        joint.name = motor.name = motor.target = f"joint{i}"
    flange.name = "flange"
    links = tuple(f"{prefix}{joint.parent.name}" for joint in joints)
    tip = f"{prefix}{flange.parent.name}"
    for option in ("timestep", "integrator", "cone", "impratio"):
        setattr(child.option, option, getattr(spec.option, option))  # the scene's hold; unlike ones would be warned of
    root = child.worldbody.first_body()
    spec.worldbody.add_frame(pos=pos, quat=quat).attach_body(root, prefix, "")
    names = tuple(f"{prefix}joint{i}" for i in range(1, len(joints) + 1))
    return Arm(prefix, names, links, f"{prefix}flange", tip, (), ())


def _read(name: str) -> mujoco.MjSpec:
    """Return a robot alone, without floor and lights."""
    try:
        import mujoco_menagerie
    except ImportError as error:
        raise MissingExtraError(
            "arms of MuJoCo Menagerie need the package mujoco-menagerie: pip install 'genba[menagerie]'"
        ) from error
    if name not in mujoco_menagerie.names():
        raise unknown("robot of the Menagerie", name, mujoco_menagerie.names())
    robot = mujoco_menagerie.get(name)
    return robot.spec(robot.default_model)
