"""How one commands an arm: where its tool is, which way its joints must go, which joints reach a pose, smooth moves.

Rule: kinematics here are nominal, of the kind of arm and not of the one arm that a scene built, as in a real
controller; what the arm's mastering or its servos make of a command, only a sensor shows.
"""

from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.machines.arm import ArmParams, add_arm, gains
from scenes.machines.arm_types import ArmModel
from sim.errors import GenbaError, ParameterError
from sim.spec import new_spec

Array = NDArray[np.float64]

_LAMBDA = 0.02  # m or rad per rad: damping of the inverse; within 5 deg of a singularity it costs a few per cent
_PULL = 0.02  # share of the way home that a redundant arm goes per call, where that does not move the tool
_TRIES = 20  # postures from which `Pilot.reach` starts
_ROUNDS = 60  # of Newton per posture; 6 to 12 do where the pose can be reached


class ReachError(GenbaError, ValueError):
    """A pose that the arm does not reach within its window."""


class Pose(NamedTuple):
    """Where a frame is.

    Attributes:
        pos: (3,) m.
        quat: (4,) wxyz.
    """

    pos: Array
    quat: Array


def forward(model: ArmModel, q: ArrayLike) -> Array:
    """Return T_base_flange (..., 4, 4) at joint positions (..., n), by the Denavit-Hartenberg chain."""
    q = np.asarray(q, float)
    pose = np.broadcast_to(np.eye(4), (*q.shape[:-1], 4, 4))
    for i, (link, drive) in enumerate(zip(model.links, model.drives, strict=True)):
        turn, slide = (0.0, q[..., i]) if drive.slides else (q[..., i], 0.0)
        pose = pose @ _craig(link.a, link.alpha, link.d + slide, turn)
    return pose @ _craig(*model.flange, 0.0)


def servo_lag(model: ArmModel, p: ArmParams) -> Array:
    """Return how far each joint (n,) lags behind a steadily moving reference, s: what a command may lead by."""
    stiffness, damping = gains(model, p)
    return (damping + np.array([drive.drag for drive in model.drives])) / stiffness


class Pilot:
    """An arm's kinematics with a tool on its flange, as its controller has them.

    Args:
        model: the kind of arm.
        base: of the arm, in world.
        tool: frame of interest in the flange's.
        window: least and greatest joint positions (n,), rad, as given to `add_arm`. None for the arm's own.
    """

    def __init__(
        self,
        model: ArmModel,
        *,
        base: tuple[ArrayLike, ArrayLike] = ((0, 0, 0), (1, 0, 0, 0)),
        tool: tuple[ArrayLike, ArrayLike] = ((0, 0, 0), (1, 0, 0, 0)),
        window: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        spec = new_spec("pilot", timestep=1e-3)
        pos, quat = (np.asarray(part, float).tolist() for part in base)
        arm = add_arm(spec, model, ArmParams(mastering=0.0), pos=pos, quat=quat, window=window)
        flange = spec.site(arm.flange)
        hand = spec.body(arm.tip).add_body(pos=flange.pos, quat=flange.quat)
        pos, quat = (np.asarray(part, float).tolist() for part in tool)
        hand.add_site(name="tool", pos=pos, quat=quat)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._site = self._data.site("tool")
        self._id = self._model.site("tool").id
        self._jac = np.zeros((6, self._model.nv))
        self._damping = _LAMBDA**2 * np.eye(6)
        self.arm, self.home = model, np.array(model.home, float)
        self.low, self.high = self._model.actuator_ctrlrange.T.copy()

    def pose(self, q: ArrayLike) -> Pose:
        """Return where the tool is, in world, at joints q (n,), rad."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        return self._pose()

    def jacobian(self, q: ArrayLike) -> Array:
        """Return the Jacobian (6, n) at joints q (n,), rad: the tool's velocity and turning in world. Live."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        return self._jacobian()

    def follow(self, q: ArrayLike, twist: ArrayLike) -> Array:
        """Return the joints (n,), within the window, that move the tool from where joints q (n,) have it by a twist.

        Args:
            q: rad.
            twist: (6,) small way, m, and turn, rad, in world: a velocity times the control period.
        """
        q = np.asarray(q, float)
        jac = self.jacobian(q)
        return self._clip(q + self._solve(jac, np.asarray(twist, float), q))

    def approach(self, q: ArrayLike, goal: Pose, *, way: float, turn: float) -> Array:
        """Return the joints (n,), within the window, that bring the tool from joints q (n,) towards a pose.

        Args:
            q: rad.
            goal: in world.
            way: longest, m.
            turn: widest, rad.
        """
        q = np.asarray(q, float)
        error = pose_error(self.pose(q), goal)
        for part, most in ((error[:3], way), (error[3:], turn)):
            part *= min(1.0, most / max(float(np.linalg.norm(part)), 1e-12))
        return self._clip(q + self._solve(self._jacobian(), error, q))

    def reach(self, goal: Pose, *, seed: ArrayLike | None = None, tolerance: float = 1e-6) -> Array:
        """Return joints (n,), rad, that put the tool at a pose, the nearest to the seed that Newton's method finds.

        An arm of fewer than six joints must be asked for a pose that it can take.

        Args:
            goal: in world.
            seed: where to start, rad; None for home. Other postures are tried where it leads nowhere.
            tolerance: m and rad.

        Raises:
            ReachError: no posture within the window puts the tool there.
        """
        start = self.home if seed is None else np.asarray(seed, float)
        rng = np.random.default_rng(0)
        best, least = start, np.inf
        for attempt in range(_TRIES):
            share = attempt / _TRIES
            q = self._newton(self._clip(start + share * rng.uniform(self.low - start, self.high - start)), goal)
            error = float(np.linalg.norm(pose_error(self.pose(q), goal)))
            if error < tolerance:
                return q
            if error < least:
                best, least = q, error
        off = pose_error(self.pose(best), goal)
        raise ReachError(
            f"a {self.arm.name} does not reach {np.round(goal.pos, 4).tolist()} m with quaternion"
            f" {np.round(goal.quat, 4).tolist()} in its window; the nearest found is"
            f" {1e3 * np.linalg.norm(off[:3]):.1f} mm and {np.degrees(np.linalg.norm(off[3:])):.1f} deg away"
        )

    def _newton(self, q: Array, goal: Pose) -> Array:
        for _ in range(_ROUNDS):
            error = pose_error(self.pose(q), goal)
            size = float(np.linalg.norm(error))
            if size < 1e-10:
                break
            jac = self._jacobian()
            damping = 1e-3 * min(1.0, size) * np.eye(len(q))  # fades, so that convergence becomes quadratic
            step = np.linalg.solve(jac.T @ jac + 1e-12 * np.eye(len(q)) + damping, jac.T @ error)
            q = self._clip(q + step * min(1.0, 0.5 / max(float(np.abs(step).max()), 1e-12)))
        return q

    def _solve(self, jac: Array, twist: Array, q: Array) -> Array:
        """Return the joints' way (n,) for a twist by damped least squares; spare joints drift home."""
        inverse = np.linalg.solve(jac @ jac.T + self._damping, jac).T
        out = inverse @ twist
        if len(q) > 6:
            home = _PULL * (self.home - q)
            out += home - inverse @ (jac @ home)
        return out

    def _pose(self) -> Pose:
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, self._site.xmat)
        return Pose(self._site.xpos.copy(), quat)

    def _jacobian(self) -> Array:
        """Return the Jacobian of the kinematics that were computed last."""
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._jac[:3], self._jac[3:], self._id)
        return self._jac

    def _clip(self, q: Array) -> Array:
        return np.minimum(np.maximum(q, self.low), self.high)


def pose_error(now: Pose, goal: Pose) -> Array:
    """Return the twist (6,) from one pose to another in the frame both are given in: way, m, and turn, rad."""
    out = np.empty(6)
    out[:3] = goal.pos - now.pos
    turn = np.empty(4)
    mujoco.mju_negQuat(turn, now.quat)
    mujoco.mju_mulQuat(turn, np.asarray(goal.quat, float), turn)
    mujoco.mju_quat2Vel(out[3:], turn, 1.0)
    return out


def joint_move(
    model: ArmModel,
    start: ArrayLike,
    goal: ArrayLike,
    period: float,
    *,
    haste: float = 0.5,
    velocity: ArrayLike | None = None,
) -> Array:
    """Return jerk-limited joint references (m, n), rad, one per control step, all joints arriving together.

    Args:
        model: the kind of arm.
        start: (n,) rad.
        goal: (n,) rad, the last row.
        period: one control step, s.
        haste: speed over what the joints may; acceleration goes with its square and jerk with its cube.
        velocity: (n,) rad/s at the start; None for rest.

    Raises:
        ParameterError: haste is not in (0, 1], the joints are not as many as the arm's, or no such move exists.
    """
    from ruckig import InputParameter, Ruckig, RuckigError, Trajectory

    start, goal = np.asarray(start, float), np.asarray(goal, float)
    n = len(model.links)
    if not 0.0 < haste <= 1.0:
        raise ParameterError(f"haste must lie in (0, 1], got {haste:g}")
    if start.shape != (n,) or goal.shape != (n,):
        raise ParameterError(f"a {model.name} has {n} joints, got positions {start.shape} and {goal.shape}")
    speed = np.array([drive.speed for drive in model.drives])
    acceleration = speed / 0.3  # s to full speed, usual for arms of this size
    inputs = InputParameter(n)
    inputs.current_position, inputs.target_position = start.tolist(), goal.tolist()
    if velocity is not None:
        inputs.current_velocity = np.asarray(velocity, float).tolist()
    inputs.max_velocity = (haste * speed).tolist()
    inputs.max_acceleration = (haste**2 * acceleration).tolist()
    inputs.max_jerk = (haste**3 * acceleration / 0.1).tolist()  # s to full acceleration
    path = Trajectory(n)
    try:
        Ruckig(n, period).calculate(inputs, path)
    except RuckigError as error:
        raise ParameterError(f"no move from {start.tolist()} to {goal.tolist()} rad: {error}") from error
    times = period * np.arange(1, int(np.ceil(path.duration / period - 1e-9)) + 1)
    rows = [path.at_time(min(float(t), path.duration))[0] for t in times]
    return np.array(rows, float).reshape(-1, n)


def _craig(a: float, alpha: float, d: ArrayLike, theta: ArrayLike) -> Array:
    """Return Rx(alpha) Tx(a) Rz(theta) Tz(d) (..., 4, 4)."""
    sin, cos = np.sin(alpha), np.cos(alpha)
    d, theta = np.broadcast_arrays(np.asarray(d, float), np.asarray(theta, float))
    out = np.zeros((*theta.shape, 4, 4))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 3] = np.cos(theta), -np.sin(theta), a
    out[..., 1, 0], out[..., 1, 1] = np.sin(theta) * cos, np.cos(theta) * cos
    out[..., 2, 0], out[..., 2, 1] = np.sin(theta) * sin, np.cos(theta) * sin
    out[..., 1, 2], out[..., 2, 2] = -sin, cos
    out[..., 1, 3], out[..., 2, 3] = -sin * d, cos * d
    out[..., 3, 3] = 1.0
    return out
