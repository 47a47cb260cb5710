"""What is only seen: boxes without mass or contacts, and the sky."""

from collections.abc import Sequence

import mujoco


def add_seen_box(
    body: mujoco.MjsBody, size: Sequence[float], pos: Sequence[float], rgba: Sequence[float], *, name: str = ""
) -> mujoco.MjsGeom:
    """Add a box (half sizes, m) that is only seen."""
    return body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pos, rgba=rgba, mass=0, contype=0, conaffinity=0
    )


def add_sky(spec: mujoco.MjSpec, horizon: Sequence[float], zenith: Sequence[float]) -> None:
    """Add a sky that goes from one colour (red, green, blue) to the other."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=horizon,
        rgb2=zenith,
        width=16,
        height=96,
    )
