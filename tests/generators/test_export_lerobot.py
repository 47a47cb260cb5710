"""The layout that LeRobot v3.0 reads: what tests/peers proves with LeRobot itself, without it."""

import dataclasses
import io
import json
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from generators.cli import main
from generators.dataset import Dataset
from generators.export import lerobot_writer
from generators.export.content import Asked, ExportError, Picture, choose
from generators.export.lerobot import export
from generators.export.lerobot_features import features_of, tasks_table
from generators.export.lerobot_files import CHUNK, Places, TableFiles, VideoFiles
from generators.export.lerobot_pictures import pack, unpack
from generators.export.lerobot_stats import NumberStats, PictureStats
from generators.media.codecs import EncodingError, decode_video
from generators.resample import resample
from sim.layout import layout

DATA = "data/chunk-000/file-000.parquet"
ROWS = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    return export(dataset, tmp_path_factory.mktemp("lerobot") / "set")


@pytest.fixture
def data(dataset):
    with Dataset(dataset) as found:
        yield found.choose([i for i, e in enumerate(found) if len(e)])


@pytest.fixture
def info(made):
    return json.loads((made.folder / "meta" / "info.json").read_text())


def test_every_array_has_one_row_an_action(made, data, kit):
    found = pq.read_table(made.folder / DATA)
    order = list(layout(kit.Push()).observations)
    expected = {
        "observation.state": [np.concatenate([e.array(f"obs/{n}")[:-1] for n in order], axis=1) for e in data],
        "observation.force": [resample(e.streams["force"], e.array("steps/t_ns"))[:, 0] for e in data],
        "observation.pos": [resample(e.streams["pos"], e.array("steps/t_ns")) for e in data],
        "action": [e.actions[:, 0] for e in data],
        "next.reward": [e.rewards for e in data],
        "next.success": [e.array("steps/success") for e in data],
        "next.done": [e.array("steps/terminated") | e.array("steps/truncated") for e in data],
        "phase": [e.array("steps/phase") for e in data],
        "timestamp": [e.array("steps/t_ns") / 1e9 for e in data],
        "frame_index": [np.arange(len(e)) for e in data],
        "episode_index": [np.full(len(e), i) for i, e in enumerate(data)],
    }
    for name, parts in expected.items():
        values = np.concatenate(parts)
        got = np.array(found[name].to_pylist()).reshape(values.shape)
        assert np.array_equal(got, values.astype(np.float32) if values.dtype.kind == "f" else values), name
    assert found["index"].to_pylist() == list(range(made.steps))


def test_info_tells_of_every_column(made, info):
    schema = pq.read_schema(made.folder / DATA)
    assert set(info["features"]) == set(schema.names)
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["fps"]) == (made.episodes, made.steps, 20)
    assert info["splits"] == {"train": f"0:{made.episodes}"}
    state = info["features"]["observation.state"]
    assert state == {"dtype": "float32", "shape": [6], "names": ["x.x", "x.y", "x.z", "pos.0", "pos.1", "pos.2"]}
    assert info["features"]["action"]["names"] == ["drive"]
    assert info["features"]["timestamp"] == {"dtype": "float32", "shape": [1], "names": None}
    assert schema.field("observation.state").type == pa.list_(pa.float32(), 6)
    assert schema.field("action").type == pa.float32()
    assert not [name for name in info["features"] if "/" in name]


def test_rows_of_episodes_say_where_they_are_and_what_came_of_them(made, data):
    at = 0
    for row, episode in zip(pq.read_table(made.folder / ROWS).to_pylist(), data, strict=True):
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (at, at + len(episode))
        assert [row[f"{p}/{k}_index"] for p in ("data", "meta/episodes") for k in ("chunk", "file")] == [0, 0, 0, 0]
        assert row["length"] == len(episode)
        assert row["tasks"] == [episode.instruction["en"]]
        assert row["sim/instruction_ja"] == episode.instruction["ja"]
        assert row["sim/seed"] == episode.seed
        assert row["sim/outcome"] == episode.outcome.name.lower()
        assert row["sim/failure"] == ("past" if episode.fact("fail_code") else "")
        assert row["stats/action/mean"] == [pytest.approx(episode.actions.mean(dtype=float), rel=1e-12)]
        assert row["stats/action/count"] == [len(episode)]
        at += len(episode)


def test_texts_are_the_index_that_pandas_finds(made, data):
    found = pq.read_table(made.folder / "meta" / "tasks.parquet")
    texts = list(dict.fromkeys(e.instruction["en"] for e in data))
    assert found.to_pydict() == {"task_index": list(range(len(texts))), "__index_level_0__": texts}
    pandas = json.loads(found.schema.metadata[b"pandas"])
    assert pandas["index_columns"] == ["__index_level_0__"]
    indices = pq.read_table(made.folder / DATA)["task_index"].to_pylist()
    assert [texts[i] for i in indices] == [e.instruction["en"] for e in data for _ in range(len(e))]


def test_japanese_tasks_survive():
    assert tasks_table(["箱を押す。"])["__index_level_0__"].to_pylist() == ["箱を押す。"]


def test_what_did_not_go_is_in_the_sidecar(made, data):
    record = json.loads((made.folder / "sidecar.json").read_text())
    assert record["carried"]["observation.state[3:6]"]["from"] == "obs/pos"
    assert record["carried"]["observation.pos"]["unit"] == "m"
    assert record["resampling"]["method"] == "previous"
    assert set(record["not_carried"]) >= {"state/control", "steps/t_ns"}
    assert record["phases"] == ["go", "stop"]
    with Dataset(data.folder) as whole:
        assert record["episodes_without_steps"] == [e.id for e in whole if not len(e)]


def test_an_episode_with_more_pictures_than_a_column_can_hold_is_refused(filmed, tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_writer, "_COLUMN_BYTES", 10_000)
    with pytest.raises(ExportError, match=r"observation\.images\.hand_depth.*--video"):
        export(filmed, tmp_path / "set", Asked(cameras=("hand:depth",)))
    assert not (tmp_path / "set").exists()


def test_pictures_are_exact_and_16_bits_are_packed(filmed, kinds, tmp_path):
    made = export(filmed, tmp_path / "set", Asked(cameras=("all",)))
    found = pq.read_table(made.folder / DATA)
    assert json.loads(found.schema.metadata[b"huggingface"])["info"]["features"]["observation.images.hand_depth"] == {
        "_type": "Image"
    }
    with Dataset(filmed) as data:
        names = {observed("side", k): ("side", k, 1) for k in kinds} | {"hand_depth": ("hand", "depth", 4)}
        for name, (camera, kind, stride) in names.items():
            column = found[f"observation.images.{name}"].to_pylist()
            at = 0
            for episode in data:
                images = episode.images(camera, kind)
                for t in (0, 5, len(episode) - 1):
                    seen = iio.imread(io.BytesIO(column[at + t]["bytes"]), extension=".png")
                    seen = seen if kind == "rgb" else unpack(seen)
                    assert np.array_equal(seen, images[t // stride]), (name, t)
                at += len(episode)


def observed(camera, kind):
    return camera if kind == "rgb" else f"{camera}_{kind}"


@given(arrays.arrays(np.uint16, (2, 3, 4)))
def test_16_bits_come_back_from_colours_and_from_loaded_tensors(values):
    packed = pack(values)
    assert np.array_equal(unpack(packed), values)
    loaded = np.moveaxis(packed, -1, -3).astype(np.float32) / np.float32(255)
    assert np.array_equal(unpack(loaded), values)


def test_a_video_of_an_odd_size_is_refused(data):
    content = dataclasses.replace(choose(data, Asked()), pictures=(Picture("side", "rgb", (24, 31, 3)),))
    assert features_of(content, video=False)["observation.images.side"].shape == (24, 31, 3)
    with pytest.raises(EncodingError, match="even width"):
        features_of(content, video=True)


def test_masks_and_depth_are_never_videos(data):
    pictures = tuple(Picture("side", kind, (24, 32)) for kind in ("depth", "segmentation"))
    content = dataclasses.replace(choose(data, Asked()), pictures=pictures)
    assert {f.dtype for f in features_of(content, video=True).values() if f.picture} == {"image"}


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(200, 4000))
def test_tables_end_before_their_limit_and_lose_nothing(tmp_path_factory, lengths, limit):
    folder = tmp_path_factory.mktemp("tables")
    schema = pa.schema([("x", pa.int64())])
    files = TableFiles(Places(folder, f"data/{CHUNK}.parquet"), schema, limit)
    at, where = 0, []
    for length in lengths:
        table = pa.table({"x": pa.array(range(at, at + length), pa.int64())}, schema=schema)
        files.make_room(table.nbytes)
        files.add(table)
        where.append((files.places.chunk, files.places.file))
        at += length
    files.close()
    parts = {}
    for place, length in zip(where, lengths, strict=True):
        parts.setdefault(place, []).append(length)
    found = []
    for (chunk, file), mine in parts.items():
        path = folder / "data" / CHUNK.format(chunk_index=chunk, file_index=file)
        values = pq.read_table(path.with_suffix(".parquet"))["x"].to_pylist()
        assert len(values) == sum(mine)
        assert len(mine) == 1 or 8 * len(values) <= limit
        found += values
    assert found == list(range(at))


def test_a_thousand_files_fill_a_chunk(tmp_path):
    places = Places(tmp_path, CHUNK)
    paths = [places.next() for _ in range(1001)]
    assert [str(p.relative_to(tmp_path)) for p in paths[998:]] == [
        "chunk-000/file-998",
        "chunk-000/file-999",
        "chunk-001/file-000",
    ]


def test_videos_hold_episodes_one_after_the_other_and_end_before_a_thousand_seconds(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 1, 1, 3), np.uint8) * np.ones((1, 16, 16, 1), np.uint8)
    files = VideoFiles(Places(tmp_path, f"{CHUNK}.mp4"), (16, 16, 3), 0.01, 1 << 20)
    begins = []
    for episode in range(3):  # each of 600 s
        begins.append((files.make_room(6), files.places.file))
        for frame in frames[[episode, 1, 2, 3, 4, 5]]:
            files.add(frame)
    files.close()
    assert begins == [(0.0, 0), (0.0, 1), (0.0, 2)]
    seen = decode_video((tmp_path / "chunk-000" / "file-002.mp4").read_bytes(), (16, 16, 3), 0, 6)
    assert np.abs(seen.astype(int) - frames[[2, 1, 2, 3, 4, 5]]).mean() < 4


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_statistics_of_parts_make_those_of_the_whole(lengths):
    values = np.random.default_rng(sum(lengths)).normal(3e4, 1.0, (sum(lengths), 2)).astype(np.float32)
    stats = NumberStats()
    for part in np.split(values, np.cumsum(lengths)[:-1]):
        stats.add(part)
    found, exact = stats.whole(), values.astype(float)
    for name, truth in (("mean", exact.mean(axis=0)), ("std", exact.std(axis=0)), ("max", exact.max(axis=0))):
        assert np.allclose(found[name], truth, rtol=0, atol=1e-9)
    assert np.allclose(found["q10"], np.quantile(exact, 0.1, axis=0), rtol=1e-15)


def test_quantiles_of_many_rows_are_of_evenly_spaced_ones():
    stats = NumberStats()
    for start in range(0, 300_000, 70_000):
        stats.add(np.arange(start, min(start + 70_000, 300_000), dtype=float)[:, None])
    found = stats.whole()
    assert found["q50"] == [pytest.approx(150_000, abs=8)]
    assert found["q01"] == [pytest.approx(3_000, abs=8)]


def test_numbers_without_a_value_are_left_out_of_statistics():
    found = NumberStats().add(np.array([[1.0, np.nan], [3.0, np.nan]]))
    assert found["mean"] == [2.0, 0.0]
    assert found["q50"][0] == 2.0
    assert np.isnan(found["q50"][1])


def test_statistics_of_pictures_are_exact():
    pictures = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), np.uint8)
    stats = PictureStats()
    for picture in pictures:
        stats.see(picture, 2)
    found = stats.end_episode()
    flat = pictures.reshape(-1, 3) / 255
    assert np.allclose(np.ravel(found["mean"]), flat.mean(axis=0), rtol=1e-12)
    assert np.allclose(np.ravel(found["std"]), flat.std(axis=0), rtol=1e-12)
    assert np.ravel(found["min"]).tolist() == flat.min(axis=0).tolist()
    assert np.allclose(np.ravel(found["q90"]), np.quantile(flat, 0.9, axis=0, method="inverted_cdf"))
    assert found["count"] == [10]
    assert stats.whole() == found


def test_two_features_of_one_name_are_refused(data):
    content = choose(data, Asked())
    columns = dict(content.columns) | {"streams/state/value": content.columns["streams/force/value"]}
    with pytest.raises(ExportError, match=r"observation\.state"):
        features_of(dataclasses.replace(content, columns=columns, streams=("state",)), video=False)


def test_it_imports_neither_lerobot_nor_what_comes_with_it(dataset, tmp_path):
    code = f"""
import sys
from pathlib import Path
from generators.export.lerobot import export
export(Path({str(dataset)!r}), Path({str(tmp_path / "out")!r}))
assert not {{"lerobot", "pandas", "datasets", "torch", "av"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_only_lerobot_has_videos(dataset, tmp_path, capsys):
    assert main(["export", "minari", str(dataset), str(tmp_path / "out"), "--video"]) == 2
    assert "--video is for lerobot" in capsys.readouterr().err
