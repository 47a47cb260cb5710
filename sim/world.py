"""n simulations of one layout, stepped together; knows no task.

The batch is persistent (one MjData a simulation), which makes three things true that recording relies on: fields read
after a call belong to their own simulation, the velocity stage computed at the end of a control step is where the
next one goes on (it costs nothing), and row i equals a simulation run alone, bit for bit.

What the engine itself must remember is the simulation's `userdata` in every state that is recorded and restored: the
time for which success has held, the task's memory slots, and the latest reading of every telemetry channel. In between
it is kept beside the batch (`World.own`), which would otherwise take each change of it for another simulation.
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


class _Named:
    """One object's attributes, as MjData's named access with leading axes; fields of the model are read once."""

    __slots__ = ("_found", "_key", "_row", "_world")

    def __init__(self, world: "World", row: int | None, kind: str, name: str) -> None:
        self._world, self._row, self._key = world, row, (kind, name)
        self._found: dict[str, Array] = {}

    def __getattr__(self, attribute: str) -> Array:
        value = self._found.get(attribute)
        if value is None:
            whole = self._world.field(*self._key, attribute)
            value = self._found[attribute] = whole if self._row is None else whole[self._row]
        return value


class State:
    """What tasks read: MjData's named access, live, with leading axes (nsim,), or one simulation's row of it.

    `s.body("coil").xpos` is (..., 3). A field reads the same whenever it is first asked for. What only an
    acceleration pass computes (`actuator(...).force`) describes the last physics step; positions and velocities are
    current.
    """

    def __init__(self, world: "World", row: int | None = None) -> None:
        self._world, self._row = world, row
        self._objects: dict[tuple[str, str], _Named] = {}

    def row(self, index: int) -> "State":
        """Return one simulation's state, without the leading axis."""
        return State(self._world, index)

    def body(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return a body's attributes: xpos, xquat, xmat, cvel, mass ..."""
        return self._named("body", name)

    def site(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return a site's attributes: xpos, xmat ..."""
        return self._named("site", name)

    def joint(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return a joint's attributes: qpos, qvel, qacc ..."""
        return self._named("joint", name)

    def geom(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return a geom's attributes: xpos, xmat ..."""
        return self._named("geom", name)

    def actuator(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return an actuator's attributes: ctrl and act (writable), force, length ..."""
        return self._named("actuator", name)

    def tendon(self, name: str) -> Any:  # noqa: ANN401 - any attribute that MjData or MjModel has
        """Return a tendon's attributes: length, velocity ..."""
        return self._named("tendon", name)

    @property
    def time(self) -> Array:
        """Simulated time (...), s."""
        return self._cut(self._world.batch.bind("time"))

    def sensor(self, name: str) -> Array:
        """Return a channel's latest reading (..., dim), with the instrument's errors: what policies may see."""
        return self._cut(self._world.measured[:, self._world.column("channel", name)])

    def true_sensor(self, name: str) -> Array:
        """Return a sensor's exact value (..., dim) at the last physics step: for reward and judgement."""
        return self._cut(self._world.raw[:, self._world.column("sensor", name)])

    def peak(self, name: str) -> Array:
        """Return the greatest |value| (..., dim) of a sensor over the physics steps of the last control step."""
        return self._cut(self._world.peaks(self._world.column("sensor", name)))

    def memory(self, name: str) -> Array:
        """Return a memory slot (...), live: write it with `s.memory(name)[...] = value`."""
        return self._cut(self._world.slot(name))

    def driven(self, name: str) -> Array:
        """Return numbers of the model (..., objects, ...), live, which a task's `laws` write."""
        values = self._world.driven.values
        if name not in values:
            raise unknown("driven field", name, values)
        return self._cut(values[name])

    def numeric(self, name: str) -> Array:
        """Return a constant of the scene (..., k), put there by `spec.add_numeric`."""
        return self._cut(self._world.numeric(name))

    def _named(self, kind: str, name: str) -> _Named:
        found = self._objects.get((kind, name))
        if found is None:
            found = self._objects[kind, name] = _Named(self._world, self._row, kind, name)
        return found

    def _cut(self, value: Array) -> Array:
        return value if self._row is None else value[self._row, ...]


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
        self.batch.state[:] = rows
        self.batch.forward(stage=_ACC)
        self.batch.state[:] = rows  # the acceleration pass writes the solver's warm start
        self.batch.forward(stage=_VEL)
        self.own[:] = rows[:, self._own]
        self._stale[:] = False
        self.raw[:] = self._sensordata
        self.peak[:] = np.abs(self.raw)

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
