"""`hotloop lint` from a shell: what goes where, and the exit codes."""

import json
import os
import subprocess
import sys

import pytest

CLEAN = "for x in loader:\n    y = model(x)\n"
DIRTY = CLEAN + "    y.mean().item()\n"


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "clean.py").write_text(CLEAN)
    (tmp_path / "dirty.py").write_text(DIRTY)
    (tmp_path / "broken.py").write_text("def f(:\n")

    def run(*arguments):
        command = [sys.executable, "-m", "hotloop.cli.app", "lint", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)

    return run


def test_a_clean_file_exits_0_and_prints_no_finding(shell):
    done = shell("clean.py")
    assert (done.returncode, done.stdout) == (0, "")


def on_one_screen(folder, *arguments):
    """Lines of stdout and stderr in the order in which a terminal shows them."""
    command = [sys.executable, "-m", "hotloop.cli.app", "lint", "--no-torchfix", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout.splitlines()


def test_the_count_stands_apart_from_the_findings_in_a_line_of_its_own(shell, tmp_path):
    assert on_one_screen(tmp_path, "clean.py") == ["0 findings in 1 file"]
    *findings, gap, count = on_one_screen(tmp_path, "clean.py", "dirty.py", "--select", "SY01")
    assert findings[0].startswith("dirty.py:3:5: SY01 ")
    assert (gap, count) == ("", "1 finding in 2 files")


def test_the_count_of_fixes_comes_after_the_patch(shell, tmp_path):
    (tmp_path / "log.py").write_text(
        "import logging\nlogger = logging.getLogger()\nfor x in loader:\n    logger.info(f'{x.item()}')\n"
    )
    shown = on_one_screen(tmp_path, "--fix", "log.py")
    assert shown[0] == "--- a/log.py"
    assert shown[-1] == "1 finding would be fixed"


def test_json_alone_is_on_stdout_and_findings_exit_1(shell):
    done = shell("dirty.py", "--json", "--select", "SY01")
    assert done.returncode == 1
    assert [found["line"] for found in json.loads(done.stdout)["findings"]] == [3]


def test_a_broken_file_exits_2_and_is_named_even_beside_good_ones(shell):
    done = shell("dirty.py", "broken.py")
    assert done.returncode == 2
    assert "broken.py:1: invalid syntax" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", [(), ("nowhere",), ("clean.py", "--select", "XX"), ("clean.py", "--format", "xml")]
)
def test_wrong_usage_exits_2(shell, arguments):
    assert shell(*arguments).returncode == 2


def test_the_allow_list_beside_is_read_by_itself(shell, tmp_path):
    (tmp_path / "hotloop-allow.toml").write_text(
        '[[allow]]\nkey = "dirty.py::SY01"\nowner = "ana"\nreason = "by design"\n'
    )
    assert shell("dirty.py", "--select", "SY01").returncode == 0
