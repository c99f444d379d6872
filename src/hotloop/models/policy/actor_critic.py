"""What every actor-critic can do: the protocol, and the class that gives it to a network with a forward."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hotloop.models.policy.distribution import ActionDistribution, MaskedCategorical, sample
from hotloop.models.policy.masks import checked_mask


class ActorCriticProtocol(Protocol):
    """A policy and a value in one network; `legal_mask` is bool (B, A), True where an action is legal."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the policy (B, ...) and values (B,)."""
        ...

    def get_action_and_value(
        self, obs: Tensor, legal_mask: Tensor | None = None, deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, their log-probabilities and the values, one each a row."""
        ...

    def evaluate_actions(
        self, obs: Tensor, actions: Tensor, legal_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of `actions`, entropies and values, (B,) each, in this order."""
        ...

    def train(self, mode: bool = True) -> Any: ...
    def eval(self) -> Any: ...
    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Any, strict: bool = True) -> Any: ...
    def to(self, *args: Any, **kwargs: Any) -> Any: ...


class ActorCritic(nn.Module, ABC):
    """The protocol over a forward; log-probabilities, entropies and values are float32.

    Both methods call the module itself, so that a module compiled in place runs compiled. They read the mask once, to
    refuse rows without a legal action.
    """

    def __init__(self, distribution: ActionDistribution | None = None) -> None:
        super().__init__()
        self.distribution: ActionDistribution = distribution or MaskedCategorical()

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    @torch.no_grad()
    def get_action_and_value(
        self, obs: Tensor, legal_mask: Tensor | None = None, deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, log-probabilities (B,) and values (B,), without gradients; drawn from torch's global generator."""
        outputs, value = self(obs)
        legal_BA = checked_mask(legal_mask, batch=len(outputs), num_actions=self.distribution.mask_width(outputs))
        actions = (
            self.distribution.mode(outputs, legal_BA) if deterministic else sample(self.distribution, outputs, legal_BA)
        )
        return actions, self.distribution.log_probs(outputs, actions, legal_BA), value.float().flatten()

    def evaluate_actions(
        self, obs: Tensor, actions: Tensor, legal_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities, entropies over legal actions and values, (B,) each, in this order."""
        outputs, value = self(obs)
        legal_BA = checked_mask(legal_mask, batch=len(outputs), num_actions=self.distribution.mask_width(outputs))
        log_probs_B, entropy_B = self.distribution.evaluate(outputs, actions, legal_BA)
        return log_probs_B, entropy_B, value.float().flatten()
