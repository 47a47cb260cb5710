"""Windows as PyTorch tensors: by number, or block-shuffled through a DataLoader, with a position to resume at.

Rule: this is the only module that imports torch, and nothing of genba imports it. Each worker opens its own files.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from generators.loading.blocks import Blocks, check_state, taken_of
from generators.loading.windows import Window, Windows
from generators.schema import DatasetError
from sim.errors import MissingExtraError

try:
    import torch  # pyright: ignore[reportMissingImports]
    from torch.utils.data import (  # pyright: ignore[reportMissingImports]
        DataLoader,
        Dataset,
        IterableDataset,
        get_worker_info,
    )
except ImportError:
    raise MissingExtraError("PyTorch's loaders need the package torch: pip install 'genba[torch]'") from None

Tensors = dict[str, Any]


def tensors(window: Window) -> Tensors:
    """Return a window's arrays, or a batch's, as tensors on the CPU; uint16 as int32, with which torch can compute."""
    found = {name: np.asarray(value) for name, value in window.items()}
    return {
        name: torch.as_tensor(value.astype(np.int32) if value.dtype == np.uint16 else value)
        for name, value in found.items()
    }


class RandomWindows(Dataset):  # pyright: ignore[reportUntypedBaseClass]
    """Windows by number, for a DataLoader that shuffles and stacks them.

    Args:
        windows: which.
    """

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.windows)

    def __getitem__(self, i: int) -> Tensors:
        """Read a window."""
        return tensors(self.windows[i])


class BlockWindows(IterableDataset):  # pyright: ignore[reportUntypedBaseClass]
    """Block-shuffled windows, or batches of them, for a DataLoader; its workers share them without overlap.

    Give the DataLoader `batch_size=None` where the blocks make batches. An iteration begins at the epoch that was set
    last, in workers that persist, too.

    Args:
        blocks: which, and their order.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._position = torch.tensor([blocks.epoch, 0]).share_memory_()  # epoch, batches taken: seen by the workers

    def set_epoch(self, epoch: int, taken: int = 0) -> None:
        """Set where the next iteration begins.

        Args:
            epoch: which.
            taken: how many of its batches, as the blocks make them and over all workers, have been taken before.
        """
        self._position[0], self._position[1] = epoch, taken

    def __iter__(self) -> Iterator[Tensors]:
        info = get_worker_info()
        number, of = (info.id, info.num_workers) if info else (0, 1)
        epoch, taken = self._position.tolist()
        parts = self.parts(of, epoch)
        given, first = taken_of(np.array([len(part) for part in parts]), taken)
        mine = parts[(number + first) % of]  # the DataLoader asks its worker 0 first
        mine.given = min(mine.total, int(given[(number + first) % of]) * (self.blocks.batch_size or 1))
        return map(tensors, mine)

    def parts(self, of: int, epoch: int) -> list[Blocks]:
        """Return what each of some workers gives in an epoch."""
        parts = [self.blocks.part(k, of) for k in range(of)]
        for part in parts:
            part.epoch = epoch
        return parts


class BlockLoader:
    """Batches of block-shuffled windows as tensors, read by workers, with a position; iterate over it once an epoch.

    An iteration that is broken off goes on after the last batch that was taken.

    Args:
        blocks: which, in batches.
        workers: processes that read ahead; 0 to read in this one.
        **options: further ones of PyTorch's DataLoader: pin_memory, prefetch_factor ...

    Raises:
        DatasetError: the blocks make no batches.
    """

    def __init__(self, blocks: Blocks, *, workers: int = 0, **options: Any) -> None:  # noqa: ANN401 - DataLoader's
        if blocks.batch_size is None:
            raise DatasetError("the blocks give windows one by one, expected batches: Blocks(windows, batch_size=64)")
        self._data, self._workers = BlockWindows(blocks), workers
        kept: dict[str, Any] = {"persistent_workers": workers > 0} | options
        self._loader = DataLoader(self._data, batch_size=None, num_workers=workers, **kept)
        self.epoch, self.taken = blocks.epoch, 0

    def __len__(self) -> int:
        """Number of batches in this epoch."""
        return sum(len(part) for part in self._data.parts(max(1, self._workers), self.epoch))

    def __iter__(self) -> Iterator[Tensors]:
        self._data.set_epoch(self.epoch, self.taken)
        for batch in self._loader:
            self.taken += 1
            yield batch
        self.epoch, self.taken = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position, plain data for JSON: what was taken, not what workers have read ahead."""
        return self._identity() | {"epoch": self.epoch, "taken": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a position up, for the next iteration.

        Raises:
            DatasetError: it is one in another order, dataset or number of workers.
        """
        check_state(state, self._identity(), ("epoch", "taken"))
        self.epoch, self.taken = int(state["epoch"]), int(state["taken"])

    def _identity(self) -> dict[str, Any]:
        blocks = self._data.blocks
        known = {name: value for name, value in blocks.state_dict().items() if name not in ("epoch", "given")}
        return known | {"batch_size": blocks.batch_size, "workers": self._workers}
