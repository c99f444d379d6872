"""The snippets of docs/bench.md do what they say."""

import re
from pathlib import Path

from hotloop.workloads.matrix.matrix import load_matrix

PAGE = (Path(__file__).parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_the_top(capsys):
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "bench.md", "exec"), names)
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_the_matrix_of_the_page_loads(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "matrix.toml").write_text(text)
    matrix = load_matrix(tmp_path / "matrix.toml")
    assert len(matrix.rows()) * len(matrix.plans) == 8
