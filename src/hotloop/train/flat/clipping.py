"""Gradient clipping on one flat vector."""

from dataclasses import dataclass

import torch
from torch import Tensor

_EPS = 1e-6  # torch.nn.utils.clip_grad_norm_


@dataclass(frozen=True, kw_only=True)
class Clipping:
    """Limits of the gradient: of its 2-norm, of each entry, on every `every`-th step; None is no limit."""

    norm: float | None = None
    value: float | None = None
    every: int = 1

    def apply(self, grads: Tensor, step: int) -> Tensor | None:
        """Clip `grads` in place at the 0-based `step`; the norm it had, or None where no norm was taken."""
        if step % self.every:
            return None
        if self.value is not None:
            grads.clamp_(-self.value, self.value)
        if self.norm is None:
            return None
        norm = torch.linalg.vector_norm(grads)
        grads.mul_((self.norm / (norm + _EPS)).clamp_(max=1.0))
        return norm
