"""Distributions of actions, made of what a policy head gives; no state, and no reads from the device."""

import math
from typing import Protocol

import torch
from torch import Tensor

from hotloop.models.policy.masks import is_legal, is_list, legal_logits

# B positions, A actions, D dimensions of a continuous action

_LOG_STD = (-20.0, 2.0)  # as in soft actor-critic (Haarnoja et al. 2018), so that exp stays finite


class ActionDistribution(Protocol):
    """How actions follow from the outputs of a policy; `legal` is None, a mask (B, A) or a list (B, L)."""

    def noise(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        """Random numbers for one `draw`, from torch's global generator."""
        ...

    def draw(self, outputs: Tensor, legal: Tensor | None, noise: Tensor) -> Tensor:
        """The actions, one a row, that follow from outputs and noise."""
        ...

    def mode(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        """The likeliest action of each row."""
        ...

    def log_probs(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> Tensor:
        """Log-probabilities of the actions, (B,)."""
        ...

    def evaluate(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the actions and entropies, (B,) each."""
        ...

    def mask_width(self, outputs: Tensor) -> int:
        """How many columns a mask of legal actions has beside these outputs."""
        ...


def sample(distribution: ActionDistribution, outputs: Tensor, legal: Tensor | None) -> Tensor:
    """Drawn actions, one a row."""
    return distribution.draw(outputs, legal, distribution.noise(outputs, legal))


class MaskedCategorical:
    """One of A actions; the outputs are logits (B, A), the actions int64 (B,), which must be legal."""

    def noise(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        like = legal if is_list(legal) else outputs
        return torch.empty(like.shape, device=outputs.device).exponential_()

    def draw(self, outputs: Tensor, legal: Tensor | None, noise: Tensor) -> Tensor:
        # The largest of logits plus Gumbel noise is a draw from their softmax.
        return _action(legal_logits(outputs, legal) - noise.log(), legal)

    def mode(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        return _action(legal_logits(outputs, legal), legal)

    def log_probs(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> Tensor:
        log_probs = torch.log_softmax(legal_logits(outputs, legal), dim=1)
        return log_probs.gather(1, _places(actions, legal)).squeeze(1)

    def evaluate(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor]:
        log_probs = torch.log_softmax(legal_logits(outputs, legal), dim=1)
        chosen_B = log_probs.gather(1, _places(actions, legal)).squeeze(1)
        probs = log_probs.exp()
        if legal is not None:
            log_probs = log_probs.masked_fill(~is_legal(legal), 0.0)
        return chosen_B, -(probs * log_probs).sum(dim=1)

    def mask_width(self, outputs: Tensor) -> int:
        return outputs.shape[1]


def _action(scores: Tensor, legal: Tensor | None) -> Tensor:
    """The action with the largest score, int64 (B,)."""
    places_B = scores.argmax(dim=1)
    return legal.gather(1, places_B[:, None]).squeeze(1).long() if is_list(legal) else places_B


def _places(actions_B: Tensor, legal: Tensor | None) -> Tensor:
    """The columns (B, 1) of scores in which the actions stand."""
    if is_list(legal):
        return (legal == actions_B[:, None]).byte().argmax(dim=1, keepdim=True)
    return actions_B[:, None]


class DiagonalGaussian:
    """Continuous actions float32 (B, D); the outputs (B, 2 D) are means, then logarithms of standard deviations."""

    def noise(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        return torch.randn(len(outputs), outputs.shape[1] // 2, device=outputs.device)

    def draw(self, outputs: Tensor, legal: Tensor | None, noise: Tensor) -> Tensor:
        mean_BD, log_std_BD = _mean_and_log_std(outputs)
        return mean_BD + log_std_BD.exp() * noise

    def mode(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        return _mean_and_log_std(outputs)[0]

    def log_probs(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> Tensor:
        return self.evaluate(outputs, actions, legal)[0]

    def evaluate(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor]:
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
