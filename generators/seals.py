"""JSON with the hash of all else in it, which tells a turned bit.

A seal is no signature: whoever forges what it is on can seal that, too.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_SEAL = "seal"


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data with its seal."""
    return dict(data) | {_SEAL: _hash(data)}


def unsealed(data: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON, from wherever
    """Return what was sealed.

    Raises:
        ValueError: there is no seal, or not as it was put there.
    """
    if not isinstance(data, dict):
        raise ValueError("it has no seal")
    rest = {key: value for key, value in data.items() if key != _SEAL}
    if data.get(_SEAL) != _hash(rest):
        raise ValueError("it is not as it was sealed")
    return rest


def _hash(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
