"""What docs/phases.md says is what happens."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "phases.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_prints_what_it_says(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = re.findall(r"print\(.*\)  # (.*)", code)
    assert expected
    exec(compile(code, "docs/phases.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == expected


def test_every_benchmark_that_it_names_is_there() -> None:
    for module in re.findall(r"python -m ([\w.]+)", PAGE):
        assert (Path(__file__).parents[1] / (module.replace(".", "/") + ".py")).exists(), module
