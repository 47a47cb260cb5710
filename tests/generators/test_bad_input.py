"""Bad input: each gets one sentence on stderr, the right exit code, no traceback, and nothing is lost."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from generators import driver
from generators.config import make_config

ROOT = Path(__file__).parents[2]
TASK = "new_scene:MyTask"

# case -> (YAML text or None, arguments; {tmp} is an empty folder, {yaml} the text's file), exit code, words of the sentence
CASES = {
    "no command": (None, ["generat", TASK], 2, "did you mean 'generate'"),
    "no such flag": (None, ["generate", TASK, "--episods", "3"], 2, "episods"),
    "flag of the wrong type": (None, ["generate", TASK, "--episodes", "many"], 2, "many"),
    "no such executor": (None, ["generate", TASK, "--executor", "slurm"], 2, "slurm"),
    "unknown task": (None, ["generate", "steel/crane_cole"], 2, "did you mean 'steel/crane_coil'"),
    "unknown task to describe": (None, ["describe", "steel/crane_cole"], 2, "did you mean 'steel/crane_coil'"),
    "unknown module": (None, ["generate", "no_scene:MyTask"], 2, "no_scene"),
    "unknown class": (None, ["generate", "new_scene:MyTusk"], 2, "did you mean 'MyTask'"),
    "a class that is no task": (None, ["generate", "new_scene:BilletParams"], 2, "BilletParams"),
    "missing file": (None, ["generate", "{tmp}/none.yaml"], 2, "No such file"),
    "unknown key": ("task: new_scene:MyTask\nepisods: 3\n", ["generate", "{yaml}"], 2, "did you mean 'episodes'"),
    "unknown key of a task": (
        "tasks: [{task: a/b, episods: 3}]\n",
        ["generate", "{yaml}"],
        2,
        "did you mean 'episodes'",
    ),
    "a tag": ("task: !!python/object/apply:os.getcwd []\n", ["generate", "{yaml}"], 2, "no plain YAML"),
    "broken YAML": ("task: [\n", ["generate", "{yaml}"], 2, "no plain YAML"),
    "a list instead of a mapping": ("- task\n", ["generate", "{yaml}"], 2, "mapping"),
    "a key twice": ("task: a/b\ntask: a/c\n", ["generate", "{yaml}"], 2, "twice"),
    "neither task nor tasks": ("episodes: 3\n", ["generate", "{yaml}"], 2, "either 'task' or 'tasks'"),
    "no episodes": (None, ["generate", TASK, "--episodes", "0"], 2, "greater than or equal to 1"),
    "negative episodes": (None, ["generate", TASK, "--episodes", "-3"], 2, "greater than or equal to 1"),
    "far too many episodes": (None, ["generate", TASK, "--episodes", "999999999999"], 2, "less than or equal to"),
    "episodes as a word": ("task: new_scene:MyTask\nepisodes: ten\n", ["generate", "{yaml}"], 2, "episodes"),
    "negative seed": (None, ["generate", TASK, "--seed", "-1"], 2, "seed"),
    "no workers": (None, ["generate", TASK, "--workers", "0"], 2, "workers"),
    "a share over one": (None, ["generate", TASK, "--degraded", "1.5"], 2, "degraded"),
    "unknown parameter": (None, ["generate", TASK, "--set", "frictoin=0.2"], 2, "did you mean 'friction'"),
    "unknown part": (None, ["generate", TASK, "--set", "friction.lo=0.2"], 2, "did you mean 'low'"),
    "a range reversed": (None, ["generate", TASK, "--set", "length.low=0.9"], 2, "low <= high"),
    "a word for a number": (None, ["generate", TASK, "--set", "friction=slippery"], 2, "takes a number"),
    "not finite": (None, ["generate", TASK, "--set", "friction=.nan"], 2, "finite"),
    "no value": (None, ["generate", TASK, "--set", "friction"], 2, "NAME=VALUE"),
    "unknown distribution": (None, ["generate", TASK, "--set", "friction={kind: gauss}"], 2, "no distribution 'gauss'"),
    "out is a file": ("x", ["generate", TASK, "--out", "{yaml}"], 2, "is a file"),
    "out holds something else": ("x", ["generate", TASK, "--out", "{tmp}"], 2, "not empty"),
    "resume nothing": (None, ["resume", "{tmp}"], 2, "no plan"),
    "info of nothing": (None, ["info", "{tmp}"], 2, "{tmp}"),
    "validate nothing": (None, ["validate", "{tmp}"], 2, "{tmp}"),
    "view nothing": (None, ["view", "{tmp}"], 2, "{tmp}"),
    "Ray elsewhere without a token": (
        None,
        ["generate", TASK, "--ray-address", "10.0.0.1:6379", "--out", "{tmp}/d"],
        3,
        "RAY_AUTH_TOKEN",
    ),
}


def filled(text, places):
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    return text


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_sentence_and_the_right_code(case, genba, tmp_path):
    text, args, code, words = CASES[case]
    places = {"tmp": str(tmp_path), "yaml": str(tmp_path / "config.yaml")}
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    before = sorted(p.name for p in tmp_path.iterdir())
    result = genba(*[filled(a, places) for a in args])
    assert result.code == code, result
    assert filled(words, places) in result.err + result.out
    assert "Traceback" not in result.err
    if "flag" not in case and "executor" not in case:  # the flag parser prints a box of its own
        assert result.err.startswith("genba: ")
        assert result.err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "d") == before


def test_at_least_thirty_kinds_of_bad_input_are_tried():
    assert len(CASES) >= 30


RAISING = """
from new_scene import BilletParams, MyTask
from sim.task import Task
import numpy as np

members = {{k: v for k, v in vars(MyTask).items() if k not in ("__dict__", "__weakref__", "_abc_impl", "__abstractmethods__")}}

def {method}(self, *args, **kwargs):
    {body}

Broken = type("Broken", (Task,), members | {{"{method}": {method}, "name": "examples/broken"}})
"""


def run_broken(method, body, root, tmp_path):
    (tmp_path / "broken.py").write_text(RAISING.format(method=method, body=body))
    script = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(root / "examples")!r})
        from generators.cli import main
        sys.exit(main(["generate", "broken:Broken", "--episodes", "4", "--executor", "inline", "--out", "data"]))
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("build", "raise ValueError('no steel')", "ValueError: no steel"),
        ("observe", "raise KeyError('mark')", "KeyError: 'mark'"),
        ("observe", "return {'x': self.state}", "AttributeError"),
    ],
)
def test_a_task_that_cannot_even_start_is_bad_input(method, body, words, root, tmp_path):
    code, sentence = run_broken(method, body, root, tmp_path)
    assert code == 2
    assert sentence.startswith("genba: task 'examples/broken' does not work at nominal parameters: ")
    assert words in sentence
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("expert", "raise RuntimeError('strike')", "RuntimeError: strike"),
        ("expert", "yield np.array([np.nan]), 'push'", "must be finite"),
        ("expert", "yield np.zeros(3), 'push'", "needs shape (1,)"),
        ("expert", "yield np.zeros(1), 'psh'", "did you mean 'push'"),
        ("success", "raise ZeroDivisionError", "ZeroDivisionError"),
        ("instructions", "raise OSError('no words')", "no words"),
    ],
)
def test_a_task_that_always_raises_stops_after_the_first_shard_and_says_where(method, body, words, root, tmp_path):
    code, sentence = run_broken(method, body, root, tmp_path)
    assert code == 1
    assert sentence.startswith(
        "genba: every episode of the first shard raised: task 'examples/broken', episode 0, seed "
    )
    assert words in sentence


def test_a_folder_that_cannot_be_written_is_the_machines_fault(genba, tmp_path):
    result = genba("generate", TASK, "--episodes", "1", "--out", "/proc/genba")
    assert result.code == 3
    assert "cannot write to /proc/genba" in result.err


def test_a_dataset_in_the_way_is_kept_unless_overwritten(genba, tmp_path):
    out = tmp_path / "data"
    few = ("--episodes", "2", "--executor", "inline", "--out", out)
    assert genba("generate", TASK, *few).code == 0
    sums = (out / "SHA256SUMS").read_text()
    again = genba("generate", TASK, *few)
    assert (again.code, "genba resume" in again.err) == (2, True)
    other = genba("generate", TASK, *few, "--seed", "5")
    assert (other.code, "another dataset" in other.err) == (2, True)
    assert (out / "SHA256SUMS").read_text() == sums
    assert genba("generate", TASK, *few, "--seed", "5", "--overwrite").code == 0
    assert (out / "SHA256SUMS").read_text() != sums


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A dataset of two shards."""
    out = tmp_path_factory.mktemp("small") / "data"
    config = {"task": TASK, "episodes": 2, "episodes_per_shard": 1, "out": str(out)}
    driver.generate(make_config(config), ROOT / "examples")
    return out


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def shrink(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FIRST, SECOND = "shards/shard-00000.h5", "shards/shard-00001.h5"
DAMAGE = {
    "truncated": (lambda d: shrink(d / SECOND), "shard-00001.h5"),
    "empty": (lambda d: (d / SECOND).write_bytes(b""), "shard-00001.h5"),
    "foreign": (lambda d: (d / SECOND).write_bytes(b"PK" * 5000), "shard-00001.h5"),
    "missing": (lambda d: (d / SECOND).unlink(), "shard-00001.h5"),
    "swapped": (lambda d: shutil.copy(d / FIRST, d / SECOND), "shard-00001.h5"),
    "one too many": (lambda d: shutil.copy(d / FIRST, d / "shards" / "extra.h5"), "extra.h5"),
    "episodes.parquet": (lambda d: (d / "episodes.parquet").write_bytes(b"no"), "episodes.parquet"),
    "stats.json": (lambda d: edit(d / "stats.json", "mean", "maen"), "stats.json"),
    "SHA256SUMS": (lambda d: (d / "SHA256SUMS").write_text("what\n"), "SHA256SUMS"),
    "dataset.json": (lambda d: (d / "dataset.json").write_text("{"), "dataset.json"),
    "a later format": (lambda d: edit(d / "dataset.json", '"format_version": "1.1"', '"format_version": "2.0"'), "2.0"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_dataset_is_a_finding_that_names_the_place(damage, small, genba, tmp_path):
    spoil, place = DAMAGE[damage]
    data = tmp_path / "data"
    shutil.copytree(small, data)
    spoil(data)
    for flags in ((), ("--deep",)):
        result = genba("validate", data, *flags)
        assert (result.code, result.err) == (1, "")
        assert place in result.out
        assert not json.loads(genba("validate", data, *flags, "--json").out)["ok"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing", "swapped"])
def test_resume_makes_a_damaged_shard_anew(damage, small, genba, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small, data)
    DAMAGE[damage][0](data)
    assert genba("resume", data, "--executor", "inline").code == 0
    assert (data / SECOND).read_bytes() == (small / SECOND).read_bytes()
    assert genba("validate", data, "--deep", "--replay", "all").code == 0


FULL_DISK = """
import resource, signal, sys
from generators.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as one on a full disk does
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("limit", [500, 20_000, 100_000])
def test_a_disk_that_fills_up_is_said_in_one_sentence_and_resumed_from(limit, small, genba, root, tmp_path):
    data = tmp_path / "data"
    run = ["generate", TASK, "--episodes", "2", "--episodes-per-shard", "1", "--executor", "inline", "--out", str(data)]
    command = [sys.executable, "-c", FULL_DISK, str(limit), *run]
    done = subprocess.run(command, cwd=root / "examples", capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("genba: ")
    assert "File too large" in done.stderr
    assert not list(data.rglob("*.tmp"))
    assert not list(data.rglob("*.h5"))
    again = ["resume", data, "--executor", "inline"] if (data / "plan.json").exists() else run
    assert genba(*again).code == 0
    assert (data / "SHA256SUMS").read_text() == (small / "SHA256SUMS").read_text()
