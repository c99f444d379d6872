"""Patches: as a text that git applies, and written in place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop.errors import SourceError
from hotloop.lint.propose import propose_patches
from hotloop.lint.run import LintOptions, lint_paths

PROGRAM = (Path(__file__).parents[1] / "programs" / "fixable.py").read_bytes()
FORMS = {
    "plain": PROGRAM,
    "Windows line ends": PROGRAM.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + PROGRAM,
    "another encoding": b"# -*- coding: latin-1 -*-\nNAME = '\xe9\xe9'\n" + PROGRAM,
    "no newline at the end": PROGRAM.rstrip(b"\n"),
    "letters of several bytes": PROGRAM.replace(b"scale = torch.", "gr\u00f6\u00dfe = scale = torch.".encode()),
}


def proposed(path):
    return propose_patches(lint_paths([path], LintOptions(torchfix=False)).findings)[0]


@pytest.mark.parametrize("form", FORMS)
def test_git_applies_the_patch_to_the_bytes_that_write_writes(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_bytes(FORMS[form])
    patch = proposed(path)
    text = patch.unified().encode(patch.text_encoding)
    git = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(git, input=text, check=True, cwd=tmp_path)
    applied = path.read_bytes()
    path.write_bytes(FORMS[form])
    patch.write()
    assert path.read_bytes() == applied != FORMS[form]


def test_line_ends_and_the_byte_order_mark_stay(tmp_path):
    path = tmp_path / "train.py"
    path.write_bytes(b"\xef\xbb\xbf" + PROGRAM.replace(b"\n", b"\r\n"))
    after = proposed(path).after
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\n") == after.count(b"\r\n")


def test_the_mode_stays_and_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_bytes(PROGRAM)
    real.chmod(0o751)
    link.symlink_to(real)
    proposed(link).write()
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o751
    assert real.read_bytes() != PROGRAM
    assert sorted(os.listdir(tmp_path)) == ["link.py", "real.py"]


def run_lint(*arguments, cwd):
    command = [sys.executable, "-m", "hotloop.cli.app", "lint", "--no-torchfix", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_fix_prints_the_patch_and_nothing_else_on_stdout(tmp_path):
    path = tmp_path / "train.py"
    path.write_bytes(PROGRAM)
    done = run_lint("--fix", "train.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("--- a/train.py\n+++ b/train.py\n")
    assert "would be fixed" in done.stderr
    assert path.read_bytes() == PROGRAM
    subprocess.run(["git", "apply", "-"], input=done.stdout, text=True, check=True, cwd=tmp_path)
    assert run_lint("--fix", "--select", "DA,OP", "train.py", cwd=tmp_path).returncode == 0


def test_write_changes_the_file_and_reports_what_is_left(tmp_path):
    (tmp_path / "train.py").write_bytes(PROGRAM)
    done = run_lint("--fix", "--write", "train.py", cwd=tmp_path)
    assert "SY01" in done.stdout
    assert "DA11" not in done.stdout
    assert run_lint("--select", "DA,OP", "train.py", cwd=tmp_path).returncode == 0


def test_write_without_fix_is_a_usage_error(tmp_path):
    (tmp_path / "train.py").write_bytes(PROGRAM)
    assert run_lint("--write", "train.py", cwd=tmp_path).returncode == 2


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "code.py"
    path.write_bytes(PROGRAM)
    patch = proposed(path)
    path.write_text("x = 1\n")
    with pytest.raises(SourceError, match="changed since it was read"):
        patch.write()
    assert path.read_text() == "x = 1\n"
