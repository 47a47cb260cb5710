"""Say what a derived dataset holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SAID = ("dataset_id", "episodes", "steps", "bytes", "outcomes", "derived")


def tell(out: Path, manifest: Mapping[str, Any], *, as_json: bool) -> None:
    """Print where a derived dataset is and what it holds."""
    if as_json:
        print(json.dumps({"out": str(out)} | {name: manifest[name] for name in _SAID}, indent=1))
        return
    size = f"{manifest['bytes'] / 1e6:.1f} MB in {len(manifest['shards'])} shards"
    print(f"{out}: {manifest['dataset_id']}, {manifest['episodes']} episodes, {manifest['steps']} steps, {size}")
    print(f"  {outcomes_text(manifest['outcomes'])}")
    print(f"  next: genba info {out}; genba validate {out} --deep")


def outcomes_text(outcomes: Mapping[str, int]) -> str:
    """Return how episodes ended in one line: "12 success, 3 failure"."""
    return ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items(), key=lambda o: (-o[1], o[0])))
