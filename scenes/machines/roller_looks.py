"""What a roller table looks like, with its guides, stopper and photocells, and its cameras; frames are the machines'.

Counts of parts do not depend on the parameters: scenes of one task have one layout.
"""

import mujoco
import numpy as np

from scenes.machines.look import CameraParams, mount
from scenes.machines.roller_stops import REACH, STROKE
from scenes.machines.roller_table import BARREL, DRIVES, EACH, PASS, ROLLERS, RollerTableParams
from scenes.machines.roller_tracking import BEFORE
from scenes.machines.scenery import Kit, Parts, add_parts, bars, boxes, quads
from scenes.shapes import Shape, cylinder, join
from sim.cameras import Lens, label

_WIDE = Lens(3.5e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.3, 65.535)  # 1/1.8 inch, 3.45 um, fixed lens of 3.5 mm
_NARROW = Lens(6.0e-3, (7.07e-3, 5.30e-3), (2048, 1536), 0.3, 32.7675)  # the same sensor, 6 mm
_FRAME = BARREL + 0.22  # m from the middle to a side frame
_MAST = BARREL + 0.75
_SIZES = (0.6, 1.0), (0.25, 0.40)  # m: pitch and diameter
_NEAR = 0.21  # m from the mark to the middle between two rollers where the stopper comes up


def add_looks(spec: mujoco.MjSpec, p: CameraParams, table: RollerTableParams, *, mark: float, stopper: float) -> None:
    """Dress the table, its guides and its stopper, which are in the scene, and add the cameras.

    Args:
        spec: the scene.
        p: how well cameras are mounted.
        table: the table.
        mark: where heads shall stop, m along the table.
        stopper: near face of the stopper, m along the table.
    """
    body, sizes = spec.body("table"), (table.pitch, table.diameter)
    add_parts(spec, body, ROLLS, sizes, name="rollers")
    add_parts(spec, body, FRAMES, sizes, name="frames")
    for name, side in (("guide_left", 1), ("guide_right", -1)):
        add_parts(spec, spec.body(name), GUIDES[side], name=name)
    add_parts(spec, spec.body("stopper"), STOPPER, name="stopper")
    label(spec, "roller_table", "table", *DRIVES)
    label(spec, "guide", "guide_left", "guide_right")
    label(spec, "stopper", "stopper")
    world = spec.worldbody
    mount(world, "overview", _WIDE, ((mark - 2.0, -9.5, 6.5), (mark - 7.0, 0.0, 0.8)), p)
    mount(world, "pulpit", _WIDE, ((stopper + 2.6, 2.6, 4.4), (mark - 6.0, 0.0, PASS)), p)
    mount(world, "mark", _NARROW, ((mark - 0.2, -2.6, 3.4), (mark - 0.2, 0.0, PASS)), p, tolerance=0.01)
    mount(spec.body("guide_left"), "beside", _WIDE, ((-REACH / 2 - 0.6, 0.9, 1.3), (0.4, -0.7, 0.1)), p, tolerance=0.01)


def _rolls(pitch: float, diameter: float) -> Parts:
    """Return the rollers with their necks."""
    z = PASS - diameter / 2
    at = pitch * (np.arange(ROLLERS) + 0.5)
    barrels = [cylinder(diameter / 2, (x, -BARREL, z), (x, BARREL, z), 12) for x in at]
    necks = boxes([(x, 0.0, z, 0.05, BARREL + 0.45, 0.05) for x in at])
    return [("steel", join(*barrels)), ("bright", necks)]


def _frames(pitch: float, diameter: float) -> Parts:
    """Return side frames, bearings, motors with gears, aprons below, photocells on masts, and the mark."""
    z, length = PASS - diameter / 2, ROLLERS * pitch
    at = pitch * (np.arange(ROLLERS) + 0.5)
    beams = boxes([(length / 2, s * _FRAME, z - 0.32, length / 2, 0.14, 0.2) for s in (-1, 1)])
    feet = boxes([(x, s * _FRAME, (z - 0.5) / 2, 0.12, 0.2, (z - 0.5) / 2) for x in at[::2] for s in (-1, 1)])
    bearings = boxes([(x, s * _FRAME, z, 0.12, 0.11, 0.12) for x in at for s in (-1, 1)])
    motors = boxes([(x, _FRAME + 0.55, z - 0.02, 0.13, 0.26, 0.13) for x in at])
    stands = boxes([(x, _FRAME + 0.55, (z - 0.15) / 2, 0.10, 0.2, (z - 0.15) / 2) for x in at])
    groups = [EACH * pitch * k for k in range(1, ROLLERS // EACH)]
    panels = boxes([(x, _FRAME + 1.15, 0.75, 0.3, 0.2, 0.75) for x in groups])
    apron = boxes([(length / 2, 0.0, 0.28, length / 2, BARREL - 0.1, 0.03)])
    rail = [(0.0, s * (_MAST + 0.9), h, length, s * (_MAST + 0.9), h) for s in (-1,) for h in (0.55, 1.1)]
    posts = [(x, -_MAST - 0.9, 0.0, x, -_MAST - 0.9, 1.1) for x in at[::3]]
    mark = (ROLLERS - 2) * pitch - _NEAR
    return [
        ("blue", join(beams, feet)),
        ("dark", join(bearings, stands, apron)),
        ("green", motors),
        ("grey", panels),
        ("yellow", join(bars(rail + posts, 0.025), _masts(mark))),
        ("white", boxes([(mark, s * (_FRAME + 0.02), z - 0.1, 0.02, 0.16, 0.03) for s in (-1, 1)])),
        ("black", _eyes(mark)),
    ]


def _masts(mark: float) -> Shape:
    """Return the posts of the photocells."""
    return boxes([(mark - b, s * (_MAST + 0.12), 0.6, 0.04, 0.04, 0.6) for b in BEFORE for s in (-1, 1)])


def _eyes(mark: float) -> Shape:
    """Return the photocells and the lamps that test them."""
    return boxes([(mark - b, s * (_MAST + 0.12), 1.12, 0.07, 0.10, 0.09) for b in BEFORE for s in (-1, 1)])


def _guide(side: int) -> Parts:
    """Return a guide: its plate with stripes, a back with ribs, and two cylinders outwards."""
    half, out = REACH / 2, side
    plate = boxes([(0, out * 0.05, 0.0, half, 0.05, 0.052)])
    back = boxes([(0, out * 0.20, 0.0, half, 0.10, 0.045)])
    ribs = boxes([(x, out * 0.20, 0.06, 0.05, 0.12, 0.05) for x in np.linspace(-0.9, 0.9, 7) * half])
    rods = [cylinder(0.05, (x, out * 0.3, 0.0), (x, out * 1.1, 0.0), 8) for x in (-0.6 * half, 0.6 * half)]
    stripes = [_stripe(x, out) for x in np.arange(-half + 0.2, half - 0.2, 0.5)]
    return [("yellow", join(plate, back)), ("dark", ribs), ("bright", join(*rods)), ("black", quads(stripes))]


def _stripe(x: float, out: int) -> list[tuple[float, float, float]]:
    """Return a stripe across the top of a guide's plate."""
    corners = [(x, 0.0, 0.056), (x + 0.2, 0.0, 0.056), (x + 0.3, out * 0.1, 0.056), (x + 0.1, out * 0.1, 0.056)]
    return corners if out > 0 else corners[::-1]


def _stopper() -> Parts:
    """Return the stopper: a block with a hard face, striped on top."""
    block = boxes([(0.01, 0, 0, 0.05, 0.5, STROKE / 2)])
    face = boxes([(-0.05, 0, 0.02, 0.01, 0.48, STROKE / 2 - 0.04)])
    high = STROKE / 2 + 0.002
    stripes = [
        [(-0.04, y, high), (0.06, y + 0.06, high), (0.06, y + 0.16, high), (-0.04, y + 0.10, high)]
        for y in np.arange(-0.48, 0.3, 0.2)
    ]
    return [("yellow", block), ("bright", face), ("black", quads(stripes))]


ROLLS, FRAMES, STOPPER = Kit(_rolls, *_SIZES), Kit(_frames, *_SIZES), Kit(_stopper)
GUIDES = {side: Kit(lambda side=side: _guide(side)) for side in (1, -1)}
