"""The fault harness with a store: its network fails, its objects are damaged."""

import pytest

from generators.faults.campaign import conduct, make_place
from generators.faults.trials import Trial


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with make_place(7, tmp_path_factory.mktemp("faults") / "work", "s3") as made:
        yield made


@pytest.mark.parametrize(
    "names",
    [("store refuses",), ("store stalls",), ("store cuts",), ("store slow",), ("store unavailable",), ("store gone",)],
)
def test_a_store_that_fails_costs_nothing(place, names):
    outcome = conduct(
        place, Trial(abs(hash(names)) % 1000, "inline", (names, ("piece damaged", "leftovers", "shard flipped")))
    )
    assert outcome.broken == ()
