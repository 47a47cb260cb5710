"""A robomimic file becomes a dataset that our tools work on; a hostile one is refused in one sentence."""

import json

import h5py
import numpy as np
import pytest

from generators.dataset import Dataset
from generators.export.content import Asked
from generators.export.minari import export as to_minari
from generators.export.robomimic import export as to_robomimic
from generators.importing.robomimic import import_robomimic
from generators.schema import DatasetError
from generators.validate import validate

LENGTHS = {0: 5, 1: 7, 10: 3}
WIDTH, HEIGHT = 40, 36


def write(path, *, next_obs=True, rewards=(0.0, 1.0), pictures=True, control_freq=20):
    """Write a file as robosuite's demonstrations are: sparse rewards, states, a model, masks."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        kwargs = {"control_freq": control_freq} if control_freq else {}
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": kwargs})
        data.attrs["total"] = sum(LENGTHS.values())
        for number, length in LENGTHS.items():
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = length
            demo.attrs["model_file"] = "<mujoco/>"
            seen = {"robot0_eef_pos": rng.normal(size=(length + 1, 3)), "object": rng.normal(size=(length + 1, 10))}
            if pictures:
                seen["agentview_image"] = rng.integers(0, 256, (length + 1, HEIGHT, WIDTH, 3), np.uint8)
            for name, values in seen.items():
                demo[f"obs/{name}"] = values[:-1]
                if next_obs:
                    demo[f"next_obs/{name}"] = values[1:]
            demo["actions"] = rng.uniform(-1, 1, (length, 7))
            demo["rewards"] = np.array([rewards[0]] * (length - 1) + [rewards[1] if number else rewards[0]])
            demo["dones"] = np.array([0] * (length - 1) + [1])
            demo["states"] = rng.normal(size=(length, 32))
        file["mask/train"] = np.array(["demo_0", "demo_10"], "S")
        file["mask/valid"] = np.array(["demo_1"], "S")
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("lift") / "low_dim.hdf5")


@pytest.fixture(scope="module")
def made(file, tmp_path_factory):
    return import_robomimic(file, tmp_path_factory.mktemp("imported") / "set")


@pytest.fixture
def data(made):
    with Dataset(made.folder) as found:
        yield found


def test_every_number_is_there(data, file):
    with h5py.File(file) as theirs:
        assert [e.id for e in data] == [0, 1, 2]
        assert [e.parameters["demo"] for e in data] == sorted(LENGTHS)
        for episode in data:
            demo = theirs[f"data/demo_{episode.parameters['demo']:.0f}"]
            for name in ("robot0_eef_pos", "object"):
                whole = np.concatenate([demo[f"obs/{name}"], demo[f"next_obs/{name}"][-1:]])
                assert np.array_equal(episode.observations[name], whole.astype(np.float32))
            assert np.array_equal(episode.actions, demo["actions"][:].astype(np.float32))
            assert np.array_equal(episode.rewards, demo["rewards"][:].astype(np.float32))
            assert np.array_equal(episode.streams["states"].value, demo["states"])
            assert np.array_equal(episode.images("agentview_image")[:-1], demo["obs/agentview_image"])
            assert episode.model_xml == "<mujoco/>"


def test_what_is_not_said_is_not_made_up(data, made):
    assert {e.task for e in data} == {"Lift"}
    assert [e.outcome.name for e in data] == ["TIMEOUT", "SUCCESS", "SUCCESS"]
    assert {e.seed for e in data} == {0}
    assert {int(p) for e in data for p in e.array("steps/phase")} == {-1}
    assert data.manifest["synthetic"] == "unknown"
    assert data.manifest["imported"]["not_carried"] == {}
    assert any("float32 here" in note for note in made.notes)


def test_masks_become_parameters(data):
    assert [e.parameters for e in data] == [
        {"demo": 0.0, "mask.train": 1.0, "mask.valid": 0.0},
        {"demo": 1.0, "mask.train": 0.0, "mask.valid": 1.0},
        {"demo": 10.0, "mask.train": 1.0, "mask.valid": 0.0},
    ]


def test_it_validates_and_says_that_it_cannot_be_replayed(made):
    report = validate(made.folder, deep=True, replay=-1)
    assert report.ok
    assert {f.lint for f in report.findings} == {"unit-missing"}  # which such files never tell
    assert report.shards_read == 2
    assert any("it was imported" in note for note in report.notes)


def test_the_commands_work_on_it(genba, file, tmp_path):
    made = genba("import", "robomimic", file, tmp_path / "set")
    assert made.code == 0, made.err
    assert "3 episodes, 15 steps" in made.out
    info = genba("info", tmp_path / "set")
    assert "a file of robomimic's" in info.out
    assert genba("validate", tmp_path / "set", "--deep", "--replay", "all").code == 0
    said = genba("import", "robomimic", file, tmp_path / "again", "--control-hz", "10", "--json")
    assert json.loads(said.out)["dataset_id"].startswith("robomimic-")
    with Dataset(tmp_path / "again") as data:
        assert data[0].attributes["control_hz"] == 10
    assert genba("import", "robomimic", file, tmp_path / "set").code == 2
    assert "import " in genba("--help").out


def test_the_same_file_gives_the_same_shards(file, made, tmp_path):
    again = import_robomimic(file, tmp_path / "set")
    for name in ("shards/shard-00000.h5", "media/shard-00000.agentview_image.h5", "episodes.parquet", "stats.json"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_it_can_be_exported_again(made, file, tmp_path):
    out = to_robomimic(made.folder, tmp_path / "out", Asked(cameras=("all",))).folder
    with h5py.File(file) as theirs, h5py.File(out / "demo.hdf5") as ours:
        for i, number in enumerate(sorted(LENGTHS)):
            for name in ("agentview_image", "object"):
                kept = theirs[f"data/demo_{number}/obs/{name}"][:].astype(ours[f"data/demo_{i}/obs/{name}"].dtype)
                assert np.array_equal(ours[f"data/demo_{i}/obs/{name}"], kept)
    assert (to_minari(made.folder, tmp_path / "minari", Asked(cameras=("all",))).folder / "data").is_dir()


def test_our_own_export_comes_back(dataset, tmp_path):
    exported = to_robomimic(dataset, tmp_path / "there")
    back = import_robomimic(exported.folder / "demo.hdf5", tmp_path / "back")
    assert validate(back.folder, deep=True).ok
    with Dataset(dataset) as ours, Dataset(back.folder) as found:
        mine = ours.choose([i for i, e in enumerate(ours) if len(e)])
        for before, after in zip(mine, found, strict=True):
            for column in ("steps/action", "steps/phase", "steps/success", "steps/terminated", "steps/truncated"):
                assert np.array_equal(before.array(column), after.array(column))
            for name, values in before.observations.items():
                assert np.array_equal(after.observations[name], values)
            assert (after.seed, after.outcome, after.task) == (before.seed, before.outcome, before.task)
            assert (after.parameters, after.instruction) == (before.parameters, before.instruction)
            assert after.fact("fail_code") == before.fact("fail_code")
            assert after.fact("error") == before.fact("error")
        there, here = (d[0].attributes["features"] for d in (mine, found))
        for column in ("steps/action", "obs/x", "obs/pos", "streams/force/value"):
            assert [there[column][k] for k in ("unit", "names")] == [here[column][k] for k in ("unit", "names")]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"next_obs": False}, "the one before it is repeated"),
        ({"rewards": (0.3, 0.7)}, "success is not known"),
        ({"control_freq": 0}, "20 Hz is assumed"),
    ],
)
def test_what_must_be_assumed_is_said(tmp_path, changes, note):
    made = import_robomimic(write(tmp_path / "a.hdf5", pictures=False, **changes), tmp_path / "set")
    assert any(note in said for said in made.notes)
    assert validate(made.folder, deep=True).ok


def test_a_model_that_holds_nan_is_found_by_validation(tmp_path):
    path = write(tmp_path / "a.hdf5", pictures=False)
    with h5py.File(path, "r+") as file:
        file["data/demo_1/obs/object"][2, 3] = np.nan
    made = import_robomimic(path, tmp_path / "set")
    assert [f.column for f in validate(made.folder, deep=True).errors] == ["obs/object"]


def _extra(file, name, value):
    for demo in file["data"].values():
        demo[name] = value(len(demo["actions"]))


def test_what_does_not_fit_is_left_out_with_a_reason(tmp_path):
    path = write(tmp_path / "a.hdf5", pictures=False)
    with h5py.File(path, "r+") as file:
        _extra(file, "obs/depth", lambda n: np.zeros((n, HEIGHT, WIDTH, 1), np.float32))
        _extra(file, "datagen_info/object_poses/cube", lambda n: np.zeros((n, 4, 4)))
        _extra(file, "obs/words", lambda n: np.array([b"a"] * n))
        _extra(file, "late", lambda n: np.zeros((n + 1, 2)))
        file["data/demo_1/obs/only_here"] = np.zeros((7, 2))
    made = import_robomimic(path, tmp_path / "set")
    assert set(made.not_carried) == {"obs/depth", "obs/words", "late", "obs/only_here"}
    assert "not every demonstration has it" in made.not_carried["obs/only_here"]
    assert validate(made.folder, deep=True).ok
    with Dataset(made.folder) as data:
        assert data[0].streams["datagen_info.object_poses.cube"].value.shape == (5, 16)


def test_names_and_texts_that_no_file_system_likes_are_made_plain(tmp_path):
    path = write(tmp_path / "a.hdf5", pictures=False)
    with h5py.File(path, "r+") as file:
        _extra(file, "obs/力 [N]\n", lambda n: np.zeros((n, 2)))
        _extra(file, "obs/../x/..", lambda n: np.zeros((n, 2)))
        _extra(file, "obs/p q", lambda n: np.zeros((n, HEIGHT, WIDTH, 3), np.uint8))
        file["mask/a b"] = file["mask/train"][:]
        file["data"].attrs["env_args"] = json.dumps({"env_name": "../\ud800 x"})
        file["data/demo_0"].attrs["ep_meta"] = json.dumps({"lang": "lift \ud800"})
    made = import_robomimic(path, tmp_path / "set")
    assert validate(made.folder, deep=True).ok
    with Dataset(made.folder) as data:
        assert set(data[0].observations) == {"robot0_eef_pos", "object", "力__N__", "...x..."}
        assert data[0].cameras == ("p_q",)
        assert data[0].parameters["mask.a_b"] == 1.0
        assert data[0].instruction == {"en": "lift ?"}


def _external_link(file):
    file["data/demo_0/obs/secret"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(file):
    file["data/demo_0/obs/secret"] = h5py.SoftLink("/data/demo_1/obs/object")


def _hard_link(file):
    file["data/demo_0/obs/secret"] = file["data/demo_1/obs/object"]


def _external_storage(file):
    shape = (5, 3)
    file["data/demo_0"].create_dataset("secret", shape, "f4", external=[("/etc/passwd", 0, 60)])


def _virtual(file):
    layout = h5py.VirtualLayout((5,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (5,))
    file["data/demo_0"].create_virtual_dataset("secret", layout)


def _huge(file):
    file["data/demo_0"].create_dataset("secret", (1 << 40, 8), "f8", chunks=(1024, 8))


def _compound(file):
    file["data/demo_0/secret"] = np.zeros(5, [("a", "f4"), ("b", "i4")])


def _other_filter(file):
    file["data/demo_0"].create_dataset("secret", data=np.zeros((5, 3)), compression="lzf")


def _strange_name(file):
    file["data"].create_group("evil")


def _wrong_count(file):
    file["data/demo_0"].attrs["num_samples"] = 1 << 40


def _no_actions(file):
    del file["data/demo_0/actions"]


def _not_json(file):
    file["data"].attrs["env_args"] = "[" * 100_000


def _wrong_rate(file):
    file["data"].attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": 1e300}})


def _wrong_facts(file):
    file["data"].attrs["env_args"] = json.dumps({"genba": {"phases": 3}})


def _empty(file):
    del file["data"]
    file.create_group("data")


def _no_data(file):
    del file["data"]


def _two_rewards(file):
    file["data"].attrs["env_args"] = json.dumps({"genba": {"phases": []}})
    for demo in file["data"].values():
        for name in ("success", "terminated", "truncated", "phase"):
            demo[name] = np.zeros((len(demo["actions"]), 2))


def _wrong_columns(file):
    file["data"].attrs["env_args"] = json.dumps({"genba": {"columns": {"obs/object": 3}}})


def _wrong_bounds(file):
    file["data"].attrs["env_args"] = json.dumps({"genba": {"actions": {"low": ["a"] * 7, "high": [1] * 7}}})


def _same_names(file):
    for name in ("obs/a b", "obs/a?b"):
        _extra(file, name, np.zeros)


def _wrong_seed(file):
    file["data/demo_10"].attrs["episode_seed"] = -1


def _wrong_mask(file):
    file["mask/evil"] = np.array(["../demo_0"], "S")


HOSTILE = {
    _external_link: "is a link to elsewhere, which a file of demonstrations never contains",
    _soft_link: "is a link to elsewhere",
    _hard_link: "is linked twice",
    _external_storage: "keeps its rows in another file",
    _virtual: "is a virtual dataset",
    _huge: "declares 70368744177664 bytes but stores 0",
    _compound: "has a type that a file of demonstrations never contains",
    _other_filter: "uses filter 32000",
    _strange_name: "/data holds 'evil'; expected demo_0, demo_1",
    _wrong_count: "demo_0: num_samples is 1099511627776, there are 5 actions",
    _no_actions: "demo_0 has no actions",
    _not_json: "/data attribute 'env_args' is no JSON",
    _wrong_rate: "a control rate lies between 0 and 100000 Hz",
    _wrong_facts: "expected a list of names, got 3",
    _empty: "/data holds no demonstration",
    _no_data: "is no file of robomimic's: it has no group /data",
    _two_rewards: "success has more than one number a step",
    _wrong_columns: "cannot be meant so",
    _wrong_bounds: "cannot be meant so",
    _same_names: "would both be called 'a_b' here",
    _wrong_seed: "an episode's seed is a number of 64 bits, got np.int64(-1)",
    _wrong_mask: "expected demo_0, demo_1",
}


@pytest.mark.parametrize("damage", HOSTILE, ids=lambda f: f.__name__.strip("_"))
def test_a_hostile_file_is_refused_in_one_sentence_and_leaves_nothing(tmp_path, damage):
    path = write(tmp_path / "a.hdf5", pictures=False)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(DatasetError) as error:
        import_robomimic(path, tmp_path / "set")
    assert HOSTILE[damage] in str(error.value)
    assert len(str(error.value)) < 400
    assert [p.name for p in tmp_path.iterdir()] == ["a.hdf5"]


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_damaged_file_is_an_error_of_ours_or_numbers(tmp_path, place):
    path = write(tmp_path / "a.hdf5")
    data = bytearray(path.read_bytes())
    start = int(len(data) * place)
    data[start : start + 512] = bytes(512)
    path.write_bytes(data)
    try:
        made = import_robomimic(path, tmp_path / "set")
    except DatasetError:
        return
    validate(made.folder, deep=True)  # HDF5 keeps no checksums unless asked: other numbers are all that can be told


def test_a_name_that_is_no_text_is_refused(tmp_path):
    path = write(tmp_path / "a.hdf5", pictures=False)
    path.write_bytes(path.read_bytes().replace(b"robot0_eef_pos\0", b"robot0_eef\xff\xfe\xfd\xfc\0", 1))
    with pytest.raises(DatasetError, match=r"a\.hdf5 cannot be read"):
        import_robomimic(path, tmp_path / "set")


def test_what_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.hdf5").write_text("demo")
    with pytest.raises(DatasetError, match=r"a\.hdf5 is no HDF5 file"):
        import_robomimic(tmp_path / "a.hdf5", tmp_path / "set")
