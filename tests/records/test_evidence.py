import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from hotloop.errors import EvidenceError, PlanError
from hotloop.measurement import Block, Environment
from hotloop.records.documents import from_data, to_data
from hotloop.records.evidence import Command, Evidence, load_evidence
from hotloop.records.history import open_history
from hotloop.records.recorder import start_recording
from hotloop.transform import Plan
from hotloop.trial import Result, Trial
from hotloop.workload import Recipe

WRITER = """
import sys
from pathlib import Path
from hotloop.records.evidence import Command, Evidence
from hotloop.measurement import Block, Environment
from hotloop.workload import Script
environment = Environment(cpu="", cpu_flags=(), cores=(0,), threads=1, governor="", load=0.0, foreign_cores=0.0,
                          memory=1, platform="", python="", torch="", hotloop="")
command = Command(verb="tune", workload=Script(path=Path("t.py"), folder=Path("/")), line="")
evidence = Evidence.create(Path(sys.argv[1]), command=command, environment=environment)
for round in range(10**6):
    evidence.block("compile", Block(replicate=0, round=round, arm="baseline", wall=(0.1,) * 20, cpu=(0.1,) * 20))
    print(round, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, command: Command, cpu_machine: Environment, block: Block, result: Result) -> Path:
    """A finished evidence folder with two blocks of one comparison."""
    evidence = Evidence.create(tmp_path / "evidence", command=command, environment=cpu_machine)
    evidence.block("compile", dataclasses.replace(block, losses=()))
    evidence.block("compile", block)
    evidence.finish(Plan(), result)
    return evidence.folder


def test_evidence_comes_back_as_it_was(
    folder: Path, command: Command, cpu_machine: Environment, block: Block, result: Result
) -> None:
    recorded = load_evidence(folder)
    assert (recorded.command, recorded.environment, recorded.result) == (command, cpu_machine, result)
    assert repr(recorded.blocks) == repr({"compile": (dataclasses.replace(block, losses=()), block)})
    assert (recorded.plan, recorded.notes) == (Plan(), ())


def test_a_recipe_comes_back_as_a_recipe(tmp_path: Path, command: Command, cpu_machine: Environment) -> None:
    recipe = Recipe(target="job.py:build", seed=3, folder=tmp_path)
    asked = dataclasses.replace(command, workload=recipe)
    Evidence.create(tmp_path / "evidence", command=asked, environment=cpu_machine)
    assert load_evidence(tmp_path / "evidence").command == asked
    assert json.loads((tmp_path / "evidence" / "command.json").read_text())["workload"]["kind"] == "recipe"


def test_the_folder_is_self_contained_and_holds_no_leftovers(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.txt",
        "command.json",
        "counts.json",
        "environment.json",
        "plan.toml",
        "result.json",
        "samples.jsonl",
        "trials.jsonl",
    ]


def test_the_readme_says_how_to_redraw_and_to_repeat(folder: Path) -> None:
    readme = (folder / "README.txt").read_text()
    assert "hotloop report FOLDER" in readme
    assert "hotloop prove --replay FOLDER" in readme


def test_evidence_is_never_overwritten(folder: Path, command: Command, cpu_machine: Environment) -> None:
    with pytest.raises(EvidenceError, match="holds evidence already"):
        Evidence.create(folder, command=command, environment=cpu_machine)


def test_a_folder_that_cannot_be_made_is_an_evidence_error(
    tmp_path: Path, command: Command, cpu_machine: Environment
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EvidenceError, match="cannot write evidence"):
        Evidence.create(tmp_path / "file" / "evidence", command=command, environment=cpu_machine)


def test_an_unfinished_session_has_samples_and_a_note(folder: Path) -> None:
    (folder / "result.json").unlink()
    recorded = load_evidence(folder)
    assert len(recorded.blocks["compile"]) == 2
    assert (recorded.result, recorded.plan) == (None, None)
    assert "did not finish" in recorded.notes[0]


def test_a_torn_last_line_is_noted_wherever_it_is_torn(folder: Path) -> None:
    whole = (folder / "samples.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first + 1, len(whole)):
        (folder / "samples.jsonl").write_bytes(whole[:length])
        recorded = load_evidence(folder)
        assert len(recorded.blocks["compile"]) == 1
        assert "cut off" in recorded.notes[0]


@pytest.mark.parametrize("name", ["command.json", "environment.json", "samples.jsonl", "trials.jsonl", "plan.toml"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EvidenceError, match=rf"cannot read evidence .*{name}: .*; copy the folder again"):
        load_evidence(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"{" * 99999, b'{"schema": 1}', b"\0"])
@pytest.mark.parametrize("name", ["command.json", "environment.json", "counts.json", "result.json"])
def test_a_damaged_document_is_an_evidence_error(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(EvidenceError, match=name if name != "counts.json" else "samples|counts"):
        load_evidence(folder)


def test_a_result_of_another_schema_is_refused(folder: Path) -> None:
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**data, "schema": 99}))
    with pytest.raises(EvidenceError, match="schema 99"):
        load_evidence(folder)


@pytest.mark.parametrize("line", [b"", b"{}", b"no", b'{"comparison": 1}', b'{"race": "a", "pair": "x"}', b"\xff"])
def test_a_damaged_line_in_the_middle_is_an_evidence_error(folder: Path, line: bytes) -> None:
    first, second, _ = (folder / "samples.jsonl").read_bytes().split(b"\n")
    (folder / "samples.jsonl").write_bytes(b"\n".join([first, line, second, b""]))
    with pytest.raises(EvidenceError, match=r"samples\.jsonl"):
        load_evidence(folder)


def test_samples_that_went_missing_after_the_end_are_an_evidence_error(folder: Path) -> None:
    first, *_ = (folder / "samples.jsonl").read_bytes().split(b"\n")
    (folder / "samples.jsonl").write_bytes(first + b"\n")
    with pytest.raises(EvidenceError, match="it has 1 lines, and 2 were written"):
        load_evidence(folder)


def test_a_plan_that_is_no_toml_is_an_evidence_error(folder: Path) -> None:
    (folder / "plan.toml").write_text("[[transform")
    with pytest.raises(EvidenceError, match=r"plan\.toml"):
        load_evidence(folder)


def test_a_plan_of_a_transform_that_is_not_installed_can_still_be_redrawn(folder: Path) -> None:
    (folder / "plan.toml").write_text('[[transform]]\nname = "of_another_machine"\n')
    recorded = load_evidence(folder)
    with pytest.raises(PlanError, match="of_another_machine"):
        _ = recorded.plan


def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(0)
    for attempt in range(10):
        call = [sys.executable, "-c", WRITER, str(tmp_path / str(attempt))]
        writer = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(1 + chance.randrange(100))]
        writer.kill()
        rest, _ = writer.communicate()
        acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        rounds = [block.round for block in load_evidence(tmp_path / str(attempt)).blocks["compile"]]
        assert rounds == list(range(len(rounds)))
        assert len(rounds) > acknowledged[-1]


def test_a_recorder_tells_the_history_and_the_evidence_the_same(
    tmp_path: Path, history_url: str, command: Command, result: Result, block: Block, trial: Trial
) -> None:
    with open_history(history_url) as history:
        recorder = start_recording(history, tmp_path / "evidence", command=command, environment=result.environment)
        recorder.block("compile", block)
        recorder.trial(trial)
        recorder.finish(Plan(), result)
        (session,) = (row.id for row in history.sessions())
        recorded = load_evidence(tmp_path / "evidence")
        assert repr(recorded.blocks) == repr(history.blocks(session))
        assert recorded.trials == history.trials(session) == (trial,)
        assert recorded.result == history.result(session) == result


def test_a_history_that_goes_away_ends_nothing_and_the_evidence_is_whole(
    tmp_path: Path, history_url: str, command: Command, result: Result, block: Block, trial: Trial
) -> None:
    with open_history(history_url) as history:
        recorder = start_recording(history, tmp_path / "evidence", command=command, environment=result.environment)
        recorder.block("compile", block)
        assert not recorder.lost

        @event.listens_for(history.engine, "before_cursor_execute")
        def gone(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            raise OperationalError(statement, {}, Exception("server closed the connection unexpectedly"))

        recorder.block("compile", block)
        event.remove(history.engine, "before_cursor_execute", gone)
        recorder.trial(trial)
        recorder.finish(Plan(), result)
        assert "server closed the connection unexpectedly" in recorder.lost
        (session,) = (row.id for row in history.sessions())
        assert (len(history.blocks(session)["compile"]), history.trials(session)) == (1, ())
    recorded = load_evidence(tmp_path / "evidence")
    assert (len(recorded.blocks["compile"]), recorded.trials, recorded.result) == (2, (trial,), result)


@given(
    st.builds(
        Block,
        arm=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        wall=st.lists(st.floats()).map(tuple),
        cpu=st.lists(st.floats()).map(tuple),
    )
)
def test_any_block_survives_json(block: Block) -> None:
    again = from_data(Block, json.loads(json.dumps(to_data(block), allow_nan=False)))
    assert repr(again) == repr(block)
