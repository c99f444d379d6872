"""Return for its risk, period by period."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hotloop.train.rewards._portfolio import net_log_growth


@dataclass(frozen=True, kw_only=True)
class Sharpe:
    """Mean over standard deviation (with T - 2 degrees of freedom) of the net log returns of an episode.

    Net log returns are log g_t - transition_penalty ||a_{t+1} - a_t||_1 as in `multiplicative_return`. Not
    annualized: multiply by the root of the periods in a year. `least_deviation` is added under the root, squared, so
    that a riskless episode has a finite reward and gradient. Shapes (B, T, M) to (B,), or (T, M) to a scalar.
    Raises ValueError for another rank, shapes that differ, or T < 3. Source: Sharpe 1966, with riskless rate 0.
    """

    name: ClassVar[str] = "sharpe"
    eps: float = 1e-8
    least_deviation: float = 1e-6

    def __call__(self, actions: Tensor, context: Tensor, *, transition_penalty: float = 0.0) -> Tensor:
        returns = net_log_growth(actions, context, penalty=transition_penalty, eps=self.eps, least_steps=3)
        return returns.mean(-1) / (returns.var(-1) + self.least_deviation**2).sqrt()
