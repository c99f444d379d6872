"""Revisions: what is no repository, no revision, or a clone without its past is said with what to do."""

import subprocess

import pytest

from hotloop.errors import RevisionError
from hotloop.guard.repository import Repository


def test_a_folder_outside_of_git_is_refused(tmp_path):
    with pytest.raises(RevisionError, match=r"in no git repository .* --base-python"):
        Repository.around(tmp_path)


def test_a_revision_is_named_in_full(repository):
    assert Repository.around(repository.folder).commit("main") == repository.git("rev-parse", "HEAD")


@pytest.mark.parametrize("revision", ["nowhere", "HEAD~7", "--help", ""])
def test_an_unknown_revision_is_refused(repository, revision):
    with pytest.raises(RevisionError, match="name a branch, a tag or a commit"):
        Repository.around(repository.folder).commit(revision)


def test_a_shallow_clone_says_how_to_fetch_the_rest(repository, tmp_path):
    repository.commit("Another")
    clone = tmp_path / "clone"
    call = ["git", "clone", "--quiet", "--depth", "1", f"file://{repository.folder}", str(clone)]
    subprocess.run(call, check=True)
    with pytest.raises(RevisionError, match=r"shallow clone.* fetch-depth: 0"):
        Repository.around(clone).commit("HEAD~1")


def test_variables_of_a_hook_do_not_lead_elsewhere(repository, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    assert Repository.around(repository.folder).top == repository.folder
