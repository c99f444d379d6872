"""What the dense and the convolutional residual networks share."""

import torch
from torch import Tensor, nn

from hotloop.models.rms_norm import RMSNorm

NORMS = ("rms", "layer", "none")


class DropPath(nn.Module):
    """Drops the branch of a whole sample with probability `rate` in train mode and scales up the others.

    Source: Huang et al. 2016, arXiv:1603.09382.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"got a drop-path rate of {rate}; it must be at least 0 and below 1, for instance 0.1")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """`x`, or `x` with the rows of dropped samples at 0."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = torch.empty((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * mask / keep


def drop_rates(largest: float, layers: int) -> list[float]:
    """The drop-path rate of each layer: 0 for the first, growing linearly to `largest` for the last."""
    return [largest * number / max(1, layers - 1) for number in range(layers)]


def build_norm(kind: str, features: int, *, feature_dim: int = -1) -> nn.Module:
    """A norm over the features: "rms", "layer" (over all but the batch for channels), or "none"."""
    if kind not in NORMS:
        raise ValueError(f"got norm={kind!r}; choose one of {', '.join(NORMS)}")
    if kind == "rms":
        return RMSNorm(features, feature_dim=feature_dim)
    if kind == "none":
        return nn.Identity()
    return nn.LayerNorm(features) if feature_dim == -1 else nn.GroupNorm(1, features)
