"""PyTorch's own DataLoader gives genba's windows, with workers and ranks, and goes on where it was."""

import json
from pathlib import Path

import numpy as np
import pytest

from generators import driver
from generators.config import make_config
from generators.dataset import Dataset
from generators.executors import run_inline
from generators.loading.blocks import Blocks
from generators.loading.windows import Windows
from generators.schema import DatasetError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
    # Python 3.12 and later warn of forks where threads run; the loader's workers only read
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes:UserWarning"),  # on two cores
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset of 12 short episodes in three shards."""
    out = tmp_path_factory.mktemp("torch") / "set"
    config = make_config({"task": "new_scene:MyTask", "episodes": 12, "episodes_per_shard": 4, "out": str(out)})
    plan = driver.start(config, Path(__file__).parents[2] / "examples")
    driver.run(out, plan, executor=run_inline, on_report=lambda _: None)
    return out


@pytest.fixture
def windows(folder):
    with Dataset(folder) as dataset:
        yield Windows(dataset, horizon=8, history=1, stride=2)


def begun(batch):
    """Return the episode and step of every window of a batch, in order."""
    return list(zip(batch["episode"].flatten().tolist(), batch["step"].flatten().tolist(), strict=True))


def everything(windows):
    return sorted(windows.begin(i) for i in range(len(windows)))


@pytest.mark.parametrize(("workers", "method"), [(0, None), (2, "fork"), (2, "spawn")])
def test_a_dataloader_shuffles_and_stacks_windows_by_number(windows, workers, method):
    from torch.utils.data import DataLoader

    from generators.loading.torch_data import RandomWindows

    windows[0]  # its files are open here, and not for the workers
    data = RandomWindows(windows)
    loader = DataLoader(data, batch_size=32, shuffle=True, num_workers=workers, multiprocessing_context=method)
    found = [place for batch in loader for place in begun(batch)]
    assert sorted(found) == everything(windows)
    assert found != sorted(found)
    by_begin = {windows.begin(i): i for i in range(len(windows))}
    batch = next(iter(loader))
    for i, place in enumerate(begun(batch)):
        for name, value in windows[by_begin[place]].items():
            np.testing.assert_array_equal(batch[name][i].numpy(), value)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_stacks_block_shuffled_windows_itself(windows, workers):
    from torch.utils.data import DataLoader

    from generators.loading.torch_data import BlockWindows

    data = BlockWindows(Blocks(windows, episodes=2))
    loader = DataLoader(data, batch_size=10, num_workers=workers, persistent_workers=workers > 0)
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append([place for batch in loader for place in begun(batch)])
        assert sorted(orders[-1]) == everything(windows)
    assert orders[0] == orders[2], "workers that persist see the epoch that was set"
    assert orders[0] != orders[1]


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("ranks", [1, 2])
def test_ranks_and_workers_share_the_windows_without_overlap(windows, workers, ranks):
    from generators.loading.torch_data import BlockLoader

    loaders = [BlockLoader(Blocks(windows, rank=r, ranks=ranks, batch_size=9), workers=workers) for r in range(ranks)]
    for _ in range(2):
        counts = [len(loader) for loader in loaders]
        batches = [list(loader) for loader in loaders]
        assert [len(part) for part in batches] == counts
        assert sorted(place for part in batches for batch in part for place in begun(batch)) == everything(windows)


def test_even_ranks_give_equally_many_batches(windows):
    from generators.loading.torch_data import BlockLoader

    loaders = [BlockLoader(Blocks(windows, rank=r, ranks=2, batch_size=9, even=True), workers=2) for r in range(2)]
    assert len({len(list(loader)) for loader in loaders}) == 1


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_a_position_goes_on_at_the_very_next_batch_whatever_the_workers_had_read_ahead(windows, workers):
    from generators.loading.torch_data import BlockLoader

    def make():
        return BlockLoader(Blocks(windows, batch_size=9, episodes=2, seed=4), workers=workers)

    whole = make()
    orders = [begun(batch) for _ in range(2) for batch in whole]
    for taken in (0, 1, 2, len(orders) // 2 - 1, len(orders) - 2):
        loader, left = make(), taken
        while left:
            for _ in loader:
                left -= 1
                if not left:
                    break
        again = make()
        again.load_state_dict(json.loads(json.dumps(loader.state_dict())))
        rest = []
        while again.epoch < 2:
            rest += [begun(batch) for batch in again]
        assert rest == orders[taken:]


def test_an_iteration_that_is_broken_off_goes_on_with_workers_that_persist(windows):
    from generators.loading.torch_data import BlockLoader

    loader = BlockLoader(Blocks(windows, batch_size=9), workers=2)
    length, found = len(loader), []
    for batch in loader:
        found += begun(batch)
        assert len(loader) == length
        if len(found) >= 27:
            break
    found += [place for batch in loader for place in begun(batch)]
    assert sorted(found) == everything(windows)


def test_a_position_of_another_number_of_workers_is_refused(windows):
    from generators.loading.torch_data import BlockLoader

    state = BlockLoader(Blocks(windows, batch_size=9), workers=2).state_dict()
    with pytest.raises(DatasetError, match="the position is one with workers 2, expected 0"):
        BlockLoader(Blocks(windows, batch_size=9)).load_state_dict(state)
    with pytest.raises(DatasetError, match="the blocks give windows one by one, expected batches"):
        BlockLoader(Blocks(windows))


def test_depth_and_segmentation_become_numbers_that_torch_can_compute_with():
    import torch

    from generators.loading.torch_data import tensors

    found = tensors({"images/a": np.array([65535, 1], np.uint16), "step": np.array(3), "obs/x": np.ones(2, np.float32)})
    assert (found["images/a"] + 1).tolist() == [65536, 2]
    assert found["images/a"].dtype == torch.int32
    assert found["obs/x"].dtype == torch.float32
    assert found["step"] == 3
