"""How fast a task's physics is on one core of this machine, beside a plain model that is timed in the same run.

The reference is a steel box at rest on a plane (four contacts, elliptic cone) and a pendulum of two links beside it, at
2 ms with implicitfast: what any scene here has at the least. Its rate tells machines apart, and the ratio of the two
rates tells scenes apart on any machine. Seconds are those that the process computes, so that others on the machine
disturb little.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Sequence

import mujoco

from generators.speed.bare import BarePhysics
from scenes.catalog import load_task
from sim.layout import layout
from sim.rollout import rollouts
from sim.task import Task

REFERENCE = """
<mujoco model="reference">
  <option timestep=".002" integrator="implicitfast" cone="elliptic"/>
  <worldbody>
    <geom type="plane" size="2 2 .1"/>
    <body pos="0 0 .1">
      <freejoint/>
      <geom type="box" size=".1 .1 .1" density="7850"/>
    </body>
    <body pos="1 0 2">
      <joint axis="0 1 0"/>
      <geom type="capsule" size=".02" fromto="0 0 0 0 0 -.5" density="7850"/>
      <body pos="0 0 -.5">
        <joint axis="0 1 0"/>
        <geom type="capsule" size=".02" fromto="0 0 0 0 0 -.5" density="7850"/>
      </body>
    </body>
  </worldbody>
  <keyframe><key qpos="0 0 .1 1 0 0 0 .3 .1"/></keyframe>
</mujoco>
"""
_BLOCK = 2000  # substeps of the reference at a time


@dataclasses.dataclass(frozen=True, slots=True)
class Speed:
    """How fast a task is on one core here.

    Attributes:
        task: its name.
        timestep: one substep, s.
        substeps_per_s: bare physics of expert episodes: nothing but `mj_step`.
        reference_per_s: substeps of the reference model, timed in turn with it.
        episode_s: simulated, of the expert's episodes on the mean.
        making: simulated over computing time with all that makes a recorded episode: reset, expert, telemetry, states.
    """

    task: str
    timestep: float
    substeps_per_s: float
    reference_per_s: float
    episode_s: float
    making: float

    @property
    def real_time(self) -> float:
        """Simulated time over computing time of bare physics."""
        return self.substeps_per_s * self.timestep

    @property
    def ratio(self) -> float:
        """Substeps of the task over those of the reference."""
        return self.substeps_per_s / self.reference_per_s


class ReferenceModel:
    """The reference, ready to be stepped."""

    def __init__(self) -> None:
        self._model = mujoco.MjModel.from_xml_string(REFERENCE)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_resetDataKeyframe(self._model, self._data, 0)
        mujoco.mj_step(self._model, self._data, nstep=_BLOCK)

    @property
    def contacts(self) -> int:
        """How many contacts there are now."""
        return int(self._data.ncon)

    def rate(self, seconds: float) -> float:
        """Step for about so long and return substeps per second."""
        substeps, start, spent = 0, time.process_time(), 0.0
        while spent < seconds:
            mujoco.mj_step(self._model, self._data, nstep=_BLOCK)
            substeps += _BLOCK
            spent = time.process_time() - start
        return substeps / spent


def measure_speed(task: Task, seeds: Sequence[int] = range(8), rounds: int = 3) -> Speed:
    """Time a task's physics and the making of its episodes.

    Args:
        task: the task.
        seeds: of the expert's episodes, which are made all at once.
        rounds: the bare physics is timed, each with the reference before and after; the median counts.
    """
    timestep, reference = layout(task).timestep, ReferenceModel()
    start = time.process_time()
    episodes = rollouts(task, seeds)
    making = time.process_time() - start
    bare = BarePhysics(task, episodes)
    bare.run()
    ours: list[float] = []
    theirs = [reference.rate(0.1)]
    for _ in range(rounds):
        ours.append(bare.substeps / _computed(bare.run))
        theirs.append(reference.rate(0.1))
    simulated = bare.substeps * timestep
    rates = statistics.median(ours), statistics.median(theirs)
    return Speed(task.name, timestep, *rates, simulated / len(seeds), simulated / making)


def measure_speeds(names: Sequence[str], *, quick: bool = False) -> Iterable[Speed]:
    """Measure tasks by name, one after the other."""
    for name in names:
        yield measure_speed(load_task(name), range(2 if quick else 8), 1 if quick else 3)


def speed_table(speeds: Sequence[Speed]) -> str:
    """Return a table in Markdown."""
    columns = (
        "task",
        "timestep",
        "a substep",
        "substeps/s",
        "over reference",
        "real time",
        "with expert and recording",
    )
    rows = [columns, ("---",) * len(columns)]
    for s in speeds:
        each = f"{1e6 / s.substeps_per_s:.1f} us", _thousands(s.substeps_per_s), f"{s.ratio:.2g}"
        rows.append((f"`{s.task}`", f"{1e3 * s.timestep:g} ms", *each, f"{s.real_time:.3g} x", f"{s.making:.3g} x"))
    reference = statistics.median(s.reference_per_s for s in speeds)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(
        [
            *lines,
            "",
            f"Reference, a box on four contacts and a pendulum of two links: {_thousands(reference)} substeps/s.",
        ]
    )


def _computed(function: Callable[[], object]) -> float:
    """Return for how long a function computes, s."""
    start = time.process_time()
    function()
    return time.process_time() - start


def _thousands(rate: float) -> str:
    return f"{float(f'{rate:.3g}'):,.0f}"
