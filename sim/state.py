"""What tasks read of simulations that are under way: named access with leading axes, live."""

from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


class Source(Protocol):
    """Where the numbers are: a `sim.world.World`."""

    @property
    def measured(self) -> Array:
        """Latest readings of the channels (nsim, width)."""
        ...

    @property
    def raw(self) -> Array:
        """Exact values of the sensors (nsim, width)."""
        ...

    def time(self) -> Array:
        """Return the simulated times (nsim,), s."""
        ...

    def field(self, kind: str, name: str, attribute: str) -> Array:
        """Return a live (nsim, ...) array of a named object."""
        ...

    def column(self, kind: str, name: str) -> slice:
        """Return where a sensor is in `raw`, or a channel in `measured`."""
        ...

    def peaks(self, column: slice) -> Array:
        """Return a sensor's greatest |value| (nsim, dim) over the last control step."""
        ...

    def slot(self, name: str) -> Array:
        """Return a memory slot's live values (nsim,)."""
        ...

    def driving(self, name: str) -> Array:
        """Return numbers of the model that laws write (nsim, objects, ...), live."""
        ...

    def numeric(self, name: str) -> Array:
        """Return a constant of each simulation's model (nsim, k)."""
        ...


class _Named:
    """One object's attributes, as MjData's named access with leading axes; fields of the model are read once."""

    __slots__ = ("_found", "_key", "_row", "_world")

    def __init__(self, world: Source, row: int | None, kind: str, name: str) -> None:
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

    def __init__(self, world: Source, row: int | None = None) -> None:
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
        return self._cut(self._world.time())

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
        return self._cut(self._world.driving(name))

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
