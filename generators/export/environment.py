"""The environment that an export's episodes came from: its spec, its spaces, and actions as it takes them.

A dataset whose task cannot be imported here still has spaces, read off its columns; then there is no spec.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from generators.export.content import Content, ExportError, Picture
from generators.schema import DatasetError
from scenes.catalog import environments, load_task
from sim.cameras import LEVELS
from sim.engine import horizon_steps
from sim.env_images import Images, read_cameras
from sim.env_spaces import Commands, observation_space
from sim.errors import GenbaError
from sim.layout import layout
from sim.task import Task

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """What an export says of its environment.

    Attributes:
        spec: what Gymnasium makes it from; None where it cannot be made.
        why: why it cannot, else "".
        observations: name -> space of the observations that go, pictures included.
        low: (nu,) what an action of -1 stands for, in the actuators' units.
        high: (nu,) what an action of 1 stands for.
    """

    spec: EnvSpec | None
    why: str
    observations: spaces.Dict
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def actions(self) -> spaces.Box:
        """The space of the actions."""
        return spaces.Box(-1.0, 1.0, self.low.shape, np.float32)

    def normalized(self, applied: Array) -> NDArray[np.float32]:
        """Return actions (..., nu) in [-1, 1] that stand for some in the actuators' units."""
        centre, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return ((applied.astype(np.float64) - centre) / half).astype(np.float32)

    def scaling(self) -> dict[str, Any]:
        """Return what sidecar.json says of actions."""
        doc = "applied = (low + high) / 2 + action * (high - low) / 2, in float64"
        return {"low": self.low.tolist(), "high": self.high.tolist(), "doc": doc}


def find_environment(content: Content) -> Environment:
    """Find the environment of an export's task, or else read its spaces off the columns.

    Raises:
        ExportError: an actuator has no least or greatest command, so that no action stands for -1 or 1.
    """
    low, high = _range(content.columns["steps/action"])
    found: dict[str, spaces.Space[Any]] = {n: _read_space(content.columns[f"obs/{n}"]) for n in content.observations}
    found |= {p.name: _picture_space(content, p) for p in content.pictures}
    try:
        spec, whole, actions = _made(content)
    except (GenbaError, DatasetError, KeyError, TypeError, ValueError) as error:
        return Environment(None, f"the environment cannot be made here: {error}", spaces.Dict(found), low, high)
    for name, space in found.items():
        now = whole.spaces.get(name)
        if now is None or (now.shape, now.dtype) != (space.shape, space.dtype):
            return Environment(None, f"the task observes {name!r} otherwise now", spaces.Dict(found), low, high)
    if actions.shape != low.shape:
        return Environment(None, "the task takes other actions now", spaces.Dict(found), low, high)
    return Environment(spec, "", spaces.Dict({name: whole[name] for name in found}), low, high)


def observed(content: Content, picture: Picture, images: Array) -> Array:
    """Return pictures (n, H, W, ...) as the environment observes them: colours as they are, depth (n, H, W, 1) in m.

    The way back is exact: round(metres / far * 65535).
    """
    if picture.kind == "rgb":
        return images
    if picture.kind == "segmentation":
        return images[..., None]
    far = float(content.data[0].camera_facts(picture.camera)["far"])
    return (images[..., None] * (far / LEVELS)).astype(np.float32)


def _range(action: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for i, (low, high) in enumerate(zip(action["low"], action["high"], strict=True)):
        if low is None or high is None:
            name = action["names"][i] if action["names"] else f"number {i}"
            raise ExportError(f"actuator {name!r} has no least or greatest command: its actions cannot be in [-1, 1]")
    return np.array(action["low"], np.float64), np.array(action["high"], np.float64)


def _read_space(column: Mapping[str, Any]) -> spaces.Box:
    shape = tuple(column["shape"])
    low, high = (np.broadcast_to(column.get(k, end), shape) for k, end in (("low", -np.inf), ("high", np.inf)))
    return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


def _picture_space(content: Content, picture: Picture) -> spaces.Box:
    facts = content.data[0].camera_facts(picture.camera)
    if picture.kind == "rgb":
        return spaces.Box(0, 255, picture.shape, np.uint8)
    if picture.kind == "depth":
        return spaces.Box(0, float(facts["far"]), (*picture.shape, 1), np.float32)
    return spaces.Box(0, len(facts["segments"]) - 1, (*picture.shape, 1), np.uint16)


def _made(content: Content) -> tuple[EnvSpec, spaces.Dict, spaces.Box]:
    """Return the spec, and the spaces of the environment that it makes."""
    manifest = content.data.manifest
    if "imported" in manifest:
        raise ExportError("its episodes were imported")
    task = load_task(content.task)  # never from a folder that the dataset names: it may come from anywhere
    planned = next((t for t in manifest["tasks"] if t["name"] == content.task), {})
    kwargs: dict[str, Any] = {"obs": "dict"}
    if planned.get("parameters"):
        kwargs["parameters"] = planned["parameters"]
    if content.pictures:
        kwargs |= _cameras(content)
    known = layout(task)
    views = read_cameras(kwargs.get("cameras", ()), known)
    images = Images(known, views, kwargs.get("preset", "fast"), 1).spaces if views else {}
    whole = observation_space(known, images, named=True)
    assert isinstance(whole, spaces.Dict)
    return _spec(content, task, kwargs), whole, Commands(known).space


def _cameras(content: Content) -> dict[str, Any]:
    cameras: dict[str, dict[str, Any]] = {}
    facts: Mapping[str, Any] = {}
    for picture in content.pictures:
        facts = content.data[0].camera_facts(picture.camera)
        size = [picture.shape[1], picture.shape[0]]
        cameras.setdefault(picture.camera, {"size": size, "kinds": []})["kinds"].append(picture.kind)
    return {"cameras": cameras, "preset": str(facts["preset"])}


def _spec(content: Content, task: Task, kwargs: Mapping[str, Any]) -> EnvSpec:
    address = f"{type(task).__module__}:{type(task).__name__}"
    for name, (registered, _) in environments().items():
        if registered == address:
            known = gymnasium.spec(name)
            return dataclasses.replace(known, kwargs=known.kwargs | dict(kwargs))
    return EnvSpec(
        f"genba/{type(task).__name__}-v0",
        entry_point="sim.envs:TaskEnv",
        max_episode_steps=horizon_steps(task),
        kwargs={"task": content.task} | dict(kwargs),
    )
