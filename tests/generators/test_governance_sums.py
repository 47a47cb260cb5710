"""A signature holds for every file of a dataset; OpenSSL and sha256sum check it without genba."""

import importlib.util
import shutil
import subprocess

import pytest

from generators.governance import sums
from generators.governance.sums import SIGNATURE, SIGNED, KeyFileError, sign, verify
from generators.governance.write import describe_anew
from generators.schema import DatasetError
from generators.validate import validate
from sim.errors import MissingExtraError


def openssl(*args, folder=None):
    return subprocess.run(["openssl", *map(str, args)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        assert openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem").returncode == 0
        assert openssl("pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub").returncode == 0
    openssl("genpkey", "-algorithm", "rsa", "-out", folder / "rsa.pem")
    openssl("pkey", "-in", folder / "rsa.pem", "-pubout", "-out", folder / "rsa.pub")
    openssl("pkey", "-in", folder / "key.pem", "-aes256", "-passout", "pass:geheim", "-out", folder / "locked.pem")
    (folder / "no.pem").write_text("no key")
    return folder


@pytest.fixture
def signed(filmed, keys, tmp_path):
    copy = tmp_path / "set"
    shutil.copytree(filmed, copy)
    sign(copy, keys / "key.pem")
    return copy


def test_what_was_signed_verifies_and_stays_valid(signed, keys):
    assert verify(signed, keys / "key.pub") == []
    assert verify(signed, keys / "key.pub", workers=4) == []
    assert validate(signed).ok


def test_every_file_is_listed_but_logs_and_hidden_ones(signed):
    listed = {line[66:] for line in (signed / SIGNED).read_text().splitlines()}
    there = {p.relative_to(signed).as_posix() for p in signed.rglob("*") if p.is_file()}
    assert there - listed - {SIGNED, SIGNATURE} == {n for n in there if n.startswith(("logs/", "."))}
    assert {"dataset.json", "README.md", "README.ja.md", "croissant.json", "SHA256SUMS", "media/SHA256SUMS"} <= listed


def test_standard_tools_verify_it(signed, keys):
    args = ("pkeyutl", "-verify", "-pubin", "-inkey", keys / "key.pub", "-rawin", "-in", SIGNED, "-sigfile", SIGNATURE)
    assert openssl(*args, folder=signed).returncode == 0
    check = ["sha256sum", "--check", "--quiet", SIGNED]
    assert subprocess.run(check, cwd=signed, capture_output=True, check=False).returncode == 0
    (signed / "README.md").write_text("another")
    assert b"README.md: FAILED" in subprocess.run(check, cwd=signed, capture_output=True, check=False).stdout


def test_a_changed_byte_in_any_file_is_named(signed, keys):
    listed = [line[66:] for line in (signed / SIGNED).read_text().splitlines()]
    for name in listed:
        path = signed / name
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert verify(signed, keys / "key.pub") == [f"{name}: it was changed after signing"]
        path.write_bytes(before)
    assert verify(signed, keys / "key.pub") == []


def test_missing_and_added_files_are_named(signed, keys):
    (signed / "stats.json").unlink()
    (signed / "shards" / "shard-00009.h5").write_bytes(b"")
    assert verify(signed, keys / "key.pub") == [
        "shards/shard-00009.h5: it was added after signing",
        "stats.json: it is missing",
    ]


def test_another_key_or_list_or_signature_does_not_hold(signed, keys):
    assert [f.split(":")[0] for f in verify(signed, keys / "other.pub")] == [SIGNED]
    good = (signed / SIGNATURE).read_bytes()
    for bad in (good[:-1] + bytes([good[-1] ^ 1]), b"", good + b"\0"):
        (signed / SIGNATURE).write_bytes(bad)
        assert [f.split(":")[0] for f in verify(signed, keys / "key.pub")] == [SIGNED]
    (signed / SIGNATURE).write_bytes(good)
    text = (signed / SIGNED).read_text()
    (signed / SIGNED).write_text("".join(text.splitlines(keepends=True)[1:]))
    assert [f.split(":")[0] for f in verify(signed, keys / "key.pub")] == [SIGNED]


def test_a_new_card_needs_a_new_signature(signed, keys):
    describe_anew(signed, {"license": "MIT"})
    names = ["README.ja.md", "README.md", "croissant.json", "dataset.json", "provenance.jsonld"]
    assert verify(signed, keys / "key.pub") == [f"{name}: it was changed after signing" for name in names]
    sign(signed, keys / "key.pem")
    assert verify(signed, keys / "key.pub") == []


def test_a_link_out_of_the_dataset_is_refused(signed, keys, tmp_path):
    (tmp_path / "secret").write_text("x")
    (signed / "notes").symlink_to(tmp_path / "secret")
    with pytest.raises(DatasetError, match="notes is a link out of the dataset"):
        verify(signed, keys / "key.pub")
    with pytest.raises(DatasetError, match="notes is a link out of the dataset"):
        sign(signed, keys / "key.pem")


def test_what_is_not_signed_or_no_dataset_is_refused(filmed, keys, tmp_path):
    with pytest.raises(DatasetError, match=r"is not signed: it has no SIGNED\.SHA256SUMS"):
        verify(filmed, keys / "key.pub")
    with pytest.raises(DatasetError, match=r"is no dataset: it has no dataset\.json"):
        sign(tmp_path, keys / "key.pem")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["rsa", "no", "missing", "locked", "key.pub"])
def test_a_key_that_cannot_sign_is_refused_in_one_sentence(filmed, keys, name):
    path = keys / (name if "." in name else f"{name}.pem")
    with pytest.raises(KeyFileError) as caught:
        sign(filmed, path)
    assert str(path) in str(caught.value)
    assert "openssl genpkey -algorithm ed25519" in str(caught.value)
    assert not (filmed / SIGNED).exists()


@pytest.mark.parametrize("name", ["rsa.pub", "no.pem", "missing.pub", "key.pem"])
def test_a_key_that_cannot_verify_is_refused(signed, keys, name):
    with pytest.raises(KeyFileError, match="openssl genpkey"):
        verify(signed, keys / name)


def test_a_key_with_a_password_signs(signed, keys):
    sign(signed, keys / "locked.pem", password=b"geheim")
    assert verify(signed, keys / "key.pub") == []
    with pytest.raises(KeyFileError):
        sign(signed, keys / "locked.pem", password=b"wrong")


def test_without_the_package_it_says_what_to_install(signed, keys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(sums.importlib.util, "find_spec", lambda name: None if name == "cryptography" else find(name))
    with pytest.raises(MissingExtraError, match=r"pip install 'genba\[sign\]'"):
        verify(signed, keys / "key.pub")
