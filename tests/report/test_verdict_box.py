import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from hotloop.report.text import summary
from hotloop.report.verdict_box import WrittenFiles, verdict_box
from hotloop.verdict import Outcome

NOWHERE = WrittenFiles()
OUT = WrittenFiles(plan=Path("out/plan.toml"), page=Path("out/report.html"))


def _said(renderable):
    """What is printed at 80 columns, without the box around it."""
    file = io.StringIO()
    Console(file=file, width=80).print(renderable)
    return " ".join(file.getvalue().replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split())


def test_a_plan_that_was_written_is_named_and_not_printed(proven):
    said = _said(summary(proven, OUT))
    assert "[[transform]]" not in said
    assert "Plan file out/plan.toml Report out/report.html" in said
    assert "Next hotloop run examples/digits_cnn.py --plan out/plan.toml -- --epochs 3" in said


def test_figure_plan_and_payback_of_what_was_proven(proven):
    said = _said(verdict_box(proven, OUT))
    assert "Proven: it trains 1.84x [1.79, 1.90] as fast by CPU time and learns the same." in said
    assert "Plan tcmalloc + channels_last + compile Pays back after 1,781 steps, 34 s of training" in said


@pytest.mark.parametrize("verdict", [Outcome.FAIL, Outcome.INCONCLUSIVE])
def test_what_is_not_proven_pays_nothing_back(proven, verdict):
    said = _said(verdict_box(dataclasses.replace(proven, verdict=verdict), NOWHERE))
    assert verdict.value in said
    assert "Pays back" not in said
    assert "hotloop run" not in said


def test_where_nothing_was_written_it_says_how_to_have_it_written(proven):
    said = _said(verdict_box(proven, NOWHERE))
    assert "Plan file not written: save the lines above as plan.toml" in said
    assert "Report not written: --out FOLDER writes report.html and plan.toml" in said
