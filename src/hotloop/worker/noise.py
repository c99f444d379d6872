"""Noise on the weights of a model, which stands for the rounding of a precision."""

import torch
from torch import nn


def add_weight_noise(model: nn.Module, scale: float, seed: int, *, dtype: torch.dtype | None = None) -> None:
    """Multiply each floating parameter by 1 + scale times a standard normal, the same for the same seed.

    With `dtype`, the noise is drawn and the factor computed in it; otherwise the noise is drawn in float32, and the
    factor computed in the dtype of the parameter. A scale of 0 changes nothing.
    """
    if not scale:
        return
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            noise = torch.randn(parameter.shape, generator=generator, dtype=dtype or torch.float32)
            factor = 1 + scale * noise.to(parameter.device, dtype or parameter.dtype)
            # by .data: a penalty on the weights may have used them already, and autograd must not see the change
            parameter.data.mul_(factor.to(parameter.dtype))
