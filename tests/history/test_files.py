import importlib.util

import pytest

from hotloop.errors import HistoryError
from hotloop.history.files import read_sessions, write_sessions
from hotloop.measurement import Block
from hotloop.records.archive import add_records, remove_sessions, session_records
from hotloop.records.history import open_history

SUFFIXES = [
    "jsonl",
    "csv",
    pytest.param(
        "parquet",
        marks=pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"),
    ),
]


@pytest.fixture
def records(history, add, cpu_machine):
    for day in (1, 2):
        number = add(day, 0.01 * day)
        block = Block(replicate=0, round=day, arm="baseline", wall=(0.1,) * 5000, cpu=(0.1,), losses=(float("nan"),))
        history.add_block(number, "compile", block)
    history.start(kind="tune", workload='a "name", with\nlines', command="", environment=cpu_machine)
    return session_records(history, [row.id for row in history.sessions()])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_history_is_made_again_whole_from_a_file(records, tmp_path, suffix):
    path = tmp_path / f"sessions.{suffix}"
    write_sessions(records, path)
    with open_history(f"sqlite:///{tmp_path / 'again.db'}") as again:
        assert add_records(again, read_sessions(path)) == 3
        assert add_records(again, read_sessions(path)) == 0
        back = session_records(again, [row.id for row in again.sessions()])
    assert sorted(back, key=lambda r: r["started"]) == sorted(records, key=lambda r: r["started"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_file_adds_nothing_and_is_named(records, tmp_path, suffix):
    path = tmp_path / f"sessions.{suffix}"
    write_sessions(records, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with (
        open_history(f"sqlite:///{tmp_path / 'again.db'}") as again,
        pytest.raises(HistoryError, match=r"sessions\.\w+ is damaged|cannot read .*sessions"),
    ):
        add_records(again, read_sessions(path))


def test_a_file_of_other_rows_says_what_it_lacks(history, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"cookie": 1}\n')
    with pytest.raises(HistoryError, match="session 1 of the file lacks started, kind"):
        add_records(history, read_sessions(tmp_path / "other.jsonl"))
    assert history.sessions() == []


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(HistoryError, match=r"ends in \.jsonl, \.csv, \.parquet"):
        write_sessions([], tmp_path / "sessions.xlsx")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HistoryError, match="cannot write"):
        write_sessions([], tmp_path / "nowhere" / "sessions.csv")


def test_removed_sessions_go_with_all_that_is_theirs(history, add, records):
    first = history.sessions()[-1].id
    remove_sessions(history, [first])
    assert first not in [row.id for row in history.sessions()]
    assert history.blocks(first) == {}
    assert len(history.sessions()) == 2
