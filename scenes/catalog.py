"""Find tasks by name: "steel/crane_coil" in this package, "module:Class" anywhere else.

Rule: tasks are found by reading files, so that naming them all imports none.
"""

import ast
import functools
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from sim.errors import TaskError, UnknownNameError, nearest, unknown
from sim.task import Task

_ROOT = Path(__file__).parent
_NO_FAMILY = ("anchors", "machines")  # folders of scenes/ that hold no tasks


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks in this package, sorted; imports none of them."""
    return tuple(_index())


def environments() -> dict[str, tuple[str, int | None]]:
    """Return what Gymnasium registers: environment id -> ("module:Class", control steps of the horizon)."""
    out: dict[str, tuple[str, int | None]] = {}
    for name, (path, class_name) in _index().items():
        if classes := _constants(path):  # a file that does not parse hinders no other
            stem = "".join(word.capitalize() for word in name.partition("/")[2].split("_"))
            address = f"scenes.{path.parent.name}.{path.stem}:{class_name}"
            out[f"genba/{stem}-v0"] = address, _horizon(classes[class_name])
    return out


def load_task(name: str, folder: Path | None = None) -> Task:
    """Import a task and make an instance of it.

    Args:
        name: "family/task" for one of this package's, "module:Class" for one's own.
        folder: where one's own module is looked for first, put first on `sys.path`; None: the current folder.

    Raises:
        UnknownNameError: no such task, module or class; the message names the nearest.
        TaskError: the module cannot be imported, or the class is no usable task.
    """
    if ":" in name:
        module_name, _, class_name = name.partition(":")
        if not all(part.isidentifier() for part in [*module_name.split("."), class_name]):
            raise TaskError(f"task {name!r} is not of the form 'module:Class', as in 'my_cell:MyTask'")
        return _instance(_outside(module_name, folder or Path.cwd()), class_name)
    index = _index()
    if name not in index:
        raise unknown("task", name, index)
    path, class_name = index[name]
    return _instance(_imported(f"scenes.{path.parent.name}.{path.stem}"), class_name)


def task_summary(name: str) -> str:
    """Return the first line of the docstring of the file that holds one of this package's tasks; imports nothing."""
    path, _ = _index()[name]
    try:
        return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]
    except SyntaxError as error:
        return f"(syntax error in line {error.lineno})"


def task_source_sha256(task: Task) -> str:
    """Hash what defines a task: its file, and the machines, stock and neighbouring modules that it imports.

    Raises:
        TaskError: the class has no source file.
    """
    try:
        source = inspect.getsourcefile(type(task))
    except TypeError:
        source = None
    if source is None or not Path(source).is_file():
        raise TaskError(f"task {task.name!r} is defined in no file; put its class into a module")
    digest = hashlib.sha256()
    file = Path(source).resolve()
    home = file.parents[type(task).__module__.count(".")]
    for label, path in sorted(_sources(file, home).items()):
        digest.update(f"{label}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@functools.cache
def _index() -> dict[str, tuple[Path, str]]:
    """Map task name -> (file, class)."""
    out: dict[str, tuple[Path, str]] = {}
    for path in sorted(_ROOT.glob("[a-z]*/[a-z]*.py")):
        if path.parent.name not in _NO_FAMILY:
            out |= {name: (path, cls) for name, cls in _declared(path).items()}
    return dict(sorted(out.items()))


def _declared(path: Path) -> dict[str, str]:
    """Read task name -> class off a file: classes with an attribute `name = "family/..."`."""
    family, classes = path.parent.name, _constants(path)
    if classes is None:
        return {f"{family}/{path.stem}": ""}  # listed, so that loading it says what is wrong
    named = {cls: str(constants.get("name", "")) for cls, constants in classes.items()}
    return {name: cls for cls, name in named.items() if name.startswith(f"{family}/")}


@functools.cache
def _constants(path: Path) -> dict[str, dict[str, str | float]] | None:
    """Read class -> attribute -> text or number where a file writes them out; None where it does not parse."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        return None
    out: dict[str, dict[str, str | float]] = {}
    for node in tree.body:
        for statement in node.body if isinstance(node, ast.ClassDef) else ():
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value) | float(value)))
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(value) | float(value)))
                ) if isinstance(node, ast.ClassDef):
                    out.setdefault(node.name, {})[name] = value
                case _:
                    pass
    return out


def _horizon(constants: Mapping[str, str | float]) -> int | None:
    """Return a task's horizon in control steps; None where its class does not write it out."""
    rate, seconds = constants.get("control_hz"), constants.get("horizon_s")
    return round(rate * seconds) if isinstance(rate, float) and isinstance(seconds, float) else None


def _outside(name: str, folder: Path) -> ModuleType:
    folder = folder.resolve()
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    module = _imported(name, folder)
    wanted = folder.joinpath(*name.split(".")).with_suffix(".py")
    if wanted.is_file() and module.__file__ is not None and Path(module.__file__).resolve() != wanted.resolve():
        raise TaskError(
            f"module {name!r} is taken by {module.__file__}, which hides {wanted}; give the file another name"
        )
    return module


def _imported(name: str, folder: Path | None = None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise unknown("module", name, sorted(p.stem for p in (folder or _ROOT).glob("*.py"))) from None
        raise TaskError(_failure(name, error)) from error
    except Exception as error:
        raise TaskError(_failure(name, error)) from error


def _failure(name: str, error: Exception) -> str:
    """Say what an import raised and in which line of which file."""
    if isinstance(error, SyntaxError):
        return f"importing {name!r} failed: {type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    own = [f for f in frames if Path(f.filename).stem == name.rpartition(".")[2]] or frames[-1:]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"importing {name!r} failed: {type(error).__name__}: {' '.join(str(error).split())}{place}"


def _instance(module: ModuleType, class_name: str) -> Task:
    tasks = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Task) and v is not Task]
    cls = getattr(module, class_name, None)
    if cls is None:
        raise UnknownNameError(f"module {module.__name__!r} has no class {class_name!r}{nearest(class_name, tasks)}")
    if not (isinstance(cls, type) and issubclass(cls, Task)) or cls is Task:
        raise TaskError(f"{module.__name__}:{class_name} is no subclass of sim.task.Task{nearest(class_name, tasks)}")
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise TaskError(f"task {module.__name__}:{class_name} does not define {', '.join(missing)}")
    try:
        return cls()
    except Exception as error:
        raise TaskError(
            f"task {module.__name__}:{class_name} cannot be made without arguments: {type(error).__name__}: {error}"
        ) from error


def _sources(path: Path, home: Path) -> dict[str, Path]:
    """Collect a file and what it imports from this package or from home, under names relative to either.

    This package's own __init__ is left out: it names all tasks, and one more task changes none of the others.
    """
    found: dict[str, Path] = {}
    todo = [path]
    while todo:
        file = todo.pop()
        inside = file.is_relative_to(_ROOT)
        label = file.relative_to(_ROOT.parent if inside else home).as_posix()
        if label in found:
            continue
        found[label] = file
        for name in _imports(file):
            parts = name.split(".")
            base = _ROOT.parent if parts[0] == "scenes" else home
            stem = base.joinpath(*parts)
            todo += [
                p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file() and p != _ROOT / "__init__.py"
            ]
    return found


def _imports(file: Path) -> set[str]:
    """Return the dotted names that a file may import, parents included."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            out |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return out
