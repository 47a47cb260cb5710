"""A dataset from a robomimic file, versions 0.1 to 0.5: to inspect, validate, filter, split and export it.

What the file does not say is not made up: without a seed it is 0, without phases -1, and success is known only where
rewards are 0 and 1. What does not go is named in dataset.json, under `imported`, with what had to be assumed.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.files import whole_folder
from generators.importing.demonstrations import Demonstrations, open_demonstrations
from generators.importing.facts import MAX_TEXT, instruction, plain_text
from generators.importing.translation import OURS, Translation, translate
from generators.importing.write import Foreign, write_dataset
from generators.reader import file_sha256
from generators.schema import DatasetError
from sim.episode import Episode, Outcome, Stream
from sim.errors import describe_error

Array = NDArray[Any]

MAX_ERROR = 2000  # letters


@dataclasses.dataclass(frozen=True, slots=True)
class Imported:
    """What was made.

    Attributes:
        folder: the dataset.
        dataset_id: its name.
        episodes: how many there are.
        steps: how many control steps.
        not_carried: path in the file -> why it did not go.
        notes: what had to be assumed, one sentence each.
    """

    folder: Path
    dataset_id: str
    episodes: int
    steps: int
    not_carried: Mapping[str, str]
    notes: tuple[str, ...]


def import_robomimic(
    file: Path, out: Path, *, control_hz: float | None = None, done: Callable[[float], None] | None = None
) -> Imported:
    """Make a dataset of a robomimic file.

    Args:
        file: the HDF5 file, from anywhere.
        out: the folder to make.
        control_hz: control steps per second; None for what the file says, or else 20.
        done: called with the share that is done.

    Raises:
        DatasetError: it is no such file, is damaged, contains what one never does, or out is taken.
    """
    with open_demonstrations(file) as found:
        known = translate(found, control_hz)
        origin = {
            "format": "robomimic",
            "file": file.name,
            "sha256": file_sha256(file),
            "env_args": found.env_args,
            "carried": known.carried,
            "not_carried": known.gone,
            "notes": list(known.notes),
        }
        foreign = Foreign(
            contents=known.contents,
            numbers=found.numbers,
            lengths=[found.length(n) for n in found.numbers],
            row_bytes=known.row_bytes,
            make=lambda number: make_episode(found, known, number),
            shots=known.shots,
            images=lambda number, camera: _rows(found, number, known.pictures[camera]),
            origin=origin,
        )
        with whole_folder(out) as folder:
            try:
                manifest = write_dataset(folder, foreign, done or (lambda _: None))
            except (LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
                why = str(error) if isinstance(error, DatasetError) else describe_error(error)
                raise DatasetError(f"{file.name} cannot be imported: {why}") from error
    return Imported(out, manifest["dataset_id"], manifest["episodes"], manifest["steps"], known.gone, known.notes)


def make_episode(found: Demonstrations, known: Translation, number: int) -> Episode:
    """Make an episode of a demonstration.

    Raises:
        DatasetError: an array cannot be read, or what it says cannot be meant.
    """
    texts, length = found.texts(number), found.length(number)
    t_ns = np.arange(length, dtype=np.int64) * round(known.contents.timestep_s * 1e9)
    rewards = _numbers(found.read(number, "rewards"), 1)[:, 0] if known.rewarded else np.zeros(length, np.float32)
    return Episode(
        task=known.contents.task,
        version=known.contents.version,
        seed=_seed(texts.get("episode_seed", 0)),
        parameters=known.labels[number],
        expert_mode=0,
        model_xml=_model(texts),
        instruction=instruction(texts),
        observations={name: _seen(found, number, path) for name, path in known.observations.items()},
        actions=_numbers(found.read(number, known.action)),
        rewards=rewards,
        t_ns=t_ns,
        streams={n: Stream(_sampled(found, known, number, n), t_ns) for n in known.streams},
        control=np.zeros((length + 1, 0)),
        **_judged(found, known, number, rewards),
    )


def _judged(found: Demonstrations, known: Translation, number: int, rewards: Array) -> dict[str, Any]:
    """Return outcome, flags and phases: as genba exported them, or else what can be told from the rewards."""
    length = len(rewards)
    if known.facts.ours and all(name in found.survey[0] for name in OURS):
        flags = {name: found.read(number, name).astype(bool).reshape(length) for name in OURS[:3]}
        phases = found.read(number, "phase").astype(np.int16).reshape(length)
        return flags | {"phases": phases} | _ending(found, known, number)
    success = (rewards > 0) & known.sparse
    truncated = np.arange(length) == length - 1
    return {
        "outcome": Outcome.SUCCESS if length and success[-1] else Outcome.TIMEOUT,
        "success": success,
        "terminated": np.zeros(length, bool),
        "truncated": truncated,
        "phases": np.full(length, -1, np.int16),
    }


def _ending(found: Demonstrations, known: Translation, number: int) -> dict[str, Any]:
    texts = found.texts(number)
    outcome, failure = str(texts.get("outcome", "timeout")).upper(), str(texts.get("failure", ""))
    if outcome not in Outcome.__members__ or failure not in ("", *known.facts.failures):
        where = f"{found.path.name}: demo_{number}"
        raise DatasetError(f"{where}: outcome {outcome[:40].lower()!r} with failure {failure[:40]!r} is not known")
    code, error = ("", *known.facts.failures).index(failure), plain_text(texts.get("error", ""))
    return {"outcome": Outcome[outcome], "fail_code": code, "error": error[:MAX_ERROR]}


def _seen(found: Demonstrations, number: int, path: str) -> Array:
    return _numbers(_rows(found, number, path))


def _rows(found: Demonstrations, number: int, path: str) -> Array:
    """Return an observation's T + 1 rows."""
    rows = found.read(number, path)
    last = found.last(number, path.removeprefix("obs/"))
    return np.concatenate([rows, rows[-1:] if last is None else last[None].astype(rows.dtype)])


def _sampled(found: Demonstrations, known: Translation, number: int, name: str) -> Array:
    dtype = known.contents.columns[f"streams/{name}/value"].dtype
    return _numbers(found.read(number, known.streams[name]), dtype=dtype)


def _numbers(rows: Array, width: int | None = None, dtype: str = "<f4") -> Array:
    """Return rows as (n, width) numbers of one type."""
    size = int(np.prod(rows.shape[1:])) if width is None else width
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and validation finds it
        return rows.reshape(len(rows), size).astype(dtype)


def _seed(value: Any) -> int:  # noqa: ANN401 - an attribute
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        found = -1
    if not 0 <= found < 1 << 64:
        raise DatasetError(f"an episode's seed is a number of 64 bits, got {value!r:.40}")
    return found


def _model(texts: Mapping[str, Any]) -> str:
    """Return the model's XML, for people to read."""
    found = texts.get("model_file", "")
    return plain_text(found) if isinstance(found, str) and len(found) <= MAX_TEXT else ""
