"""The mean reward of a policy on a whole series."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from hotloop.train.episodes.context import ContextSource, Extractor
from hotloop.train.episodes.options import Primary
from hotloop.train.episodes.reward import RewardCall
from hotloop.train.episodes.series import load_series
from hotloop.train.episodes.windows import Episodes
from hotloop.train.strategies.episodic import Episodic


def series_scorer(
    model: nn.Module,
    series: Any,
    reward: RewardCall,
    *,
    context: Extractor | None = None,
    primary_transform: Primary = "softmax",
    name: str = "series",
) -> Callable[[], float]:
    """The reward of a whole series (N, ...) as one episode under the weights that `model` then has, in eval mode.

    The series is loaded and checked here. The reward is called as in training: with actions (1, N, M) and context
    (1, N, M). Reads one number; the mode is put back.
    """
    first = next(model.parameters())
    values = load_series(series, dtype=first.dtype, device=first.device, name=name).values
    strategy = Episodic(reward, primary_transform=primary_transform, trains=False)
    extractor = None if context is None else ContextSource(context)

    @torch.no_grad()
    def score() -> float:
        was_training = model.training
        model.eval()
        try:
            extracted = None if extractor is None else extractor(values.unsqueeze(0))
            return -float(strategy.loss(model, Episodes(values, extracted, 1)).value)
        finally:
            model.train(was_training)

    return score
