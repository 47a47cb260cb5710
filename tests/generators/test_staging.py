"""Folders for work under way: held while they are used, removed afterwards, and swept when their process was killed."""

import subprocess
import sys
import tempfile

import pytest

from generators.stores.staging import staging


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_there_while_it_is_used_and_others_leave_it_alone(place):
    with staging() as folder, staging() as other:
        assert folder.parents[1] == other.parents[1] == place
        assert folder != other
        assert folder.is_dir()
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(place):
    code = (
        "import os, signal; from generators.stores.staging import staging\n"
        "with staging() as folder:\n"
        "    (folder / 'shard.h5').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = place.iterdir()
    assert (left / "work" / "shard.h5").exists()
    with staging():
        assert not left.exists()


def test_a_link_of_that_name_is_not_followed(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / ".lock").touch()
    (place / "genba-staging-x").symlink_to(elsewhere)
    with staging():
        assert (elsewhere / ".lock").exists()
