"""The wheel holds our three packages and nothing else; importing them is light, silent and leaves no trace."""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

PACKAGES = ("sim", "scenes", "generators")
HEAVY = {
    "ray",
    "h5py",
    "pydantic",
    "tyro",
    "rich",
    "pyarrow",
    "scipy",
    "torch",
    "OpenGL",
    "glfw",
    "imageio",
    "gymnasium",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, pytestconfig):
    """The files in a wheel built from a copy of the sources, so that no build folder is left behind."""
    if int(importlib.metadata.version("setuptools").partition(".")[0]) < 77:
        pytest.fail("building needs setuptools 77 or later: pip install '.[dev]'")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    root = pytestconfig.rootpath
    for name in PACKAGES:
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(root / name, source / name)
    shutil.copytree(root / "tests", source / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with zipfile.ZipFile(next(out.glob("*.whl"))) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_wheel_holds_every_module_of_the_three_packages_and_no_other(wheel, root):
    ours = {
        path.relative_to(root).as_posix()
        for name in PACKAGES
        for path in (root / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel if ".dist-info/" not in name}
    assert packed == ours
    assert {name.partition("/")[0] for name in packed} == set(PACKAGES)


def test_each_package_is_typed_and_the_licence_is_there(wheel):
    assert all(f"{name}/py.typed" in wheel for name in PACKAGES)
    licence = next(text for name, text in wheel.items() if name.endswith("LICENSE"))
    assert b"Apache License" in licence
    assert b"Version 2.0, January 2004" in licence


def test_the_wheel_installs_the_command(wheel):
    entry = next(text for name, text in wheel.items() if name.endswith("entry_points.txt"))
    assert b"genba = generators.cli:main" in entry


def test_every_folder_of_ours_that_holds_modules_is_a_declared_package(root):
    declared = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        p.parent.relative_to(root).as_posix().replace("/", ".") for n in PACKAGES for p in (root / n).rglob("*.py")
    }
    assert set(declared) == found


def modules_after(root, statement):
    """The top-level modules that a fresh interpreter has after a statement; warnings are errors."""
    code = f"import sys; {statement}; print(sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(ast.literal_eval(done.stdout))


def test_importing_the_engine_loads_nothing_heavy_beyond_what_mujoco_loads(root):
    engine = "import sim, sim.rollout, sim.replay, sim.layout, sim.world, sim.channels, sim.task"
    beyond = modules_after(root, engine) - modules_after(root, "import mujoco, mujoco.batch")
    assert beyond & HEAVY == set()
    assert "sim" in beyond


def test_importing_the_packages_loads_nothing_heavy_at_all(root):
    assert modules_after(root, "import sim, generators") & (HEAVY | {"mujoco"}) == set()


def test_importing_the_scenes_makes_environments_known_and_loads_no_more_than_that_takes(root):
    needed = modules_after(root, "import mujoco, mujoco.batch, gymnasium, gymnasium.vector")
    beyond = modules_after(root, "import scenes") - needed
    assert beyond & HEAVY == set()
    tasks = {"scenes.steel", "scenes.assembly", "scenes.machines"}
    code = "import sys, scenes; print(sorted(m for m in sys.modules if m.startswith('scenes')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert not tasks & set(ast.literal_eval(done.stdout))


def test_the_command_line_is_found_without_numpy_mujoco_or_a_task(root):
    loaded = modules_after(root, "from generators import cli; cli.usage()")
    assert loaded & (HEAVY | {"numpy", "mujoco", "scenes"}) == set()


def test_importing_sets_no_variable_and_touches_no_file(root, tmp_path):
    code = (
        "import os; before = dict(os.environ); import sim.rollout, sim.replay, scenes.catalog, generators.cli;"
        "print(sorted(k for k in set(before) | set(os.environ) if before.get(k) != os.environ.get(k)))"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MUJOCO", "PYOPENGL", "PYGAME"))}
    peers_alone = code.replace(
        "sim.rollout, sim.replay, scenes.catalog, generators.cli", "mujoco, mujoco.batch, gymnasium"
    )
    changed = []
    for text in (code, peers_alone):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", text],
            cwd=tmp_path,
            env=clean | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        changed.append(done.stdout)
    assert changed[0] == changed[1]
    assert list(tmp_path.iterdir()) == []
