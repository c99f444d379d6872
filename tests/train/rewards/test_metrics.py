import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hotloop.train.rewards import portfolio_metrics, wealth_curve
from hotloop.train.rewards.drifting_turnover import DriftingTurnover
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn

SHAPE = (6, 3)
QUOTES = arrays(np.float64, SHAPE, elements=st.floats(0.5, 2.0))
SHARES = arrays(np.float64, SHAPE, elements=st.floats(0.01, 1.0)).map(lambda a: a / a.sum(axis=1, keepdims=True))


@given(SHARES, QUOTES, st.floats(0.0, 0.1))
def test_log_return_is_the_reward_under_either_definition_of_cost(shares, quotes, cost):
    actions, prices = torch.from_numpy(shares), torch.from_numpy(quotes)
    for turnover, reward in (("target", MultiplicativeReturn()), ("drifted", DriftingTurnover())):
        metrics = portfolio_metrics(shares, quotes, transition_penalty=cost, turnover=turnover)
        expected = reward(actions, prices, transition_penalty=cost).item()
        assert metrics["log_return"] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(SHARES, QUOTES, st.floats(0.0, 0.1))
def test_metrics_stay_in_their_ranges_and_agree_with_the_curve(shares, quotes, cost):
    metrics = portfolio_metrics(shares, quotes, transition_penalty=cost)
    curve = wealth_curve(shares, quotes, transition_penalty=cost)
    assert curve[0] == 1.0
    assert len(curve) == len(shares)
    assert metrics["cum_return"] == pytest.approx(curve[-1] - 1.0)
    assert -1.0 < metrics["max_drawdown"] <= 0.0
    assert metrics["max_drawdown"] == pytest.approx((curve / np.maximum.accumulate(curve) - 1.0).min(), abs=1e-12)
    assert 0.0 <= metrics["turnover"] <= 2.0


def test_known_figures_of_a_small_portfolio():
    prices = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
    metrics = portfolio_metrics(np.tile([1.0, 0.0], (3, 1)), prices, eps=0.0)
    assert metrics["cum_return"] == pytest.approx(0.0)
    assert metrics["max_drawdown"] == pytest.approx(-0.5)
    assert metrics["turnover"] == 0.0
    assert metrics["sharpe"] == pytest.approx(0.25 / np.std([1.0, -0.5], ddof=1))


def test_sharpe_is_annualized_on_request_and_nan_without_spread():
    rng = np.random.default_rng(0)
    shares, prices = np.full((50, 2), 0.5), np.exp(rng.normal(0, 0.01, (50, 2)).cumsum(axis=0))
    plain = portfolio_metrics(shares, prices)["sharpe"]
    assert portfolio_metrics(shares, prices, periods_per_year=252)["sharpe"] == pytest.approx(plain * 252**0.5)
    assert np.isnan(portfolio_metrics(shares, np.ones((50, 2)), eps=0.0)["sharpe"])


@pytest.mark.parametrize(
    ("shares", "prices", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 1)), r"shares of shape \(3, 2\) and prices of shape \(3, 1\)"),
        (np.ones((1, 2)), np.ones((1, 2)), "at least 2 steps"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "shares that are not finite"),
        (np.ones((3, 2)), np.zeros((3, 2)), "prices that are not positive"),
    ],
)
def test_bad_input_is_named(shares, prices, message):
    with pytest.raises(ValueError, match=message):
        portfolio_metrics(shares, prices)


def test_an_unknown_turnover_is_refused():
    with pytest.raises(ValueError, match="'target' or 'drifted'"):
        portfolio_metrics(np.ones((3, 2)), np.ones((3, 2)), turnover="wild")
