"""`genba preview`: what is chosen, where things go, that text stays in its box, and what comes out of a dataset."""

import dataclasses
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from generators.dataset import Dataset
from generators.preview import lettering
from generators.preview.board import MARGIN, Board, figure, lay_out, polyline, value_range
from generators.preview.drawing import fit, flow, legend_height, nearest_picture, spans, write_work_order
from generators.preview.facts import Facts, Phase, Trace, choose_traces, find_phases, phase_at, read_facts, read_traces
from generators.preview.footage import Colours
from generators.preview.palette import class_colours, depth_picture, outcome_colour, phase_colour
from generators.preview.sheet import Row, draw_sheet, pick_times
from generators.preview.write import Source, Wanted, choose_episodes, choose_speed, make_sheet, video_times
from sim.errors import UnknownNameError
from sim.render import renderer

EXAMPLE = "new_scene:MyTask"
LONG = "Push the very long billet to the mark at the far end of the table. " * 12
JAPANESE = "長さ0.45 mのビレットを、先端が1.13 mの印に合うまで押してください。" * 6


class FakePane:
    """Pictures of one colour."""

    def __init__(self, width=128, height=96, kind="rgb", count=20):
        self.camera, self.kind, self.shape = "overview", kind, (height, width, 3)
        self.seconds = np.arange(count) * 0.1
        self.legend = tuple((f"a class {i}", phase_colour(i)) for i in range(14)) if kind == "segmentation" else ()

    def picture(self, i):
        return np.full(self.shape, 10 * i, np.uint8)


@pytest.fixture
def facts():
    phases = (Phase("approach", 0, 0.0, 0.2), Phase("push", 1, 0.2, 1.6), Phase("", -1, 1.6, 2.0))
    order = {"en": "Push the billet.", "ja": "ビレットを押してください。"}
    return Facts(3, "tests/push", "genba-0", "failure", "overshot", "rushed", order, 2.0, phases)


@pytest.fixture(scope="module")
def made(tmp_path_factory, request):
    """A small dataset of the example without pictures."""
    from generators import cli

    out = tmp_path_factory.mktemp("preview") / "data"
    patch = pytest.MonkeyPatch()
    patch.chdir(request.config.rootpath / "examples")
    assert cli.main(["generate", EXAMPLE, "--episodes", "3", "--executor", "inline", "--out", str(out)]) == 0
    patch.undo()
    return out


def trace(values, name="force", unit="N"):
    values = np.asarray(values, float).reshape(len(values), -1)
    return Trace(name, unit, tuple(str(i) for i in range(values.shape[1])), np.arange(len(values)) / 100, values)


# --- what is chosen


def test_phases_are_put_together_from_the_codes_of_steps():
    found = find_phases(np.array([0, 0, 1, 1, 1, -1]), ("go", "stop"), 0.5)
    assert found == (Phase("go", 0, 0.0, 1.0), Phase("stop", 1, 1.0, 2.5), Phase("", -1, 2.5, 3.0))
    assert phase_at(found, 1.0) == found[1]
    assert phase_at(found, 99.0) == found[2]
    assert phase_at((), 1.0) is None


def test_every_phase_gets_a_picture_where_there_are_enough(facts):
    times = pick_times(facts.phases, facts.duration, 6)
    assert times == sorted(times)
    assert times[-1] == facts.duration
    assert len(times) == 6
    assert {phase_at(facts.phases, t) for t in times} == set(facts.phases)


def test_with_few_pictures_the_longest_phases_are_shown(facts):
    assert [phase_at(facts.phases, t).name for t in pick_times(facts.phases, facts.duration, 2)] == ["push", ""]
    assert pick_times((), 3.0, 3) == [0.0, 1.5, 3.0]
    assert pick_times(facts.phases, 2.0, 1) == [0.0]


def test_successes_come_first_and_each_way_to_fail_is_there(dataset):
    with Dataset(dataset) as data:
        numbers = choose_episodes(data, 8)
        outcomes, failures, lengths = (data.values(n) for n in ("outcome", "failure", "length"))
    kinds = {(outcomes[i], failures[i]) for i in range(len(outcomes)) if lengths[i]}
    assert {(outcomes[i], failures[i]) for i in numbers} == kinds
    assert [outcomes[i] for i in numbers] == sorted((outcomes[i] for i in numbers), key=lambda o: (o != "success", o))
    assert len(set(numbers)) == len(numbers) <= 8
    assert all(lengths[i] for i in numbers)


def test_short_episodes_play_in_real_time_and_long_ones_within_half_a_minute():
    assert choose_speed(12.0) == 1.0
    assert choose_speed(30.0) == 1.0
    assert choose_speed(31.0) == 2.0
    assert 190 / choose_speed(190.0) <= 30.0


def test_a_video_stays_at_the_end_for_a_while():
    times = video_times(1.0, 2.0, 10.0)
    assert times[:3] == pytest.approx([0.0, 0.2, 0.4])
    assert times[-15:] == [1.0] * 15


def test_telemetry_that_moves_is_chosen_before_noise_drift_and_bits():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, 500)
    wave, drift = np.sin(9 * t), trace(t, "drift", "degC")
    noise, bit = trace(rng.normal(size=500), "noise", "A"), trace(t > 0.5, "bit", "1")
    force, place, again = trace(wave, "force"), trace(wave + 1, "place", "m"), trace(wave + 0.01 * t, "again", "m")
    assert [c.name for c in choose_traces([bit, drift, noise, place, again, force], 3)] == ["force", "again", "place"]
    assert choose_traces([trace(np.ones(50))], 3) == ()


def test_a_channel_or_its_part_is_read_by_name(dataset):
    with Dataset(dataset) as data:
        episode = next(e for e in data if len(e))
        (pos,) = read_traces(episode, ["pos"])
        (part,) = read_traces(episode, ["pos.1"])
        np.testing.assert_array_equal(part.values[:, 0], pos.values[:, 1])
        assert (pos.unit, pos.values.shape[1]) == ("m", 3)
        with pytest.raises(UnknownNameError, match="did you mean 'force'"):
            read_traces(episode, ["forse"])
        with pytest.raises(UnknownNameError, match="part of the channel 'pos'"):
            read_traces(episode, ["pos.9"])


def test_facts_say_how_an_episode_ended(dataset):
    with Dataset(dataset) as data:
        for episode in data:
            found = read_facts(episode)
            assert found.outcome == episode.outcome.name.lower()
            assert found.duration == len(episode) * 0.05
            assert not found.phases or found.phases[-1].end == pytest.approx(found.duration)
            assert found.verdict.startswith(found.outcome.replace("_", " "))


# --- where things go


@pytest.mark.parametrize(("size", "box"), [((128, 96), (256, 256)), ((640, 480), (256, 256)), ((50, 300), (256, 200))])
def test_pictures_keep_their_shape_and_fit(size, box):
    width, height = fit(*size, box)
    assert width <= box[0]
    assert height <= box[1]
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


def test_the_bar_of_phases_has_no_gaps_and_shows_the_shortest():
    phases = (Phase("a", 0, 0.0, 1.0), Phase("b", 1, 1.0, 1.0001), Phase("c", 2, 1.0001, 10.0))
    found = spans(phases, 10.0, 500)
    assert found[0][0] == 0
    assert found[-1][1] == 500
    assert all(end > first for first, end, _ in found)


def test_legends_flow_into_lines():
    places = flow([40] * 5, 100, 200)
    assert [line for _, line in places] == [0, 0, 1, 1, 1]
    assert all(x + 40 <= 200 for x, _ in places)
    assert flow([500], 0, 200) == [(0, 0)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["rgb", "segmentation"])
def test_nothing_on_a_board_overlaps_and_its_size_is_even(count, kind, facts):
    panes = [FakePane(kind=kind) for _ in range(count)]
    found = lay_out(panes, facts.instruction, 3)
    width, height = found.size
    assert width % 2 == height % 2 == 0
    boxes = [*found.panes, found.bar, *found.strips]
    boxes += [(x, y - legend_height(p, r - x), r, y) for p, (x, y, r, _) in zip(panes, found.panes, strict=True)]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert MARGIN <= left < right <= width - MARGIN
        assert MARGIN <= top < bottom <= height - MARGIN
        for other in boxes[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    assert all(b[3] <= found.order <= found.bar[1] for b in found.panes)


def test_the_picture_of_a_moment_is_the_last_one_taken():
    seconds = np.array([0.0, 0.2, 0.4])
    assert [nearest_picture(seconds, t) for t in (0.0, 0.19, 0.2, 0.39, 9.0)] == [0, 0, 1, 1, 2]


def test_a_line_keeps_the_peaks_of_dense_samples():
    values = np.zeros(100_000)
    values[777] = 5.0
    points = polyline(np.linspace(0, 10, 100_000), values, (10.0, 0.0, 5.0), (600, 90))
    assert len(points) < 1000
    assert min(y for _, y in points) == 0.0
    assert value_range(np.array([np.nan]))[0] < 0 < value_range(np.array([np.nan]))[1]


def test_figures_are_as_long_as_they_must_be():
    assert figure(23049.7, 60000.0) == "23,000"
    assert figure(-1e-9, 0.3) == "0.000"
    assert figure(2.5, 4.0) == "2.50"
    assert figure(float("nan"), 1.0) == "none"


# --- text and colours


@pytest.mark.parametrize("text", [LONG, JAPANESE, "word" * 80, "a" * 3 + " " + "b" * 300])
@pytest.mark.parametrize("width", [60, 333])
def test_no_line_is_wider_than_its_box(text, width):
    for lines in (0, 2):
        found = lettering.wrap(text, 16, width, lines=lines)
        assert all(lettering.text_width(line, 16) <= width for line in found)
        assert not lines or len(found) <= lines
    whole = "".join(lettering.wrap(text, 16, width)).replace(" ", "")
    assert whole == text.replace(" ", "")
    assert lettering.wrap(text, 16, width, lines=2)[-1].endswith("...")


def test_japanese_lines_do_not_begin_with_a_mark():
    if not lettering.japanese_font():
        pytest.skip(lettering.INSTALL_JAPANESE)
    for width in range(40, 400, 7):
        assert not any(line[0] in "、。)" for line in lettering.wrap(JAPANESE, 16, width))


def test_a_work_order_is_written_inside_its_box(facts):
    image = Image.new("RGB", (700, 400), (255, 255, 255))
    order = dataclasses.replace(facts, instruction={"en": LONG, "ja": JAPANESE})
    high = write_work_order(ImageDraw.Draw(image), order, (50, 40), 600, 3)
    left, top, right, bottom = Image.eval(image.convert("L"), lambda v: 255 - v).getbbox()
    assert 50 <= left < right <= 650
    assert 40 <= top < bottom <= 40 + high


def test_without_a_japanese_font_the_japanese_line_is_left_out_and_nothing_is_an_empty_box(facts, monkeypatch):
    monkeypatch.setattr(lettering, "_candidates", lambda: iter(()))
    for cached in (lettering.japanese_font, lettering._number, lettering._font):
        cached.cache_clear()
    try:
        assert lettering.japanese_font() is None
        assert not lettering.can_write("吊り上げ")
        assert lettering.can_write("1751 x 1334 mm")
        image = Image.new("RGB", (700, 100), (255, 255, 255))
        order = dataclasses.replace(facts, instruction={"ja": JAPANESE})
        assert write_work_order(ImageDraw.Draw(image), order, (0, 0), 700) == 0
        assert list(lettering._runs("吊 µ")) == [(0, "? u")]
    finally:
        monkeypatch.undo()
        for cached in (lettering.japanese_font, lettering._number, lettering._font):
            cached.cache_clear()


def test_depth_is_light_near_dark_far_and_grey_where_there_is_nothing():
    near, far, nothing = depth_picture(np.array([[100, 900, 0]], np.uint16), 100, 900)[0].astype(int)
    assert near.sum() > far.sum()
    assert len({tuple(near), tuple(far), tuple(nothing)}) == 3


def test_a_segmentation_is_coloured_by_class_with_a_legend_of_what_is_seen():
    known = [("background", "background"), ("arm", "robot"), ("hand", "robot"), ("pin", "peg"), ("far", "wall")]
    picture = np.array([[0, 1], [2, 3]], np.uint16)
    colours = Colours("segmentation", [picture], 1.0, known)
    assert [label for label, _ in colours.legend] == ["background", "robot", "peg"]
    table, classes = class_colours(known)
    assert tuple(table[1]) == classes["robot"]
    assert len(np.unique(colours.apply(picture).reshape(-1, 3), axis=0)) == 4
    assert colours.apply(np.array([[60000]], np.uint16)).shape == (1, 1, 3)


def test_outcomes_have_colours_of_their_own():
    names = ("success", "failure", "timeout", "unstable", "task_error")
    assert len({outcome_colour(n) for n in names}) == len(names)


# --- what comes out


def test_a_board_shows_the_lines_up_to_now_and_the_verdict_at_the_end(facts):
    wave = trace(np.sin(np.linspace(0, 9, 200)))
    board = Board(facts, [wave], [FakePane()])
    start, middle, end = (board.at(t) for t in (0.0, 1.0, 2.0))
    left, top, right, bottom = board.layout.strips[0]
    x = board.column(1.0)
    assert not np.array_equal(start[top:bottom, left + 3 : x - 3], middle[top:bottom, left + 3 : x - 3])
    np.testing.assert_array_equal(start[top:bottom, x + 3 : right - 3], middle[top:bottom, x + 3 : right - 3])
    x, y = board.layout.panes[0][:2]
    assert (middle[y + 5, x + 5] == 100).all()
    assert (end[y + 20, x + 40] == outcome_colour("failure")).all()
    np.testing.assert_array_equal(middle, Board(facts, [wave], [FakePane()]).at(1.0))


def test_a_sheet_grows_by_a_block_an_episode_also_one_of_length_0(facts):
    nothing = dataclasses.replace(facts, duration=0.0, phases=(), outcome="task_error", failure="")
    one = draw_sheet([Row(facts, (FakePane(),))], 4)
    both = draw_sheet([Row(facts, (FakePane(), FakePane(kind="segmentation"))), Row(nothing, ())], 4)
    assert both.width == one.width
    assert both.height > one.height


def test_a_dataset_without_pictures_gets_a_sheet_and_a_video(genba, made, tmp_path):
    out = tmp_path / "out"
    result = genba("preview", made, "--out", out, "--episode", 0, "--fps", 5, "--json")
    assert result.code == 0, result.err
    assert [p.rpartition("/")[2] for p in json.loads(result.out)["files"]] == ["sheet.png", "episode-00000.mp4"]
    assert Image.open(io.BytesIO((out / "sheet.png").read_bytes())).width > 1000
    iio = pytest.importorskip("imageio.v3")
    frames = iio.imread(out / "episode-00000.mp4", plugin="pyav")
    assert frames.ndim == 4
    assert frames[0].std() > 10
    assert not np.array_equal(frames[0], frames[-1])


def test_the_bytes_of_a_sheet_are_the_same_each_time(made):
    with Dataset(made) as data:
        first, second = (make_sheet(Source(data), [0, 1], Wanted(columns=3), lambda: None) for _ in range(2))
    assert first == second
    assert Image.open(io.BytesIO(first)).format == "PNG"


def test_recorded_pictures_are_shown_as_they_were_recorded(genba, tmp_path, root):
    out = tmp_path / "data"
    task = "steel/crane_transport"
    args = ("--episodes", 1, "--executor", "inline", "--camera", "overview", "--size", "64x48", "--rate-hz", 5)
    done = genba("generate", task, *args, "--kinds", "depth,segmentation", "--out", out)
    assert done.code == 0, done.err
    result = genba("preview", out, "--no-video")
    assert result.code == 0, result.err
    assert (tmp_path / "data-preview" / "sheet.png").stat().st_size > 10_000
    result = genba("preview", out, "--no-video", "--camera", "overvew")
    assert (result.code, result.err) == (2, "genba: no camera 'overvew'; did you mean 'overview'?\n")
    assert "no kind of picture 'rgb'" in genba("preview", out, "--no-video", "--kind", "rgb").err
    assert genba("validate", out).code == 0


def test_without_the_video_package_the_sheet_is_made_and_the_exit_code_is_1(genba, made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    result = genba("preview", made, "--out", tmp_path / "out", "--episode", 1)
    assert result.code == 1
    assert "pip install 'genba[video]'" in result.err
    assert (tmp_path / "out" / "sheet.png").exists()


def test_without_opengl_depth_and_segmentation_are_drawn(made, monkeypatch):
    import sim.render

    monkeypatch.setattr(sim.render, "renderer", lambda: renderer("rays"))
    with Dataset(made) as data:
        sheet = make_sheet(Source(data), [0], Wanted(columns=2), lambda: None)
    assert Image.open(io.BytesIO(sheet)).height > 400


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--episode", 9), "has episodes 0 to 2, not 9"),
        (("--camera", "overvew"), "no camera 'overvew'; did you mean 'overview'?"),
        (("--channel", "forse"), "no channel 'forse'; did you mean 'force'?"),
        (("--columns", 0), "--columns takes 1 to 40"),
        (("--fps", 0), "--fps takes 1 to 120"),
        (("--speed", -1), "--speed takes"),
        (("--kind", "colour"), "no kind of picture 'colour'"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(genba, made, tmp_path, args, says):
    result = genba("preview", made, "--out", tmp_path / "out", *args)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_no_dataset_is_refused_and_help_has_examples(genba, tmp_path):
    assert "is no dataset" in genba("preview", tmp_path).err
    assert "Examples:\n  genba preview" in genba("preview", "--help").out


# --- the panel of genba view


def test_view_puts_recorded_pictures_and_the_chart_into_a_panel(made):
    from generators.commands import view

    recording = view.record(view.Options(str(made), episode=1))
    chart, top = recording.board.chart()
    assert chart.shape[2] == 3
    assert 0 < top < chart.shape[0]
    assert recording.board.panes == ()
    recording.dataset.close()
    with pytest.raises(view.ViewError, match="genba render"):
        view.record(view.Options(str(made), episode=1, camera=("overview",)))


def test_the_panel_sends_a_picture_once_and_another_when_its_time_has_come(facts, monkeypatch):
    from mujoco.studio import messages

    from generators.commands import _studio

    sent, names = [], iter(range(1, 99))

    class Viewer:
        data = type("Data", (), {"time": 5.0})

        def upload_image(self, texture, data, width, height, depth):
            assert len(data) == width * height * depth
            sent.append((texture, width, height))
            return texture or next(names)

    class Nothing:
        def __getattr__(self, name):
            return lambda *args, **kwargs: type("It", (), {"x": 500.0, "y": 500.0})()

    screen = Nothing()
    screen.Cond = type("Cond", (), {"FirstUseEver": 4})
    screen.WindowFlags = type("Flags", (), {"NoSavedSettings": 1, "NoFocusOnAppearing": 2})()
    screen.Begin = lambda name, opened, flags: (opened, opened)
    screen.GetWindowDrawList = lambda: type("List", (), {"AddLine": lambda *a: None})()
    monkeypatch.setattr(_studio, "imgui", screen)
    panel = _studio.Panel(Board(facts, [], [FakePane(), FakePane()], widths=(560, 560)), start=5.0)
    panel._viewer = Viewer()
    event = messages.BuildGuiEvent()
    panel._on_gui(event)
    assert [(t, w, h) for t, w, h in sent[:2]] == [(0, 128, 96)] * 2
    assert len(sent) == 3
    panel._on_gui(event)
    assert len(sent) == 3
    Viewer.data.time = 5.35
    panel._on_gui(event)
    assert [t for t, *_ in sent[3:]] == [1, 2]
    screen.Begin = lambda name, opened, flags: (False, False)
    panel._on_gui(event)
    Viewer.data.time = 6.0
    panel._on_gui(event)
    assert len(sent) == 5
