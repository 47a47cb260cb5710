"""Messages of an MCAP recording: Foxglove's own for pictures, cameras and texts, and plain numbers with names.

Every message is protobuf and every file carries the schemas of its messages, so that it can be read without genba.
"""

import functools
import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.errors import MissingExtraError

Array = NDArray[Any]

_TYPES = {"f": "TYPE_FLOAT", "i": "TYPE_INT64", "b": "TYPE_BOOL"}
_CHUNK_BYTES = 4 << 20


class Message(NamedTuple):
    """One message: when, on which topic, and what."""

    t_ns: int
    topic: str
    value: Any


class Recording:
    """An MCAP file that is being written; a context manager.

    Args:
        path: the file.
        facts: texts about the whole, as the metadata "genba".
        metadata: topic -> texts about it: unit, frame, doc ...
    """

    def __init__(self, path: Path, facts: Mapping[str, str], metadata: Mapping[str, Mapping[str, str]]) -> None:
        from mcap.writer import CompressionType, Writer

        self._file: IO[bytes] = path.open("wb")
        self._writer: Any = Writer(self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(profile="", library="genba")
        self._metadata, self._facts = metadata, dict(facts)
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}

    def write(self, message: Message) -> None:
        """Append a message; the first one of a topic settles its type."""
        channel = self._channels.get(message.topic)
        if channel is None:
            channel = self._channels[message.topic] = self._register(message)
        data = message.value.SerializeToString(deterministic=True)
        self._writer.add_message(channel, message.t_ns, data, message.t_ns)

    def _register(self, message: Message) -> int:
        from mcap_protobuf.schema import build_file_descriptor_set

        name = message.value.DESCRIPTOR.full_name
        if name not in self._schemas:
            schema = build_file_descriptor_set(type(message.value)).SerializeToString(deterministic=True)
            self._schemas[name] = self._writer.register_schema(name, "protobuf", schema)
        about = dict(self._metadata.get(message.topic, {}))
        return self._writer.register_channel(message.topic, "protobuf", self._schemas[name], about)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        if kind is None:
            self._writer.add_metadata("genba", self._facts)
            self._writer.finish()
        self._file.close()


def numbers_type(name: str, fields: Mapping[str, str]) -> Any:  # noqa: ANN401 - a class of protobuf's making
    """Make the type of a message of plain numbers.

    Args:
        name: of the type, "streams.force"; what protobuf cannot have in a name becomes "_".
        fields: name -> kind of numpy's: f, i or b.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package, _, short = f"genba.{_identifier(name, '.')}".rpartition(".")
    file: Any = descriptor_pb2.FileDescriptorProto(name=f"{package}.{short}.proto", package=package, syntax="proto3")
    described = file.message_type.add(name=short)
    for number, (field, kind) in enumerate(fields.items(), 1):
        label = described.field.add(name=field, number=number, label=1)
        label.type = getattr(descriptor_pb2.FieldDescriptorProto, _TYPES[kind])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{short}"))


def field_names(count: int, names: Sequence[str] = ()) -> list[str]:
    """Return names for the numbers of a message: those given where they will do, else "value", or "v0", "v1" ..."""
    found = [_identifier(name) for name in names]
    if len(found) == count == len(set(found)):
        return found
    return ["value"] if count == 1 else [f"v{i}" for i in range(count)]


def timestamp(t_ns: int) -> Any:  # noqa: ANN401 - a message
    """Return a time since the episode's start."""
    from google.protobuf.timestamp_pb2 import Timestamp

    return Timestamp(seconds=t_ns // 10**9, nanos=t_ns % 10**9)


def log(t_ns: int, topic: str, name: str, text: str, *, level: int = 2) -> Message:
    """Return a line of text; level 2 is for information, 3 a warning, 4 an error."""
    return Message(t_ns, topic, foxglove("Log")(timestamp=timestamp(t_ns), level=level, name=name, message=text))


def compressed(t_ns: int, topic: str, frame: str, data: bytes) -> Message:
    """Return a picture as PNG."""
    made = foxglove("CompressedImage")(timestamp=timestamp(t_ns), frame_id=frame, data=data, format="png")
    return Message(t_ns, topic, made)


def raw(t_ns: int, topic: str, frame: str, image: Array) -> Message:
    """Return a picture (H, W): float32 as depth in m, uint16 as it is."""
    encoding = "32FC1" if image.dtype == np.float32 else "mono16"
    little = image.astype(image.dtype.newbyteorder("<"))
    height, width = image.shape
    size = {"height": height, "width": width, "step": width * image.itemsize}
    made = foxglove("RawImage")(
        timestamp=timestamp(t_ns), frame_id=frame, encoding=encoding, data=little.tobytes(), **size
    )
    return Message(t_ns, topic, made)


def calibration(topic: str, frame: str, k: Array, size: tuple[int, int]) -> Message:
    """Return a pinhole camera without distortion.

    Args:
        topic: of the message.
        frame: of the camera.
        k: (3, 3) px.
        size: height and width, px.
    """
    p = np.concatenate([k, np.zeros((3, 1))], axis=1)
    rows = {"K": k.ravel(), "R": np.eye(3).ravel(), "P": p.ravel()}
    made = foxglove("CameraCalibration")(
        timestamp=timestamp(0),
        frame_id=frame,
        height=size[0],
        width=size[1],
        **{n: v.tolist() for n, v in rows.items()},
    )
    return Message(0, topic, made)


def transform(t_ns: int, topic: str, child: str, pose: Array) -> Message:
    """Return where a frame is in the world: (4, 4) m, from the frame to the world. Quaternions are xyzw here."""
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, pose[:3, :3].ravel())
    w, x, y, z = quat.tolist()
    made = foxglove("FrameTransform")(timestamp=timestamp(t_ns), parent_frame_id="world", child_frame_id=child)
    for name, value in zip("xyz", pose[:3, 3].tolist(), strict=True):
        setattr(made.translation, name, value)
    for name, value in zip("xyzw", (x, y, z, w), strict=True):
        setattr(made.rotation, name, value)
    return Message(t_ns, topic, made)


def labels(t_ns: int, topic: str, texts: Sequence[tuple[str, float, float]]) -> Message:
    """Return texts on a picture, each with its place x, y in px."""
    made = foxglove("ImageAnnotations")(timestamp=timestamp(t_ns))
    for text, x, y in texts:
        one = made.texts.add(timestamp=timestamp(t_ns), text=text, font_size=12.0)
        one.position.x, one.position.y = x, y
        one.text_color.r = one.text_color.g = one.text_color.b = one.text_color.a = 1.0
    return Message(t_ns, topic, made)


def check_installed() -> None:
    """Refuse to go on where a package is missing.

    Raises:
        MissingExtraError: it says what to install.
    """
    if not all(importlib.util.find_spec(name) for name in ("mcap", "mcap_protobuf", "foxglove_schemas_protobuf")):
        raise MissingExtraError("recordings need the package mcap: pip install 'genba[mcap]'")


@functools.cache
def foxglove(name: str) -> Any:  # noqa: ANN401 - a class of protobuf's making
    """Return one of Foxglove's message types."""
    return getattr(importlib.import_module(f"foxglove_schemas_protobuf.{name}_pb2"), name)


def _identifier(name: str, also: str = "") -> str:
    found = re.sub(rf"[^A-Za-z0-9_{re.escape(also)}]", "_", name)
    return re.sub(r"(^|\.)(?=[0-9.]|$)", r"\1_", found)
