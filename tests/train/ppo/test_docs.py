"""The snippets of docs/ppo.md do what they say."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "ppo.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_the_top(capsys):
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "ppo.md", "exec"), names)
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_every_config_that_is_named_is_there():
    root = Path(__file__).parents[3]
    named = set(re.findall(r"configs/\S+\.toml", PAGE))
    assert named
    assert all((root / path).is_file() for path in named)
