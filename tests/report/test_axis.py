from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.report.axis import Axis, even_ticks, ratio_ticks

RATIOS = st.floats(min_value=0.001, max_value=0.99), st.floats(min_value=1.01, max_value=1e4)


@settings(deadline=None)
@given(*RATIOS)
def test_a_ratio_axis_marks_one_and_never_crowds(low, high):
    ticks = ratio_ticks(Axis(low=low, high=high, is_log=True))
    places = [tick.at for tick in ticks]
    assert "1x" in [tick.label for tick in ticks]
    assert all(b - a > 9.0 for a, b in pairwise(places))
    assert all(0.0 <= place <= 100.0 for place in places)


@settings(deadline=None)
@given(st.floats(min_value=-1e6, max_value=1e6), st.floats(min_value=1e-3, max_value=1e6))
def test_an_even_axis_has_a_handful_of_different_labels(low, height):
    labels = [tick.label for tick in even_ticks(Axis(low=low, high=low + height))]
    assert 1 <= len(labels) <= 7
    assert len(set(labels)) == len(labels)


def test_steps_are_marked_with_whole_numbers():
    ticks = even_ticks(Axis(low=1.0, high=4.0), least_step=1.0)
    assert [tick.label for tick in ticks] == ["1", "2", "3", "4"]


def test_equal_ratios_are_equally_far_apart_on_a_log_axis():
    axis = Axis(low=0.5, high=2.0, is_log=True)
    assert axis.at(1.0) == pytest.approx(50.0)
