"""Tiny tasks for tests: a cart on a rail, exact and without contacts; a box that a pusher shoves; and ones that break.

`cart(channels=..., ...)` makes a task whose expert pushes the cart about at random.
"""

import dataclasses

import mujoco
import numpy as np

from sim.channels import Channel, add_channel
from sim.distributions import Choice, LogUniform, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Command, Feature, Task

DT = 0.002
STEPS = 10  # physics steps per control step of a cart
START = (0.3, 0.7)  # a cart's position and speed


@dataclasses.dataclass(frozen=True)
class CartParams:
    mass: float = param(Uniform(1.0, 3.0), "kg", "the cart's")
    damping: float = param(LogUniform(0.1, 1.0), "N*s/m")
    noise: float = param(Uniform(0.0, 0.01), "m", "of the position encoder")
    bad: float = param(Choice((0.0, 0.0, 1.0)), "1", "whether this episode breaks, where the task does")


def cart_spec(p, channels=()):
    """A cart on a rail with a motor; each channel is a pair (sensor type, Channel)."""
    spec = new_spec("cart", timestep=DT)
    cart = spec.worldbody.add_body(name="cart")
    cart.add_joint(name="rail", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0], damping=p.damping)
    cart.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1, 0.1, 0.1], mass=p.mass)
    motor = spec.add_actuator(name="motor", target="rail", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_motor()
    motor.ctrlrange = [-20.0, 20.0]
    for kind, channel in channels:
        on_joint = kind.startswith("JOINT")
        sensor = spec.add_sensor(
            type=getattr(mujoco.mjtSensor, f"mjSENS_{kind}"),
            objtype=mujoco.mjtObj.mjOBJ_JOINT if on_joint else mujoco.mjtObj.mjOBJ_ACTUATOR,
            objname="rail" if on_joint else "motor",
        )
        add_channel(spec, sensor, channel)
    spec.add_numeric(name="bad", data=[p.bad])
    spec.add_key(qpos=[START[0]], qvel=[START[1]])
    return spec


def encoder(name="encoder", rate_hz=100.0, **errors):
    """A position channel of the cart."""
    return "JOINTPOS", Channel(name, "m", rate_hz, **errors)


def cart(*, channels=(), horizon=0.6, control=1.0 / (DT * STEPS), **methods):
    """Make a task around a cart; methods replace the task's own, attributes too."""

    class Cart(Task):
        name = "tiny/cart"
        version = 1
        control_hz = control
        horizon_s = horizon
        phases = ("go",)
        Params = CartParams

        def build(self, p):
            return cart_spec(p, channels)

        def observe(self, s):
            seen = {"x": s.joint("rail").qpos, "v": s.joint("rail").qvel}
            return seen | {c.name: s.sensor(c.name) for _, c in channels}

        def success(self, s):
            return np.zeros(np.shape(s.time), bool)

        def expert(self, s, p, *, mode, rng):
            while True:
                yield Command(np.array([5.0 * rng.normal()]), "go")

    for name, method in methods.items():
        setattr(Cart, name, method)
    return Cart()


@dataclasses.dataclass(frozen=True)
class BoxParams:
    mass: float = param(Uniform(1.0, 3.0), "kg")
    friction: float = param(LogUniform(0.1, 0.3), "1")


class Shove(Task):
    """A pusher shoves a box to x = 0.6: contacts, noise, drop-outs, memory, peaks, and a worse expert."""

    name = "tiny/shove"
    version = 1
    control_hz = 50.0
    horizon_s = 12.0
    success_hold_s = 0.4
    phases = ("go", "stop")
    Params = BoxParams
    failures = ("past",)
    degradations = ("fast", "lazy")
    memory = ("fastest",)
    features = {  # noqa: RUF012
        "x": Feature("m", "world", ("x", "y", "z"), low=-5.0, high=5.0),
        "encoder": Feature("m", low=-5.0, high=5.0),
        "force": Feature("N", low=-1e3, high=1e3),
        "peak": Feature("N", low=0.0, high=1e3),
        "true": Feature("N", low=-1e3, high=1e3),
    }

    def build(self, p):
        box = mujoco.mjtGeom.mjGEOM_BOX
        mu = [p.friction, 0.005, 0.0001]
        spec = new_spec("shove", timestep=0.004)
        world = spec.worldbody
        world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[9, 9, 0.5], friction=mu)
        part = world.add_body(name="box", pos=[0, 0, 0.1])
        part.add_freejoint(name="box")
        part.add_geom(type=box, size=[0.1, 0.1, 0.1], mass=p.mass, friction=mu)
        part.add_site(name="centre")
        pusher = world.add_body(name="pusher", pos=[-0.3, 0, 0.1])
        pusher.add_joint(name="slide", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
        pusher.add_geom(type=box, size=[0.05, 0.1, 0.05], mass=1.0)
        drive = spec.add_actuator(name="drive", target="slide", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_velocity(kv=200.0)
        drive.ctrlrange = [-1.0, 1.0]
        where = spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="centre"
        )
        add_channel(spec, where, Channel("encoder", "m", 50, latency_s=0.04, noise=0.001, dropout=0.1))
        force = spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_ACTUATORFRC, objtype=mujoco.mjtObj.mjOBJ_ACTUATOR, objname="drive"
        )
        add_channel(spec, force, Channel("force", "N", 250, gain=1.01, noise=0.2, resolution=0.1))
        return spec

    def observe(self, s):
        return {
            "x": s.body("box").xpos,
            "encoder": s.sensor("encoder"),
            "force": s.sensor("force"),
            "peak": s.peak("force"),
            "true": s.true_sensor("force"),
        }

    def success(self, s):
        return np.abs(s.body("box").xpos[..., 0] - 0.6) < 0.05

    def failure(self, s):
        return (s.body("box").xpos[..., 0] > 0.8).astype(int)

    def logic(self, s):
        s.memory("fastest")[...] = np.maximum(s.memory("fastest"), np.abs(s.joint("slide").qvel[..., 0]))

    def signals(self, s):
        return {"fastest": s.memory("fastest")}

    def expert(self, s, p, *, mode, rng):
        speed = {"nominal": 0.4, "fast": 1.0, "lazy": 0.02}[mode]
        while (left := 0.6 - s.body("box").xpos[0]) > 0.02:
            yield Command(np.array([min(speed, 0.05 + 2.0 * left) if mode != "fast" else speed]), "go")
        for _ in range(40):
            yield Command(np.zeros(1), "stop")
