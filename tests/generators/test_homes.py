"""Finding a dataset's tasks: by either name, from where they were, and never from inside of the dataset."""

import json
from pathlib import Path

import pytest

from generators import driver
from generators.config import ConfigError, make_config
from generators.executors import run_inline
from generators.homes import task_finder

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp("homes") / "set"
    config = make_config({"task": "new_scene:MyTask", "episodes": 1, "out": str(out)})
    driver.run(out, driver.start(config, EXAMPLES), executor=run_inline, on_report=lambda _: None)
    return out


def manifest_of(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_a_task_is_found_by_the_name_in_the_plan_and_by_its_own(small):
    find = task_finder(small, manifest_of(small))
    assert find("new_scene:MyTask").name == find("examples/push_billet").name == "examples/push_billet"


@pytest.mark.parametrize(("home", "module"), [("set", "evil"), ("", "set.evil"), ("set/shards", "evil")])
def test_a_dataset_that_brings_its_own_module_is_refused_and_nothing_of_it_runs(small, genba, tmp_path, home, module):
    data = tmp_path / "set"
    (data / "shards").mkdir(parents=True)
    for place in (data, data / "shards"):
        (place / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    plan = json.loads((small / "plan.json").read_text()) | {"folder": str(tmp_path / home)}
    plan["tasks"][0]["name"] = f"{module}:MyTask"
    (data / "plan.json").write_text(json.dumps(plan))
    tasks = [{"name": f"{module}:MyTask", "task": "examples/push_billet"}]

    with pytest.raises(ConfigError, match="inside of the dataset"):
        task_finder(data, manifest_of(small) | {"tasks": tasks})("examples/push_billet")

    for command in (
        ["resume"],
        ["render", "--camera", "x"],
        ["validate", "--replay", "all"],
        ["view", "--episode", "0"],
    ):
        (data / "dataset.json").write_text((small / "dataset.json").read_text())
        assert genba(command[0], data, *command[1:]).code in (1, 2)
    assert not (tmp_path / "ran").exists()
