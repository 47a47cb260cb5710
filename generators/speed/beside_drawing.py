"""Two Ray workers that draw beside two bare processes that draw the same states; see `generators.speed.beside`.

The bare renderer poses the scene, draws and reads the pixels; a shard's pictures are besides read, built, compressed,
written and hashed.
"""

import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from generators import driver
from generators.config import make_config
from generators.filming import MediaJob, film_shard
from generators.media.shots import scene_cameras
from generators.media_manifest import wanted_media
from generators.schema import SHARDS
from generators.speed.beside import (
    BARE,
    SHARD,
    WORKERS,
    Piece,
    Turns,
    engine,
    in_turn,
    ray_round,
    shards_beside,
    two_processes,
)
from generators.speed.pictures import draw_bare
from generators.speed.ratios import Ratio
from generators.states import rebuild
from generators.stored import shard_episodes
from generators.worker import Job, run_shard
from scenes.catalog import load_task
from sim.cameras import View
from sim.render import Film, renderer

_DRAWN = 3  # jobs of a worker in a round


def measure_ray_images(task_name: str, turns: Turns) -> Iterator[Ratio]:
    """Measure Ray with the pictures of one episode: as an engine for bare rendering, and of shards as they come."""
    task = load_task(task_name)
    with tempfile.TemporaryDirectory() as folder, two_processes() as processes:
        jobs = _jobs(task_name, scene_cameras(task)[0], WORKERS * _DRAWN, Path(folder))
        draw = functools.partial(_draw, task_name, Path.cwd(), Path(jobs[0].out) / SHARDS / jobs[0].shard.name)
        alone = [Piece(BARE, functools.partial(draw, jobs[0].shots[0].view))] * (1 + _DRAWN)
        films = [Piece(SHARD, functools.partial(_film, job)) for job in jobs]
        ours, theirs = in_turn(turns.rounds, functools.partial(ray_round, alone), functools.partial(processes, alone))
        made = ray_round(alone[:1], films)
        drawn = processes(alone)
    yield engine("bare rendering", task.name, ours, theirs)
    yield shards_beside("two Ray workers' pictures / two bare processes of rendering", task.name, made, drawn, "frames")


def _jobs(task_name: str, camera: str, count: int, out: Path) -> list[MediaJob]:
    """Make a shard of one episode, and give each job a folder with it."""
    first = out / "0"
    size = {"task": task_name, "episodes": 1, "episodes_per_shard": 1, "out": str(first), "cameras": [camera]}
    plan = driver.start(make_config(size), Path.cwd())
    shots = wanted_media(first, plan)[plan.shards[0].task]
    lean = dataclasses.replace(plan, shards=())
    report = run_shard(Job(plan.shards[0], lean, str(first)))
    for n in range(1, count):
        shutil.copytree(first, out / str(n))
    return [
        MediaJob(plan.shards[0], lean, str(out / str(n)), shots, report.file_sha256, again=True, trusted=True)
        for n in range(count)
    ]


def _film(job: MediaJob) -> float:
    return sum(report.frames for report in film_shard(job))


def _draw(task_name: str, folder: Path, shard: Path, view: View) -> float:
    film, states = _loaded(task_name, folder, shard, view)
    film.shoot(states[:1])  # puts the scene on the canvas, if another one is there
    for state in states:
        draw_bare(film, view, state)
    return len(states)


@functools.cache
def _loaded(task_name: str, folder: Path, shard: Path, view: View) -> tuple[Film, np.ndarray]:
    with shard_episodes(shard, trusted=True) as episodes:
        model = rebuild(load_task(task_name, folder), episodes[0]).model
        return renderer().film(model, [view]), episodes[0].array("state/control")
