"""Nothing of ours executes what it reads: no pickle in any of its forms, no code from text, no shell."""

import ast
import textwrap

import pytest

PACKAGES = ("sim", "scenes", "generators")
MODULES = {"pickle", "_pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "jsonpickle", "pty", "commands"}
CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "os.execv", "os.execvp", "os.execve", "os.spawnv", "subprocess.getoutput"),
    *("torch.load", "torch.jit.load", "pd.read_pickle", "pandas.read_pickle", "np.fromregex", "pa.deserialize"),
    *("yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "yaml.full_load_all", "yaml.unsafe_load_all"),
    *("xml.etree.ElementTree.parse", "runpy.run_path", "runpy.run_module", "code.interact"),
}
LOADERS = {"Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}


def unsafe(source: str):
    """Yield what a module does that is banned: (line, what)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS:
                yield node.lineno, name
            for keyword in node.keywords:
                value = ast.unparse(keyword.value)
                if (keyword.arg, value) in {("shell", "True"), ("allow_pickle", "True"), ("weights_only", "False")}:
                    yield node.lineno, f"{name}({keyword.arg}={value})"
            if name == "yaml.load" and not _plain(node):
                yield node.lineno, name
        elif isinstance(node, ast.Attribute) and node.attr in LOADERS and ast.unparse(node.value) == "yaml":
            yield node.lineno, f"yaml.{node.attr}"


def _plain(call: ast.Call) -> bool:
    """Whether a YAML file is read with the one loader of ours, which derives from the safe one."""
    return [ast.unparse(k.value) for k in call.keywords if k.arg == "Loader"] == ["_PlainLoader"]


def test_nothing_of_ours_executes_what_it_reads(root):
    files = [path for name in PACKAGES for path in sorted((root / name).rglob("*.py"))]
    assert len(files) > 200
    found = [f"{p.relative_to(root)}:{line}: {what}" for p in files for line, what in unsafe(p.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import marshal as m",
        "eval(text)",
        "exec(text)",
        "os.system('ls')",
        "subprocess.run(x, shell=True)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
    ],
)
def test_the_test_finds_it(code):
    assert list(unsafe(textwrap.dedent(code)))


def test_the_loader_of_ours_is_a_safe_one():
    import yaml

    from generators.config import _PlainLoader

    assert issubclass(_PlainLoader, yaml.SafeLoader)
