"""Robot arms as numbers: where their joints are, what their links weigh, what their drives give.

Rule: a published number stands here as published. Rotor inertias, friction, motor constants, windings and servo gains
are seldom published; those are engineering values for motors of the stated torque behind gears of about 100:1.
"""

import math
from typing import NamedTuple

from scenes.machines.arm_looks import SCARA_FOOT, SCARA_PARTS, SEVEN_FOOT, SEVEN_PARTS, SixAxis
from scenes.machines.arm_types import ArmModel, Drive, Link, Part, Vector

_H = math.pi / 2


class _Classic(NamedTuple):
    """A link as published in the classic Denavit-Hartenberg convention: the same chain, cut at the links' far ends."""

    d: float
    a: float
    alpha: float
    mass: float
    com: Vector
    inertia: Vector


def _classic(
    rows: tuple[_Classic, ...], looks: tuple[tuple[Part, ...], ...]
) -> tuple[tuple[Link, ...], tuple[float, float, float]]:
    """Return links and flange of an arm in the classic convention, whose twists are quarter turns."""
    links: list[Link] = []
    a = alpha = 0.0
    for row, parts in zip(rows, looks, strict=True):
        sin, cos = round(math.sin(row.alpha)), round(math.cos(row.alpha))
        x, y, z = row.com
        com = (row.a + x, cos * y - sin * z, sin * y + cos * z)
        ix, iy, iz = row.inertia
        inertia = (ix, iy, iz) if cos else (ix, iz, iy)
        links.append(Link(a, alpha, row.d, row.mass, com, inertia, (1.0, 0.0, 0.0, 0.0), parts))
        a, alpha = row.a, row.alpha
    return tuple(links), (a, alpha, 0.0)


def _six_axis_looks(rows: tuple[_Classic, ...], radius: float, offset: float) -> SixAxis:
    """Return the looks of an arm whose upper arm runs beside its shoulder, by offset, m."""
    return SixAxis(radius, offset, rows[0].d, (rows[1].a, rows[2].a), (rows[3].d, rows[4].d, rows[5].d))


def _turning(limit: float, speed: float, torque: float, *servo: float, thermal: tuple[float, float]) -> Drive:
    """Return a drive that turns limit degrees either way at speed, deg/s; friction 1.5 % of its torque."""
    stiffness, rotor, constant, resistance = servo
    turn, rate = math.radians(limit), math.radians(speed)
    friction, drag = 0.015 * torque, 0.03 * torque / rate  # 1 to 2 % dry, 3 % viscous at full speed: strain wave gears
    return Drive(-turn, turn, rate, torque, stiffness, rotor, friction, drag, constant, resistance, thermal)


# Six axes, 12.5 kg, 1.3 m: kinematics, masses and centres as the maker publishes them for a UR10e (support article
# 45257), torques and speeds from its ROS 2 description, inertias from its MuJoCo Menagerie model.
_M = (
    _Classic(0.1807, 0.0, _H, 7.369, (0.021, 0.0, 0.027), (0.0315, 0.0219, 0.0315)),
    _Classic(0.0, -0.6127, 0.0, 13.051, (0.38, 0.0, 0.158), (0.0364, 0.423, 0.423)),
    _Classic(0.0, -0.57155, 0.0, 3.989, (0.24, 0.0, 0.068), (0.0109, 0.1106, 0.1106)),
    _Classic(0.17415, 0.0, _H, 2.1, (0.0, 0.007, 0.018), (0.0055, 0.0051, 0.0051)),
    _Classic(0.11985, 0.0, -_H, 1.98, (0.0, 0.007, 0.018), (0.0055, 0.0051, 0.0051)),
    _Classic(0.11655, 0.0, 0.0, 0.615, (0.0, 0.0, -0.026), (2.0e-4, 2.0e-4, 2.0e-4)),
)
_M_LOOKS = _six_axis_looks(_M, 0.075, 0.176)
_M_LINKS, _M_FLANGE = _classic(_M, _M_LOOKS.links())
_M_BIG, _M_SMALL = (1.0, 900.0), (2.5, 250.0)
ARM6_M = ArmModel(
    "six-axis arm for 12.5 kg",
    _M_LINKS,
    (
        _turning(360, 120, 330, 2.0e4, 1.6, 13.0, 0.4, thermal=_M_BIG),
        _turning(360, 120, 330, 2.0e4, 1.6, 13.0, 0.4, thermal=_M_BIG),
        _turning(180, 180, 150, 1.2e4, 0.8, 12.0, 0.6, thermal=_M_BIG),  # the elbow meets itself beyond a half turn
        _turning(360, 180, 56, 2.0e3, 0.2, 9.0, 1.5, thermal=_M_SMALL),
        _turning(360, 180, 56, 2.0e3, 0.2, 9.0, 1.5, thermal=_M_SMALL),
        _turning(360, 180, 56, 1.0e3, 0.2, 9.0, 1.5, thermal=_M_SMALL),
    ),
    _M_FLANGE,
    _M_LOOKS.foot(),
    (0.0, -1.4, 1.6, -1.8, -1.57, 0.0),
    12.5,
)

# Six axes, 5 kg, 0.85 m: the same sources for a UR5e; inertias from its ROS 2 description.
_S = (
    _Classic(0.1625, 0.0, _H, 3.761, (0.0, -0.02561, 0.00193), (0.0070, 0.0065, 0.0066)),
    _Classic(0.0, -0.425, 0.0, 8.058, (0.2125, 0.0, 0.11336), (0.0151, 0.3339, 0.3325)),
    _Classic(0.0, -0.3922, 0.0, 2.846, (0.15, 0.0, 0.0265), (0.0040, 0.0788, 0.0785)),
    _Classic(0.1333, 0.0, _H, 1.37, (0.0, -0.0018, 0.01634), (0.00165, 0.00136, 0.00126)),
    _Classic(0.0997, 0.0, -_H, 1.3, (0.0, 0.0018, 0.01634), (0.00136, 0.00128, 0.00097)),
    _Classic(0.0996, 0.0, 0.0, 0.365, (0.0, 0.0, -0.001159), (0.00019, 0.00019, 0.00026)),
)
_S_LOOKS = _six_axis_looks(_S, 0.058, 0.136)
_S_LINKS, _S_FLANGE = _classic(_S, _S_LOOKS.links())
_S_BIG, _S_SMALL = (1.2, 600.0), (3.0, 150.0)
ARM6_S = ArmModel(
    "six-axis arm for 5 kg",
    _S_LINKS,
    (
        _turning(360, 180, 150, 1.0e4, 0.8, 12.0, 0.6, thermal=_S_BIG),
        _turning(360, 180, 150, 1.0e4, 0.8, 12.0, 0.6, thermal=_S_BIG),
        _turning(180, 180, 150, 6.0e3, 0.8, 12.0, 0.6, thermal=_S_BIG),
        _turning(360, 180, 28, 1.0e3, 0.1, 9.0, 2.0, thermal=_S_SMALL),
        _turning(360, 180, 28, 1.0e3, 0.1, 9.0, 2.0, thermal=_S_SMALL),
        _turning(360, 180, 28, 5.0e2, 0.1, 9.0, 2.0, thermal=_S_SMALL),
    ),
    _S_FLANGE,
    _S_LOOKS.foot(),
    (0.0, -1.4, 1.6, -1.8, -1.57, 0.0),
    5.0,
)

# Seven axes with torque sensors, 3 kg, 0.85 m: kinematics, limits and torques from the maker's description of an FR3;
# masses, inertias, rotor inertia, friction and drag from its MuJoCo Menagerie model.
_FR = (  # a, alpha, d
    (0.0, 0.0, 0.333),
    (0.0, -_H, 0.0),
    (0.0, _H, 0.316),
    (0.0825, _H, 0.0),
    (-0.0825, -_H, 0.384),
    (0.0, _H, 0.0),
    (0.088, _H, 0.0),
)
_FR_MASSES = (2.92747, 2.93554, 2.2449, 2.6156, 2.32712, 1.81704, 0.627143)  # kg
_FR_COMS = (  # m
    (4.128e-07, -0.0181251, -0.0386036),
    (0.00318289, -0.0743222, 0.00881461),
    (0.0407016, -0.00482006, -0.0289731),
    (-0.0459101, 0.0630493, -0.00851879),
    (-0.00160396, 0.0292536, -0.0972966),
    (0.0597131, -0.0410295, -0.0101693),
    (0.00452258, 0.00862619, -0.0161633),
)
_FR_INERTIAS = (  # kg m2
    (0.0239286, 0.0227246, 0.00610634),
    (0.0629567, 0.0411924, 0.0246371),
    (0.0267409, 0.0189869, 0.0171587),
    (0.05139, 0.0372717, 0.0160047),
    (0.0579335, 0.0449144, 0.0130634),
    (0.0175039, 0.0161123, 0.00193529),
    (0.000223836, 0.000223642, 5.64132e-07),
)
_FR_AXES = (  # wxyz
    (0.998098, -0.0605364, 0.00380499, 0.0110109),
    (0.502599, 0.584437, -0.465998, 0.434366),
    (0.921025, -0.244161, 0.155272, 0.260745),
    (0.438018, 0.803311, 0.00937812, 0.403414),
    (0.919031, 0.125604, 0.0751531, -0.366003),
    (0.621301, 0.552665, 0.510011, 0.220081),
    (0.727579, 0.0978688, -0.24906, 0.63168),
)
_FR_RANGES = (  # rad
    (-2.7437, 2.7437),
    (-1.7837, 1.7837),
    (-2.9007, 2.9007),
    (-3.0421, -0.1518),
    (-2.8065, 2.8065),
    (0.5445, 4.5169),
    (-3.0159, 3.0159),
)
_FR_SPEEDS = (2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26)  # rad/s
_FR_STIFFNESS = (4500.0, 4500.0, 3500.0, 3500.0, 1000.0, 1000.0, 500.0)  # N m/rad
_FR_FRICTION = (1.137, 1.137, 1.137, 1.137, 0.763, 0.44, 0.248)  # N m
ARM7_S = ArmModel(
    "seven-axis arm for 3 kg",
    tuple(
        Link(*dh, *body)
        for dh, *body in zip(_FR, _FR_MASSES, _FR_COMS, _FR_INERTIAS, _FR_AXES, SEVEN_PARTS, strict=True)
    ),
    tuple(
        Drive(
            *limits,
            speed,
            87.0 if i < 4 else 12.0,
            stiffness,
            0.195 if i < 4 else 0.074,
            friction,
            0.21,
            8.0 if i < 4 else 4.0,
            0.6 if i < 4 else 2.0,
            (1.5, 400.0) if i < 4 else (4.0, 100.0),
        )
        for i, (limits, speed, stiffness, friction) in enumerate(
            zip(_FR_RANGES, _FR_SPEEDS, _FR_STIFFNESS, _FR_FRICTION, strict=True)
        )
    ),
    (0.0, 0.0, 0.107),
    SEVEN_FOOT,
    (0.0, 0.0, 0.0, -1.5708, 0.0, 1.5708, -0.7853),
    3.0,
)

# SCARA, 4 kg, 0.4 m: engineering values for the class with arms of 225 and 175 mm, 17 kg in all, 6 m/s across, 1.1 m/s
# down and 2600 deg/s about the quill. The third joint slides, downwards; the controller hides the spline's coupling.
_LEVEL = (1.0, 0.0, 0.0, 0.0)
SCARA4 = ArmModel(
    "SCARA for 4 kg",
    (
        Link(
            *(0.0, 0.0, 0.30),
            *(4.0, (0.1, 0.0, 0.0), (0.006, 0.025, 0.028), _LEVEL),
            SCARA_PARTS[0],
        ),
        Link(
            *(0.225, 0.0, 0.08),
            *(5.0, (0.07, 0.0, 0.04), (0.02, 0.035, 0.035), _LEVEL),
            SCARA_PARTS[1],
        ),
        Link(*(0.175, math.pi, 0.0), *(0.4, (0.0, 0.0, -0.06), (0.003, 0.003, 1e-4), _LEVEL), SCARA_PARTS[2]),
        Link(
            *(0.0, 0.0, 0.10),
            *(0.2, (0.0, 0.0, -0.02), (1e-4, 1e-4, 5e-5), _LEVEL),
            SCARA_PARTS[3],
        ),
    ),
    (
        Drive(-2.30, 2.30, 7.5, 60.0, 3000.0, 0.5, 0.6, 0.2, 4.0, 0.8, (1.0, 400.0)),
        Drive(-2.62, 2.62, 12.5, 25.0, 800.0, 0.12, 0.3, 0.05, 3.0, 1.0, (1.5, 250.0)),
        Drive(0.0, 0.15, 1.1, 250.0, 2.0e4, 4.0, 3.0, 10.0, 60.0, 1.5, (2.0, 150.0), slides=True),
        Drive(-6.28, 6.28, 45.0, 3.0, 100.0, 3e-3, 0.04, 2e-3, 0.9, 2.0, (3.0, 80.0)),
    ),
    (0.0, 0.0, 0.0),
    SCARA_FOOT,
    (0.4, 1.2, 0.05, 0.0),
    4.0,
)
