"""What environments tell of their episodes: infos, with Gymnasium's masks.

Every info has the same keys, and values of the same types.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.draws import Drawn

Array = NDArray[Any]
Info = dict[str, Any]


class Running:
    """What is known of the episodes that run in n environments.

    Args:
        count: how many there are.
        numbers: names of the parameters that are numbers.
        words: names of those that are words.

    Attributes:
        everywhere: (n,) a mask of all.
        seeds: (n,) the episodes'.
        once: (n,) whether success has been held for as long as the task asks at some time.
    """

    def __init__(self, count: int, numbers: Sequence[str], words: Sequence[str]) -> None:
        self.everywhere = np.ones(count, bool)
        self.seeds, self.once = np.zeros(count, np.uint64), np.zeros(count, bool)
        self._names = list(numbers), list(words)
        self._numbers, self._words = np.zeros((count, len(numbers))), np.empty((count, len(words)), "O")
        self._tabulate()

    def put(self, ids: NDArray[np.intp], episodes: Sequence[Drawn]) -> None:
        """Note which episodes run in some environments."""
        for row, episode in zip(ids.tolist(), episodes, strict=True):
            self.seeds[row] = episode.scenario.seed
            self._numbers[row], self._words[row] = episode.numbers, episode.words
        self._tabulate()

    def _tabulate(self) -> None:
        """Make the table of the parameters anew: those in earlier infos stay as they were."""
        self._table = dict(zip(self._names[0], self._numbers.T.copy(), strict=True))
        self._table |= dict(zip(self._names[1], self._words.T.copy(), strict=True))
        self._masked_table = with_masks(self._table, self.everywhere)

    def info(
        self,
        steps: Array,
        mask: Array | None = None,
        held: Array | None = None,
        codes: Array | None = None,
        broken: Array | None = None,
    ) -> Info:
        """Return the info of a reset or step.

        Args:
            steps: (n,) control steps taken; copied.
            mask: (n,) for whom the info holds; None: for all.
            held: (n,) where success is being held; None: nowhere.
            codes: (n,) of the failures; None: none.
            broken: (n,) where the physics has diverged; None: nowhere.
        """
        n = len(steps)
        held = np.zeros(n, bool) if held is None else held
        table = self._masked_table if mask is None else with_masks(self._table, mask)
        mask = self.everywhere if mask is None else mask
        return with_masks(
            {
                "episode_seed": self.seeds.copy(),
                "episode_step": steps.copy(),
                "success": held,
                "is_success": self.once.copy(),
                "success_once": self.once.copy(),
                "success_at_end": held.copy(),
                "fail_code": np.zeros(n, np.int64) if codes is None else codes,
                "sim_error": np.zeros(n, bool) if broken is None else broken,
            },
            mask,
        ) | {"parameters": dict(table), "_parameters": mask}


def with_masks(info: Info, mask: Array) -> Info:
    """Give an info Gymnasium's masks: _key says for which environments key holds."""
    out: Info = {}
    for key, value in info.items():
        if key[0] != "_":
            out[key] = with_masks(value, mask) if isinstance(value, dict) else value
            out[f"_{key}"] = mask
    return out


def first_info(info: Info) -> Info:
    """Return the first environment's info, without masks, as plain bools and NumPy numbers."""
    out: Info = {}
    for key, value in info.items():
        if isinstance(value, dict):
            out[key] = first_info(value)
        elif key[0] != "_":
            out[key] = bool(value[0]) if value.dtype == np.bool_ else value[0]
    return out
