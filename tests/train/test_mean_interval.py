import numpy as np
import pytest
from scipy.stats import ttest_1samp

from hotloop.train.mean_interval import mean_interval


def test_independent_values_have_the_interval_of_a_t_test():
    values = np.random.default_rng(0).normal(size=50)
    mean, low, high = mean_interval(values, lags=0)
    wanted = ttest_1samp(values, 0.0).confidence_interval()
    assert mean == values.mean()
    assert (low, high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("lags", [0, 4, 19])
def test_it_holds_the_true_mean_of_overlapping_sums_about_as_often_as_it_says(lags):
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        fresh = rng.normal(size=400 + lags)
        values = np.convolve(fresh, np.ones(lags + 1), "valid")
        _, low, high = mean_interval(values, lags=lags)
        held += low < 0.0 < high
    assert 0.9 < held / 400 < 0.99


def test_too_few_values_have_no_bounds():
    assert np.isnan(mean_interval(np.arange(5.0), lags=4)[1])
    assert np.isnan(mean_interval(np.zeros(0), lags=0)[0])
