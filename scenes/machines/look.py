"""Visual randomization: lamps, surfaces and how cameras are mounted, drawn with everything else; it moves no physics.

A scene's parameters hold one of each class here and its build passes them to the functions below. They are parameters
like any other: sampled, overridden by name, and recorded, so that a dataset says in what light a picture was taken.
"""

import colorsys
import dataclasses
import functools
import math
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.shapes import add_picture
from sim.cameras import Lens, add_camera
from sim.distributions import Uniform
from sim.math import cross
from sim.parameters import param

Array = NDArray[np.float64]

_TINTS = np.array([(1.0, 0.95, 0.88), (0.96, 0.98, 1.0)])  # of lamps of 3500 K and 6500 K to a camera balanced between
_GRAIN = 64  # pixels a side of the texture of a floor


@dataclasses.dataclass(frozen=True, slots=True)
class LightParams:
    """Lamps and daylight."""

    brightness: float = param(Uniform(0.85, 1.1), "1", "Of all light over nominal: lamps lose 15 % until cleaned.")
    ambient: float = param(Uniform(0.55, 0.75), "1", "Share of light from everywhere; engineering value for halls.")
    temperature: float = param(Uniform(3500.0, 6500.0), "K", "Of lamps: sodium retrofit to daylight LED, EN 12464-1.")
    azimuth: float = param(Uniform(-math.pi, math.pi), "rad", "Where the rest comes from, about the vertical.")


@dataclasses.dataclass(frozen=True, slots=True)
class PaintParams:
    """Surfaces: how light they are, how clean and how old."""

    floor: float = param(Uniform(0.20, 0.40), "1", "Reflectance of the floor, EN 12464-1.")
    wall: float = param(Uniform(0.50, 0.80), "1", "Reflectance of walls, EN 12464-1.")
    hue: float = param(Uniform(-0.015, 0.015), "1", "Hue of all paint in turns; RAL 1003 and RAL 1018 are 0.02 apart.")
    fade: float = param(Uniform(0.0, 0.3), "1", "Saturation that paint has lost; engineering value.")
    dirt: float = param(Uniform(0.2, 1.0), "1", "Stains on the floor, soot on paint: none to heavy; engineering value.")


@dataclasses.dataclass(frozen=True, slots=True)
class CameraParams:
    """How far a scene's cameras are from where they should be, each in its own frame; stored poses are true."""

    right: float = param(Uniform(-1.0, 1.0), "1", "Shift to the picture's right, of the scene's mounting tolerance.")
    down: float = param(Uniform(-1.0, 1.0), "1", "Shift down, of the scene's mounting tolerance.")
    ahead: float = param(Uniform(-1.0, 1.0), "1", "Shift ahead, of the scene's mounting tolerance.")
    pan: float = param(Uniform(-0.02, 0.02), "rad", "Turn to the right, about 1 degree: bracket and ball head.")
    tilt: float = param(Uniform(-0.02, 0.02), "rad", "Turn down, about 1 degree: bracket and ball head.")
    roll: float = param(Uniform(-0.02, 0.02), "rad", "Turn about the line of sight, about 1 degree.")
    focal: float = param(Uniform(0.99, 1.01), "1", "Focal length over nominal: +-1 %, usual for fixed lenses.")


def add_lights(spec: mujoco.MjSpec, p: LightParams, *, centre: ArrayLike, extent: float) -> None:
    """Add a steep light that may cast shadows, a slanting one that models shapes, and light from everywhere.

    Args:
        spec: the scene; its extent for pictures and its headlight are set here.
        p: the light.
        centre: of what is to be lit (3,), m, world; what is half the extent above it throws no shadow.
        extent: size of what is to be lit, m.
    """
    middle = np.asarray(centre, float)
    mix = (p.temperature - 3500.0) / 3000.0
    tint = p.brightness * ((1 - mix) * _TINTS[0] + mix * _TINTS[1])
    spec.stat.center, spec.stat.extent = middle, extent
    spec.visual.headlight.active = 0
    direct = 1 - p.ambient
    for name, turn, slant, share in (("main", 0.0, 0.3, 0.5), ("fill", 2.4, 0.9, 0.9)):
        around = p.azimuth + turn
        way = np.array([slant * math.cos(around), slant * math.sin(around), -1.0])
        light = spec.worldbody.add_light(name=name, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=way)
        light.pos = middle - 0.5 * extent * way
        light.ambient = (p.ambient if name == "fill" else 0.0) * tint
        light.diffuse, light.specular = share * direct * tint, 0.25 * share * tint
        light.castshadow = name == "main"


def mount(
    body: mujoco.MjsBody,
    name: str,
    lens: Lens,
    pose: tuple[ArrayLike, ArrayLike],
    p: CameraParams,
    *,
    tolerance: float = 0.02,
) -> mujoco.MjsCamera:
    """Add a camera as it was mounted: near the place where it should be.

    Args:
        body: what it is fixed to.
        name: its name.
        lens: its nominal numbers.
        pose: where it should be and what it should look at, both (3,), m, in body.
        p: how well it was mounted.
        tolerance: of its place, m along each axis.
    """
    eye, seen = (np.asarray(v, float) for v in pose)
    lens = lens._replace(focal=lens.focal * p.focal)
    camera = add_camera(body, name, lens, eye, seen)
    right, up = np.reshape(camera.alt.xyaxes, (2, 3))
    frame = np.array([right, up, cross(right, up)])
    turned = _turn(p) @ frame
    camera.alt.xyaxes = turned[:2].ravel()
    camera.pos = eye + tolerance * np.array([p.right, -p.down, -p.ahead]) @ frame
    return camera


def _turn(p: CameraParams) -> Array:
    """Return the axes (3, 3) of a camera that was mounted askew, as rows, in those of one that was not."""
    (cp, sp), (ct, st), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (-p.pan, -p.tilt, -p.roll))
    pan = np.array([[cp, 0.0, -sp], [0.0, 1.0, 0.0], [sp, 0.0, cp]])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, ct, st], [0.0, -st, ct]])
    roll = np.array([[cr, sr, 0.0], [-sr, cr, 0.0], [0.0, 0.0, 1.0]])
    return roll @ tilt @ pan


def grey(reflectance: float) -> Array:
    """Return the colour (3,) in which a camera shows a grey surface of a reflectance (gamma 2.2)."""
    return np.full(3, reflectance ** (1 / 2.2))


def painted(rgb: Sequence[float], p: PaintParams) -> Array:
    """Return a paint's colour (3,) after its years in the shop."""
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
    worn = colorsys.hsv_to_rgb((hue + p.hue) % 1.0, saturation * (1 - p.fade), value * (1 - 0.12 * p.dirt))
    return np.array(worn)


def add_floor_material(spec: mujoco.MjSpec, name: str, p: PaintParams, *, repeat: float) -> str:
    """Add the material of a floor, grey with stains, for a plane or box, and return its name.

    Args:
        spec: the scene.
        name: of material and texture.
        p: how light and dirty it is.
        repeat: how often the pattern is repeated over the floor.
    """
    shade = 1.0 + p.dirt * (0.06 * _stains() - 0.03)
    pixels = np.clip(255 * grey(p.floor) * [1.0, 0.99, 0.965] * shade[..., None], 0, 255).astype(np.uint8)
    add_picture(spec, name, pixels)
    material = spec.add_material(name=name, texrepeat=[repeat, repeat], specular=0.15, shininess=0.3)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = name
    return name


@functools.cache
def _stains() -> Array:
    """Return stains (_GRAIN, _GRAIN) of all sizes, mean 0, spread 1, that repeat without a seam."""
    rng = np.random.default_rng(1)
    wave = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(_GRAIN, 1 / _GRAIN)]))
    spectrum = np.fft.fft2(rng.standard_normal((_GRAIN, _GRAIN))) / np.maximum(wave, 2.0) ** 1.1
    spectrum[0, 0] = 0.0
    field = np.fft.ifft2(spectrum).real
    return field / field.std()
