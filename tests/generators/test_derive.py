"""Derived datasets: filter and merge keep every episode as it is, describe it truly, and leave nothing half-written."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generators.curation import derive as deriving
from generators.curation.choice import Piece
from generators.curation.derive import derive
from generators.curation.filter import filter_dataset
from generators.curation.merging import merge
from generators.curation.split import split
from generators.curation.summary import disagreements, read_stats, stats
from generators.dataset import Dataset, read_manifest
from generators.homes import task_finder
from generators.reader import file_sha256
from generators.schema import DatasetError
from generators.stats import summarize
from generators.validate import validate
from sim.errors import GenbaError, UnknownNameError


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_filmed):
    """Two datasets of one task without pictures, with failures; not to be written to."""
    home = tmp_path_factory.mktemp("made")
    for seed in (3, 4):
        make_filmed(home / f"seed{seed}", seed=seed, episodes=7, episodes_per_shard=3, degraded=0.7)
    return [home / "seed3", home / "seed4"]


@pytest.fixture
def copied(made, tmp_path):
    """A copy of one of them, to be damaged."""
    return shutil.copytree(made[0], tmp_path / "copied")


def known(folder):
    """Return what must stay the same of each episode: source and id -> everything."""
    out = {}
    with Dataset(folder) as data:
        rows = data.table().to_pylist()
        for episode, row in zip(data, rows, strict=True):
            source = row.get("source") or data.manifest["dataset_id"]
            facts = (episode.seed, episode.outcome, episode.parameters, episode.task, len(episode), episode.instruction)
            pictures = {c: [episode.images(c, k).tobytes() for k in _kinds(episode, c)] for c in episode.cameras}
            arrays = episode.actions.tobytes(), episode.array("state/control").tobytes()
            out[source, episode.id] = facts, arrays, pictures
            assert row["episode_seed"] == episode.seed
            assert row["outcome"] == episode.outcome.name.lower()
            assert row["shard"] == episode.shard
            assert row["step_start"] == episode.fact("step_start")
            for name, value in episode.parameters.items():
                several = len(data.manifest["tasks"]) > 1
                task = next(t["name"] for t in data.manifest["tasks"] if t["task"] == episode.task)
                assert row[f"params.{task}.{name}" if several else f"params.{name}"] == value
        assert len(out) == len(data) == data.manifest["episodes"]
    return out


def _kinds(episode, camera):
    return json.loads(json.dumps(episode.camera_facts(camera)["kinds"]))


def everything(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(params=["made", "filmed", "every ending", "two tasks"])
def sources(request, made, filmed, dataset):
    """Datasets to merge: plain, with pictures, with episodes of length 0, of several tasks."""
    return {"made": made, "filmed": [filmed], "every ending": [dataset], "two tasks": [dataset, *made]}[request.param]


@pytest.mark.parametrize("query", ["True", "length > 20 or length == 0", "episode_id != 1"])
def test_merge_filter_and_split_keep_every_episode_as_it_was(sources, tmp_path, query):
    before = {}
    for folder in sources:
        before |= known(folder)
    merged = merge(sources, tmp_path / "merged")
    assert known(tmp_path / "merged") == before
    with Dataset(tmp_path / "merged") as data:
        rows = data.where(query).table(["source", "episode_id"]).to_pylist()
    chosen = {(row["source"], row["episode_id"]) for row in rows}
    filtered = filter_dataset(tmp_path / "merged", query, tmp_path / "filtered")
    assert known(tmp_path / "filtered") == {key: before[key] for key in chosen}
    record = split(tmp_path / "filtered", tmp_path / "split", {"train": 0.7, "test": 0.3}, seed=5)
    parts = [known(tmp_path / "split" / part["name"]) for part in record["parts"]]
    assert not set(parts[0]) & set(parts[1])
    assert parts[0] | parts[1] == {key: before[key] for key in chosen}
    assert merged["episodes"] == len(before)
    assert filtered["episodes"] == len(chosen) == sum(p["episodes"] for p in record["parts"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_choice_of_episodes_keeps_them_as_they_were(made, tmp_path, data):
    before = known(made[0]) | known(made[1])
    rows = [data.draw(st.lists(st.integers(0, 6), unique=True, min_size=1).map(sorted)) for _ in made]
    order = data.draw(st.permutations([0, 1]))
    pieces = [Piece(made[i], np.array(rows[i])) for i in order]
    out = tmp_path / str(len(list(tmp_path.iterdir())))
    derive(pieces, out, {"activity": "merge"})
    ids = [read_manifest(folder)["dataset_id"] for folder in made]
    chosen = [(ids[i], number) for i in order for number in rows[i]]
    assert list(known(out)) == chosen
    assert known(out) == {key: before[key] for key in chosen}


def test_what_is_derived_is_valid_to_the_last_byte(sources, tmp_path):
    merge(sources, tmp_path / "merged")
    filter_dataset(tmp_path / "merged", "episode_id > 0", tmp_path / "filtered")
    split(tmp_path / "filtered", tmp_path / "split", {"a": 0.5, "b": 0.5})
    for folder in ("merged", "split/b"):
        ignore = ["dropout-rate"]  # a pusher that stands still, in the sources too
        assert validate(tmp_path / folder, deep=True, ignore=ignore).findings == (), folder


def test_a_derived_dataset_replays(made, tmp_path):
    merge(made, tmp_path / "merged")
    manifest = filter_dataset(tmp_path / "merged", "length > 20", tmp_path / "out")
    report = validate(tmp_path / "out", replay=3, load_task=task_finder(tmp_path / "out", manifest))
    assert report.findings == ()
    assert report.replayed == 3


def test_the_same_inputs_give_the_same_bytes(made, tmp_path):
    for name in ("one", "other"):
        merge(made, tmp_path / name / "merged")
        filter_dataset(tmp_path / name / "merged", "length > 20", tmp_path / name / "filtered")
    assert everything(tmp_path / "one") == everything(tmp_path / "other")


def test_a_derived_dataset_outlives_its_sources_and_can_be_moved(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "source")
    filter_dataset(tmp_path / "source", "length > 20", tmp_path / "out")
    before = known(tmp_path / "out")
    shutil.rmtree(tmp_path / "source")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert known(tmp_path / "moved") == before
    assert validate(tmp_path / "moved", deep=True).ok
    text = (tmp_path / "moved" / "dataset.json").read_text()
    assert str(tmp_path) not in text


def test_shards_are_links_where_that_is_possible_and_copies_elsewhere(made, tmp_path, monkeypatch):
    merge(made, tmp_path / "linked")
    assert all(p.stat().st_nlink > 1 for p in (tmp_path / "linked" / "shards").iterdir())

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    merge(made, tmp_path / "copied")
    assert all(p.stat().st_nlink == 1 for p in (tmp_path / "copied" / "shards").iterdir())
    assert everything(tmp_path / "linked") == everything(tmp_path / "copied")


def test_the_sources_are_not_touched(made, tmp_path):
    before = [everything(folder) for folder in made]
    merge(made, tmp_path / "merged")
    split(tmp_path / "merged", tmp_path / "split", {"a": 0.5, "b": 0.5})
    assert [everything(folder) for folder in made] == before


def test_lineage_is_kept_and_sources_are_those_that_were_generated(made, tmp_path):
    merged = merge(made, tmp_path / "merged")
    ids = [read_manifest(folder)["dataset_id"] for folder in made]
    out = filter_dataset(tmp_path / "merged", f'source == "{ids[1]}"', tmp_path / "out")
    assert [s["dataset_id"] for s in merged["sources"]] == ids
    assert [s["seed"] for s in merged["sources"]] == [3, 4]
    assert merged["seed"] is None
    assert [s["dataset_id"] for s in out["sources"]] == [ids[1]]
    assert out["seed"] == 4
    assert {s["source"] for s in out["shards"]} == {0}
    (parent,) = out["derived"]["of"]
    assert out["derived"]["activity"] == "filter"
    assert parent["dataset_id"] == merged["dataset_id"]
    assert parent["episodes"] == 7
    assert [p["dataset_id"] for p in parent["derived"]["of"]] == ids


def test_the_whole_is_the_selection_and_the_shards_are_the_files(made, tmp_path):
    out = filter_dataset(made[0], "episode_id in [0, 2, 3]", tmp_path / "out")
    assert [s.get("rows") for s in out["shards"]] == [[[0, 1], [2, 3]], [[0, 1]]]
    assert [s["episodes"] for s in out["shards"]] == [3, 3]
    with Dataset(tmp_path / "out") as data:
        assert [e.id for e in data] == [0, 2, 3]
        assert out["steps"] == sum(len(e) for e in data)
        assert sum(out["outcomes"].values()) == out["tasks"][0]["episodes"] == 3
    assert len({read_manifest(made[0])["dataset_id"], out["dataset_id"]}) == 2


def test_parts_of_a_split_merge_into_what_was_split(made, tmp_path):
    whole = merge(made, tmp_path / "whole")
    split(tmp_path / "whole", tmp_path / "split", {"a": 0.5, "b": 0.3, "c": 0.2})
    again = merge([tmp_path / "split" / name for name in "abc"], tmp_path / "again")
    assert known(tmp_path / "again") == known(tmp_path / "whole")
    assert sorted(s["content_sha256"] for s in again["shards"]) == sorted(s["content_sha256"] for s in whole["shards"])
    assert not any("rows" in s for s in again["shards"])


def test_parameters_carry_their_task_where_there_are_several(dataset, made, tmp_path):
    merge([dataset, made[0]], tmp_path / "merged")
    with Dataset(tmp_path / "merged") as data:
        names = data.table().column_names
        assert {"params.tests/push.mass", "params.filmed:MyTask.gap"} <= set(names)
        assert len(data.where("mass > 0")) == 16
        assert len(data.where("floor.friction > 0.0", task="tests/push")) == 16
    filter_dataset(tmp_path / "merged", 'task != "tests/push"', tmp_path / "one")
    with Dataset(tmp_path / "one") as data, Dataset(made[0]) as original:
        assert set(data.table().column_names) - set(original.table().column_names) == {"source"}
        assert [t["name"] for t in data.manifest["tasks"]] == ["filmed:MyTask"]


def test_episodes_that_two_datasets_share_are_refused_dropped_or_kept(made, tmp_path):
    filter_dataset(made[0], "episode_id < 4", tmp_path / "some")
    with pytest.raises(DatasetError, match=r"4 episodes are in an earlier one .* --drop-duplicates"):
        merge([made[0], tmp_path / "some"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    dropped = merge([made[0], tmp_path / "some"], tmp_path / "dropped", duplicates="drop")
    kept = merge([made[0], tmp_path / "some"], tmp_path / "kept", duplicates="keep")
    assert (dropped["episodes"], kept["episodes"]) == (7, 11)
    assert dropped["derived"]["of"][1]["episodes"] == 0
    with Dataset(tmp_path / "kept") as data:
        assert [e.id for e in data] == [*range(7), *range(4)]


def test_pictures_can_be_left_out(filmed, tmp_path):
    out = merge([filmed], tmp_path / "out", pictures=False)
    assert out["media"] == {}
    assert not (tmp_path / "out" / "media").exists()
    assert validate(tmp_path / "out", deep=True).ok


def test_pictures_of_a_choice_are_those_of_its_episodes(filmed, tmp_path):
    out = filter_dataset(filmed, "episode_id in [1, 3]", tmp_path / "out")
    assert set(out["media"]) == {"side", "hand"}
    with Dataset(tmp_path / "out") as data, Dataset(filmed) as original:
        for mine, theirs in zip(data, (original[1], original[3]), strict=True):
            assert mine.images("hand", "depth").tobytes() == theirs.images("hand", "depth").tobytes()
            assert mine.shots("side").t_world_cam.tobytes() == theirs.shots("side").t_world_cam.tobytes()


def test_datasets_of_which_only_some_have_pictures_are_refused(filmed, made, tmp_path):
    with pytest.raises(DatasetError, match=r"recorded task .* in one of the datasets and not in .*--no-pictures"):
        merge([filmed, made[1]], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert merge([filmed, made[1]], tmp_path / "out", pictures=False)["episodes"] == 11


def test_pictures_of_two_sizes_are_refused(filmed, make_filmed, tmp_path):
    make_filmed(tmp_path / "small", {"hand": {"size": 8, "rate_hz": 5, "kinds": ["depth"]}}, seed=9, episodes=2)
    with pytest.raises(DatasetError, match=r"camera 'hand' recorded task .* otherwise"):
        merge([tmp_path / "small", filmed], tmp_path / "out")


def edit(folder, change):
    manifest = json.loads((folder / "dataset.json").read_text())
    change(manifest)
    (folder / "dataset.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(complete=False), "incomplete; finish it first: genba resume"),
        (lambda m: m.pop("dataset_id"), "lacks dataset_id"),
        (lambda m: m["tasks"][0].pop("version"), r"lacks tasks\[0\].version"),
        (lambda m: m["shards"][1].pop("content_sha256"), r"lacks shards\[1\].content_sha256"),
        (lambda m: m["shards"][0].update(bytes=1), "is damaged"),
        (lambda m: m["shards"][0].update(source=1), "a shard's source is not among"),
        (lambda m: m["tasks"][0].update(task="other/task"), "is not in dataset.json"),
        (lambda m: m.update(media={"side": {"complete": False, "shards": []}}), "camera 'side' is incomplete"),
        (lambda m: m.update(shards=3), "is damaged"),
        (lambda m: m.update(format_version="2.0"), "update genba"),
    ],
)
def test_a_dataset_that_is_not_whole_is_refused_and_nothing_is_left(copied, tmp_path, change, sentence):
    edit(copied, change)
    with pytest.raises(DatasetError, match=sentence):
        merge([copied], tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copied"]


@pytest.mark.parametrize("name", ["shards/shard-00001.h5", "SHA256SUMS"])
def test_a_missing_file_is_named(copied, tmp_path, name):
    (copied / name).unlink()
    with pytest.raises(DatasetError, match=name):
        merge([copied], tmp_path / "out")


@pytest.mark.parametrize("name", ["episodes.parquet", "stats.json"])
def test_a_table_that_was_changed_is_refused(copied, tmp_path, name):
    (copied / name).write_bytes((copied / name).read_bytes()[:-1] + b" ")
    with pytest.raises(DatasetError, match=f"{name} (is damaged|cannot be read)"):
        merge([copied], tmp_path / "out")


def test_a_shard_that_leads_out_of_its_dataset_is_refused(copied, tmp_path):
    path = copied / "shards" / "shard-00000.h5"
    path.rename(tmp_path / "elsewhere.h5")
    path.symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(DatasetError, match="link out of the dataset"):
        merge([copied], tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m["tasks"][0].update(version=9), "is version 1 in .* and 9 in"),
        (lambda m: m["tasks"][0].update(failures=["lost"]), "has other failures"),
        (lambda m: m["tasks"][0].update(control_hz=10.0), "has other control_hz"),
    ],
)
def test_tasks_that_do_not_mean_the_same_are_not_put_together(made, copied, tmp_path, change, sentence):
    edit(copied, change)
    with pytest.raises(DatasetError, match=sentence):
        merge([made[1], copied], tmp_path / "out")


def test_one_name_for_two_tasks_is_refused(dataset, copied, tmp_path):
    edit(copied, lambda m: m["tasks"][0].update(name="tests/push"))
    with pytest.raises(DatasetError, match="is the name of two tasks"):
        merge([dataset, copied], tmp_path / "out")


def test_a_choice_of_nothing_is_refused(made, tmp_path):
    with pytest.raises(DatasetError, match="none of the 7 episodes"):
        filter_dataset(made[0], "length < 0", tmp_path / "out")
    with pytest.raises(DatasetError, match="nothing is chosen"):
        derive([Piece(made[0], np.zeros(0, int))], tmp_path / "out", {"activity": "filter"})
    with pytest.raises(DatasetError, match="nothing to merge"):
        merge([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_in_use_is_left_alone(made, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="no empty folder"):
        merge(made, tmp_path / "out")
    assert everything(tmp_path / "out") == {"notes.txt": b"mine"}
    with pytest.raises(DatasetError, match="is inside of the dataset"):
        merge(made, made[0] / "out")
    with pytest.raises(DatasetError, match="is named twice"):
        merge([made[0], made[0]], tmp_path / "other")
    with pytest.raises(DatasetError, match="is no dataset"):
        merge([made[0], tmp_path / "nowhere"], tmp_path / "other")


def test_an_interruption_leaves_nothing(made, tmp_path, monkeypatch):
    def interrupt(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(made, tmp_path / "out", done=interrupt)
    monkeypatch.setattr(deriving, "write_metadata", interrupt)
    with pytest.raises(KeyboardInterrupt):
        merge(made, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_to_the_end(made, tmp_path):
    shares = []
    merge(made, tmp_path / "out", done=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# Statistics


@pytest.fixture(scope="module")
def offset(tmp_path_factory, kit):
    """Datasets of known numbers far from zero, and the numbers: obs/x is around 3e4 with deviation 1."""
    rng, home = np.random.default_rng(0), tmp_path_factory.mktemp("offset")
    episodes = [e for e in kit.episodes_of(range(12)) if len(e)]
    values = []
    for i, episode in enumerate(episodes):
        x = rng.normal([3e4, -3e4, 3e4], 1.0, (len(episode) + 1, 3)).astype(np.float32)
        values.append(x)
        episodes[i] = dataclasses.replace(episode, observations=dict(episode.observations) | {"x": x})
    half = len(episodes) // 2
    kit.make_dataset(home / "a", episodes[:half], per_shard=3)
    kit.make_dataset(home / "b", episodes[half:], per_shard=3)
    edit(home / "b", lambda m: m.update(dataset_id="genba-0"))
    return home, values


def assert_true(found, values):
    """Compare with float64 truth: 1e-9, which a formula of float32 misses by far."""
    truth = np.concatenate(values).astype(np.float64)
    assert np.array_equal(found.count, np.full(3, len(truth)))
    np.testing.assert_allclose(found.mean, truth.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std, truth.std(axis=0), rtol=1e-9)
    assert np.array_equal(found.minimum, truth.min(axis=0))
    assert np.array_equal(found.maximum, truth.max(axis=0))


def test_statistics_are_true_far_from_zero_whole_merged_and_in_part(offset, tmp_path):
    home, values = offset
    merge([home / "a", home / "b"], tmp_path / "merged")
    assert_true(read_stats(tmp_path / "merged")["tests/push"]["obs/x"], values)
    filter_dataset(tmp_path / "merged", "episode_id in [0, 1, 3, 4]", tmp_path / "part")
    with Dataset(tmp_path / "merged") as data:
        rows = np.isin(data.values("episode_id"), [0, 1, 3, 4])
    chosen = [v for v, good in zip(values, rows, strict=True) if good]
    assert 0 < len(chosen) < len(values)
    assert_true(read_stats(tmp_path / "part")["tests/push"]["obs/x"], chosen)
    with Dataset(tmp_path / "part") as data:
        assert_true(stats(data, recompute=True)["tests/push"]["obs/x"], chosen)
        assert disagreements(read_stats(tmp_path / "part"), stats(data, recompute=True)) == []


def test_statistics_of_a_view_are_those_of_its_episodes(offset):
    home, values = offset
    with Dataset(home / "a") as data:
        view = data.choose([4, 1, 2])
        assert_true(stats(view)["tests/push"]["obs/x"], [values[i] for i in (4, 1, 2)])
        assert_true(stats(data, recompute=True)["tests/push"]["obs/x"], values[: len(data)])


def test_statistics_of_every_column_are_those_of_its_rows(made, tmp_path):
    filter_dataset(made[0], "episode_id in [0, 2, 4, 5]", tmp_path / "out")
    with Dataset(tmp_path / "out") as data:
        (found,) = read_stats(tmp_path / "out").values()
        assert set(found) == set(data.shards.open(0).under("stats/"))
        for column, part in found.items():
            truth = summarize(np.concatenate([e.array(column) for e in data]))
            np.testing.assert_allclose(part.rows()[:6], truth.rows()[:6], rtol=1e-9, atol=1e-12)


def test_stats_json_of_what_was_generated_agrees_until_it_is_changed(copied):
    said = read_stats(copied)
    with Dataset(copied) as data:
        assert disagreements(said, stats(data)) == []
        true = stats(data, recompute=True)
        assert disagreements(said, true) == []
        for name, by in (("mean", 1e-6), ("m2", 1e-6), ("maximum", 1e-6), ("count", 1.0)):
            wrong = dataclasses.replace(true["filmed:MyTask"]["obs/laser"])
            object.__setattr__(wrong, name, getattr(wrong, name) + by)
            both = {"filmed:MyTask": dict(true["filmed:MyTask"]) | {"obs/laser": wrong}}
            (sentence, *_) = disagreements(both, true)
            assert "obs/laser" in sentence
        assert disagreements({}, true) == ["task 'filmed:MyTask' is in one of them only"]


def test_damaged_statistics_are_refused(copied):
    (copied / "stats.json").write_text('{"filmed:MyTask": {"obs/laser": {"count": [1]}}}')
    with pytest.raises(DatasetError, match=r"stats.json is damaged"):
        read_stats(copied)
    (copied / "stats.json").unlink()
    with pytest.raises(DatasetError, match="--recompute"):
        read_stats(copied)


# Where tasks are found


def test_tasks_of_a_derived_dataset_are_found_in_its_sources(made, tmp_path):
    manifest = merge(made, tmp_path / "out")
    find = task_finder(tmp_path / "out", manifest)
    assert find("filmed:MyTask").name == find("examples/push_billet").name == "examples/push_billet"
    with pytest.raises(UnknownNameError, match="no task of this dataset 'filmed:MyTusk'; did you mean"):
        find("filmed:MyTusk")


def test_the_folder_of_a_task_is_named_only_where_it_is_needed(dataset, made, tmp_path):
    manifest = merge([dataset, made[0]], tmp_path / "out")
    assert [bool(source["folder"]) for source in manifest["sources"]] == [False, True]


def test_what_was_imported_has_no_tasks(tmp_path):
    with pytest.raises(GenbaError, match="was imported"):
        task_finder(tmp_path, {"imported": {}})


def test_the_hashes_of_a_derived_dataset_are_those_of_its_files(made, tmp_path):
    manifest = merge(made, tmp_path / "out")
    lines = [line.split("  ") for line in (tmp_path / "out" / "SHA256SUMS").read_text().splitlines()]
    assert {name: digest for digest, name in lines} == {n: file_sha256(tmp_path / "out" / n) for _, n in lines}
    assert manifest["files"]["stats.json"] == file_sha256(tmp_path / "out" / "stats.json")
