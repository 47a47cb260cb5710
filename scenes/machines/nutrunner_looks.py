"""How a screwdriving station looks: frame, feed axis, spindle, bit, jaws with their hoses, workpiece and screw.

Rule: shapes by colour, in the frames of the bodies of `screw_joint` and `nutrunner`; nothing can be touched.
"""

import functools
import itertools
import math

import mujoco
import numpy as np

from scenes import shapes
from scenes.machines.castings import blocks, pipe, post, turned
from scenes.machines.cell import CellLook, add_colours
from scenes.machines.cell_looks import TABLE
from scenes.machines.screw_joint import Joint
from scenes.machines.screw_sizes import Size
from scenes.shapes import Shape
from sim.cameras import label

CAMERA, VIEWED = (0.075, -0.095, 0.150), (0.0, 0.0, 0.0)  # m, in the carriage: a camera beside the spindle
_BACK = 0.135  # m, from the spindle's axis to the column's front
_RINGS = 22
_SPRUNG = 3.5e-3  # m, the nose's usual stroke


def add_looks(spec: mujoco.MjSpec, seat: tuple[float, float, float], joint: Joint, top: float, look: CellLook) -> None:
    """Add what is seen of a station that is in the scene.

    Args:
        spec: the scene.
        seat: where the screw's head belongs (3,), m, world.
        joint: what the screw is made into.
        top: height of the screw's head in the jaws over its seat, m.
        look: how it looks.
    """
    drop = seat[2] - TABLE
    frame = spec.worldbody.add_body(name="frame", pos=seat)
    part = spec.worldbody.add_body(name="workpiece", pos=seat)
    add_colours(spec, frame, _frame(drop), look)
    jaws = frame.add_body(name="jaws", pos=[0, 0, top])
    add_colours(spec, jaws, _jaws(), look)
    add_colours(spec, part, _workpiece(joint, drop), look)
    add_colours(spec, spec.body("carriage"), _carriage(), look)
    add_colours(spec, spec.body("bit"), _bit(joint.size), look)
    add_colours(spec, spec.body("screw"), _head(joint.size), look)
    add_colours(spec, spec.body("shank"), _shank(joint), look)
    for name, body in {
        "frame": "frame", "jaws": "jaws", "workpiece": "workpiece", "nutrunner": "carriage", "screw": "holder"
    }.items():  # fmt: skip
        label(spec, name, body)


@functools.cache
def _frame(drop: float) -> dict[str, Shape]:
    """Return foot, column, rail, lead screw and the cable chain's bracket."""
    b, high = _BACK, 0.72
    foot = blocks((-0.11, 0.11, b - 0.02, b + 0.20, -drop, -drop + 0.02))
    ribs = [
        blocks((s * 0.05 - 0.006, s * 0.05 + 0.006, b + 0.09, b + 0.18, -drop + 0.02, -drop + 0.16)) for s in (-1, 1)
    ]
    column = blocks((-0.055, 0.055, b + 0.012, b + 0.10, -drop + 0.02, high))
    groove = blocks(
        *((s * 0.0555 - 0.0008, s * 0.0555 + 0.0008, b + 0.05, b + 0.06, -drop + 0.03, high - 0.01) for s in (-1, 1))
    )
    rails = blocks(*((s * 0.038 - 0.008, s * 0.038 + 0.008, b, b + 0.012, -0.02, high - 0.03) for s in (-1, 1)))
    drive = pipe(0.007, (0, b + 0.004, 0.0), (0, b + 0.004, high - 0.03), 10)
    cap = blocks((-0.06, 0.06, b - 0.03, b + 0.105, high, high + 0.012))
    motor = blocks((-0.03, 0.03, b - 0.02, b + 0.04, high + 0.012, high + 0.13))
    plate = blocks((-0.022, 0.022, b - 0.0205, b - 0.0195, high + 0.03, high + 0.07))
    stop = blocks((-0.05, -0.02, b - 0.012, b + 0.012, -0.045, -0.02))
    bolts = [
        post(0.008, (s * 0.09, b + y, -drop + 0.02), (s * 0.09, b + y, -drop + 0.03), 6)
        for s in (-1, 1)
        for y in (0.0, 0.18)
    ]
    return {
        "pale": shapes.join(column, cap),
        "anthracite": shapes.join(foot, *ribs),
        "bright": shapes.join(rails, drive, *bolts),
        "dark": shapes.join(groove, motor),
        "yellow": shapes.join(stop, plate),
    }


@functools.cache
def _jaws() -> dict[str, Shape]:
    """Return the sprung jaws in which the feeder's two hoses end, on their bracket; origin where the head waits."""
    half, wide = 0.012, 0.030
    cheeks = blocks(*((*sorted((s * half, s * wide)), -0.016, 0.016, -0.014, 0.006) for s in (-1, 1)))
    springs = [post(0.005, (s * wide, 0, -0.004), (s * (wide + 0.012), 0, -0.004), 10) for s in (-1, 1)]
    bracket = blocks((-0.034, 0.034, 0.018, 0.030, -0.014, 0.006), (-0.016, 0.016, 0.030, _BACK + 0.012, -0.012, 0.002))
    hoses = list[Shape]()
    for s in (-1, 1):
        knots = [
            (s * 0.024, 0.024, 0.006),
            (s * 0.055, 0.045, 0.05),
            (s * 0.085, 0.10, 0.20),
            (s * 0.10, 0.20, 0.42),
            (s * 0.11, 0.34, 0.50),
        ]
        hoses += [pipe(0.0095, a, b, 8) for a, b in itertools.pairwise(knots)]
    collars = [post(0.012, (s * 0.024, 0.024, 0.004), (s * 0.036, 0.032, 0.024), 10) for s in (-1, 1)]
    return {
        "steel": shapes.join(cheeks, bracket),
        "bright": shapes.join(*springs),
        "blue": shapes.join(*hoses),
        "dark": shapes.join(*collars),
    }


@functools.cache
def _carriage() -> dict[str, Shape]:
    """Return the slide with its spindle: transducer, gear, motor, plugs and cable; z from the head's seat."""
    b = _BACK
    slide = blocks(
        (-0.055, 0.055, b - 0.028, b - 0.001, 0.14, 0.34),
        (-0.045, 0.045, 0.03, b - 0.028, 0.155, 0.185),
        (-0.045, 0.045, 0.03, b - 0.028, 0.295, 0.325),
    )
    clamps = blocks((-0.045, 0.045, -0.045, 0.03, 0.158, 0.182), (-0.045, 0.045, -0.045, 0.03, 0.298, 0.322))
    nose = turned([(0.012, 0.0), (0.017, 0.01), (0.017, 0.045), (0.024, 0.05)], (0, 0, 0.085), (0, 0, 0.135))
    body = turned(
        [(0.024, 0.0), (0.027, 0.004), (0.027, 0.06), (0.031, 0.065), (0.031, 0.20), (0.029, 0.203)],
        (0, 0, 0.135),
        (0, 0, 0.338),
    )
    motor = turned(
        [(0.029, 0.0), (0.033, 0.004), (0.033, 0.13), (0.028, 0.14), (0.0, 0.14)], (0, 0, 0.338), (0, 0, 0.478)
    )
    ring = turned([(0.0275, 0.0), (0.0275, 0.01)], (0, 0, 0.190), (0, 0, 0.200))
    screen = blocks((-0.013, 0.013, -0.0355, -0.030, 0.225, 0.262))
    face = blocks((-0.010, 0.010, -0.0362, -0.0355, 0.236, 0.258))
    plug = blocks((0.012, 0.030, 0.012, 0.034, 0.44, 0.475))
    cable = [
        pipe(0.006, p, q, 6)
        for p, q in (
            ((0.021, 0.023, 0.47), (0.03, 0.06, 0.56)),
            ((0.03, 0.06, 0.56), (0.03, 0.11, 0.57)),
            ((0.03, 0.11, 0.57), (0.03, 0.15, 0.46)),
        )
    ]
    eye = np.array(CAMERA)
    away = (eye - VIEWED) / np.linalg.norm(eye - VIEWED)
    camera = shapes.place(shapes.box((0.014, 0.014, 0.02)), eye + 0.024 * away, shapes.turn_z_to(away))
    arm = pipe(0.005, eye + 0.024 * away, (0.03, -0.03, 0.17), 6)
    return {
        "steel": slide,
        "robot": shapes.join(body, clamps),
        "dark": shapes.join(motor, screen, plug, *cable, camera, arm),
        "bright": nose,
        "green": ring,
        "blue": face,
    }


@functools.cache
def _bit(size: Size) -> dict[str, Shape]:
    """Return the bit: a hexagon that reaches into the socket, its shaft and its holder."""
    low = 0.5 * size.diameter + _SPRUNG
    around = np.arange(6) * math.pi / 3
    hexagon = [(size.socket / math.sqrt(3) * math.cos(t), size.socket / math.sqrt(3) * math.sin(t)) for t in around]
    bit = shapes.place(shapes.extrude(hexagon, 0.085 - low), (0, 0, low))
    holder = post(0.0105, (0, 0, 0.095), (0, 0, 0.074), 12)
    mark = blocks((0.0098, 0.0112, -0.002, 0.002, 0.075, 0.094))
    return {"dark": bit, "bright": holder, "yellow": mark}


@functools.cache
def _head(size: Size) -> dict[str, Shape]:
    """Return the head of a socket screw, knurled, with its socket seen from above and one bright mark."""
    r, high = size.head / 2, size.diameter
    profile = [(0.0, 0.0), (r, 0.0), (r, 0.93 * high), (0.93 * r, high), (0.0, high)]
    head = shapes.revolve(profile, 24)
    around = np.arange(6) * math.pi / 3
    hexagon = [(size.socket / math.sqrt(3) * math.cos(t), size.socket / math.sqrt(3) * math.sin(t)) for t in around]
    socket = shapes.place(shapes.extrude(hexagon, 3e-4), (0, 0, high))
    rib, out = shapes.box((2.5e-4, 1.5e-4, 0.33 * high)), 1.003 * r
    turns = np.arange(12) * math.pi / 6
    ribs = [shapes.place(rib, (out * math.cos(t), out * math.sin(t), 0.5 * high)) for t in turns]
    mark = blocks((0.62 * r, 0.9 * r, -0.06 * r, 0.06 * r, high, high + 2e-4))
    return {"steel": head, "dark": shapes.join(socket, *ribs), "pale": mark}


def _shank(joint: Joint) -> dict[str, Shape]:
    """Return the thread, as rings about a pitch apart, as many on every screw, with a chamfered end."""
    r, pitch, length = joint.size.diameter / 2, joint.size.pitch, joint.length
    core = joint.size.pitch_diameter / 2 - 0.32 * pitch
    profile = [(0.0, -length), (0.85 * core, -length), (core, -length + pitch)]
    apart = (length - 2 * pitch) / _RINGS
    for k in range(_RINGS):
        z = -length + pitch + apart * k
        profile += [(core, z), (r, z + 0.45 * apart), (core, z + 0.9 * apart)]
    return {"bright": shapes.revolve([*profile, (core, 2e-3)], 12)}


def _workpiece(joint: Joint, drop: float) -> dict[str, Shape]:
    """Return a plate on a casting in a fixture, with the hole."""
    wide = 0.045
    fixture = _fixture(joint.size, drop)
    casting = blocks((-0.055, 0.055, -0.055, 0.055, -0.05, -joint.grip - 2e-4))
    return fixture | {
        "plate": blocks((-wide, wide, -wide, wide, -joint.grip, 0.0)),
        "anthracite": shapes.join(casting, fixture["anthracite"]),
    }


@functools.cache
def _fixture(size: Size, drop: float) -> dict[str, Shape]:
    """Return what does not depend on the plate's thickness: the fixture with its clamps, and holes in the face."""
    base = blocks(
        (-0.085, 0.085, -0.075, 0.075, -drop, -0.055),
        (-0.095, -0.075, -0.03, 0.03, -0.055, -0.03),
        (0.075, 0.095, -0.03, 0.03, -0.055, -0.03),
    )
    hole = shapes.ring(size.hole / 2 + 4e-4, size.hole / 2, 1.5e-4, 20)
    bore = post(size.hole / 2, (0, 0, -1e-4), (0, 0, 1e-4), 20)
    others = [post(0.0035, (x, y, 0.0), (x, y, 1.5e-4), 12) for x in (-0.033, 0.033) for y in (-0.033, 0.033)]
    grips = [
        part
        for s in (-1, 1)
        for part in (
            blocks((*sorted((s * 0.036, s * 0.084)), -0.010, 0.010, 0.0, 0.010)),
            post(0.007, (s * 0.078, 0.0, -0.03), (s * 0.078, 0.0, 0.016), 10),
        )
    ]
    return {
        "anthracite": base,
        "bright": shapes.join(hole, *grips),
        "dark": shapes.join(bore, *others),
    }
