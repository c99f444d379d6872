"""One way to call a network, for rollouts, updates and evaluation, so that all see the same function."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from hotloop.models.policy.distribution import ActionDistribution, MaskedCategorical
from hotloop.models.policy.heads import Heads


class NetworkCall:
    """Outputs of the policy and values (B,) in float32; the network alone runs under autocast to `dtype`."""

    def __init__(self, dtype: torch.dtype | None) -> None:
        self._dtype = dtype

    def __call__(self, network: Callable[[Tensor], Any], observations: Tensor) -> tuple[Tensor, Tensor]:
        with self._precision(observations):
            outputs, values = network(observations)
        return outputs.float(), values.float().flatten()

    def heads(self, network: Any, observations: Tensor) -> Heads:
        """All that a network with `heads` predicts, in float32."""
        with self._precision(observations):
            heads: Heads = network.heads(observations)
        return Heads(heads.policy.float(), heads.outcome.float(), heads.score.float())

    def _precision(self, observations: Tensor) -> AbstractContextManager[Any]:
        return nullcontext() if self._dtype is None else torch.autocast(observations.device.type, dtype=self._dtype)


def distribution_of(model: Any) -> ActionDistribution:
    """The distribution that a model names as its `distribution`; a categorical one where it names none."""
    return getattr(model, "distribution", None) or MaskedCategorical()
