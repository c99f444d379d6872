import math
from dataclasses import asdict, replace

import pytest
from observations import make_run

from hotloop.verify.distance import (
    are_same,
    differences_in_kind,
    distance,
    farthest,
    mean_run,
    relative_losses,
)
from hotloop.worker.observation import Observation

STEPS = 12


@pytest.fixture
def baseline():
    return Observation(
        losses=tuple(2.0 - 0.1 * step for step in range(STEPS)),
        names=("0.weight", "0.bias"),
        gradients=((3.0, 4.0),) * STEPS,
        updates=((0.3, 0.4),) * STEPS,
        buffers=((1.0,),) * STEPS,
        moved=(1.0,) * STEPS,
        switches={"0.": (1.0, 0.0), "0.drop": (1.0, 0.2)},
        seeds_itself=True,
        applied={},
        refused={},
        sketches=((3.0, 0.0), (0.0, 4.0)),
    )


def at_step(rows, step, row):
    return (*rows[: step - 1], row, *rows[step:])


def test_equal_runs_are_no_distance_apart_and_differ_in_nothing(baseline):
    found = distance(baseline, baseline)
    assert set(asdict(found).values()) == {0}
    assert list(differences_in_kind(baseline, baseline)) == []


def test_gradients_scaled_by_a_twentieth_are_a_twentieth_apart(baseline):
    scaled = replace(baseline, gradients=((3.15, 4.2),) * STEPS, sketches=((3.15, 0.0), (0.0, 4.2)))
    assert distance(scaled, baseline).gradients == pytest.approx(0.05)
    assert distance(scaled, baseline).scale == pytest.approx(0.05)


def test_gradients_that_rounding_turned_keep_their_scale(baseline):
    turned = replace(baseline, sketches=((0.0, 3.0), (4.0, 0.0)))
    assert distance(turned, baseline).gradients == pytest.approx(2**0.5)
    assert distance(turned, baseline).scale == 0


def test_the_scale_is_that_of_most_parameters(baseline):
    many = replace(baseline, gradients=((1.0,) * 8,) * STEPS, updates=((0.1,) * 8,) * STEPS)
    wild = replace(many, gradients=((2.0, *(1.0,) * 6, 0.1),) * STEPS)
    assert distance(wild, many).scale == 0


def test_drift_at_the_end_is_told_from_drift_at_the_start(baseline):
    late = replace(baseline, losses=(*baseline.losses[:-1], 3.0))
    assert distance(late, baseline).early == 0
    assert distance(late, baseline).late > 0.1


def test_a_loss_that_is_finite_in_only_one_run_is_infinitely_far(baseline):
    lost = replace(baseline, losses=(math.nan, *baseline.losses[1:]))
    assert distance(lost, baseline).early == math.inf
    assert distance(lost, lost).early == 0


def test_losses_near_zero_do_not_make_every_deviation_infinite(baseline):
    zero = replace(baseline, losses=(*baseline.losses[:-1], 0.0))
    near = replace(baseline, losses=(*baseline.losses[:-1], 1e-6))
    assert abs(relative_losses(near, zero)[-1]) < 1e-3


def test_a_gradient_that_only_one_run_has_is_left_to_differences_in_kind(baseline):
    frozen = replace(baseline, gradients=((3.0, -1.0),) * STEPS, sketches=((3.0, 0.0), ()))
    assert distance(frozen, baseline).gradients == 0
    assert list(differences_in_kind(frozen, baseline)) == ["parameter 0.bias gets no gradient"]


def test_updates_count_only_where_the_gradient_is_clear_of_rounding(baseline):
    eager = replace(baseline, gradients=((3.0, 1e-9),) * STEPS)
    other = replace(eager, updates=((0.3, 0.1),) * STEPS)
    assert distance(other, eager, clear=2.0**-20).updates == 0
    assert distance(other, eager).updates > 0.5


def test_the_farthest_takes_the_largest_of_each_figure(baseline):
    one = distance(replace(baseline, losses=(3.0, *baseline.losses[1:])), baseline)
    two = distance(replace(baseline, sketches=((6.0, 0.0), (0.0, 8.0))), baseline)
    both = farthest([one, two])
    assert (both.loss, both.gradients) == (one.loss, two.gradients)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"switches": {"0.": (1.0, 0.0), "0.drop": (0.0, 0.2)}}, "module 0.drop runs in evaluation mode"),
        ({"switches": {"0.": (1.0, 0.0), "0.drop": (1.0, 0.0)}}, "module 0.drop drops out 0 in place of 0.2"),
        ({"names": ("0.weight",)}, "it trains 1 parameters in place of 2"),
        ({"gradients": ((3.0, 0.0),) * STEPS}, "parameter 0.bias gets a gradient of zero"),
        ({"moved": (0.9,) * STEPS}, "90.0% of the weights move in a step in place of 100.0%: small updates are lost"),
        ({"buffers": ((0.0,),) * STEPS}, "batch-norm statistic) number 0 does not move in step 1"),
    ],
)
def test_what_no_rounding_explains_is_named(baseline, change, words):
    (found,) = differences_in_kind(replace(baseline, **change), baseline)
    assert words in found


def test_a_step_that_was_left_out_is_named_for_every_parameter(baseline):
    dropped = replace(baseline, updates=at_step(baseline.updates, 10, (0.0, 0.0)))
    found = list(differences_in_kind(dropped, baseline))
    assert found[0] == "parameter 0.weight does not move in step 10 (1 of 12 steps)"
    assert len(found) == 2


def test_a_parameter_may_stand_still_in_a_step_in_which_it_hardly_moves_anyway(baseline):
    rare = replace(baseline, updates=at_step(baseline.updates, 3, (0.3, 1e-6)))
    still = replace(baseline, updates=at_step(baseline.updates, 3, (0.3, 0.0)))
    assert list(differences_in_kind(still, rare)) == []
    assert len(list(differences_in_kind(still, baseline))) == 1


def test_the_mean_of_runs_is_taken_over_the_steps_that_all_made():
    short = replace(make_run(), losses=make_run().losses[:7])
    mean = mean_run([short, make_run(level=3.0)])
    assert len(mean.losses) == len(mean.updates) == len(mean.moved) == 7
    assert mean.losses[0] == pytest.approx(2.0)


def test_where_single_steps_differ_from_stream_to_stream_runs_are_not_the_same():
    assert are_same([make_run(), make_run()])
    assert not are_same([make_run(), make_run(noise=0.01)])
