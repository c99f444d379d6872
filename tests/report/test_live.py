import dataclasses
import io

import pytest
from rich.console import Console

from hotloop.report import live_view


def _lines(view, width=80):
    file = io.StringIO()
    Console(file=file, width=width).print(view)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_before_anything_was_tried_it_says_what_happens_and_how_much_time_is_spent():
    lines = _lines(live_view("verifying autocast(dtype=bfloat16)", (), elapsed=93.4, budget=240.0))
    assert lines[0].endswith(" 1:33 of 4:00")
    assert lines[1:] == ["verifying bf16"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_last_trials_have_a_line_each(proven, width):
    lines = _lines(live_view("confirming", proven.trials * 3, elapsed=300.0, budget=240.0), width)
    assert len(lines) == 9
    assert max(map(len, lines)) <= width
    assert lines[1].split("  ") == ["refused", "1 thread", *[""] * 6, " 0.63x [0.61, 0.66]"]
    assert lines[5].startswith("refused  matmul medium          the loss leaves the band")


def test_what_is_kept_is_the_plan_of_the_last_trial_that_was_kept(proven):
    kept = dataclasses.replace(proven.trials[0], plan=proven.plan)
    lines = _lines(live_view("", (kept, *proven.trials[5:]), elapsed=1.0, budget=60.0))
    assert lines[-2] == "4 tried; kept: tcmalloc + channels_last + compile"
