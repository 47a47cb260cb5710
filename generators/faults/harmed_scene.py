"""A small task that can be told to go wrong: the fault harness copies this file into its working folder.

A cart is to stop on a mark. An order is a file that somebody puts into the folder $GENBA_ORDERS; the first process that
runs an episode takes it by renaming it, so that each order is obeyed once, and never changes a number. One episode in
eight has a track whose spring pushes the cart away: physics without bounds, the same in every run.
"""

import ctypes
import dataclasses
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np

from sim.channels import Channel, add_channel
from sim.distributions import LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Array, Command, Feature, State, Task

HANG_S = 3600.0  # s, for ever as far as anybody waits


@dataclasses.dataclass(frozen=True)
class CartParams:
    """What differs from episode to episode."""

    mass: float = param(LogUniform(50.0, 200.0), "kg", "of the cart with its load")
    mark: float = param(Uniform(0.5, 1.5), "m", "where the cart shall stop")
    luck: float = param(Uniform(0.0, 1.0), "1", "above 0.875 the physics diverges")


class Harmed(Task):
    """Drive the cart to the mark."""

    name = "faults/harmed"
    version = 1
    control_hz = 20.0
    horizon_s = 4.0
    success_hold_s = 0.5
    phases = ("drive",)
    Params = CartParams
    actuators = ("drive",)
    failures = ("overshot",)
    degradations = ("rushed",)
    features: ClassVar[Mapping[str, Feature]] = {
        "drive": Feature("m/s", doc="commanded speed"),
        "cart": Feature("m", "world", ("x",), low=-1.0, high=3.0),
        "mark": Feature("m", "world", ("x",), low=0.0, high=2.0),
    }

    def build(self, p: CartParams) -> mujoco.MjSpec:
        """Make the scene."""
        spec = new_spec("harmed", timestep=0.0005)
        cart = spec.worldbody.add_body(name="cart", pos=[0, 0, 0.2])
        spring = -1e9 if p.luck > 0.875 else 0.0  # N/m
        cart.add_joint(name="track", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0], damping=20.0, stiffness=spring)
        cart.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.2, 0.1, 0.1], mass=p.mass)
        spec.worldbody.add_site(name="mark", pos=[p.mark, 0, 0.2])
        drive = spec.add_actuator(name="drive", target="track", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_velocity(kv=2000.0)
        drive.ctrlrange, drive.forcerange = [-1.0, 1.0], [-1000.0, 1000.0]
        encoder = spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_JOINTPOS, objtype=mujoco.mjtObj.mjOBJ_JOINT, objname="track"
        )
        add_channel(spec, encoder, Channel("cart", "m", rate_hz=100, noise=1e-4))
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what a policy may see."""
        return {"cart": s.sensor("cart"), "mark": s.site("mark").xpos[..., :1]}

    def success(self, s: State) -> Array:
        """Return where the cart rests on the mark."""
        return (np.abs(_missing(s)) < 0.01) & (np.abs(s.joint("track").qvel[..., 0]) < 0.02)

    def failure(self, s: State) -> Array:
        """Return 1 where the cart is past the mark."""
        return (_missing(s) < -0.05).astype(int)

    def expert(self, s: State, p: CartParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Drive, slower the nearer the mark is, and obey what orders there are."""
        gain = rng.uniform(1.8, 2.2) * (3.0 if mode == "rushed" else 1.0)
        while True:
            obey()
            yield Command(np.clip([gain * _missing(s)], -1.0, 1.0), "drive")


def _missing(s: State) -> Array:
    return s.site("mark").xpos[..., 0] - s.joint("track").qpos[..., 0]


def obey() -> None:
    """Take an order, if there is one, and do what it says; a file with the suffix .taken says which process did."""
    folder = os.environ.get("GENBA_ORDERS", "")
    for order in sorted(Path(folder).glob("*.order")) if folder else ():
        taken = order.with_suffix(".taken")
        try:
            order.rename(taken)
        except FileNotFoundError:  # another process was quicker
            continue
        taken.write_text(str(os.getpid()))
        ACTS[order.stem.rpartition("-")[2]]()


def _segfault() -> None:
    ctypes.string_at(0)


def _leave() -> None:
    os._exit(7)


def _hang() -> None:
    time.sleep(HANG_S)


def _hold() -> None:
    ctypes.PyDLL(None).sleep(int(HANG_S))  # with the interpreter's lock: no other thread of Python's runs


def _dawdle() -> None:
    time.sleep(1.5)


ACTS: dict[str, Any] = {"segfault": _segfault, "leave": _leave, "hang": _hang, "hold": _hold, "dawdle": _dawdle}
