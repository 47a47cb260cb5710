"""n simulations of one layout, stepped together; knows no task.

The batch is persistent (one MjData a simulation), which makes three things true that recording relies on: fields read
after a call belong to their own simulation, the velocity stage computed at the end of a control step is where the
next one goes on (it costs nothing), and row i equals a simulation run alone, bit for bit.

What the engine itself must remember is the simulation's `userdata` in every state that is recorded and restored: the
time for which success has held, the task's memory slots, and the latest reading of every telemetry channel. In between
it is kept beside the batch (`World.own`), which would otherwise take each change of it for another simulation.

Which bodies sleep (`sleep` of MuJoCo's options) is in no state either. It changes results by rounding and is
forgotten where a state is restored; so whoever records states wakes all bodies there (`World.wake`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.driven import Driven, DrivenFields
from sim.errors import TaskError, unknown
from sim.instruments import Instruments, Samples
from sim.model import CONTROL, HELD, state_columns
from sim.scenario import Scenario
from sim.state import State

Array = NDArray[Any]

_VEL = int(mujoco.mjtStage.mjSTAGE_VEL)
_ACC = int(mujoco.mjtStage.mjSTAGE_ACC)
_NONE = int(mujoco.mjtStage.mjSTAGE_NONE)
_WARNINGS = tuple(name.removeprefix("mjWARN_") for name in mujoco.mjtWarning.__members__ if "WARN_" in name)


def _silence() -> None:
    """Keep MuJoCo from printing warnings and dropping MUJOCO_LOG.TXT: `World.faults` reports them."""
    config = mujoco.MjLogConfig.get()
    config.logto_console = False
    config.logto_file = False
    config.set()


class World:
    """n simulations, each on its own model; all models share one layout.

    Args:
        scenarios: one per simulation.
        memory: the task's slots.
        driven: what the task's laws write.
        telemetry: False to work out only each channel's latest sample of a control step, which is what policies see.
        nthread: threads that share the simulations.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        *,
        memory: Sequence[str] = (),
        driven: Mapping[str, Driven] | None = None,
        telemetry: bool = True,
        nthread: int = 1,
    ) -> None:
        from mujoco.batch import Batch  # 5 ms that reading and describing tasks do without

        _silence()
        model, nsim = scenarios[0].model, len(scenarios)
        self.scenarios = list(scenarios)
        self.batch = Batch(model, nsim, nthread, persistent=True)
        self.sleeps = bool(model.opt.enableflags & int(mujoco.mjtEnableBit.mjENBL_SLEEP))
        self.driven = DrivenFields(driven or {}, [s.model for s in scenarios])
        self.batch.set_models(self.driven.models)
        self.instruments = Instruments(model, nsim, telemetry=telemetry)
        self._sensed: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._fields: dict[tuple[str, str, str], Array] = {}
        self._constants: dict[tuple[str, str, str], Array] = {}  # those of the fields that are the models'
        self._columns: dict[tuple[str, str], slice] = {}
        self._numerics: dict[str, Array] = {}
        self._memory = {name: HELD + i for i, name in enumerate(memory)}
        self._control = state_columns(model, CONTROL)
        self._own = state_columns(model, int(mujoco.mjtState.mjSTATE_USERDATA))
        self._own_in_control = np.searchsorted(self._control, self._own)
        self.own = np.zeros((nsim, len(self._own)))
        self.held = self.own[:, 0]
        self.measured = self.own[:, HELD + len(memory) :]
        self.ctrl = self.batch.bind("ctrl")
        self._sensordata = self.batch.bind("sensordata")
        self.raw = np.zeros_like(self._sensordata)
        self.peak = np.zeros_like(self.raw)
        self._stale = np.zeros(self.raw.shape[1], bool)  # where peak is not yet that of the last step
        for row, scenario in enumerate(scenarios):
            self.instruments.put(row, scenario.errors)

    @property
    def state(self) -> State:
        """What tasks read. Made anew, not kept: a world that knew its state would outlive its last user."""
        return State(self)

    @property
    def nsim(self) -> int:
        """Number of simulations."""
        return len(self.scenarios)

    def replace(self, ids: NDArray[np.intp], scenarios: Sequence[Scenario]) -> None:
        """Give some simulations other scenarios; `reset` them next.

        Raises:
            TaskError: a model's layout is not that of the others.
        """
        for row, scenario in zip(ids.tolist(), scenarios, strict=True):
            self.scenarios[row] = scenario
            self.driven.put(row, scenario.model)
        try:
            self.batch.set_models(self.driven.models)
        except ValueError as error:
            raise TaskError(f"parameters may not change a scene's layout: {error}") from error
        for row, scenario in zip(ids.tolist(), scenarios, strict=True):
            self.instruments.put(row, scenario.errors)
            for name, values in self._numerics.items():
                values[row] = scenario.numeric(name)
        for (kind, name, attribute), values in self._constants.items():
            values[ids] = getattr(getattr(self.batch, kind)(name), attribute)[ids]

    def reset(self, ids: NDArray[np.intp] | None = None) -> list[Samples]:
        """Put some simulations, or all, at their start and take the first sample of every channel."""
        ids = np.arange(self.nsim) if ids is None else ids
        if self.sleeps:
            self.batch.reset(ids, stage=_NONE)
        for row in ids.tolist():
            self.batch.state[row] = self.scenarios[row].start
        self.own[ids] = 0.0
        self.batch.warning[ids] = 0
        self.driven.reset(ids)
        self._settle()
        self.batch.forward(ids, stage=_ACC)
        self.raw[ids] = self._sensordata[ids]
        self.peak[ids] = np.abs(self.raw[ids])
        return self.instruments.first(self.raw[ids], ids, self.measured)

    def restore(self, rows: NDArray[np.float64]) -> None:
        """Continue from recorded integration states (nsim, size)."""
        self.driven.reset()
        self._put(np.arange(self.nsim), rows)
        self.own[:] = rows[:, self._own]
        self._stale[:] = False
        self.raw[:] = self._sensordata
        self.peak[:] = np.abs(self.raw)

    def wake(self, ids: NDArray[np.intp]) -> None:
        """Wake all that sleeps in some simulations, as `restore` does: what is asleep is in no state that is recorded.

        A simulation that is woken whenever its state is recorded goes on as one that continues from that state.
        """
        warning = self.batch.warning[ids].copy()
        self._put(ids, self.batch.state[ids].copy())
        self.batch.warning[ids] = warning

    def _put(self, ids: NDArray[np.intp], rows: NDArray[np.float64]) -> None:
        """Give some simulations integration states (n, size), and compute what follows from them."""
        if self.sleeps:
            self.batch.reset(ids, stage=_NONE)
        self.batch.state[ids] = rows
        self.batch.forward(ids, stage=_ACC)
        self.batch.state[ids] = rows  # the acceleration pass writes the solver's warm start
        self.batch.forward(ids, stage=_VEL)

    def step(self, nstep: int, substeps: NDArray[np.int64], ids: NDArray[np.intp]) -> list[Samples]:
        """Advance some simulations by nstep physics steps under the present controls and driven numbers.

        Args:
            nstep: physics steps.
            substeps: (n,) physics steps that each took before.
            ids: (n,) the simulations, in ascending order.

        Returns:
            The samples that fell due, rows as in ids.
        """
        which = None if len(ids) == self.nsim else ids
        if which is not None:
            self._settle()
        if self.driven:
            self.driven.write(ids)
            self.batch.forward(which, stage=_VEL)  # constraints keep the numbers that they were made with
        sensed, later = self._buffers(len(ids), nstep)
        self.batch.step(which)
        sensed[:, 0] = self._sensordata[ids]
        if nstep > 1:
            self.batch.rollout(nstep - 1, record=("sensordata",), ids=which, out={"sensordata": later})
            sensed[:, 1:] = later
        self.batch.forward(which, stage=_VEL)
        self.raw[ids] = sensed[:, -1]
        if which is None:
            self._stale[:] = True
        else:
            self.peak[ids] = np.abs(sensed).max(axis=1)
        return self.instruments.measure(sensed, substeps, ids, self.measured)

    def peaks(self, column: slice) -> Array:
        """Return a sensor's greatest |value| (nsim, dim) over the last control step; worked out when asked for."""
        if self._stale[column.start]:
            self._settle(column)
        return self.peak[:, column]

    def _settle(self, columns: slice = slice(None)) -> None:
        """Work out the peaks of the last step that nobody asked for, before they are forgotten."""
        old = np.arange(len(self._stale))[columns][self._stale[columns]]
        if len(old) and self._sensed is not None:
            self.peak[:, old] = np.abs(self._sensed[0][:, :, old]).max(axis=1)
            self._stale[old] = False

    def _buffers(self, n: int, nstep: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return arrays for what n simulations sense in nstep steps, and after the first; new ones cost page faults."""
        if self._sensed is None or self._sensed[0].shape[:2] != (n, nstep):
            width = self.raw.shape[1]
            self._sensed = np.empty((n, nstep, width)), np.empty((n, nstep - 1, width))
        return self._sensed

    def faults(self) -> list[str]:
        """Name each simulation's instability, "" for none: MuJoCo's warnings, and anything not finite."""
        counts = self.batch.warning[..., 1]  # (last info, count)
        if not counts.any() and np.isfinite(self.batch.state).all():
            return [""] * self.nsim
        out: list[str] = []
        for i in range(self.nsim):
            named = [n for n, c in zip(_WARNINGS, counts[i], strict=True) if c]
            out.append(", ".join(named) or ("" if np.isfinite(self.batch.state[i]).all() else "state not finite"))
        return out

    def integration(self) -> NDArray[np.float64]:
        """Copy the integration states (nsim, size): what exact replay starts from."""
        rows = self.batch.state.copy()
        rows[:, self._own] = self.own
        return rows

    def control(self) -> NDArray[np.float64]:
        """Copy the states (nsim, size) of `sim.model.CONTROL`."""
        rows = self.batch.state[:, self._control]
        rows[:, self._own_in_control] = self.own
        return rows

    def field(self, kind: str, name: str, attribute: str) -> Array:
        """Return a live (nsim, ...) array of a named object; found once, then remembered."""
        key = (kind, name, attribute)
        value = self._fields.get(key)
        if value is None:
            self._known(kind, name)
            bound = len(self.batch._bound)
            if (kind, attribute) == ("actuator", "act"):
                value = self._activation(name)
            else:
                value = getattr(getattr(self.batch, kind)(name), attribute)
            if len(self.batch._bound) != bound:
                self.batch.forward(stage=_NONE)  # a new field reads zero until a call fills it
            elif not any(np.may_share_memory(value, own) for own in (self.batch.state, *self.batch._bound.values())):
                value = self._constants[key] = np.array(value)
            self._fields[key] = value
        return value

    def _activation(self, name: str) -> Array:
        """Return an actuator's activations (nsim, n), which MuJoCo's named access leaves out."""
        actuator = self.scenarios[0].model.actuator(name)
        start = max(0, int(actuator.actadr[0]))  # -1 where it has none
        return self.batch.bind("act")[:, start : start + int(actuator.actnum[0])]

    def column(self, kind: str, name: str) -> slice:
        """Return where a sensor is in `raw`, or a channel in `measured`."""
        key = (kind, name)
        found = self._columns.get(key)
        if found is None:
            if kind == "channel":
                if name not in self.instruments.columns:
                    raise unknown("channel", name, self.instruments.columns)
                found = self.instruments.columns[name]
            else:
                self._known("sensor", name)
                sensor = self.scenarios[0].model.sensor(name)
                found = slice(int(sensor.adr[0]), int(sensor.adr[0] + sensor.dim[0]))
            self._columns[key] = found
        return found

    def slot(self, name: str) -> Array:
        """Return a memory slot's live values (nsim,)."""
        if name not in self._memory:
            raise unknown("memory slot", name, self._memory)
        return self.own[:, self._memory[name]]

    def driving(self, name: str) -> Array:
        """Return numbers of the model that laws write (nsim, objects, ...), live."""
        values = self.driven.values
        if name not in values:
            raise unknown("driven field", name, values)
        return values[name]

    def time(self) -> Array:
        """Return the simulated times (nsim,), s."""
        return self.batch.bind("time")

    def numeric(self, name: str) -> Array:
        """Return a constant of each simulation's model (nsim, k)."""
        if name not in self._numerics:
            self._known("numeric", name)
            self._numerics[name] = np.array([s.numeric(name) for s in self.scenarios])
        return self._numerics[name]

    def close(self) -> None:
        """Let go of the simulations."""
        self._fields.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _known(self, kind: str, name: str) -> None:
        model = self.scenarios[0].model
        try:
            getattr(model, kind)(name)
        except KeyError:
            count = {"body": model.nbody, "joint": model.njnt, "actuator": model.nu}.get(kind)
            count = getattr(model, f"n{kind}") if count is None else count
            raise unknown(kind, name, [getattr(model, kind)(i).name for i in range(count)]) from None
