"""A screw joint under a nutrunner with its controller: what belongs together of the three, for scenes and for tests.

Rule: `laws` is called before the physics of every control step and `scan` after it, by whoever owns the simulation.
"""

from typing import NamedTuple

import mujoco
import numpy as np

from scenes.machines import nutrunner, screw_joint, tightening
from scenes.machines.nutrunner import NutrunnerParams
from scenes.machines.screw_joint import Joint, ScrewParams
from scenes.machines.tightening import Order
from sim.driven import Driven
from sim.task import State

FRICTION = Driven("dof_frictionloss", ("spindle", "screw"))  # the drive's torque limit; thread and head
MEMORY = (*screw_joint.MEMORY, *nutrunner.MEMORY, *tightening.MEMORY)
WAIT, JAWS = 0.015, 0.012  # m, from bit to screw and from screw to thread at the start


class Work(NamedTuple):
    """What the station is to do.

    Attributes:
        joint: the screw and what it is made into.
        order: as the controller has it.
        lane: of the feeder that holds the screw, 1 for A and -1 for B.
    """

    joint: Joint
    order: Order
    lane: float


def add_station(
    spec: mujoco.MjSpec, seat: tuple[float, float, float], work: Work, screw: ScrewParams, spindle: NutrunnerParams
) -> None:
    """Add the joint, the nutrunner over it, the order, and keyframe "home", which is complete.

    Args:
        spec: a scene without joints and actuators of its own.
        seat: where the screw's head belongs (3,), m, world.
        work: to do.
        screw: this screw.
        spindle: this nutrunner.
    """
    joint = work.joint
    top = waiting(joint)
    screw_qpos = screw_joint.add_screw(spec, seat, screw, joint, top)
    tightening.add_order(spec, work.order)
    axes, act = nutrunner.add_nutrunner(spec, seat, spindle, top + WAIT, work.lane)
    ctrl = [screw_qpos[-1] if actuator.name == "helix" else 0.0 for actuator in spec.actuators]
    spec.add_key(name="home", qpos=[*screw_qpos, *axes], act=[act], ctrl=ctrl)
    spec.add_numeric(name="top", data=[top])


def waiting(joint: Joint) -> float:
    """Return the height of the screw's head over its seat while it is in the jaws, m."""
    return joint.reach + joint.size.pitch + abs(joint.other) + JAWS


def laws(s: State) -> None:
    """Let friction follow the clamp force, and the drive its torque limit."""
    s.driven("friction")[...] = np.stack([nutrunner.limit(s), screw_joint.friction(s)], axis=-1)


def scan(s: State, period: float) -> None:
    """Let screw and nutrunner follow their nature, and the controller scan, after a control step of a period, s."""
    screw_joint.scan(s, nutrunner.push(s))
    nutrunner.drive(s, period, s.numeric("top")[..., 0])
    tightening.control(s, period)
