"""What the clients' tests share. They import their library inside the test, so that the default run needs none."""

import gymnasium
import pytest

import scenes  # noqa: F401 - makes the environments known

IDS = sorted(name for name in gymnasium.registry if name.startswith("genba/"))


def pytest_generate_tests(metafunc):
    if "env_id" in metafunc.fixturenames:
        metafunc.parametrize("env_id", IDS)


@pytest.fixture
def transport():
    """The environment for trainings: its episodes are short."""
    return "genba/CraneTransport-v0"


@pytest.fixture
def horizon():
    """Control steps of the transport's longest episode: 30 s at 5 Hz."""
    return 150


@pytest.fixture
def one_thread():
    """Let torch use one thread: the networks are small, and tests run side by side."""
    try:
        import torch
    except ModuleNotFoundError:
        pytest.fail('the clients\' tests need the extra "clients": pip install torch, then pip install -e ".[clients]"')
    torch.set_num_threads(1)
    torch.manual_seed(0)
