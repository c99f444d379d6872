"""The mean reward of a policy on a whole series."""

from typing import Any

import torch
from torch import Tensor, nn

from hotloop.train.episodic.context import ContextSource, Extractor
from hotloop.train.episodic.options import Primary
from hotloop.train.episodic.reward import Reward, RewardCall
from hotloop.train.episodic.series import load_series
from hotloop.train.episodic.windows import Episodes
from hotloop.train.strategies.episodic import Episodic
from hotloop.workload import Strategy


@torch.no_grad()
def evaluate_reward(
    model: nn.Module,
    series: Any,
    *,
    reward: Reward | None = None,
    context: Extractor | None = None,
    primary_transform: Primary = "softmax",
    transition_penalty: float = 0.0,
) -> float:
    """The reward of the whole series (N, ...) as one episode, in eval mode, which is undone afterwards.

    The reward is called as in training: with actions (1, N, M) and context (1, N, M). Reads one number.
    """
    first = next(model.parameters())
    values = load_series(series, dtype=first.dtype, device=first.device).values
    strategy = Episodic(RewardCall(reward, transition_penalty), primary_transform=primary_transform, trains=False)
    return score_series(model, values, strategy, None if context is None else ContextSource(context))


@torch.no_grad()
def score_series(model: nn.Module, values: Tensor, strategy: Strategy, extractor: ContextSource | None) -> float:
    """The mean reward of `values` (N, ...) as one episode, in eval mode, which is undone afterwards."""
    was_training = model.training
    model.eval()
    try:
        context = None if extractor is None else extractor(values.unsqueeze(0))
        return -float(strategy.loss(model, Episodes(values, context, 1)).value)
    finally:
        model.train(was_training)
