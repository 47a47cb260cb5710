"""What the shards of one task hold, told without the task: columns, and what a root says of them."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from generators.schema import Column, columns
from sim.layout import layout
from sim.model import CONTROL, INTEGRATION
from sim.parameters import Parameter
from sim.task import Task


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What shards hold; `task_contents` reads it off a task, an importer makes it of what it finds.

    Attributes:
        task: the task's name.
        version: the task's version.
        columns: every column by path.
        control_hz: control steps per second.
        timestep_s: one physics step.
        substeps: physics steps per control step.
        phases: the names that /steps/phase counts.
        failures: the names that fail codes count, from 1.
        degradations: the names that expert modes count, from 1.
        state_spec: what mjtState bits the columns of /state hold.
        control_stride: every how many control steps /state/control is kept.
    """

    task: str
    version: int
    columns: Mapping[str, Column]
    control_hz: float
    timestep_s: float
    substeps: int
    phases: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    degradations: tuple[str, ...] = ()
    state_spec: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"control": 0, "integration": 0})
    control_stride: int = 1

    def attributes(self) -> dict[str, Any]:
        """Return the root's attributes besides the header, which make a lone shard readable."""
        features = {path: c.to_json() for path, c in self.columns.items() if c.row not in ("episode", "byte")}
        texts = {
            "features": features,
            "state_spec": dict(self.state_spec),
            "phases": self.phases,
            "failures": self.failures,
            "degradations": self.degradations,
        }
        numbers = {"control_hz": self.control_hz, "timestep_s": self.timestep_s, "substeps": self.substeps}
        return numbers | {k: json.dumps(v, ensure_ascii=False) for k, v in texts.items()}


def task_contents(task: Task, parameters: Mapping[str, Parameter], control_stride: int) -> Contents:
    """Read the contents of a task's shards off the task.

    Args:
        task: the task.
        parameters: its parameters, as overridden.
        control_stride: every how many control steps /state/control is kept.

    Raises:
        DatasetError: a name holds the "/" that separates groups.
    """
    found = layout(task)
    return Contents(
        task=task.name,
        version=task.version,
        columns=columns(task, parameters, control_stride),
        control_hz=float(task.control_hz),
        timestep_s=found.timestep,
        substeps=found.nstep,
        phases=tuple(task.phases),
        failures=tuple(task.failures),
        degradations=tuple(task.degradations),
        state_spec={"control": CONTROL, "integration": INTEGRATION},
        control_stride=control_stride,
    )
