"""The crane as a pendulum: periods on elastic ropes, load of the falls, and sway that shaped travel leaves.

Loads hang under a crane that stands still, or that its own drive moves; periods are taken between zero crossings.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from scenes.anchors import Anchor, Law, farthest
from scenes.machines import c_hook, crane
from sim import skills
from sim.spec import new_spec

Array = NDArray[np.float64]

TASKS = ("steel/crane_coil", "steel/crane_transport", "steel/crane_yard", "steel/magnet_plate")

G = crane.GRAVITY
TIMESTEP = 0.005  # s, that of the scenes
CRANE = crane.CraneParams(skew=0.0, acceleration=0.4, rope_stiffness=1.0, lift=12.0)
LOAD, INERTIA = 22.5e3, (1.2e4, 1.5e4, 1.4e4)  # kg, kg m2: a coil and its hook

_MECHANICS = "Textbook mechanics of small oscillations"
_SHAPING = "Singer and Seering 1990; the bound is a share of the sway of an unshaped move"
_PENDULUM = Law("Sway of a load fixed to the block", "T = 2 pi sqrt(L/g) (1 + theta0^2/16)", _MECHANICS, "s")
_DOUBLE = Law(
    "Sway of a load on its pin",
    "w^2 = eig(M^-1 K), M = [[(m1+m2) L^2, m2 L l], [m2 L l, m2 l^2 + I]], K = diag((m1+m2) g L, m2 g l)",
    _MECHANICS,
    "s",
)
_YAW = Law("Yaw of the block on four falls", "T = 2 pi sqrt(I L / (W r^2)), r^2 = a^2 + b^2", _MECHANICS, "s")
_BOUNCE = Law("Bounce on the ropes", "f = sqrt(k/m (1 - zeta^2)) / (2 pi), k = 4 EA/L", _MECHANICS, "Hz")
_FALL = Law("Force of a fall at rest", "F = (m + m_block) g / 4", "Statics", "N")
_WAY = Law("Way of a shaped move of the bridge", "x = 8 m, whatever the shaper", _SHAPING, "m")
_RESIDUAL = Law(
    "Sway left by a shaped move over that of an unshaped one", "0 at the frequency of design", _SHAPING, "1"
)


def hang(
    p: crane.CraneParams = CRANE, *, length: float = 8.0, mass: float = LOAD, drop: float | None = None
) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Hang a load under a crane that stands still.

    It is fixed to the block, its centre where the falls end, so that nothing pitches the block on its elastic ropes; or
    it is on a pin, its centre drop below that.

    Args:
        p: the crane.
        length: of the ropes, m.
        mass: of the load, kg.
        drop: from pin to the load's centre, m; None for a load that is fixed.
    """
    spec = new_spec("anchor", timestep=TIMESTEP)
    pose = crane.Pose(5.0, p.span / 2, crane.sheave_height(p) - length)
    key = crane.add_crane(spec, p, pose, load=(mass + crane.BLOCK_MASS) * G)
    load = spec.body("block").add_body(name="load", pos=[0, 0, -crane.PIN_DROP])
    load.explicitinertial, load.mass, load.inertia = True, mass, INERTIA
    load.ipos = [0, 0, crane.PIN_DROP]
    joints = 0
    if drop is not None:
        load.ipos = [0, 0, -drop]
        for name, axis in (("load_x", [1, 0, 0]), ("load_y", [0, 1, 0])):
            load.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis)
        joints = 2
    spec.add_key(name="home", qpos=np.append(key.qpos, np.zeros(joints)), act=key.act, ctrl=key.ctrl)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    return model, data


def double_pendulum(length: float, mass: float, drop: float, inertia: float) -> tuple[Array, Array]:
    """Return frequencies (2,), rad/s, and mode shapes (2, 2) in rope angle and load angle, the slow mode first."""
    total = mass + crane.BLOCK_MASS
    m = np.array([[total * length**2, mass * length * drop], [mass * length * drop, mass * drop**2 + inertia]])
    k = np.diag([total * G * length, mass * G * drop])
    squares, shapes = np.linalg.eig(np.linalg.solve(m, k))
    order = np.argsort(squares)
    return np.sqrt(squares[order]), shapes[:, order]


def measure() -> Iterator[Anchor]:
    """Measure the crane."""
    yield from (_pendulum(length, sway) for length, sway in ((4.0, 0.05), (8.0, 0.1), (8.0, 1.6)))
    yield from (_double(mode) for mode in (0, 1))
    yield from (_yaw(length) for length in (4.0, 9.0))
    yield _bounce()
    yield from (_fall(mass) for mass in (c_hook.MASS, LOAD, 60e3))
    yield from _shaped()


def _pendulum(length: float, sway: float) -> Anchor:
    model, data = hang(length=length)
    _displace(data, length, sway)
    x = _record(model, data, 60.0, lambda d: d.joint("block").qpos[0])
    # The four parallel falls keep the block level, so the load is a point at the ropes' ends.
    formula = 2 * math.pi * math.sqrt(length / G) * (1 + math.asin(sway / length) ** 2 / 16)
    return _PENDULUM.near(formula, _period(x), rel=1e-3, case=f"L {length:g} m, {sway:g} m aside")


def _double(mode: int) -> Anchor:
    length, mass, drop = 10.0, 23.2e3, 2.2
    model, data = hang(length=length, mass=mass, drop=drop)
    omega, shapes = double_pendulum(length, mass, drop, INERTIA[1])
    rope, lean = shapes[:, mode] / np.abs(shapes[:, mode]).max() * 0.01
    _displace(data, length, length * rope)
    data.joint("load_y").qpos[0] = -lean  # a turn about y takes what hangs below to -x
    x = _record(model, data, 60.0, lambda d: d.joint("block").qpos[0])
    case = f"{('slow', 'fast')[mode]} mode, L {length:g} m, l {drop:g} m"
    return _DOUBLE.near(2 * math.pi / omega[mode], _period(x), rel=1e-3, case=case)


def _yaw(length: float) -> Anchor:
    model, data = hang(length=length)
    data.joint("block").qpos[3:7] = [math.cos(0.01), 0, 0, math.sin(0.01)]
    yaw = _record(model, data, 60.0, lambda d: d.joint("block").qpos[6])
    weight = (LOAD + crane.BLOCK_MASS) * G
    turning = INERTIA[2] + float(model.body("block").inertia[2])
    radius_squared = sum(x**2 + y**2 for x, y in crane.FALLS) / len(crane.FALLS)
    formula = 2 * math.pi * math.sqrt(turning * length / (weight * radius_squared))
    return _YAW.near(formula, _period(yaw), rel=2e-3, case=f"L {length:g} m")


def _bounce() -> Anchor:
    p = dataclasses.replace(CRANE, rope_damping=0.005)
    model, data = hang(p)
    mass, rate = LOAD + crane.BLOCK_MASS, 4 * crane.rope_rate(p)
    data.joint("block").qpos[2] += 0.5 * mass * G / rate  # half the stretch, so that no fall goes slack
    z = _record(model, data, 5.0, lambda d: d.joint("block").qpos[2])
    damping = 0.005 * math.sqrt(30e3 / mass)  # the ratio is that at 30 t
    formula = math.sqrt(rate / mass * (1 - damping**2)) / (2 * math.pi)
    return _BOUNCE.near(formula, 1 / _period(z), rel=2e-3, case=f"{mass / 1e3:g} t")


def _fall(mass: float) -> Anchor:
    model, data = hang(mass=mass)
    _record(model, data, 1.0, lambda _: 0.0)
    formula, case = (mass + crane.BLOCK_MASS) * G / 4, f"{mass / 1e3:.3g} t, of four falls the one farthest off"
    falls = [-float(data.actuator(f"fall{i}").force[0]) for i in range(1, 5)]
    return farthest(_FALL.near(formula, force, rel=1e-3, case=case) for force in falls)


def _shaped() -> Iterator[Anchor]:
    """Measure how much of the sway of an unshaped move shaped ones leave, on one pendulum and on two."""
    omega, free = math.sqrt(G / 9.0), _travel(skills.UNSHAPED)
    moves: list[tuple[str, skills.Shaper, float | None, float]] = [
        ("ZV", skills.zv(omega, _drive_damping(omega, 9.0)), None, 0.005)
    ]
    for error in (0.9, 1.1):
        wrong = math.sqrt(G / (9.0 * error))
        moves.append((f"ZVD, rope taken for {error:.0%}", skills.zvd(wrong, _drive_damping(wrong, 9.0)), None, 0.01))
    (slow, fast), _ = double_pendulum(9.0, LOAD, 2.0, INERTIA[1])
    both = skills.combine(skills.zv(slow, _drive_damping(slow, 9.0)), skills.zv(fast))
    moves.append(("ZV of both modes of a double pendulum", both, 2.0, 0.005))
    swung = _travel(skills.UNSHAPED, drop=2.0)
    yield from (
        _WAY.near(8.0, way, tol=0.02, case=case) for case, way in (("unshaped", free[0]), ("on a pin", swung[0]))
    )
    for case, shaper, drop, most in moves:
        way, sway = _travel(shaper, drop=drop)
        yield _WAY.near(8.0, way, tol=0.02, case=case)
        yield _RESIDUAL.within(0.0, sway / (free if drop is None else swung)[1], 0.0, most, case=case)


def _travel(shaper: skills.Shaper, *, length: float = 9.0, drop: float | None = None) -> tuple[float, float]:
    """Move the bridge by 8 m; return its way and the greatest sway of the block in the period after, m."""
    model, data = hang(length=length, drop=drop)
    speeds = skills.move(8.0, skills.Limits(1.0, 0.3, 1.5), 0.05, shaper)
    data.actuator("bridge_brake").ctrl[0] = 0.0
    for speed in [*speeds, *np.zeros(10)]:  # the drive answers up to 0.2 s later
        data.actuator("bridge").ctrl[0] = speed
        mujoco.mj_step(model, data, nstep=10)
    way = float(data.joint("bridge").qpos[0]) - 5.0
    sway = _record(model, data, 8.0, lambda d: d.site("block").xpos[0] - d.site("trolley").xpos[0])
    return way, float(np.abs(sway).max())


def _drive_damping(omega: float, length: float) -> float:
    """Return the damping ratio that sway gets from the bridge's drive, which yields by force / gain."""
    return (LOAD + crane.BLOCK_MASS) * G / length / crane.DRIVES["bridge"].gain / (2 * omega)


def _displace(data: mujoco.MjData, length: float, sway: float) -> None:
    """Draw the block aside along x on its taut falls."""
    data.joint("block").qpos[0] += sway
    data.joint("block").qpos[2] += length - math.sqrt(length**2 - sway**2)


def _record(model: mujoco.MjModel, data: mujoco.MjData, seconds: float, read: Callable[[Any], float]) -> Array:
    """Step and return what was read after each step."""
    out: list[float] = []
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
        out.append(float(read(data)))
    return np.array(out)


def _period(x: Array) -> float:
    """Return the mean period between rising zero crossings, s."""
    x = x - x.mean()
    i = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return float(np.diff(i - x[i] / (x[i + 1] - x[i])).mean()) * TIMESTEP
