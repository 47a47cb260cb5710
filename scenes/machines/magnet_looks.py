"""What a magnet beam looks like, and the camera on it; frames and names are those of `magnet`."""

import mujoco

from scenes.machines.look import CameraParams, mount
from scenes.machines.scenery import Kit, Parts, bars, boxes
from scenes.shapes import cylinder, join
from sim.cameras import Lens

_LENS = Lens(3.5e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.1, 32.7675)  # 1/1.8 inch, 3.45 um, fixed lens of 3.5 mm
_LOW, _HIGH = -0.98, -0.62  # m, of the beam below the pin


def _beam(reach: float) -> Parts:
    """Return the fixed middle of the beam, the arms drawn out of it, its hanger, cabinets and cable reel.

    Args:
        reach: from the middle to the last magnet, m.
    """
    middle, up = (_LOW + _HIGH) / 2, (_HIGH - _LOW) / 2
    body = [(0, s * 0.20, middle, 0.62 * reach, 0.025, up) for s in (-1, 1)]
    flanges = [(0, 0, z, 0.62 * reach, 0.27, 0.02) for z in (_LOW, _HIGH)]
    arms = [(s * 0.72 * reach, 0, middle, 0.33 * reach, 0.13, 0.11) for s in (-1, 1)]
    carriers = [(f * reach, 0, _LOW - 0.03, 0.10, 0.36, 0.05) for f in (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)]
    hanger = bars([(s * 0.55, t * 0.2, _HIGH, 0.0, t * 0.06, -0.05) for s in (-1, 1) for t in (-1, 1)], 0.045)
    ends = [(s * reach, 0, middle, 0.05, 0.15, 0.13) for s in (-1, 1)]
    stripes = [
        (s * f * reach, t * 0.227, middle, 0.05, 0.003, up) for s in (-1, 1) for f in (0.3, 0.5) for t in (-1, 1)
    ]
    reel = cylinder(0.30, (0.85, -0.12, _HIGH + 0.32), (0.85, 0.12, _HIGH + 0.32), 16)
    box = [(-0.9, 0, _HIGH + 0.22, 0.32, 0.20, 0.20)]
    pin = cylinder(0.08, (0, -0.18, 0.0), (0, 0.18, 0.0), 10)
    return [
        ("yellow", boxes([*body, *flanges])),
        ("dark", join(boxes([*arms, *carriers]), hanger, pin)),
        ("red", boxes(ends)),
        ("black", join(boxes(stripes), reel)),
        ("grey", boxes(box)),
    ]


def _magnet() -> Parts:
    """Return a magnet above its face: yoke, the two poles with the coil between them, its pins and cable box."""
    yoke = boxes([(0, 0, 0.22, 0.25, 0.40, 0.08)])
    poles = boxes([(s * 0.185, 0, 0.075, 0.065, 0.40, 0.075) for s in (-1, 1)])
    faces = boxes([(s * 0.185, 0, 0.004, 0.066, 0.401, 0.006) for s in (-1, 1)])
    coil = boxes([(0, 0, 0.085, 0.12, 0.42, 0.055)])
    pins = join(*(cylinder(0.035, (0, y, 0.28), (0, y, 0.46), 8) for y in (-0.3, 0.3)))
    terminals = boxes([(0, 0.43, 0.2, 0.09, 0.04, 0.06)])
    return [
        ("blue", yoke),
        ("dark", join(poles, pins)),
        ("bright", faces),
        ("orange", coil),
        ("grey", terminals),
    ]


def add_camera(spec: mujoco.MjSpec, p: CameraParams, reach: float) -> None:
    """Add camera "magnets", which looks along the magnets from an end of the beam.

    Args:
        spec: the scene, with the beam.
        p: how it is mounted.
        reach: from the beam's middle to the last magnet, m.
    """
    eye = (reach + 1.1, -1.5, -0.35)
    mount(spec.body("beam"), "magnets", _LENS, (eye, (-0.3 * reach, 0.0, -1.6)), p, tolerance=0.01)


BEAM, MAGNET = Kit(_beam, (2.25, 4.5)), Kit(_magnet)
