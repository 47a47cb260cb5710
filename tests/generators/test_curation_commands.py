"""genba filter, merge, split, stats, migrate and info: what they print, their exit codes, and how they fail."""

import json
import re
import shutil

import pytest

from generators.dataset import Dataset, read_manifest


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_filmed):
    """Two datasets of one task; not to be written to."""
    home = tmp_path_factory.mktemp("made")
    for seed in (3, 4):
        make_filmed(home / f"seed{seed}", seed=seed, episodes=6, episodes_per_shard=3, degraded=0.7)
    return home


@pytest.mark.parametrize("command", ["filter", "merge", "split", "stats", "migrate"])
def test_help_has_an_example_that_runs_the_command(genba, command):
    result = genba(command, "--help")
    assert result.code == 0
    assert re.search(rf"Examples:\n  genba {command} datasets/", result.out)


def test_filter_says_what_it_made_and_what_to_do_next(genba, made, tmp_path):
    result = genba("filter", made / "seed3", "episode_id < 4 and length > 0", "--out", tmp_path / "out")
    assert result.code == 0
    assert re.search(r"out: genba-\w{16}, 4 episodes, \d+ steps, .* MB in 2 shards", result.out)
    assert f"genba validate {tmp_path / 'out'} --deep" in result.out
    told = genba("info", tmp_path / "out").out
    assert "derived by filter 'episode_id < 4 and length > 0' from" in told
    assert re.search(r"source genba-\w{16}: 6 episodes, root seed 3", told)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["filter", "{made}/seed3", "lenght > 3", "--out", "{out}"], "did you mean 'length'"),
        (["filter", "{made}/seed3", "length > ", "--out", "{out}"], "is no query"),
        (["filter", "{made}/seed3", "length < 0", "--out", "{out}"], "none of the 6 episodes"),
        (["filter", "{made}/nowhere", "length > 0", "--out", "{out}"], "is no dataset"),
        (["merge", "{made}/seed3", "{made}/seed3", "--out", "{out}"], "is named twice"),
        (["merge", "{made}/seed3", "--allow-duplicates", "--drop-duplicates", "--out", "{out}"], "give one"),
        (["split", "{made}/seed3", "--shares", "train=0.8", "--out", "{out}"], "sum to 0.8"),
        (["split", "{made}/seed3", "--shares", "train:0.8", "--out", "{out}"], "not of the form name=0.8"),
        (["split", "{made}/seed3", "--shares", "a=0.5,a=0.5", "--out", "{out}"], "names the part 'a' twice"),
        (["split", "{made}/seed3", "--by", "fricton", "--out", "{out}"], "did you mean 'friction'"),
        (["split", "{made}/seed3", "--by", "task", "--out", "{out}"], "1 groups cannot be put into 3 parts"),
        (["stats", "{made}/seed3", "--column", "obs/lazer"], "did you mean 'obs/laser'"),
        (["migrate", "{made}/nowhere"], "is no dataset"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(genba, made, tmp_path, args, sentence):
    result = genba(*(arg.format(made=made, out=tmp_path / "out") for arg in args))
    assert result.code == 2
    assert sentence in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_merge_and_split_end_in_parts_that_validate(genba, made, tmp_path):
    merged = genba("merge", made / "seed3", made / "seed4", "--out", tmp_path / "all", "--json")
    assert json.loads(merged.out)["episodes"] == 12
    result = genba("split", tmp_path / "all", "--out", tmp_path / "parts", "--by", "friction:6", "gap:2", "--seed", "3")
    assert result.code == 0
    lines = [line.split() for line in result.out.splitlines()]
    assert [line[0] for line in lines[:4]] == ["part", "train", "val", "test"]
    assert sum(int(line[2]) for line in lines[1:4]) == 12
    for name in ("train", "val", "test"):
        assert genba("validate", tmp_path / "parts" / name).code == 0
    record = genba("split", tmp_path / "all", "--out", tmp_path / "again", "--by", "friction:6", "gap:2", "--json")
    assert {p["name"] for p in json.loads(record.out)["parts"]} == {"train", "val", "test"}


def test_duplicates_are_refused_dropped_or_kept(genba, made, tmp_path):
    genba("filter", made / "seed3", "episode_id < 2", "--out", tmp_path / "some")
    both = [made / "seed3", tmp_path / "some"]
    refused = genba("merge", *both, "--out", tmp_path / "out")
    assert refused.code == 2
    assert "2 episodes are in an earlier one of these datasets too" in refused.err
    for flag, count in (("--drop-duplicates", 6), ("--allow-duplicates", 8)):
        result = genba("merge", *both, "--out", tmp_path / flag, flag, "--json")
        assert json.loads(result.out)["episodes"] == count


def test_stats_are_a_table_or_json(genba, made):
    result = genba("stats", made / "seed3", "--column", "steps/action", "--column", "obs/mark")
    assert result.code == 0
    assert re.search(r"^column +count +mean +std +min .* max", result.out, re.MULTILINE)
    assert [line.split()[0] for line in result.out.splitlines() if "/" in line] == ["obs/mark", "steps/action"]
    plain = json.loads(genba("stats", made / "seed3", "--json").out)
    (columns,) = plain["tasks"].values()
    assert plain["episodes"] == 6
    assert "std" in columns["obs/mark"]


def test_stats_of_some_episodes_are_theirs(genba, made):
    plain = json.loads(genba("stats", made / "seed3", "--where", "episode_id == 2", "--json").out)
    (columns,) = plain["tasks"].values()
    with Dataset(made / "seed3") as data:
        marks = data[2].observations["mark"]
    assert columns["obs/mark"]["count"] == [len(marks)]
    assert columns["obs/mark"]["mean"] == pytest.approx([marks.mean()])
    told = genba("stats", made / "seed3", "--where", "episode_id == 2").out
    assert re.search(r"^obs/mark .* constant$", told, re.MULTILINE)


def test_stats_that_disagree_with_the_data_are_named(genba, made, tmp_path):
    folder = shutil.copytree(made / "seed3", tmp_path / "copy")
    agreed = genba("stats", folder, "--recompute")
    assert agreed.code == 0
    assert "stats.json agrees with the data" in agreed.out
    said = json.loads((folder / "stats.json").read_text())
    (columns,) = said.values()
    columns["obs/laser"]["mean"][0] += 0.5
    (folder / "stats.json").write_text(json.dumps(said))
    result = genba("stats", folder, "--recompute", "--column", "obs/mark")
    assert result.code == 1
    assert "obs/laser: mean differs" in result.out
    assert json.loads(genba("stats", folder, "--recompute", "--json").out)["disagreements"]


def test_migrate_tells_what_it_does(genba, made, tmp_path):
    folder = shutil.copytree(made / "seed3", tmp_path / "copy")
    manifest = read_manifest(folder)
    assert "version 1.1 already" in genba("migrate", folder).out
    old = {k: v for k, v in manifest.items() if k not in ("environment", "governance")} | {"format_version": "1.0"}
    (folder / "dataset.json").write_text(json.dumps(old))
    assert "would be changed, 3 entries" in genba("migrate", folder, "--dry-run").out
    assert read_manifest(folder)["format_version"] == "1.0"
    assert len(json.loads(genba("migrate", folder, "--json").out)["changes"]) == 3
    assert read_manifest(folder)["format_version"] == "1.1"


@pytest.mark.parametrize("command", ["resume", "render"])
def test_commands_that_need_a_plan_say_why_there_is_none(genba, made, tmp_path, command):
    genba("merge", made / "seed3", made / "seed4", "--out", tmp_path / "out")
    flags = ["--camera", "side"] if command == "render" else []
    result = genba(command, tmp_path / "out", *flags)
    assert result.code == 2
    assert "was made by genba merge from other datasets and has no plan of its own" in result.err


def test_a_derived_dataset_is_replayed_and_shown_like_any_other(genba, made, tmp_path):
    genba("merge", made / "seed3", made / "seed4", "--out", tmp_path / "all")
    genba("filter", tmp_path / "all", "length > 10", "--out", tmp_path / "out")
    replayed = genba("validate", tmp_path / "out", "--replay", "2", "--workers", "1")
    assert replayed.code == 0
    assert "2 episodes replayed" in replayed.out
    sheet = genba("preview", tmp_path / "out", "--no-video", "--episode", "0", "--out", tmp_path / "pictures")
    assert sheet.code == 0
