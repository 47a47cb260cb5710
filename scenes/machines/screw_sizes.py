"""Screws by their size and property class: dimensions, strength, and the law that ties torque to clamp force.

Rule: nothing but numbers of standards and closed forms of them; SI units.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Size(NamedTuple):
    """A hexagon socket head cap screw with a coarse thread (ISO 261, ISO 724, ISO 4762).

    Attributes:
        diameter: nominal, m.
        pitch: m.
        pitch_diameter: m.
        stress_area: m2 (ISO 898-1).
        head: diameter of the head, m; it is as high as the screw is thick.
        bearing: outer diameter of the head's bearing face, m.
        hole: clearance hole of the medium series, m (ISO 273).
        socket: width across flats of the socket, m.
    """

    diameter: float
    pitch: float
    pitch_diameter: float
    stress_area: float
    head: float
    bearing: float
    hole: float
    socket: float

    @property
    def lead(self) -> float:
        """Way per radian, m."""
        return self.pitch / (2 * math.pi)

    @property
    def bearing_diameter(self) -> float:
        """Mean diameter at which the head rubs, m (ISO 16047)."""
        return (self.bearing + self.hole) / 2


SIZES = {
    "M5": Size(5e-3, 0.80e-3, 4.480e-3, 14.2e-6, 8.5e-3, 8.03e-3, 5.5e-3, 4e-3),
    "M6": Size(6e-3, 1.00e-3, 5.350e-3, 20.1e-6, 10.0e-3, 9.38e-3, 6.6e-3, 5e-3),
    "M8": Size(8e-3, 1.25e-3, 7.188e-3, 36.6e-6, 13.0e-3, 12.33e-3, 9.0e-3, 6e-3),
    "M10": Size(10e-3, 1.50e-3, 9.026e-3, 58.0e-6, 16.0e-3, 15.33e-3, 11.0e-3, 8e-3),
    "M12": Size(12e-3, 1.75e-3, 10.863e-3, 84.3e-6, 18.0e-3, 17.23e-3, 13.5e-3, 10e-3),
}
YIELD = {"8.8": 640e6, "5.8": 420e6, "4.8": 340e6, "10.9": 940e6}  # Pa, ISO 898-1
_FLANK = math.radians(30.0)  # half the angle of the thread, ISO 68-1


def friction_radius(size: Size, thread: float, head: float) -> float:
    """Return friction torque per clamp force, m, for coefficients of friction in the thread and under the head."""
    return thread * size.pitch_diameter / (2 * math.cos(_FLANK)) + head * size.bearing_diameter / 2


def tightening_torque(size: Size, force: ArrayLike, thread: float, head: float) -> Array:
    """Return the torque (...), N m, that a clamp force (...), N, takes: T = F (p/2pi + mu_t d2/(2 cos 30) + mu_h Dm/2).

    This is the law of Kellermann and Klein, as in ISO 16047 and VDI 2230.
    """
    return np.asarray(force, float) * (size.lead + friction_radius(size, thread, head))


def yield_force(size: Size, grade: str) -> float:
    """Return the force at which a screw of a property class yields, N."""
    return YIELD[grade] * size.stress_area
