"""The measuring of Ray, memory and soaks works at tiny sizes; what it measures is published, not asserted."""

import json
import math
import os

import pytest

from generators.cli import main
from generators.speed.beside import BARE, SHARD, Piece, do, ray_round, two_processes
from generators.speed.memory import measure_memory
from generators.speed.processes import family
from generators.speed.soak import TENTHS, soak
from generators.speed.spans import Span, by_worker, pauses, rate, slope, windows

EXAMPLE = "new_scene:MyTask"
SPANS = [  # two workers; the first piece of each warms up
    Span(1, "a", 0.0, 1.0, 99.0),
    Span(1, "a", 1.5, 3.0, 10.0),
    Span(1, "a", 3.0, 5.0, 10.0),
    Span(2, "b", 0.0, 2.0, 99.0),
    Span(2, "a", 3.0, 7.0, 10.0),
]


def test_a_rate_counts_pauses_and_not_what_warms_up():
    assert rate(SPANS, "a") == pytest.approx(20 / 4 + 10 / 5)
    assert pauses(SPANS) == pytest.approx([0.5, 0.0, 1.0])
    assert rate([*SPANS, Span(3, "a", 0.0, 1.0, 99.0)], "a") == rate(SPANS, "a")
    with pytest.raises(ValueError, match="no worker did any 'b' after its first piece"):
        rate(SPANS, "b")


def test_windows_share_a_piece_among_them():
    assert windows([Span(1, "a", 0.0, 4.0, 8.0), Span(2, "a", 3.0, 5.0, 2.0)], 0.0, 4.0, 2) == pytest.approx([2.0, 2.5])


def test_a_slope_is_found_with_its_error():
    x = [k / 10 for k in range(400)]
    found, error = slope(x, [3 + 0.25 * a + 0.1 * (-1) ** k for k, a in enumerate(x)])
    assert found == pytest.approx(0.25, abs=1e-6)
    assert error < 1e-6  # the ripple averages out in each block
    found, error = slope(x, [0.0] * 399 + [1.0])
    assert 0 < found < 3 * error
    with pytest.raises(ValueError, match="three samples, got 2"):
        slope([0, 1], [0, 1])


def test_this_process_comes_first_in_its_family():
    found = family()
    assert found[0].pid == os.getpid()
    assert found[0].rss > 10
    assert found[0].computed > 0
    assert not found[0].works


def _one():
    return 1.0


def test_ray_and_two_processes_do_the_same_pieces():
    pieces = [Piece(BARE, _one)] * 4
    ours = ray_round(pieces, [Piece(SHARD, _one)] * 2)
    with two_processes() as processes:
        theirs = processes(pieces)
    assert len(ours.spans) == 10
    assert len(ours.latencies) == 9
    assert len(by_worker(ours.spans)) == 2  # however long the second takes to start
    assert min(ours.latencies) > 0
    assert len(by_worker(theirs)) == 2
    assert {s.worker for s in ours.spans}.isdisjoint({s.worker for s in theirs} | {os.getpid()})
    assert do(pieces[0]).amount == 1.0


def test_memory_is_told_of_the_driver_and_every_worker(root, monkeypatch):
    monkeypatch.chdir(root / "examples")
    found = list(measure_memory(EXAMPLE, 200))
    assert "memory of the driver" in found[0].name or "memory of the driver" in found[-1].name
    assert all(math.isfinite(f.value) for f in found)
    assert all(f"({p.pid})" not in f.name for f in found for p in family()[1:])  # Ray is gone


def test_a_soak_is_cut_into_tenths(root, monkeypatch):
    monkeypatch.chdir(root / "examples")
    found = soak(EXAMPLE, 0.05)
    assert len(found.rates) == len(found.reference) == TENTHS
    assert min(found.rates) > 0
    assert min(found.reference) > 0
    assert found.shards >= 4


def test_the_command_measures_ray_and_writes_json(genba, tmp_path):
    result = genba("bench", EXAMPLE, "--ray", "--quick", "--save", tmp_path / "ray.json")
    assert result.code == 0
    assert "two Ray workers / two bare processes" in result.out
    assert [f["target"] for f in json.loads((tmp_path / "ray.json").read_text())] == [">= 0.97", "<= 2", ">= 0.97"]
    assert genba("bench", EXAMPLE, "--soak", "-1").code == 2


def test_the_help_names_what_can_be_measured(capsys):
    assert main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(flag in out for flag in ("--ray", "--memory", "--soak", "--save"))
