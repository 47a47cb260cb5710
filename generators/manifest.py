"""What a finished dataset says about itself: dataset.json, episodes.parquet, stats.json, SHA256SUMS, and cards.

dataset.json is the only file that changes; each file is replaced whole. Everything is a function of the shards.
"""

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from generators.files import write_whole
from generators.governance.facts import file_facts, standing_facts, task_facts
from generators.governance.write import write_metadata
from generators.media_manifest import Wanted, describe_media, write_media_sums
from generators.pieces import Piece
from generators.plan import Plan
from generators.schema import CHECKSUMS, FORMAT, MANIFEST, MANIFEST_VERSION, SHARDS, TABLE
from generators.stats import merge, to_json
from generators.tables import PARAMS
from generators.worker import ShardReport
from scenes.catalog import load_task

STATISTICS = "stats.json"


def write_manifest(
    out: Path,
    plan: Plan,
    reports: Sequence[ShardReport],
    wanted: Wanted | None = None,
    pieces: Iterable[Piece] | None = None,
) -> None:
    """Describe the shards that are there.

    Args:
        out: the folder to write in.
        plan: what was to be made.
        reports: what was made.
        wanted: which pictures were to be made.
        pieces: what the shards contribute to the tables, if they are all there; else no tables and sums are written.
    """
    complete = pieces is not None
    ordered = sorted(reports, key=lambda r: r.index)
    if pieces is not None:
        write_tables(out, pieces)
        write_sums(out, {f"{SHARDS}/{r.name}": r.file_sha256 for r in ordered})
    media = describe_media(plan, wanted or {}, [m for r in ordered for m in r.media])
    write_media_sums(out, media)
    manifest = _describe(plan, ordered, complete) | standing_facts(out, plan.dataset_id)
    manifest |= (file_facts(out) if complete else {}) | {"media": media}
    write_whole(out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    if complete:
        write_metadata(out)


def _describe(plan: Plan, reports: Sequence[ShardReport], complete: bool) -> dict[str, Any]:  # noqa: FBT001
    tasks: list[dict[str, Any]] = []
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
                "outcomes": _outcomes(r for r in reports if plan.shards[r.index].task == planned.name),
                "declared": task_facts(task, planned.parameters),
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
        "outcomes": _outcomes(reports),
        "languages": ["en", "ja"],
        "tasks": tasks,
        "shards": shards,
    }


def _outcomes(reports: Iterable[ShardReport]) -> dict[str, int]:
    found: collections.Counter[str] = collections.Counter()
    for report in reports:
        found.update(report.outcomes)
    return dict(sorted(found.items()))


def write_tables(out: Path, pieces: Iterable[Piece]) -> None:
    """Write episodes.parquet and stats.json.

    Args:
        out: the folder to write in.
        pieces: of the shards, in their order.
    """
    tables: list[tuple[str, pa.Table]] = []
    statistics: dict[str, dict[str, Any]] = {}
    for piece in pieces:
        tables.append((piece.task, piece.table))
        mine = statistics.setdefault(piece.task, {})
        for name, part in piece.statistics.items():
            mine[name] = merge(mine[name], part) if name in mine else part
    if len(statistics) > 1:
        tables = [(task, _named(table, task)) for task, table in tables]
    whole = pa.concat_tables([table for _, table in tables], promote_options="default")
    sink = pa.BufferOutputStream()
    pq.write_table(whole, sink, compression="zstd")
    write_whole(out / TABLE, sink.getvalue().to_pybytes())
    data = {task: {name: to_json(part) for name, part in sorted(parts.items())} for task, parts in statistics.items()}
    write_whole(out / STATISTICS, (json.dumps(data, indent=1) + "\n").encode())


def _named(table: pa.Table, task: str) -> pa.Table:
    """Name parameters after their task: others of the dataset may have the same."""
    start = f"{PARAMS}{task}."
    return table.rename_columns(
        [start + n.removeprefix(PARAMS) if n.startswith(PARAMS) else n for n in table.column_names]
    )


def write_sums(out: Path, shards: Mapping[str, str]) -> None:
    """Write SHA256SUMS of the shards, path in the dataset -> hash, and of the tables beside them."""
    sums = dict(shards) | {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in (TABLE, STATISTICS)}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    write_whole(out / CHECKSUMS, "".join(lines).encode())
