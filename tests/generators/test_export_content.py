"""What an export carries is chosen before anything is written, and what it does not carry is said."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from generators.dataset import Dataset
from generators.export.content import Asked, ExportError, choose
from generators.files import whole_folder
from generators.schema import DatasetError
from sim.errors import GenbaError, UnknownNameError


@pytest.fixture
def data(dataset):
    with Dataset(dataset) as found:
        yield found


@pytest.fixture
def pictured(filmed):
    with Dataset(filmed) as found:
        yield found


def test_episodes_without_a_step_are_left_out_and_named(data):
    content = choose(data, Asked())
    empty = [e.id for e in data if not len(e)]
    assert empty
    assert list(content.empty) == empty
    assert [e.id for e in content.data] == [e.id for e in data if len(e)]


def test_a_query_chooses_episodes(data):
    content = choose(data, Asked(only='outcome == "success"'))
    assert {e.outcome.name for e in content.data} == {"SUCCESS"}
    with pytest.raises(ExportError, match="no episode with a step is left"):
        choose(data, Asked(only='outcome == "task_error"'))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(observations=("xx",)), "no observation 'xx'; did you mean 'x'?"),
        (Asked(streams=("forse",)), "no stream 'forse'; did you mean 'force'?"),
        (Asked(method="men"), "no method of resampling 'men'; did you mean 'mean'?"),
        (Asked(cameras=("side",)), "no picture 'side'"),
        (Asked(only='outcome == "success'), ""),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(data, asked, message):
    with pytest.raises(GenbaError) as error:
        choose(data, asked)
    assert message in str(error.value)


def test_streams_come_at_the_times_of_the_observations(data):
    content = choose(data, Asked(streams=("force",), method="linear"))
    episode = content.data[0]
    found = content.resampled(episode)
    assert set(found) == {"force"}
    assert len(found["force"]) == len(episode) + 1
    stream, times = episode.streams["force"], content.times(episode)
    assert np.allclose(found["force"][:, 0], np.interp(times, stream.t_ns, stream.value[:, 0]))


def test_between_pictures_the_latest_one_is_seen(pictured):
    content = choose(pictured, Asked(cameras=("hand:depth",)))
    (picture,) = content.pictures
    assert picture.name == "hand_depth"
    episode = content.data[0]
    held = content.images(episode, picture)
    assert np.array_equal(held, episode.images("hand", "depth")[np.arange(len(episode) + 1) // 4])


def test_every_column_is_carried_or_said_not_to_be(pictured, tmp_path):
    content = choose(pictured, Asked(cameras=("hand:depth",)))
    carried = {"there/laser": "obs/laser", "there/hand": "media/hand/depth", "a": "steps/action"}
    content.write_sidecar(tmp_path, "peer 1", carried, {"more": 1})
    said = json.loads((tmp_path / "sidecar.json").read_text())
    columns = {p for p in content.columns if not p.endswith("/t_ns")} | {"steps/t_ns"}
    media = {f"media/{c}/{k}" for c in ("side", "hand") for k in pictured[0].camera_facts(c)["kinds"]}
    gone = set(said["not_carried"])
    assert gone | set(carried.values()) == columns | media | {"episodes/model_xml"}
    assert not gone & set(carried.values())
    assert all(said["not_carried"].values())
    assert said["carried"]["there/laser"]["unit"] == "m"
    assert said["carried"]["a"]["units"] == ["m/s"]
    assert said["resampling"]["method"] == "previous"
    assert said["cameras"]["hand"]["convention"] == "opencv"
    assert said["more"] == 1


def test_seeds_parameters_and_poses_lie_beside_the_export(pictured, tmp_path):
    content = choose(pictured, Asked(cameras=("hand:depth",)))
    content.write_sidecar(tmp_path, "peer 1", {})
    table = pq.read_table(tmp_path / "episodes.parquet")
    assert table["index"].to_pylist() == list(range(len(pictured)))
    assert table["episode_seed"].to_pylist() == [e.seed for e in pictured]
    assert table["params.friction"].to_pylist() == [e.parameters["friction"] for e in pictured]
    with np.load(tmp_path / "cameras.npz") as cameras:
        start, count = cameras["hand/start"], cameras["hand/count"]
        for i, episode in enumerate(pictured):
            shots, mine = episode.shots("hand"), slice(start[i], start[i] + count[i])
            assert np.array_equal(cameras["hand/T_world_cam"][mine], shots.t_world_cam)
            assert np.array_equal(cameras["hand/step"][mine], shots.step)
            assert np.array_equal(cameras["hand/K"][i], shots.k)


def test_several_tasks_are_refused_with_the_query_that_chooses_one(data, monkeypatch):
    import pyarrow as pa

    table = data.table()
    names = ["a/one"] + ["b/two"] * (len(table) - 1)
    two = table.set_column(table.schema.get_field_index("task"), "task", pa.array(names))
    monkeypatch.setattr(Dataset, "table", lambda self, columns=None: two.select(columns) if columns else two)
    with pytest.raises(
        ExportError, match=r"""one task, the dataset has a/one, b/two: choose by --only 'task == "a/one"'"""
    ):
        choose(data, Asked())


def test_none_and_all_stand_for_themselves(data):
    content = choose(data, Asked(observations=("none",), streams=("none",), cameras=("none",)))
    assert (content.observations, content.streams, content.pictures) == ((), (), ())
    content = choose(data, Asked())
    assert set(content.observations) == {"x", "pos"}
    assert set(content.streams) == {"peak", "pos", "force"}
    with pytest.raises(UnknownNameError):
        choose(data, dataclasses.replace(content.asked, streams=("all", "force")))


def test_a_folder_has_its_name_when_it_is_whole_and_leaves_nothing_behind_else(tmp_path):
    out = tmp_path / "deep" / "out"

    def fail():
        with whole_folder(out) as folder:
            (folder / "a").write_text("a")
            assert not out.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(out.parent.iterdir()) == []
    with whole_folder(out) as folder:
        (folder / "a").write_text("a")
    assert [p.name for p in out.iterdir()] == ["a"]
    with pytest.raises(DatasetError, match="there already"), whole_folder(out):
        pass
    assert [p.name for p in out.parent.iterdir()] == ["out"]
