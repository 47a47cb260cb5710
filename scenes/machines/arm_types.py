"""What describes a kind of robot arm: its links, its drives, where its flange is.

Kinematics follow Craig's modified Denavit-Hartenberg convention, in which a link's frame lies on its own joint: a link
is reached from the one before by Rx(alpha) Tx(a), then the joint's own Rz(theta) Tz(d).
"""

from typing import NamedTuple

Vector = tuple[float, float, float]
Quat = tuple[float, float, float, float]


class Part(NamedTuple):
    """A piece of what is seen of a link, turned or cast; `scenes.machines.castings` makes it.

    Attributes:
        kind: "housing", "barrel", "stub", "tube", "beam", "foot", "disc", "rod" or "hose".
        radius: m.
        start: one end, m, in the link's frame; a housing's seam is there.
        end: the other; a housing's cap is there.
        far: radius at the end, m, where it differs; of a hose's clamps.
    """

    kind: str
    radius: float
    start: Vector
    end: Vector
    far: float = 0.0


class Link(NamedTuple):
    """A link, in its own frame: origin on the joint, z along its axis.

    Attributes:
        a: m, to the joint from the one before, along the x of the latter.
        alpha: rad, between the two axes.
        d: m, along this axis; where this joint turns.
        mass: kg.
        com: centre of mass, m.
        inertia: principal moments about it, kg m2.
        axes: the principal axes.
        parts: what is seen.
    """

    a: float
    alpha: float
    d: float
    mass: float
    com: Vector
    inertia: Vector
    axes: Quat
    parts: tuple[Part, ...]


class Drive(NamedTuple):
    """A joint's motor, gear and servo as seen at the joint; of a joint that slides, N for N m and m for rad.

    Attributes:
        low: least joint position, rad.
        high: greatest joint position, rad.
        speed: greatest, rad/s.
        torque: greatest, N m.
        stiffness: of the position servo, N m/rad.
        rotor: inertia of rotor and gear, kg m2.
        friction: Coulomb friction, N m.
        drag: viscous friction, N m s/rad.
        constant: N m/A.
        resistance: of the winding, Ohm.
        thermal: K/W and J/K of the winding.
        slides: whether the joint slides.
    """

    low: float
    high: float
    speed: float
    torque: float
    stiffness: float
    rotor: float
    friction: float
    drag: float
    constant: float
    resistance: float
    thermal: tuple[float, float]
    slides: bool = False


class ArmModel(NamedTuple):
    """A kind of arm.

    Attributes:
        name: for messages.
        links: from the base to the tip.
        drives: one per link.
        flange: Rx(alpha) Tx(a) Tz(d) from the last link to the flange, as (a, alpha, d), m, rad, m.
        base: what is seen of the base.
        home: an elbow-up posture with the flange over the bench, rad; the servos are tuned there.
        payload: rated, kg; the servos are tuned for half of it.
    """

    name: str
    links: tuple[Link, ...]
    drives: tuple[Drive, ...]
    flange: tuple[float, float, float]
    base: tuple[Part, ...]
    home: tuple[float, ...]
    payload: float
