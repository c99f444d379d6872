import dataclasses
import math
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from hotloop.errors import HistoryError
from hotloop.measurement import Block, Environment
from hotloop.records.history import History, open_history
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome

WRITER = """
import sys
from hotloop.records.documents import from_data
from hotloop.records.history import open_history
from hotloop.measurement import Block, Environment
url, count, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
environment = Environment(cpu="", cpu_flags=(), cores=(0,), threads=1, governor="", load=0.0, foreign_cores=0.0,
                          memory=1, platform="", python="", torch="", hotloop="")
with open_history(url) as history:
    session = history.start(kind="tune", workload=name, command="", environment=environment)
    print("session", session, flush=True)
    for round in range(count):
        block = Block(replicate=0, round=round, arm="baseline", wall=(0.1,) * 20, cpu=(0.1,) * 20)
        history.add_block(session, "compile", block)
        print("kept", round, flush=True)
"""


@pytest.fixture
def history(history_url: str) -> Iterator[History]:
    with open_history(history_url) as opened:
        yield opened


@pytest.fixture
def session(history: History, cpu_machine: Environment) -> int:
    return history.start(kind="tune", workload="train.py", command="hotloop tune", environment=cpu_machine)


def _write(url: str, count: int, name: str) -> "subprocess.Popen[str]":
    call = [sys.executable, "-c", WRITER, url, str(count), name]
    return subprocess.Popen(call, stdout=subprocess.PIPE, text=True)


def _change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_new_session_is_running(history: History, session: int, cpu_machine: Environment) -> None:
    (row,) = history.sessions()
    assert (row.id, row.kind, row.workload, row.state, row.verdict) == (session, "tune", "train.py", "running", None)
    assert row.environment == cpu_machine
    assert timedelta(0) <= datetime.now(UTC) - row.started < timedelta(minutes=5)


def test_blocks_come_back_as_they_were_by_comparison_and_in_order(history: History, session: int, block: Block) -> None:
    later = dataclasses.replace(block, round=3, losses=(math.inf,))
    for title, item in (("compile", later), ("fused", block), ("compile", later)):
        history.add_block(session, title, item)
    found = history.blocks(session)
    assert found["compile"] == (later, later)
    assert repr(found["fused"]) == repr((block,))  # it holds a NaN, which equals nothing


def test_trials_come_back_as_they_were(history: History, session: int, trial: Trial) -> None:
    history.add_trial(session, trial)
    assert history.trials(session) == (trial,)


def test_a_finished_session_has_its_result(history: History, session: int, result: Result) -> None:
    history.finish(session, result)
    (row,) = history.sessions()
    assert (row.state, row.verdict, row.speedup) == ("finished", Outcome.PASS, 1.42)
    assert history.result(session) == result


def test_a_running_session_has_no_result(history: History, session: int) -> None:
    with pytest.raises(HistoryError, match="has no result"):
        history.result(session)


def test_an_unknown_session_is_named_with_the_known_ones(history: History, session: int, result: Result) -> None:
    with pytest.raises(HistoryError, match=f"no session 999; newest are: {session}"):
        history.result(999)
    with pytest.raises(HistoryError, match="no session 999"):
        history.finish(999, result)


def test_a_block_of_an_unknown_session_is_refused(history: History, block: Block) -> None:
    with pytest.raises(HistoryError, match="cannot write"):
        history.add_block(999, "compile", block)


def test_sessions_come_newest_first_up_to_the_limit(history: History, cpu_machine: Environment) -> None:
    for name in "abc":
        history.start(kind="prove", workload=name, command="", environment=cpu_machine)
    assert [row.workload for row in history.sessions(limit=2)] == ["c", "b"]


def test_text_that_no_database_takes_is_spelled_out(history: History, cpu_machine: Environment, block: Block) -> None:
    session = history.start(kind="tune", workload="a\x00b", command="\udcff", environment=cpu_machine)
    history.add_block(session, "\udcff\x00", block)
    (row,) = history.sessions()
    assert (row.workload, row.command, list(history.blocks(session))) == ("a\\x00b", "\\udcff", ["\\udcff\\x00"])


def test_a_history_is_kept_when_it_is_opened_again(
    history_url: str, session: int, block: Block, history: History
) -> None:
    history.add_block(session, "compile", block)
    with open_history(history_url) as again:
        assert len(again.blocks(session)["compile"]) == 1


def test_a_history_of_the_first_schema_is_upgraded_and_keeps_its_blocks(
    history_url: str, block: Block, cpu_machine: Environment
) -> None:
    with open_history(history_url) as history:
        session = history.start(kind="tune", workload="train.py", command="", environment=cpu_machine)
        history.add_block(session, "compile", block)
    _change(history_url, "ALTER TABLE blocks RENAME COLUMN comparison TO race")
    _change(history_url, "ALTER TABLE blocks RENAME COLUMN replicate TO pair")
    _change(history_url, "UPDATE schema_version SET version = 1")
    with open_history(history_url) as history:
        assert len(history.blocks(session)["compile"]) == 1
    open_history(history_url).close()


@pytest.mark.parametrize("version", [0, 3])
def test_another_schema_version_is_refused(history_url: str, version: int) -> None:
    open_history(history_url).close()
    _change(history_url, f"UPDATE schema_version SET version = {version}")
    with pytest.raises(
        HistoryError, match=f"has schema {version}; this hotloop reads 2; read it with the hotloop that"
    ):
        open_history(history_url)


def test_a_history_of_a_newer_schema_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    open_history(f"sqlite:///{path}").close()
    _change(f"sqlite:///{path}", "UPDATE schema_version SET version = 99")
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="has schema 99; this hotloop reads 2"):
        open_history(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged*"))


def test_a_damaged_file_is_said_to_be_damaged_and_a_copy_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    open_history(f"sqlite:///{path}").close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    damaged = path.read_bytes()
    for _ in range(2):
        with pytest.raises(HistoryError, match=r"the file is damaged and a copy is kept as .*history\.db\.damaged-"):
            open_history(f"sqlite:///{path}")
    (copy,) = tmp_path.glob("history.db.damaged-*")
    assert copy.read_bytes() == damaged


def test_a_database_that_goes_away_in_the_middle_is_a_clear_error(history: History, session: int, block: Block) -> None:
    history.add_block(session, "compile", block)

    @event.listens_for(history.engine, "before_cursor_execute")
    def gone(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        raise OperationalError(statement, {}, Exception("server closed the connection unexpectedly"))

    with pytest.raises(HistoryError, match=r"cannot write history .*: server closed the connection unexpectedly"):
        history.add_block(session, "compile", block)
    event.remove(history.engine, "before_cursor_execute", gone)
    assert len(history.blocks(session)["compile"]) == 1


def test_tables_of_another_program_are_left_alone(history_url: str) -> None:
    _change(history_url, "CREATE TABLE sessions (cookie TEXT)")
    with pytest.raises(HistoryError, match="holds sessions of another program"):
        open_history(history_url)


def test_a_schema_table_of_another_program_is_refused(history_url: str) -> None:
    _change(history_url, "CREATE TABLE schema_version (installed_rank INTEGER)")
    with pytest.raises(HistoryError, match="cannot open history"):
        open_history(history_url)


def test_a_damaged_block_is_said_to_be_damaged(history: History, history_url: str, session: int, block: Block) -> None:
    history.add_block(session, "compile", block)
    _change(history_url, """UPDATE blocks SET wall = '{"a": 1}'""")
    with pytest.raises(HistoryError, match=r"a Block in history .* is damaged"):
        history.blocks(session)


def test_two_processes_may_write_at_once(history_url: str) -> None:
    writers = [_write(history_url, 100, name) for name in "ab"]
    for writer in writers:
        writer.communicate(timeout=120)
    with open_history(history_url) as history:
        kept = {row.workload: len(history.blocks(row.id)["compile"]) for row in history.sessions()}
    assert kept == {"a": 100, "b": 100}


def test_a_killed_process_loses_nothing_that_was_acknowledged(history_url: str) -> None:
    chance = random.Random(0)
    for _ in range(10):
        writer = _write(history_url, 100_000, "killed")
        assert writer.stdout is not None
        session = int(writer.stdout.readline().split()[1])
        for _ in range(chance.randrange(60)):
            writer.stdout.readline()
        writer.kill()
        rest, _ = writer.communicate()
        kept = _last_acknowledged(rest)
        with open_history(history_url) as history:
            rounds = [block.round for block in history.blocks(session).get("compile", ())]
            assert rounds == list(range(len(rounds)))
            assert len(rounds) > kept
            assert history.sessions(limit=1)[0].state == "running"


def _last_acknowledged(output: str) -> int:
    whole, _, _ = output.rpartition("\n")
    return int(whole.split()[-1]) if whole else -1


@pytest.mark.parametrize(
    "url", ["history.db", "nodatabase://here", "sqlite+nodriver:///x.db", "://", "sqlite:////no/x.db"]
)
def test_a_url_that_names_no_database_says_what_is_allowed(url: str) -> None:
    with pytest.raises(HistoryError, match=r"allowed is sqlite:////absolute/path.db or .*; name a database"):
        open_history(url)


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1:1/x", "postgresql//me:secret@host", "x://me:secret@h/d"]
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(HistoryError) as caught:
        open_history(url)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_said_with_how_to_install_it() -> None:
    with pytest.raises(HistoryError, match="which is not installed; run pip install"):
        open_history("postgresql+psycopg2://me@host/database")


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to look like one" * 30, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.db").write_bytes(content)
    with pytest.raises(HistoryError, match="cannot open history"):
        open_history(f"sqlite:///{tmp_path / 'history.db'}")
    assert (tmp_path / "history.db").read_bytes() == content


def test_the_users_own_history_lies_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("HOTLOOP_HISTORY", raising=False)
    open_history().close()
    assert (tmp_path / "data" / "hotloop" / "history.db").is_file()


def test_a_relative_data_folder_counts_as_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HOTLOOP_HISTORY", raising=False)
    open_history(None).close()
    assert (tmp_path / ".local/share/hotloop/history.db").is_file()


def test_the_variable_names_the_history_and_an_argument_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLOOP_HISTORY", f"sqlite:///{tmp_path / 'variable.db'}")
    open_history().close()
    open_history(f"sqlite:///{tmp_path / 'argument.db'}").close()
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["argument.db", "variable.db"]


def test_sqlite_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    open_history(f"sqlite:///{tmp_path / 'history.db'}").close()
    connection = sqlite3.connect(tmp_path / "history.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_many_processes_may_make_the_same_history_at_once(history_url: str) -> None:
    writers = [_write(history_url, 1, str(number)) for number in range(6)]
    assert [(writer.communicate(timeout=120), writer.returncode)[1] for writer in writers] == [0] * 6


def test_the_engine_side_modules_do_not_import_torch() -> None:
    modules = ", ".join(
        f"hotloop.{name}" for name in ("machine.environment", "records.evidence", "records.history", "records.recorder")
    )
    check = f"import {modules}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)
