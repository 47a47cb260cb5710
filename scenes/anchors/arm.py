"""Arms: published kinematics and masses, and the statics of their servos under weight and push."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.anchors import Anchor, Law, farthest
from scenes.machines import arm, arm_pilot, arm_telemetry
from scenes.machines.arm_models import ARM6_M, ARM6_S, ARM7_S, SCARA4
from scenes.machines.arm_types import ArmModel
from sim.model import compile_model
from sim.scenario import Scenario
from sim.spec import new_spec
from sim.world import World

Array = NDArray[np.float64]

TASKS = ("assembly/peg_grasp", "assembly/peg_insert")

G = 9.81  # m/s2
TIMESTEP = 1e-3  # s, that of the scenes
SMOOTH = arm.ArmParams(friction=0.0)
KINDS = (ARM6_M, ARM6_S, ARM7_S, SCARA4)

# theta is the joint's; d, a, alpha as the maker's support article 45257 lists them for UR10e and UR5e
CLASSIC = {
    ARM6_M.name: (
        (0.1807, 0, math.pi / 2),
        (0, -0.6127, 0),
        (0, -0.57155, 0),
        (0.17415, 0, math.pi / 2),
        (0.11985, 0, -math.pi / 2),
        (0.11655, 0, 0),
    ),
    ARM6_S.name: (
        (0.1625, 0, math.pi / 2),
        (0, -0.425, 0),
        (0, -0.3922, 0),
        (0.1333, 0, math.pi / 2),
        (0.0997, 0, -math.pi / 2),
        (0.0996, 0, 0),
    ),
}
MASSES = {ARM6_M.name: 29.104, ARM6_S.name: 17.7, ARM7_S.name: 15.495, SCARA4.name: 9.6}  # kg, of what moves

_STATICS = "Statics of a linear servo"
_DH = Law(
    "Flange against the published chain", "T = prod Rz(q) Tz(d) Tx(a) Rx(alpha)", "Universal Robots, article 45257", "m"
)
_PILOT = Law("Flange against the controller's kinematics", "T = prod Rx(alpha) Tx(a) Rz(q) Tz(d)", "Craig 1986", "m")
_HEIGHT = Law(
    "Flange of the stretched seven-axis arm", "x 0.088, y 0, z 0.333 + 0.316 + 0.384 - 0.107", "FR3 data sheet", "m"
)
_MASS = Law("Moving mass", "sum of the published link masses", "Makers' robot descriptions", "kg")
_REST = Law("Where an arm under its own weight and a tool stands", "q = home", "Weight is fed forward", "rad")
_WEIGHT = Law("Torque that holds arm and 2 kg tool", "tau_i = dV/dq_i", "Potential energy", "N*m")
_SAG = Law("Sag under a 10 kg tool misjudged by 5 %", "dz = J K^-1 J_tool^T dF", _STATICS, "m")
_YIELD = Law(
    "Yield of the flange to 10 N", "dx = J K^-1 J^T F", f"{_STATICS}; 2 mm of 1 m turn the lever by 0.2 %", "m"
)


def measure() -> Iterator[Anchor]:
    """Measure arms that stand."""
    yield from (_chain(kind) for kind in (ARM6_M, ARM6_S))
    yield from (_controller(kind) for kind in KINDS)
    yield _stretched()
    for kind in KINDS:
        mass = float(start(stand(kind)[0])[0].body_mass.sum())
        yield _MASS.near(MASSES[kind.name], mass, tol=1e-3, case=kind.name)
    for kind in KINDS:
        yield from _held(kind)
    yield _sag()
    yield from (_yields(kind) for kind in KINDS)


def stand(  # noqa: PLR0913 - what it carries, where it stands and what it measures
    kind: ArmModel,
    p: arm.ArmParams = SMOOTH,
    *,
    q: ArrayLike | None = None,
    window: tuple[ArrayLike, ArrayLike] | None = None,
    tool: float = 0.0,
    channels: bool = False,
    wrist: arm_telemetry.WristParams | None = None,
) -> tuple[mujoco.MjSpec, arm.Arm]:
    """Return the spec of an arm at rest, with a tool of some kg on its flange, and the arm's names."""
    spec = new_spec("arm", timestep=TIMESTEP)
    names = arm.add_arm(spec, kind, p, pos=(0, 0, 0), window=window)
    if tool:
        pos, quat = arm.flange_pose(kind)
        hand = spec.body(names.tip).add_body(name="tool", pos=pos, quat=quat)
        hand.explicitinertial, hand.mass, hand.ipos, hand.inertia = True, tool, [0, 0, 0.1], [0.01, 0.01, 0.01]
        hand.add_site(name="wrist")
        arm.compensate(spec, p, "tool")
    if channels:
        arm_telemetry.add_telemetry(spec, names, p)
    if wrist:
        arm_telemetry.add_force_torque(spec, "wrist", wrist)
    home = arm.key(kind, p, kind.home if q is None else q)
    spec.add_key(name="home", qpos=home.qpos, act=home.act, ctrl=home.ctrl)
    return spec, names


def start(spec: mujoco.MjSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Compile, and begin at the keyframe."""
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return model, data


def run(
    model: mujoco.MjModel, data: mujoco.MjData, seconds: float, read: Callable[[Any], Any] = lambda _: 0.0
) -> Array:
    """Step and return what was read after each step."""
    out: list[Any] = []
    for _ in range(round(seconds / TIMESTEP)):
        mujoco.mj_step(model, data)
        out.append(read(data))
    return np.array(out)


def world(spec: mujoco.MjSpec, seconds: float = 0.0, names: arm.Arm | None = None) -> World:
    """Return one simulation under the engine's world after some control steps of 10 ms."""
    memory = arm.memory(names) if names else ()
    out = World([Scenario(compile_model(spec, memory), 0)], memory=memory)
    out.reset()
    for i in range(round(seconds / 0.01)):
        out.step(10, np.array([10 * i]), np.arange(1))
        if names:
            arm.scan_windings(out.state, names, 0.01)
    return out


def postures(kind: ArmModel, count: int) -> Iterator[Array]:
    """Yield joint positions inside the limits, the same every time."""
    low, high = np.array([(d.low, d.high) for d in kind.drives]).T
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.uniform(np.maximum(low, -3.0), np.minimum(high, 3.0))


def _classic(kind: ArmModel, q: Array) -> Array:
    """Return the flange's frame by Denavit and Hartenberg's own convention."""
    out = np.eye(4)
    for (d, a, alpha), t in zip(CLASSIC[kind.name], q, strict=True):
        ct, st, ca, sa = math.cos(t), math.sin(t), math.cos(alpha), math.sin(alpha)
        out = out @ [[ct, -st * ca, st * sa, a * ct], [st, ct * ca, -ct * sa, a * st], [0, sa, ca, d], [0, 0, 0, 1]]
    return out


def _frames(kind: ArmModel, many: Array) -> Iterator[Array]:
    model, data = start(stand(kind)[0])
    for q in many:
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        frame = np.eye(4)
        frame[:3, :3], frame[:3, 3] = data.site("flange").xmat.reshape(3, 3), data.site("flange").xpos
        yield frame


def _chain(kind: ArmModel) -> Anchor:
    many = np.array(list(postures(kind, 100)))
    off = max(np.abs(f - _classic(kind, q)).max() for f, q in zip(_frames(kind, many), many, strict=True))
    return _DH.within(0.0, off, 0.0, 1e-12, case=f"{kind.name}, greatest of 100 postures")


def _controller(kind: ArmModel) -> Anchor:
    many = np.array(list(postures(kind, 50)))
    known = arm_pilot.forward(kind, many.reshape(5, 10, -1)).reshape(-1, 4, 4)
    off = max(np.abs(f - k).max() for f, k in zip(_frames(kind, many), known, strict=True))
    return _PILOT.within(0.0, off, 0.0, 1e-12, case=f"{kind.name}, greatest of 50 postures")


def _stretched() -> Anchor:
    # beyond the elbow's limit, but the one posture that needs no trigonometry
    frame = next(_frames(ARM7_S, np.zeros((1, len(ARM7_S.drives)))))
    formula = (0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107)
    return farthest(_HEIGHT.near(e, m, tol=1e-12, case=a) for e, m, a in zip(formula, frame[:3, 3], "xyz", strict=True))


def _held(kind: ArmModel) -> Iterator[Anchor]:
    model, data = start(stand(kind, tool=2.0)[0])
    run(model, data, 1.0)
    yield farthest(_REST.near(e, m, tol=1e-9, case=kind.name) for e, m in zip(kind.home, data.qpos, strict=True))
    cases: list[Anchor] = []
    for i in range(model.nv):
        energy: list[float] = []
        for step in (-1e-4, 1e-4):
            probe = mujoco.MjData(model)
            probe.qpos[:] = kind.home
            probe.qpos[i] += step
            mujoco.mj_kinematics(model, probe)
            energy.append(G * float(model.body_mass @ probe.xipos[:, 2]))
        # central difference of a sinusoid: relative error 1e-8 / 6
        slope, case = (energy[1] - energy[0]) / 2e-4, f"{kind.name}, joint {i + 1}"
        cases.append(_WEIGHT.near(slope, float(data.qfrc_actuator[i]), tol=1e-4, case=case))
    yield farthest(cases)


def _sag() -> Anchor:
    p = dataclasses.replace(SMOOTH, payload_error=-0.05)
    model, data = start(stand(ARM6_M, p, tool=10.0)[0])
    height = float(data.site("flange").xpos[2])
    jac, flange = np.zeros((3, 6)), np.zeros((3, 6))
    mujoco.mj_jac(model, data, jac, None, data.body("tool").xipos, model.body("tool").id)
    run(model, data, 2.0)
    turn = jac.T @ [0.0, 0.0, -0.05 * 10.0 * G] / arm.gains(ARM6_M, p)[0]
    mujoco.mj_jacSite(model, data, flange, None, model.site("flange").id)
    return _SAG.near((flange @ turn)[2], float(data.site("flange").xpos[2]) - height, rel=5e-3)  # 0.4 mm: linear


def _yields(kind: ArmModel) -> Anchor:
    model, data = start(stand(kind)[0])
    site, body = model.site("flange").id, int(model.site_bodyid[model.site("flange").id])
    jac = np.zeros((3, model.nv))
    mujoco.mj_jacSite(model, data, jac, None, site)
    compliance = jac @ np.diag(1 / arm.gains(kind, SMOOTH)[0]) @ jac.T
    cases: list[Anchor] = []
    for axis, name in enumerate("xyz"):
        mujoco.mj_resetDataKeyframe(model, data, 0)
        mujoco.mj_forward(model, data)
        before, applied = data.site("flange").xpos.copy(), np.zeros(model.nv)
        mujoco.mj_applyFT(model, data, 10.0 * np.eye(3)[axis], np.zeros(3), before, body, applied)
        data.qfrc_applied[:] = applied
        run(model, data, 1.0)
        moved = float((data.site("flange").xpos - before)[axis])
        cases.append(_YIELD.near(10.0 * compliance[axis, axis], moved, rel=0.01, case=f"{kind.name}, {name}"))
    return farthest(cases)
