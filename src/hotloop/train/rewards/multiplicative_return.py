"""Growth of wealth after costs, in logs: the reward that psann calls "finance" or "portfolio"."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hotloop.train.rewards._portfolio import net_log_growth


@dataclass(frozen=True, kw_only=True)
class MultiplicativeReturn:
    """Sum over t of log g_t - transition_penalty ||a_{t+1} - a_t||_1, g_t = max(a_t . p_{t+1} / (p_t + eps), eps).

    `actions` are shares of wealth and `context` are positive prices, both of shape (B, T, M), which gives (B,), or
    (T, M), which gives a scalar. Differentiable in the actions wherever g_t > eps and no share stays the same.
    Raises ValueError for another rank, shapes that differ, or T < 2.
    """

    name: ClassVar[str] = "multiplicative_return"
    eps: float = 1e-8

    def __call__(self, actions: Tensor, context: Tensor, *, transition_penalty: float = 0.0) -> Tensor:
        return net_log_growth(actions, context, penalty=transition_penalty, eps=self.eps).sum(-1)
