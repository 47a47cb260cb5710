"""What a user asks for: one `GenerateConfig`, from YAML and flags, checked before anything runs."""

import collections
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from generators.capped import FileError, read_capped
from generators.watchdog import TIME_LIMIT_S
from sim.errors import GenbaError, nearest

MAX_EPISODES = 10_000_000
MAX_YAML_BYTES = 64 << 10
MAX_YAML_NODES = 10_000  # aliases written out
MAX_YAML_DEPTH = 100  # brackets within brackets: their scanner looks at all of them again at each


class ConfigError(GenbaError, ValueError):
    """A configuration that cannot be used."""


def available_cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _both(value: Any) -> Any:  # noqa: ANN401 - YAML
    return (value, value) if isinstance(value, int) else value


def _place(value: object) -> Path | str:
    if isinstance(value, str):
        return value if "://" in value else Path(value)
    if isinstance(value, Path):
        return value
    raise ValueError("a folder's path or a URL is expected")


Out = Annotated[Path | str, PlainValidator(_place)]
Pixels = Annotated[int, Field(ge=1, le=4096)]
Size = Annotated[tuple[Pixels, Pixels], BeforeValidator(_both)]


class CameraConfig(BaseModel):
    """What is wanted of a camera.

    Attributes:
        size: pixels across and down, or one number for both.
        rate_hz: pictures per second; it must divide the task's control_hz, which is the default.
        kinds: rgb, depth, segmentation.
        preset: how colours are drawn.
        encoding: how rgb is stored: lossless are zstd, raw and png. Depth and segmentation always are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Size = (128, 128)
    rate_hz: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    kinds: tuple[Literal["rgb", "depth", "segmentation"], ...] = Field(default=("rgb",), min_length=1)
    preset: Literal["fast", "fine", "pbr"] = "fast"
    encoding: Literal["zstd", "raw", "jpeg", "png", "mp4"] = "zstd"


class Resources(BaseModel):
    """What Ray reserves for each worker.

    Attributes:
        cpus: processors; parts of one are allowed.
        gpus: GPUs, for drawing; parts of one let several workers share it.
        memory_gb: memory, GiB; None for no reservation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: float = Field(default=1.0, gt=0, le=1024, allow_inf_nan=False)
    gpus: float = Field(default=0.0, ge=0, le=64, allow_inf_nan=False)
    memory_gb: float | None = Field(default=None, gt=0, le=1 << 14, allow_inf_nan=False)


def camera_settings(value: Any) -> Any:  # noqa: ANN401 - YAML
    """Return cameras as a mapping from name to settings: a list of names takes the defaults.

    Raises:
        ValueError: neither of them, a setting that does not exist, or a camera that is named twice.
    """
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        name, times = max(collections.Counter(value).items(), key=lambda item: item[1], default=("", 0))
        if times > 1:
            raise ValueError(f"{name!r:.80} is named twice")
        return {name: {} for name in value}
    if not isinstance(value, Mapping):
        raise ValueError("cameras need a list of names, or a mapping of names to settings")
    for name, settings in value.items():
        if isinstance(settings, Mapping):
            _known({str(k): v for k, v in settings.items()}, CameraConfig, f"the settings of camera {name!r:.80}")
    return {str(name): {} if settings is None else settings for name, settings in value.items()}


Cameras = Annotated[dict[str, CameraConfig], BeforeValidator(camera_settings)]


class TaskConfig(BaseModel):
    """One task of a dataset that holds several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    episodes: int = Field(ge=1, le=MAX_EPISODES)
    parameters: dict[str, Any] = Field(default_factory=dict)
    degraded: float | None = Field(default=None, ge=0, le=1)
    cameras: Cameras = Field(default_factory=dict)


class GenerateConfig(BaseModel):
    """A dataset to generate.

    Attributes:
        task: a task's name, or "module:Class" of a module beside the configuration file.
        tasks: several tasks with their numbers of episodes, instead of `task` and `episodes`.
        episodes: how many episodes.
        seed: root seed; with the episode's number it determines the episode.
        out: the dataset's folder, or a URL that fsspec knows: s3://bucket/name, gs://..., file:///...
        parameters: dotted parameter name -> value, or distribution, or part of one.
        executor: inline, processes, ray, or auto: inline for one worker, processes for several.
        workers: how many processes; default: as many as there are processors.
        episodes_per_shard: default: four shards of a small dataset, 64 of a large one, none over 256 MB.
        degraded: share of episodes in which the expert is made worse, for honest failures.
        cameras: camera -> what is wanted of it, or a list of names: pictures are drawn from the recorded states.
        ray_address: a running Ray cluster, instead of a Ray of our own.
        resources: what Ray reserves for each worker.
        time_limit_s: how long one shard may take; a worker that takes longer is ended and its shard tried again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str | None = None
    tasks: tuple[TaskConfig, ...] = ()
    episodes: int = Field(default=100, ge=1, le=MAX_EPISODES)
    seed: int = Field(default=0, ge=0, lt=2**63)
    out: Out = Path("datasets/genba")
    parameters: dict[str, Any] = Field(default_factory=dict)
    executor: Literal["auto", "inline", "processes", "ray"] = "auto"
    workers: int = Field(default_factory=available_cpus, ge=1, le=4096)
    episodes_per_shard: int | None = Field(default=None, ge=1, le=MAX_EPISODES)
    degraded: float = Field(default=0.15, ge=0, le=1)
    cameras: Cameras = Field(default_factory=dict)
    ray_address: str | None = None
    resources: Resources = Field(default_factory=Resources)
    time_limit_s: float = Field(default=TIME_LIMIT_S, gt=0, le=1e7, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.task is None) == (not self.tasks):
            raise ValueError("give either 'task' or 'tasks'")
        return self

    def entries(self) -> tuple[TaskConfig, ...]:
        """Return the dataset's tasks, each with its own share filled in."""
        if self.task is not None:
            one = TaskConfig(task=self.task, episodes=self.episodes, parameters=self.parameters, cameras=self.cameras)
            return (one.model_copy(update={"degraded": self.degraded}),)
        return tuple(
            t.model_copy(
                update={
                    "parameters": self.parameters | t.parameters,
                    "degraded": self.degraded if t.degraded is None else t.degraded,
                    "cameras": self.cameras | t.cameras,
                }
            )
            for t in self.tasks
        )


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file into plain data: no tags, no key twice, not large.

    Raises:
        ConfigError: the file cannot be read, or is no mapping of plain data.
    """
    try:
        data = parse_yaml(read_capped(path, MAX_YAML_BYTES).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: it is not UTF-8 text") from None
    except FileError as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no plain YAML: {' '.join(str(error).split()):.400}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} needs a mapping of keys to values, got {type(data).__name__}")
    return {str(k): v for k, v in data.items()}


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - YAML
    """Read YAML into plain data: no tags, no key twice, aliases only as far as they stay small when written out.

    Raises:
        YAMLError: it is something else.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:  # a 13th month, a huge number
        raise yaml.YAMLError(f"a value is none: {error}") from None


def make_config(data: Mapping[str, Any]) -> GenerateConfig:
    """Check plain data against `GenerateConfig`.

    Raises:
        ConfigError: the first thing wrong, in one sentence, with the nearest right key.
    """
    _known(data, GenerateConfig)
    if isinstance(resources := data.get("resources"), Mapping):
        _known({str(k): v for k, v in resources.items()}, Resources, "'resources'")
    tasks = data.get("tasks")
    for entry in tasks if isinstance(tasks, list | tuple) else ():
        if isinstance(entry, Mapping):
            _known({str(k): v for k, v in entry.items()}, TaskConfig)
    try:
        return GenerateConfig.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(f"{part:.80}" if isinstance(part, str) else str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        got = f", got {shown(first['input'])}" if where else ""
        raise ConfigError(f"{where + ': ' if where else ''}{message[0].lower()}{message[1:]}{got}") from None


def _known(data: Mapping[str, Any], cls: type[BaseModel], where: str = "a configuration") -> None:
    for key in data:
        if key not in cls.model_fields:
            raise ConfigError(f"no key {shown(key)} in {where}{nearest(key[:80], cls.model_fields)}")


def shown(value: object) -> str:
    """Return the beginning of a value as Python writes it."""
    try:
        return f"{value!r:.80}"
    except ValueError:  # more digits than Python prints
        return "a number of thousands of digits"


class _PlainLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice, and aliases that multiply."""

    composed = 0  # nodes so far

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: ANN401 - theirs
        if self.flow_level >= MAX_YAML_DEPTH:
            raise yaml.scanner.ScannerError(None, None, "it is nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - a node or a place
        self.composed += 1
        if self.composed > MAX_YAML_NODES:
            raise yaml.composer.ComposerError(None, None, f"it has more than {MAX_YAML_NODES} values", None)
        return super().compose_node(parent, index)

    def get_single_node(self) -> Any:  # noqa: ANN401 - a node
        node = super().get_single_node()
        if node is not None:
            _written_out(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key is no plain value", key_node.start_mark)
            if key in seen:
                what = f"key {shown(key)} is given twice"
                raise yaml.constructor.ConstructorError(None, None, what, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _written_out(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return how many nodes there are in one, each alias counted as what it stands for."""
    size = known.get(id(node), 0)
    if size is None:
        raise yaml.composer.ComposerError(None, None, "an alias stands for what it is in", node.start_mark)
    if not size:
        known[id(node)] = None
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        inner = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        size = known[id(node)] = 1 + sum(_written_out(part, known) for part in inner)
    if size > MAX_YAML_NODES:
        what = f"it has more than {MAX_YAML_NODES} values, aliases written out"
        raise yaml.composer.ComposerError(None, None, what, node.start_mark)
    return size
