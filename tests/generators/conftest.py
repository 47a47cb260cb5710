"""A small task with every kind of column and trouble, its episodes, and a dataset of them."""

import collections
import dataclasses
import hashlib
import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import mujoco
import numpy as np
import pytest

from generators import driver
from generators.config import make_config
from generators.executors import run_inline
from generators.reader import content_sha256, file_sha256, labels, open_trusted, read_statistics
from generators.schema import MANIFEST_VERSION, DatasetError, Header
from generators.stats import merge_all, to_json
from generators.writer import ShardFile, ShardWriter
from sim import parameters
from sim.channels import Channel, add_channel
from sim.distributions import Choice, Uniform
from sim.errors import GenbaError
from sim.parameters import param
from sim.render import renderer
from sim.rollout import rollouts
from sim.seeds import episode_seed
from sim.spec import new_spec
from sim.task import Command, Feature, Task

ROOT_SEED = 3
TROUBLE = {"trouble": {"kind": "choice", "values": ["none", "none", "build", "expert", "at once"]}}


@dataclasses.dataclass(frozen=True)
class Floor:
    friction: float = param(Uniform(0.1, 0.3), "1", "sliding, dry steel")


@dataclasses.dataclass(frozen=True)
class Params:
    floor: Floor = dataclasses.field(default_factory=Floor)
    mass: float = param(Uniform(1, 3), "kg", "of the box")
    trouble: str = param(Choice(("none",)), "", "what goes wrong")


class Push(Task):
    name = "tests/push"
    version = 2
    control_hz = 20.0
    horizon_s = 2.5
    phases = ("go", "stop")
    Params = Params
    success_hold_s = 0.3
    failures = ("past",)
    degradations = ("fast", "lazy")
    memory = ("peak",)
    features: ClassVar = {
        "x": Feature("m", "world", ("x", "y", "z"), "the box"),
        "drive": Feature("m/s", doc="of the pusher"),
        "pos": Feature("m", "world", doc="the box, by laser"),
        "peak": Feature("m/s", doc="of the pusher, so far"),
    }

    def build(self, p):
        if p.trouble == "build":
            raise ValueError("no such box")
        spec = new_spec("push", timestep=0.005)
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[9, 9, 0.5], friction=[p.floor.friction, 0, 0])
        box = spec.worldbody.add_body(name="box", pos=[0, 0, 0.1])
        box.add_freejoint(name="free")
        box.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1] * 3, mass=p.mass, friction=[p.floor.friction, 0, 0])
        box.add_site(name="middle")
        pusher = spec.worldbody.add_body(name="pusher", pos=[-0.16, 0, 0.1])
        pusher.add_joint(name="slide", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
        pusher.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.05, 0.1, 0.05], mass=1)
        drive = spec.add_actuator(name="drive", target="slide", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_velocity(kv=500)
        drive.ctrlrange = [-1, 1]
        site, motor = mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_ACTUATOR
        pos = spec.add_sensor(type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=site, objname="middle")
        add_channel(spec, pos, Channel("pos", "m", 50, latency_s=0.04, frame="world", noise=0.001, doc="laser"))
        force = spec.add_sensor(type=mujoco.mjtSensor.mjSENS_ACTUATORFRC, objtype=motor, objname="drive")
        add_channel(spec, force, Channel("force", "N", 200, resolution=0.1))
        return spec

    def observe(self, s):
        return {"x": s.body("box").xpos, "pos": s.sensor("pos")}

    def success(self, s):
        return np.abs(s.body("box").xpos[..., 0] - 0.5) < 0.1

    def failure(self, s):
        return (s.body("box").xpos[..., 0] > 0.65).astype(int)

    def reward(self, s):
        return -np.abs(s.body("box").xpos[..., 0] - 0.5)

    def signals(self, s):
        return {"peak": s.memory("peak")}

    def logic(self, s):
        s.memory("peak")[...] = np.maximum(s.memory("peak"), np.abs(s.joint("slide").qvel[..., 0]))

    def instructions(self, p):
        return {"en": f"Push the box of {p.mass:.1f} kg.", "ja": f"{p.mass:.1f} kgの箱を押す。"}

    def expert(self, s, p, *, mode, rng):
        if p.trouble == "at once":
            raise RuntimeError("does not start")
        speed = {"nominal": 0.6, "fast": 0.95, "lazy": 0.2}[mode]
        for _ in range(20):
            yield Command(np.array([speed]), "go")
        if p.trouble == "expert":
            raise RuntimeError("stuck in the middle")
        for _ in range(20):
            yield Command(np.zeros(1), "stop")


def load_task(name):
    assert name == Push.name
    return Push()


def header(index=0):
    return Header("genba-0123456789abcdef", "0" * 64, index, Push.name, Push.version, mujoco.__version__, "0.1.0")


def episodes_of(ids, overrides=None):
    return rollouts(Push(), [episode_seed(ROOT_SEED, i) for i in ids], overrides=overrides, degraded=0.6)


def write_shard(path, numbered, *, index=0, overrides=None, control_stride=1) -> ShardFile:
    described = parameters.describe(Params, overrides)
    with ShardWriter(path, header(index), Push(), described, control_stride=control_stride) as writer:
        for number, episode in numbered:
            writer.append(number, episode)
    return writer.close()


def outcomes_of(path: Path) -> dict[str, dict[str, int]]:
    """Return how a shard's episodes ended, as its entry in the manifest; nothing where it is damaged."""
    try:
        with open_trusted(path) as shard:
            return {"outcomes": dict(sorted(collections.Counter(labels(shard, "outcome").tolist()).items()))}
    except (DatasetError, LookupError):
        return {}


def describe_dataset(folder: Path, files: dict[str, ShardFile], attempts: int, statistics="") -> None:
    """Write the manifest, the plan and the sums of shards that are in place."""
    shards = [
        {"name": name, "episodes": f.n_episodes, "steps": f.n_steps}
        | {k: getattr(f, k) for k in ("bytes", "file_sha256", "content_sha256")}
        | outcomes_of(folder / "shards" / name)
        for name, f in files.items()
    ]
    task = {"name": Push.name, "task": Push.name, "version": Push.version, "control_hz": Push.control_hz}
    task |= {name: list(getattr(Push, name)) for name in ("phases", "failures", "degradations")}
    task |= {"horizon_s": Push.horizon_s}
    manifest = {
        "format": "genba",
        "format_version": MANIFEST_VERSION,
        "dataset_id": header().dataset_id,
        "physics_sha256": header().physics_sha256,
        "complete": True,
        "generator": {"genba": header().genba_version, "mujoco": header().mujoco_version},
        "seed": ROOT_SEED,
        "episodes": sum(f.n_episodes for f in files.values()),
        "steps": sum(f.n_steps for f in files.values()),
        "tasks": [task],
        "shards": shards,
    }
    (folder / "dataset.json").write_text(json.dumps(manifest))
    (folder / "plan.json").write_text(
        json.dumps({"seed": ROOT_SEED, "attempts": attempts, "physics_sha256": header().physics_sha256})
    )
    sums = {f"shards/{name}": f.file_sha256 for name, f in files.items()}
    statistics = statistics or statistics_of([folder / "shards" / name for name in files])
    (folder / "stats.json").write_text(statistics)
    sums["stats.json"] = hashlib.sha256(statistics.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text("".join(f"{v}  {k}\n" for k, v in sums.items()))


def statistics_of(paths) -> str:
    """Return the stats.json of shards of one task."""
    parts = {}
    for path in paths:
        with open_trusted(path) as shard:
            for name, part in read_statistics(shard).items():
                parts.setdefault(name, []).append(part)
    return json.dumps({Push.name: {name: to_json(merge_all(part)) for name, part in parts.items()}})


def reseal(folder: Path) -> None:
    """Make the hashes those of the files, as someone would who forges a dataset."""
    manifest = json.loads((folder / "dataset.json").read_text())
    for entry in manifest["shards"]:
        path = folder / "shards" / entry["name"]
        entry["file_sha256"] = file_sha256(path)
        try:
            entry["content_sha256"] = content_sha256(path)
        except DatasetError:
            entry["content_sha256"] = "?"
    for camera in manifest.get("media", {}).values():
        for entry in camera["shards"]:
            entry["file_sha256"] = file_sha256(folder / "media" / entry["name"])
    (folder / "dataset.json").write_text(json.dumps(manifest))
    sums = {f"shards/{e['name']}": e["file_sha256"] for e in manifest["shards"]}
    sums |= {n: file_sha256(folder / n) for n in ("episodes.parquet", "stats.json") if (folder / n).exists()}
    (folder / "SHA256SUMS").write_text("".join(f"{v}  {k}\n" for k, v in sums.items()))
    drawn = {e["name"]: e["file_sha256"] for c in manifest.get("media", {}).values() for e in c["shards"]}
    if drawn:
        (folder / "media" / "SHA256SUMS").write_text("".join(f"{v}  {k}\n" for k, v in drawn.items()))


def make_dataset(folder: Path, episodes, per_shard=8) -> Path:
    (folder / "shards").mkdir(parents=True)
    files = {}
    for index, first in enumerate(range(0, len(episodes), per_shard)):
        name = f"shard-{index:05d}.h5"
        numbered = list(enumerate(episodes))[first : first + per_shard]
        files[name] = write_shard(folder / "shards" / name, numbered, index=index, overrides=TROUBLE)
    describe_dataset(folder, files, len(episodes))
    return folder


@pytest.fixture(scope="session")
def kit():
    """The functions above: this file is no module that tests could import."""
    names = ("Push", "Params", "TROUBLE", "ROOT_SEED", "load_task", "header", "episodes_of", "write_shard")
    return SimpleNamespace(
        **{n: globals()[n] for n in names},
        describe_dataset=describe_dataset,
        make_dataset=make_dataset,
        reseal=reseal,
        statistics_of=statistics_of,
    )


@pytest.fixture(scope="session")
def episodes():
    """Sixteen episodes with every kind of ending, some of length 0."""
    return episodes_of(range(16), TROUBLE)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, episodes):
    """A dataset of two shards; not to be written to."""
    return make_dataset(tmp_path_factory.mktemp("data") / "set", episodes)


CAMERAS = """
        from sim.cameras import Lens, add_camera, label

        lens = Lens(4e-3, (6e-3, 6e-3), (640, 640), 0.02, 8.0)
        add_camera(spec.worldbody, "side", lens, [0.7, -1.5, 1.0], [0.7, 0.0, 0.0])
        add_camera(pusher, "hand", lens, [-0.3, 0.0, 0.4], [0.6, 0.0, 0.0])
        label(spec, "billet", "billet")
        return spec
"""


@pytest.fixture(scope="session")
def filmed_folder(tmp_path_factory):
    """A folder with `filmed:MyTask`, the example scene with two cameras, one of which moves."""
    folder = tmp_path_factory.mktemp("filmed")
    source = (Path(__file__).parents[2] / "examples" / "new_scene.py").read_text()
    before, _, after = source.rpartition("        return spec\n")
    (folder / "filmed.py").write_text(before + CAMERAS + after)
    return folder


@pytest.fixture(scope="session")
def make_filmed(filmed_folder):
    """Generate a small dataset of `filmed:MyTask`: make_filmed(out, cameras, executor=..., **config)."""

    def make(out, cameras=(), executor=run_inline, **changes):
        small = {"task": "filmed:MyTask", "episodes": 4, "episodes_per_shard": 2, "seed": 3}
        config = make_config(small | {"out": str(out), "cameras": cameras} | changes)
        plan = driver.start(config, filmed_folder)
        return driver.run(config.out, plan, executor=executor, on_report=lambda _: None)

    return make


@pytest.fixture(scope="session")
def kinds():
    """What this machine can draw: without OpenGL, no colours."""
    return list(renderer().kinds)


@pytest.fixture(scope="session")
def filmed(tmp_path_factory, make_filmed, kinds):
    """A dataset with pictures: side at every step, hand at every fourth; not to be written to."""
    out = tmp_path_factory.mktemp("pictures") / "set"
    side = {"size": [32, 24], "kinds": kinds}
    make_filmed(out, {"side": side, "hand": {"size": 16, "rate_hz": 5, "kinds": ["depth"]}})
    return out


@pytest.fixture(scope="session")
def fuzzing():
    """What tests/fuzz holds: TARGETS, seeds, write_robomimic, make_whole ..."""
    folder = Path(__file__).parents[1] / "fuzz"
    return SimpleNamespace(**runpy.run_path(str(folder / "targets.py")) | runpy.run_path(str(folder / "seeds.py")))


@pytest.fixture(scope="session")
def write_demonstrations(fuzzing):
    """Write a small file of robomimic's: write_demonstrations(path)."""
    return fuzzing.write_robomimic


@pytest.fixture(scope="session")
def small_dataset(fuzzing, tmp_path_factory):
    """A dataset of two episodes with pictures, of a few kB; not to be written to."""
    return fuzzing.make_whole(tmp_path_factory.mktemp("small"))


MOST_S, MOST_KB = 1.0, 64 << 10  # what a refusal may cost


@pytest.fixture
def refused():
    """Assert that something is refused: by an error of ours, in one short line, soon, in little memory; return it."""

    def check(call) -> str:
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
        before, begin = memory_kb("VmRSS"), time.process_time()
        with pytest.raises(GenbaError) as caught:
            call()
        assert time.process_time() - begin < MOST_S
        assert memory_kb("VmHWM") - before < MOST_KB
        text = str(caught.value)
        assert len(text.splitlines()) == 1
        assert len(text) < 600
        assert text.isprintable()
        return text

    return check


def memory_kb(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


@pytest.fixture(scope="module")
def server():
    """An S3 server on loopback with the bucket `plant`, known to this process and its children by their environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="plant")
        yield given["AWS_ENDPOINT_URL"]
    server.stop()
