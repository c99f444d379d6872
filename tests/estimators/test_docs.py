"""The snippets of the pages on the estimators do what they say."""

import re
import warnings
from pathlib import Path

import pytest

from hotloop.estimators import PSANNRegressor

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("hisso.md", "migration.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run_from_the_top(page, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for code in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL):
            exec(compile(code, page, "exec"), names)
            printed = capsys.readouterr().out.splitlines()
            assert printed == re.findall(r"print\(.*\)  # (.*)", code)


def test_the_table_of_knobs_names_every_keyword_of_episodes() -> None:
    import inspect

    text = (DOCS / "hisso.md").read_text(encoding="utf-8")
    knobs = [name for name in inspect.signature(PSANNRegressor.fit).parameters if name.startswith("hisso")]
    assert [name for name in knobs if f"`{name}`" not in text] == []
