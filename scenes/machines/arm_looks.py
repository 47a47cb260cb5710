"""What the kinds of arm look like, each from its own kinematic numbers; no maker's design.

Rule: a part lies on its joint's axis or between two axes, so that nothing shears when a joint turns: each link ends in
a stub, and the next begins at that plane with a housing about the same axis.
"""

import dataclasses

from scenes.machines.arm_types import Part, Vector

Parts = tuple[Part, ...]
_ZERO: Vector = (0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True, slots=True)
class SixAxis:
    """Proportions of an arm whose upper arm runs beside its shoulder.

    Attributes:
        radius: of the shoulder's housings, m.
        offset: of the upper arm from the shoulder, m.
        height: of the shoulder above the base, m.
        lengths: of upper arm and forearm, m.
        wrist: offsets of the wrist's three joints, m.
    """

    radius: float
    offset: float
    height: float
    lengths: tuple[float, float]
    wrist: tuple[float, float, float]

    def foot(self) -> Parts:
        """Return what is seen of the base."""
        return (Part("foot", self.radius, _ZERO, (0.0, 0.0, self.height - 1.25 * self.radius)),)

    def links(self) -> tuple[Parts, ...]:
        """Return what is seen of the links."""
        big, mid, small = self.radius, 0.75 * self.radius, 0.62 * self.radius
        upper, fore = self.lengths
        one, two, three = self.wrist
        out, beside = self.offset, one - 0.55 * two - small
        shoulder, elbow, turn = out - 1.1 * mid, beside + 1.12 * small, beside + 1.05 * small
        pitch, roll = two - 1.12 * small, 1.12 * small
        hose = 0.22 * small
        return (
            (
                Part("tube", big, (0, 0, -1.22 * big), _ZERO, 0.93 * big),
                Part("housing", big, (0, -0.2 * big, 0), (0, 1.05 * big, 0)),
                Part("stub", big, (0, -0.1 * big, 0), (0, -shoulder, 0)),
            ),
            (
                Part("housing", 0.98 * big, (0, 0, shoulder), (0, 0, out + 1.2 * mid)),
                Part("tube", 1.06 * mid, (0, 0, out), (upper, 0, out), 0.94 * mid),
                Part("housing", 1.06 * mid, (upper, 0, out - 0.5 * mid), (upper, 0, out + 1.12 * mid)),
                Part("stub", 1.06 * mid, (upper, 0, out), (upper, 0, elbow)),
                Part("hose", hose, (0.16 * upper, -1.0 * mid, out), (0.86 * upper, -1.0 * mid, out), 1.7 * hose),
            ),
            (
                Part("housing", 1.02 * mid, (0, 0, elbow), (0, 0, beside - 1.12 * small)),
                Part("tube", 1.08 * small, (0, 0, beside), (fore, 0, beside), 0.92 * small),
                Part("housing", small, (fore, 0, beside + 0.4 * small), (fore, 0, beside - 1.1 * small)),
                Part("stub", small, (fore, 0, beside), (fore, 0, turn)),
                Part("hose", hose, (0.2 * fore, -1.0 * small, beside), (0.82 * fore, -1.0 * small, beside), 1.7 * hose),
            ),
            (
                Part("housing", small, (0, 0, turn - one), (0, 0, 1.08 * small)),
                Part("stub", 0.96 * small, (0, -0.1 * small, 0), (0, -pitch, 0)),
            ),
            (
                Part("housing", small, (0, 0, pitch - two), (0, 0, 1.08 * small)),
                Part("stub", 0.96 * small, (0, 0.1 * small, 0), (0, roll, 0)),
            ),
            (
                Part("stub", 0.98 * small, (0, 0, -0.02), (0, 0, roll - three)),
                Part("disc", 0.86 * small, (0, 0, -0.03), _ZERO),
            ),
        )


SEVEN_FOOT: Parts = (Part("foot", 0.070, _ZERO, (0, 0, 0.14)),)
SEVEN_PARTS: tuple[Parts, ...] = (
    (Part("housing", 0.068, (0, 0, -0.193), (0, 0, -0.04)), Part("tube", 0.062, (0, 0, -0.09), _ZERO)),
    (
        Part("barrel", 0.066, (0, 0, -0.080), (0, 0, 0.080)),
        Part("stub", 0.062, (0, -0.02, 0), (0, -0.185, 0)),
    ),
    (
        Part("housing", 0.064, (0, 0, -0.131), (0, 0, 0.02)),
        Part("tube", 0.058, (0, 0, -0.03), (0.0825, 0, 0), 0.054),
    ),
    (
        Part("barrel", 0.062, (0, 0, -0.072), (0, 0, 0.072)),
        Part("tube", 0.056, _ZERO, (-0.0825, 0.095, 0), 0.056),
        Part("stub", 0.060, (-0.0825, 0.06, 0), (-0.0825, 0.14, 0)),
    ),
    (
        Part("housing", 0.060, (0, 0, -0.244), (0, 0, -0.17)),
        Part("tube", 0.058, (0, 0, -0.21), (0, 0, -0.02), 0.042),
    ),
    (
        Part("barrel", 0.052, (0, 0, -0.062), (0, 0, 0.062)),
        Part("tube", 0.044, _ZERO, (0.088, 0, 0), 0.042),
        Part("housing", 0.048, (0.088, -0.01, 0), (0.088, 0.05, 0)),
        Part("stub", 0.046, (0.088, 0, 0), (0.088, -0.045, 0)),
    ),
    (
        Part("housing", 0.044, (0, 0, 0.045), (0, 0, 0.085)),
        Part("disc", 0.034, (0, 0, 0.08), (0, 0, 0.107)),
    ),
)

SCARA_FOOT: Parts = (Part("foot", 0.062, _ZERO, (0, 0, 0.235)),)
SCARA_PARTS: tuple[Parts, ...] = (
    (
        Part("disc", 0.056, (0, 0, -0.067), (0, 0, -0.04)),
        Part("beam", 0.062, (0, 0, -0.045), (0.225, 0, 0.036), 0.054),
    ),
    (
        Part("disc", 0.048, (0, 0, -0.047), (0, 0, -0.03)),
        Part("beam", 0.054, (0, 0, -0.035), (0.175, 0, 0.045), 0.044),
        Part("beam", 0.046, (0.0, 0, 0.040), (0.140, 0, 0.165), 0.040),
        Part("housing", 0.026, (0.175, 0, 0.04), (0.175, 0, 0.10)),
    ),
    (Part("rod", 0.008, (0, 0, -0.215), (0, 0, 0.065)), Part("disc", 0.013, (0, 0, -0.215), (0, 0, -0.20))),
    (Part("disc", 0.016, (0, 0, -0.045), (0, 0, -0.012)), Part("disc", 0.019, (0, 0, -0.012), _ZERO)),
)
