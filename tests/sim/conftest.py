"""Gives every test here the tiny tasks of tasks.py, which importlib mode does not let it import."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_tasks", Path(__file__).with_name("tasks.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module tasks.py."""
    return sys.modules.get("tiny_tasks") or _load()
