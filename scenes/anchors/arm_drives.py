"""Drives of arms: the answer to a step, speed and lag behind a reference, torque, friction, and heat of windings."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from scenes.anchors import Anchor, Law, arm, farthest
from scenes.anchors.arm import KINDS, SMOOTH, TIMESTEP, run, stand, start, world
from scenes.machines import arm_pilot
from scenes.machines.arm import ArmParams, gains
from scenes.machines.arm_models import ARM6_M
from scenes.machines.arm_types import ArmModel

TASKS = arm.TASKS

_STEP = Law(
    "Greatest departure of a step's answer from theory",
    "second order, overdamped: zeta = (d + drag)/(2 sqrt(k I)), omega = sqrt(k/I)",
    "Linear systems; integration is of first order: omega timestep / 4 = 0.018",
    "1",
)
_OVER = Law("Overshoot of a step's answer", "none above zeta 1", "Linear systems", "1")
_SPEED = Law("Speed behind a far reference", "v = v_max", "Rate limit of the reference", "rad/s")
_LAG = Law("Lag behind a moving reference", "e = (d + drag) v / k", "Linear systems", "rad")
_WAY = Law("Way of the reference", "x <= v_max t", "Rate limit of the reference", "rad, m")
_TORQUE = Law("Greatest torque of a joint pushed three times as hard", "tau = tau_max", "Data sheets", "N*m")
_STUCK = Law("Yield to 0.9 of friction, over the yield without", "0", "Coulomb friction, softened by 5 %", "1")
_SLIPS = Law("Yield to 3 times friction, times stiffness", "k x = F - F_c = 2 F_c", "Coulomb friction", "N*m")
_HEAT = Law("Warming of a winding in 2 s", "dT = R I^2 t / C", "Joule; nothing flows off yet", "K")


def measure() -> Iterator[Anchor]:
    """Measure arms whose drives work."""
    yield from _step()
    for kind in KINDS:
        yield from _chase(kind)
    yield _torque()
    for joint in (0, 3, 5):
        yield from _friction(joint)
    yield _heat()


def _step() -> Iterator[Anchor]:
    model, data = start(stand(ARM6_M)[0])
    drive = ARM6_M.drives[5]
    inertia = drive.rotor + ARM6_M.links[5].inertia[2]  # the last joint carries itself alone
    stiffness, damping = (float(gain[5]) for gain in gains(ARM6_M, SMOOTH))
    data.ctrl[5] += 0.003  # moves with the first step: less than the reference may
    zeta = (damping + drive.drag) / (2 * math.sqrt(stiffness * inertia))
    omega = math.sqrt(stiffness / inertia)
    x = run(model, data, 0.3, lambda d: d.qpos[5]) / 0.003
    t = TIMESTEP * np.arange(1, 301)
    fast, slow = (-omega * (zeta + sign * math.sqrt(zeta**2 - 1)) for sign in (1, -1))
    formula = 1 + (slow * np.exp(fast * t) - fast * np.exp(slow * t)) / (fast - slow)
    yield _STEP.within(0.0, np.abs(x - formula).max(), 0.0, 0.015, case=f"{ARM6_M.name}, joint 6")
    yield _OVER.within(0.0, x.max() - 1.0, -math.inf, 1e-6, case=f"{ARM6_M.name}, joint 6")


def _chase(kind: ArmModel) -> Iterator[Anchor]:
    """Let every joint's reference jump far ahead."""
    speeds: list[Anchor] = []
    lags: list[Anchor] = []
    ways: list[Anchor] = []
    for i, drive in enumerate(kind.drives):
        way, case = 0.9 * (drive.high - drive.low), f"{kind.name}, joint {i + 1}"
        q = np.array(kind.home)
        q[i] = drive.low + 0.05 * (drive.high - drive.low)
        model, data = start(stand(kind, q=q)[0])
        data.ctrl[i] += way
        # 80 % of the way at full speed, long enough for the transient to go, short enough not to arrive
        speed = run(model, data, 0.8 * way / drive.speed, lambda d, i=i: d.qvel[i])
        lag = arm_pilot.servo_lag(kind, SMOOTH)[i] * drive.speed
        reference = float(data.act[2 * i])
        if not drive.slides and way / drive.speed > 0.4:
            speeds.append(_SPEED.near(drive.speed, speed[-1], rel=0.02, case=case))
            lags.append(_LAG.near(lag, reference - float(data.qpos[i]), rel=0.1, case=case))
        most = drive.speed * data.time
        ways.append(_WAY.within(most, reference - q[i], -math.inf, most + 1e-9, case=case))
    yield from (farthest(cases) for cases in (speeds, lags, ways) if cases)


def _torque() -> Anchor:
    model, data = start(stand(ARM6_M)[0])
    limits = [d.torque for d in ARM6_M.drives]
    data.qfrc_applied[:] = 3 * np.array(limits)
    most = run(model, data, 0.3, lambda d: np.abs(d.qfrc_actuator).copy()).max(axis=0)
    return farthest(
        _TORQUE.within(e, m, e * (1 - 1e-6), e * (1 + 1e-9), case=f"{ARM6_M.name}, joint {i}")
        for i, (e, m) in enumerate(zip(limits, most, strict=True), 1)
    )


def _friction(joint: int) -> Iterator[Anchor]:
    p = ArmParams()
    model, data = start(stand(ARM6_M, p)[0])
    friction, stiffness = ARM6_M.drives[joint].friction, float(gains(ARM6_M, p)[0][joint])
    given: list[float] = []
    for share, seconds in ((0.9, 1.0), (3.0, 2.0)):
        data.qfrc_applied[joint] = share * friction
        run(model, data, seconds)
        given.append(stiffness * float(data.qpos[joint] - ARM6_M.home[joint]))
    case = f"{ARM6_M.name}, joint {joint + 1}"
    yield _STUCK.within(0.0, given[0] / friction, -0.05, 0.05, case=case)
    yield _SLIPS.near(2.0 * friction, given[1], rel=0.05, case=case)


def _heat() -> Anchor:
    spec, names = stand(ARM6_M, dataclasses.replace(SMOOTH, warmth=0.0), tool=10.0, channels=True)
    s = world(spec, 2.0, names).state
    cases: list[Anchor] = []
    for name, drive in zip(names.joints, ARM6_M.drives, strict=True):
        current = float(s.joint(name).qfrc_actuator[0, 0]) / drive.constant
        heat = drive.resistance * current**2 * 2.0 / drive.thermal[1]
        rise = float(s.actuator(name).act[0, 1] + s.memory(f"{name}_heat")[0])
        cases.append(_HEAT.near(heat, rise, rel=0.01, tol=1e-9, case=f"{ARM6_M.name}, joint {name[-1]}"))
    return farthest(cases)
