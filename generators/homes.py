"""Where a dataset's tasks are found again: the folders of its plan, or of the datasets that it is derived from."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from generators.config import ConfigError
from generators.plan import check_outside, read_plan
from scenes.catalog import load_task
from sim.errors import unknown
from sim.task import Task

Homes = Mapping[str, tuple[str, Path | None]]


def task_finder(folder: Path, manifest: Mapping[str, Any]) -> Callable[[str], Task]:
    """Return a function that loads a task of a dataset, by its own name or by the one that dataset.json gives it.

    Nothing is imported before it is called; it can be sent to other processes.

    Args:
        folder: the dataset's.
        manifest: its dataset.json.

    Raises:
        ConfigError: it has neither a plan nor sources, or no task of ours made it.
    """
    return functools.partial(_find, task_homes(folder, manifest), folder)


def task_homes(folder: Path, manifest: Mapping[str, Any]) -> Homes:
    """Return for each name of a task the one to load it by, and the folder of its module; None for the current one.

    Args:
        folder: the dataset's.
        manifest: its dataset.json.

    Raises:
        ConfigError: it has neither a plan nor sources, or no task of ours made it.
    """
    if "imported" in manifest:
        raise ConfigError(f"{folder} was imported: there is no task that made its episodes")
    out: dict[str, tuple[str, Path | None]] = {}
    for home, tasks in _sources(folder, manifest):
        known = Path(home) if home and Path(home).is_dir() else None
        for task in tasks:
            for name in (str(task["name"]), str(task.get("task", task["name"]))):
                out.setdefault(name, (str(task["name"]), known))
    return out


def _sources(folder: Path, manifest: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    if "sources" in manifest:
        return [(str(s.get("folder", "")), list(s.get("tasks", ()))) for s in manifest["sources"]]
    return [(read_plan(folder / "plan.json").folder, list(manifest["tasks"]))]


def _find(homes: Homes, dataset: Path, name: str) -> Task:
    if name not in homes:
        raise unknown("task of this dataset", name, homes)
    address, home = homes[name]
    check_outside(address, home or Path.cwd(), dataset)
    return load_task(address, home)
