"""The snippets of docs/panel.md do what they say, and its files are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "panel.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_the_top(capsys):
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "panel.md", "exec"), names)
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_the_benchmarks_and_claims_of_the_page_are_there():
    for name in re.findall(r"bench_\w+", PAGE):
        assert (ROOT / "benchmarks" / "panel" / f"{name}.py").is_file()
    claims = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    for anchor in re.findall(r"claims.md#(\w+)", PAGE):
        assert f"(#{anchor})" in claims
