"""YAML from anywhere: refused in one sentence that names the file, soon, and nothing of it is executed."""

import os

import pytest

from generators.commands.generate import parse_settings
from generators.config import load_yaml, make_config
from generators.governance.about import read_about

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
MERGED = "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12))

YAML = {
    "a Python object": ("task: !!python/object/apply:os.system [id]\n", "no plain YAML"),
    "a Python name": ("task: !!python/name:os.system\n", "no plain YAML"),
    "a Python module": ("task: !!python/module:os\n", "no plain YAML"),
    "a tag of one's own": ("task: !include /etc/passwd\n", "no plain YAML"),
    "an environment variable": ("task: !ENV ${HOME}\n", "no plain YAML"),
    "a billion laughs": (LAUGHS, "has more than 10000 values, aliases written out"),
    "a billion merged keys": (MERGED, "has more than 10000 values, aliases written out"),
    "an alias of itself": ("task: &a [*a]\n", "an alias stands for what it is in"),
    "an alias of nothing": ("task: *a\n", "found undefined alias"),
    "a key twice": ("task: a/b\ntask: a/c\n", "'task' is given twice"),
    "a key twice further in": ("parameters: {x: 1, x: 2}\n", "'x' is given twice"),
    "a key that is a list": ("? [a, b]\n: 1\n", "a key is no plain value"),
    "a key that is an object": ("? {a: b}\n: 1\n", "a key is no plain value"),
    "nested lists": ("a: " + "[" * 5000, "nested too deeply"),
    "nested objects": ("a: " + "{a: " * 5000, "nested too deeply"),
    "nested blocks": ("- " * 5000, "nested too deeply"),
    "a megabyte": ("a: " + "x" * (1 << 20), "larger than 64 kB"),
    "very many values": ("a: [" + "1," * 31_000 + "]", "has more than 10000 values"),
    "two documents": ("a: 1\n---\nb: 2\n", "no plain YAML"),
    "no documents": ("", "needs a mapping of keys to values, got NoneType"),
    "a list": ("- task\n", "needs a mapping of keys to values, got list"),
    "a number": ("7\n", "needs a mapping of keys to values, got int"),
    "a 13th month": ("published: 2026-13-45\n", "a value is none"),
    "a number of 9000 digits": ("seed: " + "9" * 9000, "a value is none"),
    "control characters": ("a: \x07\n", "no plain YAML"),
    "NUL": ("a: \0\n", "no plain YAML"),
    "no UTF-8": (b"a: \xff\xfe\n", "it is not UTF-8 text"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "it is not UTF-8 text"),
    "a directive": ("%YAML 9.9\n---\na: 1\n", "no plain YAML"),
}


@pytest.mark.parametrize("case", YAML)
def test_hostile_yaml_is_refused(tmp_path, case, refused):
    text, words = YAML[case]
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (load_yaml, read_about):
        said = refused(lambda read=read: read(path))
        assert str(path) in said
        assert words in said


CONFIGS = {
    "episodes as text": ("task: a/b\nepisodes: ten\n", "episodes: "),
    "episodes as a list": ("task: a/b\nepisodes: [1]\n", "episodes: "),
    "negative episodes": ("task: a/b\nepisodes: -1\n", "episodes: "),
    "endless episodes": ("task: a/b\nepisodes: .inf\n", "episodes: "),
    "huge episodes": ("task: a/b\nepisodes: 0x" + "f" * 9000, "a number of thousands of digits"),
    "huge workers": ("task: a/b\nworkers: 99999999\n", "workers: "),
    "negative seed": ("task: a/b\nseed: -1\n", "seed: "),
    "not a share": ("task: a/b\ndegraded: .nan\n", "degraded: "),
    "tasks as a number": ("tasks: 3\n", "tasks: "),
    "tasks as text": ("tasks: a/b\n", "tasks: "),
    "tasks of tasks": ("tasks: [[{task: a/b}]]\n", "tasks.0: "),
    "cameras as a number": ("task: a/b\ncameras: 3\n", "cameras: "),
    "five thousand cameras": ("task: a/b\ncameras: [" + "c," * 5_000 + "]", "'c' is named twice"),
    "a camera of huge pictures": ("task: a/b\ncameras: {c: {size: 100000}}\n", "cameras.c.size"),
    "a camera that never looks": ("task: a/b\ncameras: {c: {rate_hz: 0}}\n", "cameras.c.rate_hz: "),
    "out as a list": ("task: a/b\nout: [1]\n", "out: "),
    "an endless key": ("x" * 1000 + ": 1\n", "no key 'xxx"),
    "an endless value": ("task: a/b\nexecutor: " + "x" * 50_000, "executor: "),
    "resources as text": ("task: a/b\nresources: all\n", "resources: "),
    "endless memory": ("task: a/b\nresources: {memory_gb: .inf}\n", "resources.memory_gb: "),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_hostile_configuration_is_refused(tmp_path, case, refused):
    text, words = CONFIGS[case]
    (tmp_path / "config.yaml").write_text(text)
    assert words in refused(lambda: make_config(load_yaml(tmp_path / "config.yaml")))


ABOUTS = {
    "a licence that is code": ("license: __import__('os').system('id')\n", "license: it is no SPDX licence"),
    "a licence in a thousand brackets": (
        "license: '" + "(" * 1000 + "MIT" + ")" * 1000 + "'\n",
        "license: it is no SPDX licence",
    ),
    "an address that runs": ("url: javascript:alert(1)\n", "url: it is no address"),
    "an unknown key": ("licence: MIT\n", "did you mean 'license'"),
    "a name that is a number": ("name: 3\n", "name: "),
    "creators nested": ("creator: [[a]]\n", "creator.0: "),
    "published never": ("published: never\n", "published: "),
    "uses of uses": ("intended_use: [[a]]\n", "intended_use.0"),
}


@pytest.mark.parametrize("case", ABOUTS)
def test_what_cannot_be_said_of_a_dataset_is_refused(tmp_path, case, refused):
    text, words = ABOUTS[case]
    (tmp_path / "about.yaml").write_text(text)
    assert words in refused(lambda: read_about(tmp_path / "about.yaml"))


@pytest.mark.parametrize("value", [LAUGHS, "!!python/name:os.system", "[" * 3000, "9" * 9000, "2026-13-45", "*a"])
def test_so_is_a_hostile_setting(value, refused):
    assert refused(lambda: parse_settings((f"friction={value}",)))


def test_a_pipe_is_not_waited_for(tmp_path, refused):
    os.mkfifo(tmp_path / "config.yaml")
    assert "no plain file" in refused(lambda: load_yaml(tmp_path / "config.yaml"))


def test_anchors_that_stay_small_are_fine(tmp_path):
    (tmp_path / "config.yaml").write_text("a: &a {x: 1}\nc: [*a, *a]\n")
    assert load_yaml(tmp_path / "config.yaml")["c"] == [{"x": 1}] * 2
