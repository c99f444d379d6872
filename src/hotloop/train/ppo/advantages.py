"""Generalized advantage estimation, also for games of two sides."""

import torch
from torch import Tensor

from hotloop.train.ranks import Ranks

# T steps, N environments


def gae(
    rewards_TN: Tensor,
    values_TN: Tensor,
    next_values_TN: Tensor,
    done_TN: Tensor,
    *,
    gamma: float,
    lam: float,
    sign: float = 1.0,
) -> Tensor:
    """Advantages (T, N): A_t = d_t + gamma lam sign A_{t+1}, d_t = r_t + gamma sign V'_t - V_t; A ends where done.

    `next_values_TN` are the values V' after each step: of the next observation; of the final one where an episode was
    truncated; 0 where it terminated (`next_values` makes them). `sign` is -1 where the next position belongs to the
    other side, whose gain is this side's loss. The recurrence is a doubling scan, log2(T) passes over (T, N) tensors.
    Source: Schulman et al. 2016, arXiv:1506.02438, section 3; Hillis and Steele 1986 for the scan.
    """
    advantages_TN = rewards_TN + (gamma * sign) * next_values_TN - values_TN
    decay_TN = (gamma * lam * sign) * (~done_TN).to(rewards_TN.dtype)
    shift = 1
    while shift < len(rewards_TN):
        # Each entry covers `shift` steps; now it takes in the `shift` steps after those.
        advantages_TN[:-shift] += decay_TN[:-shift] * advantages_TN[shift:].clone()
        decay_TN[:-shift] *= decay_TN[shift:].clone()
        decay_TN[-shift:] = 0.0
        shift *= 2
    return advantages_TN


def next_values(
    values_TN: Tensor, last_values_N: Tensor, *, terminated_TN: Tensor, truncated_TN: Tensor, final_values_TN: Tensor
) -> Tensor:
    """The value after each step (T, N); `final_values_TN` are those of the last observations of truncated episodes."""
    following_TN = values_TN.roll(-1, dims=0)
    following_TN[-1] = last_values_N
    return following_TN.where(~truncated_TN, final_values_TN).masked_fill(terminated_TN, 0.0)


def normalized(advantages: Tensor, ranks: Ranks | None = None) -> Tensor:
    """With mean 0 and standard deviation 1 over those of all ranks; as they are where they hardly differ.

    No host sync. Ranks may have different numbers of them.
    """
    if ranks is not None and ranks.size > 1:
        return _normalized_over(advantages, ranks)
    if advantages.numel() < 2:
        return advantages
    std, mean = advantages.std(), advantages.mean()
    return ((advantages - mean) / std).where(std > 1e-8, advantages)


def _normalized_over(advantages: Tensor, ranks: Ranks) -> Tensor:
    exact = advantages.double()
    count = torch.full((), exact.numel(), dtype=torch.float64, device=exact.device)
    count, total = ranks.sum(torch.stack([count, exact.sum()])).unbind()
    around = exact - total / count.clamp(min=1)
    variance = ranks.sum(around.square().sum()) / (count - 1).clamp(min=1)
    std = variance.sqrt()
    return (around / std).to(advantages.dtype).where(std > 1e-8, advantages)
