"""The plain convolutional network over one, two or three dimensions, and what others take of it."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from hotloop.models._activation import build_activation
from hotloop.models._initial import draw_hidden, draw_layers

ConvNd = nn.Conv1d | nn.Conv2d | nn.Conv3d
_CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def build_conv(rank: int, in_channels: int, out_channels: int, kernel_size: int) -> ConvNd:
    """A convolution over `rank` spatial dimensions, padded by half of `kernel_size` (an odd one keeps the size)."""
    if rank not in _CONVS:
        raise ValueError(f"got rank={rank}; there are convolutions over 1, 2 and 3 dimensions: give one of these")
    padding = kernel_size // 2 if kernel_size > 1 else 0
    return _CONVS[rank](in_channels, out_channels, kernel_size, padding=padding)


class MeanHead(nn.Module):
    """(N, C, *S) -> (N, out_features): mean over the positions, then linear."""

    def __init__(self, channels: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(2).mean(dim=2))


class ConvLayer(nn.Module):
    """Convolution and activation by channel."""

    def __init__(
        self,
        rank: int,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.conv = build_conv(rank, in_channels, out_channels, kernel_size)
        self.activation = build_activation(activation, out_channels, activation_options, feature_dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.conv(x))


class ConvPSANN(nn.Module):
    """`hidden_layers` x [convolution, sine by channel], then a head; (N, C, *S) -> (N, out_features).

    `rank` is the number of spatial dimensions. With `per_element` the head is a convolution of size 1 and the output
    (N, out_features, *S).
    """

    name: ClassVar[str] = "conv"

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        *,
        rank: int = 2,
        hidden_layers: int = 2,
        channels: int = 64,
        kernel_size: int = 1,
        w0: float = 30.0,
        per_element: bool = False,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        widths = [in_channels, *[channels] * hidden_layers]
        layers = [
            ConvLayer(
                rank,
                before,
                after,
                kernel_size=kernel_size,
                activation=activation,
                activation_options=activation_options,
            )
            for before, after in pairwise(widths)
        ]
        self.layers = nn.Sequential(*layers)
        if per_element:
            self.head = build_conv(rank, widths[-1], out_features, 1)
        else:
            self.head = MeanHead(widths[-1], out_features)
        draw_layers((layer.conv for layer in layers), w0)
        draw_hidden(self.head.linear if isinstance(self.head, MeanHead) else self.head, w0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x))
