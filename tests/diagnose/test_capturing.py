"""What running a step as one graph could be worth, and which line stands in the way."""

import textwrap
from types import SimpleNamespace

import pytest

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.capturing import capturing_findings
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.step_source import StepSourceProbe

LOOP = """
for x, y in loader:
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    total += loss.item()
"""
BLOCKED = """
for x in loader:
    loss = model(x).mean()
    if loss.item() > 100:
        break
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def seen(path, line):
    lines = {1: SourceLine(str(path), line)}
    return StepSourceProbe(SimpleNamespace(optimizer_lines=lines)).report(PhaseTimes()).data


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "train.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_a_loop_that_can_be_captured_is_named_with_its_lines(script):
    path = script(LOOP)
    (finding,) = capturing_findings({"shares": {"overhead-bound": 0.75}}, seen(path, 6))
    assert (finding.code, finding.path, finding.line) == ("CO12", str(path), 3)
    assert finding.amdahl_limit == pytest.approx(4.0)
    assert finding.transform == "captured_loop"
    assert finding.message.startswith("75% of a step is neither data nor the work of operators")
    assert finding.message.endswith("lines 3 to 6 could run as one graph")


def test_the_line_in_the_way_is_named(script):
    path = script(BLOCKED)
    (finding,) = capturing_findings({"shares": {"overhead-bound": 0.5}}, seen(path, 8))
    assert (finding.line, finding.transform) == (4, None)
    assert ".item() reads a value from the device" in finding.message


def test_a_step_of_real_work_is_not_reported(script):
    assert capturing_findings({"shares": {"overhead-bound": 0.05}}, seen(script(LOOP), 6)) == []


def test_a_program_that_was_not_looked_into_is_not_reported(script):
    assert capturing_findings({"kind": None, "shares": {"data-bound": 0.1}}, seen(script(LOOP), 6)) == []


def test_a_step_that_a_library_makes_has_no_source_to_cut(tmp_path):
    assert seen("", 0) == {"regions": [], "in_the_way": []}
    assert seen(tmp_path / "gone.py", 3) == {"regions": [], "in_the_way": []}
    assert capturing_findings({"shares": {"overhead-bound": 0.9}}, seen("", 0)) == []
