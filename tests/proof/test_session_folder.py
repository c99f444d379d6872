import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hotloop.proof.session_folder import session_folder

KILLED = """
import os, signal
from hotloop.proof.session_folder import session_folder
with session_folder() as folder:
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_session_takes_its_folder_with_it():
    with session_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_a_folder_that_a_killed_session_left_goes_with_the_next_one():
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with session_folder():
        assert not left.exists()


def test_folders_of_running_sessions_and_those_without_an_owner_stay(tmp_path):
    unowned = tmp_path / "hotloop-session-elsewhere"
    unowned.mkdir()
    with session_folder() as first, session_folder():
        assert first.is_dir()
    assert unowned.is_dir()
