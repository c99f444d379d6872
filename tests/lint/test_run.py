"""The verb: files and codes."""

import pytest

from hotloop.errors import SourceError
from hotloop.lint.run import LintOptions, lint_paths
from hotloop.lint.torchfix import is_installed


def test_findings_come_by_line(train, codes):
    assert codes(train(), select=("SY01", "SY02")) == [("SY01", 5), ("SY02", 6)]


def test_families_are_selected_and_codes_ignored(train, codes):
    assert codes(train(), select=("SY",), ignore=("SY02", "SY06")) == [("SY01", 5)]


def test_a_misspelt_code_is_refused(train, codes):
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
