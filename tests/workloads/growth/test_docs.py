"""The snippets of docs/growth.md do what they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "growth.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_prints_what_it_says(code, capsys):
    expected = re.findall(r"print\(.*\)  # (.*)", code)
    assert expected
    exec(compile(code, "growth.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == expected


def test_every_test_and_benchmark_that_it_names_is_there():
    named = re.findall(r"`((?:tests|benchmarks|configs)/[\w/]+\.\w+)`", PAGE)
    assert len(named) > 5
    assert all((ROOT / name).is_file() for name in named)


def test_every_test_that_the_rows_name_is_there():
    row_tests, path = [], ""
    for given, name in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", PAGE):
        path = given or path
        row_tests.append((path, name))
    assert len(row_tests) > 35
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path, _ in row_tests}
    assert [name for path, name in row_tests if f"def {name}(" not in texts[path]] == []
