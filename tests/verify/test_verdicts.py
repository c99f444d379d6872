"""The judgement of the gates on runs written by hand; whole programs are in tests/verify/test_drift.py."""

import math
from dataclasses import replace

import pytest
from observations import make_run

from hotloop.verdict import Outcome
from hotloop.verify.distance import Distance
from hotloop.verify.tolerance import FP32, REDUCED
from hotloop.verify.verdicts import drift_verdict, step_verdict, unpaired_verdict

QUIET = Distance(loss=1e-7, gradients=1e-7, scale=1e-7, updates=1e-7, early=1e-7, late=1e-6)


def distances(**figures):
    return replace(QUIET, **figures), QUIET


@pytest.mark.parametrize("figure", ["loss", "gradients", "updates"])
def test_the_first_step_must_stay_within_a_multiple_of_the_noise(figure):
    verdict = step_verdict(make_run(), make_run(), distances(**{figure: 1e-3}), FP32)
    assert verdict.outcome is Outcome.FAIL
    assert f"{figure} off by 1.0e-03" in verdict.message
    assert verdict.numbers[f"{figure}_error"] > verdict.numbers[f"{figure}_limit"]


@pytest.mark.parametrize("figure", ["early", "late"])
def test_the_loss_must_stay_within_a_multiple_of_the_noise(figure):
    verdict = drift_verdict(distances(**{figure: 1e-3}), FP32)
    assert verdict.outcome is Outcome.FAIL
    assert drift_verdict(distances(), FP32).passed


def test_a_figure_that_is_not_a_number_is_refused():
    assert not drift_verdict(distances(early=math.nan), REDUCED).passed
    assert not step_verdict(make_run(), make_run(), distances(loss=math.nan), REDUCED).passed


def test_a_twentieth_on_the_gradients_is_refused_in_both_precisions():
    noisy = replace(QUIET, gradients=2e-3)  # the most that 2**-9 on the weights did to the nets of the tests
    found = replace(QUIET, gradients=0.05)
    assert not step_verdict(make_run(), make_run(), (found, noisy), REDUCED).passed


def test_runs_that_cannot_be_paired_are_compared_by_their_last_losses():
    plain = [make_run(noise=0.01, seed=seed) for seed in range(4)]
    same = [make_run(noise=0.01, seed=seed) for seed in range(4, 8)]
    worse = [make_run(level=1.5, noise=0.01, seed=seed) for seed in range(8, 12)]
    assert unpaired_verdict(same, plain).outcome is Outcome.PASS
    assert unpaired_verdict(worse, plain).outcome is Outcome.FAIL


def test_too_few_or_too_noisy_runs_tell_nothing():
    noisy = [make_run(noise=0.5, seed=seed) for seed in range(8)]
    assert unpaired_verdict(noisy[:4], noisy[4:]).outcome is not Outcome.PASS
