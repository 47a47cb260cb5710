"""Block shuffle gives every window once an epoch, in an order that depends on nothing but what it should."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.dataset import Dataset
from generators.loading.blocks import Blocks, taken_of
from generators.loading.windows import Windows
from generators.schema import DatasetError


@pytest.fixture
def windows(dataset):
    with Dataset(dataset) as found:
        yield Windows(found, horizon=5, history=2, stride=3, streams=["force"])


def begun(batches):
    """Return the episode and step of every window of some batches, in order."""
    pairs = [np.stack([np.atleast_1d(b["episode"]), np.atleast_1d(b["step"])], axis=-1) for b in batches]
    return [tuple(pair) for pair in np.concatenate(pairs).tolist()] if pairs else []


def everything(windows):
    return sorted(windows.begin(i) for i in range(len(windows)))


@pytest.mark.parametrize("batch_size", [None, 1, 7, 10_000])
def test_each_window_comes_once_an_epoch_with_the_arrays_that_its_number_gives(windows, batch_size):
    blocks = Blocks(windows, batch_size=batch_size, episodes=3)
    expected, batches = len(blocks), list(blocks)
    assert len(batches) == expected
    assert sorted(begun(batches)) == everything(windows)
    by_begin = {windows.begin(i): i for i in range(len(windows))}
    for batch in batches:
        stacked = batch if batch_size else {name: value[None] for name, value in batch.items()}
        for i, place in enumerate(begun([batch])):
            for name, value in windows[by_begin[place]].items():
                np.testing.assert_array_equal(stacked[name][i], value, err_msg=name)
                assert stacked[name].dtype == value.dtype


def test_pictures_come_with_the_windows_of_a_block(filmed, kinds):
    with Dataset(filmed) as dataset:
        windows = Windows(dataset, horizon=3, stride=5, cameras={"side": kinds[0], "hand": "depth"})
        by_begin = {windows.begin(i): i for i in range(len(windows))}
        for window in Blocks(windows, episodes=3):
            wanted = windows[by_begin[int(window["episode"]), int(window["step"])]]
            for name in ("images/side", "images/hand"):
                np.testing.assert_array_equal(window[name], wanted[name])


def test_batches_are_full_but_for_the_last(windows):
    sizes = [len(batch["step"]) for batch in Blocks(windows, batch_size=7, episodes=2)]
    assert set(sizes[:-1]) == {7}
    assert sum(sizes) == len(windows)


def test_windows_of_a_block_are_mixed_and_blocks_are_whole_episodes(windows):
    order = begun(Blocks(windows, episodes=2))
    first = {episode for episode, _ in order[:2]} | {order[5][0]}
    count = sum(windows.counts[list(first)])
    assert len(first) == 2
    assert {episode for episode, _ in order[:count]} == first
    assert order[:count] != sorted(order[:count])


def test_the_order_is_a_function_of_seed_epoch_and_ranks_alone(windows):
    def order(**changes):
        return begun(Blocks(windows, episodes=2, **changes))

    first = order(seed=1)
    assert first == order(seed=1)
    assert first == begun(Blocks(windows, episodes=2, seed=1, batch_size=9))
    assert first != order(seed=2)
    assert first != order(seed=1, ranks=2, rank=0)
    blocks = Blocks(windows, episodes=2, seed=1)
    assert begun(blocks) == first
    assert begun(blocks) != first, "the second epoch"


@pytest.mark.parametrize(("ranks", "workers", "epoch"), [(1, 1, 0), (1, 2, 1), (2, 1, 0), (3, 2, 2), (20, 6, 0)])
def test_ranks_and_workers_cover_everything_and_share_nothing(dataset, ranks, workers, epoch):
    with Dataset(dataset) as found:
        windows = Windows(found, stride=8)
        parts = [
            Blocks(windows, rank=r, ranks=ranks, episodes=2).part(w, workers)
            for r in range(ranks)
            for w in range(workers)
        ]
        for part in parts:
            part.epoch = epoch
        assert sum(part.total for part in parts) == len(windows)
        assert sorted(place for part in parts for place in begun(part)) == everything(windows)


def test_even_ranks_give_equally_many_and_none_twice(windows):
    ranks = [Blocks(windows, rank=r, ranks=3, even=True, batch_size=4) for r in range(3)]
    totals, orders = {r.total for r in ranks}, [begun(r) for r in ranks]
    assert {len(order) for order in orders} == totals
    assert len(totals) == 1
    together = [place for order in orders for place in order]
    assert len(set(together)) == len(together) < len(windows)


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("even", [False, True])
def test_a_position_kept_as_json_goes_on_at_the_very_next_window(windows, batch_size, even):
    def make():
        return Blocks(windows, batch_size=batch_size, episodes=2, seed=5, rank=1, ranks=2, even=even)

    whole = make()
    orders = [begun([b]) for _ in range(2) for b in whole]  # of two epochs
    for taken in (0, 1, len(orders) // 3, len(orders) // 2, len(orders) - 1):
        blocks = make()
        left = taken
        while left:
            for _ in blocks:
                left -= 1
                if not left:
                    break
        again = make()
        again.load_state_dict(json.loads(json.dumps(blocks.state_dict())))
        rest = []
        while again.epoch < 2:
            rest += [begun([b]) for b in again]
        assert rest == orders[taken:]


def test_a_position_of_another_order_or_dataset_is_refused(windows):
    state = Blocks(windows, seed=1).state_dict()
    for other, message in (
        (Blocks(windows, seed=2), "seed 1, expected 2"),
        (Blocks(windows, seed=1, ranks=2), "ranks 1, expected 2"),
        (Blocks(dataclasses.replace(windows, stride=1), seed=1), "windows [0-9]+, expected"),
    ):
        with pytest.raises(DatasetError, match=f"the position is one with {message}"):
            other.load_state_dict(state)
    with pytest.raises(DatasetError, match="the position has given None, expected a number from 0"):
        Blocks(windows, seed=1).load_state_dict({k: v for k, v in state.items() if k != "given"})


def test_what_is_changed_in_a_window_is_not_seen_in_another(windows):
    blocks = Blocks(windows)
    for window in blocks:
        for value in window.values():
            value[...] = 0
    assert sorted(begun(blocks)) == everything(windows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"rank": 2, "ranks": 2}, "rank must be less than ranks, 2, got 2"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_a_wrong_number_is_refused(windows, wrong, message):
    with pytest.raises(DatasetError, match=message):
        Blocks(windows, **wrong)


def test_of_no_windows_an_epoch_is_empty(windows):
    blocks = Blocks(dataclasses.replace(windows, dataset=windows.dataset.choose([])), batch_size=4)
    assert len(blocks) == 0
    assert list(blocks) == []
    assert blocks.epoch == 1


def test_raw_streams_cannot_be_stacked(windows):
    with pytest.raises(DatasetError, match="stream 'pos' is wanted raw, which cannot be stacked"):
        Blocks(dataclasses.replace(windows, streams={"pos": "raw"}))


def test_a_dataset_of_two_tasks_with_other_observations_is_refused_with_what_to_do(tmp_path, make_filmed):
    make_filmed(
        tmp_path / "set",
        task=None,
        tasks=[{"task": "filmed:MyTask", "episodes": 2}, {"task": "steel/crane_transport", "episodes": 2}],
    )
    with Dataset(tmp_path / "set") as dataset:
        with pytest.raises(
            DatasetError, match=r"episodes of this dataset differ in .*: name the observations that all"
        ):
            list(Blocks(Windows(dataset)))
        assert len(list(Blocks(Windows(dataset.where(task="steel/crane_transport"), observations=["way"])))) > 100


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.data())
def test_what_was_taken_of_each_worker_is_known_from_the_number_of_batches(batches, data):
    taken = data.draw(st.integers(0, sum(batches)))
    left, given, at = list(batches), [0] * len(batches), 0
    for _ in range(taken):  # a DataLoader asks its workers in turn
        while not left[at]:
            at = (at + 1) % len(left)
        left[at] -= 1
        given[at] += 1
        at = (at + 1) % len(left)
    found, following = taken_of(np.array(batches), taken)
    assert found.tolist() == given
    if sum(left):
        while not left[at]:
            at = (at + 1) % len(left)
        assert following == at
