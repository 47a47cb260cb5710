"""Numbers of the model that change while a simulation runs, because a task's `laws` write them.

Each simulation gets its own copy of its model for that; the scenario that it came from stays as it was compiled.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.errors import TaskError, unknown

Array = NDArray[Any]

_KINDS = {"dof": "joint"}  # kind of object by prefix of the field, where they differ


class Driven(NamedTuple):
    """Numbers that a task's `laws` write: friction that follows a load, the surface speed of rollers.

    Attributes:
        field: of MjModel, one row an object: "dof_frictionloss", "geom_surfacevel", "tendon_frictionloss" ...
        names: of the objects; for dof_ fields those of joints with one degree of freedom.
    """

    field: str
    names: tuple[str, ...]


class DrivenFields:
    """The driven numbers of n simulations.

    Attributes:
        values: by the task's name of them, (nsim, objects, ...), live: `write` puts them into the models.
    """

    def __init__(self, fields: Mapping[str, Driven], models: Sequence[mujoco.MjModel]) -> None:
        self._fields = {name: (d.field, _rows(models[0], d)) for name, d in fields.items()}
        self.models = [self._copy(model) for model in models]
        self.values = {
            name: np.array([getattr(model, field)[rows] for model in models], float)
            for name, (field, rows) in self._fields.items()
        }
        self._built = {name: value.copy() for name, value in self.values.items()}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._fields)

    def put(self, row: int, model: mujoco.MjModel) -> None:
        """Give one simulation another model."""
        self.models[row] = self._copy(model)
        for name, (field, rows) in self._fields.items():
            self._built[name][row] = getattr(model, field)[rows]

    def reset(self, ids: NDArray[np.intp] | None = None) -> None:
        """Put back what the models were built with."""
        which = slice(None) if ids is None else ids
        for name, value in self.values.items():
            value[which] = self._built[name][which]
        self.write(np.arange(len(self.models))[which])

    def write(self, ids: NDArray[np.intp]) -> None:
        """Put the values of some simulations into their models."""
        for name, (field, rows) in self._fields.items():
            value = self.values[name]
            for i in ids.tolist():
                getattr(self.models[i], field)[rows] = value[i]

    def _copy(self, model: mujoco.MjModel) -> mujoco.MjModel:
        return copy.copy(model) if self._fields else model


def _rows(model: mujoco.MjModel, driven: Driven) -> NDArray[np.intp]:
    """Return where the objects' numbers are in the field.

    Raises:
        TaskError: MjModel has no such field, or a joint has more than one degree of freedom.
        UnknownNameError: the model has no such object.
    """
    prefix = driven.field.partition("_")[0]
    kind = _KINDS.get(prefix, prefix)
    if not (hasattr(model, driven.field) and hasattr(model, kind)):
        raise TaskError(f"driven field {driven.field!r} is none of MjModel's, as 'dof_frictionloss'")
    out: list[int] = []
    for name in driven.names:
        try:
            found = getattr(model, kind)(name)
        except KeyError:
            count = {"joint": model.njnt, "actuator": model.nu}.get(kind)
            names = [
                getattr(model, kind)(i).name for i in range(getattr(model, f"n{kind}") if count is None else count)
            ]
            raise unknown(kind, name, names) from None
        if prefix == "dof" and len(found.damping) != 1:
            raise TaskError(
                f"driven field {driven.field!r}: joint {name!r} has {len(found.damping)} degrees of freedom"
            )
        out.append(int(found.dofadr[0]) if prefix == "dof" else found.id)
    return np.array(out, np.intp)
