"""The command on a repository of two commits."""

import json
import subprocess

import pytest

from tools.house.__main__ import main

GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]


@pytest.fixture
def repository(tmp_path):
    home = tmp_path / "src" / "hotloop"
    home.mkdir(parents=True)
    (home / "__init__.py").write_text("x = 1\n")
    for call in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "One file"]):
        subprocess.run([*GIT, *call], cwd=tmp_path, check=True)
    (home / "second.py").write_text("x = 1\ny = 2\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "architecture.md").write_text("```\nroom/\n```\n")
    return tmp_path


def test_the_table_shows_before_and_after(repository, capsys):
    main(["--root", str(repository), "--against", "HEAD"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["HEAD", "here"]
    assert ["files", "1", "2"] in lines
    assert ["source", "lines", "1", "3"] in lines


def test_the_worktree_is_gone_in_the_end(repository, capsys):
    main(["--root", str(repository), "--against", "HEAD", "--json"])
    assert json.loads(capsys.readouterr().out)["HEAD"]["files"] == 1
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_an_unknown_revision_is_refused(repository):
    with pytest.raises(ValueError, match="name a commit"):
        main(["--root", str(repository), "--against", "nowhere"])


def test_places_that_break_a_rule_are_listed(repository, capsys):
    main(["--root", str(repository), "--list"])
    assert "docs/architecture.md:2: draws room/" in capsys.readouterr().out


def test_short_functions_that_are_used_once_are_listed(repository, capsys):
    (repository / "src" / "hotloop" / "third.py").write_text("def _one():\n    return 1\n\n\ntwo = _one() + 1\n")
    main(["--root", str(repository), "--short"])
    assert "src/hotloop/third.py:1: _one is used once" in capsys.readouterr().out
