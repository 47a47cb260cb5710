"""What a finished dataset says about itself: dataset.json, episodes.parquet, stats.json and SHA256SUMS.

dataset.json is the only file that changes; each file is replaced whole. Everything is a function of the shards.
"""

import collections
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from generators.files import write_whole
from generators.media_manifest import Wanted, describe_media, write_media_sums
from generators.plan import Plan
from generators.reader import open_trusted, read_statistics, read_table
from generators.schema import FORMAT, MANIFEST_VERSION
from generators.stats import merge, to_json
from generators.worker import ShardReport
from scenes.catalog import load_task


def write_manifest(
    out: Path, plan: Plan, reports: Sequence[ShardReport], wanted: Wanted | None = None, *, complete: bool
) -> None:
    """Describe the shards that are there.

    Args:
        out: the dataset's folder.
        plan: what was to be made.
        reports: what was made.
        wanted: which pictures were to be made.
        complete: whether that is everything; if so the tables and sums are written too.
    """
    ordered = sorted(reports, key=lambda r: r.index)
    if complete:
        paths = [out / "shards" / r.name for r in ordered]
        _write_tables(out, plan, paths)
        sums = {f"shards/{r.name}": r.file_sha256 for r in ordered}
        for name in ("episodes.parquet", "stats.json"):
            sums[name] = hashlib.sha256((out / name).read_bytes()).hexdigest()
        lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
        write_whole(out / "SHA256SUMS", "".join(lines).encode())
    media = describe_media(plan, wanted or {}, [m for r in ordered for m in r.media])
    write_media_sums(out, media)
    manifest = _describe(plan, ordered, complete) | {"media": media}
    write_whole(out / "dataset.json", (json.dumps(manifest, indent=1) + "\n").encode())


def _describe(plan: Plan, reports: Sequence[ShardReport], complete: bool) -> dict[str, Any]:  # noqa: FBT001
    outcomes: collections.Counter[str] = collections.Counter()
    for report in reports:
        outcomes.update(report.outcomes)
    tasks = []
    for planned in plan.tasks:
        task = load_task(planned.name, Path(plan.folder))
        tasks.append(
            dataclasses.asdict(planned)
            | {
                "task": task.name,
                "control_hz": task.control_hz,
                "horizon_s": task.horizon_s,
                "phases": task.phases,
                "failures": task.failures,
                "degradations": task.degradations,
            }
        )
    shards = [
        {k: getattr(r, k) for k in ("name", "episodes", "steps", "bytes", "file_sha256", "content_sha256", "outcomes")}
        for r in reports
    ]
    return {
        "format": FORMAT,
        "format_version": MANIFEST_VERSION,
        "dataset_id": plan.dataset_id,
        "physics_sha256": plan.physics_sha256,
        "complete": complete,
        "synthetic": True,
        "generator": {"genba": plan.genba_version, "mujoco": plan.mujoco_version},
        "seed": plan.seed,
        "episodes": sum(r.episodes for r in reports),
        "steps": sum(r.steps for r in reports),
        "bytes": sum(r.bytes for r in reports),
        "outcomes": dict(sorted(outcomes.items())),
        "languages": ["en", "ja"],
        "tasks": tasks,
        "shards": shards,
    }


def _write_tables(out: Path, plan: Plan, paths: Sequence[Path]) -> None:
    tables: list[pa.Table] = []
    statistics: dict[str, dict[str, Any]] = {}
    for index, path in enumerate(paths):
        with open_trusted(path) as file:
            table = pa.table(read_table(file, prefix=plan.shards[index].task if len(plan.tasks) > 1 else ""))
            tables.append(table)
            for name, part in read_statistics(file).items():
                key = plan.shards[index].task
                mine = statistics.setdefault(key, {})
                mine[name] = merge(mine[name], part) if name in mine else part
    whole = pa.concat_tables(tables, promote_options="default")
    sink = pa.BufferOutputStream()
    pq.write_table(whole, sink, compression="zstd")
    write_whole(out / "episodes.parquet", sink.getvalue().to_pybytes())
    data = {task: {name: to_json(part) for name, part in sorted(parts.items())} for task, parts in statistics.items()}
    write_whole(out / "stats.json", (json.dumps(data, indent=1) + "\n").encode())
