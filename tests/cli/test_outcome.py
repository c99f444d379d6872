"""What a measuring command leaves behind: files, and a summary that names them."""

import dataclasses
from pathlib import Path

import pytest
import typer

from hotloop.cli.outcome import leave
from hotloop.measurement import Clock, Environment
from hotloop.trial import Result
from hotloop.verdict import Outcome

FUSED = '[[transform]]\nname = "fused_optimizer"\nimplementation = "fused"\n'


@pytest.fixture
def result(cpu_machine: Environment) -> Result:
    return Result(
        workload="train.py",
        verdict=Outcome.PASS,
        message="it is faster",
        speedup=None,
        aa=None,
        clock=Clock.WALL,
        plan=({"name": "fused_optimizer", "implementation": "fused"},),
        payback_steps=0,
        payback_seconds=0.0,
        trials=(),
        environment=cpu_machine,
        evidence="",
        command="hotloop tune train.py",
    )


def test_files_are_written_and_named(result: Result, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as left:
        leave(result, as_json=False, out=Path("out"))
    assert left.value.exit_code == 0
    assert {path.name for path in Path("out").iterdir()} == {"plan.toml", "report.html", "result.json"}
    assert Path("out/plan.toml").read_text() == FUSED
    said = capsys.readouterr().out
    assert all(text in said for text in ("out/plan.toml", "out/report.html", "hotloop run train.py --plan"))


def test_a_plan_that_no_file_has_is_printed(result: Result, capsys) -> None:
    with pytest.raises(typer.Exit):
        leave(result, as_json=False, out=None)
    said = capsys.readouterr().out
    assert all(line in said for line in FUSED.splitlines())


def test_the_verdict_is_the_exit_code(result: Result) -> None:
    with pytest.raises(typer.Exit) as left:
        leave(dataclasses.replace(result, verdict=Outcome.INCONCLUSIVE), as_json=True, out=None)
    assert left.value.exit_code == 3
