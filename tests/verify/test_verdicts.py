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


def test_a_scale_that_rounding_alone_moves_as_far_cannot_be_told():
    chaotic = replace(QUIET, gradients=0.6, scale=0.4)
    verdict = step_verdict(make_run(), make_run(), (replace(QUIET, gradients=0.8, scale=0.6), chaotic), REDUCED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.message.startswith("rounding alone changes the size of the gradients by 40%")


@pytest.mark.parametrize("found", [{"scale": 1.5}, {"scale": 0.6, "updates": 9.0}])
def test_what_is_further_off_than_that_is_still_refused(found):
    chaotic = replace(QUIET, gradients=0.6, scale=0.4)
    assert step_verdict(make_run(), make_run(), (replace(QUIET, **found), chaotic), REDUCED).outcome is Outcome.FAIL


@pytest.mark.parametrize("found", [{"updates": 0.024}, {"placement": 0.12}, {"updates": 0.03, "placement": 0.1}])
def test_updates_that_bf16_made_of_rounding_cannot_be_told_from_a_fault(found):
    verdict = step_verdict(make_run(), make_run(), distances(**found), REDUCED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "zero but for rounding" in verdict.message
    assert step_verdict(make_run(), make_run(), distances(**found), FP32).outcome is Outcome.FAIL


@pytest.mark.parametrize("found", [{"updates": 0.05}, {"placement": 0.2}, {"placement": 0.12, "scale": 0.03}])
def test_updates_that_are_further_off_than_that_are_refused(found):
    assert step_verdict(make_run(), make_run(), distances(**found), REDUCED).outcome is Outcome.FAIL


def test_runs_that_cannot_be_paired_are_compared_by_their_last_losses():
    plain = [make_run(noise=0.01, seed=seed) for seed in range(4)]
    same = [make_run(noise=0.01, seed=seed) for seed in range(4, 8)]
    worse = [make_run(level=1.5, noise=0.01, seed=seed) for seed in range(8, 12)]
    assert unpaired_verdict(same, plain).outcome is Outcome.PASS
    assert unpaired_verdict(worse, plain).outcome is Outcome.FAIL


def test_runs_that_cannot_be_paired_and_lose_less_do_not_pass_either():
    plain = [make_run(noise=0.01, seed=seed) for seed in range(4)]
    better = [make_run(level=0.7, noise=0.01, seed=seed) for seed in range(8, 12)]
    assert unpaired_verdict(better, plain).outcome is Outcome.FAIL


def test_three_runs_are_too_few():
    plain = [make_run(noise=0.001, seed=seed) for seed in range(6)]
    assert unpaired_verdict(plain[:3], plain[3:]).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("figure", ["placement", "buffers", "later_gradients", "later_scale", "later_placement"])
def test_where_updates_land_buffers_and_later_steps_count_too(figure):
    verdict = step_verdict(make_run(), make_run(), distances(**{figure: 0.5}), FP32)
    assert verdict.outcome is Outcome.FAIL
    assert f"{figure.replace('_', ' ')} off by 5.0e-01" in verdict.message


def test_too_few_or_too_noisy_runs_tell_nothing():
    noisy = [make_run(noise=0.5, seed=seed) for seed in range(8)]
    assert unpaired_verdict(noisy[:4], noisy[4:]).outcome is not Outcome.PASS
