"""The building: a floor, light, sky and one camera that sees the whole bay, 25 m along x and 20 m across."""

import mujoco

from scenes.machines.scenery import add_sky
from scenes.stock import GROUND


def add_hall(spec: mujoco.MjSpec, *, slope: tuple[float, float]) -> mujoco.MjsBody:
    """Add a hall and return its floor, a body whose origin is the world's; camera "overview".

    Args:
        spec: the scene.
        slope: by which the floor rises along x and along y, rad.
    """
    light = spec.worldbody.add_light(pos=[13, 5, 30], dir=[0.2, 0.3, -1])
    light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    light.ambient, light.diffuse = [0.35, 0.35, 0.35], [0.55, 0.55, 0.55]
    add_sky(spec, [0.75, 0.80, 0.85], [0.45, 0.50, 0.56])
    spec.worldbody.add_camera(name="overview", pos=[12, -19, 11], xyaxes=[1, 0, 0, 0, 0.2, 0.98], fovy=52)
    floor = spec.worldbody.add_body(name="floor", quat=[1.0, slope[1] / 2, -slope[0] / 2, 0.0])
    floor.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[25, 25, 1.0],
        pos=[13, 12, 0],
        contype=GROUND,
        conaffinity=0,
        rgba=[0.55, 0.55, 0.53, 1],
    )
    return floor
