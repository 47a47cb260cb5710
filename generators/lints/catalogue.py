"""Every lint there is: its name, what it holds a dataset to, how bad a breach is, and what must be run to see it.

A lint never changes its meaning; its name is what `--ignore` takes and what CI may rely on.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal, TypeAlias

from sim.errors import unknown

Severity = Literal["error", "warning"]
Level = Literal["quick", "deep", "replay"]


@dataclasses.dataclass(frozen=True, slots=True)
class Lint:
    """One thing that is checked.

    Attributes:
        id: its name.
        level: what sees it: every run (quick), --deep, or --replay.
        severity: an error makes exit code 1, a warning does not unless --strict.
        doc: what must hold, one sentence.
    """

    id: str
    level: Level
    severity: Severity
    doc: str


_Rows: TypeAlias = tuple[tuple[str, Severity, str], ...]

_QUICK: _Rows = (
    ("manifest", "error", "dataset.json can be read and its totals are the sums of its shards."),
    ("version", "error", "Every file is of a format version that this program knows."),
    ("incomplete", "error", "The dataset and its cameras are complete."),
    ("missing", "error", "Every file that is listed is there."),
    ("link", "error", "No file is a link out of the dataset."),
    ("stray", "error", "Every file beside the shards and pictures is listed."),
    ("temporary", "error", "No killed writer left a file."),
    ("sums", "error", "SHA256SUMS and dataset.json list the same files with the same hashes."),
    ("hash", "error", "Every file has the hash that is listed; the damaged columns are named."),
    ("plan", "error", "plan.json can be read and agrees with dataset.json."),
    ("cards", "warning", "The cards, Croissant and provenance that are there were made from this dataset.json."),
    ("split", "error", "The parts of a split are those that split.json lists, and come from the same episodes."),
)
_DEEP: _Rows = (
    ("structure", "error", "Every file can be read, and holds nothing that ours never hold."),
    ("content-hash", "error", "The hash of a shard's decoded columns is the one that is listed."),
    ("origin", "error", "A shard's dataset, physics, task and versions are those that dataset.json names."),
    ("counts", "error", "Episodes, steps, outcomes and pictures are as many as dataset.json and the root say."),
    ("schema", "error", "Every column of the format is there with its type, shape and attributes, and no other."),
    ("unit-missing", "warning", "Every action, observation, stream and numeric parameter has a unit."),
    ("rows", "error", "The index says where every row belongs: the episodes' rows follow each other."),
    ("not-finite", "error", "Every number is finite."),
    ("codes", "error", "Outcomes, fail codes, expert modes, phases and task numbers have names."),
    ("ids", "error", "Every planned episode is there once."),
    ("seed", "error", "Every episode's seed is what the root seed and its number give."),
    ("time-order", "error", "Time starts at or after 0 and increases."),
    ("time-jitter", "error", "Samples are as far apart as their rate says."),
    ("length", "error", "No episode is longer than the task's horizon, and one that timed out is as long."),
    ("flags", "error", "Episodes end on their last rows, as their outcomes say."),
    ("outcome", "error", "Outcome, fail code, error and the last step's success agree."),
    ("return", "error", "A return is the sum of its episode's rewards."),
    ("phase-order", "warning", "An episode comes to the task's phases in their order."),
    ("unknown-parameter", "error", "Every parameter says which distribution it was drawn from."),
    ("parameter-out-of-range", "error", "Every parameter is inside of its distribution."),
    ("instruction-missing", "error", "Every episode that has steps has its work order in English and Japanese."),
    ("instruction-language", "error", "Japanese work orders hold Japanese, English ones do not."),
    ("duplicate-episode", "error", "No two episodes have the same actions and observations."),
    ("off-by-one", "error", "Observations and actions are those of their own control step, not of the one beside."),
    ("all-zero-actions", "warning", "No episode of more than 10 steps has nothing but zeros as actions."),
    ("action-out-of-bounds", "error", "Actions are inside of their bounds."),
    (
        "saturated-action",
        "warning",
        "At most half of an action's values, other than an on-off one's, are at its bounds.",
    ),
    ("observation-out-of-bounds", "error", "Observations are inside of their bounds."),
    ("clipped-channel", "warning", "At most 5 % of an observation's or a sensor's values are at its bounds."),
    ("zero-variance", "warning", "Observations and actions, but for bits, are not the same number everywhere."),
    ("frozen-observation", "warning", "What moves in most episodes does not stand still in a long one."),
    ("dropout-rate", "warning", "At most 20 % of a noisy sensor's samples repeat the one before."),
    ("table-differs", "error", "episodes.parquet says what the shards say, row by row."),
    ("stats-differ", "error", "stats.json and the shards' own statistics are those of the data, within 1e-9."),
    ("missing-media", "error", "Every episode has the pictures that its steps and the camera's rate ask for."),
    ("media-origin", "error", "Pictures belong to their shard and were recorded as dataset.json says."),
    ("media-step", "error", "Pictures are at the steps and times that their rate gives."),
    ("media-pose", "error", "A camera's pose is a rotation and translation, its focal length a positive number."),
    ("media-picture", "error", "Every picture opens."),
    ("split-leak", "error", "No episode, nor its twin, is in two parts of a split."),
)
_REPLAY: _Rows = (
    ("replay", "error", "Episodes replay bit for bit."),
    ("model", "error", "The task builds the model that was recorded."),
    ("success-on-replay", "error", "Judged again, replayed states give the recorded success, outcome and fail code."),
    ("media-replay", "error", "Pictures drawn again from the recorded states are the same."),
)
LEVELS: dict[Level, _Rows] = {"quick": _QUICK, "deep": _DEEP, "replay": _REPLAY}
LINTS = {id_: Lint(id_, level, severity, doc) for level, rows in LEVELS.items() for id_, severity, doc in rows}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        shard: the shard's name; another file's path in the dataset; "" for the dataset as a whole.
        column: the column's path, or "".
        message: what is wrong.
        lint: which lint found it.
    """

    shard: str
    column: str
    message: str
    lint: str

    def __post_init__(self) -> None:
        assert self.lint in LINTS, self.lint

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.shard, self.column) if part)
        return f"{place}: {self.message}" if place else self.message

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return LINTS[self.lint].severity


def known_lints(names: Iterable[str]) -> frozenset[str]:
    """Return lints by name.

    Raises:
        UnknownNameError: there is none of a name.
    """
    found = frozenset(names)
    for name in sorted(found):
        if name not in LINTS:
            raise unknown("lint", name, LINTS)
    return found
