"""Distributions of actions, made of what a policy head gives; no state, and no reads from the device."""

import math
from typing import Protocol

import torch
from torch import Tensor

from hotloop.models.policy.masks import fill_illegal

# B positions, A actions, D dimensions of a continuous action

_LOG_STD = (-20.0, 2.0)  # as in soft actor-critic (Haarnoja et al. 2018), so that exp stays finite


class ActionDistribution(Protocol):
    """How actions follow from the outputs of a policy."""

    def sample(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        """Drawn actions, one a row."""
        ...

    def mode(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        """The likeliest action of each row."""
        ...

    def log_probs(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> Tensor:
        """Log-probabilities of the actions, (B,)."""
        ...

    def evaluate(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the actions and entropies, (B,) each."""
        ...

    def mask_width(self, outputs: Tensor) -> int:
        """How many columns a mask of legal actions has beside these outputs."""
        ...


class MaskedCategorical:
    """One of A actions; the outputs are logits (B, A), the actions int64 (B,)."""

    def sample(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        logits_BA = fill_illegal(outputs, legal_BA)
        # The largest of logits plus Gumbel noise is a draw from their softmax.
        return (logits_BA - torch.empty_like(logits_BA).exponential_().log_()).argmax(dim=1)

    def mode(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        return fill_illegal(outputs, legal_BA).argmax(dim=1)

    def log_probs(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> Tensor:
        return torch.log_softmax(fill_illegal(outputs, legal_BA), dim=1).gather(1, actions[:, None]).squeeze(1)

    def evaluate(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> tuple[Tensor, Tensor]:
        log_probs_BA = torch.log_softmax(fill_illegal(outputs, legal_BA), dim=1)
        chosen_B = log_probs_BA.gather(1, actions[:, None]).squeeze(1)
        probs_BA = log_probs_BA.exp()
        if legal_BA is not None:
            log_probs_BA = log_probs_BA.masked_fill(~legal_BA, 0.0)
        return chosen_B, -(probs_BA * log_probs_BA).sum(dim=1)

    def mask_width(self, outputs: Tensor) -> int:
        return outputs.shape[1]


class DiagonalGaussian:
    """Continuous actions float32 (B, D); the outputs (B, 2 D) are means, then logarithms of standard deviations."""

    def sample(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        mean_BD, log_std_BD = _mean_and_log_std(outputs)
        return mean_BD + log_std_BD.exp() * torch.randn_like(mean_BD)

    def mode(self, outputs: Tensor, legal_BA: Tensor | None) -> Tensor:
        return _mean_and_log_std(outputs)[0]

    def log_probs(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> Tensor:
        return self.evaluate(outputs, actions, legal_BA)[0]

    def evaluate(self, outputs: Tensor, actions: Tensor, legal_BA: Tensor | None) -> tuple[Tensor, Tensor]:
        mean_BD, log_std_BD = _mean_and_log_std(outputs)
        scaled_BD = (actions - mean_BD) * (-log_std_BD).exp()
        constant = 0.5 * math.log(2.0 * math.pi)
        log_probs_B = -(0.5 * scaled_BD.square() + log_std_BD + constant).sum(dim=1)
        return log_probs_B, (log_std_BD + (0.5 + constant)).sum(dim=1)

    def mask_width(self, outputs: Tensor) -> int:
        return outputs.shape[1]


def _mean_and_log_std(outputs: Tensor) -> tuple[Tensor, Tensor]:
    mean_BD, log_std_BD = outputs.float().chunk(2, dim=1)
    return mean_BD, log_std_BD.clamp(*_LOG_STD)
