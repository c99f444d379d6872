from datetime import UTC, datetime, timedelta

import pytest
from tests.history.conftest import START

from hotloop.errors import HistoryError
from hotloop.history.chosen import Chosen, older_than, parse_since

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        (Chosen(), ["c9", "c5", "c1"]),
        (Chosen(workload="other"), ["c5"]),
        (Chosen(machine="Other"), ["c9"]),
        (Chosen(verb="tune"), []),
        (Chosen(since=START + timedelta(days=5)), ["c9", "c5"]),
    ],
)
def test_sessions_are_chosen_newest_first(history, add, chosen, days):
    add(1, 0.01)
    add(5, 0.01, workload="other.toml")
    add(9, 0.01, cpu="Other 1")
    assert [row.environment.git_revision for row in chosen.sessions(history)] == days


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", NOW - timedelta(days=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_moment_may_be_an_age_or_a_date(text, moment):
    assert parse_since(text, now=NOW) == moment


def test_another_moment_is_refused():
    with pytest.raises(HistoryError, match=r"got 'yesterday'; a moment reads 30d, 12h or 2026-01-31"):
        parse_since("yesterday")


def test_what_is_older_than_so_many_days_is_named(history, add):
    for day in (1, 5, 9):
        add(day, 0.01)
    old = older_than(history, 3, now=START + timedelta(days=9))
    assert [row.environment.git_revision for row in old] == ["c5", "c1"]
