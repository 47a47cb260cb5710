"""Push a steel billet along a table until its head lies on a mark.

Copy this file to start a scene of your own: it stays outside the packages and is addressed by module and class,

    genba view new_scene:MyTask
    genba generate new_scene:MyTask --episodes 20

Success: the billet's head rests within 5 mm of the mark for 0.5 s. Failures: pushed too far to get back, drive
overloaded. Varied: length (hence mass), friction, crooked arrival, gap and mark. Expert: 100 of 100 seeds.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar

import mujoco
import numpy as np

from sim.channels import Channel, add_channel
from sim.distributions import LogUniform, Normal, Uniform
from sim.parameters import param
from sim.spec import new_spec
from sim.task import Array, Command, Feature, State, Task

SIDE = 0.1  # m, a square billet
STEEL = 7850.0  # kg/m3
OVERLOAD = 2000.0  # N, what the load cell may see
LASER_X = 1.8  # m, where the laser gauge stands and looks back along the table


@dataclasses.dataclass(frozen=True)
class BilletParams:
    """What differs from episode to episode; each field draws from its own random stream."""

    length: float = param(Uniform(0.3, 0.6), "m", "billet length; 23 to 47 kg of steel")
    friction: float = param(LogUniform(0.15, 0.4), "1", "billet on table, oily to dry")
    skew: float = param(Normal(0.0, 0.03, low=-0.08, high=0.08), "rad", "how crooked the billet arrives")
    gap: float = param(Uniform(0.05, 0.25), "m", "from the pusher to the billet's tail")
    mark: float = param(Uniform(1.0, 1.3), "m", "where the head shall come to lie")


class MyTask(Task):
    """The class attributes say what the engine must know; the methods are asked in the order below."""

    name = "examples/push_billet"
    version = 1
    control_hz = 20.0
    horizon_s = 8.0
    success_hold_s = 0.5  # the engine keeps the time
    phases = ("approach", "push", "retract")
    Params = BilletParams
    actuators = ("drive",)
    failures = ("overshot", "overload")
    degradations = ("rushed", "brakes_late")
    memory = ("touched",)  # a task object holds no state: what must be remembered lives in the simulation
    features: ClassVar[Mapping[str, Feature]] = {
        "drive": Feature("m/s", doc="commanded pusher speed"),
        "pusher": Feature("m", "world", ("x",), low=-0.5, high=2.5),  # bounds of what can be observed
        "laser": Feature("m", doc="from the laser gauge back to the billet's head", low=-1.0, high=2.5),
        "force": Feature("N", names=("x",), low=-100.0, high=1e4),
        "mark": Feature("m", "world", ("x",), low=0.0, high=2.0),
        "touched": Feature("1", doc="PLC bit: the pusher has met the billet", low=0.0, high=1.0),
    }

    def build(self, p: BilletParams) -> mujoco.MjSpec:
        """Make the scene: all variation enters here, as numbers in a fresh model."""
        spec = new_spec("push_billet", timestep=0.002)
        world, box = spec.worldbody, mujoco.mjtGeom.mjGEOM_BOX
        world.add_light(type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=[0.3, 0.5, -1], diffuse=[0.9, 0.9, 0.9])
        world.add_geom(type=box, size=[1.2, 0.3, 0.05], pos=[0.7, 0, -0.05], rgba=[0.6, 0.63, 0.66, 1])
        world.add_site(name="mark", pos=[p.mark, 0, 0.001], type=box, size=[0.003, 0.15, 0.001], rgba=[0, 1, 0, 1])
        world.add_site(name="gauge", pos=[LASER_X, 0, SIDE / 2], quat=[0.5**0.5, 0, -(0.5**0.5), 0])  # +z looks to -x

        pusher = world.add_body(name="pusher", pos=[0, 0, SIDE / 2])
        pusher.add_joint(name="slide", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
        pusher.add_geom(type=box, size=[0.05, 0.08, 0.04], mass=20.0, rgba=[0.9, 0.6, 0.1, 1])
        pusher.add_site(name="face", type=box, size=[0.06, 0.09, 0.05], rgba=[0, 0, 0, 0])  # a load cell's reach
        drive = spec.add_actuator(name="drive", target="slide", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_velocity(kv=8000.0)  # kv * timestep stays below the moving mass, else the servo rings
        drive.ctrlrange, drive.forcerange = [-0.5, 1.0], [-4000.0, 4000.0]

        half = [p.length / 2, SIDE / 2, SIDE / 2]
        turn = [np.cos(p.skew / 2), 0, 0, np.sin(p.skew / 2)]
        billet = world.add_body(name="billet", pos=[0.05 + p.gap + half[0], 0, half[2]], quat=turn)
        billet.add_freejoint(name="billet")
        # priority: this friction holds whatever the billet touches
        mu = [p.friction, 0.005, 0.0001]
        billet.add_geom(type=box, size=half, density=STEEL, friction=mu, priority=1, rgba=[0.8, 0.25, 0.1, 1])
        billet.add_site(name="head", pos=[half[0], 0, 0])

        # Instruments: rate, delay and errors belong to the channel, and the policy gets what is recorded.
        sensor, kind = mujoco.mjtSensor, mujoco.mjtObj
        encoder = spec.add_sensor(type=sensor.mjSENS_JOINTPOS, objtype=kind.mjOBJ_JOINT, objname="slide")
        add_channel(spec, encoder, Channel("pusher", "m", rate_hz=250, resolution=1e-4))
        cell = spec.add_sensor(type=sensor.mjSENS_TOUCH, objtype=kind.mjOBJ_SITE, objname="face")
        add_channel(spec, cell, Channel("force", "N", rate_hz=500, noise=5.0, doc="load cell behind the pusher's face"))
        laser = spec.add_sensor(type=sensor.mjSENS_RANGEFINDER, objtype=kind.mjOBJ_SITE, objname="gauge")
        laser.intprm[0] = 1 << int(mujoco.mjtRayDataField.mjRAYDATA_DIST)
        add_channel(spec, laser, Channel("laser", "m", 50, latency_s=0.02, noise=5e-4, dropout=0.01))
        return spec

    def observe(self, s: State) -> dict[str, Array]:
        """Return what a policy may see: measured values, the work order's goal, and PLC bits."""
        names = ("pusher", "laser", "force")
        mark, touched = s.site("mark").xpos[..., :1], s.memory("touched")[..., None]
        return {n: s.sensor(n) for n in names} | {"mark": mark, "touched": touched}

    def logic(self, s: State) -> None:
        """Scan the PLC, after each control step: latch that the pusher has met the billet."""
        s.memory("touched")[...] = np.maximum(s.memory("touched"), s.peak("force")[..., 0] > 20.0)

    def signals(self, s: State) -> dict[str, Array]:
        """Return what the PLC reports."""
        return {"touched": s.memory("touched")}

    def success(self, s: State) -> Array:
        """Return where the head lies on the mark, at rest; true values judge, not measured ones."""
        at_rest = np.abs(s.joint("billet").qvel[..., 0]) < 0.01
        return (np.abs(_missing(s)) < 0.005) & at_rest

    def failure(self, s: State) -> Array:
        """Return 1 + the index in `failures`: a pusher cannot pull, and the drive has its limit."""
        return np.select([_missing(s) < -0.03, s.peak("force")[..., 0] > OVERLOAD], [1, 2], 0)

    def reward(self, s: State) -> Array:
        """Return minus the distance that is missing, m."""
        return -np.abs(_missing(s))

    def expert(self, s: State, p: BilletParams, *, mode: str, rng: np.random.Generator) -> Iterator[Command]:
        """Creep up, push, brake gently enough for friction to hold the billet to the pusher, and back off."""
        speed = 0.25 if mode == "rushed" else 0.15  # m/s
        braking = 0.3 * p.friction * 9.81 * (5.0 if mode == "brakes_late" else 1.0)  # m/s2
        while not s.memory("touched"):
            yield Command(np.array([speed]), "approach")
        fastest = rng.uniform(0.4, 0.6)  # experts differ a little from one episode to the next
        while (left := float(_missing(s))) > 0.001:
            speed = min(speed + 0.05, fastest, np.sqrt(2 * braking * left))
            yield Command(np.array([speed]), "push")
        while True:  # the engine ends the episode: success held, a failure, or the horizon
            yield Command(np.array([-0.2 if s.joint("slide").qpos[0] > 0 else 0.0]), "retract")

    def instructions(self, p: BilletParams) -> dict[str, str]:
        """Return the work order, true of this episode."""
        length, mark = f"{p.length:.2f}", f"{p.mark:.2f}"
        return {
            "en": f"Push the {length} m billet until its head lies on the mark at {mark} m.",
            "ja": f"長さ{length} mのビレットを、先端が{mark} mの印に合うまで押してください。",
        }


def _missing(s: State) -> Array:
    """Return how far the head is short of the mark (...), m; negative when pushed past it."""
    return s.site("mark").xpos[..., 0] - s.site("head").xpos[..., 0]
