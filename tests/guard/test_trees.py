"""Work trees: what is in them, and that nothing of them is left, however a comparison ends."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from hotloop.guard.repository import Repository
from hotloop.guard.trees import import_paths, one_tree, work_trees

KILLED = """
import os, signal, sys
from pathlib import Path
from hotloop.guard.repository import Repository
from hotloop.guard.trees import work_trees
with work_trees(Repository.around(Path(sys.argv[1])), "HEAD", None):
    os.kill(os.getpid(), signal.SIGNAL)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def opened(repository):
    return lambda base="HEAD", head=None: work_trees(Repository.around(repository.folder), base, head)


def test_each_tree_has_the_files_of_its_revision(repository, opened):
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit("A model apart", model="x = 1\n")
    with opened(first, second) as trees:
        assert not (trees.base.tree / "model.py").exists()
        assert (trees.head.tree / "model.py").read_text() == "x = 1\n"
        assert (trees.base.commit, trees.head.commit) == (first, second)
        assert not trees.head.is_dirty


def test_the_head_is_the_working_tree_as_it_stands(repository, opened):
    repository.commit("A file to delete", gone="x = 1\n")
    repository.write(train="y = 2\n", new="z = 3\n")
    (repository.folder / "gone.py").unlink()
    with opened() as trees:
        repository.write(train="edited while guard runs\n")
        assert (trees.head.tree / "train.py").read_text() == "y = 2\n"
        assert (trees.head.tree / "new.py").read_text() == "z = 3\n"
        assert not (trees.head.tree / "gone.py").exists()
        assert (trees.base.tree / "gone.py").exists()
        assert trees.head.is_dirty


def test_what_git_ignores_is_linked_into_both_and_told(repository, opened):
    (repository.folder / ".gitignore").write_text("data/\n.venv/\n")
    repository.commit("Ignore data")
    for name in ("data", ".venv"):
        (repository.folder / name).mkdir()
        (repository.folder / name / "words.txt").write_text("one two\n")
    with opened() as trees:
        assert all((side.tree / "data" / "words.txt").exists() for side in (trees.base, trees.head))
        assert not (trees.base.tree / ".venv").exists()
        assert [note for note in trees.notes if "data" in note]


def test_hooks_of_the_repository_do_not_run(repository, opened):
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    with opened() as trees:
        assert not (trees.base.tree / "ran").exists()


def test_an_error_leaves_nothing(repository, opened, temporary):
    with pytest.raises(KeyError), opened():
        raise KeyError
    assert repository.trees() == 1
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_nothing(repository, temporary, name):
    done = subprocess.run([sys.executable, "-c", KILLED.replace("SIGNAL", name), str(repository.folder)], check=False)
    assert done.returncode != 0
    assert repository.trees() == 1
    assert not list(temporary.iterdir())


def test_the_next_one_removes_what_a_kill_left(repository, opened, temporary):
    code = KILLED.replace("SIGNAL", "SIGKILL")
    done = subprocess.run([sys.executable, "-c", code, str(repository.folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert repository.trees() == 3
    with opened():
        assert repository.trees() == 3
    assert repository.trees() == 1
    assert not list(temporary.iterdir())


def test_one_tree_is_removed_as_well(repository):
    with one_tree(Repository.around(repository.folder), "main") as tree:
        assert (tree / "train.py").exists()
        assert os.listdir(tree)
    assert repository.trees() == 1


def test_folders_of_the_working_tree_are_led_to_the_work_tree(repository, monkeypatch, tmp_path):
    found = Repository.around(repository.folder)
    monkeypatch.syspath_prepend(str(repository.folder / "src"))
    monkeypatch.syspath_prepend(str(repository.folder))
    assert import_paths(found, tmp_path / "tree", without=repository.folder) == (str(tmp_path / "tree" / "src"),)
