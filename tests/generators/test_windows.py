"""Windows hold what the policy saw, did and got, at the right steps; their index needs no shard."""

import json
import pickle
import shutil
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.dataset import Dataset
from generators.loading.windows import Windows
from generators.resample import METHODS, resample
from generators.schema import DatasetError
from sim.errors import UnknownNameError


@pytest.fixture
def opened(dataset):
    with Dataset(dataset) as found:
        yield found


def expected(episode, step, history, horizon):
    """Return a window's rows, taken one by one from a whole episode."""
    length = len(episode)
    rows = range(step - history, step + horizon)
    inner = [min(max(t, 0), length - 1) for t in rows]
    seen = [min(max(t, 0), length) for t in rows]
    out = {f"obs/{name}": value[seen] for name, value in episode.observations.items()}
    out |= {"action": episode.actions[inner], "reward": episode.rewards[inner]}
    out |= {"phase": episode.array("steps/phase")[inner], "mask": np.array([0 <= t < length for t in rows])}
    return out


@pytest.mark.parametrize(("history", "horizon", "stride"), [(0, 16, 1), (3, 5, 4), (0, 1, 7), (60, 70, 9)])
@pytest.mark.parametrize("cache", [0, 1 << 20])
def test_a_window_holds_the_rows_of_its_steps_and_repeats_the_ends_beyond_them(opened, history, horizon, stride, cache):
    windows = Windows(opened, history=history, horizon=horizon, stride=stride, cache_bytes=cache)
    at = 0
    for number, episode in enumerate(opened):
        for step in range(0, len(episode), stride):
            window = windows[at]
            assert (window.pop("episode"), window.pop("step")) == (number, step)
            wanted = expected(episode, step, history, horizon)
            assert window.keys() == wanted.keys()
            for name, value in wanted.items():
                np.testing.assert_array_equal(window[name], value, err_msg=f"{name} of window {at}")
                assert window[name].dtype == value.dtype
            at += 1
    assert at == len(windows) > 0


def test_without_padding_there_are_only_windows_inside_of_their_episodes(opened):
    windows = Windows(opened, history=2, horizon=6, stride=3, pad=False)
    begun = [(i, t) for i, e in enumerate(opened) for t in range(2, len(e) - 5, 3)]
    assert [windows.begin(i) for i in range(len(windows))] == begun
    assert [window["mask"].tolist() for window in windows] == [[True] * 8] * len(begun)
    assert windows.counts.tolist() == [sum(i == n for i, _ in begun) for n in range(len(opened))]


def test_episodes_without_steps_have_no_windows(opened):
    windows = Windows(opened)
    assert {len(e) == 0 for e in opened} == {True, False}
    assert (windows.counts == [len(e) for e in opened]).all()


def test_windows_of_a_view_number_its_own_episodes(opened):
    view = opened.where(outcome="success")
    windows = Windows(view, horizon=4)
    assert len(windows) == sum(len(e) for e in view) < len(Windows(opened))
    last = windows[-1]
    assert last["episode"] == len(view) - 1
    np.testing.assert_array_equal(last["action"][0], view[-1].actions[-1])
    with pytest.raises(IndexError, match=f"there are {len(windows)}"):
        windows[len(windows)]


def test_windows_of_a_derived_dataset_are_those_of_the_rows_it_lists(dataset, opened, tmp_path):
    shutil.copytree(dataset, tmp_path / "set")
    manifest = json.loads((dataset / "dataset.json").read_text())
    for shard, rows in zip(manifest["shards"], ([[1, 3], [5, 8]], [[0, 4]]), strict=True):
        shard["rows"] = rows
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(manifest))
    same = Windows(opened.choose([1, 2, 5, 6, 7, 8, 9, 10, 11]), stride=6)
    with Dataset(tmp_path / "set") as derived:
        windows = Windows(derived, stride=6)
        assert len(windows) == len(same) > 0
        for ours, theirs in zip(windows, same, strict=True):
            for name, value in theirs.items():
                np.testing.assert_array_equal(ours[name], value)


def test_of_no_episodes_there_are_no_windows(opened):
    assert len(Windows(opened.choose([]), streams=["pos"])) == 0
    assert list(Windows(opened.choose([]))) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["pos", "force", "peak"])
def test_a_stream_is_resampled_as_if_the_whole_episode_had_been(opened, method, name):
    windows = Windows(opened, horizon=5, history=2, stride=4, streams={name: method}, pad=False)
    for window in (windows[i] for i in range(0, len(windows), 3)):
        episode, step = opened[int(window["episode"])], int(window["step"])
        whole = resample(episode.streams[name], episode.array("steps/t_ns"), method)
        # the mean of a window's samples is a difference of sums that begin elsewhere
        np.testing.assert_allclose(window[f"streams/{name}"], whole[step - 2 : step + 5], rtol=1e-6, atol=1e-9)


def test_a_raw_stream_comes_as_it_arrived_during_the_window_and_nothing_is_lost(opened):
    windows = Windows(opened, horizon=5, stride=5, streams={"force": "raw"})
    for number in (3, 4):
        episode = opened[number]
        mine = [w for w in windows if w["episode"] == number]
        times = np.concatenate([w["streams/force/t_ns"] for w in mine])
        values = np.concatenate([w["streams/force"] for w in mine])
        stream, end = episode.streams["force"], episode.array("steps/t_ns")[-1]
        np.testing.assert_array_equal(times, stream.t_ns[stream.t_ns <= end])
        np.testing.assert_array_equal(values, stream.value[stream.t_ns <= end])
        assert len(times) > 4 * len(mine)


def test_only_what_is_asked_for_is_read(opened):
    windows = Windows(opened, observations=["x"], action=False)
    assert set(windows[0]) == {"obs/x", "reward", "phase", "mask", "episode", "step"}


def test_pictures_are_the_newest_at_each_step_of_the_asked_cameras_only(filmed, kinds):
    with Dataset(filmed) as dataset:
        windows = Windows(dataset, horizon=6, history=1, stride=11, cameras={"hand": "depth"})
        padded = 0
        for window in windows:
            episode = dataset[int(window["episode"])]
            steps = (int(window["step"]) + np.arange(-1, 6)).clip(0, len(episode) - 1)
            pictures, taken = episode.images("hand", "depth"), episode.shots("hand").step
            newest = [max(np.flatnonzero(taken <= t)) for t in steps]
            np.testing.assert_array_equal(window["images/hand"], pictures[newest])
            padded += not window["mask"].all()
        assert 0 < padded < len(windows)
        side = Windows(dataset, cameras={"side": kinds[0]}, horizon=2)[4]["images/side"]
        np.testing.assert_array_equal(side, dataset[0].images("side", kinds[0])[4:6])
        assert set(Windows(dataset, cameras={"side": kinds[0]})[0]) >= {
            "images/side",
            "obs/" + next(iter(dataset[0].observations)),
        }


def test_what_a_window_is_changed_to_is_not_seen_by_the_next(opened):
    windows = Windows(opened)
    before = windows[0]
    kept = {name: value.copy() for name, value in before.items()}
    for value in before.values():
        value[...] = 0
    for name, value in windows[0].items():
        np.testing.assert_array_equal(value, kept[name])


def test_windows_survive_being_sent_to_another_process(opened):
    windows = Windows(opened, streams=["pos"])
    again = pickle.loads(pickle.dumps(windows))
    for name, value in windows[9].items():
        np.testing.assert_array_equal(again[9][name], value)


def test_the_cache_keeps_to_its_limit(opened):
    windows = Windows(opened, cache_bytes=5000)
    for i in range(0, len(windows), 7):
        windows[i]
        assert sum(chunk.nbytes for chunk in windows.reader._chunks._kept.values()) <= 5000


def test_an_index_of_100000_episodes_needs_no_shard_and_less_than_50_mb(tmp_path):
    count, per_shard = 100_000, 200
    length = np.random.default_rng(0).integers(0, 400, count).astype(np.int32)
    start = (length.reshape(-1, per_shard).cumsum(axis=1) - length.reshape(-1, per_shard)).reshape(-1)
    columns = {
        "length": length,
        "step_start": start,
        "obs_start": start + np.tile(np.arange(per_shard), count // per_shard),
    }
    columns |= {f"params.p{n}": np.random.default_rng(n).random(count) for n in range(8)}
    pq.write_table(pa.table(columns), tmp_path / "episodes.parquet")
    shards = [{"name": f"shard-{n:05d}.h5", "episodes": per_shard, "steps": 1} for n in range(count // per_shard)]
    manifest = {"format": "genba", "format_version": "1.1", "shards": shards}
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))

    tracemalloc.start()
    windows = Windows(Dataset(tmp_path))
    peak = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes()
    tracemalloc.stop()

    assert peak < 50e6
    assert len(windows) == length.sum()
    assert windows.begin(int(length[:7000].sum())) == (7000 + int(np.flatnonzero(length[7000:])[0]), 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"observations": ["xx"]}, "no observation 'xx'; did you mean 'x'"),
        ({"streams": ["forces"]}, "no stream 'forces'; did you mean 'force'"),
        ({"streams": {"force": "average"}}, "no method of resampling 'average'"),
        ({"cameras": ["top"]}, "no camera 'top'"),
        ({"cameras": {"top": "colour"}}, "no kind of picture 'colour'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_read(opened, wrong, message):
    with pytest.raises(UnknownNameError, match=message):
        Windows(opened, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"history": -1}, "history must be at least 0, got -1"),
        ({"observations": "x"}, "observations must be a sequence of names, got 'x'"),
        ({"streams": "force"}, "streams must be a sequence of names or a mapping from names, got 'force'"),
    ],
)
def test_a_wrong_number_or_type_is_refused(opened, wrong, message):
    with pytest.raises(DatasetError, match=message):
        Windows(opened, **wrong)


def test_a_table_that_points_beyond_its_shard_is_an_error_with_the_column_named(dataset, tmp_path):
    copy = tmp_path / "set"
    shutil.copytree(dataset, copy)
    with Dataset(dataset) as whole:
        table = whole.table()
    moved = pa.array(table["obs_start"].to_numpy() + 10_000)
    pq.write_table(
        table.set_column(table.column_names.index("obs_start"), "obs_start", moved), copy / "episodes.parquet"
    )
    with Dataset(copy) as damaged, pytest.raises(DatasetError, match=r"column 'obs/.*' has no rows 10"):
        Windows(damaged)[0]
