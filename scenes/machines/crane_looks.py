"""What a crane looks like, part by part, and its cameras "cab" and "hook"; frames and names are those of `crane`.

Counts of parts do not depend on the parameters: scenes of one task have one layout.
"""

import mujoco
import numpy as np

from scenes.machines.look import CameraParams, mount
from scenes.machines.scenery import Kit, Parts, bars, boxes, digits, quads
from scenes.shapes import cylinder, join
from sim.cameras import Lens

_GAUGE = 1.3  # m, from the bridge's middle to a girder's
_CAB = (2.9, 1.5, -2.35)  # m: along the runway, across the bay from the rail at y 0, down from the sheaves
_CAB_LENS = Lens(3.5e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.3, 65.535)  # 1/1.8 inch, 3.45 um, fixed lens of 3.5 mm
_HOOK_LENS = Lens(6.0e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.3, 32.7675)  # the same sensor, 6 mm
_REACH = 13.5  # m, longest way of rope beside the girders


def _bridge(span: float) -> Parts:
    """Return two box girders, end carriages on their wheels, a walkway with its railing, the cab and a plate."""
    half = span / 2
    girders = boxes([(s * _GAUGE, 0, -0.2, 0.3, half, 0.7) for s in (-1, 1)])
    flanges = boxes([(s * _GAUGE, 0, z, 0.38, half, 0.025) for s in (-1, 1) for z in (0.52, -0.92)])
    ribs = [(s * 1.61, y * half) for s in (-1, 1) for y in np.linspace(-0.85, 0.85, 6)]
    stiffeners = bars([(x, y, -0.88, x, y, 0.48) for x, y in ribs], 0.03)
    carriages = boxes([(0, s * half, -0.22, 2.3, 0.32, 0.28) for s in (-1, 1)])
    wheels = boxes([(x, s * half, -0.48, 0.26, 0.09, 0.12) for x in (-1.9, 1.9) for s in (-1, 1)])
    buffers = boxes([(s * 2.42, t * half, -0.22, 0.12, 0.14, 0.14) for s in (-1, 1) for t in (-1, 1)])
    rails = boxes([(s * _GAUGE, 0, 0.58, 0.04, half, 0.04) for s in (-1, 1)])
    deck = boxes([(-2.15, 0, -0.55, 0.5, half, 0.03)])
    posts = [(-2.62, y * half, -0.55, -2.62, y * half, 0.55) for y in np.linspace(-0.98, 0.98, 12)]
    hand = [(-2.62, -half, z, -2.62, half, z) for z in (0.0, 0.55)]
    plates = [
        digits("55 t", (s * 1.65, t * 0.3 * half, -0.15), (0, s, 0), (0, 0, 1), 0.85) for s in (-1, 1) for t in (-1, 1)
    ]
    x, y, z = _CAB[0], _CAB[1] - half, _CAB[2]
    return [
        ("yellow", join(girders, flanges, stiffeners, carriages, bars(posts + hand, 0.025))),
        ("dark", join(wheels, deck)),
        ("rubber", buffers),
        ("steel", rails),
        ("black", join(*plates)),
        *_cab_parts(x, y, z),
    ]


def _cab_parts(x: float, y: float, z: float) -> Parts:
    """Return the operator's cab round its camera: roof, floor, low walls, posts, and what it hangs from."""
    corners = [(x + s * 0.75, y + t * 0.9) for s in (-1, 1) for t in (-1, 1)]
    frame = bars([(a, b, z - 1.3, a, b, z + 0.75) for a, b in corners], 0.05)
    shell = boxes([(x, y, z + 0.8, 0.85, 1.0, 0.06), (x, y - 0.2, z - 1.33, 0.8, 0.75, 0.04)])
    back = boxes([(x, y - 0.92, z - 0.3, 0.75, 0.03, 1.0)])
    sides = boxes([(x + s * 0.77, y - 0.35, z - 0.95, 0.02, 0.55, 0.4) for s in (-1, 1)])
    hangers = boxes([(x - 0.9, y + t * 0.7, z + 1.3, 0.1, 0.1, 0.5) for t in (-1, 1)])
    beam = boxes([(x - 0.7, y + t * 0.7, z + 1.75, 0.9, 0.08, 0.08) for t in (-1, 1)])
    return [("white", join(shell, back, sides)), ("dark", join(frame, hangers, beam))]


def _trolley() -> Parts:
    """Return frame, wheels, rope drum with motor and gears, and the tray over the ropes beside the girders."""
    frame = boxes([(s * _GAUGE, 0, 0.82, 0.22, 1.5, 0.14) for s in (-1, 1)])
    cross = boxes([(0, y, 0.86, 1.3, 0.16, 0.12) for y in (-1.3, 0.75, 1.3)])
    wheels = boxes([(s * _GAUGE, y, 0.70, 0.10, 0.22, 0.10) for s in (-1, 1) for y in (-1.2, 1.2)])
    drum = cylinder(0.42, (-0.95, -0.55, 1.35), (0.95, -0.55, 1.35), 14)
    motor = cylinder(0.26, (0.1, 0.65, 1.3), (0.95, 0.65, 1.3), 10)
    gears = boxes([(1.2, 0.0, 1.3, 0.22, 0.8, 0.42), (-1.15, -0.55, 1.2, 0.14, 0.3, 0.35)])
    panel = boxes([(-0.75, 0.75, 1.45, 0.35, 0.3, 0.5)])
    sheaves = join(
        *(cylinder(0.30, (x - 0.06, y, 0.28), (x + 0.06, y, 0.28), 8) for x in (-0.5, 0.5) for y in (-0.35, 0.35))
    )
    tray = boxes([(0, -1.2 - _REACH / 2, -0.09, 0.66, _REACH / 2, 0.03)])
    hangers = boxes([(s * 0.75, y, 0.45, 0.05, 0.12, 0.4) for s in (-1, 1) for y in (-0.35, 0.35)])
    return [
        ("yellow", join(gears, cross)),
        ("dark", join(frame, wheels, sheaves, tray, hangers)),
        ("steel", drum),
        ("blue", motor),
        ("grey", panel),
    ]


def _block(drop: float) -> Parts:
    """Return the hook block: cheeks with stripes, sheaves, and the shank to the pin, that far below the falls' ends."""
    cheeks = boxes([(0, s * 0.40, -0.06, 0.66, 0.035, 0.26) for s in (-1, 1)])
    caps = boxes([(s * 0.62, 0, -0.06, 0.05, 0.40, 0.24) for s in (-1, 1)])
    stripes = [_stripe(x, s * 0.44, s) for s in (-1, 1) for x in (-0.44, -0.04, 0.36)]
    sheaves = join(
        *(cylinder(0.22, (x, y - 0.05, 0.0), (x, y + 0.05, 0.0), 8) for x in (-0.3, 0.3) for y in (-0.25, 0.25))
    )
    axle = boxes([(0, 0, -0.02, 0.5, 0.36, 0.05)])
    shank = cylinder(0.11, (0, 0, -drop - 0.05), (0, 0, -0.2), 10)
    return [("yellow", join(cheeks, caps)), ("black", quads(stripes)), ("dark", join(sheaves, shank)), ("steel", axle)]


def _stripe(x: float, y: float, side: float) -> list[tuple[float, float, float]]:
    """Return a slanted stripe on a cheek."""
    corners = [(x - 0.12, y, -0.30), (x + 0.02, y, -0.30), (x + 0.20, y, 0.18), (x + 0.06, y, 0.18)]
    return corners if side < 0 else [corners[i] for i in (1, 0, 3, 2)]


def add_cameras(spec: mujoco.MjSpec, p: CameraParams, span: float) -> None:
    """Add camera "cab", the operator's view past the load, and "hook", which looks straight down from the trolley."""
    eye = np.array([_CAB[0], _CAB[1] - span / 2 + 1.4, _CAB[2]])
    mount(spec.body("bridge"), "cab", _CAB_LENS, (eye, eye + np.array([-3.2, 6.0, -6.5])), p)
    mount(spec.body("trolley"), "hook", _HOOK_LENS, ((0, 0, -0.05), (0, 0, -5)), p, tolerance=0.01)


BRIDGE, TROLLEY, BLOCK = Kit(_bridge, (20.0, 35.0)), Kit(_trolley), Kit(_block, (0.3, 0.5))
