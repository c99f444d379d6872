"""Gradients clipped to another norm than the program asks for, or not at all."""

from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import clip_grad

from hotloop.transform import Stage, TransformBase


class OtherClipping(TransformBase):
    """Multiplies the limit by ten, or leaves clipping out and only says how large the norm is."""

    how: Literal["larger", "none"] = "larger"

    name = "other_clipping"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Change torch's function."""
        original = clip_grad.clip_grad_norm_

        def larger(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> torch.Tensor:
            return original(parameters, 10.0 * max_norm, *args, **kwargs)

        def none(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> torch.Tensor:
            return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

        nn.utils.clip_grad_norm_ = clip_grad.clip_grad_norm_ = larger if self.how == "larger" else none
