"""What every portfolio reward is made of: growth of wealth and costs of trading, step by step. Letters of shapes below.

B episodes, T steps, M assets. The action of step t is held from the price of step t to that of step t + 1, so T prices
give T - 1 periods, and the action of the last step only enters the cost of trading into it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def growth_of_assets(actions: "Tensor", prices: "Tensor", *, eps: float, least_steps: int = 2) -> "Tensor":
    """p_{t+1} / (p_t + eps), shape (..., T-1, M), for actions and prices of shape (B, T, M) or (T, M).

    Raises ValueError for another rank, shapes that differ, or fewer than `least_steps` steps.
    """
    if actions.ndim not in (2, 3) or actions.shape != prices.shape:
        raise ValueError(
            f"got actions of shape {tuple(actions.shape)} and prices of shape {tuple(prices.shape)}; both must have "
            "the same shape, (episodes, steps, assets) or (steps, assets): choose a context extractor that gives one "
            "price an action"
        )
    if actions.shape[-2] < least_steps:
        raise ValueError(
            f"got {actions.shape[-2]} steps; this reward needs at least {least_steps}: choose a longer window or series"
        )
    return prices[..., 1:, :] / (prices[..., :-1, :] + eps)


def growth_of_wealth(actions: "Tensor", growth: "Tensor", *, eps: float) -> "Tensor":
    """g_t = max(sum_m a_{t,m} p_{t+1,m} / p_{t,m}, eps), shape (..., T-1)."""
    return (actions[..., :-1, :] * growth).sum(-1).clamp_min(eps)


def net_log_growth(
    actions: "Tensor", prices: "Tensor", *, penalty: float, eps: float, least_steps: int = 2
) -> "Tensor":
    """log g_t - penalty ||a_{t+1} - a_t||_1, shape (..., T-1): the log return of each period after costs."""
    growth = growth_of_assets(actions, prices, eps=eps, least_steps=least_steps)
    gross = growth_of_wealth(actions, growth, eps=eps).log()
    if not penalty:
        return gross
    # What is traded where drift between two steps is not counted.
    return gross - penalty * (actions[..., 1:, :] - actions[..., :-1, :]).abs().sum(-1)
