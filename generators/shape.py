"""What the parts of dataset.json must look like before anything believes them: kinds of values, and counts.

What is missing is not judged here, but for what a dataset cannot be without; what is unknown may be anything.
"""

from collections.abc import Callable, Mapping
from typing import Any

from generators.capped import FileError

Check = Callable[[Any, str], None]

MOST = 1 << 62  # of anything that is counted


def check_shape(manifest: Any) -> None:  # noqa: ANN401 - JSON
    """Refuse a dataset.json whose parts are of other kinds than they must be.

    Raises:
        FileError: what is wrong where, "shards[3].episodes is '7', expected a count".
    """
    _MANIFEST(manifest, "it")
    sources = len(manifest.get("sources", ()))
    for i, shard in enumerate(manifest["shards"]):
        if "sources" in manifest and shard.get("source", 0) >= sources:
            raise FileError(f"shards[{i}].source is {shard['source']}, there are {sources} sources")


def _wrong(value: Any, where: str, expected: str) -> FileError:  # noqa: ANN401 - JSON
    shown = f"{value:.3g}" if isinstance(value, float) else repr(value)[:60] if isinstance(value, str) else None
    if type(value) is int:
        shown = str(value) if abs(value) < MOST * 2 else "a huge number"
    return FileError(f"{where} is {type(value).__name__ if shown is None else shown}, expected {expected}")


def _text(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        raise _wrong(value, where, "text")


def _count(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    if type(value) is not int or not 0 <= value < MOST:
        raise _wrong(value, where, "a count")


def _number(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    if type(value) not in (int, float) or not abs(value) < MOST:
        raise _wrong(value, where, "a number")


def _list(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        raise _wrong(value, where, "a list")


def _flag(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")


def _maybe(check: Check) -> Check:
    def run(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
        if value is not None:
            check(value, where)

    return run


def _list_of(check: Check) -> Check:
    def run(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
        _list(value, where)
        for i, one in enumerate(value):
            check(one, f"{where}[{i}]")

    return run


def _mapping_to(check: Check = lambda _value, _where: None) -> Check:
    def run(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        for key, one in value.items():
            check(one, f"{where}.{key:.60}")

    return run


def _object(fields: Mapping[str, Check], *needed: str) -> Check:
    def run(value: Any, where: str) -> None:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        for name in needed:
            if name not in value:
                raise FileError(f"{where} lacks {name!r}")
        for name, check in fields.items():
            if name in value:
                check(value[name], name if where == "it" else f"{where}.{name}")

    return run


_FILE: Mapping[str, Check] = {"name": _text, "bytes": _count, "file_sha256": _text, "content_sha256": _text}
_ENDINGS: Mapping[str, Check] = {"episodes": _count, "steps": _count, "outcomes": _mapping_to(_count)}
_SHARD = _object(_FILE | _ENDINGS | {"rows": _list, "source": _count}, "name", "episodes", "steps")
_PICTURES = _object(_FILE | {"index": _count, "frames": _count, "task": _text}, "name", "index", "frames")
_SETTINGS = _object({"width": _count, "height": _count, "kinds": _list_of(_text), "rate_hz": _number})
_CAMERA = _object(
    {"shards": _list_of(_PICTURES), "settings": _mapping_to(_SETTINGS), "complete": _flag, "frames": _count},
    "shards",
)
_TASK = _object(
    {
        "name": _text,
        "task": _text,
        "version": _count,
        "episodes": _count,
        "control_hz": _number,
        "horizon_s": _number,
        "parameters": _mapping_to(),
        "outcomes": _mapping_to(_count),
        **{name: _list_of(_text) for name in ("phases", "failures", "degradations")},
    },
    "name",
)
_SOURCE = _object(
    {
        "dataset_id": _text,
        "physics_sha256": _maybe(_text),
        "seed": _maybe(_count),
        "attempts": _count,
        "generator": _mapping_to(),
        "tasks": _list_of(_TASK),
        "folder": _text,
    },
    "dataset_id",
)
_MANIFEST = _object(
    _ENDINGS
    | {
        "format_version": _text,
        "dataset_id": _text,
        "physics_sha256": _maybe(_text),
        "seed": _maybe(_count),
        "complete": _flag,
        "bytes": _count,
        "languages": _list_of(_text),
        "tasks": _list_of(_TASK),
        "shards": _list_of(_SHARD),
        "sources": _list_of(_SOURCE),
        "media": _mapping_to(_CAMERA),
        **{name: _mapping_to() for name in ("generator", "derived", "imported", "governance", "environment")},
        "quality": _mapping_to(),
        "files": _mapping_to(_text),
        "columns": _mapping_to(_text),
    },
    *("format_version", "shards"),
)
