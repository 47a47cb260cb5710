"""Cards say what dataset.json says, in two languages, with the same bytes every time, and tell when they do not fit."""

import dataclasses
import json
import re
import shutil
import time

import pytest
import yaml

from generators import driver
from generators.config import make_config
from generators.curation.filter import filter_dataset
from generators.curation.merging import merge
from generators.dataset import read_manifest
from generators.executors import run_inline
from generators.governance.card import card
from generators.governance.facts import environment
from generators.governance.write import (
    METADATA,
    describe_anew,
    render_metadata,
    stale,
    unstated,
    write_metadata,
)
from generators.schema import DatasetError
from generators.validate import validate
from scenes.catalog import load_task, task_names
from sim.parameters import describe as parameters_of

JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


@pytest.fixture
def copy(filmed, tmp_path):
    shutil.copytree(filmed, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def manifest(filmed):
    return read_manifest(filmed)


def front_matter(text):
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def metadata(folder):
    return {name: (folder / name).read_bytes() for name in METADATA}


def test_generation_writes_all_of_it(filmed):
    assert METADATA == ("README.md", "README.ja.md", "croissant.json", "provenance.jsonld")
    assert metadata(filmed) == render_metadata((filmed / "dataset.json").read_bytes())
    assert stale(filmed) == []


def test_it_comes_back_byte_for_byte_from_dataset_json_alone(filmed, tmp_path):
    shutil.copy(filmed / "dataset.json", tmp_path)
    assert [p.name for p in write_metadata(tmp_path)] == list(METADATA)
    assert metadata(tmp_path) == metadata(filmed)
    assert write_metadata(tmp_path) == []
    (tmp_path / "README.ja.md").unlink()
    assert [p.name for p in write_metadata(tmp_path)] == ["README.ja.md"]
    assert metadata(tmp_path) == metadata(filmed)


def test_it_costs_little(filmed):
    data = (filmed / "dataset.json").read_bytes()
    start = time.process_time()
    for _ in range(10):
        render_metadata(data)
    assert time.process_time() - start < 10 * 0.2  # 10 ms each where nothing else runs


def test_dataset_json_names_no_host_no_user_and_no_folder(manifest, filmed_folder):
    assert set(environment()) == {"python", "numpy", "mujoco", "h5py", "os", "machine"}
    text = json.dumps({k: v for k, v in manifest.items() if k != "tasks"})
    assert str(filmed_folder) not in text
    assert "/tmp" not in text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest["created"])


def test_resume_keeps_date_environment_and_what_was_said(copy):
    describe_anew(copy, {"license": "MIT"})
    known = json.loads((copy / "dataset.json").read_text())
    known |= {"created": "2020-01-01T00:00:00Z", "environment": {"python": "3.0"}, "quality": {"not_finite": 0}}
    (copy / "dataset.json").write_text(json.dumps(known))
    driver.run(copy, driver.reopen(copy), executor=run_inline, on_report=lambda _: None)
    assert read_manifest(copy) == known
    assert stale(copy) == []


def test_the_front_matter_is_what_hugging_face_reads(copy):
    found = front_matter((copy / "README.md").read_text())
    assert found["license"] == "unknown"
    assert found["language"] == ["en", "ja"]
    assert found["task_categories"] == ["robotics"]
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"] == [{"config_name": "episodes", "data_files": "episodes.parquet"}]
    describe_anew(copy, {"license": "CC-BY-4.0", "name": {"en": "Billets: pushed", "ja": "ビレット"}})
    found = front_matter((copy / "README.md").read_text())
    assert (found["license"], found["pretty_name"]) == ("cc-by-4.0", "Billets: pushed")
    describe_anew(copy, {"license": "MIT OR Apache-2.0"})
    found = front_matter((copy / "README.md").read_text())
    assert (found["license"], found["license_name"]) == ("other", "MIT OR Apache-2.0")


def test_both_cards_have_the_same_parts_and_figures(filmed, manifest):
    texts = {lang: (filmed / name).read_text() for lang, name in (("en", "README.md"), ("ja", "README.ja.md"))}
    shapes = [
        [line.split(" ")[0] for line in t.splitlines() if line.startswith(("#", "| ", "- "))] for t in texts.values()
    ]
    assert shapes[0] == shapes[1]
    numbers = [sorted(re.findall(r"\d+\.\d+|\d\d+|[0-9a-f]{16}", t)) for t in texts.values()]
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) > 50
    own = [line for line in texts["en"].splitlines() if JAPANESE.search(line)]
    assert own == ["日本語版: [README.ja.md](README.ja.md)"]
    assert manifest["tasks"][0]["declared"]["instruction"]["ja"] in texts["ja"]
    assert "certified" not in texts["en"]


def test_every_parameter_has_its_unit_and_what_it_was_drawn_from(filmed, filmed_folder):
    task = load_task("filmed:MyTask", filmed_folder)
    text = (filmed / "README.md").read_text()
    for name, parameter in parameters_of(task.Params).items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` | {parameter.unit} |")]
        assert parameter.doc.replace("|", "\\|") in row
    assert "| `length` | m | 0.3 to 0.6 |" in text
    assert "| `length` | m | 0.3から0.6 |" in (filmed / "README.ja.md").read_text()


def test_cameras_are_listed(filmed):
    text = (filmed / "README.md").read_text()
    assert "| side | filmed:MyTask | 32 x 24 | 20 Hz |" in text
    assert "| hand | filmed:MyTask | 16 x 16 | 5 Hz | depth |" in text


def test_what_the_card_says_of_loading_works(filmed, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (filmed / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    found = []
    for block in blocks:
        values = {}
        exec(block.replace("path/to/dataset", str(filmed)), values)
        found.append(values)
    assert "examples/push_billet" in capsys.readouterr().out
    assert (found[0]["actions"] == found[1]["actions"]).all()


def test_what_nobody_said_is_not_stated(filmed, copy):
    text = (filmed / "README.md").read_text()
    assert "| licence | not stated |" in text
    assert "**Export control**\n\n- not stated\n" in text
    assert "**輸出管理**\n\n- 記載なし\n" in (filmed / "README.ja.md").read_text()
    assert "license" in unstated(read_manifest(copy))
    describe_anew(copy, {"export_control": {"en": "EAR99", "ja": "該当なし"}}, ["license=MIT"])
    assert "license" not in unstated(read_manifest(copy))
    assert "**Export control**\n\n- EAR99\n" in (copy / "README.md").read_text()
    assert "**輸出管理**\n\n- 該当なし\n" in (copy / "README.ja.md").read_text()


def test_what_is_said_stays_in_its_cell(copy):
    describe_anew(copy, {}, ["name.en=<b>bold</b> | two", "contact=a | b\nc <script>"])
    text = (copy / "README.md").read_text()
    assert "| contact | a \\| b c &lt;script&gt; |" in text
    assert front_matter(text)["pretty_name"] == "<b>bold</b> | two"


def test_a_card_that_does_not_fit_is_named(copy):
    manifest = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps(manifest | {"seed": 4}))
    found = stale(copy)
    assert [text.split(":")[0] for text in found] == list(METADATA)
    assert all("made from another dataset.json; write it anew: genba card" in text for text in found)
    write_metadata(copy)
    assert stale(copy) == []


def test_a_card_that_was_edited_is_named(copy):
    with (copy / "README.md").open("a") as file:
        file.write("Nobody's business.\n")
    (copy / "croissant.json").write_text("{}")
    assert [text.partition("; ")[0] for text in stale(copy)] == [
        "README.md: it is not what dataset.json makes",
        "croissant.json: it was made from another dataset.json",
    ]


def test_the_words_of_another_version_do_not_make_a_card_stale(copy):
    path = copy / "README.md"
    path.write_text(
        path.read_text().replace("made by genba ", "made by genba 0.0.", 1).replace("not stated", "unknown")
    )
    assert stale(copy) == []


def test_a_dataset_without_cards_has_no_stale_ones(dataset):
    assert stale(dataset) == []


def test_dataset_json_that_lacks_something_makes_no_card(dataset):
    with pytest.raises(DatasetError, match="lacks what a card needs: KeyError"):
        write_metadata(dataset)


def test_the_dataset_stays_valid(copy):
    describe_anew(copy, {"license": "MIT"})
    assert validate(copy).ok


def test_quality_is_given_once_it_is_measured(copy):
    manifest = read_manifest(copy)
    assert "Not measured yet" in card(manifest, "en", "")
    coverage = {f"p{i}": 0.5 for i in range(20)}
    quality = {"nan_rate": 0.0, "success": {"a/b": {"share": 0.25}}, "parameter_coverage": {"a/b": coverage}, "own": 7}
    text = card(manifest | {"quality": quality}, "en", "")
    assert "| share of numbers that are not finite | 0 |" in text
    assert "| success (`a/b.share`) | 0.25 |" in text
    assert "| `own` | 7 |" in text
    assert text.count("| `a/b.p") == 20
    assert "Not measured yet" not in text
    assert "| 有限でない数値の割合 | 0 |" in card(manifest | {"quality": quality}, "ja", "")


def test_nothing_is_claimed_of_imported_data(manifest):
    task = {k: v for k, v in manifest["tasks"][0].items() if k != "declared"}
    changes = {"tasks": [task], "imported": {"format": "robomimic", "file": "a.hdf5", "sha256": "0" * 64}, "seed": None}
    nothing = {"personal_data": [], "sim_to_real_gaps": [], "evaluator": None}
    foreign = manifest | changes | {"governance": manifest["governance"] | nothing, "media": {}}
    texts = {name: data.decode() for name, data in render_metadata(json.dumps(foreign).encode()).items()}
    assert "imported from a file of robomimic's" in texts["README.md"]
    assert "**Personal data**\n\n- not stated\n" in texts["README.md"]
    for words in ("simulated", "mujoco\n", "worse", "Failures are kept", "replays bit for bit"):
        assert words not in texts["README.md"]
    assert "rai:dataCollectionType" not in texts["croissant.json"]
    assert "urn:genba:import:" in texts["provenance.jsonld"]


def test_a_derived_dataset_tells_how_it_came_about(make_filmed, filmed, tmp_path):
    make_filmed(tmp_path / "other", seed=4, parameters={"friction": 0.2})
    merge([filmed, tmp_path / "other"], tmp_path / "both", pictures=False)
    filter_dataset(tmp_path / "both", "friction < 1", tmp_path / "some")
    text = (tmp_path / "some" / "README.md").read_text()
    changes = text.split("## Changes")[1].split("## Governance")[0].strip().splitlines()
    assert [re.search(r"generated|merged|chosen", line)[0] for line in changes] == [
        "generated",
        "generated",
        "merged",
        "chosen",
    ]
    assert "query: `friction < 1`" in changes[-1]
    assert "| `friction` | 1 | differs between the sources: the task's own range; always 0.2 |" in text
    ids = [read_manifest(folder)["dataset_id"] for folder in (filmed, tmp_path / "other")]
    assert all(text.count(f"| `{name}` |") == 1 for name in ids)
    assert stale(tmp_path / "some") == []


@pytest.mark.parametrize("name", task_names())
def test_every_task_makes_a_card(name, manifest):
    """Only what the author declared is looked at: nothing is simulated."""
    from generators.governance.facts import task_facts

    task = load_task(name)
    declared = task_facts(task, {})
    entry = {"name": name, "task": name, "version": task.version, "source_sha256": "0" * 64, "episodes": 4}
    entry |= {k: declared[k] for k in ("control_hz", "horizon_s", "phases", "failures", "degradations")}
    entry |= {"parameters": {}, "degraded": 0.15, "outcomes": {"success": 4}, "declared": declared}
    files = render_metadata(json.dumps(manifest | {"tasks": [entry], "media": {}}).encode())
    text = files["README.md"].decode()
    assert len(text) < 100_000
    assert all(f"| `{parameter}` |" in text for parameter in declared["parameters"])
    assert all(f"| `{channel}` |" in text for channel in declared["channels"])


def test_a_plan_without_cameras_has_no_part_about_them(tmp_path, filmed_folder):
    config = make_config({"task": "filmed:MyTask", "episodes": 1, "out": str(tmp_path / "set"), "executor": "inline"})
    driver.generate(config, filmed_folder)
    assert "## Cameras" not in (tmp_path / "set" / "README.md").read_text()
    assert dataclasses.asdict(driver.reopen(tmp_path / "set"))["attempts"] == 1
