"""What the peers' tests share: a dataset with pictures. They run in venvs of their own, by tests/peers.sh."""

import os
import runpy
import sys
from pathlib import Path

import pytest

from generators import driver
from generators.config import make_config
from generators.dataset import Dataset
from generators.executors import run_inline

if "GENBA_PEERS" not in os.environ:
    collect_ignore_glob = ["*.py"]

ROOT = Path(__file__).parents[2]
SIDE = {"size": [64, 48], "kinds": ["rgb", "depth", "segmentation"]}
HAND = {"size": 32, "rate_hz": 5, "kinds": ["depth"]}


def _make(out, task, folder, cameras, **config):
    found = make_config({"task": task, "seed": 3, "out": str(out), "cameras": cameras} | config)
    driver.run(found.out, driver.start(found, folder), executor=run_inline, on_report=lambda _: None)
    return out


@pytest.fixture(scope="session")
def make():
    """Generate a dataset: make(out, task, folder, cameras, episodes=..., ...)."""
    return _make


@pytest.fixture(scope="session")
def filmed(tmp_path_factory):
    """The example scene with two cameras, one of which moves and sees at every fourth step; all outcomes."""
    folder = tmp_path_factory.mktemp("filmed")
    cameras = runpy.run_path(str(ROOT / "tests" / "generators" / "conftest.py"))["CAMERAS"]
    before, _, after = (ROOT / "examples" / "new_scene.py").read_text().rpartition("        return spec\n")
    (folder / "filmed.py").write_text(before + cameras + after)
    sys.path.insert(0, str(folder))  # recovered environments import it
    config = {"episodes": 8, "episodes_per_shard": 3, "degraded": 0.6}
    return _make(
        tmp_path_factory.mktemp("set") / "set", "filmed:MyTask", folder, {"side": SIDE, "hand": HAND}, **config
    )


@pytest.fixture
def data(filmed):
    """The dataset, open."""
    with Dataset(filmed) as found:
        yield found
