"""The arithmetic of phases, on spans written by hand."""

import pytest

from hotloop.diagnose.phase_times import STEP, UNSURE, PhaseTimes, split_steps

STEP_SPANS = [(STEP, 0.0), ("data_wait", 1.0), ("other", 0.5), ("forward", 2.0), ("backward", 3.0), ("optimizer", 1.0)]


def test_a_step_is_split_by_what_was_at_work():
    found = split_steps(STEP_SPANS * 4)
    assert found.steps == 4
    assert found.seconds == pytest.approx(7.5)
    assert found.ordinary["forward"] == pytest.approx(2.0)
    assert found.shares["optimizer"] == pytest.approx(1 / 7.5)


def test_steps_with_an_evaluation_between_them_do_not_count_as_ordinary():
    evaluating = [*STEP_SPANS[:1], ("data_wait", 4.0), ("evaluation", 5.0), *STEP_SPANS[1:]]
    found = split_steps(STEP_SPANS * 9 + evaluating)
    assert found.seconds == pytest.approx(7.5)
    assert found.all["evaluation"] == pytest.approx(0.9)  # the wait for an evaluation's batch is its own
    assert found.share_by_phase["evaluation"] == pytest.approx(0.9 / 8.4)


def test_where_every_step_evaluates_the_evaluation_is_part_of_the_step():
    evaluating = [*STEP_SPANS, ("evaluation", 2.5)]
    assert split_steps(evaluating * 5).shares["evaluation"] == pytest.approx(0.25)


def test_a_pass_in_evaluation_mode_is_training_where_a_backward_follows():
    found = split_steps([(STEP, 0.0), (UNSURE, 2.0), ("backward", 1.0)] * 3)
    assert (found.ordinary["forward"], found.unused_graphs) == (2.0, 0.0)


def test_a_pass_that_keeps_a_graph_for_no_backward_is_told():
    found = split_steps([*STEP_SPANS, (UNSURE, 2.0), ("other", 0.1), ("data_wait", 0.0)] * 3)
    assert found.unused_graphs == pytest.approx(2.0)
    assert found.ordinary["forward"] == pytest.approx(2.0)


def test_a_step_of_far_more_than_the_median_is_left_out():
    slow = [(label, 50 * seconds) for label, seconds in STEP_SPANS]
    assert split_steps(STEP_SPANS * 5 + slow).seconds == pytest.approx(7.5)


def test_spans_before_the_first_step_belong_to_nobody():
    assert split_steps([("forward", 9.0), *STEP_SPANS]).seconds == pytest.approx(7.5)
    assert split_steps([]).steps == 0


def test_a_share_is_of_the_ordinary_step_and_at_most_one():
    times = PhaseTimes(ordinary={"forward": 3.0, "backward": 1.0})
    assert (times.share(1.0), times.share(9.0), PhaseTimes().share(1.0)) == (0.25, 1.0, 0.0)
