"""Growth of wealth less the cost of what is really traded: from shares that prices have moved, not from old targets."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hotloop.train.rewards._portfolio import growth_of_assets, growth_of_wealth


@dataclass(frozen=True, kw_only=True)
class DriftingTurnover:
    """Sum over t of log g_t + log(1 - c tau_t), tau_t = ||a_{t+1} - a_t * (p_{t+1} / p_t) / g_t||_1.

    A target that never changes still costs trades here (equal weight is not free), while holding what one has costs
    nothing; `multiplicative_return` counts it the other way round. c is transition_penalty, the price of trading one
    unit of wealth: 0.001 for ten basis points. Cash is no asset: with shares that do not sum to 1, the rest is lost.
    Shapes (B, T, M) to (B,), or (T, M) to a scalar. Raises ValueError for another rank, shapes that differ, or T < 2.
    """

    name: ClassVar[str] = "drifting_turnover"
    eps: float = 1e-8

    def __call__(self, actions: Tensor, context: Tensor, *, transition_penalty: float = 0.0) -> Tensor:
        growth = growth_of_assets(actions, context, eps=self.eps)
        wealth = growth_of_wealth(actions, growth, eps=self.eps)
        drifted = actions[..., :-1, :] * growth / wealth.unsqueeze(-1)
        traded = (actions[..., 1:, :] - drifted).abs().sum(-1)
        kept = (1.0 - transition_penalty * traded).clamp_min(self.eps)
        return (wealth.log() + kept.log()).sum(-1)
