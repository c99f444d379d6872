"""Pure torch kernels: what every other implementation must agree with, and what runs where no other can.

Source of the formulas: parameterised sine units with learnt amplitude, frequency and decay; Zhang and Sennrich 2019
(arXiv:1910.07467) for the norm. Differentiable any number of times, in every floating dtype, on every device.
"""

import torch
from torch import Tensor
from torch.nn import functional

DECAY_MODES = ("none", "abs", "relu")  # a mode is passed to compiled kernels as its place here
FREQUENCY_FLOOR = 1e-6  # keeps a frequency from reaching zero
SineBounds = tuple[float, float, float, float, float, float]  # least and largest amplitude, frequency, decay


def sine(
    z: Tensor,
    amplitude: Tensor,
    frequency: Tensor,
    decay: Tensor,
    phase: Tensor | None,
    *,
    feature_dim: int,
    decay_mode: str,
    bounds: SineBounds | None,
) -> Tensor:
    """A * exp(-d * g(z)) * sin(f * z + phase), shaped as `z`; parameters are raw, one for each feature."""
    raw = torch.stack((amplitude, frequency, decay))
    positive = functional.softplus(raw).unbind(0)
    shape = [1] * z.ndim
    shape[feature_dim] = -1
    amp, freq, dec = positive[0], positive[1] + FREQUENCY_FLOOR, positive[2]
    if bounds is not None:
        amp, freq, dec = amp.clamp(*bounds[:2]), freq.clamp(*bounds[2:4]), dec.clamp(*bounds[4:])
    amp, freq, dec = amp.view(shape), freq.view(shape), dec.view(shape)
    angle = freq * z if phase is None else freq * z + phase.view(shape)
    if decay_mode == "none":
        return amp * torch.sin(angle)
    distance = z.abs() if decay_mode == "abs" else functional.relu(z)
    return amp * torch.exp(-dec * distance) * torch.sin(angle)


def rms_norm(x: Tensor, weight: Tensor, *, feature_dim: int, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight, the mean taken over `feature_dim`."""
    shape = [1] * x.ndim
    shape[feature_dim] = -1
    rms = x.square().mean(dim=feature_dim, keepdim=True).add(eps).sqrt()
    return x / rms * weight.view(shape)
