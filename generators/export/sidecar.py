"""What the record beside an export says: which columns did not go, and why; where the cameras were."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset

Array = NDArray[Any]

_WHY = (
    ("obs/", "not asked for (--observations)"),
    ("streams/", "not asked for (--streams)"),
    ("media/", "not asked for (--cameras)"),
    ("state/", "physics states: exact replay is genba's, from the dataset itself"),
    ("steps/t_ns", "the rows are control steps of equal length"),
    ("steps/", "the peer's layout has no place for it"),
)


def left_out(columns: Iterable[str], carried: Container[str]) -> dict[str, str]:
    """Say of every column that does not go why that is.

    Args:
        columns: paths of the dataset's columns outside /episodes, pictures as "media/side/rgb".
        carried: paths of those that go.
    """
    known = [p for p in columns if p not in carried and not (p.startswith("streams/") and p.endswith("/t_ns"))]
    out = {path: next(why for prefix, why in _WHY if path.startswith(prefix)) for path in sorted(known)}
    return out | {"episodes/model_xml": "the model, for people to read: in the dataset"}


def camera_record(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a camera's facts as plain data."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in facts.items()}


def camera_arrays(data: Dataset, cameras: Sequence[str]) -> dict[str, Array]:
    """Return where each camera was at each picture.

    Args:
        data: E episodes.
        cameras: the cameras.

    Returns:
        "<camera>/K" (E, 3, 3) px, "/T_world_cam" (F, 4, 4) m, "/step" (F,), "/t_ns" (F,), "/start" and "/count" (E,)
        of an episode's F rows.
    """
    out: dict[str, Array] = {}
    for camera in cameras:
        shots = [episode.shots(camera) for episode in data]
        count = np.array([len(s.step) for s in shots], np.int64)
        out |= {
            f"{camera}/K": np.array([s.k for s in shots]),
            f"{camera}/T_world_cam": np.concatenate([s.t_world_cam for s in shots]),
            f"{camera}/step": np.concatenate([s.step for s in shots]),
            f"{camera}/t_ns": np.concatenate([s.t_ns for s in shots]),
            f"{camera}/start": np.cumsum(count) - count,
            f"{camera}/count": count,
        }
    return out
