import dataclasses
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from hotloop.report import summary, trial_row, trial_table

GOLDEN = Path(__file__).with_name("golden")


def _printed(renderable, *, width=100, force_terminal=False, **options):
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=force_terminal, **options).print(renderable)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@pytest.mark.parametrize("name", ["proven", "untold"])
def test_the_summary_is_as_agreed(request, name):
    assert _printed(summary(request.getfixturevalue(name))) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_no_escape_codes_where_the_output_is_no_terminal(proven):
    assert "\x1b" not in _printed(summary(proven))
    assert "\x1b" in _printed(summary(proven), force_terminal=True, color_system="standard", legacy_windows=False)


def test_eighty_columns_lose_no_word(proven):
    printed = "".join(_printed(summary(proven), width=80).split())
    assert all(word in printed for trial in proven.trials for word in trial.reason.split())


def test_a_live_table_takes_the_rows_of_trials(proven):
    table = trial_table()
    table.add_row(*trial_row(proven.trials[0]))
    assert "1.16x [1.15, 1.18]" in _printed(table)


@settings(deadline=None)
@given(title=st.text(alphabet="[]/bold\\ red#=\x1b\x07m31", min_size=1))
def test_brackets_in_a_change_are_no_markup(proven, title):
    trial = dataclasses.replace(proven.trials[0], change=title)
    assert trial_row(trial)[0].plain == title.replace("\x1b", "\ufffd").replace("\x07", "\ufffd")
