"""What a robomimic file says of its environment and of each demonstration, checked before it is believed."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from generators.importing.demonstrations import Demonstrations
from generators.schema import DatasetError

MAX_HZ = 1e5
MAX_NAMES = 1000
MAX_LETTERS = 200
MAX_TEXT = 4 << 20
Labels = Mapping[int, Mapping[str, float | str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of its environment.

    Attributes:
        ours: whether genba exported it; what follows is known only then, but for task and control_hz.
        task: its name.
        version: of the task.
        control_hz: control steps per second; None where it is not said.
        phases: the names that phases count.
        failures: the names of failures.
        actions: names, units, low and high of what an action commands.
        columns: path of ours -> unit, frame and names, where the file tells them.
    """

    ours: bool
    task: str
    version: int = 0
    control_hz: float | None = None
    phases: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    actions: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


def read_facts(env_args: Mapping[str, Any]) -> Facts:
    """Take what is known of the environment from env_args.

    Raises:
        DatasetError: something is there that cannot be meant.
    """
    ours = env_args.get("genba")
    kwargs = env_args.get("env_kwargs")
    given = ours if isinstance(ours, dict) else {}
    hz = given.get("control_hz") or (kwargs.get("control_freq") if isinstance(kwargs, dict) else None)
    task = given.get("task") or env_args.get("env_name") or "unknown"
    try:
        return Facts(
            ours=bool(given),
            task=re.sub(r"[^\w/.:-]", "_", str(task))[:MAX_LETTERS],
            version=int(given.get("task_version", 0)),
            control_hz=None if hz is None else check_rate(float(hz)),
            phases=_names(given.get("phases", ())),
            failures=_names(given.get("failures", ())),
            actions=_ranges(dict(given.get("actions", {}))),
            columns={str(path): _told(dict(known)) for path, known in dict(given.get("columns", {})).items()},
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"/data attribute 'env_args' cannot be meant so: {error}") from None


def check_rate(hz: float) -> float:
    """Return a control rate that makes sense.

    Raises:
        DatasetError: it does not.
    """
    if not (math.isfinite(hz) and 0 < hz <= MAX_HZ):
        raise DatasetError(f"a control rate lies between 0 and {MAX_HZ:g} Hz, got {hz:g}")
    return hz


def read_labels(found: Demonstrations, facts: Facts) -> Labels:
    """Return what is known of each demonstration besides its arrays: its parameters, or number and masks in the file.

    Raises:
        DatasetError: parameters are no plain data, or not the same ones in every demonstration.
    """
    if not facts.ours:
        named = {key: f"mask.{plain_name(key)}" for key in sorted(found.masks)}
        masks = {n: {name: float(n in found.masks[key]) for key, name in named.items()} for n in found.numbers}
        return {n: {"demo": float(n)} | masks[n] for n in found.numbers}
    out = {n: _parameters(found, n) for n in found.numbers}
    first = out[found.numbers[0]]
    for number, mine in out.items():
        if [(k, type(v)) for k, v in mine.items()] != [(k, type(v)) for k, v in first.items()]:
            raise DatasetError(f"{found.path.name}: demo_{number} has other parameters than demo_{found.numbers[0]}")
    return out


def plain_name(name: str) -> str:
    """Return a name of theirs as ours may be: groups are told by dots, what no file system likes by "_"."""
    plain = re.sub(r"[^\w.:+-]", "_", name.replace("/", "."))[:MAX_LETTERS]
    return plain if plain.strip(".") else f"_{plain}"


def plain_text(value: object) -> str:
    """Return a text of theirs as UTF-8 can hold it."""
    return str(value).encode("utf-8", "replace").decode()


def instruction(texts: Mapping[str, Any]) -> dict[str, str]:
    """Return the work order by language, from a demonstration's attributes; RoboCasa has it in ep_meta, in English."""
    out = {lang: plain_text(texts[f"instruction_{lang}"]) for lang in ("en", "ja") if f"instruction_{lang}" in texts}
    try:
        said = json.loads(texts["ep_meta"])["lang"] if "ep_meta" in texts and not out else ""
    except (ValueError, TypeError, KeyError, RecursionError):
        said = ""
    return out | ({"en": plain_text(said)} if isinstance(said, str) and said else {})


def _parameters(found: Demonstrations, number: int) -> dict[str, float | str]:
    where = f"{found.path.name}: demo_{number} attribute 'parameters'"
    try:
        data = json.loads(str(found.texts(number).get("parameters", "{}"))[:MAX_TEXT])
        good = {plain_name(k): plain_text(v) if isinstance(v, str) else float(v) for k, v in data.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{where} cannot be read: {error}") from None
    if len(good) > MAX_NAMES:
        raise DatasetError(f"{where} has {len(good)} parameters")
    return good


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - from JSON
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES or not all(isinstance(v, str) for v in value):
        raise ValueError(f"expected a list of names, got {value!r:.80}")
    return tuple(map(plain_text, value))


def _ranges(actions: dict[str, Any]) -> dict[str, Any]:
    """Check what is said of the actions: names, units, low and high, each a list."""
    texts = {k: list(_names(actions[k])) for k in ("names", "units") if actions.get(k)}
    return texts | {k: [float(v) for v in actions[k]] for k in ("low", "high") if actions.get(k)}


def _told(column: dict[str, Any]) -> dict[str, Any]:
    """Check what is said of a column: unit, frame and names."""
    out: dict[str, Any] = {k: plain_text(column.get(k, ""))[:MAX_LETTERS] for k in ("unit", "frame")}
    return out | {"names": _names(column.get("names", ()))}
