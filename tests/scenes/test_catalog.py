"""The catalog: names without imports, one's own modules, errors of one sentence, hashes of sources."""

import shutil
import subprocess
import sys

import pytest

from scenes import catalog
from scenes.catalog import load_task, task_names, task_source_sha256, task_summary
from sim.errors import TaskError, UnknownNameError
from sim.task import Task

TASK = '''"""A scene for a test."""

import dataclasses

import numpy as np

{imports}
from sim.parameters import param
from sim.distributions import Uniform
from sim.spec import new_spec
from sim.task import Task


@dataclasses.dataclass(frozen=True)
class CellParams:
    mass: float = param(Uniform(1, 2), "kg")


class Cell(Task):
    name = "tests/cell"
    version = 1
    control_hz = 10.0
    horizon_s = 1.0
    phases = ("go",)
    Params = CellParams

    def build(self, p):
        return new_spec("cell", timestep=0.01)

    def observe(self, s):
        return {{"t": s.time[..., None]}}

    def success(self, s):
        return s.time > 2

    def expert(self, s, p, *, mode, rng):
        yield from ()
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for one's own modules; nothing imported from it stays."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder, name, text):
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", task_names())
def test_every_task_loads_under_its_name_from_the_file_of_its_name(name):
    task = load_task(name)
    assert task.name == name
    family, _, stem = name.partition("/")
    assert stem.startswith(type(task).__module__.rpartition(".")[2])
    assert type(task).__module__.startswith(f"scenes.{family}.")
    assert task_summary(name).endswith(".")


def test_naming_the_tasks_imports_none_of_them(root):
    code = "import sys; from scenes.catalog import task_names; print(task_names(), [m for m in sys.modules if m.startswith('scenes.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    names, _, modules = done.stdout.strip().partition(") ")
    assert modules == "['scenes.catalog']"
    assert names == str(task_names())[:-1]


def test_tasks_and_variants_are_found_by_reading_files_and_helpers_are_not(tmp_path, monkeypatch):
    family = tmp_path / "steel"
    (tmp_path / "machines").mkdir()
    family.mkdir()
    write(tmp_path / "machines", "crane", 'class Crane:\n    name = "machines/crane"\n')
    write(family, "coil", 'class A:\n    name = "steel/coil"\nclass B:\n    name: str = "steel/coil_open"\n')
    write(family, "helper", 'class C:\n    name = "crane/hook"\n    other = "steel/x"\n')
    write(family, "broken", "class :\n")
    monkeypatch.setattr(catalog, "_ROOT", tmp_path)
    monkeypatch.setattr(catalog, "_index", catalog._index.__wrapped__)
    assert task_names() == ("steel/broken", "steel/coil", "steel/coil_open")
    assert catalog._index()["steel/coil_open"] == (family / "coil.py", "B")
    assert task_summary("steel/broken") == "(syntax error in line 1)"
    assert set(catalog.environments()) == {"genba/Coil-v0", "genba/CoilOpen-v0"}


def test_ones_own_task_loads_from_a_folder_which_comes_first_on_the_path(folder):
    write(folder, "cell_a", TASK.format(imports="import cell_parts_a"))
    write(folder, "cell_parts_a", "SIDE = 1.0\n")
    task = load_task("cell_a:Cell", folder)
    assert isinstance(task, Task)
    assert task.name == "tests/cell"
    assert sys.path[0] == str(folder)


def test_the_current_folder_is_the_default(folder, monkeypatch):
    write(folder, "cell_b", TASK.format(imports=""))
    monkeypatch.chdir(folder)
    assert load_task("cell_b:Cell").name == "tests/cell"


def test_the_example_loads(root, folder):
    assert load_task("new_scene:MyTask", root / "examples").name == "examples/push_billet"


def test_a_module_that_hides_another_of_its_name_is_refused(folder):
    for sub in ("one", "two"):
        (folder / sub).mkdir()
        write(folder / sub, "cell_c", TASK.format(imports=""))
    load_task("cell_c:Cell", folder / "one")
    with pytest.raises(TaskError, match=r"'cell_c' is taken by .*one.*hides .*two"):
        load_task("cell_c:Cell", folder / "two")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("cell_e:Cell", UnknownNameError, "no module 'cell_e'; did you mean 'cell_d'"),
        ("nowhere.at.all:Cell", UnknownNameError, "no module 'nowhere.at.all'"),
        ("cell_d:Cel", UnknownNameError, "module 'cell_d' has no class 'Cel'; did you mean 'Cell'"),
        ("cell_d:CellParams", TaskError, "cell_d:CellParams is no subclass of sim.task.Task.*'Cell'"),
        ("cell_d:np", TaskError, "is no subclass"),
        ("cell_d:Task", TaskError, "is no subclass"),
        ("cell_d:Half", TaskError, "does not define expert, observe, success"),
        ("cell_d:Needy", TaskError, "cannot be made without arguments: TypeError"),
        ("cell_d:", TaskError, "not of the form 'module:Class'"),
        (":Cell", TaskError, "not of the form"),
        ("cell_d:Cell:x", TaskError, "not of the form"),
        ("../cell_d:Cell", TaskError, "not of the form"),
        ("steel/nothing_like_it", UnknownNameError, "no task 'steel/nothing_like_it'"),
        ("", UnknownNameError, "no task ''"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(folder, name, error, says):
    head = "\n    version = 1\n    control_hz = 10.0\n    horizon_s = 1.0\n    phases = ()\n    Params = CellParams\n"
    half = f'\n\nclass Half(Task):\n    name = "tests/half"{head}\n    def build(self, p):\n        pass\n'
    needy = f'\n\nclass Needy(Task):\n    name = "tests/needy"{head}\n    def __init__(self, x):\n        pass\n'
    needy += "    build = observe = success = expert = None\n"
    write(folder, "cell_d", TASK.format(imports="") + half + needy)
    with pytest.raises(error, match=says) as caught:
        load_task(name, folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import dataclasses\n\nx = 1 / 0\n", r"'cell_f' failed: ZeroDivisionError: .*cell_f.py, line 3\)"),
        ("def f(:\n", r"'cell_f' failed: SyntaxError: .*cell_f.py, line 1\)"),
        ("import no_such_library\n", r"ModuleNotFoundError: No module named 'no_such_library' .*cell_f.py, line 1"),
        ("from sim.task import Tusk\n", r"ImportError: cannot import name 'Tusk'.*cell_f.py, line 1"),
        (
            'from sim.task import Task\nclass T(Task):\n    name = "x"\n',
            r"TaskError: task T lacks version.*cell_f.py, line 2",
        ),
    ],
)
def test_an_import_that_fails_names_the_error_and_the_line(folder, text, says):
    write(folder, "cell_f", text)
    with pytest.raises(TaskError, match=says):
        load_task("cell_f:Cell", folder)


def test_a_typing_error_in_a_name_is_met_with_the_nearest():
    first = task_names()[0]
    with pytest.raises(UnknownNameError, match=f"did you mean '{first}'"):
        load_task(first[:-1])


def test_the_source_hash_follows_the_file_and_what_it_imports_and_nothing_else(folder):
    plain = TASK.format(imports="import cell_parts_g")

    def sources(sub, *, task=plain, parts="SIDE = 1.0\n", other="x = 1\n"):
        home = folder / sub
        home.mkdir()
        write(home, "cell_g", task)
        write(home, "cell_parts_g", parts)
        write(home, "unrelated", other)
        found = task_source_sha256(load_task("cell_g:Cell", home))
        for name in ("cell_g", "cell_parts_g"):
            sys.modules.pop(name, None)
        return found

    base = sources("a")
    assert sources("b") == base
    assert sources("c", other="x = 2\n") == base
    assert sources("d", parts="SIDE = 2.0\n") != base
    assert sources("e", task=TASK.format(imports="import cell_parts_g  # changed")) != base


def test_the_source_hash_of_a_scene_follows_its_machines(tmp_path, monkeypatch):
    shutil.copytree(catalog._ROOT, tmp_path / "scenes", ignore=shutil.ignore_patterns("__pycache__"))
    home = tmp_path / "scenes"
    (home / "machines" / "probe.py").write_text("from scenes import stock\n", encoding="utf-8")
    (home / "stock.py").write_text("A = 1\n", encoding="utf-8")
    task = write(home / "steel", "probe", "from scenes.machines import probe\nimport numpy\n")
    monkeypatch.setattr(catalog, "_ROOT", home)
    expected = ["machines/__init__", "machines/probe", "steel/probe", "stock"]
    assert sorted(catalog._sources(task, task.parent)) == [f"scenes/{name}.py" for name in expected]


def test_a_task_of_no_file_has_no_source_hash(folder):
    names = {"__name__": "nowhere"}
    exec(TASK.format(imports=""), names)
    with pytest.raises(TaskError, match="defined in no file"):
        task_source_sha256(names["Cell"]())
