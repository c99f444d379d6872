"""TorchFix, run over files that are read already."""

import pytest

pytest.importorskip("torchfix")

from hotloop.lint.run import LintOptions, lint_paths

TEXT = "import torch\nfrom torch.utils.data import DataLoader\nloader = DataLoader(data)\nw = torch.load('w.pt')\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.py"
    path.write_text(TEXT)
    return path


def codes(path, **options):
    return [(finding.code, finding.line) for finding in lint_paths([path], LintOptions(**options)).findings]


def test_its_findings_come_with_ours_by_line(path):
    assert codes(path, select=("TOR",)) == [("TOR401", 3), ("TOR102", 4)]


def test_it_runs_by_itself_and_can_be_left_out(path):
    assert ("TOR401", 3) in codes(path)
    assert codes(path, torchfix=False) == []


def test_a_selection_without_its_codes_does_not_run_it(path):
    assert codes(path, select=("SY",)) == []


def test_its_findings_can_be_allowed(path):
    path.write_text(TEXT.replace("('w.pt')", "('w.pt')  # hotloop: allow TOR102 reason=our own file"))
    assert codes(path, select=("TOR",)) == [("TOR401", 3)]
