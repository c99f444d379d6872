import math
from dataclasses import replace

import pytest
from observations import make_run

from hotloop.verify.clipping import differences_in_limits, differences_in_norms
from hotloop.verify.tolerance import FP32
from hotloop.worker.observation import ClippedGradients


def clipped(*norms, limit=1.0, kind="norm", first=1):
    """A run that clips once in each step, and finds these norms."""
    calls = (ClippedGradients(step=first + n, kind=kind, limit=limit, norm=norm) for n, norm in enumerate(norms))
    return replace(make_run(), clippings=tuple(calls))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (clipped(0.5, 0.5, limit=1.1), "clipped to a norm of 1.1 in place of a norm of 1 in step 1"),
        (clipped(0.5, 0.5, kind="value"), "clipped to a value of 1 in place of a norm of 1 in step 1"),
        (clipped(0.5), "clipped 0 times in step 2 in place of 1"),
        (clipped(), "clipped 0 times in step 1 in place of 1"),
        (clipped(0.5, 0.5, first=2), "clipped 0 times in step 1 in place of 1"),
    ],
)
def test_another_limit_and_another_number_are_told_though_nothing_was_clipped(run, words):
    (told,) = differences_in_limits(run, clipped(0.5, 0.5))
    assert words in told


def test_a_step_that_is_captured_whole_shows_no_clipping():
    assert list(differences_in_limits(replace(make_run(), clippings=None), clipped(0.5))) == []


def test_the_norm_may_be_as_far_off_as_a_multiple_of_the_noise():
    baseline = clipped(1.0, 2.0)
    assert differences_in_norms(clipped(1.0, 2.2), baseline, [clipped(1.0, 2.04)], FP32) == []
    (told,) = differences_in_norms(clipped(1.0, 2.2), baseline, [], FP32)
    assert told == "the norm that is clipped in step 2 is off by 1.0e-01 (limit 2.0e-02)"


def test_norms_that_are_not_finite_in_both_are_equal():
    assert differences_in_norms(clipped(math.inf), clipped(math.nan), [], FP32) == []
    assert len(differences_in_norms(clipped(math.inf), clipped(1.0), [], FP32)) == 1
