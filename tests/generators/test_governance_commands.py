"""`genba card`, `sign` and `verify`: what they write, what they print, their exit codes."""

import json
import re
import shutil
import subprocess

import pytest

from generators.governance.write import METADATA, stale


@pytest.fixture
def copy(filmed, tmp_path):
    shutil.copytree(filmed, tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def keys(tmp_path):
    """A private and a public key, made as the help says."""
    private, public = tmp_path / "key.pem", tmp_path / "pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)
    return private, public


@pytest.mark.parametrize("command", ["card", "sign", "verify"])
def test_help_has_an_example_that_runs_the_command(genba, command):
    result = genba(command, "--help")
    assert result.code == 0
    assert re.search(rf"Examples?:\n  genba {command}", result.out)
    assert command == "card" or "openssl pkeyutl -verify -pubin -inkey pub.pem -rawin" in result.out


def test_card_writes_what_is_missing_and_names_it(genba, copy):
    before = {name: (copy / name).read_bytes() for name in METADATA}
    for name in METADATA:
        (copy / name).unlink()
    result = genba("card", copy)
    assert result.code == 0
    assert result.out.splitlines()[:4] == [str(copy / name) for name in METADATA]
    assert {name: (copy / name).read_bytes() for name in METADATA} == before
    assert "nothing has changed" in genba("card", copy).out


def test_card_takes_a_file_and_flags_and_tells_what_is_not_stated(genba, copy, tmp_path):
    about = tmp_path / "about.yaml"
    about.write_text("license: MIT\nintended_use: {en: training, ja: 学習}\n")
    result = genba("card", copy, "--about", about, "--set", "creator=ACME", "--set", "contact=a@b.example", "--json")
    told = json.loads(result.out)
    assert told["files"] == [str(copy / name) for name in ("dataset.json", *METADATA)]
    assert told["unstated"] == ["url", "published", "data_residency", "export_control"]
    assert "| ライセンス | MIT |" in (copy / "README.ja.md").read_text()
    assert stale(copy) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--set", "lisense=MIT"), "did you mean 'license'?"),
        (("--set", "license"), "--set takes key=text"),
        (("--set", "license=MITT"), "no SPDX licence"),
        (("--about", "missing.yaml"), "cannot read missing.yaml"),
    ],
)
def test_card_refuses_in_one_sentence_and_changes_nothing(genba, copy, args, says):
    before = (copy / "dataset.json").read_bytes()
    result = genba("card", copy, *args)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert result.err.count("\n") == 1
    assert (copy / "dataset.json").read_bytes() == before


def test_signing_and_verifying(genba, copy, keys):
    private, public = keys
    assert genba("verify", copy, "--key", public).code == 2
    assert "files signed: SIGNED.SHA256SUMS" in genba("sign", copy, "--key", private).out
    result = genba("verify", copy, "--key", public)
    assert (result.code, result.out) == (0, f"{copy}: as it was signed\n")
    with (copy / "shards" / "shard-00001.h5").open("r+b") as file:
        file.write(b"\0")
    result = genba("verify", copy, "--key", public)
    assert result.code == 1
    assert result.out.splitlines()[0] == "shards/shard-00001.h5: it was changed after signing"
    told = json.loads(genba("verify", copy, "--key", public, "--json").out)
    assert told == {"ok": False, "findings": ["shards/shard-00001.h5: it was changed after signing"]}


def test_card_says_that_a_signature_does_not_hold_any_more(genba, copy, keys):
    genba("sign", copy, "--key", keys[0])
    assert "does not hold" not in genba("card", copy).out
    assert "SIGNED.SHA256SUMS does not hold any more: genba sign" in genba("card", copy, "--set", "license=MIT").out


def test_a_key_with_a_password_is_opened_by_a_file(genba, copy, keys, tmp_path):
    private, public = keys
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", str(private), "-aes256", "-passout", "pass:geheim", "-out", str(locked)]
    subprocess.run(command, check=True)
    (tmp_path / "password").write_text("geheim\n")
    result = genba("sign", copy, "--key", locked)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert genba("sign", copy, "--key", locked, "--password-file", tmp_path / "password").code == 0
    assert genba("verify", copy, "--key", public).code == 0
