import math
from dataclasses import replace

import pytest
from observations import make_observation, make_run, make_steps

from hotloop.verify.coverage import covered, not_followed


def test_what_was_seen_and_what_was_not_is_said():
    run = replace(make_run(), events={"end of an epoch": 2, "checkpoint": 1})
    assert covered(run) == (
        "seen: 20 steps, 1 optimizer, 1 tensor, 2 ends of epochs, 1 checkpoint; not reached: evaluation, scheduler step"
    )


def test_a_program_that_was_followed_leaves_nothing_to_say():
    assert not_followed(make_run()) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (make_observation([1.0] * 12), "no tensor that an optimizer updates could be followed"),
        (
            make_observation([1.0] * 12, optimizers=(make_steps(updates=((0.0, 0.0),) * 12),)),
            "no tensor of optimizer 0 moved",
        ),
        (
            make_observation([1.0] * 6 + [math.nan] * 6, optimizers=(make_steps(),)),
            "diverges: from step 7 on its loss is not finite",
        ),
    ],
)
def test_what_could_not_be_followed_is_said(run, words):
    assert words in str(not_followed(run))


def test_one_loss_that_is_not_finite_is_no_divergence():
    run = make_observation([1.0, math.inf, *[1.0] * 10], optimizers=(make_steps(),))
    assert not_followed(run) is None
