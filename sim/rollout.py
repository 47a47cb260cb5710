"""Roll tasks out into episodes: sample, build, compile, let the expert act, judge, record.

Several episodes advance in step on one World, which shares Python's cost among them and changes no bit of any.
What goes wrong in one episode (a task, expert or policy that raises, physics that diverges) ends that episode with
its outcome and reason, and no other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import parameters
from sim.engine import Engine, horizon_steps, substeps
from sim.episode import Episode, Outcome, Recorder
from sim.errors import ActionError, describe_error, unknown
from sim.model import compile_model, model_sha256
from sim.parameters import Overrides
from sim.scenario import Scenario
from sim.seeds import stream
from sim.task import Command, Task

Array = NDArray[Any]
Policy = Callable[[Mapping[str, Array]], Array]

LANES = 32  # episodes that advance in step; more gain little and take memory


def rollout(
    task: Task,
    episode_seed: int,
    *,
    policy: Policy | None = None,
    overrides: Overrides | None = None,
    degraded: float = 0.0,
) -> Episode:
    """Roll out one episode.

    Args:
        task: what to do.
        episode_seed: determines everything random about the episode.
        policy: maps what is observed ({name: (dim,)}) to an action (nu,) in the actuators' units; None: the expert.
        overrides: changes to the task's parameters, by dotted name.
        degraded: share of episodes for which the expert is made worse, 0 to 1.

    Raises:
        GenbaError: the overrides fit no parameter. Everything later ends in the episode's outcome.
    """
    return rollouts(task, [episode_seed], policy=policy, overrides=overrides, degraded=degraded)[0]


def rollouts(
    task: Task,
    episode_seeds: Sequence[int],
    *,
    policy: Policy | None = None,
    overrides: Overrides | None = None,
    degraded: float = 0.0,
    record: bool = True,
) -> list[Episode]:
    """Roll out several episodes in step; each is the same as `rollout` of its seed. See there for the arguments.

    With record=False the episodes hold outcomes only, no arrays: for counting successes.
    """
    parameters.describe(task.Params, overrides)
    lanes = [_Lane(task, seed, overrides, degraded) for seed in episode_seeds]
    for start in range(0, len(lanes), LANES):
        _run(task, [lane for lane in lanes[start : start + LANES] if lane.build()], policy, record=record)
    return [lane.episode() for lane in lanes]


def expert_mode(task: Task, episode_seed: int, degraded: float) -> int:
    """Return 0 for the nominal expert or k for degradations[k - 1], drawn from the episode's policy stream."""
    rng = stream(episode_seed, "policy", "mode")
    if not task.degradations or rng.random() >= degraded:
        return 0
    return 1 + int(rng.integers(len(task.degradations)))


class _Lane:
    """One episode on its way: what was drawn for it, who acts, and how it ended."""

    def __init__(self, task: Task, seed: int, overrides: Overrides | None, degraded: float) -> None:
        self.task, self.seed = task, seed
        self.p: Any = None
        self.overrides = overrides
        self.mode = expert_mode(task, seed, degraded)
        self.scenario: Scenario | None = None
        self.expert: Iterator[Command] = iter(())
        self.outcome: Outcome | None = None
        self.fail_code = 0
        self.error = ""
        self.length = 0
        self.known: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}

    def build(self) -> bool:
        """Build and compile the scene; return whether that went well."""
        try:
            self.p = parameters.sample(self.task.Params, self.seed, self.overrides)
            spec = self.task.build(self.p)
            self.scenario = Scenario(compile_model(spec, self.task.memory), self.seed)
            substeps(self.task, self.scenario.model)
            self.known = {
                "model_sha256": model_sha256(self.scenario.model),
                "model_xml": spec.to_xml(),
                "instruction": dict(self.task.instructions(self.p)),
            }
        except Exception as error:
            self.end(Outcome.TASK_ERROR, error=error)
            return False
        return True

    def start(self, engine: Engine, row: int) -> None:
        """Start the expert."""
        mode = ("nominal", *self.task.degradations)[self.mode]
        rng = stream(self.seed, "policy", "expert")
        self.expert = iter(self.task.expert(engine.state.row(row), self.p, mode=mode, rng=rng))

    def end(self, outcome: Outcome, *, fail_code: int = 0, error: Exception | str = "") -> None:
        """Note how the episode ended; the first call holds."""
        if self.outcome is None:
            self.outcome, self.fail_code = outcome, fail_code
            self.error = error if isinstance(error, str) else describe_error(error)

    def episode(self) -> Episode:
        """Freeze what was recorded."""
        outcome = Outcome.FAILURE if self.outcome is None else self.outcome
        flags: dict[str, Any] = {}
        if self.arrays and self.length:
            terminated, truncated = np.zeros((2, self.length), bool)
            failed = outcome is Outcome.FAILURE and self.fail_code > 0
            terminated[-1], truncated[-1] = failed, not failed
            flags = {"terminated": terminated, "truncated": truncated}
        return Episode(
            task=self.task.name,
            version=self.task.version,
            seed=self.seed,
            parameters={} if self.p is None else parameters.flatten(self.p),
            expert_mode=self.mode,
            outcome=outcome,
            fail_code=self.fail_code,
            error=self.error,
            **self.known,
            **self.arrays,
            **flags,
        )


def _run(task: Task, lanes: list[_Lane], policy: Policy | None, *, record: bool) -> None:
    """Advance lanes to their ends; where something raises for all of them at once, find out for whom, one by one."""
    if not lanes:
        return
    try:
        _Run(task, lanes, policy, record=record).to_the_end()
    except Exception as error:
        if len(lanes) == 1:
            lanes[0].end(Outcome.TASK_ERROR, error=error)
            return
        for lane in lanes:
            lane.outcome, lane.fail_code, lane.error, lane.length, lane.arrays = None, 0, "", 0, {}
            _run(task, [lane], policy, record=record)


class _Run:
    """Some lanes on one Engine."""

    def __init__(self, task: Task, lanes: list[_Lane], policy: Policy | None, *, record: bool) -> None:
        self.task, self.lanes, self.policy = task, lanes, policy
        scenarios = [lane.scenario for lane in lanes if lane.scenario is not None]
        self.engine = Engine(task, scenarios, telemetry=record)
        self.horizon = horizon_steps(task)
        self.recorder = self._recorder() if record else None
        self.actions = np.zeros(self.engine.low.shape)
        self.phases = np.full(len(lanes), -1, np.int16)

    def _recorder(self) -> Recorder:
        return Recorder(
            len(self.lanes),
            self.horizon,
            nstep=self.engine.nstep,
            timestep=self.engine.world.scenarios[0].model.opt.timestep,
            groups=self.engine.world.instruments.groups,
        )

    def to_the_end(self) -> None:
        """Advance until every lane has ended, and cut the recordings, also where something raises on the way."""
        with np.errstate(all="ignore"), self.engine:
            try:
                self._advance()
            finally:
                if self.recorder and self.recorder.started:
                    columns = self.engine.columns, self.engine.signal_columns
                    for row, lane in enumerate(self.lanes):
                        lane.arrays = self.recorder.cut(row, lane.length, *columns)

    def _advance(self) -> None:
        engine, recorder = self.engine, self.recorder
        samples = engine.reset()
        if recorder:
            recorder.samples(samples)
        observation = self._record(0)
        if self.policy is None:
            for row, lane in enumerate(self.lanes):
                lane.start(engine, row)
        for t in range(self.horizon):
            ids = self._act(observation)
            if not len(ids):
                return
            actions = engine.applied(self.actions)
            samples = engine.advance(actions, ids)
            if recorder:
                recorder.samples(samples)
            observation = self._record(t + 1)
            self._judge(t, ids, actions)
        for lane in self.lanes:
            lane.end(Outcome.TIMEOUT)

    def _record(self, t: int) -> dict[str, Array]:
        engine = self.engine
        rows = engine.observe()
        observation = engine.columns.split(rows)
        if self.recorder:
            self.recorder.states(t, rows, engine.signals(), engine.world.control())
            if t % Recorder.KEYFRAME_EVERY == 0:
                self.recorder.keyframe(t, engine.world.integration())
        return observation

    def _act(self, observation: Mapping[str, Array]) -> NDArray[np.intp]:
        """Ask for every running lane's action; return the lanes that have one."""
        ids: list[int] = []
        for row, lane in enumerate(self.lanes):
            if lane.outcome is not None:
                continue
            try:
                self._ask(row, lane, observation)
                ids.append(row)
            except StopIteration:
                lane.end(Outcome.FAILURE)
            except Exception as error:
                lane.end(Outcome.EXPERT_ERROR, error=error)
        return np.array(ids, np.intp)

    def _ask(self, row: int, lane: _Lane, observation: Mapping[str, Array]) -> None:
        if self.policy is None:
            action, phase = next(lane.expert)
            if phase not in self.task.phases:
                raise unknown("phase", phase, self.task.phases)
            self.phases[row] = self.task.phases.index(phase)
        else:
            action = self.policy({name: value[row] for name, value in observation.items()})
        action = np.asarray(action, float)
        if action.shape != self.actions[row].shape:
            raise ActionError(f"an action needs shape {self.actions[row].shape}, got {action.shape}")
        if not np.isfinite(action).all():
            raise ActionError(f"an action must be finite, got {action.tolist()}")
        self.actions[row] = action

    def _judge(self, t: int, ids: NDArray[np.intp], actions: NDArray[np.float32]) -> None:
        state = self.engine.state
        success, failure, rewards = (
            self.engine.success,
            self.task.failure(state),
            self.task.reward(state),
        )
        if self.recorder:
            self.recorder.steps(t, actions=actions, phases=self.phases, rewards=rewards, success=success)
        held, faults = self.engine.succeeded(), self.engine.world.faults()
        for row in ids:
            lane = self.lanes[row]
            if faults[row]:
                lane.end(Outcome.UNSTABLE, error=f"{faults[row]} in control step {t}")
                continue  # the step that diverged is not kept
            lane.length = t + 1
            if failure[row]:
                lane.end(Outcome.FAILURE, fail_code=int(failure[row]))
            elif held[row]:
                lane.end(Outcome.SUCCESS)
