"""MCAP recordings, read back with the reader and the protobuf decoder of the package mcap."""

import json
import sys

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from generators.dataset import Dataset
from generators.export.content import Asked
from generators.export.mcap import FILE, export
from generators.export.mcap_messages import Message, Recording, field_names, numbers_type
from sim.cameras import LEVELS
from sim.errors import MissingExtraError


def read(path):
    """Return topic -> [(time, message)], topic -> metadata, and the file's metadata."""
    messages, about = {}, {}
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, channel, message, decoded in reader.iter_decoded_messages(log_time_order=False):
            messages.setdefault(channel.topic, []).append((message.log_time, decoded))
            about[channel.topic] = channel.metadata
        facts = {m.name: m.metadata for m in reader.iter_metadata()}
    return messages, about, facts["genba"]


def values(found):
    """Return the times (n,) and the numbers (n, dim) of a topic's messages."""
    times = np.array([t for t, _ in found])
    rows = [[getattr(m, field.name) for field in m.DESCRIPTOR.fields] for _, m in found]
    return times, np.array(rows, np.float32)


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    return export(dataset, tmp_path_factory.mktemp("mcap") / "set")


@pytest.fixture
def data(dataset):
    with Dataset(dataset) as found:
        yield found.choose([i for i, e in enumerate(found) if len(e)])


@pytest.fixture(scope="module")
def pictures(filmed, tmp_path_factory):
    return export(filmed, tmp_path_factory.mktemp("mcap") / "set", Asked(cameras=("all",)))


def test_every_stream_has_its_own_times_and_every_number_is_exact(made, data):
    assert len(list(made.folder.glob("*.mcap"))) == len(data)
    for i, episode in enumerate(data):
        messages, _, _ = read(made.folder / FILE.format(i))
        for name, stream in episode.streams.items():
            times, rows = values(messages[f"/streams/{name}"])
            assert np.array_equal(times, stream.t_ns)
            assert np.array_equal(rows, stream.value.reshape(len(times), -1))
        steps = episode.array("steps/t_ns")
        ends = np.append(steps[1:], steps[-1] + episode.control_ns)
        for name, observed in episode.observations.items():
            times, rows = values(messages[f"/observations/{name}"])
            assert np.array_equal(times, np.append(steps, ends[-1]))
            assert np.array_equal(rows, observed)
        times, rows = values(messages["/action"])
        assert np.array_equal(times, steps)
        assert np.array_equal(rows, episode.actions)
        times, rows = values(messages["/result"])
        assert np.array_equal(times, ends)
        result = [episode.array(f"steps/{n}") for n in ("reward", "success", "terminated", "truncated")]
        assert np.array_equal(rows, np.stack(result, axis=1))


def test_messages_come_in_the_order_of_their_times(made):
    with (made.folder / FILE.format(0)).open("rb") as file:
        times = [m.log_time for _, _, m in make_reader(file).iter_messages(log_time_order=False)]
    assert times == sorted(times)


def test_topics_tell_their_units_and_names(made):
    messages, about, _ = read(made.folder / FILE.format(0))
    assert about["/streams/pos"]["unit"] == "m"
    assert about["/streams/pos"]["frame"] == "world"
    assert float(about["/streams/pos"]["latency_s"]) == 0.04
    assert json.loads(about["/action"]["units"]) == ["m/s"]
    assert [f.name for f in messages["/observations/x"][0][1].DESCRIPTOR.fields] == ["x", "y", "z"]
    assert [f.name for f in messages["/action"][0][1].DESCRIPTOR.fields] == ["drive"]
    assert messages["/streams/pos"][0][1].DESCRIPTOR.full_name == "genba.streams.pos"


def test_phases_success_and_the_end_are_texts(made, data):
    for i, episode in enumerate(data):
        messages, _, _ = read(made.folder / FILE.format(i))
        events = [(t, m.name, m.message) for t, m in messages["/events"]]
        phases = [(t, text) for t, name, text in events if name == "phase"]
        assert phases[0] == (0, "go")
        stops = np.flatnonzero(episode.array("steps/phase") == 1)
        assert phases[1:] == [(int(episode.array("steps/t_ns")[t]), "stop") for t in stops[:1]]
        success = episode.array("steps/success")
        rises = int(np.sum(np.diff(success.astype(int), prepend=0) == 1))
        assert [text for _, name, text in events if name == "success"].count("holds") == rises
        assert events[-1][1] == "end"
        assert events[-1][2].startswith(episode.outcome.name.lower())
        if episode.fact("fail_code"):
            assert "past" in events[-1][2]


def test_work_orders_and_facts_are_intact(made, data):
    for i, episode in enumerate(data):
        messages, _, facts = read(made.folder / FILE.format(i))
        assert {m.name: m.message for _, m in messages["/instruction"]} == episode.instruction
        assert "箱を押す" in facts["instruction_ja"]
        assert facts["episode_seed"] == str(episode.seed)
        assert json.loads(facts["parameters"]) == episode.parameters
        assert facts["outcome"] == episode.outcome.name.lower()


def test_pictures_have_their_own_times_and_are_exact(pictures, filmed, kinds):
    with Dataset(filmed) as data:
        for i, episode in enumerate(data):
            messages, about, _ = read(pictures.folder / FILE.format(i))
            for camera, kind in [("side", k) for k in kinds] + [("hand", "depth")]:
                shots, images = episode.shots(camera), episode.images(camera, kind)
                found = messages[f"/cameras/{camera}/{kind}"]
                assert [t for t, _ in found] == shots.t_ns.tolist()
                assert {m.frame_id for _, m in found} == {camera}
                for (_, message), image in zip(found, images, strict=True):
                    assert np.array_equal(picture(message, kind, shots.far), image)
            segments = json.loads(about["/cameras/side/segmentation"]["segments"])
            assert segments == [list(s) for s in episode.shots("side").segments]


def picture(message, kind, far):
    if kind == "rgb":
        return iio.imread(message.data, extension=".png")
    dtype = {"32FC1": "<f4", "mono16": "<u2"}[message.encoding]
    assert message.step == message.width * np.dtype(dtype).itemsize
    image = np.frombuffer(message.data, dtype).reshape(message.height, message.width)
    return np.rint(image.astype(float) / far * LEVELS) if kind == "depth" else image


def test_cameras_have_a_calibration_and_a_place(pictures, filmed):
    with Dataset(filmed) as data:
        messages, _, _ = read(pictures.folder / FILE.format(0))
        for camera in ("side", "hand"):
            shots = data[0].shots(camera)
            (_, found), *more = messages[f"/cameras/{camera}/calibration"]
            assert not more
            assert np.array_equal(np.reshape(found.K, (3, 3)), shots.k)
            assert (found.width, found.height) == ((32, 24) if camera == "side" else (16, 16))
            places = [(t, m) for t, m in messages["/tf"] if m.child_frame_id == camera]
            assert {m.parent_frame_id for _, m in places} == {"world"}
            last = -1
            for i, t_ns in enumerate(shots.t_ns.tolist()):
                last += last + 1 < len(places) and places[last + 1][0] == t_ns
                assert np.allclose(pose(places[last][1]), shots.t_world_cam[i], atol=1e-12)
        assert len([m for _, m in messages["/tf"] if m.child_frame_id == "side"]) == 1  # it stands still


def pose(message):
    out, rotation = np.eye(4), np.empty(9)
    q = message.rotation
    mujoco.mju_quat2Mat(rotation, np.array([q.w, q.x, q.y, q.z]))
    out[:3, :3] = rotation.reshape(3, 3)
    out[:3, 3] = [message.translation.x, message.translation.y, message.translation.z]
    return out


def test_segments_are_named_where_they_are_seen(pictures, filmed):
    with Dataset(filmed) as data:
        messages, _, _ = read(pictures.folder / FILE.format(0))
        masks = data[0].images("side", "segmentation")
        names = [name for name, _ in data[0].shots("side").segments]
        number = names.index("billet")
        for (_, found), mask in zip(messages["/cameras/side/labels"], masks, strict=True):
            places = {t.text: (t.position.x, t.position.y) for t in found.texts}
            rows, columns = np.nonzero(mask == number)
            if len(rows) >= 12:
                assert places["billet"] == pytest.approx((columns.mean(), rows.mean()))
            else:
                assert "billet" not in places


def test_the_sidecar_says_what_went(pictures):
    record = json.loads((pictures.folder / "sidecar.json").read_text())
    assert record["carried"]["/streams/force"]["unit"] == "N"
    assert record["resampling"] is None
    assert not [path for path in record["not_carried"] if path.startswith("media/")]


def test_only_what_is_asked_goes(dataset, tmp_path):
    asked = Asked(observations=("none",), streams=("force",), only='outcome == "success"')
    made = export(dataset, tmp_path / "set", asked)
    messages, _, facts = read(made.folder / FILE.format(0))
    assert facts["outcome"] == "success"
    assert set(messages) == {"/action", "/result", "/streams/force", "/instruction", "/events"}


def test_the_same_dataset_makes_the_same_bytes(dataset, made, tmp_path):
    again = export(dataset, tmp_path / "set")
    for path in sorted(made.folder.glob("*.mcap"))[:3]:
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def test_names_that_protobuf_cannot_have_are_changed(tmp_path):
    kind = numbers_type("streams.1st grip (N)", dict.fromkeys(field_names(2, ["a b", "a-b"]), "f"))
    assert kind.DESCRIPTOR.full_name == "genba.streams._1st_grip__N_"
    assert field_names(2, ["a b", "a-b"]) == ["v0", "v1"]
    assert field_names(2, ["2x", "y"]) == ["_2x", "y"]
    assert field_names(1) == ["value"]
    with Recording(tmp_path / "one.mcap", {}, {}) as recording:
        recording.write(Message(5, "/t", kind(v0=1.5, v1=-2.0)))
    messages, _, _ = read(tmp_path / "one.mcap")
    assert values(messages["/t"])[1].tolist() == [[1.5, -2.0]]


def test_a_missing_package_is_named(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "foxglove_schemas_protobuf", raising=False)
    with pytest.raises(MissingExtraError, match=r"genba\[mcap\]"):
        export(dataset, tmp_path / "set")
