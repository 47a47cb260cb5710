"""Every lint earns its place: each of many things is damaged in a valid dataset, and validation names it.

Whoever damages data and forgets the hashes is found by hashes; so where the point is another, the hashes are made right
again, and where it matters the tables and statistics too.
"""

import functools
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators import validate as conductor
from generators.curation.filter import filter_dataset
from generators.curation.split import split
from generators.lints.catalogue import LINTS
from generators.manifest import write_tables
from generators.pieces import read_piece
from generators.stats import summarize
from generators.validate import validate
from scenes.catalog import load_task

FIRST, SECOND = "shard-00000.h5", "shard-00001.h5"
SIDE = "shard-00000.side.h5"


class Case(NamedTuple):
    """A damage, and what must be said of it."""

    lint: str
    damage: object
    shard: str = FIRST
    column: str = ""
    base: str = "plain"


def shard(change, *, name=FIRST, tables=False):
    """Damage a shard and make the hashes right again; with `tables` also statistics and the table of episodes."""

    def damage(folder, kit):
        with h5py.File(folder / "shards" / name, "r+") as file:
            change(file)
        if tables:
            remake_tables(folder)
        kit.reseal(folder)

    return damage


def remake_tables(folder):
    entries = json.loads((folder / "dataset.json").read_text())["shards"]
    paths = [folder / "shards" / entry["name"] for entry in entries]
    for path in paths:
        with h5py.File(path, "r+") as file:
            for group in (file["stats/obs"], file["stats/streams"], file["stats/steps"]):
                group.visititems(functools.partial(recompute, file, group.name.removeprefix("/stats/")))
    write_tables(folder, [read_piece(path, "filmed:MyTask", trusted=True) for path in paths])


def recompute(file, group, name, node):
    if isinstance(node, h5py.Dataset):
        node[...] = summarize(file[f"{group}/{name}"][:]).rows()


def media(change):
    def damage(folder, kit):
        with h5py.File(folder / "media" / SIDE, "r+") as file:
            change(file)
        kit.reseal(folder)

    return damage


def put(column, row, value):
    def change(file):
        file[column][row] = value

    return change


def root(name, value):
    def change(file):
        file.attrs[name] = value

    return change


def episode(change, *, longest=True):
    """Make a change to one episode: change(file, rows of its steps, rows of its observations, row)."""

    def whole(file):
        lengths = file["episodes/length"][:]
        row = int(lengths.argmax() if longest else np.flatnonzero(lengths)[0])
        n, start, seen = (int(file[f"episodes/{c}"][row]) for c in ("length", "step_start", "obs_start"))
        change(file, slice(start, start + n), slice(seen, seen + n + 1), row)

    return whole


def manifest(change):
    def damage(folder, kit):
        data = json.loads((folder / "dataset.json").read_text())
        change(data)
        (folder / "dataset.json").write_text(json.dumps(data))

    return damage


def file(name, change):
    def damage(folder, kit):
        change(folder / name)

    return damage


def flip_a_byte(folder, kit):
    path = folder / "shards" / FIRST
    with h5py.File(path) as opened:
        place = opened["obs/force"].id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[place + 5] ^= 1
    path.write_bytes(raw)


def other_sum(path):
    lines = [("0" * 64 + line[64:]) if line.endswith(FIRST) else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))


def link_out(folder, kit):
    path = folder / "shards" / FIRST
    shutil.move(path, folder.parent / "elsewhere.h5")
    path.symlink_to(folder.parent / "elsewhere.h5")


def edit(old, new):
    def change(path):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def table(change):
    def damage(folder, kit):
        path = folder / "episodes.parquet"
        pq.write_table(change(pq.read_table(path)), path)
        kit.reseal(folder)

    return damage


def other_friction(found):
    values = found.column("params.friction").to_pylist()
    at = found.column_names.index("params.friction")
    return found.set_column(at, "params.friction", pa.array([values[0] + 1e-9, *values[1:]]))


def other_mean(folder, kit):
    said = json.loads((folder / "stats.json").read_text())
    said["filmed:MyTask"]["obs/laser"]["mean"][0] *= 1 + 1e-6
    (folder / "stats.json").write_text(json.dumps(said))
    kit.reseal(folder)


def drop(column):
    def change(file):
        del file[column]

    return change


def retype(file):
    values = file["steps/reward"][:].astype(float)
    facts = dict(file["steps/reward"].attrs)
    del file["steps/reward"]
    file["steps/reward"] = values
    file["steps/reward"].attrs.update(facts)


def features(path, **facts):
    def change(file):
        known = json.loads(file.attrs["features"])
        known[path] |= facts
        file.attrs["features"] = json.dumps(known)
        file[path].attrs.update(facts)

    return change


def text(column, row, value):
    def change(file):
        values = file[column][:].astype("S200")
        values[row] = value.encode()
        del file[column]
        file.create_dataset(column, data=values.astype(h5py.string_dtype("utf-8", 200)))

    return change


def link_inside(file):
    file["obs/more"] = h5py.ExternalLink("/etc/passwd", "x")


def succeeded(file):
    return int(np.flatnonzero(file["episodes/outcome"][:] == 1)[0])


def fail_code_of_a_success(file):
    file["episodes/fail_code"][succeeded(file)] = 1


def backwards(file, steps, _seen, _row):
    file["steps/phase"][steps] = file["steps/phase"][steps][::-1]


def early(column):
    def change(file):
        for row, n in enumerate(file["episodes/length"][:].tolist()):
            start = int(file["episodes/obs_start" if column[:3] == "obs" else "episodes/step_start"][row])
            rows = slice(start, start + n + (column[:3] == "obs"))
            values = file[column][rows]
            file[column][rows] = np.concatenate([values[1:], values[-1:]])

    return change


def idle(file, steps, _seen, _row):
    file["steps/action"][steps] = 0


def clip(column, share, value):
    def change(file):
        values = file[column][:]
        values[: int(share * len(values))] = value
        file[column][...] = values

    return change


def stuck(file, _steps, seen, _row):
    file["obs/laser"][seen] = file["obs/laser"][seen.start]


def lossy(file):
    values = file["streams/force/value"][:]
    values[1::2] = values[0 : len(values) - 1 : 2][: len(values[1::2])]
    file["streams/force/value"][...] = values


def same_mark(folder, kit):
    for name in (FIRST, SECOND):
        with h5py.File(folder / "shards" / name, "r+") as opened:
            opened["obs/mark"][...] = 1.25
    remake_tables(folder)
    kit.reseal(folder)


def twin(folder, kit):
    shutil.copy(folder / "shards" / FIRST, folder / "shards" / SECOND)
    kit.reseal(folder)


def lighter(file):
    row = succeeded(file)
    file["episodes/params/length"][row] = 0.5 * (file["episodes/params/length"][row] + 0.3)


def judged(file):
    row = succeeded(file)
    start = int(file["episodes/step_start"][row])
    file["steps/success"][start + 3] = True


def other_reward(file, steps, _seen, row):
    file["steps/reward"][steps.start + 2] += 0.5
    file["episodes/return"][row] += 0.5


def nudged(column):
    def change(file, steps, seen, _row):
        at = (seen if column[:3] == "obs" else steps).start + 7
        values = file[column][at]
        values[0] = np.nextafter(values[0], 9, dtype=values.dtype)
        file[column][at] = values

    return change


def turned(file):
    file["side/T_world_cam"][...] = file["side/T_world_cam"][:] @ np.diag([-1.0, -1.0, 1.0, 1.0])


def spoil_a_picture(folder, kit):
    path = folder / "media" / SIDE
    with h5py.File(path) as opened:
        chunk = opened["side/depth"].id.get_chunk_info(0)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset + 4 : chunk.byte_offset + chunk.size] = bytes(chunk.size - 4)
    path.write_bytes(raw)
    kit.reseal(folder)


def forget_pictures(data):
    data["media"]["side"]["shards"].pop(0)


def into_both_parts(folder, kit):
    for name in ("dataset.json", "episodes.parquet", "stats.json", "SHA256SUMS"):
        shutil.copy(folder / "train" / name, folder / "test" / name)
    shutil.copytree(folder / "train" / "shards", folder / "test" / "shards", dirs_exist_ok=True)
    said = json.loads((folder / "split.json").read_text())
    by_name = {part["name"]: part for part in said["parts"]}
    by_name["test"] |= {k: v for k, v in by_name["train"].items() if k != "name"}
    (folder / "split.json").write_text(json.dumps(said))


def first_shard(**facts):
    return manifest(lambda data: data["shards"][0].update(facts))


def whole(**facts):
    return manifest(lambda data: data.update(facts))


def task(**facts):
    return manifest(lambda data: data["tasks"][0].update(facts))


PARAMS = "episodes/params"
CASES = {
    "a byte is flipped": Case("hash", flip_a_byte, column="obs/force"),
    "a shard is cut": Case("hash", file(f"shards/{FIRST}", lambda p: p.write_bytes(p.read_bytes()[:5000]))),
    "statistics are changed": Case("hash", file("stats.json", edit("mean", "meen")), "stats.json"),
    "a shard is missing": Case("missing", file(f"shards/{FIRST}", Path.unlink)),
    "a shard is a link out": Case("link", link_out),
    "a stray file": Case("stray", file("shards/shard-00009.h5", Path.touch), "shard-00009.h5"),
    "a temporary file": Case("temporary", file("shards/.a.h5.7.tmp", Path.touch), "shards/.a.h5.7.tmp"),
    "sums of another": Case("sums", file("SHA256SUMS", other_sum)),
    "sums that lead out": Case("sums", file("SHA256SUMS", lambda p: p.write_text(f"{'0' * 64}  ../x\n")), "SHA256SUMS"),
    "a broken dataset.json": Case("manifest", file("dataset.json", edit("{", "[")), "dataset.json"),
    "a total is wrong": Case("manifest", whole(episodes=9), "dataset.json"),
    "outcomes are wrong": Case("manifest", whole(outcomes={"success": 8}), "dataset.json"),
    "a later version": Case("version", whole(format_version="2.0"), "dataset.json"),
    "a card is edited": Case(
        "cards", file("README.ja.md", lambda p: p.write_text(p.read_text() + "x\n")), "README.ja.md"
    ),
    "interrupted": Case("incomplete", whole(complete=False), ""),
    "a broken plan": Case("plan", file("plan.json", lambda p: p.write_text("{")), "plan.json"),
    "a plan of another seed": Case("plan", whole(seed=4), "plan.json"),
    "an edited card": Case("cards", file("README.md", lambda p: p.write_text(p.read_text() + "x")), "README.md"),
    "a shard of a later version": Case("version", shard(root("format_version", "3.0"))),
    "a link inside of a shard": Case("structure", shard(link_inside)),
    "another content hash": Case("content-hash", first_shard(content_sha256="0" * 64)),
    "a shard's count": Case("counts", first_shard(outcomes={"success": 4})),
    "the root miscounts": Case("counts", shard(root("n_steps", 3))),
    "a shard of another dataset": Case("origin", shard(root("dataset_id", "genba-0000"))),
    "a shard of another version": Case("origin", task(version=2)),
    "other phases": Case("origin", task(phases=["approach", "pull", "retract"])),
    "a column is gone": Case("schema", shard(drop("obs/laser")), column="obs/laser"),
    "a column too many": Case("schema", shard(lambda f: f.create_dataset("obs/lazer", data=[1.0])), column="obs/lazer"),
    "another type": Case("schema", shard(retype), column="steps/reward"),
    "another unit": Case("schema", shard(lambda f: f["obs/laser"].attrs.update(unit="mm")), column="obs/laser"),
    "no unit": Case("unit-missing", shard(features("obs/laser", unit="")), column="obs/laser"),
    "rows overlap": Case("rows", shard(put("episodes/step_start", 1, 3)), column="episodes/step_start"),
    "an observation is not finite": Case("not-finite", shard(put("obs/force", (5, 0), np.nan)), column="obs/force"),
    "a state is not finite": Case("not-finite", shard(put("state/control", (5, 0), np.inf)), column="state/control"),
    "an outcome without a name": Case("codes", shard(put("episodes/outcome", 1, 9)), column="episodes/outcome"),
    "a phase without a name": Case("codes", shard(put("steps/phase", 4, 7)), column="steps/phase"),
    "an episode is twice": Case("ids", shard(put("episodes/episode_id", 1, 2)), "", "episodes/episode_id"),
    "another seed": Case("seed", shard(put("episodes/episode_seed", 1, 7)), column="episodes/episode_seed"),
    "time stands still": Case("time-order", shard(put("steps/t_ns", 3, 0)), column="steps/t_ns"),
    "a late sample": Case("time-jitter", shard(put("streams/laser/t_ns", 3, 61_000_000)), column="streams/laser/t_ns"),
    "longer than the horizon": Case("length", task(horizon_s=1.0), column="episodes/length"),
    "an episode ends twice": Case("flags", shard(put("steps/truncated", 3, True)), column="steps/truncated"),
    "a success that failed": Case("outcome", shard(fail_code_of_a_success), column="episodes/fail_code"),
    "an error of nothing": Case("outcome", shard(text("episodes/error", 1, "broken")), column="episodes/error"),
    "a wrong return": Case("return", shard(put("episodes/return", 1, 1.0)), column="episodes/return"),
    "phases backwards": Case("phase-order", shard(episode(backwards)), column="steps/phase"),
    "a parameter from nowhere": Case(
        "unknown-parameter",
        shard(lambda f: f[f"{PARAMS}/gap"].attrs.pop("distribution")),
        column=f"{PARAMS}/gap",
    ),
    "a parameter out of range": Case(
        "parameter-out-of-range", shard(put(f"{PARAMS}/gap", 1, 9.0)), column=f"{PARAMS}/gap"
    ),
    "no work order": Case(
        "instruction-missing", shard(text("episodes/instruction/en", 1, "")), column="episodes/instruction/en"
    ),
    "English for Japanese": Case(
        "instruction-language", shard(text("episodes/instruction/ja", 1, "Push.")), column="episodes/instruction/ja"
    ),
    "the same episodes twice": Case("duplicate-episode", twin, SECOND, "steps/action"),
    "observations a step early": Case("off-by-one", shard(early("obs/laser")), column="obs/laser"),
    "one episode's bit a step early": Case(
        "off-by-one",
        shard(
            episode(
                lambda f, _t, seen, _r: f["obs/pusher"].write_direct(
                    np.roll(f["obs/pusher"][seen], -1, 0), dest_sel=np.s_[seen]
                )
            )
        ),
        column="obs/pusher",
    ),
    "nothing is done": Case("all-zero-actions", shard(episode(idle)), column="steps/action"),
    "too fast": Case("action-out-of-bounds", shard(put("steps/action", 4, 1.5)), column="steps/action"),
    "nearly always full speed": Case("saturated-action", shard(clip("steps/action", 0.6, 1.0)), column="steps/action"),
    "beyond the bounds": Case("observation-out-of-bounds", shard(put("obs/laser", 4, 3.0)), column="obs/laser"),
    "a sensor that clips": Case("clipped-channel", shard(clip("obs/force", 0.1, 1e4)), column="obs/force"),
    "the same everywhere": Case("zero-variance", same_mark, "stats.json", "obs/mark"),
    "a sensor that hangs": Case("frozen-observation", shard(episode(stuck)), column="obs/laser"),
    "a sensor that drops out": Case("dropout-rate", shard(lossy), column="streams/force/value"),
    "a table's number": Case("table-differs", table(other_friction), "episodes.parquet", "params.friction"),
    "a table's column": Case("table-differs", table(lambda t: t.drop(["failure"])), "episodes.parquet", "failure"),
    "a table's order": Case(
        "table-differs", table(lambda t: t.take([1, 0, *range(2, len(t))])), "episodes.parquet", "length"
    ),
    "a mean": Case("stats-differ", other_mean, "stats.json", "obs/laser"),
    "a shard's own statistics": Case(
        "stats-differ", shard(put("stats/obs/laser", (2, 0), 0.7)), column="stats/obs/laser"
    ),
    "a camera is forgotten": Case("missing-media", manifest(forget_pictures), column="side", base="filmed"),
    "pictures are missing": Case(
        "missing-media", media(put("episodes/frame_count", 0, 3)), f"media/{SIDE}", "episodes/frame_count", "filmed"
    ),
    "a camera is not finished": Case(
        "incomplete", manifest(lambda d: d["media"]["side"].update(complete=False)), "", base="filmed"
    ),
    "pictures of another shard": Case("media-origin", media(root("shard", 1)), f"media/{SIDE}", base="filmed"),
    "a picture's step": Case("media-step", media(put("side/step", 2, 9)), f"media/{SIDE}", "side/step", "filmed"),
    "a picture's time": Case("media-step", media(put("side/t_ns", 2, 9)), f"media/{SIDE}", "side/t_ns", "filmed"),
    "a pose that is none": Case(
        "media-pose", media(put("side/T_world_cam", (3, 0, 0), 9.0)), f"media/{SIDE}", "side/T_world_cam", "filmed"
    ),
    "a picture that does not open": Case("media-picture", spoil_a_picture, f"media/{SIDE}", "side/depth", "filmed"),
    "a derived dataset's rows": Case("table-differs", first_shard(rows=[[0, 1]]), "episodes.parquet", base="derived"),
    "a derived dataset's steps": Case("counts", whole(steps=1), "dataset.json", base="derived"),
    "a derived dataset's source": Case(
        "origin", manifest(lambda d: d["sources"][0].update(dataset_id="genba-1")), base="derived"
    ),
    "a derived dataset's root seed": Case(
        "seed", manifest(lambda d: d["sources"][0].update(seed=9)), column="episodes/episode_seed", base="derived"
    ),
    "a part in another": Case("split-leak", into_both_parts, "train", base="split"),
    "a part is missing": Case("split", file("test", shutil.rmtree), "split.json", base="split"),
    "another part": Case(
        "split", file("split.json", edit('"episodes": ', '"episodes": 1')), "split.json", base="split"
    ),
    "an observation is nudged": Case("replay", shard(episode(nudged("obs/force"))), column="obs/force"),
    "a state is nudged": Case("replay", shard(episode(nudged("state/control"))), column="state/control"),
    "a lighter billet": Case("model", shard(lighter)),
    "a success too many": Case("success-on-replay", shard(judged), column="steps/success"),
    "another reward": Case("success-on-replay", shard(episode(other_reward)), column="steps/reward"),
    "actions a step early": Case("off-by-one", shard(early("steps/action")), column="steps/action"),
    "a camera turned": Case("media-replay", media(turned), base="filmed"),
}
REPLAYED = {name for name, case in CASES.items() if LINTS[case.lint].level == "replay"} | {"actions a step early"}


@pytest.fixture(scope="module")
def bases(tmp_path_factory, make_filmed, filmed):
    """The valid datasets: plain, with pictures, derived, and split; not to be written to."""
    folder = tmp_path_factory.mktemp("valid")
    make_filmed(folder / "plain", episodes=10, episodes_per_shard=5, degraded=0.4)
    filter_dataset(folder / "plain", "friction < 0.3 and gap > 0.1", folder / "derived")
    filter_dataset(filmed, "episode_id != 1", folder / "derived with pictures")
    split(folder / "plain", folder / "split", {"train": 0.6, "test": 0.4})
    return {name: folder / name for name in ("plain", "derived", "derived with pictures", "split")} | {"filmed": filmed}


@pytest.fixture
def check(filmed_folder):
    """Validate a folder deeply, with replay if asked: check(folder, replay=True)."""
    finder = functools.partial(load_task, folder=filmed_folder)
    return lambda folder, *, replay, deep=True: validate(
        folder, deep=deep, replay=-1 if replay else None, load_task=finder
    )


@pytest.mark.parametrize("base", ["plain", "filmed", "derived", "derived with pictures", "split"])
def test_what_is_not_damaged_has_no_findings(base, bases, check):
    report = check(bases[base], replay=True)
    assert [f"{f} [{f.lint}]" for f in report.findings] == []
    assert report.replayed
    assert set(report.levels) == {"quick", "deep", "replay"}


@pytest.mark.parametrize("name", CASES)
def test_what_is_damaged_is_caught_and_named(name, bases, check, kit, fuzzing, tmp_path, monkeypatch):
    monkeypatch.setattr(conductor, "run_jobs", fuzzing.in_this_process)
    case = CASES[name]
    folder = tmp_path / "set"
    shutil.copytree(bases[case.base], folder)
    case.damage(folder, kit)
    deep = LINTS[case.lint].level != "quick" or case.base == "split" or "of a later" in name
    report = check(folder, replay=name in REPLAYED, deep=deep and name not in REPLAYED)
    named = [f for f in report.findings if f.lint == case.lint and f.shard == case.shard and f.column == case.column]
    assert named, [f"{f} [{f.lint}]" for f in report.findings]


def test_at_least_40_damages_try_every_lint():
    assert len(CASES) >= 40
    assert set(LINTS) == {case.lint for case in CASES.values()}
