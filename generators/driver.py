"""From a configuration to a dataset: claim its place, freeze the plan, have the shards made, describe them.

What a kill leaves behind is whole shards, temporary names, and a plan that `resume` continues.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.config import ConfigError, GenerateConfig
from generators.dataset import read_manifest
from generators.executors import Executor, choose, results
from generators.files import write_whole
from generators.filming import MediaJob, MediaReport, film_shard
from generators.governance.write import write_metadata
from generators.jobs import Lost
from generators.manifest import write_manifest
from generators.media.shots import check_drawable
from generators.media.writer import MEDIA
from generators.media_manifest import (
    Wanted,
    describe_media,
    planned_media,
    wanted_media,
    write_media_sums,
)
from generators.on_ray import Cluster
from generators.places import PLAN, DiskError, Place, lock, place_of, sweep
from generators.plan import Plan, check_unchanged, make_plan, read_plan
from generators.schema import MANIFEST
from generators.watchdog import Limit
from generators.worker import AllRaisedError, Job, ShardReport, prepare_worker
from sim.errors import GenbaError

OnReport = Callable[[ShardReport], None]
OnMedia = Callable[[tuple[MediaReport, ...]], None]


class UnfinishedError(GenbaError, RuntimeError):
    """Shards that could not be made; the others are whole, and the dataset can be resumed."""

    exit_code = 3


class StoppedError(GenbaError, RuntimeError):
    """Work that was stopped when what was under way was done; the dataset can be resumed."""

    exit_code = 130


def start(config: GenerateConfig, folder: Path, *, overwrite: bool = False) -> Plan:
    """Plan a dataset and claim its folder; nothing is generated yet.

    Args:
        config: what is asked for.
        folder: where "module:Class" tasks are looked up.
        overwrite: whether to delete a dataset that is in the way.

    Raises:
        GenbaError: a bad task or parameter; a folder that holds something else, or cannot be written.
    """
    if str(config.out).startswith("memory://") and not _alone(config):
        raise ConfigError(f"out: {config.out} is the memory of one process: it needs the executor inline")
    plan = make_plan(config, folder.resolve())
    check_drawable(shot for shots in planned_media(plan).values() for shot in shots)
    place_of(config.out).claim(plan, overwrite=overwrite)
    return plan


def run(
    out: Path | str,
    plan: Plan,
    *,
    executor: Executor,
    on_report: OnReport,
    order: Callable[[Sequence[Job]], Sequence[Job]] = list,
) -> list[ShardReport]:
    """Make what is missing of a planned dataset, pictures included, and describe the whole.

    Args:
        out: the dataset's folder or URL.
        plan: its plan.
        executor: where shards are made.
        on_report: called in this process whenever a shard is done.
        order: the order in which jobs are handed out; it changes no byte.

    Returns:
        The shards' reports by number.

    Raises:
        UnfinishedError: some shards took their workers down every time; the others are made and described.
        StoppedError: the executor was told to stop; what was under way is made and described.
    """
    prepare_worker()
    lean = dataclasses.replace(plan, shards=())  # a job needs its own shard, not all of them
    place = place_of(out)
    reports: list[ShardReport] = []
    lost: list[Lost] = []
    with place.opened() as desk:
        wanted = wanted_media(desk, plan)
        jobs = [Job(shard, lean, str(out), wanted.get(shard.task, ())) for shard in plan.shards]
        try:
            there = place.settled(jobs)
            for report in filter(None, there):
                reports.append(report)
                on_report(report)
            missing = [job for job, report in zip(jobs, there, strict=True) if report is None]
            for report in executor(place.work, order(missing)):
                if isinstance(report, Lost):
                    lost.append(report)
                    continue
                reports.append(report)
                on_report(report)
                place.keep(report)
                _check(place, plan, reports)
            _check_whole(out, plan, reports, lost)
        except BaseException:
            with contextlib.suppress(OSError):
                write_manifest(desk, plan, reports, wanted)
                place.publish(desk)
            raise
        reports.sort(key=lambda r: r.index)
        write_manifest(desk, plan, reports, wanted, place.pieces(dict(zip(plan.shards, reports, strict=True))))
        place.publish(desk)
    return reports


def generate(config: GenerateConfig, folder: Path | None = None, *, overwrite: bool = False) -> list[ShardReport]:
    """Generate a dataset, without a word; the command `genba generate` shows progress.

    Args:
        config: what is asked for.
        folder: where "module:Class" tasks are looked up; default: the current folder.
        overwrite: whether to delete a dataset that is in the way.
    """
    plan = start(config, folder or Path.cwd(), overwrite=overwrite)
    limit = Limit(config.time_limit_s)
    executor = choose(config.executor, config.workers, cluster_of(config, plan), limit=limit)
    return run(config.out, plan, executor=executor, on_report=lambda _: None)


def cluster_of(config: GenerateConfig, plan: Plan) -> Cluster:
    """Return what Ray is to do: tasks of the user's own modules need their folder on every machine."""
    own = any(":" in task.name for task in plan.tasks)
    return Cluster(config.ray_address, config.resources, Path(plan.folder) if own else None)


def reopen(out: Path | str) -> Plan:
    """Return the plan of a dataset that is to be resumed, if its code is still the same.

    Raises:
        ConfigError: there is no plan, or it was made with other code.
    """
    with place_of(out).opened() as desk:
        plan = read_plan(desk / PLAN)
        check_unchanged(plan)
        check_drawable(shot for shots in wanted_media(desk, plan).values() for shot in shots)
    return plan


def render(
    out: Path,
    plan: Plan,
    wanted: Wanted,
    *,
    executor: Executor,
    on_report: OnMedia,
    again: bool = False,
) -> list[MediaReport]:
    """Draw pictures of a finished dataset from its recorded states; its shards are only read.

    The cameras that are not wanted keep the pictures that they have.

    Args:
        out: the dataset's folder.
        plan: its plan.
        wanted: what to draw of which task.
        executor: where it is drawn.
        on_report: called in this process whenever a shard's pictures are done.
        again: whether to draw also what is there already.

    Returns:
        The reports by shard and camera.
    """
    prepare_worker()
    reports: list[MediaReport] = []
    with lock(out):
        sweep(out)
        manifest = read_manifest(out)
        known = {s["name"]: s["file_sha256"] for s in manifest["shards"]}
        lean = dataclasses.replace(plan, shards=())
        jobs = [
            MediaJob(s, lean, str(out), wanted[s.task], known[s.name], again) for s in plan.shards if wanted.get(s.task)
        ]
        _describe_render(out, plan, manifest, wanted, reports)  # until it ends, what is there is not what is asked for
        try:
            for made in results(executor(film_shard, jobs)):
                reports += made
                on_report(made)
        finally:
            _describe_render(out, plan, manifest, wanted, reports)
    return sorted(reports, key=lambda r: (r.index, r.camera))


def _describe_render(
    out: Path, plan: Plan, manifest: Mapping[str, Any], wanted: Wanted, reports: Sequence[MediaReport]
) -> None:
    media = dict(manifest.get("media", {})) | describe_media(plan, wanted, reports)
    write_whole(out / MANIFEST, (json.dumps(dict(manifest) | {"media": media}, indent=1) + "\n").encode())
    (out / MEDIA).mkdir(exist_ok=True)
    write_media_sums(out, media)
    write_metadata(out)


def _check_whole(out: Path | str, plan: Plan, reports: Sequence[ShardReport], lost: Sequence[Lost]) -> None:
    """Say what was not made, and why."""
    again = f"{len(reports)} of {len(plan.shards)} shards are whole; continue with: genba resume {out}"
    if lost:
        named = "; ".join(f"{one.job.shard.name}: {one.error}" for one in sorted(lost, key=lambda o: o.job.shard.index))
        raise UnfinishedError(f"{len(lost)} shards were set aside ({named[:500]}); {again}")
    if len(reports) < len(plan.shards):
        raise StoppedError(f"stopped; {again}")


def _check(place: Place, plan: Plan, reports: Sequence[ShardReport]) -> None:
    """Stop early where going on is pointless: every episode of the first shard raised, or the disk will not do."""
    latest = reports[-1]
    if latest.index == 0 and latest.raised() == latest.episodes:
        raise AllRaisedError(f"every episode of the first shard raised: {latest.error}")
    if len(reports) == 1:
        left = plan.attempts - latest.episodes
        made = latest.bytes + sum(m.bytes for m in latest.media)
        needed = made / max(1, latest.episodes) * left
        free = place.free()
        if needed > free:
            raise DiskError(
                f"{plan.config['out']} needs about {needed / 1e6:.0f} MB more, and {free / 1e6:.0f} MB are free"
            )


def _alone(config: GenerateConfig) -> bool:
    return config.executor == "inline" or (config.executor == "auto" and config.workers == 1)
