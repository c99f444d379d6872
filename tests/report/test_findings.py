import io
from pathlib import Path

import pytest
from rich.console import Console

from hotloop.finding import Finding
from hotloop.report.findings import diagnosis_text, relative

DOCUMENT = {
    "step_seconds": 0.0352,
    "steps": 30,
    "phases": {"forward": {"ms": 20.0, "share": 0.57}, "data_wait": {"ms": 0.0, "share": 0.0}},
    "outside": {"start_up": {"seconds": 1.2}},
    "modules": [{"name": "net.0", "type": "Linear", "self_share": 0.4, "share": 0.5, "bound": 2.0}],
    "seen": {},
    "notes": ["it was looked at with one thread"],
}


@pytest.fixture
def found() -> Finding:
    return Finding(
        code="SY01",
        path="/work/train.py",
        line=12,
        per_step=1.0,
        share=0.12,
        amdahl_limit=1.14,
        message="the host reads [item] once a step",
        cure="read it once a report",
    )


def _lines(*findings):
    file = io.StringIO()
    Console(file=file, width=80).print(diagnosis_text(DOCUMENT, findings, folder=Path("/work")))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_phases_findings_and_modules_are_told_in_eighty_columns(found):
    lines = _lines(found)
    assert lines[0] == "A step takes 35.2 ms (mean of 30 steps)."
    assert "forward 20 ms 57.0%" in lines
    assert "outside steps: start up 1.2 s" in lines
    assert any(line.startswith("SY01 train.py:12 12.0% 1.14x the host reads [item] once") for line in lines)
    assert "net.0 Linear 40.0% 50.0% 2.00x" in lines
    assert lines[-1] == "Note: it was looked at with one thread."


def test_the_first_line_says_what_the_program_is_bound_by(found, monkeypatch):
    monkeypatch.setitem(DOCUMENT, "kind", {"message": "data-bound: 80% of a step waits for data"})
    assert _lines(found)[0] == "This program is data-bound: 80% of a step waits for data."


def test_no_findings_are_said_in_words():
    assert "Nothing was found that costs time." in _lines()


def test_more_findings_than_fit_are_counted(found):
    assert "5 more; --json lists all." in _lines(*[found] * 35)


def test_paths_elsewhere_keep_their_last_parts():
    assert relative("/usr/lib/python3/site-packages/torch/nn/linear.py", Path("/work")) == ".../torch/nn/linear.py"
