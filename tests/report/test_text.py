import dataclasses
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from hotloop.report import short_change, summary
from hotloop.report.text import trial_row
from hotloop.verdict import Outcome, Verdict

GOLDEN = Path(__file__).with_name("golden")


def _printed(renderable, *, width=80, force_terminal=False, **options):
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
    printed = "".join(_printed(summary(proven), width=80).split()).casefold()
    assert all(word in printed for trial in proven.trials for word in trial.reason.casefold().split())


def test_eighty_columns_break_no_name_and_are_not_exceeded(proven):
    change = "fused_optimizer(implementation=fused) + channels_last + autocast(dtype=bfloat16)"
    long = dataclasses.replace(proven.trials[0], change=change)
    printed = _printed(summary(dataclasses.replace(proven, trials=(*proven.trials, long))))
    assert max(map(len, printed.splitlines())) <= 80
    names = [name for trial in (*proven.trials, long) for name in short_change(trial).split(" + ")]
    assert not [name for name in names if name not in printed]


def test_what_did_not_apply_is_told_once_for_each_reason_below_the_table(proven):
    verdict = Verdict(gate="applies", outcome=Outcome.FAIL, message="no loader")
    refused = [
        dataclasses.replace(
            proven.trials[0],
            change=f"data_loading(workers={count})",
            plan=({"name": "data_loading", "workers": count},),
            reason="does not apply here: data_loading: no loader",
            speedup=None,
            verdicts=(verdict,),
        )
        for count in (1, 2)
    ]
    printed = _printed(summary(dataclasses.replace(proven, trials=(*proven.trials, *refused))))
    assert " - loader 1 worker, loader 2 workers: no loader\n" in printed


@settings(deadline=None)
@given(title=st.text(alphabet="[]/bold\\ red#=\x1b\x07m31", min_size=1))
def test_brackets_in_a_change_are_no_markup(proven, title):
    trial = dataclasses.replace(proven.trials[0], change=title)
    assert trial_row(trial)[0].plain == title.replace("\x1b", "\ufffd").replace("\x07", "\ufffd")
