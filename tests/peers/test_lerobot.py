"""LeRobot's own LeRobotDataset gives back every array of an export, windows and pictures included."""

import json

import numpy as np
import pytest
import torch
from lerobot.datasets.compute_stats import aggregate_stats
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.utils import dataset_to_policy_features

from generators.dataset import Dataset
from generators.export import lerobot_files
from generators.export.content import Asked
from generators.export.lerobot import export
from generators.export.lerobot_pictures import unpack
from generators.resample import METHODS, resample

ALL = Asked(cameras=("all",))
STEPS = {"next.reward": "reward", "next.success": "success", "phase": "phase"}
STEPS |= {"next.terminated": "terminated", "next.truncated": "truncated"}
PACKED = {"side_depth": ("side", "depth", 1), "side_segmentation": ("side", "segmentation", 1)}
PACKED["hand_depth"] = ("hand", "depth", 4)


def load(root, **options):
    return LeRobotDataset("genba/set", root=root, video_backend="pyav", **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory, filmed):
    out = tmp_path_factory.mktemp("lerobot") / "set"
    export(filmed, out, ALL)
    return out


@pytest.fixture(scope="module")
def found(root):
    return load(root)


def state(episode):
    """All observations side by side, in the order that the task declares."""
    columns = [path for path in episode.attributes["features"] if path.startswith("obs/")]
    return np.concatenate([episode.array(path) for path in columns], axis=1)[:-1]


def numbers(episode, method="previous"):
    """Every array of an episode that is no picture."""
    out = {"observation.state": state(episode), "action": episode.actions[:, 0]}
    out |= {name: episode.array(f"steps/{column}") for name, column in STEPS.items()}
    out["next.done"] = out["next.terminated"] | out["next.truncated"]
    times = episode.array("steps/t_ns")
    out |= {f"observation.{n}": resample(s, times, method)[:, 0] for n, s in episode.streams.items()}
    return out


def test_every_array_is_what_the_dataset_holds(found, data):
    assert (found.num_episodes, len(found)) == (len(data), sum(len(e) for e in data))
    at = 0
    for i, episode in enumerate(data):
        expected = numbers(episode)
        for t in range(len(episode)):
            got = found[at]
            for name, values in expected.items():
                assert np.array_equal(got[name].numpy(), values[t]), name
            counted = [int(got[n]) for n in ("index", "episode_index", "frame_index")]
            assert counted == [at, i, t]
            assert got["timestamp"] == np.float32(episode.array("steps/t_ns")[t] / 1e9)
            assert got["task"] == episode.instruction["en"]
            at += 1
    known = set(numbers(data[0])) | {f"observation.images.{n}" for n in ("side", *PACKED)}
    assert set(found.features) == known | {"timestamp", "frame_index", "episode_index", "index", "task_index"}


@pytest.mark.parametrize("method", ["linear", "mean"])
def test_streams_are_resampled_as_declared(tmp_path, filmed, data, method):
    export(filmed, tmp_path / "set", Asked(method=method))
    found = load(tmp_path / "set").hf_dataset.with_format("numpy")
    for name in ("force", "laser"):
        values = [resample(e.streams[name], e.array("steps/t_ns"), method)[:, 0] for e in data]
        assert np.array_equal(found[f"observation.{name}"], np.concatenate(values))
    record = json.loads((tmp_path / "set" / "sidecar.json").read_text())["resampling"]
    assert record == {"method": method, "doc": METHODS[method]}


def test_pictures_are_exact_and_masks_and_depth_come_back(found, data):
    at = 0
    for episode in data:
        colours = episode.images("side")
        packed = {n: episode.images(camera, kind) for n, (camera, kind, _) in PACKED.items()}
        for t in range(len(episode)):
            got = found[at + t]
            seen = got["observation.images.side"].numpy()
            assert np.array_equal(seen, colours[t].transpose(2, 0, 1).astype(np.float32) / 255)
            for name, (_, _, stride) in PACKED.items():
                assert np.array_equal(unpack(got[f"observation.images.{name}"].numpy()), packed[name][t // stride])
        at += len(episode)


def test_windows_and_their_padding_are_the_episodes_own(root, data):
    deltas = {"observation.state": [-2, -1, 0], "action": list(range(-1, 7)), "observation.images.side": [-3, 0]}
    deltas["observation.images.side_segmentation"] = [0, 5]
    found = load(root, delta_timestamps={n: [k / 20 for k in steps] for n, steps in deltas.items()})
    at = 0
    for episode in data:
        arrays = {"observation.state": state(episode), "action": episode.actions[:, 0]}
        arrays["observation.images.side"] = episode.images("side")
        arrays["observation.images.side_segmentation"] = episode.images("side", "segmentation")
        for t in (0, 1, len(episode) // 2, len(episode) - 3, len(episode) - 1):
            got = found[at + t]
            for name, steps in deltas.items():
                wanted = t + np.array(steps)
                outside = (wanted < 0) | (wanted >= len(episode))
                values = got[name].numpy()
                if name.endswith("segmentation"):
                    values = unpack(values)
                elif "images" in name:
                    values = np.rint(values.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
                assert np.array_equal(values, arrays[name][wanted.clip(0, len(episode) - 1)]), name
                assert np.array_equal(got[f"{name}_is_pad"].numpy(), outside), name
        at += len(episode)


def test_a_loader_makes_batches(root):
    found = load(root, delta_timestamps={"action": [k / 20 for k in range(4)]})
    batch = next(iter(torch.utils.data.DataLoader(found, batch_size=8, shuffle=True)))
    assert batch["observation.state"].shape == (8, 5)
    assert batch["action"].shape == (8, 4)
    assert batch["observation.images.side"].shape == (8, 3, 48, 64)
    assert len(batch["task"]) == 8


def test_a_policy_is_told_of_state_pictures_and_action(found):
    kinds = {name: (f.type.name, tuple(f.shape)) for name, f in dataset_to_policy_features(found.features).items()}
    assert kinds["observation.state"] == ("STATE", (5,))
    assert kinds["observation.images.side"] == ("VISUAL", (3, 48, 64))
    assert [name for name, (kind, _) in kinds.items() if kind == "ACTION"] == ["action"]


def test_some_episodes_can_be_loaded_alone(root, data):
    found = load(root, episodes=[2, 5])
    assert len(found) == len(data[2]) + len(data[5])
    assert np.array_equal(found[len(data[2])]["observation.state"], state(data[5])[0])


def test_texts_seeds_and_outcomes_are_intact(found, data):
    assert found.meta.total_tasks == len({e.instruction["en"] for e in data})
    for known, episode in zip(found.meta.episodes, data, strict=True):
        assert known["tasks"] == [episode.instruction["en"]]
        assert known["sim/instruction_ja"] == episode.instruction["ja"]
        assert "ビレット" in known["sim/instruction_ja"]
        assert known["sim/seed"] == episode.seed
        assert known["sim/outcome"] == episode.outcome.name.lower()
        assert known["sim/success"] == (episode.outcome.name == "SUCCESS")
    assert len({known["sim/outcome"] for known in found.meta.episodes}) > 1


def test_statistics_are_those_of_the_values(found, data):
    whole = {n: np.concatenate([numbers(e)[n].reshape(len(e), -1) for e in data]) for n in numbers(data[0])}
    whole["observation.images.side"] = np.concatenate([e.images("side")[:-1].reshape(-1, 3) / 255 for e in data])
    for name, values in whole.items():
        got, values = found.meta.stats[name], values.astype(np.float64)
        for what in ("min", "max", "mean", "std"):
            truth = getattr(np, what)(values, axis=0)  # numpy's own sums err by 1e-11 over a million pixels
            assert np.allclose(got[what].reshape(-1), truth, rtol=1e-9, atol=1e-15), (name, what)
        median = np.median(values, axis=0)
        assert np.allclose(got["q50"].reshape(-1), median, atol=1 / 255 if "images" in name else 1e-12), name
        assert got["count"].tolist() == [len(found)]
    assert found.meta.stats["observation.images.side"]["mean"].shape == (3, 1, 1)


def test_lerobot_aggregates_the_episodes_statistics_to_the_same(root, found):
    import pyarrow.parquet as pq

    rows = pq.read_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    parts = []
    for row in rows:
        part = {}
        for name in found.features:
            mine = {k.rsplit("/", 1)[1]: np.array(v) for k, v in row.items() if k.startswith(f"stats/{name}/")}
            part[name] = mine
        parts.append(part)
    for name, total in aggregate_stats(parts).items():
        for what in ("min", "max", "mean", "std", "count"):
            assert np.allclose(total[what], found.meta.stats[name][what], rtol=1e-9, atol=1e-12), (name, what)


def test_videos_are_close_and_masks_stay_exact(tmp_path, filmed, data):
    export(filmed, tmp_path / "set", ALL, video=True)
    found = load(tmp_path / "set", delta_timestamps={"observation.images.side": [-0.1, 0.0]})
    assert found.meta.video_keys == ["observation.images.side"]
    at, errors = 0, []
    for episode in data:
        colours, masks = episode.images("side"), episode.images("side", "segmentation")
        for t in range(len(episode)):
            got = found[at + t]
            before, now = got["observation.images.side"].numpy().transpose(0, 2, 3, 1) * 255.0
            errors.append(np.mean((now - colours[t]) ** 2))
            assert np.mean((before - colours[max(0, t - 2)]) ** 2) < 60
            assert np.array_equal(unpack(got["observation.images.side_segmentation"].numpy()), masks[t])
        at += len(episode)
    assert 10 * np.log10(255**2 / max(errors)) > 30  # dB, of the worst frame; measured 31.1


def test_many_small_files_read_as_one(tmp_path, monkeypatch, filmed, data):
    monkeypatch.setattr(lerobot_files, "DATA_MB", 0.05)
    monkeypatch.setattr(lerobot_files, "VIDEO_MB", 0.03)
    monkeypatch.setattr(lerobot_files, "FILES_PER_CHUNK", 2)
    out = tmp_path / "set"
    export(filmed, out, Asked(cameras=("side", "side:segmentation")), video=True)
    for folder in ("data", "videos/observation.images.side"):
        assert len(list((out / folder).glob("*/*"))) > 2
        assert (out / folder / "chunk-001").is_dir()
    found = load(out)
    at = 0
    for episode in data:
        for t in (0, len(episode) - 1):
            got = found[at + t]
            assert np.array_equal(got["observation.state"], state(episode)[t])
            picture = got["observation.images.side"].numpy().transpose(1, 2, 0) * 255.0
            assert np.mean((picture - episode.images("side")[t]) ** 2) < 60
        at += len(episode)


def test_a_control_rate_that_is_no_whole_number_is_read(tmp_path, make):
    from pathlib import Path

    source = (Path(__file__).parents[2] / "examples" / "new_scene.py").read_text()
    (tmp_path / "slow_scene.py").write_text(source.replace("control_hz = 20.0", "control_hz = 12.5"))
    folder = make(tmp_path / "own", "slow_scene:MyTask", tmp_path, {}, episodes=2)
    made = export(folder, tmp_path / "set")
    assert any("12.5" in note for note in made.notes)
    found = load(tmp_path / "set", delta_timestamps={"action": [0.0, 0.08, 0.16]})
    assert found.fps == 12.5
    with Dataset(folder) as mine:
        assert np.array_equal(found[3]["action"], mine[0].actions[3:6, 0])
        assert found[3]["timestamp"] == np.float32(0.24)
