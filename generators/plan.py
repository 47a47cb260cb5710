"""The frozen plan of a dataset: which episodes make which shard, and the hash of all that determines their physics."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import math
from pathlib import Path
from typing import Any, TypeVar

import mujoco

from generators.capped import FileError, read_json
from generators.config import ConfigError, GenerateConfig, TaskConfig, make_config, shown
from generators.schema import MANIFEST, SPLIT
from scenes.catalog import load_task, task_source_sha256
from sim import distributions, parameters
from sim.engine import horizon_steps
from sim.errors import describe_error
from sim.layout import layout
from sim.rollout import LANES
from sim.task import Task

PLAN_VERSION = 1
MAX_SHARD_BYTES = 256_000_000
MOST = 1 << 63  # of anything that a plan counts
FEW, MANY = 4, 64  # shards of a small dataset, to keep workers busy; and of a large one, to keep files large

P = TypeVar("P", "Shard", "PlannedTask", "Plan")
_KINDS: dict[Any, Any] = {int: int, str: str, float: (int, float), dict[str, Any]: dict}


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """The episodes of one file: `count` of one task, from number `first` on."""

    index: int
    task: str
    first: int
    count: int

    @property
    def name(self) -> str:
        """The file's name."""
        return f"shard-{self.index:05d}.h5"


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task of the dataset, as it was when the plan was made."""

    name: str
    version: int
    source_sha256: str
    episodes: int
    parameters: dict[str, Any]
    degraded: float


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """All that `genba resume` needs.

    Attributes:
        config: the configuration, as plain data.
        folder: where "module:Class" tasks are looked up.
        seed: root seed.
        episodes_per_shard: fixed here, so that no worker count changes a shard.
        attempts: number of episodes; each is attempted once, and kept however it ends.
        tasks: the tasks, by their place in the dataset.
        shards: what to make.
        genba_version: of the generating code.
        mujoco_version: of the physics.
        physics_sha256: hash of everything that determines the data.
    """

    config: dict[str, Any]
    folder: str
    seed: int
    episodes_per_shard: int
    attempts: int
    tasks: tuple[PlannedTask, ...]
    shards: tuple[Shard, ...]
    genba_version: str
    mujoco_version: str
    physics_sha256: str

    @property
    def dataset_id(self) -> str:
        """A name for the data that is the same wherever it is generated."""
        return f"genba-{self.physics_sha256[:16]}"

    @property
    def home(self) -> Path:
        """Where a worker looks up "module:Class" tasks: `folder`, or what Ray has sent of it to this machine."""
        return Path(self.folder) if Path(self.folder).is_dir() else Path.cwd()

    def task(self, name: str) -> PlannedTask:
        """Return one of the dataset's tasks by name."""
        return next(t for t in self.tasks if t.name == name)


def make_plan(config: GenerateConfig, folder: Path) -> Plan:
    """Freeze a configuration into a plan.

    Args:
        config: what is asked for.
        folder: where "module:Class" tasks are looked up.

    Raises:
        GenbaError: a task or parameter that does not exist or cannot be used.
    """
    tasks: list[PlannedTask] = []
    largest = 1
    for entry in config.entries():
        if entry.task in [t.name for t in tasks]:
            raise ConfigError(f"task {entry.task!r} is listed twice in 'tasks'")
        task = load_task(entry.task, folder)
        tasks.append(_planned(entry, task))
        largest = max(largest, episode_bytes(task))
    total = sum(t.episodes for t in tasks)
    usual = max(min(math.ceil(total / FEW), LANES), math.ceil(total / MANY))
    size = config.episodes_per_shard or min(usual, max(1, MAX_SHARD_BYTES // largest))
    genba = importlib.metadata.version("genba")
    physics: dict[str, Any] = {
        "tasks": [dataclasses.asdict(t) for t in tasks],
        "seed": config.seed,
        "episodes_per_shard": size,
        "genba": genba,
        "mujoco": mujoco.__version__,
    }
    for task in physics["tasks"]:
        del task["episodes"]
    return Plan(
        config=json.loads(config.model_dump_json()),
        folder=str(folder),
        seed=config.seed,
        episodes_per_shard=size,
        attempts=total,
        tasks=tuple(tasks),
        shards=_shards(tasks, size),
        genba_version=genba,
        mujoco_version=mujoco.__version__,
        physics_sha256=hashlib.sha256(json.dumps(physics, sort_keys=True).encode()).hexdigest(),
    )


def episode_bytes(task: Task) -> int:
    """Return about how large a longest episode of a task is on disk."""
    known = layout(task)
    steps = horizon_steps(task)
    columns = sum(d for d, _ in known.observations.values()) + sum(d for d, _ in known.signals.values()) + 16
    samples = sum((d + 1) * c.rate_hz for d, c in known.channels.values()) * task.horizon_s
    return int(8 * known.control_size * steps + 4 * columns * steps + 4 * samples)


def to_json(plan: Plan) -> str:
    """Return the text of plan.json, `read_plan`'s inverse."""
    return json.dumps({"plan_version": PLAN_VERSION} | dataclasses.asdict(plan), indent=1) + "\n"


def read_plan(path: Path) -> Plan:
    """Read plan.json.

    Raises:
        ConfigError: it is missing, damaged, of another version, or names a task inside of the dataset.
    """
    try:
        data = read_json(path, within=path.parent)
        version = data.pop("plan_version")
        if version != PLAN_VERSION:
            raise ConfigError(f"{path} has plan version {shown(version)}, this genba reads {PLAN_VERSION}")
        data["tasks"] = tuple(_checked(PlannedTask(**t)) for t in data["tasks"])
        data["shards"] = tuple(_checked(Shard(**s)) for s in data["shards"])
        plan = _checked(Plan(**data))
        for task in plan.tasks:
            check_outside(task.name, plan.home, path.parent)
        return plan
    except FileNotFoundError:
        raise ConfigError(_no_plan(path.parent)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is damaged: {describe_error(error):.300}") from None


def _checked(part: P) -> P:
    """Return a part of a plan whose texts and numbers are texts and numbers."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if not isinstance(value, _KINDS.get(field.type, object)) or isinstance(value, bool) or not _counts(value):
            raise FileError(f"{field.name} is {shown(value)}")
    return part


def _counts(value: object) -> bool:
    return not isinstance(value, int | float) or 0 <= value < MOST


def _no_plan(folder: Path) -> str:
    """Say why a folder has no plan."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        activity = read_json(folder / MANIFEST, within=folder)["derived"]["activity"]
        return (
            f"{folder} was made by genba {activity:.20} from other datasets and has no plan of its own:"
            f" generate, resume and render those, then {activity} again"
        )
    return f"no plan in {folder}: it is no dataset that genba generated"


def check_outside(task: str, home: Path, dataset: Path) -> None:
    """Refuse a task that a dataset brings along: nothing of a dataset is ever run.

    Args:
        task: as a plan names it.
        home: where its module is looked up.
        dataset: the folder.

    Raises:
        ConfigError: its module would be one inside of the dataset.
    """
    module, colon, _ = task.partition(":")
    brought = dataset.parent if (dataset.parent / SPLIT).exists() else dataset  # a split is brought along as a whole
    if colon and home.joinpath(*module.split(".")).resolve().is_relative_to(brought.resolve()):
        raise ConfigError(f"task {task!r} would be imported from inside of the dataset, whose code is never run")


def check_unchanged(plan: Plan) -> None:
    """Refuse to continue a plan whose code has changed since, and say what changed.

    Raises:
        ConfigError: the task's source or version, genba, or mujoco differ.
    """
    config = make_config(plan.config)
    now = make_plan(config, Path(plan.folder))
    for old, new in zip(plan.tasks, now.tasks, strict=True):
        if old.version != new.version:
            raise ConfigError(f"task {old.name!r} was version {old.version}, is now {new.version}: generate anew")
        if old.source_sha256 != new.source_sha256:
            raise ConfigError(f"the source of task {old.name!r} has changed since the plan was made: generate anew")
    for what in ("genba", "mujoco"):
        old, new = getattr(plan, f"{what}_version"), getattr(now, f"{what}_version")
        if old != new:
            raise ConfigError(f"the plan was made with {what} {old}, this is {new}: generate anew")
    if plan.physics_sha256 != now.physics_sha256:
        raise ConfigError("plan.json does not match its own hash: it was edited; generate anew")


def _planned(entry: TaskConfig, task: Task) -> PlannedTask:
    fields = parameters.describe(task.Params, entry.parameters)
    changed = {n: distributions.to_json(p.distribution) for n, p in fields.items()}
    usual = {n: distributions.to_json(p.distribution) for n, p in parameters.describe(task.Params).items()}
    return PlannedTask(
        name=entry.task,
        version=task.version,
        source_sha256=task_source_sha256(task),
        episodes=entry.episodes,
        parameters={n: d for n, d in changed.items() if d != usual[n]},
        degraded=entry.degraded or 0.0,
    )


def _shards(tasks: list[PlannedTask], size: int) -> tuple[Shard, ...]:
    shards: list[Shard] = []
    start = 0
    for task in tasks:
        for first in range(start, start + task.episodes, size):
            count = min(size, start + task.episodes - first)
            shards.append(Shard(len(shards), task.name, first, count))
        start += task.episodes
    return tuple(shards)
