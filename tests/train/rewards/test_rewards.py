import math

import numpy as np
import pytest
import torch

from hotloop import registry
from hotloop.train.rewards.drawdown import Drawdown
from hotloop.train.rewards.drifting_turnover import DriftingTurnover
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn
from hotloop.train.rewards.negative_energy import NegativeEnergy
from hotloop.train.rewards.sharpe import Sharpe

PRICED = ["multiplicative_return", "sharpe", "drawdown", "drifting_turnover"]


def market(*, episodes=3, steps=9, assets=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    moves = 0.05 * torch.randn(episodes, steps, assets, generator=generator, dtype=dtype)
    actions = torch.randn(episodes, steps, assets, generator=generator, dtype=dtype).softmax(-1)
    return actions, moves.cumsum(1).exp()


def test_a_reward_bears_the_name_of_its_file():
    assert set(PRICED) < set(registry.names("rewards"))
    assert all(registry.load("rewards", name).name == name for name in registry.names("rewards"))


@pytest.mark.parametrize("name", PRICED)
def test_gradient_agrees_with_finite_differences_with_and_without_a_penalty(name):
    reward = registry.load("rewards", name)()
    actions, prices = market()
    for penalty in (0.0, 0.02):
        assert torch.autograd.gradcheck(
            lambda a, penalty=penalty: reward(a, prices, transition_penalty=penalty), actions.requires_grad_()
        )


@pytest.mark.parametrize("name", PRICED)
def test_each_episode_of_a_batch_is_worth_what_it_is_worth_alone(name):
    reward = registry.load("rewards", name)()
    actions, prices = market()
    together = reward(actions, prices, transition_penalty=0.01)
    alone = torch.stack([reward(a, p, transition_penalty=0.01) for a, p in zip(actions, prices, strict=True)])
    assert together.shape == (3,)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", PRICED)
def test_rewards_do_not_change_with_the_unit_of_prices_and_never_grow_with_the_penalty(name):
    reward = registry.load("rewards", name)(eps=1e-12)
    actions, prices = market(seed=1)
    torch.testing.assert_close(reward(actions, prices), reward(actions, 37.0 * prices))
    assert (reward(actions, prices, transition_penalty=0.05) < reward(actions, prices)).all()


@pytest.mark.parametrize("name", PRICED)
def test_shapes_that_do_not_fit_are_named(name):
    reward = registry.load("rewards", name)()
    with pytest.raises(ValueError, match=r"actions of shape \(5, 2\) and prices of shape \(5, 3\)"):
        reward(torch.ones(5, 2), torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"shape \(5,\) and prices of shape \(5,\)"):
        reward(torch.ones(5), torch.ones(5))
    with pytest.raises(ValueError, match="needs at least"):
        reward(torch.ones(1, 1, 2), torch.ones(1, 1, 2))


def test_multiplicative_return_is_the_log_growth_of_wealth_less_the_costs():
    prices = torch.tensor([[1.0, 1.0], [2.0, 1.0], [2.0, 3.0]], dtype=torch.float64)
    actions = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    reward = MultiplicativeReturn(eps=0.0)(actions, prices, transition_penalty=0.1)
    assert reward.item() == pytest.approx(math.log(2.0) + math.log(3.0) - 0.1 * (2.0 + 1.0))


def test_a_short_position_that_loses_everything_is_bounded_by_eps():
    prices = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    reward = MultiplicativeReturn(eps=1e-6)(-torch.ones(2, 1, dtype=torch.float64), prices)
    assert reward.item() == pytest.approx(math.log(1e-6))


def test_sharpe_is_mean_over_deviation():
    actions, prices = market()
    growth = (actions[:, :-1] * prices[:, 1:] / prices[:, :-1]).sum(-1).log().numpy()
    expected = growth.mean(1) / growth.std(1, ddof=1)
    np.testing.assert_allclose(Sharpe(eps=0.0, least_deviation=0.0)(actions, prices), expected)


def test_sharpe_of_a_riskless_episode_is_finite_and_so_is_its_gradient():
    actions = torch.full((1, 4, 2), 0.5, requires_grad=True)
    Sharpe()(actions, torch.ones(1, 4, 2)).sum().backward()
    assert actions.grad.isfinite().all()


def test_drawdown_counts_a_fall_from_the_start():
    prices = torch.tensor([[1.0], [0.5], [2.0]], dtype=torch.float64)
    actions = torch.ones(3, 1, dtype=torch.float64)
    assert Drawdown(eps=0.0)(actions, prices).item() == pytest.approx(math.log(2.0) - math.log(2.0))


def test_drawdown_without_aversion_is_the_multiplicative_return():
    actions, prices = market()
    plain = MultiplicativeReturn()(actions, prices, transition_penalty=0.01)
    torch.testing.assert_close(Drawdown(aversion=0.0)(actions, prices, transition_penalty=0.01), plain)


def test_holding_what_one_has_costs_nothing_where_drift_is_counted():
    _, prices = market(episodes=1)
    held = prices / prices.sum(-1, keepdim=True)
    free = DriftingTurnover(eps=1e-12)(held, prices)
    torch.testing.assert_close(DriftingTurnover(eps=1e-12)(held, prices, transition_penalty=0.1), free)
    constant = torch.full_like(prices, 0.25)
    assert DriftingTurnover()(constant, prices, transition_penalty=0.1) < DriftingTurnover()(constant, prices)


def test_negative_energy_looks_at_nothing_but_the_actions():
    actions, prices = market()
    reward = NegativeEnergy()(actions, prices)
    torch.testing.assert_close(reward, -(actions**2).mean(-1))
