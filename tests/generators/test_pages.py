"""The pages of tasks: what they hold, that they are whole and safe, and how `genba page` ends."""

import dataclasses
import html.parser
import json
import math
import re

import numpy as np
import pytest

from generators.description import accepted_text, describe, doc_parts
from generators.pages import measures, write
from generators.pages.facts import make_page
from generators.pages.measures import measure
from generators.pages.pictures import Pictures, draw
from generators.pages.plots import phase_plot, return_plot
from generators.paper import render
from scenes import anchors
from scenes.anchors import Law
from scenes.catalog import load_task
from sim.rollout import rollout

EXAMPLE = "new_scene:MyTask"
LAW = Law("weight", "W = m g", "statics", "N")
VOID = {"meta", "link", "img", "br", "hr", "use", "path", "rect"}


class Reader(html.parser.HTMLParser):
    """Collects a page's text, attributes and tags, and refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.found, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.found += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def task(request):
    return load_task(EXAMPLE, request.config.rootpath / "examples")


@pytest.fixture(scope="module")
def measured(task):
    shares = []
    found = measure(task, seeds=3, degraded=8, anchored=True, done=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return found


@pytest.fixture(scope="module")
def page(task, measured):
    return make_page(task, measured, draw(task, rollout(task, 0), measured.endings, 64))


def test_a_page_tells_all_that_is_described(task, page):
    read = Reader(write.page_html(page))
    facts = describe(task)
    for part in ("parameters", "channels", "signals", "actions", "observations"):
        for name, known in facts[part].items():
            assert name in read.text
            assert known["doc"] in read.text
    for name in (*facts["phases"], *facts["failures"], *facts["degradations"], *facts["cameras"]):
        assert name in read.text
    for text in task.instructions(task.Params()):
        assert ("lang", text) in read.found
    assert "3 of 3 in" in read.text
    assert "0 of 3" in read.text


def test_a_page_opens_offline_and_runs_nothing(page):
    for text in (write.page_html(page), write.index_html([page])):
        read = Reader(text)
        assert "script" not in read.tags
        assert not [name for name, _ in read.found if name.startswith("on")]
        for name, value in read.found:
            if name in ("src", "href", "xlink:href"):
                assert value.startswith(("data:", "#")) or value in ("index.html", page.file), value
        assert "@import" not in text
        assert "url(http" not in text
        ids = [value for name, value in read.found if name == "id"]
        assert len(ids) == len(set(ids))
        assert {value[1:] for name, value in read.found if name == "href" and value.startswith("#")} <= set(ids)


def test_a_page_shows_each_failure_that_was_seen_with_its_count(measured, page):
    assert {e.failure for e in measured.endings} == {
        way for _, way in measured.degraded if way in page.facts["failures"]
    }
    assert measured.endings
    assert sum(measured.degraded.values()) == 8
    if not page.pictures.problem:
        assert [p.title for p in page.pictures.failures] == [e.failure for e in measured.endings]


def test_text_of_authors_is_escaped(page):
    wild = dataclasses.replace(page, summary="<script>alert(1)</script> & more", parts=[("Task", "<img src=x>")])
    for text in (write.page_html(wild), write.index_html([wild])):
        assert "<script>" not in text
        assert "<img src=x>" not in text
        assert "&lt;script&gt;" in text


def test_the_same_figures_make_the_same_page(page):
    assert write.page_html(page) == write.page_html(page)


def test_an_anchor_that_is_missed_is_marked(task, measured):
    several = (LAW.near(100.0, 101.0, rel=0.05), LAW.near(100.0, 120.0, rel=0.05, case="heavy"))
    page = make_page(task, dataclasses.replace(measured, anchors={}), Pictures((), (), (), "none"))
    assert (page.missed, dict(page.key)["Anchors hold"]) == (0, "not measured")

    known = dataclasses.replace(page, tables={**page.tables, "anchors": [_table(several)]}, missed=1)

    text = write.page_html(known)
    assert '<span class="good">holds</span>' in text
    assert '<span class="bad">MISSED</span>' in text
    assert "+20 %" in text


def _table(several):
    from generators.pages.facts import _anchors

    return _anchors("Weights.", several)


def test_figures_are_whole_svg_in_the_pages_ink_and_the_same_every_time():
    means = np.array([[0.1, np.nan, 0.5], [0.2, 0.3, 0.6]])
    drawn = phase_plot(means, ["<go>", "turn", "stop"]), return_plot(range(3), [1.0, 2.0, 3.0], [0.1, -0.2, 0.3])

    assert drawn == (
        phase_plot(means, ["<go>", "turn", "stop"]),
        return_plot(range(3), [1.0, 2.0, 3.0], [0.1, -0.2, 0.3]),
    )
    for text in drawn:
        assert text.startswith("<svg")
        assert text.endswith("</svg>")
        assert "currentColor" in text
        assert "#010203" not in text
        assert "&lt;go&gt;" in text or "random policy" in text
        used = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", text))
        assert {a or b for a, b in used} == set(re.findall(r' id="([^"]+)"', text))


def test_a_docstring_is_split_where_a_line_names_its_subject():
    doc = "Push it.\n\nTask: a box\nlies there: on the floor.\n\nMore of it.\n\nSuccess: it moved.\nFailures: none."
    assert doc_parts(doc) == [
        ("", "Push it."),
        ("Task", "a box lies there: on the floor."),
        ("", "More of it."),
        ("Success", "it moved."),
        ("Failures", "none."),
    ]


@pytest.mark.parametrize(
    ("anchor", "text"),
    [
        (LAW.near(100.0, 1.0, rel=0.05), "± 5 (5 %)"),
        (LAW.near(0.0, 1.0, tol=0.002), "± 0.002"),
        (LAW.within(0.0, 1.0, 0.0, 0.3), "0 to 0.3"),
        (LAW.within(1.0, 1.0, -math.inf, 1.5), "at most 1.5"),
        (LAW.within(1.0, 1.0, 0.5, math.inf), "at least 0.5"),
    ],
)
def test_what_is_accepted_is_said_in_words(anchor, text):
    assert accepted_text(anchor) == text


def test_the_command_writes_a_page_a_task_and_an_index(genba, tmp_path):
    out = tmp_path / "pages"
    result = genba("page", EXAMPLE, "--seeds", 2, "--degraded", 2, "--width", 64, "--out", out, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert [p.name for p in sorted(out.iterdir())] == ["examples-push_billet.html", "index.html"]
    assert told == {"files": [str(out / "examples-push_billet.html"), str(out / "index.html")], "missed": {}}
    assert 'href="examples-push_billet.html"' in (out / "index.html").read_text()


def test_the_command_ends_with_1_where_an_anchor_is_missed(genba, tmp_path, monkeypatch):
    monkeypatch.setattr(anchors, "vouching", lambda name: {"weights": "Weights."})
    monkeypatch.setattr(measures, "measured", lambda module: (LAW.near(100.0, 120.0, rel=0.05),))
    args = ("page", EXAMPLE, "--seeds", 1, "--degraded", 0, "--no-pictures", "--out", tmp_path)
    result = genba(*args)
    assert result.code == 1
    assert "anchors hold: 0 of 1" in result.out
    assert "MISSED" in (tmp_path / "examples-push_billet.html").read_text()
    assert genba(*args, "--no-anchors").code == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("no/such_task",), "no task 'no/such_task'"),
        ((EXAMPLE, "--seeds", "0"), "--seeds takes 1 to 1000, got 0"),
        ((EXAMPLE, "--degraded", "-1"), "--degraded takes 0 to 1000, got -1"),
        ((EXAMPLE, "--width", "9999"), "--width takes 64 to 2048, got 9999"),
    ],
)
def test_bad_input_is_answered_in_one_sentence_with_exit_code_2(genba, args, says):
    result = genba("page", *args)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_a_file_in_the_place_of_the_folder_is_refused(genba, tmp_path):
    (tmp_path / "pages").write_text("")
    args = ("--seeds", 1, "--degraded", 0, "--no-pictures", "--no-anchors", "--out", tmp_path / "pages")
    result = genba("page", EXAMPLE, *args)
    assert result.code == 2
    assert "is no folder" in result.err


def test_without_the_extra_one_sentence_says_what_to_install(genba, monkeypatch):
    found = render.importlib.util.find_spec
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None if name == "jinja2" else found(name))
    result = genba("page", EXAMPLE)
    assert result.code == 2
    assert result.err == "genba: pages need jinja2: pip install 'genba[pages]'\n"
