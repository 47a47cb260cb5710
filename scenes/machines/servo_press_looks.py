"""What a servo press with a shuttle looks like, by colour, and its cameras; frames are those of `servo_press`.

Rule: nothing here is touched. Heights count from the housings' mouths, except on the ram: from the tool's face.
"""

import functools
import math

import mujoco

from scenes import shapes
from scenes.machines.castings import blocks, pipe, post, turned
from scenes.machines.cell import CellLook, add_colours
from scenes.machines.cell_looks import TABLE
from scenes.machines.interference import CHIP_OUT, NESTS, PITCH, Fit
from scenes.machines.look import mount
from scenes.machines.servo_press import MOUTH
from scenes.shapes import Shape
from sim.cameras import Lens, label

# Sensors of 2/3" and 1/2.9" with pixels of 3.45 um (IMX264, IMX273), fixed lenses; depth in steps of 0.1 mm.
_OVERVIEW = Lens(8e-3, (8.446e-3, 7.066e-3), (2448, 2048), 0.10, 6.5535)
_CLOSE = Lens(6e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
_RAM = Lens(6e-3, (4.968e-3, 3.726e-3), (1440, 1080), 0.02, 6.5535)
_FLOOR = TABLE - MOUTH  # m, table top
_PLATE = -0.045  # m, pallet's top
_Looks = dict[str, Shape]


def add_looks(spec: mujoco.MjSpec, fit: Fit, place: tuple[float, float], look: CellLook) -> None:
    """Dress press, pallet, housings, bushes and chips, and name their classes.

    Args:
        spec: the scene, with what is dressed.
        fit: by the drawing.
        place: the press's axis, x and y, m.
        look: how the station looks.
    """
    frame = spec.worldbody.add_body(name="frame", pos=[*place, MOUTH])
    add_colours(spec, frame, _frame(), look)
    add_colours(spec, spec.body("ram"), _ram(), look)
    add_colours(spec, spec.body("tool"), _tool(round(fit.diameter, 6)), look)
    pallet = _pallet() | {"plate": shapes.join(_pallet()["plate"], *(_housing(fit, side) for side in (-1, 1)))}
    add_colours(spec, spec.body("pallet"), pallet, look)
    bush = shapes.place(shapes.ring(fit.diameter / 2, 0.3 * fit.diameter, fit.depth, 32))
    flake = shapes.box((0.003, 0.0012, 0.0002), (0, 0, 0.0002))
    for i in NESTS:
        add_colours(spec, spec.body(f"part{i}"), {"bright": bush}, look)
        add_colours(spec, spec.body(f"chip{i}"), {"bright": flake}, look)
    label(spec, "press", "frame", "ram")
    label(spec, "pallet", "pallet")
    label(spec, "part", *(f"part{i}" for i in NESTS))
    label(spec, "chip", *(f"chip{i}" for i in NESTS))


def add_cameras(spec: mujoco.MjSpec, place: tuple[float, float], look: CellLook) -> None:
    """Add cameras "overview", on a post of the guarding, "close", beside the throat, and "ram", which goes with it."""
    x, y = place
    world = spec.worldbody
    mount(world, "overview", _OVERVIEW, ((x + 1.25, y - 1.15, 1.75), (x - 0.05, y, 1.25)), look.overview)
    mount(
        world, "close", _CLOSE, ((x + 0.34, y - 0.22, MOUTH + 0.20), (x, y, MOUTH + 0.03)), look.close, tolerance=5e-3
    )
    mount(spec.body("ram"), "ram", _RAM, ((0.10, 0.0, 0.16), (0.0, 0.0, 0.0)), look.wrist, tolerance=2e-3)


@functools.cache
def _frame() -> _Looks:
    """Return a C-frame on its base, with guide, spindle and motor, rails, light curtain, panel, air and buttons."""
    low, top = _FLOOR, 0.86
    base = blocks((-0.32, 0.14, -0.24, 0.24, low, low + 0.075))
    cheeks = [blocks((-0.32, -0.13, s * 0.085 - 0.022, s * 0.085 + 0.022, low + 0.075, top)) for s in (-1, 1)]
    back = blocks((-0.32, -0.28, -0.085, 0.085, low + 0.075, top))
    head = blocks((-0.32, 0.075, -0.107, 0.107, 0.46, top))
    hood = blocks((-0.30, 0.085, -0.10, 0.10, top, top + 0.03))
    fillets = [_gusset(s * 0.085) for s in (-1, 1)]
    guide = blocks((-0.055, 0.055, -0.055, 0.055, 0.40, 0.46))
    cover = blocks((-0.02, 0.077, -0.08, 0.08, 0.52, 0.80))
    slots = blocks(*((0.077, 0.079, -0.06, 0.06, z, z + 0.012) for z in (0.56, 0.59, 0.62)))
    motor = turned(
        [(0.0, 0), (0.07, 0.0), (0.07, 0.20), (0.055, 0.23), (0.0, 0.23)],
        (-0.19, 0, top + 0.03),
        (-0.19, 0, top + 0.26),
    )
    belt = blocks((-0.26, 0.06, -0.075, 0.075, top + 0.03, top + 0.07))
    spindle = post(0.045, (0, 0, top + 0.07), (0, 0, top + 0.12), 16)
    rails = blocks(*((x - 0.012, x + 0.012, -0.235, 0.235, low + 0.075, low + 0.095) for x in (-0.06, 0.06)))
    stops = blocks(*((-0.03, 0.03, s * 0.235 - 0.008, s * 0.235 + 0.008, low + 0.075, low + 0.11) for s in (-1, 1)))
    bolts = [post(0.009, (x, y, low + 0.075), (x, y, low + 0.083), 6) for x in (-0.29, 0.12) for y in (-0.21, 0.21)]
    posts = blocks(*((0.12, 0.14, s * 0.27 - 0.015, s * 0.27 + 0.015, low, 0.42) for s in (-1, 1)))
    lenses = blocks(*((0.125, 0.135, s * 0.254 - 0.0015, s * 0.254 + 0.0015, low + 0.05, 0.40) for s in (-1, 1)))
    arm = [pipe(0.012, (-0.05, 0.107, 0.70), (-0.05, 0.25, 0.70)), pipe(0.012, (-0.05, 0.25, 0.70), (0.05, 0.25, 0.60))]
    panel = shapes.place(blocks((-0.012, 0.012, -0.12, 0.12, -0.08, 0.08)), (0.06, 0.27, 0.56), _turned(-0.5))
    screen = shapes.place(blocks((0.012, 0.0135, -0.105, 0.105, -0.065, 0.065)), (0.06, 0.27, 0.56), _turned(-0.5))
    trace = shapes.place(blocks((0.0135, 0.014, -0.09, 0.05, -0.04, -0.034), (0.0135, 0.014, 0.04, 0.05, -0.04, 0.04)),
                         (0.06, 0.27, 0.56), _turned(-0.5))  # fmt: skip
    desk = blocks((0.16, 0.26, -0.26, -0.17, low, low + 0.05), (0.16, 0.26, 0.17, 0.26, low, low + 0.05))
    buttons = [post(0.018, (0.21, s * 0.215, low + 0.05), (0.21, s * 0.215, low + 0.065), 12) for s in (-1, 1)]
    stop = post(0.02, (0.081, -0.08, 0.5), (0.10, -0.08, 0.5), 12)
    tower = [post(0.012, (-0.28, 0.08, top), (-0.28, 0.08, top + 0.12))]
    lamps = {
        name: turned([(0.022, 0), (0.022, 0.045), (0.0, 0.045)], (-0.28, 0.08, z), (-0.28, 0.08, z + 0.045), 12)
        for name, z in (("green", top + 0.12), ("amber", top + 0.165), ("red", top + 0.21))
    }
    hose = [
        pipe(0.005, (-0.06, -0.07, 0.46), (-0.06, -0.07, 0.16)),
        pipe(0.004, (-0.06, -0.07, 0.16), (-0.022, -0.026, 0.09)),
    ]
    chain = blocks((-0.36, -0.32, -0.06, 0.0, low + 0.05, 0.8))
    return {
        "robot": shapes.join(base, *cheeks, back, head, *fillets, desk),
        "anthracite": shapes.join(hood, cover, belt, guide, chain, *arm),
        "dark": shapes.join(motor, slots, lenses, screen, *tower),
        "bright": shapes.join(rails, spindle, *bolts),
        "steel": stops,
        "yellow": posts,
        "pale": panel,
        "blue": shapes.join(*hose),
        "green": shapes.join(lamps["green"], trace, *buttons),
        "amber": lamps["amber"],
        "red": shapes.join(lamps["red"], stop),
    }


def _gusset(y: float) -> Shape:
    """Return the web in the throat's upper corner, at some place across."""
    web = shapes.extrude([(-0.13, 0.46), (-0.13, 0.33), (-0.02, 0.46)], 0.044)
    half = math.sqrt(0.5)
    return shapes.place(web, (0, y + 0.022, 0), (half, half, 0, 0))


def _turned(angle: float) -> tuple[float, float, float, float]:
    """Return the quaternion of a turn about the vertical."""
    return math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)


@functools.cache
def _ram() -> _Looks:
    """Return the guided ram, from the load cell up; it is as long as the head is high."""
    rod = blocks((-0.035, 0.035, -0.035, 0.035, 0.15, 0.66))
    flange = turned([(0.0, 0), (0.05, 0.0), (0.05, 0.02), (0.0, 0.02)], (0, 0, 0.14), (0, 0, 0.16), 16)
    scale = blocks((-0.012, 0.012, 0.035, 0.038, 0.17, 0.64))
    bracket = blocks((0.03, 0.12, -0.012, 0.012, 0.165, 0.177))
    camera = blocks((0.085, 0.125, -0.018, 0.018, 0.177, 0.225))
    return {"bright": shapes.join(rod, flange), "dark": scale, "anthracite": shapes.join(bracket, camera)}


@functools.lru_cache(maxsize=8)
def _tool(diameter: float) -> _Looks:
    """Return the load cell and the punch below it."""
    cell = turned(
        [(0.0, 0), (0.042, 0), (0.045, 0.004), (0.045, 0.034), (0.042, 0.038), (0.0, 0.038)],
        (0, 0, 0.102),
        (0, 0, 0.14),
        16,
    )
    plug = pipe(0.006, (0, 0.044, 0.12), (0, 0.065, 0.12))
    r = 0.46 * diameter
    punch = [(0.0, 0), (r - 0.001, 0), (r, 0.001), (r, 0.05), (0.028, 0.075), (0.028, 0.102)]
    return {"blue": cell, "dark": plug, "steel": turned(punch, (0, 0, 0), (0, 0, 0.102), 20)}


@functools.cache
def _pallet() -> _Looks:
    """Return the pallet on its carriages, with a nest plate and a chip tray at each nest."""
    plate = blocks((-0.095, 0.095, -0.135, 0.135, _PLATE - 0.022, _PLATE))
    cars = blocks(
        *(
            (x - 0.022, x + 0.022, y - 0.03, y + 0.03, _FLOOR + 0.085, _PLATE - 0.022)
            for x in (-0.06, 0.06)
            for y in (-0.09, 0.09)
        )
    )
    trays = blocks(
        *(
            (CHIP_OUT - 0.012, CHIP_OUT + 0.014, s * PITCH / 2 - 0.02, s * PITCH / 2 + 0.02, _PLATE, _PLATE + 0.022)
            for s in (-1, 1)
        )
    )
    clamps = [
        blocks((-0.062, -0.04, y - 0.007, y + 0.007, _PLATE, _PLATE + 0.018))
        for y in (s * PITCH / 2 + t * 0.028 for s in (-1, 1) for t in (-1, 1))
    ]
    gauges = [post(0.006, (-0.08, s * PITCH / 2, _PLATE), (-0.08, s * PITCH / 2, _PLATE + 0.075), 10) for s in (-1, 1)]
    eyes = blocks(
        *(
            (-0.083, -0.072, s * PITCH / 2 - 0.009, s * PITCH / 2 + 0.009, _PLATE + 0.06, _PLATE + 0.085)
            for s in (-1, 1)
        )
    )
    dots = ((-0.1305, -0.1225), (0.11, 0.118), (0.122, 0.13))
    marks = blocks(*((-0.09, -0.075, *dot, _PLATE, _PLATE + 0.001) for dot in dots))  # one for nest 1, two for nest 2
    return {
        "plate": plate,
        "dark": shapes.join(cars, eyes),
        "anthracite": trays,
        "bright": shapes.join(*gauges),
        "red": shapes.join(*clamps),
        "yellow": marks,
    }


def _housing(fit: Fit, side: int) -> Shape:
    """Return the housing of a nest: a turned ring with a chamfered bore and a shoulder in it, on a flange."""
    outer, bore, foot = fit.outer / 2, fit.diameter / 2, -fit.depth
    rim = bore + 0.4 * fit.lead_in
    wall = [
        (0.0, foot), (bore, foot), (bore, -fit.lead_in), (rim, 0.0), (outer - 0.001, 0.0), (outer, -0.001),
        (outer, _PLATE + 0.012), (outer + 0.006, _PLATE + 0.012), (outer + 0.006, _PLATE),
    ]  # fmt: skip
    return shapes.place(shapes.revolve(wall[::-1], 32), (0, side * PITCH / 2, 0))
