"""The verb: files, codes, allowances, and the lines of a report."""

import json

import pytest

from hotloop.errors import SourceError
from hotloop.lint.allow_list import load_allow_list
from hotloop.lint.measured_costs import load_measured_costs
from hotloop.lint.run import LintOptions, lint_paths
from hotloop.lint.torchfix import is_installed

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


def codes(path, **options):
    found = lint_paths([path], LintOptions(torchfix=False, **options)).findings
    return [(finding.code, finding.line) for finding in found]


def test_findings_come_by_line(train):
    assert codes(train(), select=("SY01", "SY02")) == [("SY01", 5), ("SY02", 6)]


def test_families_are_selected_and_codes_ignored(train):
    assert codes(train(), select=("SY",), ignore=("SY02", "SY06")) == [("SY01", 5)]


def test_a_misspelt_code_is_refused(train):
    with pytest.raises(SourceError, match="no code starts with 'SV01'; families are AL, CO"):
        codes(train(), select=("SV01",))


def test_folders_are_searched_without_hidden_ones_and_a_file_counts_once(tmp_path):
    for folder in ("a", ".hidden", "__pycache__"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text("x = 1\n")
    assert lint_paths([tmp_path, tmp_path / "a" / "x.py"], LintOptions(torchfix=False)).num_files == 1


@pytest.mark.parametrize(
    ("name", "said"), [("nothing", "does not exist"), ("empty", "holds no Python"), ("a.ipynb", "is a notebook")]
)
def test_a_path_that_cannot_be_linted_is_an_error(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=said):
        lint_paths([tmp_path / name])


@pytest.mark.skipif(is_installed(), reason="TorchFix is installed")
def test_torchfix_that_is_asked_for_and_not_installed_says_what_to_install(train):
    with pytest.raises(SourceError, match=r"pip install 'hotloop\[torchfix\]'"):
        lint_paths([train()], LintOptions(torchfix=True))


def test_a_comment_allows_its_code_on_its_statement(train):
    path = train("  # hotloop: allow SY01 reason=read once by design")
    assert codes(path, select=("SY01", "SY02")) == [("SY02", 6)]


def test_a_comment_on_the_line_above_counts(tmp_path):
    path = tmp_path / "t.py"
    path.write_text(
        "for x in loader:\n    # hotloop: allow sy01, SY02 reason=both\n    # why\n    f(x.item(),\n      x.cpu())\n"
    )
    assert codes(path, select=("SY01", "SY02")) == []


def test_a_comment_on_a_loop_head_does_not_allow_its_body(tmp_path):
    path = tmp_path / "t.py"
    path.write_text("for x in loader:  # hotloop: allow SY01 reason=the head\n    x.item()\n")
    assert codes(path, select=("SY01",)) == [("SY01", 2), ("AL01", 1)]


def test_a_comment_that_allows_nothing_is_stale_unless_its_code_was_not_looked_for(train):
    path = train("  # hotloop: allow CO01 reason=gone")
    assert ("AL01", 5) in codes(path)
    assert codes(path, select=("SY01",)) == [("SY01", 5)]


@pytest.mark.parametrize(
    "comment", ["# hotloop: allow SY01", "# hotloop: allow reason=x", "# hotloop: allow SY01 reason="]
)
def test_a_comment_without_code_or_reason_allows_nothing_and_is_reported(train, comment):
    assert codes(train(f"  {comment}"), select=("SY01",)) == [("SY01", 5), ("AL02", 5)]


def test_a_string_that_looks_like_a_comment_allows_nothing(tmp_path):
    path = tmp_path / "t.py"
    path.write_text('for x in loader:\n    f(x.item(), "# hotloop: allow SY01 reason=no")\n')
    assert codes(path, select=("SY01",)) == [("SY01", 2)]


def allow_list(folder, key, **changes):
    values = {"key": key, "owner": "ana", "reason": "by design"} | changes
    path = folder / "allow.toml"
    path.write_text("[[allow]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path


def test_an_entry_allows_a_code_in_a_scope(train, tmp_path):
    listed = load_allow_list(allow_list(tmp_path, "train.py:fit:SY01"))
    assert codes(train(), select=("SY01",), allow=listed) == []


@pytest.mark.parametrize("key", ["train.py:other:SY01", "gone.py:fit:SY01"])
def test_an_entry_that_allows_nothing_is_stale(train, tmp_path, key):
    listed = load_allow_list(allow_list(tmp_path, key))
    assert codes(train(), select=("SY01",), allow=listed) == [("SY01", 5), ("AL01", 1)]


def test_an_entry_for_a_file_that_was_not_linted_is_not_judged(train, tmp_path):
    (tmp_path / "other.py").write_text("x = 1\n")
    listed = load_allow_list(allow_list(tmp_path, "other.py:fit:SY01"))
    assert codes(train(), select=("SY01",), allow=listed) == [("SY01", 5)]


@pytest.mark.parametrize("changes", [{"owner": ""}, {"reason": 3}, {"extra": "x"}, {"key": "train.py"}])
def test_an_entry_without_owner_reason_or_key_is_refused(tmp_path, changes):
    with pytest.raises(SourceError, match=r"allow.toml:1: .*; (it needs|write)|needs key, owner and reason"):
        load_allow_list(allow_list(tmp_path, **({"key": "a:b:c"} | changes)))


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
        "amdahl_limit": None,
    } | figures


def test_only_lines_that_cost_time_are_kept_and_they_carry_the_figures(train, tmp_path):
    hot = load_measured_costs(
        report(tmp_path, seen(5, share=0.25, amdahl_limit=1.333, per_step=1.0), seen(6, share=0.0))
    )
    found = lint_paths([train()], LintOptions(torchfix=False, hot=hot)).findings
    assert [(finding.line, finding.hot, finding.share) for finding in found] == [(5, True, 0.25)]


def test_a_line_that_was_only_counted_is_kept(train, tmp_path):
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
