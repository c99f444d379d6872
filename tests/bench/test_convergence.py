import math

import pytest

from hotloop.bench.convergence import convergence

LINE = [2.0 - 0.01 * step for step in range(1, 101)]
SECONDS = [0.5 * step for step in range(1, 101)]


def test_a_straight_fall_is_its_slope_by_1000_steps():
    found = convergence(LINE, SECONDS)
    assert found.improvement == pytest.approx(10.0)
    assert (found.first_loss, found.last_loss) == pytest.approx((1.945, 1.045))


def test_single_wild_losses_do_not_move_the_slope():
    losses = [100.0 if step % 17 == 3 else loss for step, loss in enumerate(LINE)]
    assert convergence(losses, SECONDS).improvement == pytest.approx(10.0, rel=0.1)


def test_the_target_is_reached_by_the_mean_of_ten_losses():
    found = convergence(LINE, SECONDS, target=1.5)
    assert found.steps_to_target == 55  # the mean of steps 46 to 55 is 1.495
    assert found.seconds_to_target == 27.5


def test_a_target_that_is_never_reached_is_none():
    found = convergence(LINE, SECONDS, target=0.1)
    assert (found.target, found.steps_to_target, found.seconds_to_target) == (0.1, None, None)


def test_losses_that_nobody_saw_are_left_out():
    losses = [None if step % 2 else loss for step, loss in enumerate(LINE)]
    assert convergence(losses, SECONDS).improvement == pytest.approx(10.0)


def test_too_few_losses_say_nothing():
    assert convergence([1.0] * 19, [1.0] * 19) is None
    assert convergence([math.nan] * 100, SECONDS) is None
