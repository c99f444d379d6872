"""The snippets of docs/shogi.md print what they say, and its tables name what there is."""

import re
from pathlib import Path

from hotloop.workloads.shogi import EndReason, VectorShogi

PAGE = (Path(__file__).parents[3] / "docs" / "shogi.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_the_top(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "shogi.md", "exec"), names)
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_every_reason_and_every_part_of_infos_is_told():
    env = VectorShogi(1)
    infos = env.step(env.random_actions())[5]
    words = [f'infos["{name}"]' for name in infos] + [reason.name for reason in EndReason if reason]
    assert [word for word in words if word not in PAGE] == []
