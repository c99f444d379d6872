from dataclasses import replace

import pytest
from observations import make_run

from hotloop.verify.gradient_digits import differences_in_digits
from hotloop.worker.observation import Observation, OptimizerSteps


def run_of(*short: float) -> Observation:
    by_step = {step: (0.01, share) for step, share in enumerate(short, start=1)}
    steps = OptimizerSteps(names=("a", "b"), gradients=(), updates=(), moved=(), short=by_step)
    return replace(make_run(), optimizers=(steps,))


def test_gradients_that_16_bits_hold_are_told_with_their_first_step() -> None:
    (told,) = differences_in_digits(run_of(0.01, 1.0, 1.0), run_of(0.01, 0.02, 0.01))
    assert told.startswith("the gradient of b in step 2")


@pytest.mark.parametrize(("ours", "theirs"), [(1.0, 1.0), (0.02, 0.01), (1.0, 0.9)])
def test_gradients_that_were_short_before_are_no_difference(ours: float, theirs: float) -> None:
    assert list(differences_in_digits(run_of(ours), run_of(theirs))) == []
