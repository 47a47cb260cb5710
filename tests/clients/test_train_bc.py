"""The data teaches: a small network that copies the expert, through the loader, does its work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def test_a_policy_that_copies_a_few_expert_episodes_carries_most_loads(tmp_path):
    # a fifth of the example's episodes and a third of its updates reach 91 to 94 where the example reaches 100; the bar
    # is far below, for other machines round otherwise, and far above the 20 that 10 updates reach
    size = ["--episodes", "60", "--updates", "2000", "--first", "0", "--out", str(tmp_path / "expert")]
    example = Path(__file__).parents[2] / "examples" / "train_bc.py"
    done = subprocess.run(
        [sys.executable, str(example), *size], capture_output=True, text=True, timeout=550, check=True
    )
    found = re.search(r"seeds 0 to 99: (\d+) of 100 succeed \(95 % interval (\d+)% to (\d+)%\)", done.stdout)
    assert found, done.stdout
    count, low, high = map(int, found.groups())
    assert count >= 60
    assert low <= count <= high
