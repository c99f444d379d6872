import math
from dataclasses import asdict, replace

import pytest
from observations import make_observation, make_run, make_steps

from hotloop.verify.distance import are_same, distance, farthest, mean_run, relative_losses

STEPS = 12


@pytest.fixture
def baseline():
    return make_observation(
        [2.0 - 0.1 * step for step in range(STEPS)],
        optimizers=(make_steps(),),
        buffer_names=("number 0",),
        buffers=((1.0,),) * STEPS,
    )


def with_steps(run, **changes):
    return replace(run, optimizers=(make_steps(**changes),))


def with_losses(run, *losses):
    return replace(run, losses=losses, each_loss=tuple((loss,) for loss in losses))


def test_equal_runs_are_no_distance_apart(baseline):
    assert set(asdict(distance(baseline, baseline)).values()) == {0}


def test_gradients_scaled_by_a_twentieth_are_a_twentieth_apart(baseline):
    scaled = with_steps(baseline, gradients=((3.15, 4.2),) * STEPS, gradient_sketches={1: ((3.15, 0.0), (0.0, 4.2))})
    assert distance(scaled, baseline).gradients == pytest.approx(0.05)
    assert distance(scaled, baseline).scale == pytest.approx(0.05)


def test_gradients_that_rounding_turned_keep_their_scale(baseline):
    turned = with_steps(baseline, gradient_sketches={1: ((0.0, 3.0), (4.0, 0.0))})
    assert distance(turned, baseline).gradients == pytest.approx(2**0.5)
    assert distance(turned, baseline).scale == 0


def test_an_update_of_equal_size_that_lands_elsewhere_is_seen(baseline):
    elsewhere = with_steps(baseline, update_sketches={1: ((0.0, 0.3), (0.4, 0.0))})
    assert distance(elsewhere, baseline).updates == 0
    assert distance(elsewhere, baseline).placement == pytest.approx(2**0.5)


def test_later_steps_are_compared_by_themselves(baseline):
    later = with_steps(baseline, gradient_sketches={1: ((3.0, 0.0), (0.0, 4.0)), 6: ((6.0, 0.0), (0.0, 8.0))})
    assert distance(later, baseline).gradients == 0
    assert distance(later, baseline).later_gradients == pytest.approx(1.0)


def test_the_worst_optimizer_counts(baseline):
    two = replace(baseline, optimizers=(make_steps(), make_steps()))
    other = replace(two, optimizers=(make_steps(), make_steps(gradients=((300.0, 400.0),) * STEPS)))
    assert distance(other, two).scale == pytest.approx(99)


def test_the_scale_is_that_of_most_parameters(baseline):
    names = tuple("abcdefgh")
    many = with_steps(baseline, names=names, gradients=((1.0,) * 8,) * STEPS, updates=((0.1,) * 8,) * STEPS)
    wild = replace(many, optimizers=(replace(many.optimizers[0], gradients=((2.0, *(1.0,) * 6, 0.1),) * STEPS),))
    assert distance(wild, many).scale == 0


def test_buffers_are_compared_by_how_far_they_move(baseline):
    slow = replace(baseline, buffers=((0.01,),) * STEPS)
    assert distance(slow, baseline).buffers == pytest.approx(0.99)


def test_drift_at_the_end_is_told_from_drift_at_the_start(baseline):
    late = with_losses(baseline, *baseline.losses[:-1], 3.0)
    assert distance(late, baseline).early == 0
    assert distance(late, baseline).late > 0.1


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_loss_that_is_finite_in_only_one_run_is_infinitely_far(baseline, lost):
    other = with_losses(baseline, lost, *baseline.losses[1:])
    assert distance(other, baseline).early == math.inf
    assert distance(other, other).early == 0


def test_what_follows_a_loss_that_is_not_finite_is_still_compared(baseline):
    lost = with_losses(baseline, math.inf, *baseline.losses[1:])
    doubled = with_losses(baseline, math.inf, *(2 * loss for loss in baseline.losses[1:]))
    assert distance(doubled, lost).early > 0.5


def test_losses_near_zero_do_not_make_every_deviation_infinite(baseline):
    zero = with_losses(baseline, *baseline.losses[:-1], 0.0)
    near = with_losses(baseline, *baseline.losses[:-1], 1e-6)
    assert abs(relative_losses(near, zero)[-1]) < 1e-3


def test_each_loss_of_a_step_is_compared_by_itself(baseline):
    two = replace(baseline, each_loss=tuple((loss, 3.0) for loss in baseline.losses))
    swapped = replace(baseline, each_loss=tuple((loss - 0.5, 3.5) for loss in baseline.losses))
    assert distance(swapped, two).early > 0.1


def test_a_gradient_that_only_one_run_has_is_left_to_differences_in_kind(baseline):
    frozen = with_steps(baseline, gradients=((3.0, -1.0),) * STEPS, gradient_sketches={1: ((3.0, 0.0), ())})
    assert distance(frozen, baseline).gradients == 0


def test_updates_count_only_where_the_gradient_is_clear_of_rounding(baseline):
    eager = with_steps(baseline, gradients=((3.0, 1e-9),) * STEPS)
    other = with_steps(baseline, gradients=((3.0, 1e-9),) * STEPS, updates=((0.3, 0.1),) * STEPS)
    assert distance(other, eager, clear=2.0**-20).updates == 0
    assert distance(other, eager).updates > 0.5


def test_the_farthest_takes_the_largest_of_each_figure(baseline):
    one = distance(with_losses(baseline, 3.0, *baseline.losses[1:]), baseline)
    two = distance(with_steps(baseline, gradient_sketches={1: ((6.0, 0.0), (0.0, 8.0))}), baseline)
    both = farthest([one, two])
    assert (both.loss, both.gradients) == (one.loss, two.gradients)


def test_the_mean_of_runs_is_taken_over_the_steps_that_all_made():
    short = replace(make_run(), losses=make_run().losses[:7])
    mean = mean_run([short, make_run(level=3.0)])
    assert len(mean.losses) == len(mean.each_loss) == 7
    assert mean.losses[0] == pytest.approx(2.0)


def test_where_single_steps_differ_from_stream_to_stream_runs_are_not_the_same():
    assert are_same([make_run(), make_run()])
    assert not are_same([make_run(), make_run(noise=0.01)])
