"""Running statistics of batch norm under PPO: constants in rollouts and updates, moved between them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from hotloop.models.policy.network_call import NetworkCall


class NormStatistics:
    """Moves running statistics towards those of a batch; does nothing for a model without batch norm.

    In train mode, rollouts of few environments would pollute the statistics, and the update would see another policy
    than the one that acted.
    """

    def __init__(self, model: nn.Module, call: NetworkCall) -> None:
        self._model, self._call = model, call
        self._norms: list[Any] = [module for module in model.modules() if isinstance(module, _BatchNorm)]

    @property
    def is_needed(self) -> bool:
        """Whether the model has batch norm that keeps statistics."""
        return bool(self._norms)

    @torch.no_grad()
    def move(self, observations: Tensor, momentum: float) -> None:
        """Move by `momentum`, 1 for all the way, to the statistics of `observations` (B, ...) under these weights."""
        if not self._norms:
            return
        before = [(norm.momentum, norm.training) for norm in self._norms]
        for norm in self._norms:
            norm.momentum, norm.training = momentum, True
        try:
            self._call(self._model, observations)
        finally:
            for norm, (kept_momentum, was_training) in zip(self._norms, before, strict=True):
                norm.momentum, norm.training = kept_momentum, was_training
