"""The whole procedure on simulated series, each step through replicate_estimate: false claims, power, fitted noise."""

import dataclasses
import importlib.util
import math
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

from hotloop.compare.comparison import MAXIMUM_REPLICATES
from hotloop.compare.inference import between_replicate_spread, replicate_estimate
from hotloop.compare.power import replicates_needed


def _benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "compare" / "simulate.py"
    spec = importlib.util.spec_from_file_location("simulate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


simulate = _benchmark()

EVERYTHING = {"tails": 3.0, "stalls": 0.03, "drift": 0.10}


@pytest.mark.parametrize("level", ["9%", "3%", "0.5%"])
@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["autocorrelated", "and drifting, heavy-tailed, stalling"])
def test_false_claims_stay_below_one_percent_over_the_whole_procedure(level, more):
    noise = dataclasses.replace(simulate.LEVELS[level], **more)
    found = simulate.rates(simulate.simulated(noise, series=2000, seed=7))
    assert found["faster"] + found["slower"] <= 0.01


@pytest.mark.parametrize(("level", "effect", "power"), [("9%", 0.20, 0.8), ("3%", 0.10, 0.95), ("0.5%", 0.03, 0.8)])
def test_real_differences_are_proven_in_both_directions(level, effect, power):
    flat = simulate.simulated(simulate.LEVELS[level], series=300, seed=11)
    found = simulate._power(flat, effect)
    assert min(found["faster"], found["slower"]) >= power
    assert found["wrong_direction"] == 0.0


@pytest.mark.parametrize(("spread", "effect"), [(0.005, 0.03), (0.03, 0.10), (0.09, 0.20)])
def test_the_planned_number_of_pairs_has_the_promised_power(spread, effect):
    noise = simulate.Noise(between=spread, within=0.001)
    flat = simulate.simulated(noise, series=400, seed=3, pairs=replicates_needed(spread, effect))
    assert simulate.rates([one.with_effect(1 + effect) for one in flat])["faster"] >= 0.78


def test_an_effect_put_into_the_steps_comes_out_of_the_pairs():
    noise = simulate.Noise(between=0.0, within=0.05, tails=3.0, drift=0.1, stalls=0.03)
    times = simulate.step_seconds(noise, 1, 200, np.random.default_rng(5))[0]
    effects = [replicate_estimate(pair[0].tolist(), (pair[2] / 1.05).tolist()) for pair in times]
    assert statistics.fmean(e.log_ratio for e in effects) == pytest.approx(math.log(1.05), abs=0.005)
    inside = math.sqrt(statistics.fmean(e.standard_error**2 for e in effects))
    assert between_replicate_spread(effects) == pytest.approx(inside, rel=0.35)


def test_noise_fitted_to_simulated_blocks_is_the_noise_that_made_them():
    noise = simulate.Noise(between=0.05, within=0.04, rho=0.6)
    times = simulate.step_seconds(noise, 1, 60, np.random.default_rng(9))[0]
    blocks = [
        {"pair": pair, "round": number, "arm": arm, "wall": times[pair, index, number].tolist()}
        for pair in range(60)
        for index, arm in enumerate(simulate.ARMS)
        for number in range(simulate.ROUNDS)
    ]
    found = simulate.fit_noise(blocks)
    assert (found.between, found.within, found.rho) == pytest.approx((0.05, 0.04, 0.6), rel=0.2)


def test_longest_series_takes_no_more_than_the_maximum_of_pairs():
    ending = simulate.run(simulate.simulated(simulate.LEVELS["9%"], series=1, seed=0)[0])
    assert ending.pairs <= MAXIMUM_REPLICATES
