"""`genba info`: what a dataset holds, from its manifest alone."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import tyro

from generators.commands._options import parse
from generators.dataset import read_manifest


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell what a dataset holds.

    Example:
      genba info datasets/crane
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    json: bool = False
    """Print the manifest as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba info")
    manifest = read_manifest(options.dataset)
    print(json.dumps(manifest, indent=1) if options.json else "\n".join(_lines(options.dataset, manifest)))
    return 0


def _lines(folder: Path, manifest: dict[str, Any]) -> list[str]:
    episodes, outcomes = manifest["episodes"], manifest["outcomes"]
    seed = "no root seed" if manifest.get("seed") is None else f"root seed {manifest['seed']}"
    state = "complete" if manifest["complete"] else f"incomplete: genba resume {folder}"
    lines = [
        f"{folder}: {manifest['dataset_id']}, format {manifest['format_version']}, {state}",
        f"  {episodes} episodes, {manifest['steps']} control steps, {seed}",
        f"  {manifest['bytes'] / 1e6:.1f} MB in {len(manifest['shards'])} shards",
        _made_by(manifest),
        *_lineage(manifest),
    ]
    for name, count in outcomes.items():
        lines.append(f"  {name:<13} {count:>7}  {count / max(1, episodes):6.1%}")
    for task in manifest["tasks"]:
        lines.append(
            f"  task {task['name']} v{task['version']}: {task['episodes']} episodes, {task['control_hz']:g} Hz"
        )
        lines.append(f"    phases: {', '.join(task['phases'])}")
        lines.append(f"    failures: {', '.join(task['failures']) or 'none named'}")
        if task["parameters"]:
            lines.append(f"    parameters changed: {', '.join(sorted(task['parameters']))}")
    for camera, entry in sorted(manifest.get("media", {}).items()):
        lines += _camera_lines(folder, camera, entry)
    return lines


def _made_by(manifest: dict[str, Any]) -> str:
    made = manifest["generator"]
    if origin := manifest.get("imported"):
        return f"  imported by genba {made['genba']} from {origin['file']}, a file of {origin['format']}'s"
    return f"  made by genba {made['genba']} on mujoco {made['mujoco']}"


def _lineage(manifest: dict[str, Any]) -> list[str]:
    """Say what a derived dataset was made of."""
    if "derived" not in manifest:
        return []
    derived = manifest["derived"]
    how = f" {derived['query']!r}" if "query" in derived else f" {derived.get('split', {}).get('name', '')}".rstrip()
    parents = ", ".join(f"{p['dataset_id']} ({p['episodes']} episodes)" for p in derived["of"])
    lines = [f"  derived by {derived['activity']}{how} from {parents}"]
    for source in manifest["sources"]:
        seed = "" if source.get("seed") is None else f", root seed {source['seed']}"
        lines.append(f"  source {source['dataset_id']}: {source['attempts']} episodes{seed}")
    return lines


def _camera_lines(folder: Path, camera: str, entry: dict[str, Any]) -> list[str]:
    frames, size = entry["frames"], entry["bytes"]
    state = "" if entry["complete"] else f", incomplete: genba render {folder}"
    rate = f", {size / frames / 1e3:.1f} kB a frame" if frames else ""
    lines = [f"  camera {camera}: {frames} frames, {size / 1e6:.1f} MB{rate}{state}"]
    for task, s in entry["settings"].items():
        kinds = ", ".join(f"rgb as {s['encoding']}" if kind == "rgb" else kind for kind in s["kinds"])
        lines.append(f"    {task}: {s['width']}x{s['height']} at {s['rate_hz']:g} Hz: {kinds}; preset {s['preset']}")
    lines += [f"    drawn by {d['backend']} on {d['device']}" for d in entry["drawn_by"]]
    return lines
