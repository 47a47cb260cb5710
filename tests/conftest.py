"""Fixtures for all tests: where things are, and a command line that runs in this process."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from generators import cli

os.environ.setdefault("MUJOCO_GL", "egl")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job passes on that it is ignored
ROOT = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def genba(capsys, monkeypatch):
    """Run `genba ...` in this process, in the folder of the example scene."""
    monkeypatch.chdir(ROOT / "examples")

    def run(*args) -> Result:
        code = cli.main([str(a) for a in args])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
