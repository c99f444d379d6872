"""What docs/captured_loop.md says is what happens."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "captured_loop.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_prints_what_it_says(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = re.findall(r"^print\(.*\)  # (.*)", code, re.MULTILINE)
    assert expected
    exec(compile(code, "docs/captured_loop.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == expected
