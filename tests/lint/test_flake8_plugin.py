"""The flake8 plug-ins."""

import ast
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
POINTS = [point for point in entry_points(group="flake8.extension") if point.value.startswith("hotloop.")]


def test_there_is_a_plug_in_for_each_family():
    assert {point.name for point in POINTS} == {"HSY", "HDA", "HCO", "HOP", "HME"}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_plug_in_reports_codes_of_its_own_prefix_that_flake8_takes(point):
    text = (FIXTURES / f"{point.name[1:].lower()}01_fires.py").read_text()
    rows = list(point.load()(ast.parse(text), "x.py", text.splitlines(keepends=True)).run())
    assert rows
    for line, column, said, _ in rows:
        code = said.split()[0]
        assert re.fullmatch(r"[A-Z]{1,3}[0-9]{0,3}", code)
        assert code.startswith(point.name)
        assert min(line - 1, column) >= 0


def test_allow_comments_count_in_flake8():
    text = "for x in loader:\n    x.item()  # hotloop: allow SY01 reason=by design\n"
    point = next(point for point in POINTS if point.name == "HSY")
    assert list(point.load()(ast.parse(text), "x.py", text.splitlines(keepends=True)).run()) == []


def test_flake8_itself_runs_them():
    pytest.importorskip("flake8")
    command = [sys.executable, "-m", "flake8", "--isolated", "--select=HSY", str(FIXTURES / "sy08_fires.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["HSY08"] * 3
