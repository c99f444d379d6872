"""The network in rollouts: what it does, and what its values are."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hotloop.compile.backends import Backend
from hotloop.compile.captured_function import CapturedFunction
from hotloop.models.policy.distribution import ActionDistribution
from hotloop.models.policy.network_call import NetworkCall

# N environments


class Act(NamedTuple):
    """Drawn actions, their log-probabilities, and the values of what was seen, one each a row."""

    actions: Tensor
    log_probs: Tensor
    values: Tensor


class Acting:
    """Draws actions from a network in eval mode, without gradients.

    With `captures`, a backend, the network and what follows from it run as one compiled graph. Random numbers are drawn
    outside of it, so that both ways draw the same.
    """

    def __init__(
        self,
        model: nn.Module,
        call: NetworkCall,
        distribution: ActionDistribution,
        *,
        captures: Backend | None = None,
    ) -> None:
        self._model, self._call, self._distribution = model, call, distribution
        self._captured = None if captures is None else CapturedFunction(model, self._act, backend=captures)
        self._like: Tensor | None = None  # outputs, by which noise is drawn before they are there

    @torch.no_grad()
    def __call__(self, observations: Tensor, legal: Tensor | None) -> Act:
        """Actions for these observations; `legal` as a distribution takes it."""
        if self._captured is None:
            outputs, values = self._call(self._model, observations)
            return self._drawn(outputs, values, legal, self._distribution.noise(outputs, legal))
        if self._like is None:
            self._like = self._call(self._model, observations)[0]
        noise = self._distribution.noise(self._like, legal)
        return Act(*self._captured(observations, legal, noise))

    @torch.no_grad()
    def values(self, observations: Tensor) -> Tensor:
        """The values (N,) of these observations."""
        return self._call(self._model, observations)[1]

    def _act(self, model: nn.Module, observations: Tensor, legal: Tensor | None, noise: Tensor) -> Act:
        outputs, values = self._call(model, observations)
        return self._drawn(outputs, values, legal, noise)

    def _drawn(self, outputs: Tensor, values: Tensor, legal: Tensor | None, noise: Tensor) -> Act:
        actions = self._distribution.draw(outputs, legal, noise)
        return Act(actions, self._distribution.log_probs(outputs, actions, legal), values)
