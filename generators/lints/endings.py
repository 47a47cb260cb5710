"""How episodes go and end: flags, outcomes, lengths, returns, and the order in which they come to their phases."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.reader import Shard
from sim.episode import Outcome

Array = NDArray[Any]
Found = Iterator[tuple[str, str, str]]

_RAISED = (Outcome.UNSTABLE, Outcome.EXPERT_ERROR, Outcome.TASK_ERROR)


def findings(shard: Shard, task: Mapping[str, Any]) -> Found:
    """Check how a shard's episodes end.

    Args:
        shard: it.
        task: what dataset.json says of its task; horizon_s and control_hz are used where they are there.
    """
    yield from _flags(shard)
    yield from _returns(shard)
    yield from _outcomes(shard)
    yield from _lengths(shard, task)
    yield from _phases(shard)


def _flags(shard: Shard) -> Found:
    """Check that flags are on last rows only, as the outcome says."""
    length, starts = shard.index("length").astype(np.int64), shard.index("step_start")
    some = length > 0
    last = (starts + length - 1)[some]
    failed = ((shard.index("outcome") == Outcome.FAILURE) & (shard.index("fail_code") > 0))[some]
    for name, expected in (("terminated", failed), ("truncated", ~failed)):
        flags = shard.read(f"steps/{name}")
        if not np.array_equal(flags[last], expected) or np.count_nonzero(flags) != np.count_nonzero(expected):
            yield "flags", f"steps/{name}", "flags are not on the last rows, as the outcomes say"
    succeeded = (shard.index("outcome") == Outcome.SUCCESS)[some]
    if not shard.read("steps/success")[last][succeeded].all():
        yield "outcome", "steps/success", "an episode's outcome is success, its last step is none"


def _returns(shard: Shard) -> Found:
    length, starts = shard.index("length"), shard.index("step_start")
    some = length > 0
    rewards = shard.read("steps/reward").astype(np.float64)
    sums = np.zeros(len(length))
    sums[some] = np.add.reduceat(rewards, starts[some]) if some.any() else 0.0
    if not np.allclose(sums, shard.index("return"), rtol=1e-9, atol=1e-9):  # float64 sums in another order
        yield "return", "episodes/return", "it is not the sum of the rewards"


def _outcomes(shard: Shard) -> Found:
    """Check that a fail code goes with a failure, a reason with what raised, and steps with what ran."""
    outcome, ids = shard.index("outcome"), shard.index("episode_id")
    raised = np.isin(outcome, _RAISED)
    told = np.char.str_len(shard.index("error")) > 0
    empty = shard.index("length") == 0
    for column, wrong, what in (
        ("fail_code", (shard.index("fail_code") > 0) & (outcome != Outcome.FAILURE), "have a fail code and no failure"),
        ("error", told & ~raised, "have an error, their outcome none"),
        ("error", raised & ~told, "have an outcome that needs a reason, and no error"),
        ("length", empty & np.isin(outcome, (Outcome.SUCCESS, Outcome.TIMEOUT)), "ended without a step"),
    ):
        if wrong.any():
            first = int(ids[np.flatnonzero(wrong)[0]])
            yield "outcome", f"episodes/{column}", f"{int(wrong.sum())} episodes {what}, the first is {first}"


def _lengths(shard: Shard, task: Mapping[str, Any]) -> Found:
    if not {"horizon_s", "control_hz"} <= set(task):
        return
    horizon = round(float(task["horizon_s"]) * float(task["control_hz"]))
    length, ids = shard.index("length"), shard.index("episode_id")
    timeout = shard.index("outcome") == Outcome.TIMEOUT
    long, short = length > horizon, timeout & (length < horizon)
    for wrong, what in ((long, "are longer than"), (short, "timed out and are shorter than")):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            told = f"{int(wrong.sum())} episodes {what} the task's {horizon} steps"
            yield "length", "episodes/length", f"{told}, the first is {ids[first]} with {length[first]}"


def _phases(shard: Shard) -> Found:
    """Check that phases are first come to in their order; they may be gone back to."""
    phases = shard.read("steps/phase")
    wrong: list[int] = []
    for row in range(len(shard)):
        start, stop = shard.span("steps/phase", row)
        seen, first = np.unique(phases[start:stop], return_index=True)
        if (np.diff(first[seen >= 0]) < 0).any():
            wrong.append(int(shard.index("episode_id")[row]))
    if wrong:
        yield (
            "phase-order",
            "steps/phase",
            f"{len(wrong)} episodes come to phases out of order, the first is {wrong[0]}",
        )
