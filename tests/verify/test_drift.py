"""The judgement of the gate on runs written by hand; whole programs are in tests/verify/test_gate.py."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hotloop.verdict import Outcome
from hotloop.verify import drift
from hotloop.verify.comparison import Distance
from hotloop.worker.observation import Observation

STEPS = 20
QUIET = Distance(loss=1e-7, gradients=1e-7, scale=1e-7, updates=1e-7, early=1e-7, late=1e-6)


def make_run(*, level=1.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    losses = level * np.exp(-0.05 * np.arange(STEPS)) * (1 + noise * rng.standard_normal(STEPS))
    return Observation(
        losses=tuple(losses.tolist()),
        names=("0.weight",),
        gradients=((1.0,),) * STEPS,
        updates=((0.1,),) * STEPS,
        buffers=((),) * STEPS,
        moved=(1.0,) * STEPS,
        switches={},
        seeds_itself=True,
        applied={},
        refused={},
    )


def distances(**figures):
    return replace(QUIET, **figures), QUIET


@pytest.mark.parametrize("figure", ["loss", "gradients", "updates"])
def test_the_first_step_must_stay_within_a_multiple_of_the_noise(figure):
    verdict = drift._step_verdict(make_run(), make_run(), distances(**{figure: 1e-3}), drift._FP32)
    assert verdict.outcome is Outcome.FAIL
    assert f"{figure} off by 1.0e-03" in verdict.message
    assert verdict.numbers[f"{figure}_error"] > verdict.numbers[f"{figure}_limit"]


@pytest.mark.parametrize("figure", ["early", "late"])
def test_the_loss_must_stay_within_a_multiple_of_the_noise(figure):
    verdict = drift._drift_verdict(distances(**{figure: 1e-3}), drift._FP32)
    assert verdict.outcome is Outcome.FAIL
    assert drift._drift_verdict(distances(), drift._FP32).passed


def test_a_figure_that_is_not_a_number_is_refused():
    assert not drift._drift_verdict(distances(early=math.nan), drift._BF16).passed
    assert not drift._step_verdict(make_run(), make_run(), distances(loss=math.nan), drift._BF16).passed


def test_a_twentieth_on_the_gradients_is_refused_in_both_precisions():
    noisy = replace(QUIET, gradients=2e-3)  # the most that 2**-9 on the weights did to the nets of the tests
    found = replace(QUIET, gradients=0.05)
    assert not drift._step_verdict(make_run(), make_run(), (found, noisy), drift._BF16).passed


def test_runs_that_cannot_be_paired_are_compared_by_their_last_losses():
    plain = [make_run(noise=0.01, seed=seed) for seed in range(4)]
    same = [make_run(noise=0.01, seed=seed) for seed in range(4, 8)]
    worse = [make_run(level=1.5, noise=0.01, seed=seed) for seed in range(8, 12)]
    assert drift._unpaired_verdict(same, plain).outcome is Outcome.PASS
    assert drift._unpaired_verdict(worse, plain).outcome is Outcome.FAIL


def test_too_few_or_too_noisy_runs_tell_nothing():
    noisy = [make_run(noise=0.5, seed=seed) for seed in range(8)]
    assert drift._unpaired_verdict(noisy[:4], noisy[4:]).outcome is not Outcome.PASS


def test_the_mean_of_runs_is_taken_over_the_steps_that_all_made():
    short = replace(make_run(), losses=make_run().losses[:7])
    mean = drift._mean([short, make_run(level=3.0)])
    assert len(mean.losses) == len(mean.updates) == len(mean.moved) == 7
    assert mean.losses[0] == pytest.approx(2.0)


def test_the_band_holds_the_noise_it_was_made_from():
    baseline, noisy = make_run(), make_run(noise=0.01, seed=3)
    curves = drift._curves(make_run(), baseline, [noisy], drift._BF16)
    assert all(low <= loss <= high for low, loss, high in zip(curves.low, noisy.losses, curves.high, strict=True))


def test_where_single_steps_differ_from_stream_to_stream_runs_are_not_the_same():
    assert drift._are_same([make_run(), make_run()])
    assert not drift._are_same([make_run(), make_run(noise=0.01)])
