"""How fast pictures are made here, as ratios of what was measured in the same run; see `generators.speed.ratios`.

The bare renderer is MuJoCo's own calls (update the scene, draw, read the pixels) for the same states at the same
quality, and nothing around them.
"""

import functools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import mujoco
import numpy as np

from generators import driver
from generators.config import make_config
from generators.media.shots import scene_cameras
from generators.media.writer import MEDIA, media_name
from generators.media_manifest import wanted_media
from generators.speed.bare import BarePhysics
from generators.speed.ratios import DEGRADED, Ratio, Size, alternate, gain, timed
from generators.worker import Job, prepare_worker, run_shard
from scenes.catalog import load_task
from sim import parameters
from sim.cameras import View
from sim.canvas import Canvas
from sim.engine import horizon_steps, scenario
from sim.render import PRESETS, Film, renderer
from sim.rollout import rollouts
from sim.seeds import episode_seed
from sim.task import Task

FRAMES = 72_000  # at most about as many are filmed a round; few episodes side by side would slow physics down
STATES = 30  # drawn to compare presets


def measure_images(task_name: str, size: Size) -> Iterator[Ratio]:
    """Measure everything about pictures with one task's first camera, figure by figure."""
    prepare_worker()  # one core: llvmpipe draws in the calling thread
    if scene_cameras(load_task(task_name)):
        yield from presets(task_name, size)
        yield image_generation(task_name, size)
        yield two_drawing_workers(task_name, size)


def presets(task_name: str, size: Size) -> Iterator[Ratio]:
    """Compare a frame of MuJoCo's renderer as it comes with one of the preset "fast", of each camera."""
    task = load_task(task_name)
    ((model, states),) = _filmed(task, [0])
    states = states[:STATES]
    default = _AsItComes(model)
    for number, camera in enumerate(scene_cameras(task)):
        films = {preset: renderer().film(model, [View(camera)], preset) for preset in ("fast", "fine")}
        draw = functools.partial(default.draw, number)
        slow, fast = alternate(draw, functools.partial(films["fast"].shoot, states), 5 * size.rounds)
        fine = timed(functools.partial(films["fine"].shoot, states[:4])) / 4
        each = fast / len(states)
        note = f"{slow * 1e3:.1f} ms, {each * 1e3:.2f} ms (fine {fine * 1e3:.1f} ms) on {renderer().device}"
        yield Ratio(f"default frame / fast frame ({task_name}, {camera})", slow / each, ">= 40", note)
    default.context.free()


def image_generation(task_name: str, size: Size) -> Ratio:
    """Compare making a shard with one camera's pictures, stored lossless, with bare physics and the bare renderer."""
    with tempfile.TemporaryDirectory() as folder:
        episodes = min(size.episodes, max(2, FRAMES // horizon_steps(load_task(task_name))))
        job = _jobs(task_name, 1, episodes, Path(folder) / "data")[0]
        bare = _Bare(task_name, tuple(episode_seed(job.plan.seed, n) for n in range(episodes)))
        slow, fast = [], []
        for round_ in range(size.rounds + 1):
            spent, floor = timed(functools.partial(_fresh, job)), bare.run()
            if round_:  # the first one warms up
                slow.append(spent)
                fast.append(floor)
        file = Path(job.out) / MEDIA / media_name(0, job.shots[0].camera)
        per_frame = file.stat().st_size / bare.frames / 1e3
    note = f"{bare.frames / np.median(slow):.0f} frames/s to disk, {per_frame:.1f} kB a frame"
    name = f"generation with pictures / bare physics + bare renderer ({task_name})"
    return Ratio(name, float(np.median(fast) / np.median(slow)), ">= 0.9", note)


def two_drawing_workers(task_name: str, size: Size) -> Ratio:
    """Compare what a second worker gains with what a second process of bare physics and rendering gains."""
    shards = max(2, size.shards)
    with tempfile.TemporaryDirectory() as folder:
        jobs = _jobs(task_name, shards, 1, Path(folder) / "data")
        ours = gain(_fresh, jobs, size)
    theirs = gain(functools.partial(_bare_job, task_name), [(0,)] * shards, size)
    note = f"two workers give {ours:.2f} times one; two bare processes {theirs:.2f}"
    return Ratio("pictures: gain by a second worker / by a second bare process", ours / theirs, ">= 0.97", note)


class _AsItComes:
    """What `mujoco.Renderer` does, on the process's own OpenGL context: default quality, 128 x 128."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model, self._data, self._option = model, mujoco.MjData(model), mujoco.MjvOption()
        self._scene, self._camera = mujoco.MjvScene(model, maxgeom=10_000), mujoco.MjvCamera()
        self._camera.type = int(mujoco.mjtCamera.mjCAMERA_FIXED)
        self._pixels = np.empty((128, 128, 3), np.uint8)
        mujoco.mj_resetDataKeyframe(model, self._data, 0)
        mujoco.mj_forward(model, self._data)
        context = renderer()._context
        assert context is not None
        self.context = context.canvas(model)

    def draw(self, camera: int) -> None:
        """Draw one frame."""
        box = mujoco.MjrRect(0, 0, 128, 128)
        self._camera.fixedcamid = camera
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self.context)
        mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, 7, self._scene)
        mujoco.mjr_render(box, self._scene, self.context)
        mujoco.mjr_readPixels(self._pixels, None, box, self.context)
        np.flipud(self._pixels).copy()


class _Bare:
    """Physics and pictures of some expert episodes and nothing else."""

    def __init__(self, task_name: str, seeds: tuple[int, ...]) -> None:
        task = load_task(task_name)
        self._physics = BarePhysics(task, rollouts(task, seeds, degraded=DEGRADED))
        self._view = View(scene_cameras(task)[0])
        self._filmed = _filmed(task, seeds)
        self.frames = sum(len(states) for _, states in self._filmed)

    def run(self) -> float:
        """Return the seconds that it takes."""
        return timed(self._physics.run) + sum(self._draw(*filmed) for filmed in self._filmed)

    def _draw(self, model: mujoco.MjModel, states: np.ndarray) -> float:
        film = renderer().film(model, [self._view])
        film.shoot(states[:1])
        return sum(draw_bare(film, self._view, state) for state in states)


def draw_bare(film: Film, view: View, state: np.ndarray) -> float:
    """Return the seconds that MuJoCo's three calls take for a picture of a loaded film."""
    canvas: Canvas = next(reversed(film._owner._canvases.values()))
    assert canvas._quality == PRESETS["fast"]
    film._pose(state)
    box = mujoco.MjrRect(0, 0, view.width, view.height)
    start = time.perf_counter()
    mujoco.mjv_updateScene(film._model, film._data, canvas._option, None, canvas._camera, 7, canvas._scene)
    spent = time.perf_counter() - start
    for eye in canvas._scene.camera:  # the same part of the sensor
        film._frusta[view.camera].put(eye)
    start = time.perf_counter()
    mujoco.mjr_render(box, canvas._scene, canvas.context)
    mujoco.mjr_readPixels(canvas._colours, None, box, canvas.context)
    return spent + time.perf_counter() - start


def _filmed(task: Task, seeds: Sequence[int]) -> list[tuple[mujoco.MjModel, np.ndarray]]:
    """Return the scenes and states of expert episodes."""
    episodes = rollouts(task, seeds, degraded=DEGRADED)
    taken = [(parameters.unflatten(task.Params, e.parameters), e) for e in episodes]
    return [(scenario(task, p, e.seed).model, e.control) for p, e in taken]


@functools.cache
def _bare(task_name: str, seeds: tuple[int, ...]) -> _Bare:
    return _Bare(task_name, seeds)


def _bare_job(task_name: str, seeds: tuple[int, ...]) -> float:
    return _bare(task_name, seeds).run()


def _jobs(task_name: str, shards: int, each: int, out: Path) -> list[Job]:
    """Return shards to make with pictures of the task's first camera."""
    given = {"task": task_name, "episodes": shards * each, "episodes_per_shard": each, "degraded": DEGRADED}
    cameras = [scene_cameras(load_task(task_name))[0]]
    plan = driver.start(make_config(given | {"out": str(out), "cameras": cameras}), Path.cwd())
    wanted = wanted_media(out, plan)
    return [Job(shard, plan, str(out), wanted[shard.task]) for shard in plan.shards]


def _fresh(job: Job) -> None:
    job.path.unlink(missing_ok=True)
    for shot in job.shots:
        (Path(job.out) / MEDIA / media_name(job.shard.index, shot.camera)).unlink(missing_ok=True)
    run_shard(job)
