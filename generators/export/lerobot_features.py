"""The columns of a LeRobot v3.0 dataset: names, types, shapes, and the schemas of its tables.

No name has a "/": LeRobot refuses it. A single number is a plain column, several are a list of fixed size.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from generators.export.content import Content, ExportError, Picture
from generators.export.lerobot_files import CODEC, PIXELS
from generators.export.lerobot_stats import NAMES
from generators.media.codecs import VIDEO, check_encoding

STATE, ACTION, IMAGES = "observation.state", "action", "observation.images."
STEPS = {  # feature -> column of /steps, type
    "next.reward": ("reward", "float32"),
    "next.success": ("success", "bool"),
    "next.terminated": ("terminated", "bool"),
    "next.truncated": ("truncated", "bool"),
    "phase": ("phase", "int64"),
}
DONE = "next.done"
COUNTED = {"timestamp": "float32"} | dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), "int64")
_PLACES = ("dataset_from_index", "dataset_to_index")
_SIM = {  # facts of an episode
    "sim/episode_id": pa.uint64(),
    "sim/seed": pa.uint64(),
    "sim/success": pa.bool_(),
    "sim/outcome": pa.string(),
    "sim/failure": pa.string(),
    "sim/return": pa.float64(),
    "sim/instruction_ja": pa.string(),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """One column of LeRobot's.

    Attributes:
        dtype: numpy's name, "image" or "video".
        shape: of one frame's value.
        names: of its numbers or axes; None for LeRobot's own columns.
        picture: what it shows; None for numbers.
    """

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    picture: Picture | None = None

    @property
    def arrow(self) -> pa.DataType:
        """The type of its column; of no use for a video, which has none."""
        if self.picture is not None:
            return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        one = pa.bool_() if self.dtype == "bool" else pa.from_numpy_dtype(np.dtype(self.dtype))
        return one if self.shape == (1,) else pa.list_(one, self.shape[0])

    def record(self, fps: float) -> dict[str, Any]:
        """Return what info.json says of it."""
        names = None if self.names is None else list(self.names)
        out: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "names": names}
        if self.dtype == "video":
            height, width, channels = self.shape
            info = {"height": height, "width": width, "codec": CODEC, "pix_fmt": PIXELS, "is_depth_map": False}
            info |= {"fps": fps, "channels": channels}
            out["info"] = {f"video.{name}": value for name, value in info.items()} | {"has_audio": False}
        return out


def features_of(content: Content, *, video: bool) -> dict[str, Feature]:
    """Return LeRobot's columns of an export by name.

    Args:
        content: what goes.
        video: whether colours go as videos.

    Raises:
        ExportError: two would have the same name, or one would have a "/".
        EncodingError: a picture's size does not fit a video.
        MissingExtraError: video is asked for, and the package av is not installed.
    """
    found: list[tuple[str, Feature]] = []
    state = tuple(name for obs in content.observations for name in number_names(content, f"obs/{obs}", obs))
    if state:
        found.append((STATE, Feature("float32", (len(state),), state)))
    action = number_names(content, "steps/action", ACTION)
    found.append((ACTION, Feature("float32", (len(action),), action)))
    for name in content.streams:
        parts = number_names(content, f"streams/{name}/value", name)
        found.append((f"observation.{name}", Feature("float32", (len(parts),), parts)))
    found += [(IMAGES + p.name, _picture(p, filmed=video and p.kind == "rgb")) for p in content.pictures]
    found += [(name, Feature(dtype, (1,))) for name, (_, dtype) in STEPS.items()]
    found.append((DONE, Feature("bool", (1,))))
    found += [(name, Feature(dtype, (1,))) for name, dtype in COUNTED.items()]
    names = [name for name, _ in found]
    for name in names:
        if "/" in name or names.count(name) > 1:
            raise ExportError(f"LeRobot cannot have the feature {name!r}: names are unique and have no '/'")
    return dict(found)


def fps_of(content: Content) -> int | float:
    """Return the control steps in a second; an int where they are a whole number."""
    rate = float(content.data[0].attributes["control_hz"])
    return int(rate) if rate.is_integer() else rate


def number_names(content: Content, path: str, name: str) -> tuple[str, ...]:
    """Return the name of each number of a column: the actuators' own, else "x" or "x.<part>" of what is named x."""
    known = content.columns[path]
    count, parts = int(np.prod(known["shape"])), list(known["names"])
    named = len(parts) == count
    if path == "steps/action" and named:
        return tuple(parts)
    if count == 1:
        return (name,)
    return tuple(f"{name}.{part}" for part in (parts if named else range(count)))


def data_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of data/, with what the package datasets wants to know of it."""
    columns = {name: f for name, f in features.items() if f.dtype != "video"}
    hub = {"info": {"features": {name: _hub(f) for name, f in columns.items()}}}
    return pa.schema([(name, f.arrow) for name, f in columns.items()], {"huggingface": json.dumps(hub)})


def episode_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of meta/episodes."""
    fields: list[tuple[str, pa.DataType]] = [("episode_index", pa.int64()), ("tasks", pa.list_(pa.string()))]
    fields.append(("length", pa.int64()))
    files = ["data", *(f"videos/{name}" for name, f in features.items() if f.dtype == "video"), "meta/episodes"]
    for prefix in files:
        fields += [(f"{prefix}/{kind}_index", pa.int64()) for kind in ("chunk", "file")]
        if prefix.startswith("videos/"):
            fields += [(f"{prefix}/{end}_timestamp", pa.float64()) for end in ("from", "to")]
    fields += [(name, pa.int64()) for name in _PLACES] + list(_SIM.items())
    for name, feature in features.items():
        one: pa.DataType = pa.list_(pa.float64())
        many = pa.list_(pa.list_(one)) if feature.picture else one
        fields += [(f"stats/{name}/{what}", pa.list_(pa.int64()) if what == "count" else many) for what in NAMES]
    return pa.schema(fields)


def tasks_table(tasks: list[str]) -> pa.Table:
    """Return meta/tasks.parquet: the texts are the index that pandas finds, else a task would be a mere number."""
    index = "__index_level_0__"
    one = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    text = {"name": None, "field_name": index, "pandas_type": "unicode", "numpy_type": "object"}
    pandas = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [one | {"metadata": None}, text | {"metadata": None}],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    schema = pa.schema([("task_index", pa.int64()), (index, pa.string())], {"pandas": json.dumps(pandas)})
    return pa.table([pa.array(range(len(tasks)), pa.int64()), pa.array(tasks, pa.string())], schema=schema)


def _picture(picture: Picture, *, filmed: bool) -> Feature:
    height, width = picture.shape[:2]
    if filmed:
        check_encoding(VIDEO, width, height, ("rgb",))
    kind = "video" if filmed else "image"
    return Feature(kind, (height, width, 3), ("height", "width", "channels"), picture)


def _hub(feature: Feature) -> dict[str, Any]:
    if feature.picture is not None:
        return {"_type": "Image"}
    one = {"dtype": feature.dtype, "_type": "Value"}
    return one if feature.shape == (1,) else {"feature": one, "length": feature.shape[0], "_type": "List"}
