"""What dataset.json says about pictures: which cameras were asked for, how, and which of their files are there.

A camera is complete where every shard of its tasks has its file; a file of other settings than the entry's is never
listed, so that a mixture cannot look whole.
"""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.capped import MAX_LOG_BYTES, FileError, read_json
from generators.config import make_config
from generators.files import write_whole
from generators.filming import MediaReport
from generators.media.shots import Shot, make_shots, scene_cameras, shot_from_json
from generators.media.writer import MEDIA
from generators.plan import Plan
from generators.schema import CHECKSUMS, MANIFEST, DatasetError
from generators.seals import unsealed
from scenes.catalog import load_task

Wanted = Mapping[str, tuple[Shot, ...]]  # task, as the plan names it -> what is drawn of it
_LISTED = ("name", "index", "task", "bytes", "file_sha256", "frames")


def planned_media(plan: Plan) -> dict[str, tuple[Shot, ...]]:
    """Return what a plan's configuration asks for.

    Raises:
        ConfigError: a camera that the scene lacks, or a rate that does not divide the task's.
    """
    entries = make_config(plan.config).entries()
    folder = Path(plan.folder)
    return {e.task: make_shots(load_task(e.task, folder), e.task, e.cameras) for e in entries if e.cameras}


def wanted_media(out: Path, plan: Plan) -> dict[str, tuple[Shot, ...]]:
    """Return what is asked for of a dataset: what its manifest lists, where there is one.

    A manifest that was cut is as good as none: it is made again from the shards. Then what was planned is asked for,
    and what else was drawn since, as its reports say.

    Raises:
        DatasetError: the manifest is no file of the dataset's own, or what it lists of pictures is damaged.
    """
    try:
        entries = read_json(out / MANIFEST, within=out)["media"]
    except FileError as error:
        raise DatasetError(f"{out / MANIFEST} is damaged: {error}") from None
    except (FileNotFoundError, KeyError, ValueError, TypeError):
        planned = planned_media(plan)
        return {t.name: shots for t in plan.tasks if (shots := _with_drawn(out, plan, t.name, planned.get(t.name, ())))}
    return listed_shots(entries)


def _with_drawn(out: Path, plan: Plan, task: str, planned: Sequence[Shot]) -> tuple[Shot, ...]:
    """Return what was planned of a task, or drawn of its cameras since; of several ways the latest."""
    found = {shot.camera: shot for shot in planned}
    reports = sorted((out / "logs").glob("shard-*.*.json"), key=lambda path: path.stat().st_mtime_ns)
    known = scene_cameras(load_task(task, plan.home)) if reports else ()
    for path in reports:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            data = unsealed(read_json(path, MAX_LOG_BYTES, within=out))
            same = data["made_from"]["physics_sha256"] == plan.physics_sha256 and data["task"] == task
            if same and data["camera"] in known:
                found[data["camera"]] = shot_from_json(data["camera"], data["settings"])
    return tuple(shot for _, shot in sorted(found.items()))


def listed_shots(entries: Mapping[str, Any], *, incomplete: bool = False) -> dict[str, tuple[Shot, ...]]:
    """Return what the entries of a manifest ask for.

    Args:
        entries: camera -> entry.
        incomplete: whether only those that are not complete.

    Raises:
        DatasetError: an entry is damaged.
    """
    out: dict[str, list[Shot]] = {}
    try:
        for camera, entry in sorted(entries.items()):
            for task, settings in entry["settings"].items():
                if not (incomplete and entry["complete"]):
                    out.setdefault(task, []).append(shot_from_json(camera, settings))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{MANIFEST} is damaged: its entry of media: {error!r}") from None
    return {task: tuple(shots) for task, shots in out.items()}


def describe_media(plan: Plan, wanted: Wanted, reports: Sequence[MediaReport]) -> dict[str, Any]:
    """Return the manifest's entries of the cameras that are asked for.

    Args:
        plan: of the dataset.
        wanted: what is asked for.
        reports: what was made.
    """
    out: dict[str, Any] = {}
    for camera in sorted({shot.camera for shots in wanted.values() for shot in shots}):
        settings = {t: s.to_json() for t, shots in wanted.items() for s in shots if s.camera == camera}
        mine = [r for r in reports if r.camera == camera and settings.get(r.task) == r.settings]
        shards = sorted(mine, key=lambda r: r.index)
        drawn_by = sorted({(r.backend, r.device) for r in mine})
        out[camera] = {
            "complete": len(shards) == sum(s.task in settings for s in plan.shards),
            "settings": settings,
            "drawn_by": [{"backend": backend, "device": device} for backend, device in drawn_by],
            "frames": sum(r.frames for r in mine),
            "bytes": sum(r.bytes for r in mine),
            "shards": [{k: v for k, v in dataclasses.asdict(r).items() if k in _LISTED} for r in shards],
        }
    return out


def write_media_sums(out: Path, entries: Mapping[str, Any]) -> None:
    """Write the hashes of the pictures' files beside them."""
    sums = sorted((s["name"], s["file_sha256"]) for entry in entries.values() for s in entry["shards"])
    path = out / MEDIA / CHECKSUMS
    if sums:
        write_whole(path, "".join(f"{digest}  {name}\n" for name, digest in sums).encode())
    else:
        path.unlink(missing_ok=True)
