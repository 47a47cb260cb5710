"""What `genba validate --record` measures of a dataset and writes into its dataset.json, under `quality`.

The same data, examined the same way, give the same bytes.
"""

import collections
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from generators.dataset import read_manifest
from generators.files import write_whole
from generators.governance.write import refresh_metadata
from generators.lints.manifests import chosen
from generators.lints.runs import Run
from generators.schema import MANIFEST


class Tally:
    """Adds up what was measured, episode by episode."""

    def __init__(self) -> None:
        self.numbers = np.zeros(4, np.int64)
        self.outcomes: dict[str, collections.Counter[str]] = {}
        self.bins: dict[str, dict[str, tuple[int, set[int]]]] = {}
        self.twins: collections.Counter[str] = collections.Counter()

    def add(self, known: Mapping[str, Any], row: int) -> None:
        """Add an episode.

        Args:
            known: what a child found of its shard (see `generators.lints.shards`).
            row: its row there.
        """
        task, quality = known["task"], known["quality"]
        self.numbers += np.array(quality["numbers"][row])
        self.outcomes.setdefault(task, collections.Counter())[known["endings"][row]] += 1
        self.twins[known["twins"][row]] += 1
        for name, bins in quality["bins"].items():
            _, there = self.bins.setdefault(task, {}).setdefault(name, (bins["of"], set()))
            if bins["at"][row] >= 0:
                there.add(bins["at"][row])

    def to_json(self) -> dict[str, Any]:
        """Return rates and shares as plain data."""
        values, broken, bounded, cut = self.numbers.tolist()
        ran = {digest: n for digest, n in self.twins.items() if digest}
        success = {
            task: {"episodes": n.total(), "success": n["success"], "share": _share(n["success"], n.total())}
            for task, n in sorted(self.outcomes.items())
        }
        coverage = {
            task: {name: _share(len(there), of) for name, (of, there) in sorted(found.items())}
            for task, found in sorted(self.bins.items())
        }
        return {
            "nan_rate": _share(broken, values),
            "clipped_rate": _share(cut, bounded),
            "duplicate_rate": _share(sum(n - 1 for n in ran.values()), sum(ran.values())),
            "success": success,
            "parameter_coverage": coverage,
        }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def measure(run: Run) -> dict[str, Any]:
    """Return what was measured of a dataset, {} where not every shard could be read."""
    if not run.manifest or len(run.facts) != len(run.manifest["shards"]):
        return {}
    tally = Tally()
    episodes = 0
    for _, known, row in chosen(run):
        tally.add(known, row)
        episodes += 1
    found = collections.Counter(f.lint for f in run.findings)
    severities = collections.Counter(f.severity for f in run.findings)
    figures = tally.to_json() | {
        "levels": list(run.levels),
        "errors": severities["error"],
        "warnings": severities["warning"],
        "findings": dict(sorted(found.items())),
        "replay_verified": _share(run.verified, episodes),
        "genba": importlib.metadata.version("genba"),
    }
    return figures if run.leaks is None else figures | {"split_leakage": run.leaks}


def record(folder: Path, quality: Mapping[str, Any]) -> None:
    """Write what was measured into a dataset's dataset.json, in the place of what was there; its cards follow.

    Args:
        folder: the dataset's.
        quality: from `Report.quality`.

    Raises:
        DatasetError: the dataset has no dataset.json that can be read.
    """
    manifest = read_manifest(folder)
    manifest["quality"] = dict(quality)
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    refresh_metadata(folder)
