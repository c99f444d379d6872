"""Growth of wealth less the deepest fall from a peak."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hotloop.train.rewards._portfolio import net_log_growth


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """W_T - aversion * max_t (max_{s<=t} W_s - W_t), W_t the net log wealth after t periods and W_0 = 0.

    Net log returns are those of `multiplicative_return`, so the fall is one of log wealth: log(1 - d) for a drawdown
    of the share d. With aversion 0 this is `multiplicative_return`. Differentiable almost everywhere.
    Shapes (B, T, M) to (B,), or (T, M) to a scalar. Raises ValueError for another rank, shapes that differ, or T < 2.
    """

    name: ClassVar[str] = "drawdown"
    aversion: float = 1.0
    eps: float = 1e-8

    def __call__(self, actions: Tensor, context: Tensor, *, transition_penalty: float = 0.0) -> Tensor:
        returns = net_log_growth(actions, context, penalty=transition_penalty, eps=self.eps)
        wealth = torch.nn.functional.pad(returns.cumsum(-1), (1, 0))
        falls = wealth.cummax(-1).values - wealth
        return wealth[..., -1] - self.aversion * falls.amax(-1)
