"""Verdicts on losses, by curves with a known answer."""

import math

import pytest

from hotloop.guard.limits import DEFAULTS
from hotloop.guard.losses import judge_losses
from hotloop.verdict import Outcome

LIMIT = DEFAULTS["loss"]


def curve(end, shift=0.0):
    return [end + shift + 1 / (step + 1) for step in range(30)]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_worse_loss_is_proven_over_seeds(sign):
    seeds = [0.00, 0.03, -0.02, 0.01]
    base = [curve(sign, shift) for shift in seeds]
    head = [curve(sign + 0.2, shift + 0.001 * number) for number, shift in enumerate(seeds)]
    assert judge_losses(list(zip(base, head, strict=True)), LIMIT).verdict is Outcome.FAIL
    assert judge_losses(list(zip(head, base, strict=True)), LIMIT).verdict is Outcome.PASS


def test_one_seed_decides_only_where_nothing_differs():
    assert judge_losses([(curve(1.0), curve(1.0))], LIMIT).verdict is Outcome.PASS
    assert judge_losses([(curve(1.0), curve(2.0))], LIMIT).verdict is Outcome.INCONCLUSIVE


def test_differences_that_go_both_ways_tell_nothing():
    pairs = [(curve(1.0), curve(1.0 + shift)) for shift in (0.3, -0.25, 0.2)]
    assert judge_losses(pairs, LIMIT).verdict is Outcome.INCONCLUSIVE


def test_a_loss_that_is_not_finite_is_worse():
    found = judge_losses([(curve(1.0), [*curve(1.0)[:-1], math.nan])], LIMIT)
    assert found.verdict is Outcome.FAIL
    assert "not finite" in found.message


def test_unequal_numbers_of_steps_tell_nothing():
    found = judge_losses([(curve(1.0), curve(1.0)[:-3])], LIMIT)
    assert found.verdict is Outcome.INCONCLUSIVE
    assert "30 and 27" in found.message
