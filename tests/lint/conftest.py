"""A file to lint, and the codes that are found in a file."""

import pytest

from hotloop.lint.run import LintOptions, lint_paths

LOOP = """
def fit(model, loader):
    for x in loader:
        loss = model(x).mean()
        total = loss.item(){}
        print(x.cpu())
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Writes train.py with a comment on its `.item()` line, and gives its path."""
    monkeypatch.chdir(tmp_path)

    def write(comment=""):
        path = tmp_path / "train.py"
        path.write_text(LOOP.format(comment))
        return path

    return write


@pytest.fixture
def codes():
    """Code and line of what is found in a file by our own rules."""

    def found(path, **options):
        findings = lint_paths([path], LintOptions(torchfix=False, **options)).findings
        return [(finding.code, finding.line) for finding in findings]

    return found
