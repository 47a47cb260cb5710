"""The README is true: its commands and its code run, at small sizes, in the order in which they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = ["--episodes", "2", "--episodes-per-shard", "1", "--workers", "2"]
PILOT = ["--episodes", "2", "--pilot", "2"]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    lines = re.findall(r"^    (genba .*)$", README, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run(arguments, folder):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=os.environ)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the README's reader would have: the example scene and the configuration of the README."""
    path = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "examples" / "new_scene.py", path)
    (yaml,) = blocks("yaml")
    (path / "crane.yaml").write_text(yaml, encoding="utf-8")
    return path


def test_the_commands_run_as_written_but_for_their_sizes(folder, monkeypatch):
    code = "import sys; from generators.cli import main; sys.exit(main(sys.argv[1:]))"
    ran = []
    for args in commands():
        if args[0] == "view":  # serves until it is stopped; tested with the commands
            continue
        args = [a.replace("/tmp/crane", str(folder / "ci")) for a in args]
        small = {"generate": SMALL, "plan": PILOT}.get(args[0], [])
        done = run(["-c", code, *args, *small], folder)
        assert done.returncode == 0, (args, done.stderr, done.stdout)
        ran.append(args[0])
    assert {"generate", "resume", "validate", "describe", "filter", "split", "export", "report", "card"} <= set(ran)


def test_the_python_blocks_run(folder):
    data = folder / "datasets" / "quickstart"
    if not data.exists():
        code = "import sys; from generators.cli import main; sys.exit(main(sys.argv[1:]))"
        made = run(["-c", code, "generate", "new_scene:MyTask", "--out", str(data), *SMALL], folder)
        assert made.returncode == 0, made.stderr
    found = blocks("python")
    assert len(found) >= 2
    for block in found:
        done = run(["-W", "error", "-c", block], folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_two_commands_exist():
    for line in ("sh examples/quickstart.sh", "sh tests/run.sh"):
        assert f"    {line}" in README
        assert (ROOT / line.split()[1]).exists()
