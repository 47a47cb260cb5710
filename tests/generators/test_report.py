"""The report of a dataset: what it says, in both languages; that it is whole, safe and the same every time."""

import base64
import dataclasses
import html.parser
import io
import json
import math
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from generators import driver
from generators.config import make_config
from generators.curation.filter import filter_dataset
from generators.dataset import Dataset
from generators.executors import run_inline
from generators.paper import render
from generators.report.drawn import Declared, compare, cumulative
from generators.report.facts import make_report
from generators.report.moments import thin
from generators.report.words import Text, number, percent
from generators.report.write import report_html
from generators.report.yields import bins_of, effects, wilson
from generators.writer import ShardWriter
from sim import parameters
from sim.distributions import Choice, Fixed, LogUniform, Normal, Uniform
from sim.rollout import rollouts
from sim.seeds import episode_seed
from sim.task import Command, Task

VOID = {"meta", "link", "img", "br", "hr", "use", "path", "rect", "input", "source"}
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")


class Reader(html.parser.HTMLParser):
    """Collects a page's text by language, its attributes and tags, and refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.found, self.words, self.en, self.ja = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += attrs
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("class")))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.found += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, kind = self.open[-1] if self.open else ("", "")
        if tag not in ("style", "script"):
            self.words.append(data)
            if tag == "span" and kind in ("en", "ja"):
                getattr(self, kind).append(data)


def make(folder, **options):
    return make_report(folder, done=lambda part, share: None, **options)


@pytest.fixture(scope="module")
def report(dataset):
    return make(dataset)


@pytest.fixture(scope="module")
def pictured(filmed):
    return make(filmed)


def test_the_report_says_how_episodes_ended_and_the_yield_with_its_interval(report, dataset):
    with Dataset(dataset) as d:
        good, total = len(d.where(outcome="success")), len(d)
        failures = [f for f in d.values("failure") if f]
    read = Reader(report_html(report))
    task = report.tasks[0]
    low, high = wilson(good, total)
    assert (task.total, dict(zip(task.names, [n for _, n, _ in task.endings], strict=True))["success"]) == (total, good)
    assert sum(n for _, n, _ in task.endings) == total
    assert report.key[0].figure.en == percent(good / total)
    assert f"{percent(low)} to {percent(high)}" in report.key[0].note.en
    for word in ("past", "fast", "lazy", "nominal", "error of the task"):
        assert word in read.text
    assert failures


def test_every_part_of_a_dataset_has_its_place(report, dataset, episodes):
    read = Reader(report_html(report))
    with Dataset(dataset) as d:
        features = next(iter(d)).attributes["features"]
    for path in features:
        if path.startswith(("obs/", "streams/")) and not path.endswith("/t_ns"):
            assert path.split("/")[1] in read.text
    for name in ("floor.friction", "mass", "trouble", "go", "stop"):
        assert name in read.text
    assert "sliding, dry steel" in read.text
    for language, said in (("en", read.en), ("ja", read.ja)):
        assert any(e.instruction.get(language) in said for e in episodes)
    headings = ["Outcomes", "See it", "Yield by parameter", "Telemetry", "Speed", "Validation", "Provenance"]
    assert [h for h in headings if h in read.en] == headings
    assert report.tasks[0].errors.rows


def test_all_that_is_said_in_english_is_said_in_japanese(pictured):
    read = Reader(report_html(pictured))
    assert len(read.en) == len(read.ja) > 100
    for en, ja in zip(read.en, read.ja, strict=True):
        assert not JAPANESE.search(en), en
        assert JAPANESE.search(ja) or not re.search("[a-z]{4}", ja), (en, ja)


def test_a_report_in_one_language_holds_no_other_and_no_switch(report):
    english, japanese = (Reader(report_html(report, language)) for language in ("en", "ja"))
    assert not JAPANESE.search(english.text)
    assert ("lang", "en") in english.found
    assert "歩留まり" in japanese.text
    assert "Yield" not in japanese.text
    assert ("lang", "ja") in japanese.found
    for read in (english, japanese):
        assert "input" not in read.tags


def test_a_report_opens_offline_and_its_policy_allows_nothing_but_itself(pictured):
    text = report_html(pictured)
    read = Reader(text)
    for name, value in read.found:
        if name in ("src", "href", "xlink:href", "srcset"):
            assert value.startswith(("data:", "#")), value[:80]
    assert not [name for name, _ in read.found if name.startswith("on")]
    assert "url(http" not in text
    assert "@import" not in text
    policy = next(v for n, v in read.found if n == "content" and v.startswith("default-src 'none'"))
    assert "script-src 'sha256-" in policy
    assert "http" not in policy
    ids = [value for name, value in read.found if name == "id"]
    assert len(ids) == len(set(ids))
    assert {v[1:] for n, v in read.found if n in ("href", "xlink:href") and v.startswith("#")} <= set(ids)


def test_the_same_dataset_gives_the_same_bytes_wherever_it_lies(filmed, tmp_path):
    copy = shutil.copytree(filmed, tmp_path / filmed.name)
    assert report_html(make(copy)) == report_html(make(filmed))


def test_hostile_names_and_texts_are_shown_and_never_obeyed(kit, tmp_path):
    evil = "<script>alert(1)</script>$\\frac{\"'"

    class Evil(Task):
        name, version = "tests/evil", 1
        control_hz, horizon_s = kit.Push.control_hz, kit.Push.horizon_s
        Params, memory, features = kit.Push.Params, kit.Push.memory, kit.Push.features
        build, observe, success, failure = kit.Push.build, kit.Push.observe, kit.Push.success, kit.Push.failure
        reward, signals, logic = kit.Push.reward, kit.Push.signals, kit.Push.logic
        phases = ("go", "</svg><script>x</script>")
        failures = (evil,)
        degradations = ("<img src=x onerror=y>", "lazy")
        success_hold_s = 0.3

        def instructions(self, p):
            return {"en": evil, "ja": evil}

        def expert(self, s, p, *, mode, rng):
            for k in range(40):
                yield Command(np.array([0.95 if k < 25 else 0.0]), self.phases[k > 20])

    task = Evil()
    folder = tmp_path / "a <i>b & 'c"
    (folder / "shards").mkdir(parents=True)
    header = dataclasses.replace(kit.header(), task=task.name, task_version=task.version)
    path = folder / "shards" / "shard-00000.h5"
    with ShardWriter(path, header, task, parameters.describe(task.Params, {})) as writer:
        for n, episode in enumerate(rollouts(task, [episode_seed(3, n) for n in range(8)], degraded=0.5)):
            writer.append(n, episode)
        file = writer.close()
    kit.describe_dataset(folder, {"shard-00000.h5": file}, 8)
    text = report_html(make(folder))
    read = Reader(text)
    assert read.tags.count("script") == 1
    assert "<img src=x" not in text
    assert "<i>b" not in text
    assert evil in read.text
    assert text.count("<script>") == 1


def test_recorded_pictures_move_and_say_what_they_show(pictured, filmed):
    clips = [*pictured.tasks[0].clips.successes, *pictured.tasks[0].clips.others]
    assert clips
    assert not pictured.tasks[0].clips.drawn
    with Dataset(filmed) as d:
        for clip in clips:
            moving, still = (
                Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in (clip.moving, clip.still)
            )
            assert moving.n_frames > 2
            assert moving.size == still.size == (clip.width, clip.height)
            assert clip.ending == (d.values("failure")[clip.row] or d.values("outcome")[clip.row])


def test_a_task_that_is_not_genbas_own_is_imported_only_when_asked(make_filmed, tmp_path, kinds):
    out = tmp_path / "set"
    make_filmed(out, episodes=2, episodes_per_shard=2)
    silent, drawn = make(out).tasks[0].clips, make(out, draw=True).tasks[0].clips
    assert not silent.successes
    assert "--draw" in silent.notes[0].en
    if "rgb" in kinds:
        assert drawn.drawn
        assert drawn.successes or drawn.others


def test_a_dataset_of_several_tasks_tells_each_apart(tmp_path, filmed_folder, root):
    out = tmp_path / "two"
    tasks = [{"task": "filmed:MyTask", "episodes": 3}, {"task": "steel/crane_transport", "episodes": 1}]
    config = make_config({"tasks": tasks, "out": str(out), "seed": 1, "parameters": {}})
    driver.run(config.out, driver.start(config, filmed_folder), executor=run_inline, on_report=lambda _: None)
    report = make(out)
    assert [t.total for t in report.tasks] == [3, 1]
    assert [t.task for t in report.tasks][1] == "steel/crane_transport"
    assert not any("crane_transport" in s.name for t in report.tasks for s in t.drawn)
    read = Reader(report_html(report))
    ids = [value for name, value in read.found if name == "id"]
    assert len(ids) == len(set(ids))


def test_a_view_of_some_rows_is_told_as_what_it_is(dataset, tmp_path):
    part = shutil.copytree(dataset, tmp_path / "part")
    path = part / "dataset.json"
    manifest = json.loads(path.read_bytes())
    manifest["shards"][0]["rows"] = [[0, 2], [5, 6]]
    manifest["shards"] = manifest["shards"][:1]
    manifest |= {"episodes": 3, "derived": {"activity": "filter", "of": [], "query": "mass < 2 and <b>"}}
    manifest["sources"] = [{"dataset_id": "genba-feed", "seed": 3, "attempts": 16, "folder": "/secret/place"}]
    path.write_text(json.dumps(manifest))
    report = make(part)
    read = Reader(report_html(report))
    assert report.tasks[0].total == 3
    assert "filter" in read.text
    assert "mass < 2 and <b>" in read.text
    assert "genba-feed" in read.text
    assert "/secret/place" not in read.text


def test_a_filtered_dataset_shows_only_what_was_chosen(filmed, tmp_path):
    out = tmp_path / "good"
    manifest = filter_dataset(filmed, 'outcome == "success"', out)
    report = make(out)
    assert (report.checked.findings, report.tasks[0].total) == ((), manifest["episodes"])
    assert report.key[0].figure.en == percent(1.0)
    assert report.key[4].figure.en == "derived"
    clips = report.tasks[0].clips
    assert clips.successes
    assert not clips.others
    assert 'outcome == "success"' in Reader(report_html(report)).text


def test_imported_data_is_told_apart_and_never_drawn(genba, filmed, tmp_path):
    assert genba("export", "robomimic", filmed, tmp_path / "out").code == 0
    assert genba("import", "robomimic", tmp_path / "out" / "demo.hdf5", tmp_path / "in").code == 0
    report = make(tmp_path / "in", draw=True)
    assert report.key[4].figure.en == "imported"
    assert report.tasks[0].total == 4
    assert report.tasks[0].traced
    assert not report.tasks[0].clips.drawn
    assert "genba render" not in Reader(report_html(report)).text


def test_an_incomplete_dataset_and_an_empty_one_have_reports(dataset, tmp_path):
    part = shutil.copytree(dataset, tmp_path / "part")
    path = part / "dataset.json"
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps(manifest | {"complete": False, "shards": manifest["shards"][:1]}))
    report = make(part)
    assert report.tasks[0].total == 8
    assert report.key[4].verdict == "bad"
    path.write_text(json.dumps(manifest | {"complete": False, "shards": [], "episodes": 0, "steps": 0, "bytes": 0}))
    empty = make(part)
    assert not empty.tasks
    assert "no episodes yet" in Reader(report_html(empty)).text


def test_a_damaged_file_is_named_and_never_opened(filmed, tmp_path):
    copy = shutil.copytree(filmed, tmp_path / "damaged")
    shard = copy / "shards" / "shard-00000.h5"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(bytes(data))
    report = make(copy)
    assert not report.checked.ok
    assert "shard-00000.h5" in {row[1] for row in report.findings.rows}
    with Dataset(filmed) as d:
        shown = [c.row for c in (*report.tasks[0].clips.successes, *report.tasks[0].clips.others)]
        assert shown
        assert {int(d.places[row, 0]) for row in shown} == {1}
    assert report.tasks[0].total == 4


def test_what_was_measured_and_stated_before_is_repeated(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "set")
    path = copy / "dataset.json"
    manifest = json.loads(path.read_bytes())
    many = {f"p{k}": 0.5 + k / 100 for k in range(20)}
    manifest["quality"] = {"duplicate_rate": 0.25, "parameter_coverage": {"push": many}, "odd": {"x": 3}}
    manifest["governance"] = {"license": "CC-BY-4.0", "creator": "現場 <工場>"}
    path.write_text(json.dumps(manifest))
    read = Reader(report_html(make(copy)))
    for words in (
        "episodes that are there twice",
        "0.25",
        "mean 0.595 of 20; least 0.5 (push.p0)",
        "odd: x",
        "CC-BY-4.0",
        "現場 <工場>",
    ):
        assert words in read.text


def test_imported_data_without_phases_failures_or_distributions_has_a_report(dataset, monkeypatch):
    from generators.report import tasks

    real = tasks._about

    def bare(*args):
        about, problem = real(*args)
        drop = ("phases", "failures", "degradations", "features")
        return {k: v for k, v in about.items() if k not in drop}, problem

    monkeypatch.setattr(tasks, "_about", bare)
    monkeypatch.setattr(tasks, "_declared", lambda d, rows, names: {n: Declared("", "", ()) for n in names})
    report = make(dataset)
    assert not report.tasks[0].durations
    assert not report.columns[0][1]
    assert all(not one.strong for one in report.tasks[0].drawn)
    assert "The columns are not described." in Reader(report_html(report)).en


def test_the_snippets_run_as_they_stand(make_filmed, tmp_path, monkeypatch):
    out = tmp_path / "it's here"
    make_filmed(out, episodes=2, episodes_per_shard=2)
    monkeypatch.chdir(tmp_path)
    found = make(out).snippets
    assert len(found) == 3
    for snippet in found:
        values = {}
        exec(snippet.code, values)
        if "actions" in values:
            assert len(values["actions"]) > 0


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (3, 10), (10, 10), (950, 1000)])
def test_intervals_end_where_the_score_test_of_a_share_turns(successes, total):
    z = 1.959963984540054  # 97.5 % of the normal distribution
    share, ends = successes / total, wilson(successes, total)
    for end in ends:
        if 0 < end < 1:
            assert (share - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / total, rel=1e-6)
    assert ends[0] <= share <= ends[1]
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_parameter_that_decides_comes_first_and_chance_is_called_chance():
    rng = np.random.default_rng(5)
    n = 400
    values = {f"noise{k}": rng.uniform(size=n) for k in range(20)} | {"fixed": np.ones(n)}
    values["weight"] = rng.uniform(1, 3, n)
    values["kind"] = rng.choice(["a", "b"], n)
    endings = np.where(rng.uniform(size=n) < 1.3 - 0.4 * values["weight"], "success", "dropped")
    found = effects(values, endings)
    assert found[0].name == "weight"
    assert found[0].clear
    assert found[0].worst is found[0].bins[-1]
    assert not any(e.clear for e in found[1:])
    assert "fixed" not in [e.name for e in found]
    assert sum(b.total for b in found[0].bins) == n
    assert sum(sum(b.counts.values()) for b in found[0].bins) == n


def test_bins_hold_about_as_many_episodes_each_and_words_one_bin_each():
    endings = np.array(["success", "late"] * 50)
    sizes = [b.total for b in bins_of(np.arange(100.0), endings)]
    assert max(sizes) - min(sizes) <= 1
    assert [b.label for b in bins_of(np.array(["x", "y"] * 50), endings)] == ["x", "y"]
    assert [b.label for b in bins_of(np.array([2.0, 4.0] * 50), endings)] == ["2", "4"]
    assert bins_of(np.full(100, math.nan), endings) == ()


@pytest.mark.parametrize(
    "d",
    [Uniform(-1, 2), LogUniform(0.01, 10), Normal(1, 0.5, 0, 3), Choice((1.0, 1.0, 2.0)), Fixed(3.0), Uniform(2, 2)],
    ids=lambda d: d.kind,
)
def test_what_is_expected_is_the_distribution_that_was_declared(d):
    rng = np.random.default_rng(0)
    values = np.array([d.sample(rng) for _ in range(4000)])
    drawn = compare("x", values, Declared("m", "", ((1.0, d),)))
    assert drawn.counts.sum() == 4000
    assert drawn.expected.sum() == pytest.approx(4000, rel=1e-6)
    # five deviations of a count
    assert (np.abs(drawn.counts - drawn.expected) <= 5 * np.sqrt(drawn.expected + 1)).all()
    assert not drawn.off
    assert cumulative(((1.0, d),), np.array([-1e9, 1e9])).tolist() == [0.0, 1.0]


def test_what_was_not_drawn_as_asked_is_marked():
    rng = np.random.default_rng(0)
    asked = Declared("m", "", ((0.5, Uniform(0, 1)), (0.5, Uniform(1, 2))))
    assert not compare("x", rng.uniform(0, 2, 500), asked).off
    assert compare("x", rng.uniform(0, 1, 500), asked).off
    words = Declared("", "", ((1.0, Choice(("a", "b"))),))
    assert not compare("w", rng.choice(["a", "b"], 200), words).off
    assert compare("w", np.array(["a"] * 200), words).off
    assert compare("w", np.array(["a", "c"] * 2), words).off


def test_thinning_keeps_the_extremes():
    seconds = np.linspace(0, 1, 100_000)
    values = np.sin(seconds * 50)
    values[77_777] = 9.0
    values[5] = np.nan
    x, y = thin(seconds, values)
    assert len(x) <= 1000
    assert y.max() == 9.0
    assert (np.diff(x) > 0).all()


def test_numbers_are_written_with_the_digits_that_tell():
    assert [percent(s) for s in (0.0, 0.004, 0.5, 0.9996, 1.0)] == [
        f"{n}\u00a0%" for n in ("0", "0.4", "50", "99.9", "100")
    ]
    assert [number(v) for v in (0.0, 1204.0, 0.01321234, math.nan)] == ["0", "1,204", "0.01321", "–"]
    assert Text("a", "b").ja == "b"


def test_the_command_writes_the_file_and_ends_with_0_or_1(genba, dataset, filmed, tmp_path):
    out = tmp_path / "deep" / "report.html"
    result = genba("report", filmed, "--out", out, "--json", "--deep")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["bytes"] == out.stat().st_size
    assert told["ok"]
    copy = shutil.copytree(dataset, tmp_path / "set")
    (copy / "shards" / "stray.h5").write_bytes(b"")
    result = genba("report", copy, "--out", tmp_path / "b.html", "--lang", "ja", "--episodes", 1, 2)
    assert result.code == 1
    assert "stray.h5" in result.err
    assert "stray.h5" in (tmp_path / "b.html").read_text()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nowhere",), "is no dataset"),
        (("DATASET", "--episodes", "99"), "has episodes 0 to 15, not 99"),
        (("DATASET", "--out", "FILE/x.html"), "is no folder"),
    ],
)
def test_bad_input_is_answered_in_one_sentence_with_exit_code_2(genba, dataset, tmp_path, args, says):
    (tmp_path / "file").write_text("")
    known = {"DATASET": dataset, "FILE/x.html": tmp_path / "file" / "x.html"}
    result = genba("report", *(known.get(a, a) for a in args), *(() if "--out" in args else ("--out", tmp_path / "r")))
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_without_the_extra_one_sentence_says_what_to_install(genba, dataset, monkeypatch):
    found = render.importlib.util.find_spec
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None if name == "jinja2" else found(name))
    result = genba("report", dataset)
    assert result.code == 2
    assert result.err == "genba: reports need jinja2: pip install 'genba[report]'\n"
