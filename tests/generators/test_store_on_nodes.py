"""Two Ray nodes that share no folder, neither with each other nor with the driver: all they have is an S3 server."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generators.config import make_config
from generators.driver import generate
from generators.faults.nodes import two_nodes
from generators.fetching import fetch
from generators.stores.store import Store
from generators.validate import validate

pytestmark = pytest.mark.faults
EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = {"task": "noted:MyTask", "episodes": 30, "episodes_per_shard": 1, "seed": 5}
FLAGS = ("--episodes", "30", "--episodes-per-shard", "1", "--seed", "5", "--executor", "ray", "--workers", "2")
COMMITTED = ("SHA256SUMS", "episodes.parquet", "stats.json")
NOTE = """
        with pathlib.Path(tempfile.gettempdir(), "episodes").open("a") as notes:
            notes.write(f"{os.getpid()} {os.getcwd()} {__file__}\\n")
"""
APART = (
    'mount -t tmpfs apart "$0" && mkdir "$0/inside" && cp "$1" "$0/inside/noted.py" && cd "$0/inside" && shift && '
    'exec "$@"'
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """The file of `noted:MyTask`, which leaves a note where temporary files are whenever it builds an episode's scene."""
    path = tmp_path_factory.mktemp("noted") / "noted.py"
    before, head, after = (EXAMPLES / "new_scene.py").read_text().partition('numbers in a fresh model."""\n')
    assert head
    path.write_text(
        before.replace("import dataclasses\n", "import dataclasses, os, pathlib, tempfile\n") + head + NOTE + after
    )
    return path


@pytest.fixture(scope="module")
def undisturbed(scene, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "data"
    generate(make_config(CONFIG | {"out": str(out), "executor": "inline"}), scene.parent)
    return out


@pytest.fixture(scope="module")
def nodes(server):
    with two_nodes() as made:
        yield made


def start(nodes, scene, url, folder):
    """Start a driver whose folder nobody but itself sees."""
    folder.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    genba = [sys.executable, "-m", "generators.cli", "generate", "noted:MyTask", *FLAGS]
    command = [
        *unshare,
        "sh",
        "-c",
        APART,
        str(folder),
        str(scene),
        *genba,
        "--ray-address",
        nodes.address,
        "--out",
        url,
    ]
    return subprocess.Popen(command, env=nodes.env, stderr=subprocess.PIPE, text=True)


def equal(url, undisturbed, back):
    fetch(url, back)
    for name in COMMITTED:
        assert (back / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert validate(back, deep=True).ok


def notes(node):
    """Return process, folder and the task's file for each scene that a node has built."""
    path = node.temporary / "episodes"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_two_nodes_that_share_no_folder_make_the_dataset_that_one_process_makes(nodes, scene, undisturbed, tmp_path):
    driver = start(nodes, scene, "s3://plant/two", tmp_path / "apart")
    _, words = driver.communicate(timeout=200)
    assert driver.returncode == 0, words
    equal("s3://plant/two", undisturbed, tmp_path / "back")
    assert not list((tmp_path / "apart").iterdir())
    made = [notes(node) for node in nodes.nodes]
    assert all(made)
    assert sum(map(len, made)) >= 30
    for node, lines in zip(nodes.nodes, made, strict=True):
        for _, folder, file in lines:  # of the user's task: what Ray has brought to this node
            assert Path(folder).is_relative_to(node.folder)
            assert Path(file).is_relative_to(node.folder)
    assert not {pid for pid, *_ in made[0]} & {pid for pid, *_ in made[1]}


def test_a_node_that_dies_on_the_way_costs_nothing_of_what_is_in_the_bucket(nodes, scene, undisturbed, tmp_path):
    store, begun = Store("s3://plant/died"), len(notes(nodes.nodes[-1]))
    driver = start(nodes, scene, store.url, tmp_path / "apart")
    until = time.monotonic() + 100
    while len(store.listing("logs")) < 4 or len(notes(nodes.nodes[-1])) < begun + 2:
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.02)
    nodes.replace()
    assert len(store.listing("logs")) < 28
    _, words = driver.communicate(timeout=200)
    assert driver.returncode == 0, words
    equal(store.url, undisturbed, tmp_path / "back")
