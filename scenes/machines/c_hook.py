"""A C-hook for coils, hung from a crane's hook block by a pin: its arm points along y and goes into the bore.

It is balanced: its own centre of mass and the middle of the seat on its arm are both under the pin.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.machines.crane import BLOCK_MASS, GRAVITY, PIN_DROP
from scenes.machines.crane_telemetry import hoist_force
from scenes.machines.scenery import Kit, Parts, add_parts, boxes
from scenes.shapes import cylinder, join
from scenes.stock import BORE, GROUND, HIDDEN, PAD
from sim.cameras import label
from sim.task import State

Array = NDArray[np.float64]
Swing = tuple[float, float, float]  # mass, kg; drop of its centre below the pin, m; inertia about that, kg m2

ARM_DROP = 1.85  # m, pin to the middle of the arm
ARM_HALF = (0.09, 1.10, 0.13)  # m: goes into a 508 mm bore with 95 mm to spare all round
ARM_REACH = 0.95  # m, from under the pin to the arm's tip
ARM_BACK = 1.25  # m, from under the pin to the back
_NOSE_MASS = (900 * 0.15 + 1900 * 1.45 + 1500 * 0.6) / 1.1  # the counterweight that balances the rest
PARTS = {  # half size, centre relative to the pin (m), mass (kg)
    "arm": (ARM_HALF, (0.0, ARM_REACH - ARM_HALF[1], -ARM_DROP), 900.0),
    "back": ((0.12, 0.20, 0.815), (0.0, -ARM_BACK - 0.2, -1.165), 1900.0),
    "top": ((0.12, 1.05, 0.125), (0.0, -0.60, -0.475), 1500.0),
    "nose": ((0.25, 0.60, 0.40), (0.0, 1.10, -0.20), _NOSE_MASS),
}
MASS = sum(mass for _, _, mass in PARTS.values())  # 7.7 t, 14 % of the crane's capacity
TARE = (BLOCK_MASS + MASS) * GRAVITY  # N on the load cells when the hook is empty


def add_c_hook(spec: mujoco.MjSpec) -> mujoco.MjsBody:
    """Hang body "hook" from the block, swinging about x and y (joints hook_x, hook_y); site "arm" is on its arm."""
    hook = spec.body("block").add_body(name="hook", pos=[0, 0, -PIN_DROP])
    for name, axis in (("hook_x", [1, 0, 0]), ("hook_y", [0, 1, 0])):
        # Bearing friction, as viscous damping: 1 to 2 % of critical for the empty hook's own swing.
        hook.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, damping=[800.0, 0, 0])
    for name, (size, pos, mass) in PARTS.items():
        hook.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=size,
            pos=pos,
            mass=mass,
            contype=0,
            conaffinity=GROUND | BORE,
            solref=PAD,
            priority=1,
            group=HIDDEN,
        )
    add_parts(spec, hook, _LOOKS, name="hook")
    label(spec, "hook", "hook")
    hook.add_site(name="arm", pos=[0, 0, -ARM_DROP], size=[0.02, 0.02, 0.02])
    return hook


def _seen() -> Parts:
    """Return the plates that the hook is welded of, its counterweight with stripes, pads, and the eye on the pin."""
    rows = {name: (*pos, *half) for name, (half, pos, _) in PARTS.items()}
    (x, y, z), (a, _, c) = PARTS["nose"][1], PARTS["nose"][0]
    stripes = [(x, y + s * 0.3, z, a + 0.004, 0.075, c + 0.004) for s in (-1, 0, 1)]
    pad = (0, ARM_REACH - ARM_HALF[1], -ARM_DROP + ARM_HALF[2] + 0.005, 0.08, ARM_HALF[1] - 0.05, 0.008)
    eye = [(s * 0.09, 0, -0.14, 0.03, 0.16, 0.24) for s in (-1, 1)]
    ribs = [(s * 0.13, y, -0.475, 0.02, 0.03, 0.14) for s in (-1, 1) for y in (-1.2, -0.6, -0.25)]
    pin = cylinder(0.07, (-0.2, 0, 0), (0.2, 0, 0), 10)
    tip = boxes([(0, ARM_REACH - 0.06, -ARM_DROP, ARM_HALF[0] + 0.003, 0.061, ARM_HALF[2] + 0.003)])
    return [
        ("yellow", boxes([rows["back"], rows["top"], rows["nose"], *eye, *ribs])),
        ("dark", join(boxes([rows["arm"]]), pin)),
        ("rubber", boxes([pad])),
        ("black", boxes(stripes)),
        ("red", tip),
    ]


_LOOKS = Kit(_seen)


def payload(s: State) -> Array:
    """Return the true force on the ropes beyond the empty hook's weight (...), N."""
    return hoist_force(s) - TARE


def swing(axis: int, *carried: Swing) -> Swing:
    """Return how a C-hook swings with what it carries.

    Args:
        axis: 0 to swing about x (across the bay), 1 about y (along it).
        carried: what else swings with it.
    """
    other = 1 - axis
    parts = [(m, -c[2], m / 3 * (h[other] ** 2 + h[2] ** 2) + m * c[other] ** 2) for h, c, m in PARTS.values()]
    parts.extend(carried)
    mass = sum(m for m, _, _ in parts)
    drop = sum(m * z for m, z, _ in parts) / mass
    return mass, drop, sum(i + m * (z - drop) ** 2 for m, z, i in parts)
