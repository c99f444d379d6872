"""The snippets of docs/history.md do what they say, and its table is the stored result."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_the_top(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "history.md", "exec"), names)
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_the_table_of_the_simulation_is_the_stored_result():
    stored = json.loads((ROOT / "benchmarks" / "results" / "history" / "simulation.json").read_text())
    rows = re.findall(r"^\|[^|]+\| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [tuple(map(int, row)) for row in rows] == [
        (row["with_a_false_alarm"], row["exactly_the_three_planted"]) for row in stored.values()
    ]
