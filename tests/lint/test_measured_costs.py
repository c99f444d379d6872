"""Only the lines that cost time in a diagnosed run."""

import json

import pytest

from hotloop.errors import SourceError
from hotloop.lint.measured_costs import load_measured_costs
from hotloop.lint.run import LintOptions, lint_paths


def report(folder, *findings, schema=1):
    path = folder / "report.json"
    path.write_text(json.dumps({"schema": schema, "phases": {}, "findings": list(findings), "modules": []}))
    return path


def seen(line, **figures):
    return {
        "code": "SY01",
        "path": "train.py",
        "line": line,
        "per_step": None,
        "share": None,
        "bound": None,
    } | figures


def test_only_lines_that_cost_time_are_kept_and_they_carry_the_figures(train, tmp_path):
    hot = load_measured_costs(
        report(tmp_path, seen(5, share=0.25, amdahl_limit=1.333, per_step=1.0), seen(6, share=0.0))
    )
    found = lint_paths([train()], LintOptions(torchfix=False, hot=hot)).findings
    assert [(finding.line, finding.hot, finding.share) for finding in found] == [(5, True, 0.25)]


def test_a_line_that_was_only_counted_is_kept(train, tmp_path, codes):
    hot = load_measured_costs(report(tmp_path, seen(6, per_step=1.0)))
    assert {line for _, line in codes(train(), hot=hot)} == {6}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": 2, "findings": []}', '{"schema": 1, "findings": [{"line": 1}]}']
)
def test_a_report_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(SourceError, match="hotloop diagnose --json"):
        load_measured_costs(path)
