"""What the dense and the convolutional residual networks share."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.models._activation import build_activation
from hotloop.models._initial import Affine, draw_hidden
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


def build_norm(kind: str, features: int, *, feature_dim: int = -1) -> nn.Module:
    """A norm over the features: "rms", "layer" (over all but the batch for channels), or "none"."""
    if kind not in NORMS:
        raise ValueError(f"got norm={kind!r}; choose one of {', '.join(NORMS)}")
    if kind == "rms":
        return RMSNorm(features, feature_dim=feature_dim)
    if kind == "none":
        return nn.Identity()
    return nn.LayerNorm(features) if feature_dim == -1 else nn.GroupNorm(1, features)


class ResidualBlock(nn.Module):
    """x + alpha * drop_path(act2(second(act1(first(norm(x)))))), alpha learnt.

    `layers` are the names of the two layers, which `build_layer` makes.
    """

    def __init__(
        self,
        features: int,
        layers: tuple[str, str],
        build_layer: Callable[[], Affine],
        *,
        feature_dim: int = -1,
        w0_hidden: float = 1.0,
        norm: str = "rms",
        drop_path: float = 0.0,
        alpha_init: float = 0.0,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._layers = layers
        self.norm = build_norm(norm, features, feature_dim=feature_dim)
        pair = build_layer(), build_layer()
        for name, layer in zip(layers, pair, strict=True):
            self.add_module(name, layer)
        self.act1 = build_activation(activation, features, activation_options, feature_dim=feature_dim)
        self.act2 = build_activation(activation, features, activation_options, feature_dim=feature_dim)
        for layer in pair:
            draw_hidden(layer, w0_hidden)
        self.drop_path = DropPath(drop_path)
        self.alpha = nn.Parameter(torch.full((1,), alpha_init))

    def forward(self, x: Tensor) -> Tensor:
        first, second = self._layers
        h = self.act1(getattr(self, first)(self.norm(x)))
        return x + self.alpha * self.drop_path(self.act2(getattr(self, second)(h)))


def residual_blocks(
    features: int,
    layers: tuple[str, str],
    build_layer: Callable[[], Affine],
    *,
    count: int,
    drop_path_max: float,
    **options: Any,
) -> nn.Sequential:
    """`count` blocks with the `options` of one; drop-path grows linearly from 0 in the first to `drop_path_max`."""
    rates = [drop_path_max * number / max(1, count - 1) for number in range(count)]
    return nn.Sequential(*(ResidualBlock(features, layers, build_layer, drop_path=rate, **options) for rate in rates))
