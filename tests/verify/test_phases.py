"""Verdicts that name the phase of training in which a plan no longer holds."""

import pytest
from observations import make_observation

from hotloop.verdict import Outcome, Verdict
from hotloop.verify.coverage import covered
from hotloop.verify.last_step import last_step
from hotloop.verify.phases import given_up_by, named, phase_of, phases_seen

LIFE = ((1, "dormant"), (4, "training"), (7, "blending"), (9, "dormant"))


def verdict(message, outcome=Outcome.FAIL, **numbers):
    return Verdict(gate="drift", outcome=outcome, message=message, numbers=numbers)


@pytest.fixture
def baseline():
    return make_observation([1.0] * 12, phases=LIFE)


@pytest.mark.parametrize(
    ("step", "phase"), [(1, "dormant"), (3, "dormant"), (4, "training"), (8, "blending"), (12, "dormant")]
)
def test_a_step_is_in_the_phase_that_began_last(baseline, step, phase):
    assert phase_of(baseline, step) == phase


def test_a_refusal_names_the_phase_of_each_step_it_tells_of(baseline):
    found = named(verdict("parameter a does not move in step 5 (2 of 12 steps)"), baseline, baseline)
    assert found.message == "parameter a does not move in step 5 (while training) (2 of 12 steps)"


def test_a_refusal_by_the_losses_says_where_they_part(baseline):
    run = make_observation([1.0] * 7 + [1.2] * 5)
    found = named(verdict("loss drifts", early_limit=0.1), run, baseline)
    assert found.message == "loss drifts; the losses part in step 8 (while blending)"


def test_what_passes_and_what_has_no_phases_is_left_as_it_is(baseline):
    passed = verdict("in step 5 all is well", Outcome.PASS)
    assert named(passed, baseline, baseline) is passed
    plain = make_observation([1.0])
    assert phase_of(plain, 1) is None
    failed = verdict("in step 5 it is not")
    assert named(failed, plain, plain) is failed


def test_what_dynamo_gave_up_is_told_with_its_phase_unless_the_baseline_gives_it_up_too(baseline):
    run = make_observation([1.0] * 12, given_up=((3, "known"), (8, "the limit was hit")))
    both = make_observation([1.0] * 12, phases=LIFE, given_up=((3, "known"),))
    assert given_up_by(run, both) == "in step 8 (while blending) compiling was given up: the limit was hit"
    assert given_up_by(both, both) is None


def test_coverage_counts_the_phases_and_names_the_first_and_the_last(baseline):
    assert phases_seen(baseline) == ("dormant", "training", "blending")
    assert "3 phases ('dormant' to 'blending')" in covered(baseline)


def test_a_window_reaches_into_the_last_phase_that_was_met():
    run = make_observation([1.0] * 50, first_events={"training": 4, "blending": 37})
    assert last_step(run, 30) == 38
