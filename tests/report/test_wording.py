import tomllib

import pytest

from hotloop.measurement import Interval
from hotloop.report.wording import duration, headline, mebibytes, payback, plan_title, plan_toml, printable, speed


@pytest.mark.parametrize(
    ("low", "median", "high", "said"),
    [
        (1.789, 1.84, 1.899, "1.84x [1.79, 1.90]"),
        (0.98, 1.0, 1.02, "1.00x [0.98, 1.02]"),
        (9.6, 10.04, 10.5, "10.0x [9.6, 10.5]"),
        (0.021, 0.0225, 0.024, "0.022x [0.021, 0.024]"),
    ],
)
def test_a_speed_up_reads_as_a_ratio_with_its_bounds(low, median, high, said):
    assert speed(Interval(low=low, ratio=median, high=high)) == said


def test_no_interval_is_said_in_words():
    assert speed(None) == "not measured"


@pytest.mark.parametrize("high", [float("inf"), None])
def test_an_interval_of_one_replicate_says_that_it_bounds_nothing(high):
    assert speed(Interval(low=0.0, ratio=1.84, high=high)) == "1.84x [0.00, inf]"


@pytest.mark.parametrize("median", [float("nan"), None])
def test_a_figure_that_is_no_number_is_not_measured(median):
    assert speed(Interval(low=0.9, ratio=median, high=1.1)) == "not measured"


def test_the_headline_holds_verdict_figure_and_clock(proven):
    assert headline(proven) == "Proven: it trains 1.84x [1.79, 1.90] as fast by CPU time and learns the same."


def test_a_headline_without_a_figure_claims_nothing(untold):
    assert headline(untold) == "Could not tell: no speed-up was confirmed."


def test_payback_is_never_where_there_is_none(proven, untold):
    assert payback(proven) == "after 1,781 steps, 34 s of training"
    assert payback(untold) == "never"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2.5e-5, "25 us"),
        (0.0352, "35.2 ms"),
        (0.9999, "1 s"),
        (43.0, "43 s"),
        (125.0, "2 min 5 s"),
        (240.0, "4 min"),
        (5400.0, "1 h 30 min"),
        (7200.0, "2 h"),
    ],
)
def test_a_duration_is_in_the_unit_a_person_would_choose(seconds, said):
    assert duration(seconds) == said


def test_memory_is_in_mebibytes():
    assert mebibytes(3 * 2**30 + 2**19) == "3,072.5"


def test_a_plan_is_named_in_one_line(proven):
    assert plan_title(proven.plan) == "allocator(library=tcmalloc) + channels_last + compile(mode=default)"
    assert plan_title(()) == "nothing"


@pytest.mark.parametrize("options", [{}, {"kind": 'a"b', "count": 2, "none": None}, {"environment": {"A": "1"}}])
def test_a_plan_reads_back_from_its_toml(options):
    tables = tomllib.loads(plan_toml([{"name": "first", **options}, {"name": "second"}]))["transform"]
    kept = {key: value for key, value in options.items() if value is not None}
    assert tables == [{"name": "first", **kept}, {"name": "second"}]


def test_control_characters_do_not_reach_a_terminal():
    assert "\x1b" not in printable("red \x1b[31m text\nnext")
